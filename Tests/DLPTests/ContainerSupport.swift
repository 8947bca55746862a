import Bytes
import Testing

@testable import DLP

/// What came out of a container, in order, runs of content joined.
struct Taken: Equatable, CustomStringConvertible {
    struct Entry: Equatable {
        var entry: ContainerEntry
        var content: [UInt8] = []
        /// Where each byte of the content came from.
        var origins: [UInt64] = []
        var ended = false
    }

    var entries: [Entry] = []
    /// Outcomes, with the number of entries that had begun.
    var outcomes: [String] = []

    var labels: [String] { entries.map(\.entry.label) }
    var texts: [String] { entries.map { String(decoding: $0.content, as: UTF8.self) } }

    var description: String { "\(zip(labels, texts).map { "\($0): \($1.prefix(200))" }) \(outcomes)" }

    mutating func add(_ step: ContainerStep, fed: Int) -> Bool {
        switch step {
        case .starved: return false
        case .begin(let entry):
            #expect(entries.last?.ended != false, "entries do not overlap")
            entries.append(Entry(entry: entry))
        case .bytes(let run, let at, let plain):
            #expect(entries.last?.ended == false, "content is of an entry")
            #expect(!run.isEmpty, "a step with nothing in it")
            #expect(at + (plain ? UInt64(run.count) : 0) <= fed, "it comes out of what was given")
            guard var last = entries.popLast() else { return false }
            last.content.append(contentsOf: run)
            last.origins.append(contentsOf: run.indices.map { plain ? at + UInt64($0) : at })
            entries.append(last)
        case .end:
            #expect(entries.last?.ended == false, "what ends has begun")
            entries[entries.count - 1].ended = true
        case .failed(let outcome): outcomes.append("\(outcome) \(entries.count)")
        }
        return true
    }

    /// Reads a whole container, cut at these places.
    init(_ reader: any ContainerReader, _ body: [UInt8], cuts: [Int] = [], budget: ContainerBudget? = nil) {
        var from = 0
        for cut in cuts + [body.count] where cut >= from && cut <= body.count {
            budget?.note(raw: UInt64(cut))
            body[from..<cut].withUnsafeBytes { piece in
                var rest = piece
                while add(reader.step(&rest), fed: cut) {}
                #expect(rest.isEmpty, "a reader starves with nothing left")
            }
            from = cut
        }
        while add(reader.finish(), fed: body.count) {}
        #expect(entries.last?.ended != false, "what began has ended")
    }
}

/// A container, what reads it, and what is expected to come out.
struct ContainerCase: CustomTestStringConvertible, Sendable {
    var name: String
    var body: [UInt8]
    var labels: [String]
    var texts: [String]
    var outcomes: [String] = []
    var limits = Limits()

    var testDescription: String { name }

    /// The same in every cut, in single bytes, and at random places.
    func check(_ make: (ContainerBudget) -> any ContainerReader) {
        func taken(_ cuts: [Int]) -> Taken {
            let budget = ContainerBudget(limits)
            return Taken(make(budget), body, cuts: cuts, budget: budget)
        }
        let whole = taken([])
        #expect(whole.labels == labels)
        #expect(whole.texts == texts)
        #expect(whole.outcomes == outcomes)
        for cut in 0...body.count {
            let cut = taken([cut])
            #expect(cut == whole)
            if cut != whole { return }
        }
        #expect(taken(Array(0...body.count)) == whole)
    }

    /// Whatever is done to the bytes, the reader comes to an end, and to the same one in any cut.
    func mutate(rounds: Int, seed: UInt64, _ make: (ContainerBudget) -> any ContainerReader) {
        var dice = Dice(seed)
        for _ in 0..<rounds {
            var mutant = self
            for _ in 0...dice.below(4) where !mutant.body.isEmpty {
                let at = dice.below(mutant.body.count)
                switch dice.below(5) {
                case 0: mutant.body[at] = UInt8(dice.below(256))
                case 1: mutant.body[at] ^= 1 << UInt8(dice.below(8))
                case 2: mutant.body.removeSubrange(at..<min(mutant.body.count, at + 1 + dice.below(40)))
                case 3: mutant.body.insert(contentsOf: mutant.body[at...].prefix(dice.below(60)), at: at)
                default: mutant.body.removeSubrange(at...)
                }
            }
            let cuts = dice.cuts(mutant.body.count, most: 12)
            let results = [[], cuts].map { cuts in
                let budget = ContainerBudget(limits)
                return Taken(make(budget), mutant.body, cuts: cuts, budget: budget)
            }
            #expect(results[0] == results[1], "\(mutant.body) cut at \(cuts)")
            if results[0] != results[1] { return }
        }
    }
}
