import CCodecs

/// Inflates the entries of a container, one after the other, within the budget of the body.
final class Inflater {
    enum Format: Int32 {
        /// RFC 1951, without head and tail.
        case bare = -15
        /// RFC 1950.
        case zlib = 15
    }

    enum Pulled {
        /// Until the next pull.
        case bytes(UnsafeRawBufferPointer)
        case starved
        /// What is left of the input is not of this stream.
        case ended
        case failed(Uninspectable)
    }

    private static let bufferBytes = 16 * 1024

    private let budget: ContainerBudget
    private let stream: UnsafeMutablePointer<z_stream>
    private let buffer: UnsafeMutableRawBufferPointer
    /// How it ended, told once all that came out before has been.
    private var last: Pulled?
    /// The last call filled its output and may have more.
    private var more = false
    /// Where the slice begins out of which the last bytes came: slices never cross a multiple of their size, so that it
    /// does not depend on the cut.
    private(set) var mark: UInt64 = 0

    init(_ format: Format, _ budget: ContainerBudget) {
        self.budget = budget
        buffer = .allocate(byteCount: Self.bufferBytes, alignment: 16)
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, format.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            preconditionFailure("out of memory")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        buffer.deallocate()
    }

    /// Another stream begins.
    func reset() {
        inflateReset(stream)
        (last, more) = (nil, false)
    }

    /// Looks at no more than `left` bytes of `input`, the first of which is at offset `place`.
    func pull(_ input: inout UnsafeRawBufferPointer, left: UInt64 = .max, at place: UInt64) -> Pulled {
        var (left, place) = (left, place)
        while last == nil {
            var slice = more ? UnsafeRawBufferPointer(start: nil, count: 0) : self.slice(input, left, at: place)
            if slice.isEmpty && !more { return .starved }
            let given = slice.count
            let count = run(&slice)
            let used = input.take(given - slice.count).count
            (left, place) = (left - UInt64(used), place + UInt64(used))
            if count > 0 { return .bytes(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        }
        return last ?? .starved
    }

    private func slice(_ input: UnsafeRawBufferPointer, _ left: UInt64, at place: UInt64) -> UnsafeRawBufferPointer {
        let before = Int(place % UInt64(Stage.sliceBytes))
        mark = place - UInt64(before)
        return UnsafeRawBufferPointer(rebasing: input.prefix(min(Stage.sliceBytes - before, Int(clamping: left))))
    }

    private func run(_ input: inout UnsafeRawBufferPointer) -> Int {
        let room = min(buffer.count, budget.room)
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        // With no room left a byte shows whether there is more.
        stream.pointee.next_out = buffer.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(max(room, 1))
        let result = inflate(stream, Z_NO_FLUSH)
        let count = max(room, 1) - Int(stream.pointee.avail_out)
        more = stream.pointee.avail_out == 0
        _ = input.take(input.count - Int(stream.pointee.avail_in))
        if room == 0, count > 0 {
            last = .failed(.decompressionBomb)
            return 0
        }
        budget.took(count)
        switch result {
        case Z_OK, Z_BUF_ERROR: if !input.isEmpty, !more { last = .failed(.undecodable) }
        case Z_STREAM_END: last = .ended
        default: last = .failed(.undecodable)
        }
        return count
    }
}
