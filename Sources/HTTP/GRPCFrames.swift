import Bytes

/// Takes the messages of a gRPC body out of their prefixes, where they lie: a flag, and the length in four bytes.
///
///     prefix ──5 bytes──▶ message ──▶ end ──▶ prefix …
///        └──▶ refused
public struct GRPCFrames: Sendable {
    public enum Step: Equatable, Sendable {
        /// All that was fed is used up.
        case needMore(consumed: Int)
        /// A prefix is whole; `consumed` bytes are the last of it.
        case prefix(isCompressed: Bool, length: UInt32, consumed: Int)
        /// Part of a message or all of one.
        case data(Range<Int>)
        /// The message has ended.
        case end
        /// No message begins like this.
        case violation
    }

    private enum State: UInt8 { case prefix, message, end, refused }

    private let allowsTrailers: Bool
    private var state = State.prefix
    private var prefix: InlineArray<5, UInt8> = .init(repeating: 0)
    private var prefixCount = 0
    private var remaining: UInt32 = 0

    private static let compressed: UInt8 = 1
    /// Of gRPC-Web: the trailers, as a message.
    private static let trailers: UInt8 = 0x80

    public init(_ kind: GRPCKind) { allowsTrailers = kind == .web }

    /// Nothing of a message is left open: a body may end here.
    public var isAtStart: Bool { state == .prefix && prefixCount == 0 }

    /// Feeds the bytes of the body that were not consumed yet.
    public mutating func step(_ bytes: UnsafeRawBufferPointer) -> Step {
        switch state {
        case .prefix: return takePrefix(bytes)
        case .message:
            if bytes.isEmpty { return .needMore(consumed: 0) }
            let count = min(Int(remaining), bytes.count)
            remaining -= UInt32(count)
            if remaining == 0 { state = .end }
            return .data(0..<count)
        case .end:
            state = .prefix
            return .end
        case .refused: return .violation
        }
    }

    private mutating func takePrefix(_ bytes: UnsafeRawBufferPointer) -> Step {
        var used = 0
        while used < bytes.count {
            prefix[prefixCount] = bytes[used]
            prefixCount += 1
            used += 1
            let flag = allowsTrailers ? prefix[0] & ~GRPCFrames.trailers : prefix[0]
            if flag > GRPCFrames.compressed {
                state = .refused
                return .violation
            }
            guard prefixCount == 5 else { continue }
            prefixCount = 0
            remaining = 0
            for at in 1..<5 { remaining = remaining << 8 | UInt32(prefix[at]) }
            state = remaining > 0 ? .message : .end
            return .prefix(isCompressed: flag == GRPCFrames.compressed, length: remaining, consumed: used)
        }
        return .needMore(consumed: used)
    }
}

/// What a head says of a body of gRPC.
public struct GRPCCall: Sendable {
    public let kind: GRPCKind
    /// The value of grpc-encoding: how messages are compressed that say that they are.
    public let encoding: Range<Int>?

    /// Nil where the content is something else.
    public init?(_ fields: ContiguousArray<Field>, _ bytes: UnsafeRawBufferPointer) {
        guard let kind = GRPCKind(fields, bytes) else { return nil }
        self.kind = kind
        encoding = fields.first { $0.id == .other && Octet.matches(bytes, $0.name, "grpc-encoding") }?.value
    }
}

/// What a content type of the family of gRPC says of its body.
public enum GRPCKind: Sendable {
    case native
    /// gRPC-Web: the trailers come as a last message.
    case web
    /// gRPC-Web in base64.
    case webText

    /// The first Content-Type of a head; nil where it is another.
    public init?(_ fields: ContiguousArray<Field>, _ bytes: UnsafeRawBufferPointer) {
        guard let field = fields.first(where: { $0.id == .contentType }) else { return nil }
        let end = field.value.first { bytes[$0] == UInt8(ascii: ";") } ?? field.value.upperBound
        let type = Octet.trimmed(bytes, field.value.lowerBound..<end)
        // What stands behind the plus is the format of the messages.
        let name = type.lowerBound..<(type.first { bytes[$0] == UInt8(ascii: "+") } ?? type.upperBound)
        if Octet.matches(bytes, name, "application/grpc") {
            self = .native
        } else if Octet.matches(bytes, name, "application/grpc-web") {
            self = .web
        } else if Octet.matches(bytes, name, "application/grpc-web-text") {
            self = .webText
        } else {
            return nil
        }
    }
}
