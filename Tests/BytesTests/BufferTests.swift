import Bytes
import Testing

/// The queue of bytes, held against an array doing the same.
@Suite struct BufferTests {
    private func text(_ buffer: borrowing Buffer) -> String { String(decoding: buffer.readable, as: UTF8.self) }

    @Test func anEmptyBufferOwnsNothing() {
        let buffer = Buffer()
        #expect(buffer.capacity == 0)
        #expect(buffer.isEmpty == true)
        #expect(buffer.readable.count == 0)
    }

    @Test func whatIsWrittenIsRead() {
        var buffer = Buffer()
        buffer.append("GET ")
        buffer.append(UInt8(ascii: "/"))
        buffer.append(text: " HTTP")
        #expect(text(buffer) == "GET / HTTP")
        buffer.consume(4)
        #expect(text(buffer) == "/ HTTP")
        buffer.dropLast(5)
        #expect(text(buffer) == "/")
        buffer.mutableReadable[0] = UInt8(ascii: "*")
        #expect(text(buffer) == "*")
        buffer.removeAll()
        #expect(buffer.isEmpty == true)
        #expect(buffer.capacity > 0)
        buffer.release()
        #expect(buffer.capacity == 0)
        buffer.append("again")
        #expect(text(buffer) == "again")
    }

    @Test func roomIsWhatWasAskedFor() {
        var buffer = Buffer()
        for count in [1, 63, 64, 65, 4096, 1 << 20] {
            #expect(buffer.writable(count).count >= count)
            buffer.wrote(count)
            buffer.consume(count)
        }
        #expect(buffer.writable(0).count >= 0)
    }

    /// Random appends and removals at both ends; the content is always that of the array.
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func behavesAsAnArray(_ seed: UInt64) {
        var random = Xorshift(state: seed)
        var buffer = Buffer()
        var expected: [UInt8] = []
        for _ in 0..<2000 {
            switch random.next() % 4 {
            case 0, 1:
                let bytes = (0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                bytes.withUnsafeBytes { buffer.append($0) }
                expected += bytes
            case 2:
                let count = Int(random.next() % UInt64(expected.count + 1))
                buffer.consume(count)
                expected.removeFirst(count)
            default:
                let count = Int(random.next() % UInt64(min(expected.count, 20) + 1))
                buffer.dropLast(count)
                expected.removeLast(count)
            }
            #expect(buffer.count == expected.count)
            #expect(buffer.readable.elementsEqual(expected))
        }
    }

    @Test(
        arguments: [
            0, 1, 9, 10, 99, 100, 65535, 999_999_999_999_999_999, 1_000_000_000_000_000_000, 9_999_999_999_999_999_999,
            10_000_000_000_000_000_000, .max,
        ] as [UInt64])
    func numbers(_ value: UInt64) {
        var buffer = Buffer()
        buffer.append(decimal: value)
        #expect(text(buffer) == "\(value)")
        buffer.removeAll()
        buffer.append(hexadecimal: value)
        #expect(text(buffer) == String(value, radix: 16))
    }

    @Test func everyHexadecimalWidth() {
        for shift in UInt64(0)..<64 {
            var buffer = Buffer()
            buffer.append(hexadecimal: 1 << shift)
            #expect(text(buffer) == String(UInt64(1) << shift, radix: 16))
        }
    }

    /// Consuming or declaring more than there is, is a mistake of ours and stops at once.
    @Test func overrunsTrap() async {
        await #expect(processExitsWith: .failure) {
            var buffer = Buffer()
            buffer.append("ab")
            buffer.consume(3)
        }
        await #expect(processExitsWith: .failure) {
            var buffer = Buffer(capacity: 8)
            buffer.wrote(9)
        }
        await #expect(processExitsWith: .failure) {
            var buffer = Buffer(capacity: 8)
            buffer.dropLast(1)
        }
    }
}

/// A small generator, so that a failure can be repeated from its seed.
private struct Xorshift: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
