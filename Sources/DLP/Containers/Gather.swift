import Glibc

/// The bytes of one record, joined across reads.
struct Gather {
    private(set) var bytes: [UInt8] = []

    var count: Int { bytes.count }
    var isEmpty: Bool { bytes.isEmpty }

    /// Takes from the front of `input` until there are `count` bytes; true once there are.
    mutating func fill(_ count: Int, from input: inout UnsafeRawBufferPointer) -> Bool {
        let taken = min(max(count - bytes.count, 0), input.count)
        bytes.append(contentsOf: input[..<taken])
        input = UnsafeRawBufferPointer(rebasing: input[taken...])
        return bytes.count >= count
    }

    /// Takes the next `left` bytes of `input`, of which as many are kept as there is room for.
    mutating func fill(_ left: inout Int, keeping most: Int, from input: inout UnsafeRawBufferPointer) -> Bool {
        let taken = min(left, input.count)
        bytes.append(contentsOf: input[..<min(taken, max(most - bytes.count, 0))])
        input = UnsafeRawBufferPointer(rebasing: input[taken...])
        left -= taken
        return left == 0
    }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
    mutating func removeFirst(_ count: Int) { bytes.removeFirst(count) }

    func u16(_ at: Int) -> Int { Int(truncatingIfNeeded: number(at, 2)) }
    func u32(_ at: Int) -> UInt64 { number(at, 4) }
    func u64(_ at: Int) -> UInt64 { number(at, 8) }

    /// Little endian; bytes that are not there are zero.
    private func number(_ at: Int, _ size: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in (at..<at + size).reversed() {
            value = value << 8 | UInt64(bytes.indices.contains(index) ? bytes[index] : 0)
        }
        return value
    }
}

extension UnsafeRawBufferPointer {
    /// Takes the front away.
    mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        let front = UnsafeRawBufferPointer(rebasing: self[..<count])
        self = UnsafeRawBufferPointer(rebasing: self[count...])
        return front
    }

    /// Bytes before the first such byte; all where there is none.
    func length(before byte: UInt8) -> Int {
        guard let base = baseAddress, let found = memchr(base, Int32(byte), count) else { return count }
        return UnsafeRawPointer(found) - base
    }
}
