import Bytes
import Testing

@testable import Record

@Suite struct RecordIDTests {
    @Test(arguments: [
        (UInt64(0), UInt64(0), "00000000000000000000000000"),
        (.max, .max, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"),
        (0, 31, "0000000000000000000000000Z"),
        (0, 1 << 63, "00000000000008000000000000"),
        (0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210, "014D2PF2DBSQQZXQ5TK1V58CGG"),
    ])
    func text(_ high: UInt64, _ low: UInt64, _ text: String) {
        let id = RecordID(high: high, low: low)
        #expect(withBytes(id.description) { RecordID($0) } == id)
        #expect(id.description == text)
    }

    @Test(arguments: ["", "0", "0000000000000000000000000", "80000000000000000000000000", "0000000000000000000000000U"])
    func refused(_ text: String) {
        #expect(withBytes(text) { RecordID($0) } == nil)
    }

    @Test func idsAreInOrderAndCarryTheirTime() {
        var ids = RecordIDs()
        var last = ids.next(at: someTime)
        #expect(last.high >> 16 == UInt64(someTime / 1000))
        // Within a millisecond, over milliseconds, and with a clock that steps back.
        for step in 0..<1000 {
            let next = ids.next(at: someTime + Int64(step) * 100 - (step == 500 ? 5_000_000 : 0))
            #expect(last < next)
            #expect(last.description < next.description)
            last = next
        }
    }

    @Test func countingCarries() {
        var ids = RecordIDs(seed: (0, 0))
        _ = ids.next(at: 1000)
        var seen: Set<RecordID> = []
        for _ in 0..<1000 { seen.insert(ids.next(at: 1000)) }
        #expect(seen.count == 1000)
    }

    @Test func loopsDiffer() {
        var a = RecordIDs()
        var b = RecordIDs()
        #expect(a.next(at: someTime) != b.next(at: someTime))
    }
}
