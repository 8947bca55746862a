import Bytes

/// How the messages of a framed protocol are compressed that say that they are.
public enum MessageCoding: Sendable, Equatable {
    /// Nothing was agreed on: a message cannot be compressed.
    case none
    /// permessage-deflate (RFC 7692); `resets`: each message for itself.
    case deflate(resets: Bool)
    /// Each message a whole body of that coding, as in gRPC.
    case whole(ContentCoding)

    var label: String {
        switch self {
        case .none: "unknown"
        case .deflate: "deflate"
        case .whole(let coding): coding.label
        }
    }
}

/// Inflates the messages of one direction, a slice at a time, within the bounds of `limits`.
///
/// A slice never crosses a multiple of `Stage.sliceBytes` of what was given so far, so that what is known per slice does
/// not depend on how the wire was cut.
final class MessageInflater {
    enum Pulled: Equatable {
        case bytes(Int)
        case starved
        case failed(Uninspectable)
    }

    private let coding: MessageCoding
    private let limits: Limits
    private let codec: Codec
    /// Of all messages.
    private(set) var taken: UInt64 = 0
    private var produced = 0
    /// Of this message.
    private var messageTaken: UInt64 = 0
    private var messageProduced = 0
    /// A whole body has come to its end, and another may follow.
    private var between = false
    /// Nothing more can be read of this message; nor of the next, if it refers to this one.
    private var failure: Uninspectable?
    private var input = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The last call filled its output and may have more.
    private var more = false

    /// What permessage-deflate takes away from the end of a message (RFC 7692 section 7.2.2).
    private static let tail: [UInt8] = [0, 0, 0xff, 0xff]

    /// Nil for a coding that nobody here can undo.
    init?(_ coding: MessageCoding, limits: Limits) {
        let format: Codec.Format
        switch coding {
        case .deflate: format = .bareDeflate
        case .whole(.gzip): format = .gzip
        case .whole(.deflate): format = .zlib
        case .whole(.br): format = .brotli
        case .whole(.zstd): format = .zstd
        case .none, .whole(.unsupported): return nil
        }
        self.coding = coding
        self.limits = limits
        codec = Codec(format)
    }

    /// A message begins. False where what came before has made it unreadable.
    func begin() -> Bool {
        if coding != .deflate(resets: false) {
            codec.restart()
            failure = nil
        }
        (messageTaken, messageProduced, between, more) = (0, 0, false, false)
        return failure == nil
    }

    /// Room of a slice that begins here.
    var sliceRoom: Int { Stage.sliceBytes - Int(taken % UInt64(Stage.sliceBytes)) }
    var isAligned: Bool { taken % UInt64(Stage.sliceBytes) == 0 }

    /// As of `Stage`.
    var withholds: Bool { coding == .whole(.zstd) && messageTaken > 0 && !between }

    /// One slice of the message; it must stay until the last pull.
    func give(_ slice: UnsafeRawBufferPointer) {
        input = slice
        taken += UInt64(slice.count)
        messageTaken += UInt64(slice.count)
    }

    /// Puts back what the sender took away from the end of the message.
    func giveTail(_ body: () -> Void) {
        guard case .deflate = coding else { return }
        MessageInflater.tail.withUnsafeBytes {
            input = $0
            body()
        }
    }

    /// The message has come to its end where it should.
    var isWhole: Bool {
        if case .deflate = coding { return true }
        return between || messageTaken == 0
    }

    func pull(into output: UnsafeMutableRawBufferPointer) -> Pulled {
        var filled = 0
        while failure == nil, filled < output.count, more || !input.isEmpty {
            if between, !resume() {
                failure = .undecodable
            } else {
                failure = run(UnsafeMutableRawBufferPointer(rebasing: output[filled...]), &filled)
            }
        }
        // What came before a failure is read before it is told.
        if filled > 0 { return .bytes(filled) }
        return failure.map(Pulled.failed) ?? .starved
    }

    /// Goes on behind the end of a body: with another member or frame of it, or a block after the last one.
    private func resume() -> Bool {
        switch coding {
        // Section 7.2.3.4: the sender may end its blocks and go on, with what it has said to refer to.
        case .deflate: codec.resume()
        case .whole(let coding) where coding.continues(with: input.first): codec.restart()
        case .whole, .none: return false
        }
        between = false
        return true
    }

    /// What may have come out once the current slice is read. A function of the slice, not of the cut.
    private var room: Int {
        let slices = (Int(clamping: taken) + Stage.sliceBytes - 1) / Stage.sliceBytes
        let all = max(Decoder.ratioFloor, limits.decodedRatio.multipliedClamping(by: slices * Stage.sliceBytes))
        return min(all - produced, limits.decodedBytes - messageProduced)
    }

    private func run(_ output: UnsafeMutableRawBufferPointer, _ filled: inout Int) -> Uninspectable? {
        var probe: UInt8 = 0
        let room = min(output.count, room)
        let step =
            room > 0
            ? codec.step(input, into: UnsafeMutableRawBufferPointer(rebasing: output[..<room]))
            : withUnsafeMutableBytes(of: &probe) { codec.step(input, into: $0) }
        input = UnsafeRawBufferPointer(rebasing: input[step.used...])
        if room <= 0, step.filled > 0 { return .decompressionBomb }
        filled += step.filled
        produced += step.filled
        messageProduced += step.filled
        more = step.more
        if step.state == .ended { between = true }
        return step.state == .broken ? .undecodable : nil
    }
}
