import Testing

@testable import HTTP

/// The scans against their definitions, with every byte at every place of memory that has not a byte more.
@Suite struct OctetTests {
    private static let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    private static let token = Set((letters + "!#$%&'*+-.^_`|~").utf8)
    private static let target = Set((letters + "-._~:/?[]@!$&'()*+,;=%|^{}`").utf8)
    private static let host = Set((letters + "-._").utf8)

    @Test func classes() {
        for byte in UInt8.min...UInt8.max {
            let classes = Octet.classes[Int(byte)]
            #expect((classes & Octet.token != 0) == Self.token.contains(byte))
            #expect((classes & Octet.target != 0) == Self.target.contains(byte))
            #expect((classes & Octet.host != 0) == Self.host.contains(byte))
        }
    }

    @Test(arguments: [1, 7, 15, 16, 17, 31, 32, 33, 40]) func scans(_ count: Int) {
        var text = [UInt8](repeating: UInt8(ascii: "x"), count: count)
        for place in 0..<count {
            for byte in UInt8.min...UInt8.max {
                text[place] = byte
                exactly(text) { bytes in
                    let isControl = byte < 0x20 && byte != 9 || byte == 0x7f
                    #expect(Octet.firstControl(bytes, 0, count) == (isControl ? place : count))
                    #expect(Octet.targetEnd(bytes, 0, count) == (Self.target.contains(byte) ? count : place))
                    #expect(Octet.tokenEnd(bytes, 0, count) == (Self.token.contains(byte) ? count : place))
                    #expect(Octet.firstControl(bytes, count, count) == count)
                }
            }
            text[place] = UInt8(ascii: "x")
        }
    }

    @Test func tabsAreNoControls() {
        for count in 0..<40 {
            exactly([UInt8](repeating: 9, count: count) + [0]) {
                #expect(Octet.firstControl($0, 0, count + 1) == count)
            }
        }
    }

    @Test(arguments: [
        ("", []), (",", []), (" , ,\t", []), ("a", ["a"]), (" a ,b,, c d\t,", ["a", "b", "c d"]),
    ])
    func elements(_ text: String, _ expected: [String]) {
        exactly(text.utf8) { bytes in
            var rest = 0..<bytes.count
            var found: [String] = []
            while let element = Octet.element(bytes, &rest) { found.append(text[element]) }
            #expect(found == expected)
        }
    }

    @Test(arguments: [
        ("keep-alive", true), ("Keep-Alive", true), ("KEEP-ALIVE", true), ("keep-alivf", false), ("keep_alive", false),
        ("keep-alive ", false), ("keep-aliv", false), ("KEEP-ALIV\u{45}", true), ("jeep-alive", false),
    ])
    func keepAlive(_ text: String, _ expected: Bool) {
        exactly(text.utf8) { #expect(Octet.isKeepAlive($0, 0..<$0.count) == expected) }
    }
}
