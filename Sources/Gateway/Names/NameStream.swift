import Bytes
import Loop
import OS
import Upstream

/// A client's connection to a `dns` listener: questions each behind its length, answered as the answers come (RFC 7766).
final class NameStream: NameDoor {
    private let client: Endpoint
    private let asked: Endpoint
    private var transport: Transport
    /// What came and is no whole question yet. Owns no memory while empty.
    private var input = Buffer()
    private var outbox = Buffer()
    /// Questions taken and not answered.
    private var outstanding = 0
    private var clientEnded = false
    private var isLast = false
    private var lastMove: Ticks
    /// When the question that has begun to come must be whole.
    private var wholeBy = Ticks.never

    /// Questions of one connection under way at once; then it is not read (RFC 7766 section 6.2.1.1 asks for some).
    private static let outstandingMost = 128
    private static let readsPerTurn = 16

    init(
        _ socket: consuming Socket, from client: Endpoint, to asked: Endpoint, context: ListenerContext, worker: Worker
    ) {
        transport = Transport(socket, connected: true)
        self.client = client
        self.asked = asked
        lastMove = worker.loop.now
        super.init(context, worker)
    }

    override var isStream: Bool { true }

    override func ready(_ events: Readiness) {
        transport.note(events)
        step()
    }

    /// Others have had their turn, records have room again, or the answers of a turn shall leave.
    override func resumed() { step() }

    override func expired() {
        let now = worker.loop.now
        let isSlow = wholeBy <= now
        let isIdle = outstanding == 0 && lastMove + worker.limits.idleTimeout <= now
        let isStuck = transport.isBacklogged && lastMove + worker.limits.writeTimeout <= now
        if isSlow || isIdle || isStuck { close() } else { keepTime() }
    }

    override func drain() {
        isLast = true
        step()
    }

    // MARK: Questions

    private func step() {
        guard token != .none else { return }
        do throws(Errno) {
            try send()
            for _ in 0..<NameStream.readsPerTurn where mayTake {
                guard try read() else { break }
            }
            if transport.readable, mayTake { worker.loop.again(self) }
        } catch {
            return close()
        }
        let isOver = isLast || clientEnded && !hasWhole || transport.isBroken
        if isOver, outstanding == 0 || transport.isBroken, outbox.isEmpty, !transport.isBacklogged { return close() }
        keepTime()
    }

    private var mayTake: Bool { outstanding < NameStream.outstandingMost && !transport.isBacklogged && !isLast }

    /// Takes the questions that have come, or reads what has; false where there is nothing to do.
    private func read() throws(Errno) -> Bool {
        if hasWhole { return takeQuestion() }
        guard transport.readable, !clientEnded else { return false }
        let room = worker.room
        switch try transport.read(into: room) {
        case .moved(let count):
            lastMove = worker.loop.now
            input.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
            return true
        case .wouldBlock: return false
        case .ended:
            clientEnded = true
            return false
        }
    }

    private var hasWhole: Bool { length.map { input.count >= 2 + $0 } ?? false }

    /// The length that the input begins with.
    private var length: Int? {
        let bytes = input.readable
        return bytes.count >= 2 ? Int(bytes[0]) << 8 | Int(bytes[1]) : nil
    }

    private func takeQuestion() -> Bool {
        guard let names = worker.names, let length else { return false }
        guard worker.recorder.reserve() else {
            worker.waitForSlot(token)
            return false
        }
        outstanding += 1
        names.arrive()
        names.take(
            UnsafeRawBufferPointer(rebasing: input.readable[2..<2 + length]), from: client, to: asked, through: self)
        // What it led to may have closed the connection.
        guard token != .none else { return false }
        input.consume(2 + length)
        if input.isEmpty { input.release() }
        return true
    }

    // MARK: Answers

    override func answer(_ bytes: UnsafeRawBufferPointer, to client: Endpoint, from asked: Endpoint) {
        outstanding -= 1
        outbox.append(UInt8(truncatingIfNeeded: bytes.count >> 8))
        outbox.append(UInt8(truncatingIfNeeded: bytes.count))
        outbox.append(bytes)
        worker.loop.again(self)
    }

    override func gaveUp() {
        outstanding -= 1
        worker.loop.again(self)
    }

    private func send() throws(Errno) {
        if !outbox.isEmpty {
            try transport.write(outbox.readable)
            outbox.removeAll()
            lastMove = worker.loop.now
        }
        if transport.isBacklogged, try transport.flush() { lastMove = worker.loop.now }
    }

    // MARK: Ending

    private func keepTime() {
        let limits = worker.limits
        let isPartial = !input.isEmpty && !hasWhole
        if !isPartial { wholeBy = .never } else if wholeBy == .never { wholeBy = worker.loop.now + limits.headTimeout }
        let patience = transport.isBacklogged ? limits.writeTimeout : limits.idleTimeout
        worker.loop.setDeadline(self, min(wholeBy, lastMove + patience))
    }

    func close() {
        guard token != .none else { return }
        worker.closed(self, from: client)
    }
}
