import Bytes
import CCodecs
import Glibc

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
    private let stream: UnsafeMutablePointer<z_stream>
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
        let bits: Int32
        switch coding {
        case .deflate: bits = -15
        case .whole(.gzip): bits = 15 + 16
        case .whole(.deflate): bits = 15
        case .none, .whole(.unsupported): return nil
        }
        self.coding = coding
        self.limits = limits
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            preconditionFailure("out of memory")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// A message begins. False where what came before has made it unreadable.
    func begin() -> Bool {
        if coding != .deflate(resets: false) {
            inflateReset(stream)
            failure = nil
        }
        (messageTaken, messageProduced, between, more) = (0, 0, false, false)
        return failure == nil
    }

    /// Room of a slice that begins here.
    var sliceRoom: Int { Stage.sliceBytes - Int(taken % UInt64(Stage.sliceBytes)) }
    var isAligned: Bool { taken % UInt64(Stage.sliceBytes) == 0 }

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

    /// Goes on behind the end of a body: with another member (RFC 1952 section 2.2), or a block after the last one.
    private func resume() -> Bool {
        switch coding {
        // Section 7.2.3.4: the sender may end its blocks and go on, with what it has said to refer to.
        case .deflate: inflateResetKeep(stream)
        case .whole(.gzip) where input.first == 0x1f: inflateReset(stream)
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
        let (result, left): (Int32, Int) = withUnsafeMutablePointer(to: &probe) { probe in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            stream.pointee.next_out = room > 0 ? output.bindMemory(to: UInt8.self).baseAddress : probe
            stream.pointee.avail_out = UInt32(max(room, 1))
            return (CCodecs.inflate(stream, Z_NO_FLUSH), Int(stream.pointee.avail_out))
        }
        input = UnsafeRawBufferPointer(rebasing: input[(input.count - Int(stream.pointee.avail_in))...])
        let count = max(room, 1) - left
        if room <= 0, count > 0 { return .decompressionBomb }
        filled += count
        produced += count
        messageProduced += count
        more = left == 0
        switch result {
        case Z_OK, Z_BUF_ERROR: return nil
        case Z_STREAM_END:
            more = false
            between = true
            return nil
        default: return .undecodable
        }
    }
}
