/// Undoes the filters of one stream of a PDF, outermost first (ISO 32000-1 section 7.4).
final class PDFFilters {
    private enum Stage {
        case flate(Inflater)
        case text(TextFilter)

        func pull(_ input: inout UnsafeRawBufferPointer) -> Inflater.Pulled {
            switch self {
            // Slices are made before.
            case .flate(let inflater): inflater.pull(&input, at: 0)
            case .text(let filter): filter.pull(&input)
            }
        }
    }

    private let stages: [Stage]
    private let hasEnd: Bool
    /// What each stage was given and has not read yet.
    private var inputs: [UnsafeRawBufferPointer]

    /// Nil where there is a filter that cannot be undone, or too many.
    init?(_ filters: [PDFDictionary.Filter], _ budget: ContainerBudget) {
        guard !filters.isEmpty, filters.count <= budget.depthMax else { return nil }
        var stages: [Stage] = []
        for filter in filters {
            switch filter {
            case .flate: stages.append(.flate(Inflater(.zlib, budget)))
            case .hexadecimal, .ascii85: stages.append(.text(TextFilter(isHexadecimal: filter == .hexadecimal)))
            case .image, .unknown: return nil
            }
        }
        self.stages = stages
        hasEnd = filters.contains(.flate)
        inputs = Array(repeating: UnsafeRawBufferPointer(start: nil, count: 0), count: stages.count)
    }

    /// Bytes of the stream, once those given before have been read; they must stay until it starves.
    func give(_ bytes: UnsafeRawBufferPointer) {
        inputs[0] = bytes
        isUnderWay = isUnderWay || hasEnd
    }

    func pull() -> Inflater.Pulled { pull(stages.count - 1) }

    /// Something was given that says itself where it ends, so that an end that did not come is missing.
    private(set) var isUnderWay = false

    private func pull(_ index: Int) -> Inflater.Pulled {
        while true {
            let pulled = stages[index].pull(&inputs[index])
            guard case .starved = pulled, index > 0 else { return pulled }
            switch pull(index - 1) {
            case .bytes(let run): inputs[index] = run
            case .failed(let outcome): return .failed(outcome)
            case .starved, .ended: return .starved
            }
        }
    }
}

/// Undoes ASCIIHexDecode and ASCII85Decode.
private final class TextFilter {
    private static let bufferBytes = 1024

    private let isHexadecimal: Bool
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: TextFilter.bufferBytes, alignment: 8)
    private var filled = 0
    private var digits = 0
    private var value: UInt32 = 0
    private var isOver = false

    init(isHexadecimal: Bool) { self.isHexadecimal = isHexadecimal }

    deinit { buffer.deallocate() }

    func pull(_ input: inout UnsafeRawBufferPointer) -> Inflater.Pulled {
        filled = 0
        // A digit gives no more than four bytes.
        while !isOver, filled + 4 <= buffer.count, let byte = input.take(min(1, input.count)).first {
            if isHexadecimal { readHexadecimal(byte) } else { read85(byte) }
        }
        if filled > 0 { return .bytes(UnsafeRawBufferPointer(rebasing: buffer[..<filled])) }
        return isOver ? .ended : .starved
    }

    private func put(_ byte: UInt8) {
        buffer[filled] = byte
        filled += 1
    }

    private func readHexadecimal(_ byte: UInt8) {
        if byte == UInt8(ascii: ">") {
            if digits == 1 { put(UInt8(truncatingIfNeeded: value << 4)) }
            isOver = true
        } else if let digit = Percent.nibble(byte) {
            value = value << 4 | UInt32(digit)
            digits = (digits + 1) % 2
            if digits == 0 { put(UInt8(truncatingIfNeeded: value)) }
        }
    }

    private func read85(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "z") where digits == 0:
            for _ in 0..<4 { put(0) }
        case UInt8(ascii: "!")...UInt8(ascii: "u"):
            value = value &* 85 &+ UInt32(byte - 0x21)
            digits += 1
            if digits == 5 { flush() }
        case UInt8(ascii: "~"):
            // What is missing of the last group counts as its highest digit.
            let given = digits
            while digits > 0, digits < 5 {
                value = value &* 85 &+ 84
                digits += 1
            }
            flush(given == 0 ? 0 : given - 1)
            isOver = true
        default: break
        }
    }

    private func flush(_ count: Int = 4) {
        for index in 0..<count { put(UInt8(truncatingIfNeeded: value >> UInt32(24 - index * 8))) }
        (value, digits) = (0, 0)
    }
}
