import Bytes
import COpenSSL
import TLSSupport
import Testing

@testable import TLS

struct HostilePeerTests {
    @Test func whoIsStuckAtTLS11IsRefused() {
        var pair = Pair(Server(.good, .init(versions: TLS1_VERSION...TLS1_1_VERSION)))
        pair.settle()
        #expect(pair.client.state == .failed(.alert(70)))
        // A server that answers all the same: its ServerHello says 1.1.
        var forced = Pair(TLSSessionTests.server(TLS1_2_VERSION))
        forced.toServer()
        var flight = forced.server.take()
        flight[10] = 2
        forced.receive(flight)
        #expect(forced.client.state == .failed(.oldVersion))
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2p1\r\n", "220 mail.test ESMTP\r\n",
        "\0\u{1d}\0\0\u{81}\u{80}\0\u{1}\0\0\0\0\0\0",
    ])
    func otherProtocols(_ text: String) {
        for piece in [1, 3, Int.max] {
            var pair = Pair(Server(.good))
            pair.receive(text.utf8, piece: piece)
            #expect(pair.client.state == .failed(.notTLS))
        }
    }

    /// Every byte of what a server says, changed: a failure or a session in good order, never a trap, and never a
    /// plaintext that nobody sent.
    @Test(arguments: TLSSessionTests.versions) func everyChangedByte(_ version: Int32) {
        let server = TLSSessionTests.server(version)
        var (index, longest) = (0, 1)
        while index < longest {
            for flip: UInt8 in [0x01, 0x80] {
                var pair = Pair(Server(like: server))
                pair.toServer()
                var flight = pair.server.take()
                longest = max(longest, flight.count)
                if index < flight.count { flight[index] ^= flip }
                pair.receive(flight)
                pair.settle()
                pair.server.write([1, 2, 3])
                pair.settle()
                #expect(pair.client.state != .closed)
                if pair.client.state != .open { #expect(pair.plain.count == 0) }
                pair.client.endOfStream()
                #expect(pair.client.state != .open)
            }
            index += 1
        }
    }

    @Test(arguments: TLSSessionTests.versions) func aChangedRecordAfterwards(_ version: Int32) {
        var pair = Pair(TLSSessionTests.server(version))
        pair.settle()
        pair.server.write(Array("good".utf8))
        let good = pair.server.take()
        pair.server.write(Array("bad".utf8))
        var bad = pair.server.take()
        bad[bad.count - 1] ^= 1
        pair.receive(good + bad)
        // What came before is there, and what is said after is not heard.
        #expect(pair.takePlain() == "good")
        #expect(pair.client.state == .failed(.violation("decryption failed or bad record mac")))
        #expect(!pair.cipher.isEmpty && pair.client.resumption() == nil)
        pair.server.write(Array("more".utf8))
        pair.receive(pair.server.take())
        #expect(pair.plain.count == 0)
        pair.toServer()
        #expect(pair.server.reason == SSL_AD_REASON_OFFSET + SSL_AD_BAD_RECORD_MAC)
    }

    @Test func aRequestToRenegotiateIsRefused() {
        var pair = Pair(TLSSessionTests.server(TLS1_2_VERSION))
        pair.settle()
        SSL_renegotiate(pair.server.ssl)
        SSL_do_handshake(pair.server.ssl)
        pair.receive(pair.server.take())
        #expect(pair.client.state == .open)
        // An alert (21), and no new ClientHello (22).
        #expect(pair.cipher.readable.first == 21)
        pair.send("still here")
        #expect(pair.client.unsentCount == 0)
    }

    @Test func keysAreUpdatedWhenAsked() {
        var pair = Pair(TLSSessionTests.server(TLS1_3_VERSION))
        pair.settle()
        for _ in 0..<3 {
            SSL_key_update(pair.server.ssl, SSL_KEY_UPDATE_REQUESTED)
            pair.server.write([1])
            pair.settle()
            pair.send("x")
            pair.settle()
        }
        #expect(pair.client.state == .open && pair.plain.count == 3 && pair.server.received.count == 3)
    }

    /// While a ticket has come only in part, OpenSSL encrypts nothing: what is sent waits.
    @Test func aMessageInPiecesHoldsUpWhatIsSent() {
        var pair = Pair(Server(.good, .init(versions: TLS1_3_VERSION...TLS1_3_VERSION, fragment: 512)))
        pair.toServer()
        pair.receive(pair.server.take())
        #expect(pair.client.state == .open)
        pair.toServer()
        let tickets = pair.server.take()
        let first = 5 + Int(tickets[3]) << 8 + Int(tickets[4])
        #expect(tickets.count > first)
        pair.receive(tickets.prefix(first))
        pair.send("one ")
        pair.send("two")
        pair.client.close(into: &pair.cipher)
        #expect(pair.client.unsentCount == 7 && pair.cipher.isEmpty && pair.client.state == .open)
        pair.receive(tickets.dropFirst(first))
        #expect(pair.client.unsentCount == 0)
        pair.settle()
        #expect(pair.server.received == Array("one two".utf8) && pair.server.isClosed)
    }

    @Test func aCertificateOfOursIsNotToBeHad() {
        var asked = Pair(Server(.good, .init(verify: SSL_VERIFY_PEER)))
        asked.settle()
        #expect(asked.client.state == .open)
        for version in TLSSessionTests.versions {
            let verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            var required = Pair(Server(.good, .init(versions: version...version, verify: verify)))
            required.settle()
            #expect(required.client.state == .failed(.alert(version == TLS1_3_VERSION ? 116 : 40)))
        }
    }

    @Test func nothingWithoutARecordGrows() {
        // Half a record, for ever: it is held, and no more than it.
        var pair = Pair(TLSSessionTests.server(TLS1_3_VERSION))
        pair.settle()
        pair.receive([23, 3, 3, 0x40, 0x00] + [UInt8](repeating: 0, count: 16_383))
        #expect(pair.client.state == .open && pair.plain.isEmpty && pair.cipher.isEmpty)
        pair.receive([0])
        #expect(pair.client.state != .open)
        // A record longer than any may be.
        var long = Pair(TLSSessionTests.server(TLS1_3_VERSION))
        long.settle()
        long.receive([23, 3, 3, 0x42, 0x00])
        #expect(long.client.state != .open)
    }
}
