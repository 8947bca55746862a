/// Whether the first bytes are HTTP, or could become it, for any server that might read them.
enum HTTPStart {
    /// A method that could be one; `VERSION-CONTROL` and the like are shorter by far.
    private static let methodMax = 64
    /// A method in upper case of this length with a path after it is a request, whatever its line goes on with.
    private static let plainMethodMax = 24

    /// The client preface of HTTP/2 (RFC 9113 section 3.4), whole: a front of it is a request line of HTTP/1.
    static func preface(_ bytes: UnsafeRawBufferPointer) -> Guess {
        Guess.prefix(bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    }

    /// A request line of HTTP/1, read as leniently as the most lenient of servers: after empty lines (RFC 9112 section
    /// 2.2), split at any white space (section 3), with any method token, ended by a bare line feed. What is ambiguous
    /// in it is for the HTTP parser to refuse; here it only must not pass for something else.
    static func requestLine(_ bytes: UnsafeRawBufferPointer) -> Guess {
        guard let start = bytes.firstIndex(where: { !Ascii.isSpace($0) }) else { return .maybe }
        let line = UnsafeRawBufferPointer(rebasing: bytes[start...])
        let length = line.firstIndex { !Ascii.isToken($0) } ?? line.count
        guard (1...methodMax).contains(length) else { return .no }
        guard let separator = line.byte(length) else { return .maybe }
        guard Ascii.isSpace(separator) else { return .no }
        let method = UnsafeRawBufferPointer(rebasing: line.prefix(length))
        if length <= plainMethodMax, separator == 0x20, line.byte(length + 1) == UInt8(ascii: "/"),
            method.allSatisfy({ Ascii.isUpper($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") })
        {
            return .yes
        }
        return words(after: method, in: UnsafeRawBufferPointer(rebasing: line.dropFirst(length)))
    }

    /// Any word that names the protocol makes the line a request. One without, of two words, is a request of HTTP/0.9
    /// if the method is GET. Other protocols have such lines too (RTSP, SIP, inline Redis), so the end of the line is
    /// waited for.
    private static func words(after method: UnsafeRawBufferPointer, in rest: UnsafeRawBufferPointer) -> Guess {
        var words = 1
        var at = 0
        while let byte = rest.byte(at) {
            if byte == 0x0a { return words == 2 && method.elementsEqual("GET".utf8) ? .yes : .no }
            guard byte >= 0x20 && byte != 0x7f || Ascii.isSpace(byte) else { return .no }
            if !Ascii.isSpace(byte), Ascii.isSpace(rest[at - 1]) {
                words += 1
                if UnsafeRawBufferPointer(rebasing: rest[at...].prefix(5)).isWord("HTTP/") { return .yes }
            }
            at += 1
        }
        return .maybe
    }
}
