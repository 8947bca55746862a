/// What patterns read and views decode: the value itself, or a view of it.
protocol Text: AnyObject {
    var list: ReadList { get }
    var reading: Reading { get }

    /// Lets the patterns read on to the end of a piece, which is the beginning of all that has come.
    func scan(_ piece: Window, of whole: Window, settle: Bool)
    /// Lets them go on at an offset before which none waits and none could begin.
    func pass(to offset: UInt64)
}
