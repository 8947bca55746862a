import Bytes

/// What the lines of one connection have in common, as they are written: who speaks to whom, and what was decided. Kept by
/// its session, for encoding it anew was half the cost of a record.
public struct LineFrame: ~Copyable {
    /// Where the parts are in a line.
    struct Places {
        /// From the service to the application and the `tls` object.
        var parties: Range<Int>
        /// Just after the client.
        var client: Int
        /// From the method to the `dns` object.
        var request: Range<Int>
        /// From `uninspectable` to the line feed.
        var ending: Range<Int>
        /// Where the listener begins, with which the line ends.
        var listener: Int
    }

    /// Empty until a line was taken.
    private(set) var parties = Buffer()
    private(set) var ending = Buffer()

    public init() {}

    public var isEmpty: Bool { ending.isEmpty }
    var count: Int { parties.count + ending.count }

    mutating func take(_ places: Places, of line: UnsafeRawBufferPointer) {
        parties = Buffer(capacity: places.parties.count)
        parties.append(UnsafeRawBufferPointer(rebasing: line[places.parties]))
        ending = Buffer(capacity: places.ending.count)
        ending.append(UnsafeRawBufferPointer(rebasing: line[places.ending]))
    }
}

/// An exchange of which nothing is to be said but what a `LineFrame` does not say: it was allowed, and nothing was found.
public struct FramedExchange {
    public var id: RecordID
    public var startMicroseconds: Int64
    public var durationMicroseconds: Int64
    public var method: UnsafeRawBufferPointer?
    public var host: UnsafeRawBufferPointer?
    public var path: UnsafeRawBufferPointer?
    public var status: Int?
    public var bytesOut: UInt64
    public var bytesIn: UInt64
    public var bytesInspected: UInt64

    @inlinable public init(
        id: RecordID, startMicroseconds: Int64, durationMicroseconds: Int64, method: UnsafeRawBufferPointer?,
        host: UnsafeRawBufferPointer?, path: UnsafeRawBufferPointer?, status: Int?, bytesOut: UInt64, bytesIn: UInt64,
        bytesInspected: UInt64
    ) {
        self.id = id
        self.startMicroseconds = startMicroseconds
        self.durationMicroseconds = durationMicroseconds
        self.method = method
        self.host = host
        self.path = path
        self.status = status
        self.bytesOut = bytesOut
        self.bytesIn = bytesIn
        self.bytesInspected = bytesInspected
    }

    /// No line of this exchange is longer, its frame aside.
    var bound: Int {
        var strings = min(method?.count ?? 0, SessionRecord.methodBytesMax)
        strings += min(host?.count ?? 0, SessionRecord.hostBytesMax)
        strings += min(path?.count ?? 0, SessionRecord.pathBytesMax)
        return LineEncoder.fixedBytes + LineCursor.bound(quoted: strings)
    }
}
