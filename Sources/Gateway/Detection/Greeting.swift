import Bytes

/// Protocols in which the server speaks first, by its greeting.
enum Greeting {
    /// A handshake packet of protocol 10, or the error a server sends in its place: a length of three bytes in little
    /// endian, sequence number 0, then the version's text or the error's code.
    static func mySQL(_ bytes: UnsafeRawBufferPointer) -> Guess {
        guard bytes.count >= 5 else {
            return bytes.dropFirst(1).prefix(3).enumerated().allSatisfy { $0 == 0 ? $1 < 4 : $1 == 0 }
                ? .maybe : .no
        }
        let length = Int(bytes[0]) | Int(bytes[1]) << 8
        guard length < 1024, bytes[2] == 0, bytes[3] == 0 else { return .no }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[5...])
        switch bytes[4] {
        case 0x0a:
            let version = payload.prefix { $0 != 0 }
            guard length > 20, version.count <= 100, version.allSatisfy(Ascii.isPrintable) else { return .no }
            if let first = version.first, !Ascii.isDigit(first) { return .no }
            guard version.count < payload.count else { return .maybe }
            return version.isEmpty ? .no : .yes
        case 0xff:
            // Error codes of servers lie between 1000 and 4999.
            guard payload.count >= 2 else { return .maybe }
            let code = Int(payload[0]) | Int(payload[1]) << 8
            return (1000...4999).contains(code) && length > 3 ? .yes : .no
        default: return .no
        }
    }

    /// `220` and the server's name (RFC 5321 section 4.2), or `554` where it will not serve. FTP greets with 220 too,
    /// and with any text: the protocol's name in the line decides, then whether it begins with a name of a host.
    static func smtp(_ bytes: UnsafeRawBufferPointer) -> Guess {
        reply(bytes) { code, text in
            if code.isWord("554") { return true }
            guard code.isWord("220") else { return false }
            if contains(text, "SMTP") { return true }
            if contains(text, "FTP") { return false }
            let host = UnsafeRawBufferPointer(rebasing: text.prefix { !Ascii.isSpace($0) })
            return host.dropLast().contains(UInt8(ascii: ".")) && Host(host) != nil
        }
    }

    /// `220` with any text (RFC 959 section 5.4); asked after SMTP.
    static func ftp(_ bytes: UnsafeRawBufferPointer) -> Guess {
        reply(bytes) { code, _ in code.isWord("220") }
    }

    /// RFC 1939 section 4.
    static func pop3(_ bytes: UnsafeRawBufferPointer) -> Guess {
        let status = Guess.prefix(bytes, "+OK")
        guard status == .yes else { return status }
        return bytes.byte(3).map { Ascii.isSpace($0) ? .yes : .no } ?? .maybe
    }

    /// RFC 9051 section 7.1.
    static func imap(_ bytes: UnsafeRawBufferPointer) -> Guess {
        for greeting: StaticString in ["* OK ", "* PREAUTH ", "* BYE "] {
            let guess = Guess.prefix(bytes, greeting)
            if guess != .no { return guess }
        }
        return .no
    }

    private static let lineMax = 512

    /// Judges the first line of a reply: three digits, a space or a hyphen, text.
    private static func reply(
        _ bytes: UnsafeRawBufferPointer, _ judge: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool
    ) -> Guess {
        let line = bytes.prefix(lineMax).prefix { $0 != 0x0a }
        guard line.prefix(3).allSatisfy(Ascii.isDigit) else { return .no }
        if let mark = line.dropFirst(3).first, mark != 0x20, mark != UInt8(ascii: "-") { return .no }
        guard line.count < lineMax else { return .no }
        guard line.count < bytes.count else { return .maybe }
        guard line.count > 3 else { return .no }
        let text = UnsafeRawBufferPointer(rebasing: line.dropFirst(4))
        return judge(UnsafeRawBufferPointer(rebasing: line.prefix(3)), text) ? .yes : .no
    }

    /// Whether a line holds a word given in upper case, in any letter case.
    private static func contains(_ line: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard line.count >= length else { return false }
        return (0...line.count - length).contains {
            UnsafeRawBufferPointer(rebasing: line[$0..<$0 + length]).isWord(word)
        }
    }
}
