import Bytes
import DLP
import Glibc

/// The engine alone over a corpus in memory, cut as a body would be: a line for each pass of megabytes per second of CPU
/// time and findings, as `scanpeer.c` prints them. See loadtest/README.md.
@main
enum ScanBench {
    static func main() {
        let words = CommandLine.arguments
        guard words.count == 6, let chunk = Int(words[3]), let least = Double(words[4]), let depth = Int(words[5])
        else {
            fail("usage: ScanBench EXPRESSIONS CORPUS CHUNK SECONDS VIEW_DEPTH")
        }
        let begun = cpuSeconds()
        let profile = compile(read(words[1]), viewDepth: depth)
        complain("compiled in \(cpuSeconds() - begun) s")
        let corpus = read(words[2])
        let inspection = Inspection(scratch: Scratch())
        var spent = 0.0
        repeat {
            let begun = cpuSeconds()
            scan(corpus, profile, inspection, chunk > 0 ? chunk : max(corpus.count, 1))
            let seconds = cpuSeconds() - begun
            tell(Double(corpus.count) / seconds / 1e6, inspection)
            spent += seconds
        } while spent < least
    }

    private static func scan(_ corpus: [UInt8], _ profile: Profile, _ inspection: Inspection, _ chunk: Int) {
        inspection.reset(profile)
        inspection.open(.request, as: .body, codings: [])
        corpus.withUnsafeBytes { bytes in
            var at = 0
            while at < bytes.count {
                let end = min(at + chunk, bytes.count)
                inspection.feed(.request, UnsafeRawBufferPointer(rebasing: bytes[at..<end]), end: end == bytes.count)
                at = end
            }
        }
        inspection.finish()
    }

    /// A sensor for each line that is no comment.
    private static func compile(_ text: [UInt8], viewDepth: Int) -> Profile {
        var limits = Limits()
        limits.viewDepth = viewDepth
        let lines = text.split(separator: UInt8(ascii: "\n")).filter { $0.first != UInt8(ascii: "#") }
        let sensors = lines.enumerated().map { index, line in
            SensorSpec(
                name: "s\(index)",
                rules: [
                    SensorRuleSpec(
                        name: "r",
                        patterns: [PatternSpec(regex: String(decoding: line, as: UTF8.self), contexts: .body)])
                ])
        }
        switch Database.compile(sensors, used: [], limits: limits, fingerprintKey: Array("benchmark".utf8)) {
        case .failure(let errors): fail("\(errors.errors)")
        case .success(let database):
            let attachments = sensors.map { Attachment(sensor: $0.name, action: .alert) }
            return Profile(database, attachments, enforcing: false, hold: 0)
        }
    }

    private static func tell(_ rate: Double, _ inspection: Inspection) {
        let overruns = inspection.overruns == 0 ? "" : " \(inspection.overruns) overruns"
        print("\((rate * 10).rounded() / 10) \(inspection.findingsCount)\(overruns)")
    }

    private static func cpuSeconds() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }

    private static func read(_ path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { fail("\(path) cannot be read") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let got = Glibc.read(descriptor, &piece, piece.count)
            guard got > 0 else { return bytes }
            bytes += piece[..<got]
        }
    }

    private static func complain(_ message: String) {
        let line = "ScanBench: \(message)\n"
        _ = write(2, line, line.utf8.count)
    }

    private static func fail(_ message: String) -> Never {
        complain(message)
        exit(2)
    }
}
