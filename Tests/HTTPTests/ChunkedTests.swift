import Bytes
import Testing

@testable import HTTP

/// What a good chunked body is read as.
@Suite struct ChunkedTests {
    static let rows: [(text: String, data: String, trailers: [String])] = [
        ("0\r\n\r\n", "", []),
        ("3\r\nabc\r\n0\r\n\r\n", "abc", []),
        ("000a\r\n0123456789\r\n00000\r\n\r\n", "0123456789", []),
        ("A\r\n0123456789\r\n1\r\n\n\r\n0\r\n\r\n", "0123456789\n", []),
        ("2;a\r\nab\r\n1;a=b;c=\"d;\\\"\r\"\r\nc\r\n0;x\r\n\r\n".replacing("\r\"", with: "\""), "abc", []),
        ("1;ieof\r\nx\r\n0\r\nX-Sum: 1\r\nDigest:  a \r\n\r\n", "x", ["X-Sum: 1", "Digest: a"]),
        ("0\r\nContent-MD5: x\r\nServer-Timing: y\r\n\r\n", "", ["Content-MD5: x", "Server-Timing: y"]),
    ]

    @Test(arguments: rows) func everySplitGivesTheSame(_ text: String, _ data: String, _ trailers: [String]) {
        let bytes = Array(text.utf8)
        for cuts in [[]] + (0..<bytes.count).map({ [$0] }) + [Array(0..<bytes.count)] {
            let decoded = decode(bytes, cuts: cuts)
            #expect(decoded.rejection == nil)
            #expect(decoded.isEnded)
            #expect(decoded.consumed == bytes.count)
            #expect(string(decoded.data) == data)
            #expect(decoded.trailers == trailers)
        }
        for cut in 0..<bytes.count { #expect(!decode(Array(bytes.prefix(cut))).isEnded) }
    }

    /// The range is of the bytes fed, and what follows the body is left alone.
    @Test func whereItLies() {
        var body = ChunkedBody(limits: Limits())
        exactly("3;a=b\r\nabc\r\n0\r\n\r\nGET".utf8) { bytes in
            #expect(body.step(bytes) == .data(7..<10, consumed: 10))
            let rest = UnsafeRawBufferPointer(rebasing: bytes[10...])
            #expect(body.step(rest) == .end(consumed: 7))
            #expect(body.step(UnsafeRawBufferPointer(rebasing: rest[7...])) == .end(consumed: 0))
        }
    }

    @Test func theLargestChunk() {
        var body = ChunkedBody(limits: Limits())
        #expect(exactly("7fffffffffffffff\r\nab".utf8) { body.step($0) } == .data(18..<20, consumed: 20))
    }

    /// Tiny chunks with short extensions are how some servers write; they are not a flood.
    @Test func manySmallChunks() {
        let text = String(repeating: "1;a=b\r\nx\r\n", count: 20_000) + "0\r\n\r\n"
        #expect(decode(Array(text.utf8)).data.count == 20_000)
    }

    @Test func trailerLimits() {
        var limits = Limits()
        limits.headBytes = 64
        limits.headFields = 2
        // 64 bytes with the empty line, then 65.
        let full = "0\r\nA: \(String(repeating: "x", count: 57))\r\n\r\n"
        #expect(decode(Array(full.utf8), limits: limits).isEnded)
        let over = full.replacing("A: ", with: "A: y")
        for cuts in [[], Array(0..<over.utf8.count)] {
            #expect(decode(Array(over.utf8), cuts: cuts, limits: limits).rejection?.threat == .headerFlood)
        }
        #expect(decode(Array("0\r\nA: 1\r\nB: 2\r\n\r\n".utf8), limits: limits).isEnded)
        let many = decode(Array("0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n".utf8), limits: limits)
        #expect(many.rejection?.threat == .headerFlood)
    }
}
