import Bytes
import Testing

@testable import HTTP

@Suite struct GRPCTests {
    static func message(_ text: String, flag: UInt8 = 0) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [flag, 0, 0, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
    }

    static func told(_ bytes: [UInt8], _ kind: GRPCKind = .native, cuts: [Int] = []) -> [String] {
        var frames = GRPCFrames(kind)
        var lines: [String] = []
        var text = ""
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
                case .prefix(let isCompressed, let length, let consumed):
                    rest = rest.dropFirst(consumed)
                    lines.append("\(isCompressed ? "compressed " : "")\(length)")
                case .data(let range):
                    text += String(decoding: Array(rest)[range], as: UTF8.self)
                    rest = rest.dropFirst(range.count)
                case .end:
                    lines.append("end \(text)")
                    text = ""
                case .violation:
                    lines.append("violation")
                    return lines
                }
            }
        }
        if !frames.isAtStart { lines.append("open") }
        return lines
    }

    @Test func everyCutTellsTheSame() {
        let bytes = Self.message("one") + Self.message("") + Self.message("three", flag: 1) + [0, 0, 0, 0, 2, 0x61]
        let whole = Self.told(bytes)
        #expect(whole == ["3", "end one", "0", "end ", "compressed 5", "end three", "2", "open"])
        for cut in 0...bytes.count { #expect(Self.told(bytes, cuts: [cut]) == whole) }
        #expect(Self.told(bytes, cuts: Array(0..<bytes.count)) == whole)
    }

    @Test func flags() {
        #expect(Self.told([2]) == ["violation"])
        #expect(Self.told(Self.message("grpc-status: 0", flag: 0x80)) == ["violation"])
        #expect(Self.told(Self.message("grpc-status: 0", flag: 0x80), .web) == ["14", "end grpc-status: 0"])
        #expect(Self.told([0x82], .web) == ["violation"])
        #expect(Self.told([0, 0xff, 0xff, 0xff, 0xff]) == ["\(UInt32.max)", "open"])
    }

    @Test(arguments: [
        ("application/grpc", GRPCKind.native), ("Application/GRPC+proto; x=1", .native),
        ("application/grpc+json", .native),
        ("application/grpc-web+proto", .web), ("application/grpc-web-text", .webText), ("application/grpcx", nil),
        ("application/json", nil),
    ])
    func kinds(_ type: String, _ expected: GRPCKind?) {
        var head = RequestHead()
        Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: \(type)\r\n\r\n".utf8).withUnsafeBytes {
            _ = head.parse($0, limits: Limits())
            #expect(GRPCKind(head.fields, $0) == expected)
        }
    }

    @Test func answers() {
        var buffer = Buffer()
        Writer.call(.native, status: 403, detail: "no é %", event: "e1", close: false, into: &buffer)
        #expect(
            string(buffer.readable) == """
                HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\ngrpc-status: 7\r
                grpc-message: no %c3%a9 %25 (event e1)\r\n\r\n
                """)
        buffer.removeAll()
        Writer.lastChunk(ofCall: 504, detail: "late", event: "e2", into: &buffer)
        #expect(string(buffer.readable) == "0\r\ngrpc-status: 4\r\ngrpc-message: late (event e2)\r\n\r\n")
        #expect([400, 403, 408, 501, 502, 503, 504].map(Writer.callStatus) == [13, 7, 4, 12, 14, 14, 4])
    }
}
