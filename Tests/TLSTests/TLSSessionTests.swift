import Bytes
import COpenSSL
import TLSSupport
import Testing

@testable import TLS

struct TLSSessionTests {
    static let versions = [TLS1_2_VERSION, TLS1_3_VERSION]

    static func server(_ version: Int32, _ identity: Identity = .good) -> Server {
        Server(identity, .init(versions: version...version))
    }

    @Test(arguments: versions) func wordsGoBothWays(_ version: Int32) {
        var pair = Pair(TLSSessionTests.server(version))
        #expect(pair.client.state == .handshaking && pair.client.facts == nil)
        pair.settle()
        #expect(pair.client.state == .open)
        pair.send("question")
        pair.server.write(Array("before".utf8))
        pair.settle()
        #expect(pair.server.received == Array("question".utf8) && pair.takePlain() == "before")
        let facts = pair.client.facts
        #expect(facts?.version == UInt16(version) && facts?.isResumed == false && facts?.alpn == nil)
        #expect(facts?.cipher.contains("_WITH_") == (version == TLS1_2_VERSION))
        #expect(pair.server.serverName == "dns.test")
    }

    @Test func factsOfTheCertificate() {
        var pair = Pair(Server(.good))
        #expect(pair.client.certificate == nil)
        pair.settle()
        let certificate = pair.client.certificate
        #expect(certificate?.subject == "CN=common.test" && certificate?.issuer == "CN=Test Intermediate")
        #expect(
            certificate?.names
                == "DNS:dns.test, DNS:*.wild.test, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1")
        #expect(certificate?.fingerprint.count == 64 && certificate?.notAfter.last == "Z")
    }

    /// What is sent early waits for the handshake, and comes in order.
    @Test(arguments: versions) func whatIsSentEarlyWaits(_ version: Int32) {
        var pair = Pair(TLSSessionTests.server(version))
        pair.send("one ")
        pair.send("two ")
        #expect(pair.client.unsentCount == 8)
        pair.settle()
        #expect(pair.client.unsentCount == 0)
        pair.send("three")
        pair.settle()
        #expect(pair.server.received == Array("one two three".utf8))
    }

    // MARK: - Cuts

    /// All that a server says, cut in two at every byte: handshake, tickets, data and the end.
    @Test(arguments: versions) func everyTwoWayCut(_ version: Int32) {
        let server = TLSSessionTests.server(version)
        var (flight, cut, longest) = (0, 0, 0)
        while flight < 4 {
            var pair = Pair(Server(like: server))
            for index in 0..<4 {
                if index == 2 { pair.server.write(Array("an answer".utf8)) }
                if index == 3 { pair.server.close() }
                pair.toServer()
                let bytes = pair.server.take()
                if index == flight {
                    longest = max(longest, bytes.count)
                    pair.receive(bytes.prefix(cut))
                    pair.receive(bytes.dropFirst(cut))
                } else {
                    pair.receive(bytes)
                }
            }
            #expect(pair.client.state == .closed && pair.takePlain() == "an answer", "flight \(flight) cut at \(cut)")
            cut += 1
            if cut > longest { (flight, cut, longest) = (flight + 1, 0, 0) }
        }
    }

    @Test(arguments: versions, [1, 2, 5, 7]) func smallPieces(_ version: Int32, _ piece: Int) {
        var pair = Pair(TLSSessionTests.server(version))
        pair.settle(piece: piece)
        pair.send("q")
        pair.server.write(Array("a".utf8))
        pair.settle(piece: piece)
        pair.server.close()
        pair.settle(piece: piece)
        #expect(pair.client.state == .closed && pair.takePlain() == "a" && pair.server.received == Array("q".utf8))
    }

    @Test(arguments: versions, [1000, 16_384, 70_001]) func muchInBothDirections(_ version: Int32, _ piece: Int) {
        var pair = Pair(TLSSessionTests.server(version))
        pair.settle()
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        pair.server.write(bytes)
        bytes.withUnsafeBytes { pair.client.send($0, into: &pair.cipher) }
        pair.settle(piece: piece)
        #expect(pair.server.received == bytes && Array(pair.plain.readable) == bytes)
    }

    // MARK: - The end

    @Test(arguments: versions) func closeNotifyAndTruncationAreToldApart(_ version: Int32) {
        var clean = Pair(TLSSessionTests.server(version))
        clean.settle()
        clean.server.write([1, 2, 3])
        clean.server.close()
        clean.settle()
        clean.client.endOfStream()
        #expect(clean.client.state == .closed && clean.plain.count == 3)
        // What the server does not send, it may still read.
        clean.send("bye")
        clean.client.close(into: &clean.cipher)
        clean.send("too late")
        clean.settle()
        #expect(clean.server.received == Array("bye".utf8) && clean.server.isClosed)

        var cut = Pair(TLSSessionTests.server(version))
        cut.settle()
        cut.server.write([1, 2, 3])
        cut.receive(cut.server.take().dropLast())
        cut.client.endOfStream()
        #expect(cut.client.state == .failed(.truncated) && cut.plain.isEmpty)
        cut.send("nothing")
        cut.client.close(into: &cut.cipher)
        #expect(cut.cipher.isEmpty && cut.client.unsentCount == 0)
    }

    @Test(arguments: versions) func weClose(_ version: Int32) {
        var pair = Pair(TLSSessionTests.server(version))
        pair.send("early")
        pair.client.close(into: &pair.cipher)
        pair.settle()
        #expect(pair.server.received == Array("early".utf8) && pair.server.isClosed)
        pair.server.write([7])
        pair.settle()
        #expect(pair.plain.count == 1 && pair.client.state == .open)
    }

    @Test(arguments: versions) func aHandshakeThatEnds(_ version: Int32) {
        let server = TLSSessionTests.server(version)
        server.feed(UnsafeRawBufferPointer(start: nil, count: 0))
        var pair = Pair(server)
        pair.toServer()
        let flight = pair.server.take()
        for count in stride(from: 0, to: flight.count, by: 13) {
            var pair = Pair(Server(like: server))
            pair.toServer()
            pair.receive(pair.server.take().prefix(count))
            #expect(pair.client.state == .handshaking)
            pair.client.endOfStream()
            #expect(pair.client.state == .failed(.closedInHandshake))
        }
    }

    // MARK: - Resumption

    @Test(arguments: versions) func aTicketSavesTheNextHandshake(_ version: Int32) {
        var first = Pair(TLSSessionTests.server(version))
        #expect(first.client.resumption() == nil)
        first.settle()
        let ticket = first.client.resumption()
        #expect(ticket != nil)
        let server = first.server
        // The connection ends as many do, without a word.
        first = Pair(Server(.good))
        var second = Pair(Server(like: server), resuming: ticket)
        second.settle()
        second.send("again")
        second.settle()
        #expect(second.client.facts?.isResumed == true && second.server.received == Array("again".utf8))
        #expect(second.client.certificate?.subject == "CN=common.test")
        #expect(second.client.resumption() != nil)
    }

    @Test func aTicketIsForOnePeerAndOneTrust() {
        var first = Pair(Server(.good))
        first.settle()
        let ticket = first.client.resumption()
        var otherName = Pair(Server(like: first.server), name: "a.wild.test", resuming: ticket)
        otherName.settle()
        #expect(otherName.client.state == .open && otherName.client.facts?.isResumed == false)
        var otherTrust = Pair(Server(like: first.server), trust: Pair.trust(Identity.otherRoot.pem), resuming: ticket)
        otherTrust.settle()
        #expect(otherTrust.client.state == .failed(.certificate(.missingIssuer("CN=Test Root"))))
        // Another server cannot read it, and does the whole handshake.
        var otherServer = Pair(Server(.good), resuming: ticket)
        otherServer.settle()
        #expect(otherServer.client.state == .open && otherServer.client.facts?.isResumed == false)
    }

    // MARK: - ALPN

    @Test func protocols() {
        var chosen = Pair(
            Server(.good, .init(alpn: "dot")), alpn: ["h2", "dot", "", String(repeating: "x", count: 256)])
        chosen.settle()
        #expect(chosen.client.state == .open && chosen.client.facts?.alpn == "dot")
        var ignored = Pair(Server(.good), alpn: ["dot"])
        ignored.settle()
        #expect(ignored.client.state == .open && ignored.client.facts?.alpn == nil)
        var foreign = Pair(Server(.good, .init(alpn: "h2")), alpn: ["dot"])
        foreign.settle()
        // Newer versions of OpenSSL see it themselves, in their own words.
        guard case .failed(.violation) = foreign.client.state else {
            return #expect(Bool(false), "\(foreign.client.state)")
        }
    }
}
