import Bytes
import Glibc

/// What a server's message means for the question it was sent for.
struct Reply {
    enum Meaning {
        /// Not an answer to this question: forged, late or confused. As if it had not come.
        case stray
        /// The rest is to be had over TCP.
        case truncated
        /// The server does not know EDNS (RFC 6891 section 7).
        case plainOnly
        /// The server would not or could not answer; another may.
        case refused(String)
        case answer(StoredAnswer)
    }

    let meaning: Meaning
    /// Whether the letters of the name are as they were asked; if not, it is to be believed from a stream only.
    let keepsLetters: Bool

    /// Reads `bytes` as the reply to `query`, which QueryWriter wrote; without the two bytes of its length.
    init(_ bytes: UnsafeRawBufferPointer, to query: UnsafeRawBufferPointer, of inquiry: Inquiry) {
        guard let header = Header(bytes), let asked = Header(query), header.id == asked.id, header.isResponse,
            header.opcode == 0
        else {
            self.init(.stray)
            return
        }
        let isPlainOnly = header.responseCode == .formatError || header.responseCode == .notImplemented
        // A server that could not read the query cannot repeat its question.
        if header.questions == 0, isPlainOnly {
            self.init(asked.additionals > 0 ? .plainOnly : .refused("the server could not read the question"))
            return
        }
        guard header.questions == 1, let letters = Reply.question(of: bytes, against: query) else {
            self.init(.stray)
            return
        }
        if isPlainOnly, asked.additionals > 0 {
            self.init(.plainOnly, keepsLetters: letters)
        } else if header.isTruncated {
            self.init(.truncated, keepsLetters: letters)
        } else {
            self.init(Reply.content(bytes, of: inquiry), keepsLetters: letters)
        }
    }

    private init(_ meaning: Meaning, keepsLetters: Bool = true) {
        self.meaning = meaning
        self.keepsLetters = keepsLetters
    }

    /// Whether the question of `bytes` is that of `query`: nil if not, else whether its letters are too.
    private static func question(of bytes: UnsafeRawBufferPointer, against query: UnsafeRawBufferPointer) -> Bool? {
        guard let end = try? Question(reading: query, at: Header.length).end, bytes.count >= end else { return nil }
        let length = end - Header.length
        guard let ours = query.baseAddress, let theirs = bytes.baseAddress else { return nil }
        if memcmp(ours + Header.length, theirs + Header.length, length) == 0 { return true }
        // Label lengths are below any letter, so folding the bytes as they stand folds the letters only. Type and class
        // are not letters.
        let name = Header.length..<end - 4
        guard query[name.upperBound..<end].elementsEqual(bytes[name.upperBound..<end]) else { return nil }
        return query[name].elementsEqual(bytes[name]) { lower($0) == lower($1) } ? false : nil
    }

    private static func content(_ bytes: UnsafeRawBufferPointer, of inquiry: Inquiry) -> Meaning {
        guard let message = try? Message(bytes) else { return .refused("the server's answer is malformed") }
        switch message.responseCode {
        case .noError, .noSuchName: break
        case .serverFailure: return .refused("the server failed (SERVFAIL)")
        case .refused: return .refused("the server refused (REFUSED)")
        case let code: return .refused("the server answered with code \(code.rawValue)")
        }
        do throws(DNSFault) {
            return .answer(try StoredAnswer(message, isDNSSECOK: inquiry.isDNSSECOK, name: inquiry.host))
        } catch {
            return .refused(error == .chain ? "too many aliases" : "the server's answer is malformed")
        }
    }
}
