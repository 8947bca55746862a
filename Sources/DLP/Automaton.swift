import CLinux

/// Reads on from a place at which patterns could begin, for all of them at once, and says which it finds: deterministic, made
/// from a `Program`, likely states first, until it is as large as it may be. What it does not decide it calls found, and PCRE2
/// judges.
///
/// Its first byte is the one before the place. A found pattern is not followed further; where no other end of it could have
/// come, its end is certain.
struct Automaton {
    private(set) var table: [UInt16] = []
    private(set) var shift = 0
    private(set) var firstFinding = 0
    /// Indices into `findings`, one more than there are states from `firstFinding` on.
    private(set) var found: [UInt32] = [0]
    private(set) var findings: [UInt32] = []
    private(set) var classes: [UInt8]
    /// Of each group of patterns the state to begin with.
    private(set) var roots: [UInt16] = []
    let none: Int
    let unknown: Int

    /// As many as `starts.c` reads from one place.
    static let bytesMax = 48

    /// `certain`: ends of matches may be told without PCRE2.
    init(_ groups: [[(pattern: Int, expression: Expression)]], certain: Bool) {
        var program = Program()
        var firsts: [[Int]] = []
        var exact: Set<Int> = []
        for group in groups {
            firsts.append([])
            for member in group {
                let (first, isExact) = program.add(member.expression, pattern: member.pattern)
                firsts[firsts.count - 1].append(first)
                if isExact && certain { exact.insert(member.pattern) }
            }
        }
        var builder = AutomatonBuilder(program, exact)
        classes = builder.classes
        (none, unknown) = (builder.classCount, builder.classCount + 1)
        let roots = firsts.map { builder.root($0) }
        builder.expand()
        number(builder, roots)
    }

    /// State 0 first, then those that find nothing, then the others; the likely ones lie together.
    private mutating func number(_ builder: AutomatonBuilder, _ roots: [Int]) {
        let states = builder.states
        while 1 << shift < builder.classCount + 2 { shift += 1 }
        let silent = builder.order.filter { states[$0].findings.isEmpty }
        let telling = builder.order.filter { !states[$0].findings.isEmpty }
        firstFinding = silent.count + 1
        var numbers = [UInt16](repeating: 0, count: states.count)
        for (number, state) in (silent + telling).enumerated() { numbers[state] = UInt16(number + 1) }
        table = [UInt16](repeating: 0, count: states.count << shift)
        for (state, targets) in builder.targets.enumerated() {
            let row = Int(numbers[state]) << shift
            for (index, target) in targets.enumerated() { table[row + index] = numbers[Int(target)] }
        }
        for state in telling {
            findings += states[state].findings
            found.append(UInt32(findings.count))
        }
        self.roots = roots.map { numbers[$0] }
    }
}

/// The states, numbered as they are found.
struct AutomatonBuilder {
    struct State: Hashable {
        /// Steps that wait for a byte, in order.
        var steps: [Int32]
        /// Of the byte before, where a step asks.
        var afterWord: Bool
        /// Found on the way here, as `WEIR_CERTAIN` and its like say.
        var findings: [UInt32]
        /// Takes the byte before the place.
        var isRoot: Bool
    }

    private let program: Program
    private let exact: Set<Int>
    private(set) var states: [State] = []
    /// By state: where each class leads, then no byte, then one that has not come. Empty: nowhere.
    private(set) var targets: [[Int32]] = []
    private var known: [State: Int32] = [:]
    /// How likely a state is reached in text, roughly.
    private var chances: [Double] = []
    /// Those that are to be expanded, each in the row of its chance: the likely ones come first.
    private var waiting = [[Int]](repeating: [], count: 64)
    /// All but state 0 as they came, once they are expanded.
    private(set) var order: [Int] = []
    private var isDone: [Bool] = []
    /// By class and set.
    private var contains: [[Bool]] = []
    private var classChances: [Double] = []
    private(set) var classes = [UInt8](repeating: 0, count: 256)
    private(set) var classCount = 0
    private var marks: [Int32]
    private var mark: Int32 = 0

    /// The table stays in the second cache.
    private static let statesMax = 8192
    /// Steps of all states: patterns by the ten thousand are told apart by their first bytes only.
    private static let stepsMax = 2_000_000
    /// One pattern alone in a state that is this rare is as well judged by PCRE2.
    private static let rare = 1e-6

