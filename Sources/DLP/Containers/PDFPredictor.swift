/// What a filter is told besides (ISO 32000-1 table 8).
struct PDFParameters: Equatable {
    var predictor = 1
    var colors = 1
    var bits = 8
    var columns = 1
    var isEarly = true
    /// In another object, where they are not looked up.
    var isElsewhere = false

    var predicts: Bool { predictor != 1 || isElsewhere }

    mutating func set(_ key: [UInt8], _ value: Int) {
        switch String(decoding: key, as: UTF8.self) {
        case "/Predictor": predictor = value
        case "/Colors": colors = value
        case "/BitsPerComponent": bits = value
        case "/Columns": columns = value
        case "/EarlyChange": isEarly = value != 0
        default: break
        }
    }
}

/// Undoes what was done to rows of samples before they were packed (section 7.4.4.4): bytes, or samples, are told by what
/// they differ in from those beside and above them.
struct PDFPredictor: PDFByteDecoder {
    static let bytesMax = 2
    static let hasEnd = false
    /// Rows of real files have some hundred bytes at the most where there is text in them.
    private static let rowBytesMax = 1 << 16

    private let isPNG: Bool
    /// Bytes from a sample to that beside it.
    private let step: Int
    private let bits: Int
    private let colors: Int
    private let rowBytes: Int
    /// What a byte of this row was told by: the first byte of a row of PNG, which has not come where this is nil.
    private var type: UInt8?
    private var row: [UInt8]
    private var above: [UInt8]
    private var at = 0
    /// Of samples that are no whole bytes, those of one pixel before.
    private var samples: [UInt8]

    init?(_ parameters: PDFParameters) {
        guard !parameters.isElsewhere, parameters.predictor == 2 || (10...15).contains(parameters.predictor),
            (1...32).contains(parameters.colors), [1, 2, 4, 8, 16].contains(parameters.bits), parameters.columns > 0
        else { return nil }
        isPNG = parameters.predictor != 2
        (bits, colors) = (parameters.bits, parameters.colors)
        let rowBits = (bits * colors).multipliedClamping(by: parameters.columns)
        rowBytes = rowBits / 8 + (rowBits % 8 > 0 ? 1 : 0)
        guard rowBytes <= Self.rowBytesMax else { return nil }
        step = (bits * colors + 7) / 8
        row = [UInt8](repeating: 0, count: rowBytes)
        above = row
        samples = [UInt8](repeating: 0, count: colors)
        if !isPNG { type = 0 }
    }

    mutating func read(_ byte: UInt8, _ put: (UInt8) -> Void) -> Inflater.Pulled? {
        guard let type else {
            if byte > 4 { return .failed(.undecodable) }
            self.type = byte
            return nil
        }
        if !isPNG, bits == 16 {
            read16(byte, put)
            return nil
        }
        row[at] = isPNG ? undone(byte, type) : added(byte)
        put(row[at])
        at += 1
        if at == rowBytes { endRow() }
        return nil
    }

    private mutating func endRow() {
        swap(&row, &above)
        at = 0
        if isPNG { type = nil } else { for color in 0..<colors { samples[color] = 0 } }
    }

    /// PNG (ISO 15948 section 9.2): none, left, above, the mean of both, or what Paeth says.
    private func undone(_ byte: UInt8, _ type: UInt8) -> UInt8 {
        let left = at >= step ? row[at - step] : 0
        switch type {
        case 0: return byte
        case 1: return byte &+ left
        case 2: return byte &+ above[at]
        case 3: return byte &+ UInt8((Int(left) + Int(above[at])) / 2)
        default: return byte &+ Self.paeth(Int(left), Int(above[at]), at >= step ? Int(above[at - step]) : 0)
        }
    }

    private static func paeth(_ left: Int, _ above: Int, _ corner: Int) -> UInt8 {
        let (a, b, c) = (abs(above - corner), abs(left - corner), abs(left + above - 2 * corner))
        return UInt8(a <= b && a <= c ? left : b <= c ? above : corner)
    }

    /// TIFF (6.0, section 14): each sample by that of the same colour to the left.
    private mutating func added(_ byte: UInt8) -> UInt8 {
        bits == 8 ? byte &+ (at >= step ? row[at - step] : 0) : addedBits(byte)
    }

    /// A high byte waits for what the low one carries.
    private mutating func read16(_ byte: UInt8, _ put: (UInt8) -> Void) {
        row[at] = byte
        at += 1
        guard at % 2 == 0 else { return }
        let sum = sample(at - 2) &+ (at - 2 >= step ? sample(at - 2 - step) : 0)
        (row[at - 2], row[at - 1]) = (UInt8(sum >> 8), UInt8(sum & 0xff))
        put(row[at - 2])
        put(row[at - 1])
        if at == rowBytes { endRow() }
    }

    private func sample(_ at: Int) -> UInt16 { UInt16(row[at]) << 8 | UInt16(row[at + 1]) }

    private mutating func addedBits(_ byte: UInt8) -> UInt8 {
        let perByte = 8 / bits
        let mask = UInt8(1 << bits - 1)
        var sum: UInt8 = 0
        for index in 0..<perByte {
            let color = (at * perByte + index) % colors
            let shift = UInt8(8 - bits * (index + 1))
            samples[color] = (samples[color] &+ byte >> shift) & mask
            sum |= samples[color] << shift
        }
        return sum
    }
}
