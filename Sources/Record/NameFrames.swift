import Bytes

/// What the lines of one client's DNS transactions have in common, as it is written: who asks whom, and where. Neither this
/// nor an `AnswerFrame` holds anything of one transaction, so that any two of one service make a line.
public final class AskerFrame {
    fileprivate(set) var text: Buffer
    private let port: Int
    private let end: Int

    fileprivate init(_ places: LineFrame.Places, of line: UnsafeRawBufferPointer, port: UInt16) {
        // Behind the port stands a quotation mark.
        let portEnd = places.client - 1
        let portStart = portEnd - String(port).utf8.count
        text = Buffer(capacity: places.parties.count + line.count - places.listener)
        text.append(UnsafeRawBufferPointer(rebasing: line[places.parties.lowerBound..<portStart]))
        self.port = text.count
        text.append(UnsafeRawBufferPointer(rebasing: line[portEnd..<places.parties.upperBound]))
        end = text.count
        text.append(UnsafeRawBufferPointer(rebasing: line[places.listener...]))
    }

    /// From the service to the client's address.
    var untilPort: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: text.readable[..<port]) }
    /// From behind the client's port to the application.
    var fromPort: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: text.readable[port..<end]) }
    var listener: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: text.readable[end...]) }
}

/// What the lines of a service's transactions with one answer have in common: what was asked and answered, and what was
/// decided.
public final class AnswerFrame {
    fileprivate(set) var text: Buffer
    private let middle: Int

    fileprivate init(_ places: LineFrame.Places, of line: UnsafeRawBufferPointer) {
        text = Buffer(capacity: places.request.count + places.listener - places.ending.lowerBound)
        text.append(UnsafeRawBufferPointer(rebasing: line[places.request]))
        middle = text.count
        text.append(UnsafeRawBufferPointer(rebasing: line[places.ending.lowerBound..<places.listener]))
    }

    /// The `dns` object.
    var names: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: text.readable[..<middle]) }
    /// From `uninspectable` to `bytes_before_verdict`.
    var verdict: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: text.readable[middle...]) }
}

/// The two frames of a line.
public struct NameFrames {
    public let asker: AskerFrame
    public let answer: AnswerFrame

    init(_ places: LineFrame.Places, of line: UnsafeRawBufferPointer, port: UInt16) {
        asker = AskerFrame(places, of: line, port: port)
        answer = AnswerFrame(places, of: line)
    }
}

/// A DNS transaction of which nothing is to be said but what its frames do not say: it was allowed and answered, and nothing
/// was read.
public struct FramedTransaction {
    public var id: RecordID
    public var startMicroseconds: Int64
    public var durationMicroseconds: Int64
    /// The client's.
    public var port: UInt16
    public var bytesOut: UInt64
    public var bytesIn: UInt64

    @inlinable public init(
        id: RecordID, startMicroseconds: Int64, durationMicroseconds: Int64, port: UInt16, bytesOut: UInt64,
        bytesIn: UInt64
    ) {
        self.id = id
        self.startMicroseconds = startMicroseconds
        self.durationMicroseconds = durationMicroseconds
        self.port = port
        self.bytesOut = bytesOut
        self.bytesIn = bytesIn
    }
}
