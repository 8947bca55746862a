import Bytes

/// One direction of a protocol that puts messages into frames, being read: content is handed in without its frames, and
/// what may go is told in offsets on the wire.
///
/// ```
///   wire     │head│ content │head│ content │control│head│ content │head…
///   messages │<────── one, in two frames ─────────>│<─── next ───>│
///   each     │ every message is a value of its own                │
///   pair     │ the end of the one before and the next, as one    │
///   joined   │ as many as a match may have, one after the other  │
/// ```
///
/// A message is released at its end, and until then held whole, up to `hold`, or as far as it could be a match. A secret
/// that begins in one message and ends in another is found where they are read together: two of them with the bounds that
/// they have for their receiver, and any number without.
final class Messages {
    private unowned(unsafe) let owner: Inspection
    private let map = FrameMap()
    private let each: Stream
    private let pair: Stream
    private let joined: Stream
    private var protocolLabel = ""
    private var coding = MessageCoding.none
    private var inflater: MessageInflater?

    private(set) var isOpen = false
    /// Some sensor reads this direction.
    private var isReading = false
    private var isCompressed = false
    /// A message has begun and not ended.
    private var inMessage = false
    /// There are no frames any more.
    private var isBroken = false
    /// The rest of this message cannot be read.
    private var isLost = false
    /// Where the next content lies has not been marked yet.
    private var isUnmarked = true

    /// Bytes of the wire so far.
    private var wireBytes: UInt64 = 0
    /// The end of the last frame that is whole.
    private var frameEnd: UInt64 = 0
    /// Where the message under way begins on the wire.
    private var messageFrom: UInt64 = 0
    /// Where the slice under way of compressed content begins.
    private var sliceFrom: UInt64 = 0
    private var contentBytes: UInt64 = 0
    /// Where the last message that had content began in it.
    private var contentFrom: UInt64 = 0
    /// The end of the content, for the message that follows.
    private var tail: [UInt8] = []
    /// Content up to here may still be of a match that began in an earlier message.
    private var joinedUntil: UInt64 = 0
    private var released: UInt64 = 0
    /// What was released last ended with a frame: another may be put behind it.
    private(set) var isAtFrame = true

    init(side: Side, owner: Inspection) {
        self.owner = owner
        each = Stream(side: side, owner: owner)
        pair = Stream(side: side, owner: owner)
        joined = Stream(side: side, owner: owner)
    }

    /// Inflated content that is read at a time.
    private static let roomBytes = 16 * 1024

    func open(as context: Contexts, list: ReadList, named label: String, coding: MessageCoding) {
        close()
        isOpen = true
        isReading = !list.isEmpty
        (protocolLabel, self.coding) = (label, coding)
        each.open(as: context, list: list, map: map, joins: false)
        pair.open(as: context, list: list, map: map, joins: true)
        joined.open(as: context, list: list, map: map, joins: true)
    }

    func close() {
        guard isOpen else { return }
        each.reset()
        pair.reset()
        joined.reset()
        map.reset()
        inflater = nil
        tail = []
        (isOpen, isReading, isCompressed, inMessage, isLost, isUnmarked) = (false, false, false, false, false, true)
        (wireBytes, frameEnd, messageFrom) = (0, 0, 0)
        (contentBytes, contentFrom, joinedUntil) = (0, 0, 0)
        (isBroken, released, isAtFrame) = (false, 0, true)
    }

    var wantsContent: Bool { isReading && inMessage && !isLost }

    // MARK: Reading

    /// Bytes of the wire that are no content: headers, control frames, content that nobody reads.
    func skip(_ count: Int) {
        guard count > 0 else { return }
        wireBytes += UInt64(count)
        isUnmarked = true
    }

    /// A message begins, with the frame that begins behind the last whole one.
    func begin(compressed: Bool) {
        (inMessage, isCompressed, messageFrom, isLost) = (true, compressed, frameEnd, false)
        sliceFrom = frameEnd
        guard isReading else { return }
        if compressed { beginInflating() }
        let labels = compressed ? [protocolLabel, coding.label] : [protocolLabel]
        each.begin(message: labels, at: contentBytes)
        if contentBytes > 0 { join(labels) }
    }

