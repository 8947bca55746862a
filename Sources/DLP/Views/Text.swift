/// What patterns read and views decode: the value itself, or a view of it.
protocol Text: AnyObject {
    var list: ReadList { get }
    var reading: Reading { get }
    /// Bytes kept from before, and the offset of the first of them.
    var carry: [UInt8] { get }
    var windowStart: UInt64 { get }
}

extension Text {
    /// Offset of what is new in it, until that is kept.
    var newFrom: UInt64 { windowStart + UInt64(carry.count) }
}
