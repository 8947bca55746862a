import Bytes

/// Who stands at the other end of a conduit; every call comes on the loop.
open class ConduitKeeper {
    public init() {}
    /// All that was put has been read.
    open func conduitRead(_ conduit: Conduit) {}
    /// Something was written, or the writer has ended: to be fetched later in the turn.
    open func conduitWritten(_ conduit: Conduit) {}
    /// The transport is gone: nothing more is read or written.
    open func conduitClosed(_ conduit: Conduit) {}
}

/// A stream of bytes within the gateway: what a transport reads from and writes to where it has no connection of its own, but
/// is one of many on an HTTP/2 connection.
public final class Conduit {
    /// Kept until the transport is gone.
    private var keeper: ConduitKeeper?
    /// For the transport's reader, and for the keeper.
    fileprivate(set) var inbound = Buffer()
    public private(set) var inboundEnded = false
    public private(set) var isBroken = false
    public var outbound = Buffer()
    public fileprivate(set) var outboundEnded = false
    /// The writer wants its end to be taken for a cut.
    public fileprivate(set) var isReset = false
    /// Of what the keeper fetched, what has not gone yet.
    public var queuedBeyond = 0
    private var isTold = false

    /// Written and not gone: beyond this the writer must pause.
    public static let backlogMost = 64 * 1024

    public init() {}

    /// Who is told of what the transport does.
    public func keep(by keeper: ConduitKeeper) { self.keeper = keeper }

    // MARK: The keeper's side

    /// For the reader; it is told by `ready` of its handler.
    public func put(_ bytes: UnsafeRawBufferPointer) { inbound.append(bytes) }
    /// The room to write what is for the reader.
    public func put(_ body: (inout Buffer) -> Void) { body(&inbound) }
    public func end() { inboundEnded = true }
    public func breakOff() { isBroken = true }

    public var isFull: Bool { outbound.count + queuedBeyond >= Conduit.backlogMost }

    // MARK: The transport's side

    var hasNews: Bool { !inbound.isEmpty || isBroken || inboundEnded && !isTold }

    enum News { case bytes(Int), end, broken, none }

    func take(into room: UnsafeMutableRawBufferPointer) -> News {
        if isBroken { return .broken }
        if !inbound.isEmpty {
            let count = min(room.count, inbound.count)
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: inbound.readable[..<count]))
            inbound.consume(count)
            if inbound.isEmpty {
                inbound.release()
                keeper?.conduitRead(self)
            }
            return .bytes(count)
        }
        guard inboundEnded else { return .none }
        isTold = true
        return .end
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        outbound.append(bytes)
        keeper?.conduitWritten(self)
    }

    func finish() {
        guard !outboundEnded else { return }
        outboundEnded = true
        keeper?.conduitWritten(self)
    }

    func close(reset: Bool) {
        isReset = isReset || reset
        outboundEnded = true
        keeper?.conduitClosed(self)
        keeper = nil
    }
}
