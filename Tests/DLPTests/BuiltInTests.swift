import Bytes
import Testing

@testable import DLP

@Suite struct BuiltInTests {
    static func found(_ text: String) throws -> [String] {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn())
        inspection.read(Array(text.utf8))
        return inspection.findings.map { "\($0.sensor)@\($0.offset)+\($0.length)" }
    }

    @Test(arguments: [
        "4111111111111111", "4242424242424242", "4012888888881881", "5555555555554444", "5105105105105100",
        "378282246310005", "2223003122003222", "30121690374838", "6250941006528599", "4222222222222",
        "4111-1111-1111-1111", "4111 1111 1111 1111", "6011-0009-9013-9424", "3782-822463-10005", "3782 822463 10005",
    ])
    func cardsAreFound(_ number: String) throws {
        for (before, after) in [("", ""), ("card_", "."), ("pan:", ","), ("\"", "\""), ("x=", "&y"), ("n ", " 12/25")] {
            let found = try Self.found(before + number + after)
            #expect(found == ["credit-card@\(before.utf8.count)+\(number.utf8.count)"], "\(before)\(number)\(after)")
        }
    }

    @Test(arguments: [
        "22.378386247999998", "4111111111111112", "14111111111111111", "41111111111111111111111", "0000000000000000",
        "4111 1111-1111 1111", "a4111111111111111", "4111111111111111f", "4111111111111111.5", "order=536904399",
        "550e8400-e29b-41d4-a716-446655440000", "c0ffee00-1234-4111-8111-630400000000", "4111111111111111-1234",
    ])
    func whatIsNoCardIsNot(_ text: String) throws {
        #expect(try Self.found(text).isEmpty)
    }

    @Test(arguments: ["536-90-4399", "536 90 4399", "ssn_536-90-4399", "SSN:536-90-4399."])
    func socialSecurityNumbersAreFound(_ text: String) throws {
        #expect(try Self.found(text).count == 1)
    }

    @Test(arguments: [
        "536904399", "202608011", "536-90 4399", "000-12-3456", "666-12-3456", "900-12-3456", "987-65-4320",
        "536-00-4399", "536-90-0000", "078-05-1120", "457-55-5462", "219-09-9999", "123-45-6789", "111-11-1111",
        "1536-90-4399", "536-90-43991", "2-536-90-4399",
    ])
    func numbersNeverGivenAreNot(_ text: String) throws {
        #expect(try Self.found(text).isEmpty)
    }

    @Test(arguments: [
        "295109912611193", "253072A07300443", "253072B07300470", "145081849670637", "2 95 10 99 126 111 93",
        "2.95.10.99.126.111.93", "2951099126111 93", "253072a07300443",
    ])
    func frenchNumbersAreFound(_ text: String) throws {
        #expect(try Self.found("nir=\(text);") == ["ssn-fr@4+\(text.utf8.count)"])
    }

    @Test(arguments: [
        "295109912611194", "595109912611193", "295139912611193", "295109612611193", "1295109912611193",
        "295109912611193.5", "29510991261119", "253072C07300443",
    ])
    func wrongFrenchNumbersAreNot(_ text: String) throws {
        #expect(try Self.found("nir=\(text);").isEmpty)
    }
}

@Suite struct DigitsTests {
    @Test func digitsAreCountedAtEveryLength() {
        var dice = Dice(1)
        let bytes = (0..<300).map { _ in dice.pick(Array("0123456789-/:x".utf8)) }
        for count in 0...bytes.count {
            let digits = bytes[..<count].map { (0x30...0x39).contains($0) }
            let found = bytes.withUnsafeBufferPointer { $0.baseAddress.map { Digits.count($0, count) } }
            #expect(found?.count == digits.count { $0 })
            let four = (0..<max(count - 3, 0)).contains { digits[$0..<$0 + 4].allSatisfy { $0 } }
            #expect(found?.four == true || !four)
        }
    }
}