    init(_ program: Program, _ exact: Set<Int>) {
        (self.program, self.exact) = (program, exact)
        marks = [Int32](repeating: 0, count: program.steps.count)
        divide()
        _ = state(State(steps: [], afterWord: false, findings: [], isRoot: false), chance: 0)
    }

    /// Bytes that no set tells apart are a class.
    private mutating func divide() {
        var known: [[Bool]: UInt8] = [:]
        for byte in UInt8.min...UInt8.max {
            let signature = program.sets.map { $0.contains(byte) }
            if known[signature] == nil {
                known[signature] = UInt8(contains.count)
                contains.append(signature)
                classChances.append(0)
            }
            let index = known[signature] ?? 0
            classes[Int(byte)] = index
            classChances[Int(index)] += Commonness.within(byte)
        }
        classCount = contains.count
    }

    mutating func root(_ firsts: [Int]) -> Int {
        Int(state(State(steps: firsts.map(Int32.init), afterWord: false, findings: [], isRoot: true), chance: 1))
    }

    private mutating func state(_ state: State, chance: Double) -> Int32 {
        if let index = known[state] {
            raise(Int(index), to: max(chances[Int(index)], chance))
            return index
        }
        let index = Int32(states.count)
        known[state] = index
        states.append(state)
        targets.append([])
        chances.append(chance)
        isDone.append(index == 0)
        waiting[row(chance)].append(Int(index))
        return index
    }

    private mutating func raise(_ index: Int, to chance: Double) {
        if row(chance) < row(chances[index]) { waiting[row(chance)].append(index) }
        chances[index] = chance
    }

    private func row(_ chance: Double) -> Int { chance > 0 ? min(max(-Int(chance.exponent), 0), 63) : 63 }

    // MARK: Expanding

    mutating func expand() {
        var work = 0
        while let row = waiting.firstIndex(where: { !$0.isEmpty }) {
            let at = waiting[row].removeLast()
            if isDone[at] { continue }
            isDone[at] = true
            order.append(at)
            let state = states[at]
            work += state.steps.count
            let isFull = states.count + classCount + 2 > Self.statesMax || work > Self.stepsMax
            if state.isRoot {
                expandRoot(at)
            } else if !state.steps.isEmpty {
                if isFull || chances[at] < Self.rare && isAlone(state) { giveUp(at) } else { expand(at) }
            }
        }
    }

    private func isAlone(_ state: State) -> Bool {
        let first = program.patterns[Int(state.steps[0])]
        return state.steps.allSatisfy { program.patterns[Int($0)] == first }
    }

    /// All that could be found from here is called found.
    private mutating func giveUp(_ index: Int) {
        states[index].findings += patterns(of: states[index]).map(UInt32.init)
    }

    private func patterns(of state: State) -> [Int] {
        var patterns: [Int] = []
        for step in state.steps { patterns.append(program.patterns[Int(step)]) }
        return Set(patterns).sorted()
    }

    private mutating func expandRoot(_ index: Int) {
        let firsts = states[index].steps
        var row: [Int32] = []
        for before in 0...classCount {
            mark += 1
            var steps: [Int32] = []
            for first in firsts { enter(Int(first), before: before, isRoot: true, &steps) }
            let isWord = before < classCount && contains[before][0]
            row.append(settled(steps, [], isWord, chance: 1))
        }
        // There always is a byte before, or none.
        row.append(0)
        targets[index] = row
    }

    private mutating func expand(_ index: Int) {
        let state = states[index]
        let relevant = sets(of: state)
        var known: [[Bool]: Int32] = [:]
        var row: [Int32] = []
        for next in 0..<classCount {
            let signature = relevant.map { contains[next][$0] }
            if let target = known[signature] {
                row.append(target)
                raise(Int(target), to: chances[Int(target)] + chances[index] * classChances[next])
                continue
            }
            let target = advance(state, next, chance: chances[index] * classChances[next])
            known[signature] = target
            row.append(target)
        }
        row.append(advance(state, nil, chance: 0))
        let open = patterns(of: state).map {
            UInt32($0) | UInt32(WEIR_OPEN) | (exact.contains($0) ? UInt32(WEIR_CERTAIN) : 0)
        }
        row.append(self.state(State(steps: [], afterWord: false, findings: open, isRoot: false), chance: 0))
        targets[index] = row
    }

