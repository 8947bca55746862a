/// Protocols of lines, by what their clients say first.
enum TextStart {
    /// RFC 4253 section 4.2; for servers too.
    static func ssh(_ bytes: UnsafeRawBufferPointer) -> Guess {
        let old = Guess.prefix(bytes, "SSH-1.")
        return old == .no ? Guess.prefix(bytes, "SSH-2.0-") : old
    }

    /// An array of bulk strings, as every client library sends, or a PING typed by hand.
    static func redis(_ bytes: UnsafeRawBufferPointer) -> Guess {
        guard let first = bytes.byte(0) else { return .maybe }
        guard first == UInt8(ascii: "*") else {
            return command(bytes) { $0.count == 1 && $0[0].isWord("PING") }
        }
        let end = bytes.dropFirst().firstIndex { !Ascii.isDigit($0) } ?? bytes.count
        guard end <= 8 else { return .no }
        guard end < bytes.count else { return .maybe }
        guard end > 1 else { return .no }
        return Guess.prefix(UnsafeRawBufferPointer(rebasing: bytes[end...]), "\r\n$")
    }

    /// RFC 5321 section 4.1.1.1.
    static func smtp(_ bytes: UnsafeRawBufferPointer) -> Guess {
        command(bytes) { words in
            words.count >= 2 && (words[0].isWord("EHLO") || words[0].isWord("HELO") || words[0].isWord("LHLO"))
        }
    }

    /// RFC 959 and RFC 4217. `USER` with one argument is POP3's as well; clients of that wait for its server.
    static func ftp(_ bytes: UnsafeRawBufferPointer) -> Guess {
        command(bytes) { words in
            switch words.count {
            case 1: words[0].isWord("FEAT") || words[0].isWord("SYST")
            case 2:
                words[0].isWord("USER") || words[0].isWord("AUTH") && (words[1].isWord("TLS") || words[1].isWord("SSL"))
            default: false
            }
        }
    }

    /// RFC 1939, RFC 2449 and RFC 2595.
    static func pop3(_ bytes: UnsafeRawBufferPointer) -> Guess {
        command(bytes) { words in
            switch words.count {
            case 1: words[0].isWord("CAPA") || words[0].isWord("STLS")
            case 3: words[0].isWord("APOP")
            default: false
            }
        }
    }

    /// RFC 9051: a tag of the client's choice, then a command that needs no mailbox.
    static func imap(_ bytes: UnsafeRawBufferPointer) -> Guess {
        command(bytes) { words in
            guard words.count >= 2 else { return false }
            return switch words.count {
            case 2: words[1].isWord("CAPABILITY") || words[1].isWord("STARTTLS") || words[1].isWord("NOOP")
            case 4: words[1].isWord("LOGIN")
            default: words[1].isWord("AUTHENTICATE") || words[1].isWord("ID")
            }
        }
    }

    /// The longest first line of a command.
    private static let lineMax = 512
    private static let wordMax = 16

    /// Judges the words of a first line of printable text that begins with a short word of letters and digits.
    private static func command(
        _ bytes: UnsafeRawBufferPointer, _ judge: ([UnsafeRawBufferPointer]) -> Bool
    ) -> Guess {
        let line = bytes.prefix(lineMax).prefix { $0 != 0x0a }
        let first = line.prefix { Ascii.isAlphanumeric($0) }
        guard first.count <= wordMax else { return .no }
        guard let after = line.dropFirst(first.count).first ?? bytes.byte(first.count) else { return .maybe }
        guard first.count > 0, Ascii.isSpace(after) else { return .no }
        guard line.allSatisfy({ Ascii.isPrintable($0) || $0 == 0x0d || $0 == 0x09 }), line.count < lineMax else {
            return .no
        }
        guard line.count < bytes.count else { return .maybe }
        let words = line.split(whereSeparator: { Ascii.isSpace($0) }).map { UnsafeRawBufferPointer(rebasing: $0) }
        return judge(words) ? .yes : .no
    }
}
