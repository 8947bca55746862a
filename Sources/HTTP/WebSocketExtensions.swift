import Bytes

/// What the two ends of a WebSocket have agreed on, by the Sec-WebSocket-Extensions of the 101 (RFC 6455 section 9.1).
public enum WebSocketExtensions: Equatable, Sendable {
    case none
    case deflate(PermessageDeflate)
    /// Frames mean something that only the two ends know.
    case unknown

    /// permessage-deflate as agreed on (RFC 7692 section 7.1).
    public struct PermessageDeflate: Equatable, Sendable {
        /// Messages of the client are compressed each for itself.
        public var clientResets = false
        public var serverResets = false

        public init() {}
    }

    public init(_ head: borrowing ResponseHead, _ bytes: UnsafeRawBufferPointer) {
        self = .none
        for field in head.fields
        where field.id == .other && Octet.matches(bytes, field.name, "sec-websocket-extensions") {
            var rest = field.value
            while let element = Octet.element(bytes, &rest) {
                // One extension that we know, and nothing on top of it.
                guard self == .none, let deflate = PermessageDeflate(bytes, element) else {
                    self = .unknown
                    return
                }
                self = .deflate(deflate)
            }
        }
    }
}

extension WebSocketExtensions.PermessageDeflate {
    /// One element of the list, with its parameters: each at most once, and none but those of RFC 7692.
    fileprivate init?(_ bytes: UnsafeRawBufferPointer, _ element: Range<Int>) {
        var seen: Set<Int> = []
        var isFirst = true
        var start = element.lowerBound
        while start <= element.upperBound {
            let end = (start..<element.upperBound).first { bytes[$0] == UInt8(ascii: ";") } ?? element.upperBound
            let word = Octet.trimmed(bytes, start..<end)
            start = end + 1
            if isFirst {
                guard Octet.matches(bytes, word, "permessage-deflate") else { return nil }
                isFirst = false
                continue
            }
            let equals = word.first { bytes[$0] == UInt8(ascii: "=") }
            let name = Octet.trimmed(bytes, word.lowerBound..<(equals ?? word.upperBound))
            let value = equals.map { Octet.trimmed(bytes, $0 + 1..<word.upperBound) }
            let names: [StaticString] = [
                "client_no_context_takeover", "server_no_context_takeover", "client_max_window_bits",
                "server_max_window_bits",
            ]
            guard let index = names.firstIndex(where: { Octet.matches(bytes, name, $0) }), seen.insert(index).inserted,
                (value == nil) == (index < 2)
            else { return nil }
            if let value, !Self.isWindow(bytes, value) { return nil }
            if index == 0 { clientResets = true }
            if index == 1 { serverResets = true }
        }
    }

    /// 8 to 15, perhaps in quotes. We inflate with the largest window, which reads all of them.
    private static func isWindow(_ bytes: UnsafeRawBufferPointer, _ value: Range<Int>) -> Bool {
        var range = value
        if range.count >= 2, bytes[range.lowerBound] == UInt8(ascii: "\""),
            bytes[range.upperBound - 1] == UInt8(ascii: "\"")
        {
            range = range.lowerBound + 1..<range.upperBound - 1
        }
        let sizes: [StaticString] = ["8", "9", "10", "11", "12", "13", "14", "15"]
        return sizes.contains { Octet.equal(bytes, range, $0) }
    }
}
