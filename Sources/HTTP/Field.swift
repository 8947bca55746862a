/// One field line, as ranges of the bytes it was parsed from.
public struct Field: Equatable, Sendable {
    public var id: FieldName
    /// The line is written `name: value` CRLF, as the writer would: it may be copied together with its neighbours.
    var isCanonical = false
    /// The Connection field names it: it ends here.
    var isNominated = false
    @usableFromInline var nameStart: UInt32
    @usableFromInline var nameEnd: UInt32
    @usableFromInline var valueStart: UInt32
    @usableFromInline var valueEnd: UInt32

    /// The ranges are those of a head, which is far below 4 GiB.
    @inlinable public init(id: FieldName, name: Range<Int>, value: Range<Int>) {
        self.id = id
        nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
        nameEnd = UInt32(truncatingIfNeeded: name.upperBound)
        valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
        valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
    }

    /// The name as it was spelled.
    @inlinable public var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }

    /// The value without the space around it.
    @inlinable public var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
}
