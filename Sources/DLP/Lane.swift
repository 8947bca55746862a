import CLinux

/// One pattern as the search needs it: plain values and borrowed pointers, so that reading with it counts no references.
///
/// The profile that made a lane owns what it points at and outlives every inspection that uses it.
struct Lane {
    let code: OpaquePointer
    /// Index into the readers of the profile.
    let reader: Int
    let firstBytes: ByteSet
    /// No match is shorter.
    let lengthMin: Int
    /// No match has fewer digits: most values of fields are done with by that.
    let digitsMin: Int
    /// Every match has four digits together within its first bytes.
    let fourDigits: Bool
    let startsOnly: Bool
    let mindsLastNewline: Bool
    let validator: Validator?
    /// The validator may refuse a start by its first bytes.
    let minds: Bool
    /// What else is made of a match; the profile holds it.
    let detector: Unmanaged<Detector>?
    /// Of a match that much is one as it says to be a value of an index; the profile holds it.
    let column: Unmanaged<ExactColumn>?
    /// Of the detector: what is less sure is no match.
    let least: Confidence
    /// A match is too unsure without a word before it.
    let needsWords: Bool
    /// A tail that could become a match is kept back.
    let holds: Bool
    /// The vector pass says where it could begin.
    let isFound: Bool
}

extension Lane {
    /// How sure a match of the expression is, or nil where it is none.
    func confidence(_ window: Window, _ start: Int, _ end: Int) -> Confidence? {
        let bytes = UnsafeRawBufferPointer(start: window.base + start, count: end - start)
        guard let detector else { return validator?.accepts(bytes) ?? true ? .high : nil }
        // Where a word is needed that is looked for first: it is missing more often than any check fails.
        if !needsWords, let validator, !validator.accepts(bytes) { return nil }
        let found = detector._withUnsafeGuaranteedRef { $0.confidence(window.base, start, end) }
        guard let found, found >= least else { return nil }
        if needsWords, let validator, !validator.accepts(bytes) { return nil }
        return found
    }

    /// Whether a short value has a byte with which a match could begin; of a longer one the vector pass tells.
    func mayBegin(in base: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        if count < lengthMin { return false }
        if count > 128 { return true }
        for at in 0...count - lengthMin where firstBytes.contains(base[at]) { return true }
        return false
    }
}

/// The patterns that read one kind of value, and what is known of all of them together.
struct ReadList {
    let lanes: UnsafeBufferPointer<Lane>
    /// Where they could begin; the profile holds it.
    let plan: UnsafePointer<weir_starts>?
    /// Lanes of which the plan finds none.
    let unknown: UnsafeBufferPointer<Int>
    /// No value shorter than this holds a match, nor one with fewer digits, or without four of them together.
    let lengthMin: Int
    let digitsMin: Int
    let fourDigits: Bool
    /// Bytes before a start that say whether it is one.
    let lookBehind: Int
    /// Bytes kept before the first start that is still open: these, what evidence shows, and what views look at.
    let keptBehind: Int
    /// Those who look for documents: indices into `Profile.documents`.
    private(set) var documents = UnsafeBufferPointer<Int>(start: nil, count: 0)

    /// Nobody reads.
    var isEmpty: Bool { lanes.isEmpty && documents.isEmpty }

    static var none: ReadList {
        ReadList(
            lanes: UnsafeBufferPointer(start: nil, count: 0), plan: nil,
            unknown: UnsafeBufferPointer(start: nil, count: 0), lengthMin: .max, digitsMin: 0, fourDigits: false,
            lookBehind: 1, keptBehind: 1)
    }

    /// What it points at is the caller's to free, by `free`.
    ///
    /// `keeping`: bytes kept before a match for its evidence.
    static func allocate(
        _ all: [Profile.Reader], _ readers: [Int], _ plan: StartPlan, keeping: Int
    ) -> ReadList {
        let unknown = Set(plan.unknown)
        let lookBehind =
            readers.map { max(all[$0].expression.lookBehind, all[$0].detector?.lookBehind ?? 0) }.max() ?? 1
        let lanes = readers.indices.map { at in
            let reader = all[readers[at]]
            return Lane(
                code: reader.expression.code, reader: readers[at], firstBytes: reader.expression.firstBytes,
                lengthMin: max(reader.expression.lengthMin, 1), digitsMin: reader.expression.digitsMin,
                fourDigits: hasFourDigits(reader.expression.prefix),
                startsOnly: reader.expression.startsOnly,
                mindsLastNewline: reader.expression.mindsLastNewline,
                validator: reader.validator, minds: reader.validator?.minds ?? false,
                detector: reader.detector.map { .passUnretained($0) },
                column: reader.column.map { .passUnretained($0) }, least: reader.least,
                needsWords: reader.detector.map { $0.confidence < reader.least } ?? false, holds: reader.holds,
                isFound: !unknown.contains(at))
        }
        return ReadList(
            lanes: copy(lanes), plan: plan.unknown.count < lanes.count ? UnsafePointer(plan.starts) : nil,
            unknown: copy(plan.unknown), lengthMin: lanes.map(\.lengthMin).min() ?? .max,
            digitsMin: lanes.map(\.digitsMin).min() ?? 0, fourDigits: lanes.allSatisfy(\.fourDigits),
            lookBehind: lookBehind, keptBehind: max(lookBehind, keeping, Surroundings.behind))
    }

    private static func hasFourDigits(_ prefix: [ByteSet]) -> Bool {
        var run = 0
        for set in prefix {
            run = set.isSubset(of: .digits) ? run + 1 : 0
            if run == 4 { return true }
        }
        return false
    }

    func with(documents: [Int]) -> ReadList {
        var list = self
        if !documents.isEmpty { list.documents = Self.copy(documents) }
        return list
    }

    func free() {
        lanes.deallocate()
        documents.deallocate()
        unknown.deallocate()
    }

    private static func copy<T>(_ values: [T]) -> UnsafeBufferPointer<T> {
        let copied = UnsafeMutableBufferPointer<T>.allocate(capacity: values.count)
        _ = copied.initialize(from: values)
        return UnsafeBufferPointer(copied)
    }
}

/// Where a profile reads, by context.
struct ReadLists {
    let url: ReadList
    let header: ReadList
    let body: ReadList
    let packet: ReadList
    let name: ReadList

    static var none: ReadLists {
        ReadLists(url: .none, header: .none, body: .none, packet: .none, name: .none)
    }

    /// `plans`: those it uses are added. `documents`: who looks for some, in all that streams.
    static func allocate(
        _ readers: [Profile.Reader], _ documents: [Int], _ plans: inout [StartPlan], _ database: Database,
        where reads: (Profile.Reader) -> Bool
    ) -> ReadLists {
        func list(_ context: Contexts) -> ReadList {
            let chosen = readers.indices.filter { readers[$0].contexts.contains(context) && reads(readers[$0]) }
            if chosen.isEmpty { return .none }
            let plan = database.plan(chosen.map { readers[$0].expression })
            plans.append(plan)
            return ReadList.allocate(readers, chosen, plan, keeping: database.evidence.context)
        }
        return ReadLists(
            url: list(.url), header: list(.header), body: list(.body).with(documents: documents),
            packet: list(.packet).with(documents: documents), name: list(.name))
    }

    func free() {
        for list in [url, header, body, packet, name] { list.free() }
    }

    subscript(_ context: Contexts) -> ReadList {
        switch context {
        case .url: url
        case .header: header
        case .packet: packet
        case .name: name
        default: body
        }
    }
}
