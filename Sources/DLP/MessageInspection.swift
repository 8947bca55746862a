/// What the reader of a protocol tells of its frames, direction by direction.
extension Inspection {
    /// A direction begins that comes in frames: what is content of them is handed in message by message, and everything
    /// else counted. `label` names the protocol in findings.
    public func open(_ side: Side, as context: Contexts, messagesOf label: String, coding: MessageCoding) {
        let lists = side == .request ? requestLists : responseLists
        messages(side).open(as: context, list: lists[context], named: label, coding: coding)
    }

    /// The content that is handed in is looked at.
    public func readsMessages(_ side: Side) -> Bool { messages(side).wantsContent }

    /// Bytes on the wire that are no content: headers, control frames, messages that are not looked at.
    public func skip(_ side: Side, _ count: Int) { messages(side).skip(count) }

    /// A message begins with the frame whose header has been skipped last.
    public func beginMessage(_ side: Side, compressed: Bool) { messages(side).begin(compressed: compressed) }

    /// Content of the message, a byte for each byte on the wire, in any cut. `mask` lies over it there from its first byte on.
    public func feedMessage(_ side: Side, _ content: UnsafeRawBufferPointer, mask: UInt32 = 0) {
        messages(side).feed(content, mask: mask)
    }

    /// A frame has ended, and its message has not.
    public func endFrame(_ side: Side) { messages(side).endFrame() }

    /// A frame has ended, and its message with it.
    public func endMessage(_ side: Side) { messages(side).end() }

    /// What comes are no frames: the outcome is noted, and what is handed in is read as it is. `unread`: how many of the
    /// bytes that were skipped last, for a header, are handed in once more.
    public func breakFrames(_ side: Side, unread: Int = 0) { messages(side).violated(unread: unread) }

    /// The direction has ended; `isWhole`: between two messages.
    public func endMessages(_ side: Side, isWhole: Bool) {
        if !isWhole { cannotRead(.truncated) }
        messages(side).finish()
    }

    /// What was last told to be releasable ends with a frame, so that another can be put behind it.
    public func isAtFrame(_ side: Side) -> Bool { isFramed(side) && messages(side).isAtFrame }
}
