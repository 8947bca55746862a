import Glibc

/// The path of a file as the kernel has it: bytes without a zero, which need be no UTF-8.
public struct ScanPath: Hashable, Sendable {
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }
    public init(_ text: String) { bytes = Array(text.utf8) }

    /// Standard input.
    public static let input = ScanPath("-")

    public func appending(_ name: [UInt8]) -> ScanPath {
        ScanPath(bytes.last == UInt8(ascii: "/") ? bytes + name : bytes + [UInt8(ascii: "/")] + name)
    }

    /// As text; what is no UTF-8 is replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    var isText: Bool { String(validating: bytes, as: UTF8.self) != nil }

    /// On one line of a terminal: a name can neither break the line nor steer the terminal.
    public var shown: String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                out += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    public func withCString<T>(_ body: (UnsafePointer<CChar>) -> T) -> T {
        (bytes + [0]).withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { preconditionFailure("the zero is there") }
            return base.withMemoryRebound(to: CChar.self, capacity: bytes.count, body)
        }
    }
}
