import Glibc

/// A place in a text as editors count, from 1: columns are characters.
public struct TextPlace: Equatable, Sendable {
    public var line: Int
    public var column: Int
}

/// Tells offsets of a text as lines and columns. Reads the text once, up to the last offset asked for, if the offsets rise.
struct LineCounter {
    /// Everything before has been counted.
    private(set) var offset: UInt64 = 0
    private var line = 1
    /// Characters since the line began.
    private var characters = 0

    var place: TextPlace { TextPlace(line: line, column: characters + 1) }

    /// The bytes at `offset`.
    mutating func count(_ bytes: UnsafeRawBufferPointer) {
        offset += UInt64(bytes.count)
        var rest = bytes
        while let base = rest.baseAddress, let found = memchr(base, 0x0a, rest.count) {
            line += 1
            characters = 0
            rest = UnsafeRawBufferPointer(rebasing: rest[(base.distance(to: UnsafeRawPointer(found)) + 1)...])
        }
        // Of UTF-8 the bytes that begin a character.
        for byte in rest where byte & 0xc0 != 0x80 { characters += 1 }
    }
}

/// The lines of a file being scanned: read once more where that is possible, else as far back as is kept.
struct Lines {
    /// Everything before the oldest byte that is still at hand.
    private var base = LineCounter()
    private var probe = LineCounter()

    /// `bytes`: some of the text from an offset on; nothing where it is not at hand.
    mutating func place(
        of offset: UInt64, _ bytes: (UInt64) -> UnsafeRawBufferPointer
    ) -> TextPlace? {
        guard offset >= base.offset else { return nil }
        if offset < probe.offset || probe.offset < base.offset { probe = base }
        while probe.offset < offset {
            let piece = bytes(probe.offset)
            if piece.isEmpty { return nil }
            probe.count(UnsafeRawBufferPointer(rebasing: piece.prefix(Int(clamping: offset - probe.offset))))
        }
        return probe.place
    }

    /// These bytes will not be at hand any more.
    mutating func forget(_ bytes: UnsafeRawBufferPointer) { base.count(bytes) }
}
