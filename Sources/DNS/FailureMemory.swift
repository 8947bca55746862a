import Bytes

/// Questions that failed, for a second or two: they are not asked again meanwhile (RFC 9520 section 3.2).
///
/// Entries lie in a ring and are found by a table; at its bound the oldest makes room.
struct FailureMemory {
    private struct Entry {
        let inquiry: Inquiry
        var failure: Failure
        var until: Ticks
    }

    private let capacity: Int
    private var entries: ContiguousArray<Entry> = []
    private var places: [Inquiry: Int] = [:]
    private var hand = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { entries.count }

    func find(_ inquiry: Inquiry, now: Ticks) -> Failure? {
        guard !entries.isEmpty, let place = places[inquiry], entries[place].until > now else { return nil }
        return entries[place].failure
    }

    mutating func insert(_ failure: Failure, for inquiry: Inquiry, until: Ticks) {
        guard capacity > 0 else { return }
        let entry = Entry(inquiry: inquiry, failure: failure, until: until)
        if let place = places[inquiry] {
            entries[place] = entry
        } else if entries.count < capacity {
            places[inquiry] = entries.count
            entries.append(entry)
        } else {
            places[entries[hand].inquiry] = nil
            places[inquiry] = hand
            entries[hand] = entry
            hand = (hand + 1) % capacity
        }
    }

    mutating func removeAll() {
        entries.removeAll()
        places.removeAll()
        hand = 0
    }
}
