import Bytes
import CLinux
import OS

/// One thread, one epoll: calls handlers when their descriptors are ready, their deadlines pass, or another thread posts.
///
/// A turn is: wait, dispatch what is ready, look at the timer wheel, run what asked for another turn, run what other
/// threads posted, then `turnEnded`. A handler that was removed is never called again, even for an event that was already
/// fetched: epoll's data carries the generation of the slot, and the slot has moved on.
public final class EventLoop {
    private struct Slot {
        var handler: Handler?
        var generation: UInt32
    }

    private let epoll: Epoll
    private let events: UnsafeMutableBufferPointer<epoll_event>
    private var slots: ContiguousArray<Slot> = []
    private var vacant: ContiguousArray<Int> = []
    private var wheel: TimerWheel
    private var resumers: ContiguousArray<Token> = []
    private var resuming: ContiguousArray<Token> = []
    private var due: ContiguousArray<Token> = []
    private var lulled: ContiguousArray<Token> = []
    private var lullFrom = Ticks.never
    private let mailbox: Mailbox
    private var gathers = false
    private var running = true

    /// The time at the start of this turn.
    public private(set) var now: Ticks

    /// Called at the end of each turn, for what is done once per turn (records are handed over).
    public var turnEnded: () -> Void = {}
    /// How long a turn may sleep at most, in milliseconds.
    public var longestSleep: Int64 = 60_000

    public convenience init() throws(Errno) { try self.init(mailbox: Mailbox()) }

    public init(mailbox: Mailbox) throws(Errno) {
        epoll = try Epoll()
        events = .allocate(capacity: 256)
        self.mailbox = mailbox
        now = Clock.now()
        wheel = TimerWheel(now: now)
        try epoll.add(mailbox.descriptor, data: Token.none.raw, edgeTriggered: false)
    }

    deinit { events.deallocate() }

    /// For other threads: runs a closure on this loop.
    public var poster: Poster { Poster(mailbox) }

    // MARK: Handlers

    /// Gives a handler a slot, and registers its descriptor if it has one. The descriptor must stay open until `remove`.
    ///
    /// - Parameters:
    ///   - edgeTriggered: false to be told for as long as something can be read: for datagrams each of which is read by a
    ///     call of its own.
    ///   - writes: false never to be told that it can be written, which each datagram that leaves would say; so it is
    ///     without edges.
    public func add(
        _ handler: Handler, descriptor: Int32?, edgeTriggered: Bool = true, writes: Bool = true
    ) throws(Errno) {
        precondition(handler.token == .none, "a handler has one slot")
        let slot: Int
        if let last = vacant.popLast() {
            slot = last
        } else {
            slot = slots.count
            slots.append(Slot(handler: nil, generation: 0))
        }
        let token = Token(slot: slot, generation: slots[slot].generation)
        if let descriptor {
            do throws(Errno) {
                try epoll.add(descriptor, data: token.raw, edgeTriggered: edgeTriggered, writes: writes)
            } catch {
                vacant.append(slot)
                throw error
            }
        }
        slots[slot].handler = handler
        handler.token = token
    }

    /// Ends a handler: no call reaches it any more. Its descriptor leaves the epoll when it is closed.
    public func remove(_ handler: Handler) {
        let token = handler.token
        guard token != .none else { return }
        precondition(slots[token.slot].generation == token.generation, "removed by another token")
        slots[token.slot].handler = nil
        slots[token.slot].generation &+= 1
        vacant.append(token.slot)
        handler.token = .none
        handler.deadline = .never
        handler.awaitsTurn = false
        handler.awaitsLull = false
    }

    /// The handler that a token names, if it still lives.
    public func handler(_ token: Token) -> Handler? {
        guard token != .none, token.slot < slots.count, slots[token.slot].generation == token.generation else {
            return nil
        }
        return slots[token.slot].handler
    }

    /// Calls `visit` with every handler; it may remove any of them.
    public func forEachHandler(_ visit: (Handler) -> Void) {
        for handler in slots.compactMap(\.handler) where handler.token != .none { visit(handler) }
    }

    /// Asks for `expired()` at `deadline`, in place of any earlier wish. Moving a deadline later costs a store.
    public func setDeadline(_ handler: Handler, _ deadline: Ticks) {
        handler.deadline = deadline
        if deadline < .never { wheel.arm(handler) }
    }

    /// Asks for `resumed()` in the next turn: how a busy connection lets others go first.
    public func again(_ handler: Handler) {
        // Once a turn: a busy connection asks at every event.
        guard !handler.awaitsTurn else { return }
        handler.awaitsTurn = true
        resumers.append(handler.token)
    }

    /// Asks for `resumed()` in one to two milliseconds: for what has told the kernel not to call for every few bytes, and will
    /// not leave the last of them waiting.
    public func afterLull(_ handler: Handler) {
        guard !handler.awaitsLull else { return }
        handler.awaitsLull = true
        if lulled.isEmpty { lullFrom = now }
        lulled.append(handler.token)
    }

    /// Lets events gather for a moment before the next turn, as network cards do: where many small ones come, a call then takes
    /// several. Every handler of the loop waits so long, so it is for those that have much to do or whose peers are far away.
    public func gather() { gathers = true }

    /// With what the kernel adds to be lazy (PR_SET_TIMERSLACK, prctl(2)) some 60 µs.
    private static let moment = 10

    // MARK: Turning

    public func stop() { running = false }

    public func run() {
        while running { turn() }
    }

    /// One turn.
    public func turn() {
        if gathers {
            gathers = false
            if resumers.isEmpty { Clock.sleep(microseconds: EventLoop.moment) }
        }
        let longest = lulled.isEmpty ? longestSleep : 1
        let timeout = resumers.isEmpty ? min(wheel.sleep(from: now), longest) : 0
        let count = epoll.wait(events, timeout: Int32(clamping: timeout))
        now = Clock.now()
        var posted = false
        for index in 0..<count {
            let event = events[index]
            let token = Token(raw: event.data.u64)
            if token == .none {
                posted = true
            } else if let handler = handler(token) {
                handler.ready(Readiness(rawValue: event.events))
            }
        }
        expire()
        if !lulled.isEmpty, now.milliseconds - lullFrom.milliseconds > 1 { endLull() }
        if !resumers.isEmpty {
            swap(&resumers, &resuming)
            for token in resuming {
                guard let handler = handler(token) else { continue }
                handler.awaitsTurn = false
                handler.resumed()
            }
            resuming.removeAll(keepingCapacity: true)
        }
        if posted { mailbox.deliver(on: self) }
        turnEnded()
    }

    private func endLull() {
        for token in lulled {
            guard let handler = handler(token) else { continue }
            handler.awaitsLull = false
            again(handler)
        }
        lulled.removeAll(keepingCapacity: true)
    }

    private func expire() {
        while let tick = wheel.take(dueBy: now, into: &due) {
            for token in due {
                // An entry that its handler no longer waits for is stale.
                guard let handler = handler(token), handler.armed == tick else { continue }
                handler.armed = .max
                if handler.deadline <= now {
                    handler.deadline = .never
                    handler.expired()
                } else if handler.deadline < .never {
                    wheel.arm(handler)
                }
            }
            due.removeAll(keepingCapacity: true)
        }
    }
}
