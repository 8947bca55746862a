/// First in, first out, in a ring that grows to what it held at most. Elements are moved in and out, never copied.
struct Queue<Element>: ~Copyable {
    private var room: UnsafeMutableBufferPointer<Element>
    private var head = 0
    private(set) var count = 0

    init() { room = .allocate(capacity: 16) }

    deinit {
        for index in 0..<count { room.deinitializeElement(at: place(index)) }
        room.deallocate()
    }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element) {
        if count == room.count { grow() }
        room.initializeElement(at: place(count), to: element)
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = room.moveElement(from: head)
        head = place(1)
        count -= 1
        return element
    }

    /// The capacity is a power of two.
    private func place(_ index: Int) -> Int { (head + index) & (room.count - 1) }

    private mutating func grow() {
        let larger = UnsafeMutableBufferPointer<Element>.allocate(capacity: 2 * room.count)
        for index in 0..<count { larger.initializeElement(at: index, to: room.moveElement(from: place(index))) }
        room.deallocate()
        (room, head) = (larger, 0)
    }
}
