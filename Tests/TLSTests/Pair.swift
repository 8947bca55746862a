import Bytes
import COpenSSL
import TLSSupport
import Testing

@testable import TLS

/// A client and a server, and the stream between them.
struct Pair: ~Copyable {
    var client: TLSSession
    let server: Server
    var plain = Buffer()
    /// To the server.
    var cipher = Buffer()

    static let rootTrust = trust(Identity.root.pem)

    static func trust(_ pem: [UInt8]) -> Trust {
        guard let trust = try? pem.withUnsafeBytes({ try Trust(pem: $0, path: "test") }) else {
            preconditionFailure("a bundle that cannot be read")
        }
        return trust
    }

    init(
        _ server: Server, name: String = "dns.test", trust: Trust = Pair.rootTrust, alpn: [String] = [],
        resuming: Resumption? = nil
    ) {
        self.server = server
        guard let name = Host(name) else { preconditionFailure("no host") }
        client = TLSSession(trust: trust, name: name, alpn: alpn, resuming: resuming)
        client.handshake(into: &cipher)
        #expect(ERR_peek_error() == 0)
    }

    /// Hands bytes to the client, in pieces.
    mutating func receive(_ bytes: some Collection<UInt8>, piece: Int = .max) {
        let bytes = Array(bytes)
        bytes.withUnsafeBytes { bytes in
            var at = 0
            while at < bytes.count {
                let end = at + min(piece, bytes.count - at)
                client.receive(UnsafeRawBufferPointer(rebasing: bytes[at..<end]), into: &plain, replies: &cipher)
                #expect(ERR_peek_error() == 0)
                at = end
            }
        }
    }

    mutating func toServer() {
        server.feed(cipher.readable)
        cipher.removeAll()
    }

    /// Until neither has more to say.
    mutating func settle(piece: Int = .max) {
        while true {
            toServer()
            let bytes = server.take()
            if bytes.isEmpty { return }
            receive(bytes, piece: piece)
        }
    }

    mutating func send(_ text: String) {
        Array(text.utf8).withUnsafeBytes { client.send($0, into: &cipher) }
        #expect(ERR_peek_error() == 0)
    }

    mutating func takePlain() -> String {
        defer { plain.removeAll() }
        return String(decoding: plain.readable, as: UTF8.self)
    }
}
