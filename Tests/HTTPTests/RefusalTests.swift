import Bytes
import Testing

@testable import HTTP

/// Every row must be refused in the way it says, however it is cut.
@Suite struct RefusalTests {
    @Test(arguments: requestRefusals) func requests(_ row: Refusal) {
        let whole = request(row.text).step
        #expect(whole.rejection?.status == row.status)
        #expect(whole.rejection?.threat == row.threat)
        for cut in 0..<min(row.text.count, 600) { #expect(request(row.text, cuts: [cut]).step == whole) }
        #expect(request(row.text, cuts: Array(0..<row.text.count)).step == whole)
    }

    @Test(arguments: responseRefusals) func responses(_ row: Refusal) {
        let whole = response(row.text).step
        #expect(whole.rejection?.status == 502)
        #expect(whole.rejection?.threat == row.threat)
        for cut in 0..<row.text.count { #expect(response(row.text, cuts: [cut]).step == whole) }
        #expect(response(row.text, cuts: Array(0..<row.text.count)).step == whole)
    }

    @Test(arguments: chunkRefusals) func chunks(_ row: Refusal) {
        let whole = decode(row.text)
        #expect(whole.rejection?.status == row.status)
        #expect(whole.rejection?.threat == row.threat)
        for cut in 0..<min(row.text.count, 600) {
            let cut = decode(row.text, cuts: [cut])
            #expect(cut.rejection == whole.rejection)
            #expect(cut.data == whole.data)
        }
        #expect(decode(row.text, cuts: Array(0..<row.text.count)).rejection == whole.rejection)
    }

    /// A refused head stays refused, whatever is fed after.
    @Test func refusalsLast() {
        var head = RequestHead()
        let bad = exactly("GET /\r\n".utf8) { head.parse($0, limits: Limits()) }
        #expect(bad.rejection != nil)
        #expect(exactly("GET /\r\n\r\n".utf8) { head.parse($0, limits: Limits()) } == bad)
        head.reset()
        let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(exactly(text.utf8) { head.parse($0, limits: Limits()) } == .head(length: text.utf8.count))
    }
}
