import Bytes
import Policy

// How addresses, ports and names are written.

extension Kind where T == Endpoint {
    static var endpoint: Kind {
        parsed(
            "an address and a port, such as 127.0.0.1:3128 or [::1]:3128",
            pattern: #"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}$"#, blank: Endpoint(.anyV4, 0),
            show: { $0.description }
        ) { text in
            Endpoint(text).flatMap { $0.port == 0 ? nil : $0 }
        }
    }
}

extension Kind where T == IPAddress {
    static var address: Kind {
        parsed("an address, such as 10.0.0.5 or 2001:db8::5", pattern: "^[0-9A-Fa-f:.]+$", blank: .anyV4) {
            IPAddress($0)
        }
    }
}

extension Kind where T == Prefix {
    static var prefix: Kind {
        parsed(
            "an address or a range without host bits, such as 10.0.0.0/8", pattern: "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
            blank: Prefix(.anyV4)
        ) { Prefix($0) }
    }
}

extension Kind where T == DomainName {
    static var domain: Kind {
        parsed(
            "a name in ASCII, such as example.com", pattern: #"^[A-Za-z0-9_.-]{1,254}$"#, blank: placeholderDomain
        ) { hostName($0) }
    }
}

extension Kind where T == Destination {
    static var destination: Kind {
        parsed(
            "any, a name, *.suffix, an address, a range such as 10.0.0.0/8, or list:NAME",
            pattern: "^(any|list:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\(listEntryPattern))$", blank: .any
        ) { text in
            if text == "any" { return .any }
            if text.hasPrefix("list:") {
                let name = String(text.dropFirst(5))
                return Kind<String>.isName(name) ? .list(name) : nil
            }
            return Destination(entry: text)
        }
    }

    /// An item of a list.
    static var listEntry: Kind {
        parsed(
            "a name, *.suffix, an address or a range such as 10.0.0.0/8", pattern: "^(\(listEntryPattern))$",
            blank: .any
        ) { Destination(entry: $0) }
    }

    private static var listEntryPattern: String { #"(\*\.)?[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+(/[0-9]{1,3})?"# }

    /// A name or `*.suffix`.
    static var namePattern: Kind {
        parsed(
            "a name or *.suffix", pattern: #"^(\*\.)?[A-Za-z0-9_.-]+$"#, blank: .any
        ) { namePattern($0) }
    }

    private static func namePattern(_ text: String) -> Destination? {
        text.hasPrefix("*.") ? hostName(text.dropFirst(2)).map { .suffix($0) } : hostName(text).map { .name($0) }
    }
}

/// A name that no resolver would take for an address.
func hostName(_ text: some StringProtocol) -> DomainName? {
    guard case .name(let name) = Host(String(text)) else { return nil }
    return name
}

/// Stands for a name that could not be read; nobody may have it (RFC 6761 section 6.4).
var placeholderDomain: DomainName {
    guard let name = DomainName("invalid") else { preconditionFailure("a name of letters is a name") }
    return name
}

extension Kind where T == ClosedRange<UInt16> {
    /// `443` or `"8000-8100"`.
    static var ports: Kind {
        let number: [JSON.Member] = [
            .init(key: "type", value: .string("integer")), .init(key: "minimum", value: .integer(1)),
            .init(key: "maximum", value: .integer(65535)),
        ]
        let range = JSON.object(["type": .string("string"), "pattern": .string("^[0-9]{1,5}-[0-9]{1,5}$")])
        return Kind(
            schema: { .object(["oneOf": .array([.object(number), range])]) }, blank: { 1...1 },
            show: { $0.count == 1 ? .integer(Int($0.lowerBound)) : .string("\($0.lowerBound)-\($0.upperBound)") }
        ) { value in
            switch value.scalar {
            case .integer(let port):
                guard let port = UInt16(exactly: port), port > 0 else { break }
                return port...port
            case .text(let text):
                guard let range = portRange(text), text.contains("-") else { break }
                return range
            default: break
            }
            return value.fail("1-65535")
        }
    }
}

/// `443` or `8000-8100`.
func portRange(_ text: some StringProtocol) -> ClosedRange<UInt16>? {
    let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    let ports = ends.map { $0.allSatisfy(\.isNumber) ? UInt16($0) ?? 0 : 0 }
    guard let first = ports.first, let last = ports.last, first > 0, first <= last else { return nil }
    return first...last
}

// MARK: - Words

extension Kind where T == Mode {
    static var mode: Kind { words(Mode.allCases.map { ("\($0.label)", $0) }) }
}

extension Kind where T == Action {
    static func action(_ actions: [Action]) -> Kind { words(actions.map { ("\($0.label)", $0) }) }
}

extension Kind where T == Application {
    static var application: Kind { words(Application.allCases.map { ("\($0.label)", $0) }) }
}
