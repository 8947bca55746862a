import Bytes

/// Names a socket that the caller opens when told, and closes when told. A slot is used again, never with the same generation.
public struct Channel: Hashable, Sendable {
    /// Small and dense: an index into the caller's own table.
    public let slot: Int
    public let generation: UInt32
}

/// A socket to a server, seen from the questions that travel on it.
struct Line {
    var generation: UInt32 = 0
    var isOpen = false
    var server = 0
    var isStream = false
    /// Which of the server's places it has; datagrams only.
    var place = 0
    /// Takes no more questions; closed when those on it are over.
    var isRetired = false
    /// Questions it has carried, and how many it shall.
    var uses = 0
    var usesMost = 0
    /// The ids of questions that wait for their answer on it, with their places. Few on a port; those on a stream are answered
    /// about in order, and so found near the front.
    var waiting: ContiguousArray<(id: UInt16, place: Int)> = []
    /// Datagrams that answered nothing while something waited.
    var strays = 0
    /// Whole messages that came.
    var messages = 0
    var lastUsed = Ticks(milliseconds: 0)
    var lastHeard = Ticks(milliseconds: 0)
    /// The beginning of a message whose end has not come; streams only.
    var input = ContiguousArray<UInt8>()

    /// Whoever found a port by trial can use it for that many questions at most. The cost of a socket is spread over as many.
    static let usesMost = 256...511
    /// A forger who found a port may try that many ids on it: one chance in 2048 for each port, before letters are guessed.
    static let straysMost = 32
    static let streamStraysMost = 1024
    /// On one stream at once; ids stay hard to guess and quick to find.
    static let streamOutstandingMost = 16_384
    /// An unused socket is closed, so that what is open is worth guessing no longer than needed (RFC 7766 section 6.2.3 for TCP).
    static let idleMost = Milliseconds.seconds(20)

    var outstanding: Int { waiting.count }

    func place(of id: UInt16) -> Int? {
        for index in waiting.indices where waiting[index].id == id { return waiting[index].place }
        return nil
    }

    mutating func forget(_ id: UInt16) {
        if let index = waiting.firstIndex(where: { $0.id == id }) { waiting.remove(at: index) }
    }

    var takesQuestions: Bool {
        isOpen && !isRetired && (isStream ? outstanding < Line.streamOutstandingMost : uses < usesMost)
    }

    mutating func begin(server: Int, place: Int, isStream: Bool, now: Ticks) {
        precondition(!isOpen, "a line is begun twice")
        let generation = generation
        self = Line()
        (self.generation, self.server, self.place, self.isStream) = (generation, server, place, isStream)
        (isOpen, lastUsed) = (true, now)
    }

    mutating func end() {
        isOpen = false
        generation &+= 1
        input = []
    }
}
