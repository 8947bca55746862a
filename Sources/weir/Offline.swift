import ArgumentParser
import Bytes
import Config
import Glibc
import OS
import Policy

/// The configuration as commands use it that need no running gateway.
struct Offline {
    let snapshot: Snapshot
    let learned: LearnedRules

    /// Reads and compiles a configuration; what is wrong with it goes to stderr, all of it.
    static func load(_ path: String) throws -> Offline {
        let settings = try read(path)
        let learned = LearnedRules(perService: settings.limits.learnedPerService)
        let loaded = try learned.load(from: "\(settings.state.directory)/learned")
        for complaint in loaded.damage { complain("\(settings.state.directory)/learned: \(complaint)") }
        return Offline(snapshot: try compile(settings, learned), learned: learned)
    }

    static func read(_ path: String) throws -> Settings {
        switch Settings.load(path) {
        case .success(let settings): return settings
        case .failure(let errors): throw refuse(errors)
        }
    }

    /// Compiles without a state directory: fingerprints need a key only where something is matched.
    static func compile(_ settings: Settings, _ learned: LearnedRules = LearnedRules()) throws -> Snapshot {
        let key = [UInt8](repeating: 0, count: 32)
        switch Snapshot.build(
            settings, generation: 1, learned: learned, ownAddresses: (try? interfaceAddresses()) ?? [],
            fingerprintKey: key)
        {
        case .success(let snapshot): return snapshot
        case .failure(let errors): throw refuse(errors)
        }
    }

    static func refuse(_ errors: ConfigErrors, _ code: Int32 = 1) -> ExitCode {
        for error in errors.errors { complain("\(error)") }
        return ExitCode(code)
    }

    /// The index of a service by its name.
    func service(_ name: String) throws -> Int {
        if let index = snapshot.policy.services.firstIndex(where: { $0.name == name }) { return index }
        let known = snapshot.policy.services.map(\.name).joined(separator: ", ")
        throw ValidationError("there is no service \(name); expected one of \(known)")
    }
}

/// Says something on stderr.
func complain(_ text: String) {
    var line = text + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Writes results to stdout, all of them; false where that cannot be.
@discardableResult
func output(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32 = STDOUT_FILENO) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
        let count = write(descriptor, rest.baseAddress, rest.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return true
}
