import Bytes
import CCodecs
import Testing

@testable import DLP

/// A direction of frames as `Messages` is told of it: two bytes of header before each frame.
@Suite struct MessageTests {
    struct Message: Sendable {
        /// The content of each frame, as on the wire.
        var frames: [[UInt8]]
        var isCompressed = false

        init(_ frames: [UInt8]..., compressed: Bool = false) { (self.frames, isCompressed) = (frames, compressed) }
        init(_ text: String) { frames = [Array(text.utf8)] }
    }

    static let header = 2

    /// Feeds the messages cut at these places of the wire, and forwards as the gateway does; answers the bytes that left.
    static func forward(
        _ inspection: Inspection, _ messages: [Message], coding: MessageCoding = .none, cuts: [Int] = []
    ) -> Int {
        inspection.open(.request, as: .body, messagesOf: "frames", coding: coding)
        var wire = 0
        var sent = 0
        func pieces(_ count: Int, _ body: (Range<Int>) -> Void) {
            var from = 0
            for cut in cuts where cut > wire && cut < wire + count {
                body(from..<cut - wire)
                from = cut - wire
                release()
            }
            body(from..<count)
            wire += count
            if cuts.contains(wire) { release() }
        }
        func release() {
            if inspection.verdict < .deny { sent = Int(inspection.releasable(.request)) }
        }
        for message in messages {
            for (at, frame) in message.frames.enumerated() {
                pieces(header) { inspection.skip(.request, $0.count) }
                if at == 0 { inspection.beginMessage(.request, compressed: message.isCompressed) }
                pieces(frame.count) { range in
                    frame.withUnsafeBytes {
                        inspection.feedMessage(.request, UnsafeRawBufferPointer(rebasing: $0[range]))
                    }
                }
                if at == message.frames.count - 1 {
                    inspection.endMessage(.request)
                } else {
                    inspection.endFrame(.request)
                }
                release()
            }
        }
        inspection.endMessages(.request, isWhole: true)
        inspection.finish()
        release()
        return sent
    }

    static func wireBytes(_ messages: some Sequence<Message>) -> Int {
        messages.reduce(0) { $0 + $1.frames.reduce(0) { $0 + $1.count + header } }
    }

    /// What must be the same in every cut.
    struct Outcome: Equatable {
        var findings: [Finding]
        var verdict: Action
        var uninspectable: Uninspectable?
        var inspected: UInt64
        init(_ inspection: Inspection) {
            findings = inspection.findings
            (verdict, uninspectable) = (inspection.verdict, inspection.uninspectable)
            inspected = inspection.inspectedBytes
        }
    }

    static func everyCut(
        _ profile: Profile, _ messages: [Message], coding: MessageCoding = .none, _ body: (Outcome, [Int]) -> Void
    ) {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        var sent = [forward(inspection, messages, coding: coding)]
        let whole = Outcome(inspection)
        let count = wireBytes(messages)
        for cut in 0...count {
            inspection.reset(profile)
            sent.append(forward(inspection, messages, coding: coding, cuts: [cut]))
            #expect(Outcome(inspection) == whole, "cut at \(cut)")
        }
        inspection.reset(profile)
        sent.append(forward(inspection, messages, coding: coding, cuts: Array(0...count)))
        #expect(Outcome(inspection) == whole)
        body(whole, sent)
    }

    static func deflated(_ texts: [String], takeover: Bool = true, frame: Int = .max) -> [Message] {
        Pack.messages(texts.map { Array($0.utf8) }, takeover: takeover).map { bytes in
            var message = Message(compressed: true)
            for start in stride(from: 0, to: bytes.count, by: frame == .max ? max(1, bytes.count) : frame) {
                message.frames.append(Array(bytes[start..<min(bytes.count, start + min(frame, bytes.count))]))
            }
            return message
        }
    }

    @Test func aMessageIsReadAcrossItsFrames() throws {
        let profile = try Make.builtIn()
        let messages = [
            Message("clean"), Message(Array("pan 41111".utf8), Array("11111111111;".utf8)), Message("more"),
        ]
        Self.everyCut(profile, messages) { outcome, sent in
            #expect(outcome.findings.map(\.decoded) == [["frames"]] && outcome.verdict == .deny)
            #expect(outcome.findings.map(\.offset) == [9] && outcome.findings.map(\.rawOffset) == [13])
            #expect(sent.allSatisfy { $0 == 7 }, "the first message left, and nothing of the second")
        }
    }

