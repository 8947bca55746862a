import Glibc

/// A growable queue of bytes: written at the end, consumed at the front, contiguous in between.
///
/// Owns its memory and frees it when it goes; an empty buffer that was never written owns none. Pointers handed out
/// are valid until the next mutating call.
public struct Buffer: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer?
    @usableFromInline var readIndex = 0
    @usableFromInline var writeIndex = 0
    public private(set) var capacity: Int

    @inlinable public init() {
        self.init(capacity: 0)
    }

    public init(capacity: Int) {
        self.capacity = capacity
        base = capacity > 0 ? malloc(capacity) : nil
        precondition(capacity == 0 || base != nil, "out of memory")
    }

    deinit { free(base) }

    @inlinable public var count: Int { writeIndex - readIndex }
    @inlinable public var isEmpty: Bool { writeIndex == readIndex }

    /// What is in the buffer.
    @inlinable public var readable: UnsafeRawBufferPointer {
        guard let base else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: base + readIndex, count: writeIndex - readIndex)
    }

    /// What is in the buffer, to be overwritten in place.
    @inlinable public var mutableReadable: UnsafeMutableRawBufferPointer {
        guard let base else { return UnsafeMutableRawBufferPointer(start: nil, count: 0) }
        return UnsafeMutableRawBufferPointer(start: base + readIndex, count: writeIndex - readIndex)
    }

    /// Room for at least `count` bytes after the content; follow with `wrote`.
    @inlinable public mutating func writable(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if capacity - writeIndex < count || base == nil { makeRoom(count) }
        guard let base else { return UnsafeMutableRawBufferPointer(start: nil, count: 0) }
        return UnsafeMutableRawBufferPointer(start: base + writeIndex, count: capacity - writeIndex)
    }

    /// Declares the first `count` bytes of `writable` to be content.
    @inlinable public mutating func wrote(_ count: Int) {
        precondition(count >= 0 && count <= capacity - writeIndex, "wrote more than there was room for")
        writeIndex &+= count
    }

    /// Drops `count` bytes at the front.
    @inlinable public mutating func consume(_ count: Int) {
        precondition(count >= 0 && count <= writeIndex - readIndex, "consumed more than there was")
        readIndex &+= count
        if readIndex == writeIndex { (readIndex, writeIndex) = (0, 0) }
    }

    /// Drops `count` bytes at the end.
    @inlinable public mutating func dropLast(_ count: Int) {
        precondition(count >= 0 && count <= writeIndex - readIndex, "dropped more than there was")
        writeIndex &-= count
    }

    /// Empties the buffer and keeps its memory.
    @inlinable public mutating func removeAll() {
        (readIndex, writeIndex) = (0, 0)
    }

    /// Empties the buffer and gives its memory back.
    public mutating func release() {
        free(base)
        base = nil
        capacity = 0
        removeAll()
    }

    @inlinable public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        let room = writable(bytes.count)
        room.baseAddress?.copyMemory(from: start, byteCount: bytes.count)
        writeIndex &+= bytes.count
    }

    @inlinable public mutating func append(_ byte: UInt8) {
        let room = writable(1)
        room[0] = byte
        writeIndex &+= 1
    }

    @inlinable public mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// For what is said rarely: diagnostics, problem documents.
    public mutating func append(text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    @inlinable public mutating func append(decimal value: UInt64) {
        let room = writable(20)
        var value = value
        var digits = 1
        var bound: UInt64 = 10
        while value >= bound, digits < 20 {
            digits &+= 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        var at = digits
        repeat {
            at &-= 1
            room[at] = UInt8(truncatingIfNeeded: value % 10) &+ UInt8(ascii: "0")
            value /= 10
        } while at > 0
        writeIndex &+= digits
    }

    /// Lower case, without leading zeros.
    @inlinable public mutating func append(hexadecimal value: UInt64) {
        let digits = value == 0 ? 1 : (67 - value.leadingZeroBitCount) / 4
        let room = writable(16)
        for at in 0..<digits {
            let nibble = UInt8(truncatingIfNeeded: value >> UInt64(4 * (digits - 1 - at)) & 0xf)
            room[at] = nibble < 10 ? nibble + UInt8(ascii: "0") : nibble - 10 + UInt8(ascii: "a")
        }
        writeIndex &+= digits
    }

    @usableFromInline mutating func makeRoom(_ count: Int) {
        let held = writeIndex - readIndex
        if let base, capacity - held >= count, readIndex >= capacity / 2 {
            memmove(base, base + readIndex, held)
        } else {
            let grown = max(held + count, min(capacity * 2, capacity + (1 << 20)), 64)
            guard let fresh = malloc(grown) else { preconditionFailure("out of memory") }
            if let base { memcpy(fresh, base + readIndex, held) }
            free(base)
            base = fresh
            capacity = grown
        }
        (readIndex, writeIndex) = (0, held)
    }
}
