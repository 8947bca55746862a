import Bytes
import Testing

@testable import HTTP

/// One frame as a test writes it.
func frame(
    _ opcode: UInt8, _ payload: [UInt8], fin: Bool = true, rsv: UInt8 = 0, mask: [UInt8]? = nil, width: Int? = nil
) -> [UInt8] {
    var bytes = [(fin ? 0x80 : 0) | rsv | opcode]
    let masked: UInt8 = mask == nil ? 0 : 0x80
    switch width ?? (payload.count < 126 ? 0 : payload.count < 65536 ? 2 : 8) {
    case 0: bytes.append(masked | UInt8(payload.count))
    case 2: bytes += [masked | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    default: bytes += [masked | 127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
    }
    guard let mask else { return bytes + payload }
    return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
}

@Suite struct WebSocketTests {
    static let mask: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]

    /// What a stream of frames is, told in lines: the same for every cut.
    static func told(_ bytes: [UInt8], _ sender: WebSocketFrames.Sender, deflated: Bool = false, cuts: [Int] = [])
        -> [String]
    {
        var frames = WebSocketFrames(from: sender, isDeflated: deflated)
        var lines: [String] = []
        var text: [UInt8] = []
        var from = 0
        for end in cuts + [bytes.count] {
            var rest = bytes[from..<end]
            from = end
            reading: while true {
                let step = Array(rest).withUnsafeBytes { frames.step($0) }
                switch step {
                case .needMore(let consumed):
                    #expect(consumed == rest.count)
                    break reading
                case .frame(let frame, let consumed):
                    rest = rest.dropFirst(consumed)
                    lines.append(
                        "\(frame.opcode)\(frame.isFinal ? " fin" : "")\(frame.isCompressed ? " deflated" : "") \(frame.length)"
                    )
                case .payload(let range, let mask):
                    let payload = Array(Array(rest)[range])
                    var room = payload
                    room.withUnsafeMutableBytes { room in
                        payload.withUnsafeBytes { WebSocketFrames.unmask($0, mask, into: room) }
                    }
                    text += room
                    rest = rest.dropFirst(range.count)
                case .end:
                    lines.append("end " + String(decoding: text, as: UTF8.self))
                    text = []
                case .violation(let fault, _):
                    lines.append("\(fault.message)")
                    return lines
                }
            }
        }
        return lines
    }

    /// Section 5.7 of RFC 6455, and what else there is.
    @Test func everyCutTellsTheSame() {
        let long = Array(String(repeating: "long ", count: 60).utf8)
        let bytes =
            frame(1, Array("Hello".utf8), mask: Self.mask) + frame(1, Array("Hel".utf8), fin: false, mask: Self.mask)
            + frame(9, Array("Hello".utf8), mask: Self.mask) + frame(0, Array("lo".utf8), mask: [1, 2, 3, 4])
            + frame(2, [], mask: Self.mask) + frame(2, long, rsv: 0x40, mask: [0, 0, 0, 0])
            + frame(8, [3, 0xe8] + Array("bye".utf8), mask: Self.mask)
        let whole = Self.told(bytes, .client, deflated: true)
        #expect(
            whole == [
                "text fin 5", "end Hello", "text 3", "end Hel", "ping fin 5", "end Hello", "continuation fin 2",
                "end lo",
                "binary fin 0", "end ", "binary fin deflated 300", "end " + String(decoding: long, as: UTF8.self),
                "close fin 5", "end \u{3}\u{fffd}bye",
            ])
        for cut in 0...bytes.count { #expect(Self.told(bytes, .client, deflated: true, cuts: [cut]) == whole) }
        #expect(Self.told(bytes, .client, deflated: true, cuts: Array(0..<bytes.count)) == whole)
    }

    @Test(arguments: [
        (frame(1, [1]), "frames masked by the client and not by the server"),
        (frame(1, [1], rsv: 0x20, mask: mask), "no reserved bit that was not agreed on"),
        (frame(1, [1], rsv: 0x10, mask: mask), "no reserved bit that was not agreed on"),
        (
            frame(1, [1], rsv: 0x40, mask: mask),
            "the bit of compression on the first frame of a message that may have it"
        ),
        (frame(3, [], mask: mask), "an opcode that RFC 6455 has"),
        (frame(11, [], mask: mask), "an opcode that RFC 6455 has"),
        (frame(9, [], fin: false, mask: mask), "a control frame in one piece"),
        (frame(9, [UInt8](repeating: 0, count: 126), mask: mask), "a control frame of up to 125 bytes"),
        (frame(0, [], mask: mask), "a message before its continuation"),
        (frame(1, [], fin: false, mask: mask) + frame(1, [], mask: mask), "the end of a message before the next one"),
        (frame(1, [1], mask: mask, width: 2), "a length of 63 bits in its shortest form"),
        (frame(1, [1], mask: mask, width: 8), "a length of 63 bits in its shortest form"),
        ([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], "a length of 63 bits in its shortest form"),
        (frame(8, [3], mask: mask), "a status of two bytes in a Close frame"),
        (frame(8, [3, 0xed], mask: mask), "a status in a Close frame that may be sent"),
        (frame(8, [0, 1], mask: mask), "a status in a Close frame that may be sent"),
        (frame(8, [], mask: mask) + frame(9, [], mask: mask), "nothing after a Close frame"),
    ])
    func violations(_ bytes: [UInt8], _ message: String) {
        for cut in 0...bytes.count {
            #expect(Self.told(bytes, .client, cuts: [cut]).last == message)
        }
    }

    /// Whoever reads on behind a violation reads the same in any cut, from the first byte that is no frame.
    @Test func aRefusedHeaderIsAtHandWhole() {
        let clean = frame(1, Array("ok".utf8))
        for header: [UInt8] in [[0x32], [0x82, 0x80], [0x82, 0x7e, 0, 5], [0x82, 0x7f, 0x80, 1, 2, 3, 4, 5, 6, 7]] {
            let bytes = clean + header + Array("tail".utf8)
            for cut in 0...bytes.count {
                var frames = WebSocketFrames(from: .server, isDeflated: false)
                var (at, isRefused) = (0, false)
                for end in [cut, bytes.count] {
                    var isFed = false
                    while !isFed, !isRefused {
                        switch bytes[at..<end].withUnsafeBytes({ frames.step($0) }) {
                        case .needMore(let consumed): (at, isFed) = (at + consumed, true)
                        case .frame(_, let consumed): at += consumed
                        case .payload(let range, _): at += range.count
                        case .end: break
                        case .violation(_, let consumed): (at, isRefused) = (at + consumed, true)
                        }
                    }
                }
                #expect(isRefused && frames.refusedHeader == header && at == clean.count + header.count)
            }
        }
    }

    @Test func compressionIsMarkedOnceAMessage() {
        let message = "the bit of compression on the first frame of a message that may have it"
        let continued = frame(1, [1], fin: false, rsv: 0x40) + frame(0, [1], rsv: 0x40)
        #expect(Self.told(continued, .server, deflated: true).last == message)
        #expect(Self.told(frame(9, [], rsv: 0x40), .server, deflated: true).last == message)
        #expect(Self.told(frame(1, [1], mask: Self.mask), .server).last?.hasPrefix("frames masked") == true)
    }

    @Test func lengthsAtTheirEdges() {
        for count in [125, 126, 65535, 65536] {
            let bytes = frame(2, [UInt8](repeating: 0x61, count: count))
            #expect(Self.told(bytes, .server, cuts: [1, 2, 3]).first == "binary fin \(count)")
        }
        let huge: [UInt8] = [0x82, 127, 0x7f] + [UInt8](repeating: 0xff, count: 7)
        #expect(Self.told(huge, .server) == ["binary fin \(Int64.max)"])
    }

    @Test func aCloseIsAFrameThatAClientTakes() {
        for reason in ["", "why", String(repeating: "x", count: 200)] {
            var buffer = Buffer()
            WebSocketFrames.close(1008, reason, into: &buffer)
            let lines = Self.told(Array(buffer.readable), .server)
            #expect(lines.first == "close fin \(2 + min(reason.utf8.count, 123))" && lines.count == 2)
        }
    }

    @Test(
        arguments: [
            ("", .none), ("permessage-deflate", .deflate(false, false)),
            ("Permessage-Deflate ; server_no_context_takeover", .deflate(false, true)),
            ("permessage-deflate; client_no_context_takeover; server_max_window_bits=10", .deflate(true, false)),
            ("permessage-deflate; client_max_window_bits=\"15\"", .deflate(false, false)),
            ("permessage-deflate; client_max_window_bits", .unknown),
            ("permessage-deflate; client_max_window_bits=16", .unknown),
            ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", .unknown),
            ("permessage-deflate; mystery", .unknown), ("permessage-deflate;", .unknown),
            ("x-webkit-deflate-frame", .unknown),
            ("permessage-deflate, permessage-deflate", .unknown), ("permessage-deflate, mux", .unknown),
        ] as [(String, Agreed)])
    func extensionsAgreedOn(_ value: String, _ expected: Agreed) {
        var head = ResponseHead()
        let line = value.isEmpty ? "" : "Sec-WebSocket-Extensions: \(value)\r\n"
        let text = Array("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\(line)\r\n".utf8)
        text.withUnsafeBytes { bytes in
            _ = head.parse(bytes, answering: .get, limits: Limits())
            switch WebSocketExtensions(head, bytes) {
            case .none: #expect(expected == .none)
            case .unknown: #expect(expected == .unknown)
            case .deflate(let deflate): #expect(expected == .deflate(deflate.clientResets, deflate.serverResets))
            }
        }
    }

    enum Agreed: Equatable, Sendable { case none, deflate(Bool, Bool), unknown }
}
