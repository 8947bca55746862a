import Bytes

/// What a reader of a container answers. Entries do not overlap: bytes are of the entry that began last and has not ended.
///
/// ```
///   begin ─▶ bytes … ─▶ end ─▶ begin …        failed may come anywhere; what follows it is read as far as it can be
/// ```
enum ContainerStep {
    /// Nothing more comes out of what was given.
    case starved
    case begin(ContainerEntry)
    /// Content, until the next step. It begins at this offset of the container, and lies there as it is; or, where it is not
    /// `plain`, came out of what follows the offset. No origin depends on how the container was cut.
    case bytes(UnsafeRawBufferPointer, at: UInt64, plain: Bool)
    case end
    case failed(Uninspectable)
}

/// A file, part or field of a container.
struct ContainerEntry: Equatable, Sendable {
    /// Printable and bounded: `zip:word/document.xml`.
    var label: String
    /// What its bytes still have to be decoded from.
    var transfer = TransferEncoding.identity
    /// Set where its content is another multipart body.
    var boundary: [UInt8] = []
}

/// How the body of a part was made fit for mail (RFC 2045 section 6).
enum TransferEncoding: Equatable, Sendable {
    case identity, base64, quotedPrintable
    /// Not a name that anybody knows.
    case unknown
}

/// Takes a container apart as it streams past; never holds more of it than a record's head.
protocol ContainerReader: AnyObject {
    /// Looks at some of the front of `input` and takes it away; to be called until it starves, which is with nothing left.
    func step(_ input: inout UnsafeRawBufferPointer) -> ContainerStep
    /// The container ends here: to be called until it starves.
    func finish() -> ContainerStep
}

/// A reader that goes on state by state.
protocol SteppingReader: ContainerReader {
    /// Offset in the container of the first byte that is still to be looked at when a state is.
    var place: UInt64 { get set }
    /// Nil where there is more to do with what there is.
    func advance(_ input: inout UnsafeRawBufferPointer) -> ContainerStep?
}

extension SteppingReader {
    func step(_ input: inout UnsafeRawBufferPointer) -> ContainerStep {
        while true {
            let before = input.count
            let step = advance(&input)
            place += UInt64(before - input.count)
            if let step { return step }
        }
    }
}

/// What all containers of one body may give together, however they are nested.
final class ContainerBudget {
    /// The largest source trees have a tenth of it; a million empty files of a zip need 30 MB.
    static let entriesMax = 1_000_000

    private let limits: Limits
    private let entriesMax: Int
    private var entries = 0
    private var produced = 0
    private var producedMax = Decoder.ratioFloor

    init(_ limits: Limits, entriesMax: Int = ContainerBudget.entriesMax) {
        (self.limits, self.entriesMax) = (limits, entriesMax)
    }

    /// So much of the body has come, rounded up to slices, so that no bound depends on how it was cut.
    func note(raw count: UInt64) {
        let slices = (Int(clamping: count) + Stage.sliceBytes - 1) / Stage.sliceBytes
        let most = limits.decodedRatio.multipliedClamping(by: slices * Stage.sliceBytes)
        producedMax = min(limits.decodedBytes, max(Decoder.ratioFloor, most))
    }

    /// Containers and codings within each other.
    var depthMax: Int { limits.decodeDepth }

    /// Bytes that may still be decompressed.
    var room: Int { max(producedMax - produced, 0) }

    func took(_ count: Int) { produced += count }

    /// False where there are too many entries.
    func enter() -> Bool {
        entries += 1
        return entries <= entriesMax
    }
}
