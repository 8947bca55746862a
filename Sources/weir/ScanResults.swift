import ArgumentParser
import Bytes
import Config
import DLP
import Glibc

/// How findings are told, and which are not told again.
struct ScanResultOptions: ParsableArguments {
    @Flag(help: "One JSON object a line.")
    var json = false

    @Flag(help: "One document of SARIF 2.1.0.")
    var sarif = false

    @Option(help: "Tell only findings that are not in this file.")
    var baseline: String?

    @Option(help: "Write what is found to this file, as known; exit 0.")
    var writeBaseline: String?

    @Option(
        help: ArgumentHelp(
            "The key of fingerprints, made by --write-baseline if it is not there; else that of the state directory.",
            valueName: "file"))
    var key: String?

    @Option(help: "Bytes around a match that --json shows, masked.")
    var context = 64

    @Flag(help: "End with an object of bytes, seconds, MB/s and outcomes, on standard error.")
    var stats = false

    func validate() throws {
        if json, sarif { throw ValidationError("--json and --sarif: expected one of them") }
        if !(0...EvidenceSpec.contextMax).contains(context) {
            throw ValidationError("--context: expected 0-\(EvidenceSpec.contextMax), found \(context)")
        }
    }

    /// Of the file that was named, else that of the gateway, so that fingerprints can be compared with its records. Without
    /// either they hold for this scan alone.
    func fingerprintKey(_ settings: Settings?) throws -> (bytes: [UInt8], stays: Bool) {
        do throws(StateDirectory.Failure) {
            if let bytes = try keptKey(settings) { return (bytes, true) }
        } catch {
            throw refuse("\(error)")
        }
        if let key { throw refuse("\(key): there is no such key") }
        if baseline != nil || writeBaseline != nil {
            throw refuse(
                "a baseline needs a key that stays: expected --key FILE, or -c FILE with the state directory of a gateway"
            )
        }
        return ((0..<32).map { _ in UInt8.random(in: .min ... .max) }, false)
    }

    private func keptKey(_ settings: Settings?) throws(StateDirectory.Failure) -> [UInt8]? {
        if let key {
            return access(key, F_OK) == 0 || writeBaseline != nil ? try StateDirectory.fingerprintKey(at: key) : nil
        }
        guard let directory = settings?.state.directory, access("\(directory)/fingerprint.key", R_OK) == 0 else {
            return nil
        }
        return try StateDirectory.fingerprintKey(in: directory)
    }

    /// Nothing of what stands around a match is looked at where it is not told.
    func evidence(_ settings: Settings?) throws -> EvidenceSpec {
        guard json else { return EvidenceSpec() }
        guard let settings else { return EvidenceSpec(context: context) }
        var spec = try settings.evidenceSpec.mapError { errors in
            for error in errors.errors { complain("\(error)") }
            return ExitCode(2)
        }.get()
        spec.context = context
        return spec
    }

    /// - Parameter keyStays: fingerprints can be compared with those of other scans.
    func writer(_ database: Database, _ rules: [FileScan.Rule], keyStays: Bool) throws -> ScanWriter {
        do throws(ScanBaseline.Fault) {
            let known = try baseline.map { path throws(ScanBaseline.Fault) in
                try ScanBaseline(reading: path, keyID: database.keyID)
            }
            let form: ScanWriter.Form =
                sarif
                ? .sarif(SARIF(version: Weir.version, rules: rules, fingerprints: keyStays))
                : json ? .json : .text(colors: Terminal.hasColors(STDOUT_FILENO))
            return ScanWriter(form, known: known, found: writeBaseline.map { ScanBaseline($0, keyID: database.keyID) })
        } catch {
            throw refuse(error.message)
        }
    }

    private func refuse(_ message: String) -> ExitCode {
        complain("weir scan: \(message)")
        return ExitCode(2)
    }
}

/// Turns findings into lines, and keeps those of a baseline apart.
final class ScanWriter: Sendable {
    enum Form: Sendable {
        case text(colors: Bool)
        case json
        case sarif(SARIF)
    }

    private let form: Form
    private let known: ScanBaseline?
    private let found: Guarded<ScanBaseline?>
    let isBaselineWritten: Bool

    init(_ form: Form, known: ScanBaseline?, found: ScanBaseline?) {
        (self.form, self.known) = (form, known)
        self.found = Guarded(found)
        isBaselineWritten = found != nil
    }

    /// What stands before all results.
    var head: String { if case .sarif(let sarif) = form { sarif.head } else { "" } }

    /// Empty for one that is known.
    func line(_ hit: FileScan.Hit) -> String {
        if isBaselineWritten { found.withLock { $0?.add(hit) } }
        if let known, known.knows(hit) { return "" }
        switch form {
        case .text(let colors): return hit.text(colors: colors) + "\n"
        case .json: return hit.json + "\n"
        case .sarif(let sarif): return "\n" + sarif.result(hit)
        }
    }

    /// What stands between two results.
    var separator: String { if case .sarif = form { "," } else { "" } }

    func end(_ failures: [String], _ exitCode: Int32) -> String {
        if case .sarif(let sarif) = form { sarif.end(failures: failures, exitCode: Int(exitCode)) } else { "" }
    }

    func writeBaseline() throws {
        guard let baseline = found.withLock({ $0 }) else { return }
        do throws(ScanBaseline.Fault) { try baseline.write() } catch {
            complain("weir scan: \(error.message)")
            throw ExitCode(2)
        }
        complain("weir scan: \(baseline.path): \(baseline.count) findings are known from now on")
    }
}