    private func beginInflating() {
        if inflater == nil { inflater = MessageInflater(coding, limits: owner.limits) }
        if let inflater, inflater.begin() { return }
        isLost = true
        owner.cannotRead(inflater == nil ? .unknownCoding : .undecodable)
    }

    /// What is left of the messages before is read on with this one.
    private func join(_ labels: [String]) {
        guard contentBytes > contentFrom else { return pair.label(labels) }
        map.seam(at: contentBytes)
        let last = tail.suffix(Int(clamping: contentBytes - contentFrom))
        pair.begin(message: labels, at: contentBytes - UInt64(last.count))
        last.withUnsafeBytes { pair.readMessage($0, ended: false) }
        if isJoining {
            joined.label(labels)
        } else {
            joined.begin(message: labels, at: contentBytes - UInt64(tail.count))
            tail.withUnsafeBytes { joined.readMessage($0, ended: false) }
        }
        joinedUntil = contentBytes + UInt64(owner.limits.matchBytes)
        contentFrom = contentBytes
    }

    private var isJoining: Bool { joinedUntil > contentBytes }

    /// Content of the message: as it is on the wire, but for a mask that lies over it there from its first byte on.
    func feed(_ bytes: UnsafeRawBufferPointer, mask: UInt32 = 0) {
        guard wantsContent, !bytes.isEmpty else { return skip(bytes.count) }
        // Negations are decided exactly at `hold`, from where on a message is not held any more.
        if let hold = owner.decisionOffset, wireBytes <= messageFrom + hold,
            wireBytes + UInt64(bytes.count) > messageFrom + hold
        {
            let before = Int(messageFrom + hold - wireBytes)
            take(UnsafeRawBufferPointer(rebasing: bytes[..<before]), mask)
            owner.decideNegations()
            let turned = FrameMap.turned(mask, by: UInt64(before))
            return take(UnsafeRawBufferPointer(rebasing: bytes[before...]), turned)
        }
        take(bytes, mask)
    }

    private func take(_ bytes: UnsafeRawBufferPointer, _ mask: UInt32) {
        guard !bytes.isEmpty else { return }
        if isUnmarked {
            map.mark(raw: wireBytes, content: contentBytes, mask: mask, plain: !isCompressed)
            isUnmarked = false
        }
        if isCompressed, let inflater { return take(bytes, inflater) }
        wireBytes += UInt64(bytes.count)
        read(bytes)
    }

