import Bytes

/// How many questions are under way for each client. Two clients may have one count, by chance; then they have one share.
struct ClientShares {
    private var counts = ContiguousArray<Int32>(repeating: 0, count: places)
    /// Unpredictable: clients do not choose with whom they share.
    private let key: UInt64

    private static let places = 4096

    init(key: UInt64) { self.key = key | 1 }

    subscript(client: IPAddress) -> Int {
        get { Int(counts[place(of: client)]) }
        set { counts[place(of: client)] = Int32(clamping: newValue) }
    }

    private func place(of client: IPAddress) -> Int {
        let mixed = (client.high &* key ^ client.low) &* key
        return Int(truncatingIfNeeded: (mixed ^ mixed >> 29) &* key >> 40) & (ClientShares.places - 1)
    }
}
