import Glibc

/// Text in UTF-16 or UTF-32 of either order, known by its shape: every other byte NUL, or three of four. What is not of
/// the first 256 characters ends a run.
struct WideText: RunMachine {
    static let label = "utf-16"
    static func joins(_ byte: UInt8) -> Bool { false }

    /// First characters of what may be a run, from `from` on.
    private var gathered: [UInt8] = []
    private var from: UInt64 = 0
    private(set) var isInside = false
    /// NULs behind the last character, and between any two.
    private var zeros = 0
    private var gap = 0

    /// No run is shorter.
    private static let charactersMin = 8

    var isIdle: Bool { !isInside && zeros == 0 && gathered.count <= 1 }

    var openFrom: UInt64? {
        guard !isInside, let first = gathered.first else { return nil }
        // What stands alone could be of any text; only what a secret may begin with is worth keeping back.
        let isAlone = gathered.count == 1 && zeros == 0
        return isAlone && !Self.isWordByte(first) ? nil : from
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte & 0xdf)
    }

    /// Whether no run is in what is new from `from` on, and none may be up to `end`, which is behind it. `has`: there are NULs.
    func isIdle(_ bytes: UnsafeRawBufferPointer, _ from: Int, _ end: Int, has: Bool) -> Bool {
        if !isIdle || !has { return isIdle }
        var stop = end
        let signs = ViewSigns(of: bytes, from, &stop, upTo: [])
        return !signs.contains(.wide) && !bytes[max(from, end - 4 * Self.charactersMin)..<end].contains(0)
    }

    /// Goes on there; the first of the bytes is at `offset` of the text.
    mutating func pass(_ bytes: UnsafeRawBufferPointer, _ end: Int, offset: UInt64) {
        (gathered, from) = ([bytes[end - 1]], offset + UInt64(end - 1))
    }

    mutating func step(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int, offset: UInt64, ended: Bool, into decoded: inout Decoded
    ) -> RunStep {
        if !gathered.isEmpty, isInside { emitGathered(&decoded) }
        while at < bytes.count {
            if !isInside, zeros == 0, gathered.count < 2, !findZero(bytes, &at, offset) { break }
            let byte = bytes[at]
            if byte == 0 {
                if zeros == 3 || gap != 0 && zeros == gap {
                    if leave() { return .ends }
                } else if isInside || !gathered.isEmpty {
                    zeros += 1
                }
                at += 1
            } else if continues {
                (gap, zeros) = (zeros, 0)
                at += 1
                if isInside {
                    emit(byte, at: offset + UInt64(at - 1), &decoded)
                } else {
                    gathered.append(byte)
                    if gathered.count == Self.charactersMin {
                        isInside = true
                        return .begins(from)
                    }
                }
            } else {
                if leave() { return .ends }
                (gathered, from) = ([byte], offset + UInt64(at))
                at += 1
            }
        }
        if ended, leave() { return .ends }
        return .starved
    }

    /// Goes to the next NUL, with what stands before it; false where there is none.
    private mutating func findZero(_ bytes: UnsafeRawBufferPointer, _ at: inout Int, _ offset: UInt64) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        let place = memchr(base + at, 0, bytes.count - at).map { UnsafeRawPointer($0) - base } ?? bytes.count
        if place > at { (gathered, from) = ([bytes[place - 1]], offset + UInt64(place - 1)) }
        at = place
        return place < bytes.count
    }

    private var continues: Bool {
        (zeros == 1 || zeros == 3) && (gap == 0 || gap == zeros) && (isInside || !gathered.isEmpty)
    }

    /// What was gathered is forgotten; true where it was a run.
    private mutating func leave() -> Bool {
        defer { isInside = false }
        gathered.removeAll(keepingCapacity: true)
        (zeros, gap) = (0, 0)
        return isInside
    }

    private mutating func emitGathered(_ decoded: inout Decoded) {
        let characters = gathered
        gathered.removeAll(keepingCapacity: true)
        for (index, character) in characters.enumerated() {
            emit(character, at: from + UInt64(index * (gap + 1)), &decoded)
        }
    }

    /// As UTF-8.
    private func emit(_ character: UInt8, at offset: UInt64, _ decoded: inout Decoded) {
        let pace = OffsetMap.Pace(raw: UInt64(gap + 1), decoded: 1)
        if decoded.count == 0 { decoded.mark(offset, pace) }
        if character < 0x80 { return decoded.bytes.append(character) }
        decoded.mark(offset, .none)
        decoded.bytes.append(0xc0 | character >> 6)
        decoded.bytes.append(0x80 | character & 0x3f)
        decoded.mark(offset + pace.raw, pace)
    }
}
