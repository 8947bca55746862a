import CCodecs
import COpenSSL
import Glibc

/// What tells a secret from text that only looks like one.
enum SecretChecks {
    static let entries: [Validator.Entry] = [
        .bytes("entropy-3") { entropy($0) >= 3 },
        .bytes("entropy-3.5") { entropy($0) >= 3.5 },
        .bytes("entropy-4") { entropy($0) >= 4 },
        .bytes("mixed", isMixed),
        .bytes("github", hasCyclicCheck),
        .bytes("jwt", isWebToken),
        .bytes("base58check", isBase58Check),
        .bytes("password", isPassword),
    ]

    /// Bits a byte, by how often each byte is there: words have about 3, random hexadecimal nearly 4, base64 more.
    static func entropy(_ match: UnsafeRawBufferPointer) -> Double {
        var counts = InlineArray<256, UInt16>(repeating: 0)
        let bytes = match.prefix(512)
        for byte in bytes { counts[Int(byte)] += 1 }
        let total = Double(bytes.count)
        var bits = 0.0
        for value in 0..<256 where counts[value] > 0 {
            let share = Double(counts[value]) / total
            bits -= share * log2(share)
        }
        return bits
    }

    /// Letters and digits together and not one of them again and again: what no word and no placeholder is.
    private static func isMixed(_ match: UnsafeRawBufferPointer) -> Bool {
        var (digits, letters) = (0, 0)
        for byte in match {
            if byte &- 0x30 < 10 { digits += 1 }
            if (byte | 0x20) &- 0x61 < 26 { letters += 1 }
        }
        return digits > 1 && letters > 1 && entropy(match) >= 3
    }

    /// What people write where a password would stand.
    private static func isPassword(_ match: UnsafeRawBufferPointer) -> Bool {
        let text = secret(of: match)
        guard text.count >= 6, let first = text.first else { return false }
        if "$<{%[*&".utf8.contains(first) || entropy(text) < 2.2 { return false }
        for word in placeholders where contains(text, word) { return false }
        return true
    }

    private static let placeholders: [StaticString] = [
        "password", "passwd", "secret", "example", "changeme", "xxxx", "your", "placeholder", "redacted", "dummy",
        "sample",
    ]

    /// The last part of what matched: behind the colon of `user:password@`, or the last `=` or `:` before a value.
    private static func secret(of match: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var (from, to) = (0, match.count)
        if let at = match.lastIndex(of: UInt8(ascii: "@")) { to = at }
        for at in 0..<to where match[at] == UInt8(ascii: ":") || match[at] == UInt8(ascii: "=") { from = at + 1 }
        while from < to, "\"' ".utf8.contains(match[from]) { from += 1 }
        while to > from, "\"' ;".utf8.contains(match[to - 1]) { to -= 1 }
        return UnsafeRawBufferPointer(rebasing: match[from..<to])
    }

    private static func contains(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard text.count >= length else { return false }
        for from in 0...text.count - length {
            var at = 0
            while at < length, text[from + at] | 0x20 == word.utf8Start[at] { at += 1 }
            if at == length { return true }
        }
        return false
    }

    /// The last six characters are the CRC-32 of those between the prefix and them, in base 62.
    private static func hasCyclicCheck(_ match: UnsafeRawBufferPointer) -> Bool {
        guard let mark = match.lastIndex(of: UInt8(ascii: "_")), match.count - mark > 7 else { return false }
        let body = UnsafeRawBufferPointer(rebasing: match[(mark + 1)..<(match.count - 6)])
        guard let base = body.bindMemory(to: UInt8.self).baseAddress else { return false }
        let sum = UInt64(crc32(0, base, UInt32(body.count)))
        var told: UInt64 = 0
        for byte in match.suffix(6) {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0")
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - UInt8(ascii: "A") + 10
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - UInt8(ascii: "a") + 36
            default: return false
            }
            told = told * 62 + UInt64(value)
        }
        return told == sum
    }

    // MARK: Encodings

    /// The header of a JSON Web Token decodes to an object that has `"alg"` (RFC 7515 section 4.1.1).
    private static func isWebToken(_ match: UnsafeRawBufferPointer) -> Bool {
        var (bits, held) = (UInt32(0), 0)
        // The last six bytes, which are looked at for `"alg":` with or without a blank.
        var tail: UInt64 = 0
        var isFirst = true
        for byte in match.prefix(1024) {
            guard byte != UInt8(ascii: ".") else { return false }
            guard let value = sixBits(byte) else { return false }
            bits = bits << 6 | UInt32(value)
            held += 6
            guard held >= 8 else { continue }
            held -= 8
            let decoded = UInt8(truncatingIfNeeded: bits >> UInt32(held))
            if isFirst, decoded != UInt8(ascii: "{") { return false }
            isFirst = false
            tail = (tail << 8 | UInt64(decoded)) & 0xff_ffff_ffff
            // "alg" with its quotes.
            if tail == 0x22_616c_6722 { return true }
        }
        return false
    }

    /// Of base64url, and of base64 (RFC 4648 sections 4 and 5).
    private static func sixBits(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"), UInt8(ascii: "+"): 62
        case UInt8(ascii: "_"), UInt8(ascii: "/"): 63
        default: nil
        }
    }

    /// Base 58 of 25 bytes, the last four of which are the first of the SHA-256 of the SHA-256 of the others.
    private static func isBase58Check(_ match: UnsafeRawBufferPointer) -> Bool {
        var bytes = InlineArray<40, UInt8>(repeating: 0)
        let alphabet: StaticString = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
        let length = match.count > 45 ? 38 : 25
        for byte in match {
            var carry = -1
            for index in 0..<58 where alphabet.utf8Start[index] == byte { carry = index }
            guard carry >= 0 else { return false }
            for at in 0..<length {
                let place = length - 1 - at
                carry += Int(bytes[place]) * 58
                bytes[place] = UInt8(carry & 0xff)
                carry >>= 8
            }
            if carry != 0 { return false }
        }
        // A private key of 51 symbols has no mark of a compressed point, and is a byte shorter.
        let from = length == 38 && bytes[0] == 0 ? 1 : 0
        return isDoubleHashed(bytes, from, length)
    }

    private static func isDoubleHashed(_ bytes: [40 of UInt8], _ from: Int, _ length: Int) -> Bool {
        var digest = InlineArray<32, UInt8>(repeating: 0)
        var bytes = bytes
        withUnsafeBytes(of: &bytes) { all in
            withUnsafeMutableBytes(of: &digest) { out in
                guard let input = all.bindMemory(to: UInt8.self).baseAddress,
                    let output = out.bindMemory(to: UInt8.self).baseAddress
                else { return }
                _ = SHA256(input + from, length - from - 4, output)
                _ = SHA256(output, 32, output)
            }
        }
        for at in 0..<4 where digest[at] != bytes[length - 4 + at] { return false }
        return true
    }
}