    private func take(_ bytes: UnsafeRawBufferPointer, _ inflater: MessageInflater) {
        var rest = bytes
        while !rest.isEmpty, wantsContent {
            let slice = UnsafeRawBufferPointer(rebasing: rest.prefix(inflater.sliceRoom))
            if inflater.isAligned { sliceFrom = wireBytes }
            inflater.give(slice)
            drain(inflater)
            wireBytes += UInt64(slice.count)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(slice.count))
            if inflater.withholds {
                map.places.mark(withheldFrom: sliceFrom, decoded: contentBytes, aligned: inflater.isAligned)
            } else {
                map.places.mark(raw: wireBytes, decoded: contentBytes, aligned: inflater.isAligned)
            }
        }
        skip(rest.count)
        isUnmarked = false
    }

    private func drain(_ inflater: MessageInflater) {
        withUnsafeTemporaryAllocation(byteCount: Messages.roomBytes, alignment: 16) { room in
            while true {
                switch inflater.pull(into: room) {
                case .starved: return
                case .bytes(let count): read(UnsafeRawBufferPointer(rebasing: room[..<count]))
                case .failed(let outcome):
                    owner.cannotRead(outcome)
                    isLost = true
                    if outcome == .decompressionBomb { isReading = false }
                    return
                }
            }
        }
    }

    /// Reads content, already counted on the wire or about to be.
    private func read(_ content: UnsafeRawBufferPointer) {
        let from = contentBytes
        contentBytes += UInt64(content.count)
        // What began earlier is found first, however much comes at once: it stands for a rule of several patterns.
        if joinedUntil > from {
            let count = Int(min(joinedUntil - from, UInt64(content.count)))
            let part = UnsafeRawBufferPointer(rebasing: content[..<count])
            pair.readMessage(part, ended: false)
            joined.readMessage(part, ended: false)
        }
        each.readMessage(content, ended: false)
        keepTail(content)
        var keepFrom = min(each.neededFrom, contentBytes - UInt64(min(tail.count, owner.limits.matchBytes)))
        if isJoining { keepFrom = min(keepFrom, pair.neededFrom, joined.neededFrom) }
        map.forget(before: keepFrom)
    }

    /// As much as a match can have before the next message begins.
    private func keepTail(_ content: UnsafeRawBufferPointer) {
        let most = owner.limits.matchBytes
        if content.count >= most {
            tail.removeAll(keepingCapacity: true)
        } else if tail.count + content.count > 2 * most {
            tail.removeFirst(tail.count - most)
        }
        tail.append(contentsOf: content.suffix(most))
    }

    /// A frame has ended.
    func endFrame() { frameEnd = wireBytes }

    /// The message has ended, with its last frame: it may go, but for what is denied.
    func end() {
        frameEnd = wireBytes
        if wantsContent {
            if isCompressed, let inflater { finish(inflater) }
            if !isLost { endValues() }
        }
        // A message is the most that is held, so what it lacks it will not get before it goes.
        owner.decideNegations()
        inMessage = false
        isUnmarked = true
        trimTail()
    }

    /// What the receiver has by now ends here for it.
    private func endValues() {
        each.readMessage(UnsafeRawBufferPointer(start: nil, count: 0), ended: true)
        guard isJoining else { return }
        pair.readAsEnded()
        joined.readAsEnded()
    }

    private func finish(_ inflater: MessageInflater) {
        inflater.giveTail { drain(inflater) }
        if !inflater.isWhole, !isLost {
            isLost = true
            owner.cannotRead(.truncated)
        }
    }

    private func trimTail() {
        let over = tail.count - owner.limits.matchBytes
        if over > 0 { tail.removeFirst(over) }
    }

    /// These are no frames: what comes from here on is read as it is. `unread`: how many of the bytes that were skipped
    /// last are handed in once more.
    func violated(unread: Int) {
        owner.cannotRead(.undecodable)
        wireBytes -= UInt64(unread)
        if !inMessage { begin(compressed: false) }
        (isCompressed, isLost, isBroken) = (false, false, true)
        isUnmarked = true
    }

    /// The direction has ended; a message that has not was cut off.
    func finish() {
        if wantsContent { endValues() }
        owner.decideNegations()
        (inMessage, frameEnd) = (false, wireBytes)
    }

    func takeRedactions() -> [Redaction] {
        each.takeRedactions() + pair.takeRedactions() + joined.takeRedactions()
    }

    // MARK: Release

    /// As `Stream.releasable`.
    func releasable() -> UInt64 {
        advance(to: clear())
        return released
    }

    private func clear() -> UInt64 {
        guard owner.holding, isReading else { return wireBytes }
        guard inMessage else { return frameEnd }
        if !isBroken, wireBytes - messageFrom <= UInt64(owner.hold) { return messageFrom }
        guard wantsContent else { return wireBytes }
        var held = each.heldFrom ?? .max
        if isJoining { held = min(held, pair.heldFrom ?? .max, joined.heldFrom ?? .max) }
        if isCompressed, inflater?.withholds ?? false { held = min(held, contentBytes) }
        if held != .max { return map.places.releasable(before: held) }
        // A header or a control frame goes when it is whole.
        return isUnmarked ? frameEnd : wireBytes
    }

    /// After a silence whole frames go, which is what the other end can take.
    func releaseTail() { advance(to: isBroken ? wireBytes : frameEnd) }

    private func advance(to clear: UInt64) {
        let most = min(clear, each.deniedAt ?? .max, pair.deniedAt ?? .max, joined.deniedAt ?? .max)
        guard most > released || most == released && !isAtFrame else { return }
        released = most
        isAtFrame = most == frameEnd || inMessage && most == messageFrom
    }
}