    /// Each frame has its mask, which is laid over what stands in for the match as well.
    @Test func aRedactionLiesUnderTheMasks() throws {
        let inspection = Inspection(scratch: Scratch())
        let profile = try Make.builtIn(.redact)
        let frames = [Array("pan 41111".utf8), Array("11111111111 ".utf8)]
        let masks: [UInt32] = [0x0403_0201, 0xff00_aa55]
        func masked(_ byte: UInt8, _ mask: UInt32, _ at: Int) -> UInt8 {
            byte ^ UInt8(truncatingIfNeeded: mask >> UInt32(8 * (at & 3)))
        }
        func laid(_ bytes: some Sequence<UInt8>, _ mask: UInt32) -> [UInt8] {
            bytes.enumerated().map { masked($1, mask, $0) }
        }
        let wire = [0, 0] + laid(frames[0], masks[0]) + [0, 0] + laid(frames[1], masks[1])
        for cut in 0...9 {
            inspection.reset(profile)
            inspection.open(.request, as: .body, messagesOf: "frames", coding: .none)
            var sent = wire
            for (index, (frame, mask)) in zip(frames, masks).enumerated() {
                inspection.skip(.request, 2)
                if index == 0 { inspection.beginMessage(.request, compressed: false) }
                frame.withUnsafeBytes {
                    inspection.feedMessage(.request, UnsafeRawBufferPointer(rebasing: $0[..<cut]), mask: mask)
                    let rest = FrameMap.turned(mask, by: UInt64(cut))
                    inspection.feedMessage(.request, UnsafeRawBufferPointer(rebasing: $0[cut...]), mask: rest)
                }
                index == 0 ? inspection.endFrame(.request) : inspection.endMessage(.request)
            }
            for redaction in inspection.takeRedactions(.request) {
                for at in 0..<redaction.length { sent[Int(redaction.offset) + at] = redaction.wireByte(UInt64(at)) }
            }
            let first = laid(sent[2..<2 + frames[0].count], masks[0])
            let content = first + laid(sent[(4 + frames[0].count)...], masks[1])
            #expect(content == Array("pan **************** ".utf8), "cut at \(cut)")
            #expect(inspection.verdict == .redact && inspection.uninspectable == nil)
        }
    }

    @Test func aMatchAcrossMessagesIsFound() throws {
        let profile = try Make.builtIn()
        for split in 1..<16 {
            let (first, second) = ("4111111111111111".prefix(split), "4111111111111111".dropFirst(split))
            let messages = [Message("pan \(first)"), Message("\(second) end"), Message("never")]
            Self.everyCut(profile, messages) { outcome, sent in
                #expect(outcome.findings.count == 1 && outcome.verdict == .deny)
                #expect(sent.allSatisfy { $0 <= 6 + split }, "nothing of the second message left")
            }
        }
    }

    /// Whatever the messages around them say, and also where the number ends with the last of them.
    @Test func twoMessagesHaveTheirBounds() throws {
        let texts = [
            ["7", "41111111", "11111111", "7"], ["x", "4", "111111111111111"], ["4111", "1111", "1111", "1111"],
        ]
        for texts in texts {
            let inspection = Inspection(scratch: Scratch())
            for messages in [texts, texts.flatMap { [$0, ""] }].map({ $0.map { Message($0) } }) {
                inspection.reset(try Make.builtIn())
                let sent = Self.forward(inspection, messages)
                #expect(inspection.findings.count == 1 && inspection.verdict == .deny)
                #expect(sent < Self.wireBytes(messages.dropLast(texts.last == "7" ? 1 : 0)))
                inspection.reset(try Make.builtIn(enforcing: false))
                _ = Self.forward(inspection, messages)
                #expect(inspection.findings.count == 1, "told once")
            }
        }
    }

    @Test func aMessageIsReadForItself() throws {
        // What an earlier message ended with is not in front of this one for its receiver.
        Self.everyCut(try Make.builtIn(), [Message("id 7"), Message("4111111111111111"), Message("7")]) { outcome, _ in
            #expect(outcome.findings.map(\.offset) == [4])
        }
    }

