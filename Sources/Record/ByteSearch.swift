import Glibc

// Where a byte stands, at the speed of the C library.

extension UnsafeRawBufferPointer {
    /// The first place of `byte` at or after `start`.
    func offset(of byte: UInt8, from start: Int) -> Int? {
        guard let base = baseAddress, start < count else { return nil }
        guard let found = memchr(base + start, Int32(byte), count - start) else { return nil }
        return UnsafeRawPointer(found) - base
    }

    /// One past the last line feed, or zero. Lines are short, so the way back is.
    var endOfLastLine: Int {
        var end = count
        while end > 0, self[end - 1] != UInt8(ascii: "\n") { end -= 1 }
        return end
    }
}