    /// Those that the next byte is asked about, now or behind an assertion, and by a word boundary behind it.
    private mutating func sets(of state: State) -> [Int] {
        var sets: Set<Int> = [0]
        mark += 1
        var steps = state.steps
        var at = 0
        while at < steps.count {
            switch program.steps[Int(steps[at])] {
            case .byte(let set, _): sets.insert(set)
            case .wordBoundary(let next):
                enter(next, before: nil, isRoot: false, &steps)
            case .notBefore(let set, let next):
                sets.insert(set)
                enter(next, before: nil, isRoot: false, &steps)
            case .fork, .notAfter, .found: break
            }
            at += 1
        }
        return sets.sorted()
    }

    /// The steps that wait for a byte from `first` on, as far as they are not marked.
    private mutating func enter(_ first: Int, before: Int?, isRoot: Bool, _ steps: inout [Int32]) {
        var open = [first]
        while let index = open.popLast() {
            if marks[index] == mark { continue }
            marks[index] = mark
            switch program.steps[index] {
            case .fork(let branches): open += branches
            case .notAfter(let set, let next):
                if isRoot, let before, before < classCount, contains[before][set] { continue }
                open.append(next)
            case .byte, .wordBoundary, .notBefore, .found: steps.append(Int32(index))
            }
        }
    }

    /// `next`: the class of the next byte, or none where the value ends.
    private mutating func advance(_ state: State, _ next: Int?, chance: Double) -> Int32 {
        // Through the assertions about the next byte first, then over it.
        mark += 1
        for step in state.steps { marks[Int(step)] = mark }
        var here = state.steps
        var over: [Int] = []
        var ended: [Int] = []
        var at = 0
        let isWord = next.map { contains[$0][0] } ?? false
        while at < here.count {
            let index = Int(here[at])
            switch program.steps[index] {
            case .byte(let set, let target): if let next, contains[next][set] { over.append(target) }
            case .wordBoundary(let target):
                if isWord != state.afterWord { enter(target, before: nil, isRoot: false, &here) }
            case .notBefore(let set, let target):
                if next.map({ !contains[$0][set] }) ?? true { enter(target, before: nil, isRoot: false, &here) }
            case .found: ended.append(program.patterns[index])
            case .fork, .notAfter: break
            }
            at += 1
        }
        mark += 1
        var steps: [Int32] = []
        for target in over { enter(target, before: nil, isRoot: false, &steps) }
        return settled(steps, ended, isWord, chance: chance)
    }

    /// The state after a byte: what was found before it and with it is found, and not followed.
    private mutating func settled(_ steps: [Int32], _ before: [Int], _ isWord: Bool, chance: Double) -> Int32 {
        var ends: [Int: (before: Bool, behind: Bool)] = [:]
        for pattern in before { ends[pattern] = (true, false) }
        for step in steps {
            if case .found = program.steps[Int(step)] {
                ends[program.patterns[Int(step)], default: (false, false)].behind = true
            }
        }
        var rest: [Int32] = []
        var goOn: Set<Int> = []
        for step in steps {
            let pattern = program.patterns[Int(step)]
            if ends[pattern] == nil {
                rest.append(step)
            } else if case .found = program.steps[Int(step)] {
                continue
            } else {
                goOn.insert(pattern)
            }
        }
        let findings = ends.keys.sorted().map { pattern in
            let (before, behind) = ends[pattern] ?? (false, false)
            let isCertain = exact.contains(pattern) && before != behind && !goOn.contains(pattern)
            return UInt32(pattern) | (isCertain ? UInt32(WEIR_CERTAIN) : 0)
                | (behind ? UInt32(WEIR_BEHIND) : 0)
        }
        let asks = rest.contains { isAssertion($0) }
        return state(
            State(steps: rest.sorted(), afterWord: asks && isWord, findings: findings, isRoot: false), chance: chance)
    }

    private func isAssertion(_ step: Int32) -> Bool {
        switch program.steps[Int(step)] {
        case .wordBoundary, .notBefore: true
        default: false
        }
    }
}
