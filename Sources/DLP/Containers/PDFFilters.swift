/// Undoes the filters of one stream of a PDF, outermost first (ISO 32000-1 section 7.4).
final class PDFFilters {
    private let stages: [any PDFStage]
    private let hasEnd: Bool
    /// What each stage was given and has not read yet.
    private var inputs: [UnsafeRawBufferPointer]

    /// Nil where there is a filter that cannot be undone, or too many.
    init?(_ filters: [PDFDictionary.Filter], _ parameters: [PDFParameters], _ budget: ContainerBudget) {
        guard !filters.isEmpty, filters.count <= budget.depthMax else { return nil }
        var stages: [any PDFStage] = []
        for (index, filter) in filters.enumerated() {
            let parameters = parameters.indices.contains(index) ? parameters[index] : PDFParameters()
            switch filter {
            case .flate: stages.append(Inflater(.zlib, budget))
            case .lzw: stages.append(PDFByteStage(PDFLZW(isEarly: parameters.isEarly, budget)))
            case .runs: stages.append(PDFByteStage(PDFRuns(budget)))
            case .hexadecimal: stages.append(PDFByteStage(PDFHexadecimal()))
            case .ascii85: stages.append(PDFByteStage(PDFASCII85()))
            case .image, .unknown: return nil
            }
            guard filter == .flate || filter == .lzw, parameters.predicts else { continue }
            guard let predictor = PDFPredictor(parameters) else { return nil }
            stages.append(PDFByteStage(predictor))
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
            case .ended where !stages[index].hasEnd: return .ended
            case .starved, .ended: return .starved
            }
        }
    }
}

/// One filter being undone.
protocol PDFStage: AnyObject {
    /// Says itself where it ends; else it does so with what is around it.
    var hasEnd: Bool { get }
    func pull(_ input: inout UnsafeRawBufferPointer) -> Inflater.Pulled
}

extension Inflater: PDFStage {
    var hasEnd: Bool { true }

    // Slices are made before.
    func pull(_ input: inout UnsafeRawBufferPointer) -> Pulled { pull(&input, at: 0) }
}

/// What undoes a filter byte by byte.
protocol PDFByteDecoder {
    /// One byte gives no more than this.
    static var bytesMax: Int { get }
    static var hasEnd: Bool { get }
    /// Puts what comes out; tells how it ends, if it does.
    mutating func read(_ byte: UInt8, _ put: (UInt8) -> Void) -> Inflater.Pulled?
}

extension PDFByteDecoder {
    static var hasEnd: Bool { true }
}

final class PDFByteStage<Decoder: PDFByteDecoder>: PDFStage {
    private var decoder: Decoder
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(1024, 2 * Decoder.bytesMax), alignment: 8)
    private var last: Inflater.Pulled?

    var hasEnd: Bool { Decoder.hasEnd }

    init(_ decoder: Decoder) { self.decoder = decoder }

    deinit { buffer.deallocate() }

    func pull(_ input: inout UnsafeRawBufferPointer) -> Inflater.Pulled {
        var (filled, used) = (0, 0)
        while last == nil, used < input.count, filled + Decoder.bytesMax <= buffer.count {
            last = decoder.read(input[used]) {
                buffer[filled] = $0
                filled += 1
            }
            used += 1
        }
        _ = input.take(used)
        if filled > 0 { return .bytes(UnsafeRawBufferPointer(rebasing: buffer[..<filled])) }
        return last ?? .starved
    }
}
