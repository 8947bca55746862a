import Bytes

/// What was learned, for as long as it may be believed; at its bound the oldest makes room.
///
/// Entries lie in a ring. A new name takes the place at the hand, which is the oldest, or one that has expired within
/// a few steps of it, so that every operation costs the same however full the cache is.
struct AnswerCache {
    private struct Entry {
        let name: DomainName
        var answer: Answer
        var expires: Ticks
    }

    /// Places looked at for one that has expired.
    private static let steps = 8

    private let capacity: Int
    private var entries: [Entry] = []
    private var places: [DomainName: Int] = [:]
    private var hand = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { entries.count }

    /// The answer with the time that is left of it.
    func find(_ name: DomainName, now: Ticks) -> Answer? {
        guard let place = places[name], entries[place].expires > now else { return nil }
        var answer = entries[place].answer
        let left = ((entries[place].expires - now).count + 999) / 1000
        answer.ttlSeconds = UInt32(clamping: left)
        return answer
    }

    mutating func insert(_ answer: Answer, for name: DomainName, until expires: Ticks, now: Ticks) {
        guard capacity > 0 else { return }
        if let place = places[name] {
            entries[place].answer = answer
            entries[place].expires = expires
            return
        }
        let entry = Entry(name: name, answer: answer, expires: expires)
        guard entries.count >= capacity else {
            places[name] = entries.count
            entries.append(entry)
            return
        }
        var place = hand
        for step in 0..<min(AnswerCache.steps, capacity) where entries[(hand + step) % capacity].expires <= now {
            place = (hand + step) % capacity
            break
        }
        hand = (place + 1) % capacity
        places[entries[place].name] = nil
        places[name] = place
        entries[place] = entry
    }
}
