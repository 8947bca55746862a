import CLinux
import Synchronization

/// How the places are found at which the patterns of a list could begin: immutable, shared by all profiles whose lists have the
/// same patterns.
final class StartPlan: @unchecked Sendable {
    /// What `starts.c` reads; its pointers are to memory of this object, written in `init` only.
    let starts: UnsafeMutablePointer<weir_starts>
    /// Patterns of which it finds none, by their place in the list.
    let unknown: [Int]
    private let table: UnsafeMutableBufferPointer<UInt16>
    private let found: UnsafeMutableBufferPointer<UInt32>
    private let findings: UnsafeMutableBufferPointer<UInt32>

    /// `certain`: ends of matches may be told without PCRE2.
    init(_ expressions: [Expression], certain: Bool) {
        let buckets = Buckets(expressions)
        let groups = buckets.buckets.map(\.patterns) + buckets.stretches.map(\.patterns)
        let automaton = Automaton(
            groups.map { group in group.map { (pattern: $0, expression: expressions[$0]) } }, certain: certain)
        table = Self.copy(automaton.table)
        found = Self.copy(automaton.found)
        findings = Self.copy(automaton.findings)
        unknown = buckets.unknown
        var plan = weir_starts()
        plan.automaton.table = UnsafePointer(table.baseAddress)
        plan.automaton.found = UnsafePointer(found.baseAddress)
        plan.automaton.findings = UnsafePointer(findings.baseAddress)
        plan.automaton.shift = UInt32(automaton.shift)
        plan.automaton.first_finding = UInt16(automaton.firstFinding)
        plan.automaton.none = UInt16(automaton.none)
        plan.automaton.unknown = UInt16(automaton.unknown)
        withUnsafeMutableBytes(of: &plan.automaton.classes) { $0.copyBytes(from: automaton.classes) }
        plan.edge = Self.set(buckets.edge)
        plan.pattern_count = UInt32(expressions.count)
        Self.put(buckets.buckets, automaton.roots, expressions, &plan.keys)
        for (index, stretch) in buckets.stretches.enumerated() {
            let made = weir_stretch(
                set: Self.set(stretch.set), length: UInt32(stretch.length),
                root: automaton.roots[buckets.buckets.count + index],
                start: UInt8(
                    stretch.isEdged
                        ? WEIR_BEHIND_NO_EDGE : stretch.isBounded ? WEIR_WHERE_EDGE_CHANGES : WEIR_ANYWHERE))
            withUnsafeMutableBytes(of: &plan.stretches) {
                $0.storeBytes(of: made, toByteOffset: index * MemoryLayout<weir_stretch>.stride, as: weir_stretch.self)
            }
        }
        plan.stretch_count = UInt32(buckets.stretches.count)
        starts = .allocate(capacity: 1)
        starts.initialize(to: plan)
    }

    deinit {
        starts.deallocate()
        table.deallocate()
        found.deallocate()
        findings.deallocate()
    }

    /// Of the table and what belongs to it.
    var bytes: Int { table.count * 2 + (found.count + findings.count) * 4 }

    private static func copy<T>(_ values: [T]) -> UnsafeMutableBufferPointer<T> {
        let copied = UnsafeMutableBufferPointer<T>.allocate(capacity: values.count)
        _ = copied.initialize(from: values)
        return copied
    }

    private static func put(
        _ buckets: [Buckets.Bucket], _ roots: [UInt16], _ expressions: [Expression], _ keys: inout weir_keys
    ) {
        for (index, bucket) in buckets.enumerated() {
            let bit: UInt8 = 1 << UInt8(index)
            keys.used |= bit
            if bucket.key.isEdged { keys.edged |= bit }
            withUnsafeMutableBytes(of: &keys.offset) { $0[index] = UInt8(bucket.key.offset) }
            withUnsafeMutableBytes(of: &keys.root) {
                $0.storeBytes(of: roots[index], toByteOffset: index * 2, as: UInt16.self)
            }
            if let probe = Buckets.probe(bucket.patterns.map { expressions[$0] }) {
                let made = weir_probe(set: set(probe.set), places: probe.places)
                withUnsafeMutableBytes(of: &keys.probes) {
                    $0.storeBytes(of: made, toByteOffset: index * MemoryLayout<weir_probe>.stride, as: weir_probe.self)
                }
            }
            for (place, nibbles) in bucket.key.nibbles.enumerated() {
                for nibble in 0..<16 {
                    let at = place * 16 + nibble
                    if nibbles.low >> UInt16(nibble) & 1 == 1 {
                        withUnsafeMutableBytes(of: &keys.low) { $0[at] |= bit }
                    }
                    if nibbles.high >> UInt16(nibble) & 1 == 1 {
                        withUnsafeMutableBytes(of: &keys.high) { $0[at] |= bit }
                    }
                }
            }
        }
    }

    private static func set(_ set: ByteSet) -> weir_set {
        var made = weir_set()
        for byte in UInt8.min...UInt8.max where set.contains(byte) {
            let bit: UInt8 = 1 << (byte >> 4 & 7)
            if byte < 0x80 {
                withUnsafeMutableBytes(of: &made.lower) { $0[Int(byte & 15)] |= bit }
            } else {
                withUnsafeMutableBytes(of: &made.upper) { $0[Int(byte & 15)] |= bit }
            }
        }
        return made
    }
}

/// The plans of a database, each made when a profile first needs it.
final class StartPlans: Sendable {
    private let known = Mutex<[[ObjectIdentifier]: StartPlan]>([:])

    func plan(_ expressions: [Expression], certain: Bool) -> StartPlan {
        let name = expressions.map { ObjectIdentifier($0) }
        return known.withLock { known in
            if let plan = known[name] { return plan }
            let plan = StartPlan(expressions, certain: certain)
            known[name] = plan
            return plan
        }
    }
}
