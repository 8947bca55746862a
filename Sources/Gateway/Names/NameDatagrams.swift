import Bytes
import Config
import Loop
import OS

/// The datagrams of a `dns` listener on one loop: as many questions in a call as there are, and their answers in another.
final class NameDatagrams: NameDoor {
    private let socket: Socket
    /// Sockets to answer from, for ports that are not the listener's own: under TPROXY the port that clients asked.
    private var senders: [Door: Sender] = [:]
    private var questions = DatagramBatch(each: questionBytes)
    private var answers = DatagramBatch(each: answerBytes)
    /// What the answers in the batch leave by.
    private var leaving: Door
    private let own: Door
    private var isTaking = false
    private var isDraining = false

    /// A question is below 600 bytes; what is cut here is malformed.
    private static let questionBytes = 2048
    private static let answerBytes = Int(NameServer.payloadSize)
    /// In one go before others have their turn.
    private static let batchesPerTurn = 8
    private static let sendersMost = 64
    /// Where so many came at once, more are on their way.
    private static let gathersFrom = 4

    /// A port of one family.
    private struct Door: Hashable {
        var port: UInt16
        var isV4: Bool
    }

    private final class Sender {
        let socket: Socket
        init(_ socket: consuming Socket) { self.socket = socket }
    }

    init(_ context: ListenerContext, worker: Worker, at address: Endpoint) throws(Errno) {
        socket = try Socket.datagrams(address, transparent: context.intercept == .tproxy)
        own = Door(port: address.port, isV4: address.address.isV4)
        leaving = own
        super.init(context, worker)
        // Where it can be known before it is needed: that another server has the port is said at the start.
        if context.intercept == .tproxy { _ = try sender(Door(port: 53, isV4: own.isV4)) }
    }

    func open() throws(Errno) { try worker.loop.add(self, descriptor: socket.number, writes: false) }

    override func drain() {
        isDraining = true
        flush()
    }

    // MARK: Questions

    override func ready(_ events: Readiness) { take() }

    override func resumed() {
        flush()
        take()
    }

    private func take() {
        guard let names = worker.names, !isDraining else { return }
        isTaking = true
        defer { isTaking = false }
        for _ in 0..<NameDatagrams.batchesPerTurn {
            // Waits for `recordsResumed`: no question is taken without a slot for its record.
            let slots = worker.recorder.reserve(upTo: DatagramBatch.most)
            if slots == 0 { return }
            // What went wrong with an answer (an unreachable client, say) is told here, and is nothing to us.
            let count = (try? questions.receive(from: socket, most: slots)) ?? slots
            let taken = min(count, questions.count)
            worker.recorder.release(slots - taken)
            names.arrive()
            for index in 0..<taken {
                var asked = questions.local(index)
                if asked.port == 0 { asked.port = own.port }
                names.take(questions[index], from: questions.peer(index), to: asked, through: self)
            }
            flush()
            if count < slots {
                if count >= NameDatagrams.gathersFrom { worker.loop.gather() }
                return
            }
        }
        worker.loop.again(self)
    }

    // MARK: Answers

    override func answer(_ bytes: UnsafeRawBufferPointer, to client: Endpoint, from asked: Endpoint) {
        let door = Door(port: asked.port, isV4: client.address.isV4)
        if door != leaving || answers.isFull {
            flush()
            leaving = door
        }
        // Those of a turn leave together.
        if answers.count == 0, !isTaking { worker.loop.again(self) }
        answers.append(bytes, to: client, from: asked)
    }

    private func flush() {
        guard answers.count > 0 else { return }
        if leaving == own {
            answers.send(on: socket)
        } else if let sender = try? sender(leaving) {
            answers.send(on: sender.socket)
        } else {
            answers.removeAll()
        }
    }

    private func sender(_ door: Door) throws(Errno) -> Sender? {
        if door == own { return nil }
        if let known = senders[door] { return known }
        guard senders.count < NameDatagrams.sendersMost else { return nil }
        let made = Sender(try Socket.answering(port: door.port, isV4: door.isV4))
        senders[door] = made
        return made
    }
}
