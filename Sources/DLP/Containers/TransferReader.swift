/// Undoes what made a part fit for mail (RFC 2045 sections 6.7 and 6.8): a container of one entry.
final class TransferReader: ContainerReader {
    private enum State { case begin, reading, over, dead }

    private static let bufferBytes = 1024

    private let entry: ContainerEntry
    private var state = State.begin
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: TransferReader.bufferBytes, alignment: 8)
    private var filled = 0
    private var place: UInt64 = 0
    /// Base64: bits that are not whole bytes yet. Quoted-printable: the digit behind an equals sign.
    private var bits: UInt32 = 0
    private var count = 0
    /// Quoted-printable: what follows an equals sign.
    private var isEscape = false

    init(_ entry: ContainerEntry) { self.entry = entry }

    deinit { buffer.deallocate() }

    func step(_ input: inout UnsafeRawBufferPointer) -> ContainerStep {
        switch state {
        case .begin:
            state = .reading
            return begun()
        case .reading: return read(&input)
        case .over, .dead:
            _ = input.take(input.count)
            return .starved
        }
    }

    func finish() -> ContainerStep {
        switch state {
        case .begin:
            state = .reading
            return begun()
        case .reading, .over:
            state = .dead
            return .end
        case .dead: return .starved
        }
    }

    private func begun() -> ContainerStep {
        let name =
            switch entry.transfer {
            case .base64: "base64"
            case .quotedPrintable: "quoted-printable"
            case .identity, .unknown: "unknown"
            }
        return .begin(ContainerEntry(label: name, boundary: entry.boundary))
    }

    private func read(_ input: inout UnsafeRawBufferPointer) -> ContainerStep {
        while !input.isEmpty {
            let used = Int(place % UInt64(Stage.sliceBytes))
            let mark = place - UInt64(used)
            let slice = input.take(min(input.count, Stage.sliceBytes - used))
            place += UInt64(slice.count)
            filled = 0
            switch entry.transfer {
            case .base64: for byte in slice { readBase64(byte) }
            case .quotedPrintable: for byte in slice { readQuoted(byte) }
            // Nobody knows how to undo it, so it is read as it is.
            case .identity, .unknown: return .bytes(slice, at: place - UInt64(slice.count), plain: true)
            }
            if filled > 0 { return .bytes(UnsafeRawBufferPointer(rebasing: buffer[..<filled]), at: mark, plain: false) }
        }
        return .starved
    }

    /// A slice never gives more bytes than it has, and one escape that was held back.
    private func put(_ byte: UInt8) {
        buffer[filled] = byte
        filled += 1
    }

    /// What is none of the alphabet is left out, as the RFC asks for; padding ends a group.
    private func readBase64(_ byte: UInt8) {
        let digit: UInt8
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): digit = 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): digit = 63
        case UInt8(ascii: "="):
            (bits, count) = (0, 0)
            return
        default: return
        }
        bits = bits << 6 | UInt32(digit)
        count += 6
        if count >= 8 {
            count -= 8
            put(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
    }

    private func readQuoted(_ byte: UInt8) {
        guard isEscape else {
            if byte == UInt8(ascii: "=") { (isEscape, count) = (true, 0) } else { put(byte) }
            return
        }
        if let digit = Percent.nibble(byte) {
            bits = count == 0 ? UInt32(digit) : bits << 4 | UInt32(digit)
            count += 1
            if count == 2 {
                isEscape = false
                put(UInt8(truncatingIfNeeded: bits))
            }
        } else if byte == 0x0a {
            // The line goes on in the next one.
            isEscape = false
        } else if byte != 0x0d && byte != 0x20 && byte != 0x09 {
            isEscape = false
            put(byte)
        }
    }
}
