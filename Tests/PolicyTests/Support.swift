import Bytes
import Glibc
import Testing

@testable import Policy

// Shorthand for tables: a mistake in a test's own text ends the test with that text.

struct BadText: Error { let text: String }

func name(_ text: String) throws -> DomainName {
    guard let name = DomainName(text) else { throw BadText(text: text) }
    return name
}

func ip(_ text: String) throws -> IPAddress {
    guard let address = IPAddress(text) else { throw BadText(text: text) }
    return address
}

func prefix(_ text: String) throws -> Prefix {
    guard let prefix = Prefix(text) else { throw BadText(text: text) }
    return prefix
}

/// `any`, `*.suffix`, a range or a name, as configurations write it.
func destination(_ text: String) throws -> Destination {
    if text == "any" { return .any }
    if text.hasPrefix("list:") { return .list(String(text.dropFirst(5))) }
    if text.hasPrefix("*.") { return .suffix(try name(String(text.dropFirst(2)))) }
    return if let prefix = Prefix(text) { .prefix(prefix) } else { .name(try name(text)) }
}

func allow(
    _ to: String, _ ports: [ClosedRange<UInt16>] = [], _ applications: [Application] = []
) throws -> RuleSpec {
    RuleSpec(to: try destination(to), ports: ports, applications: applications, action: .allow)
}

func deny(
    _ to: String, _ ports: [ClosedRange<UInt16>] = [], _ applications: [Application] = []
) throws -> RuleSpec {
    RuleSpec(to: try destination(to), ports: ports, applications: applications, action: .deny)
}

/// A policy of `unknown` and one service `app`, whose index is 1.
func policy(
    _ rules: [RuleSpec], mode: Mode = .protect, internalSuffixes: [String] = [], own: [String] = [],
    identities: [IdentitySpec] = [], lists: [ListSpec] = [], learned: LearnedRules = LearnedRules()
) throws -> Policy {
    let services = [
        ServiceSpec(name: "unknown", mode: .discover, uninspectable: .alert, rules: []),
        ServiceSpec(name: "app", mode: mode, uninspectable: .alert, rules: rules),
    ]
    let spec = PolicySpec(
        services: services, identities: identities, internalSuffixes: try internalSuffixes.map(name),
        ownAddresses: try own.map(ip), lists: lists)
    return try Policy.compile(spec, learned: learned).get()
}

/// A question of the service `app`; `to` is a name, an address, or both as `name@address`.
func question(_ to: String, _ port: UInt16 = 80, _ application: Application = .http) throws -> Question {
    let parts = to.split(separator: "@").map(String.init)
    let address = parts.compactMap { IPAddress($0) }.first
    let names = try parts.filter { IPAddress($0) == nil }.map(name)
    return Question(service: 1, name: names.first, address: address, port: port, application: application)
}

extension Cover {
    /// `+0` allowed by rule 0, `-0` denied by it, `learned`, or `none`.
    var short: String {
        switch self {
        case .allowed(let rule): "+\(rule.rule ?? -1)"
        case .denied(let rule): "-\(rule.rule ?? -1)"
        case .learned: "learned"
        case .uncovered: "none"
        }
    }
}

/// A new directory, removed with all in it at the end.
func withDirectory(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/weir-policy-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw BadText(text: "mkdtemp: \(errno)") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
        for file in files(path) { unlink("\(path)/\(file)") }
        rmdir(path)
    }
    try body(path)
}

func files(_ directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

func write(_ bytes: some Collection<UInt8>, to path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0 else { throw BadText(text: "\(path): \(errno)") }
    defer { close(file) }
    let bytes = Array(bytes)
    guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw BadText(text: path) }
}

func contents(_ path: String) throws -> [UInt8] {
    var buffer = Buffer()
    _ = try StateFile(path: path).read(into: &buffer)
    return Array(buffer.readable)
}

/// Runs the body on that many threads at once and waits for them.
func withThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    final class Work: Sendable {
        let index: Int
        let body: @Sendable (Int) -> Void
        init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) { (self.index, self.body) = (index, body) }
    }
    var threads: [pthread_t] = []
    for index in 0..<count {
        var thread = pthread_t()
        let work = Unmanaged.passRetained(Work(index, body))
        let code = pthread_create(
            &thread, nil,
            { argument in
                if let argument {
                    let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
                    work.body(work.index)
                }
                return nil
            }, work.toOpaque())
        guard code == 0 else { throw BadText(text: "pthread_create: \(code)") }
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
}

/// A small generator, so that a failure can be repeated from its seed.
struct Xorshift: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
