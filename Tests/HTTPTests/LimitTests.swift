import Bytes
import Testing

@testable import HTTP

/// Each bound of a head, at it and one beyond it, fed whole and byte by byte.
@Suite struct LimitTests {
    private func step(_ text: String, _ limits: Limits) -> HeadStep {
        let bytes = Array(text.utf8)
        let whole = request(bytes, limits: limits).step
        #expect(request(bytes, cuts: Array(0..<bytes.count), limits: limits).step == whole)
        return whole
    }

    @Test func headBytes() {
        var limits = Limits()
        limits.headBytes = 100
        let head = { (size: Int) in
            "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: size - 32))\r\n\r\n"
        }
        #expect(step(head(100), limits) == .head(length: 100))
        #expect(step(head(100) + "next", limits) == .head(length: 100))
        let over = step(head(101), limits).rejection
        #expect(over?.status == 431)
        #expect(over?.threat == .headerFlood)
        // The empty lines before a request count, too.
        #expect(step("\r\n" + head(98), limits) == .head(length: 100))
        #expect(step("\r\n" + head(99), limits).rejection?.status == 431)
    }

    @Test func target() {
        var limits = Limits()
        limits.headBytes = 100
        let over = step("GET /\(String(repeating: "x", count: 200)) HTTP/1.1\r\nHost: a\r\n\r\n", limits).rejection
        #expect(over?.status == 414)
        #expect(over?.threat == .headerFlood)
    }

    @Test func headFields() {
        var limits = Limits()
        limits.headFields = 10
        let head = { (count: Int) in
            "GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: y\r\n", count: count - 1))\r\n"
        }
        #expect(step(head(10), limits).rejection == nil)
        let over = step(head(11), limits).rejection
        #expect(over?.status == 431)
        #expect(over?.threat == .headerFlood)
    }

    @Test func responses() {
        var limits = Limits()
        limits.headBytes = 50
        let head = { (size: Int) in
            Array("HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: size - 24))\r\n\r\n".utf8)
        }
        #expect(response(head(50), limits: limits).step == .head(length: 50))
        for cuts in [[], Array(0..<51)] {
            let over = response(head(51), cuts: cuts, limits: limits).step.rejection
            #expect(over?.status == 502)
            #expect(over?.threat == .headerFlood)
        }
    }

    /// Byte by byte costs no more than a look at each byte: 64 KiB in one value, fed in 64 Ki steps, ends at once.
    @Test func slowFeedIsLinear() {
        let text = Array("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 60_000))\r\n\r\n".utf8)
        var head = RequestHead()
        var step = HeadStep.needMore
        text.withUnsafeBytes { bytes in
            for end in 1...bytes.count {
                step = head.parse(UnsafeRawBufferPointer(rebasing: bytes[..<end]), limits: Limits())
            }
        }
        #expect(step == .head(length: text.count))
    }
}