    @Test func manyMessagesOfOneByte() throws {
        let text = String(repeating: "x", count: 5000) + " 4111111111111111 " + String(repeating: "y", count: 300)
        let messages = text.utf8.map { Message([$0]) }
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn())
        let sent = Self.forward(inspection, messages)
        #expect(inspection.findings.map(\.offset) == [5001])
        #expect(inspection.findings.map(\.rawOffset) == [3 * 5001 + 2])
        #expect(sent <= 3 * (5001 + 16))
    }

    @Test func alargeMessageFlowsButForItsTail() throws {
        let profile = try Make.profile(["abcd"], hold: 100)
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        inspection.open(.request, as: .body, messagesOf: "frames", coding: .none)
        inspection.skip(.request, 2)
        inspection.beginMessage(.request, compressed: false)
        func feed(_ text: String) -> UInt64 {
            Array(text.utf8).withUnsafeBytes { inspection.feedMessage(.request, $0) }
            return inspection.releasable(.request)
        }
        #expect(feed(String(repeating: ".", count: 98)) == 0)
        #expect(inspection.isAtFrame(.request))
        #expect(feed(".ab") == 101)
        #expect(!inspection.isAtFrame(.request))
        #expect(feed(".") == 104)
        #expect(feed("ab") == 104)
        inspection.releaseTail(.request)
        #expect(inspection.releasable(.request) == 104, "half a frame is of no use to anyone")
        inspection.endFrame(.request)
        inspection.releaseTail(.request)
        #expect(inspection.releasable(.request) == 106 && inspection.isAtFrame(.request))
        inspection.skip(.request, 2)
        #expect(feed("cd") == 106 && inspection.verdict == .deny)
    }

    @Test func compressedMessages() throws {
        let profile = try Make.builtIn()
        let texts = ["pan of nobody: none", "pan of somebody: 4111111111111111", "pan of nobody: none"]
        for takeover in [true, false] {
            for frame in [1, 7, Int.max] {
                let messages = Self.deflated(texts, takeover: takeover, frame: frame)
                Self.everyCut(profile, messages, coding: .deflate(resets: !takeover)) { outcome, sent in
                    #expect(outcome.findings.map(\.decoded) == [["frames", "deflate"]])
                    #expect(outcome.uninspectable == nil && outcome.verdict == .deny)
                    let clean = Self.wireBytes(Array(messages[..<1]))
                    #expect(sent.allSatisfy { $0 == clean })
                }
            }
        }
    }

    /// The second message refers to digits of the first, and says none of its own.
    @Test func contextIsTakenOver() throws {
        let messages = Self.deflated(["0 4111111111111111 0", "0 4111111111111111 0"])
        #expect(messages[1].frames[0].count < 10)
        Self.everyCut(try Make.builtIn(.alert), messages, coding: .deflate(resets: false)) { outcome, _ in
            #expect(outcome.findings.map(\.offset) == [2, 22])
        }
        // With what was agreed on otherwise the second one means nothing.
        Self.everyCut(try Make.builtIn(.alert), messages, coding: .deflate(resets: true)) { outcome, _ in
            #expect(outcome.findings.map(\.offset) == [2] && outcome.uninspectable == .undecodable)
        }
    }

    /// RFC 7692 section 7.2.3: blocks that end, blocks that are stored, two in a message.
    @Test(
        arguments: [
            [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] as [[UInt8]])
    func examplesOfTheRFC(_ payload: [UInt8]) throws {
        let profile = try Make.profile(["Hello"], action: .alert)
        let messages = [Message(payload, compressed: true), Message("plain"), Message(payload, compressed: true)]
        Self.everyCut(profile, messages, coding: .deflate(resets: false)) { outcome, _ in
            #expect(outcome.findings.map(\.offset) == [0, 10] && outcome.uninspectable == nil)
        }
    }

    @Test func wholeBodiesAsMessages() throws {
        let text = Array("pan 4111111111111111;".utf8)
        let profile = try Make.builtIn()
        let cases: [(ContentCoding, [UInt8], Int, Uninspectable?)] = [
            (.gzip, Pack.gzip(text), 1, nil), (.deflate, Pack.zlib(text), 1, nil),
            (.gzip, Pack.gzip(Array(text[..<9])) + Pack.gzip(Array(text[9...])), 1, nil),
            (.gzip, Pack.gzip(text) + [0], 1, .undecodable), (.gzip, Pack.gzip(text).dropLast(4), 1, .truncated),
            (.gzip, text, 0, .undecodable), (.unsupported, text, 0, .unknownCoding), (.gzip, [], 0, nil),
        ]
        for (coding, bytes, count, outcome) in cases {
            let messages = [Message("one"), Message(Array(bytes), compressed: true), Message("two 536-90-4399 ")]
            Self.everyCut(profile, messages, coding: .whole(coding)) { seen, _ in
                #expect(seen.findings.count == count + 1 && seen.uninspectable == outcome)
            }
        }
        Self.everyCut(profile, [Message([1, 2], compressed: true)]) { seen, _ in
            #expect(seen.uninspectable == .unknownCoding)
        }
    }

    @Test func bombs() throws {
        let profile = try Make.profile(["needle"])
        let zeros = String(repeating: "0", count: Decoder.ratioFloor / 2)
        let inspection = Inspection(scratch: Scratch())
        for (count, expected) in [(2, nil), (3, Uninspectable.decompressionBomb)] {
            inspection.reset(profile)
            _ = Self.forward(
                inspection, Self.deflated(Array(repeating: zeros, count: count)), coding: .deflate(resets: false))
            #expect(inspection.uninspectable == expected, "many small ones are one")
            #expect(inspection.inspectedBytes <= Decoder.ratioFloor)
        }
        var limits = Limits()
        limits.decodedBytes = 1000
        limits.decodedRatio = 100_000
        let narrow = try Make.profile(["needle"], limits: limits)
        for (count, expected) in [(1000, nil), (1001, Uninspectable.decompressionBomb)] {
            inspection.reset(narrow)
            let message = String(repeating: "0", count: count)
            _ = Self.forward(inspection, Self.deflated([message, message]), coding: .deflate(resets: false))
            #expect(inspection.uninspectable == expected)
        }
    }

    @Test func negationsAreDecidedWithTheFirstMessage() throws {
        let patterns = [
            PatternSpec(regex: "draft", contexts: .body),
            PatternSpec(regex: "released", contexts: .body, negated: true),
        ]
        let sensor = SensorSpec(name: "s", rules: [SensorRuleSpec(name: "r", patterns: patterns)])
        let profile = Profile(
            try Make.database([sensor]), [Attachment(sensor: "s", action: .deny)], enforcing: true, hold: 64)
        Self.everyCut(profile, [Message("draft"), Message("released")]) { outcome, sent in
            #expect(outcome.verdict == .deny && sent.allSatisfy { $0 == 0 })
        }
        Self.everyCut(profile, [Message("draft, released"), Message("x")]) { outcome, _ in
            #expect(outcome.verdict == .allow)
        }
    }

    @Test func whatIsNoFrameIsReadAsItIs() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn())
        inspection.open(.request, as: .body, messagesOf: "frames", coding: .none)
        inspection.skip(.request, 3)
        inspection.breakFrames(.request)
        Array("x 4111111".utf8).withUnsafeBytes { inspection.feedMessage(.request, $0) }
        #expect(inspection.releasable(.request) == 5)
        Array("111111111;".utf8).withUnsafeBytes { inspection.feedMessage(.request, $0) }
        #expect(inspection.verdict == .deny && inspection.uninspectable == .undecodable)
        #expect(inspection.releasable(.request) == 5)
    }

    @Test func whatWasTakenForAHeaderIsReadOnceMore() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn())
        inspection.open(.request, as: .body, messagesOf: "frames", coding: .none)
        inspection.skip(.request, 2)
        inspection.breakFrames(.request, unread: 2)
        for text in ["41", "11111111111111;"] {
            Array(text.utf8).withUnsafeBytes { inspection.feedMessage(.request, $0) }
            #expect(inspection.releasable(.request) == 0)
        }
        #expect(inspection.findings.map(\.rawOffset) == [0] && inspection.verdict == .deny)
    }

    @Test func nothingIsHeldWhereNothingIsInForce() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn(enforcing: false))
        let messages = [Message("pan 4111111111111111;")]
        inspection.open(.request, as: .body, messagesOf: "frames", coding: .none)
        inspection.skip(.request, 1)
        #expect(inspection.releasable(.request) == 1)
        inspection.reset(try Make.builtIn(enforcing: false))
        #expect(Self.forward(inspection, messages, cuts: [3]) == 3 && inspection.findings.count == 1)
    }

    /// Messages cost together what one body costs.
    @Test func hostileMessagesCostABoundedTime() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.profile([#"(x+x+)+y"#], action: .alert))
        let messages = (0..<2000).map { _ in Message(String(repeating: "x", count: 50)) }
        let time = ContinuousClock().measure { _ = Self.forward(inspection, messages) }
        // Generous: what is guarded against takes for ever.
        #expect(time < .seconds(10))
    }

    /// Each might be the last, and each leaves thousands of starts open.
    @Test func hostileMessagesOfOneByteCostABoundedTime() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.profile([#"[\w.]+@[\w.]+"#], action: .alert))
        let messages = Array(repeating: Message("x"), count: 6000)
        let time = ContinuousClock().measure { _ = Self.forward(inspection, messages) }
        #expect(time < .seconds(10))
        #expect(inspection.uninspectable == .patternOverrun && inspection.overruns == 1)
    }

    /// What is typed key by key is read to its end.
    @Test func manySmallMessagesAreNoOverrun() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.profile([#"[\w.]+@[\w.]+"#], action: .alert))
        let text = String(repeating: "words of usual length that someone types, ", count: 200) + "a@b "
        _ = Self.forward(inspection, text.utf8.map { Message([$0]) })
        #expect(inspection.findings.count >= 1 && inspection.uninspectable == nil)
    }
}
