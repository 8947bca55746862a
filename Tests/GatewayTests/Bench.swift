import Bytes
import Config
import Glibc
import Testing

@testable import DNS
@testable import Gateway
@testable import Loop
@testable import OS
@testable import Policy
@testable import Record

/// A worker with what surrounds it, all on this thread: what happens between two turns of the loop is for the test to say.
final class Bench {
    let worker: Worker
    let hub: Hub
    /// Where the listener of the configuration is.
    let door: Endpoint
    let origin: Socket
    let originPort: UInt16
    /// Called in each turn: the other parties that are on this thread too.
    var party: () -> Void = {}
    private let directory: String
    private let learned: LearnedRules
    private var generation: UInt64 = 1

    static let loopback = IPAddress(v4: 0x7f00_0001)

    /// - Parameters:
    ///   - address: of the listener, in place of loopback.
    ///   - knowsItself: whether a connection to the listener counts as one that comes straight back.
    ///   - configuration: is told the listener's address; what it does not say of state and records is added.
    init(at address: IPAddress = loopback, knowsItself: Bool = true, _ configuration: (Endpoint) -> String) throws {
        var template = Array("/tmp/weir-session-XXXXXX\0".utf8).map { CChar(bitPattern: $0) }
        directory = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
        mkdir("\(directory)/records", 0o755)
        door = Endpoint(address, try Bench.freePort())
        origin = try Socket.listen(Endpoint(Bench.loopback, 0), .init())
        originPort = try origin.localEndpoint()?.port ?? 0
        learned = LearnedRules()
        let snapshot = try Bench.snapshot(configuration(door), in: directory, learned, generation: 1)
        let settings = snapshot.settings
        hub = Hub(
            writer: try RecordWriter.open(RecordWriter.Settings(settings.records)), learned: learned, mark: nil,
            systemResolvers: [], hostsFile: Hosts(), suffixes: PublicSuffixes(builtInWith: []), limits: settings.limits,
            log: Log(settings.log), ownAddresses: [], listeners: knowsItself ? [door] : [])
        worker = try Worker.make(hub: hub, snapshot: snapshot, mailbox: Mailbox())
    }

    deinit {
        // What is still open refers to each other until it is closed.
        worker.end()
        for name in ["records/sessions.jsonl", "records/events.jsonl", "records", "weir.yaml"] {
            remove("\(directory)/\(name)")
        }
        remove(directory)
    }

    private static func snapshot(
        _ configuration: String, in directory: String, _ learned: LearnedRules, generation: UInt64
    ) throws -> Snapshot {
        let path = "\(directory)/weir.yaml"
        if let file = fopen(path, "w") {
            fputs(configuration + "\nstate: {directory: state}\nrecords: {directory: records}\n", file)
            fclose(file)
        }
        return try Snapshot.build(
            try Settings.load(path).get(), generation: generation, learned: learned, ownAddresses: [],
            fingerprintKey: [UInt8](repeating: 1, count: 32)
        ).get()
    }

    private static func freePort() throws -> UInt16 {
        let probe = try Socket.listen(Endpoint(loopback, 0), .init())
        return try probe.localEndpoint()?.port ?? 0
    }

    func reload(_ configuration: String) throws {
        generation += 1
        worker.adopt(try Bench.snapshot(configuration, in: directory, learned, generation: generation))
    }

    func turns(_ count: Int = 8) {
        for _ in 0..<count {
            // The worker sets it for its own needs.
            worker.loop.longestSleep = 2
            worker.loop.turn()
            party()
        }
    }

    /// Turns until something has come about; false if it does not.
    func turns(until isDone: () -> Bool) -> Bool {
        for _ in 0..<2500 {
            if isDone() { return true }
            turns(1)
        }
        return isDone()
    }

    func connect() throws -> End {
        let client = End(try Socket(.stream, for: door.address))
        _ = try client.socket.connect(door)
        turns(2)
        return client
    }

    /// The next connection to the origin.
    func accepted() throws -> End? {
        for _ in 0..<50 {
            turns(1)
            if let accepted = try origin.accept() { return End(accepted.socket) }
        }
        return nil
    }

    /// What a socket has been sent within some turns, until it has `count` bytes.
    func read(_ end: End, count: Int = .max, turns most: Int = 40) -> String {
        var text = [UInt8]()
        for _ in 0..<most where text.count < count {
            turns(1)
            text += end.received()
        }
        return String(decoding: text, as: UTF8.self)
    }

    // MARK: Records

    /// Slots whose records are to come.
    var slots: Int { worker.recorder.reserved }

    /// Has records take all the room that there is, or gives it back.
    func crowd(_ isCrowded: Bool) {
        let budget = hub.writer.budget
        if isCrowded {
            budget.force(budget.bound)
            // What the loop has is given back as soon as others wait.
            if worker.recorder.reserve() { worker.recorder.release() }
        } else {
            budget.give(budget.bound)
            hub.writer.resumeIfPossible()
            worker.recordsResumed()
        }
    }

    /// The lines that have been written.
    var sessions: [String] { lines("sessions") }
    var events: [String] { lines("events") }

    private func lines(_ name: String) -> [String] {
        worker.recorder.flush()
        #expect(hub.writer.drain(timeout: .seconds(10)))
        guard let file = fopen("\(directory)/records/\(name).jsonl", "r") else { return [] }
        defer { fclose(file) }
        var (text, room) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
        while case let count = fread(&room, 1, room.count, file), count > 0 { text += room[..<count] }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

/// A socket that the test holds; gone with it.
final class End {
    let socket: Socket

    init(_ socket: consuming Socket) { self.socket = socket }

    func send(_ bytes: some Collection<UInt8>) -> Bool {
        let bytes = Array(bytes)
        if bytes.isEmpty { return Glibc.send(socket.number, "", 0, 0) == 0 }
        return (try? bytes.withUnsafeBytes { try socket.send($0) }) == .moved(bytes.count)
    }

    /// All that waits in the socket.
    func received() -> [UInt8] {
        var (bytes, room) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
        while case .moved(let count)? = try? room.withUnsafeMutableBytes({ try socket.receive(into: $0) }), count > 0 {
            bytes += room[..<count]
        }
        return bytes
    }

    /// The next datagram.
    func datagram() -> [UInt8]? {
        var room = [UInt8](repeating: 0, count: 1 << 16)
        guard case .moved(let count)? = try? room.withUnsafeMutableBytes({ try socket.receive(into: $0) }) else {
            return nil
        }
        return Array(room[..<count])
    }
}
