import Bytes
import COpenSSL
import TLS

/// What a server may say to a client session. The first two bytes say where the rest is cut; the session ends alike, and
/// gives the same plaintext, for every cut. OpenSSL's queue of errors stays empty, and buffers keep within their bounds.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    guard input.count > 2, let trust, let name = Host("dns.test") else { return 0 }
    let rest = UnsafeRawBufferPointer(rebasing: input.dropFirst(2))
    let cut = Int(input[0]) << 8 | Int(input[1])
    let whole = talk([rest], trust, name)
    let first = UnsafeRawBufferPointer(rebasing: rest.prefix(cut))
    let second = UnsafeRawBufferPointer(rebasing: rest.dropFirst(cut))
    precondition(talk([first, second], trust, name) == whole, "a cut changes what is read")
    return 0
}

private func talk(
    _ pieces: [UnsafeRawBufferPointer], _ trust: Trust, _ name: Host
) -> TLSSession.State {
    var session = TLSSession(trust: trust, name: name, alpn: ["dot"])
    var plain = Buffer()
    var cipher = Buffer()
    session.handshake(into: &cipher)
    let hello = cipher.count
    precondition(hello > 0 && session.state == .handshaking)
    withUnsafeBytes(of: hello) { session.send($0, into: &cipher) }
    precondition(cipher.count == hello, "plaintext before its time")
    for piece in pieces where !piece.isEmpty {
        session.receive(piece, into: &plain, replies: &cipher)
        precondition(ERR_peek_error() == 0, "errors left behind")
    }
    // Nobody can know our keys: so nothing opens, and nothing comes out.
    precondition(session.state != .open && session.state != .closed && plain.isEmpty)
    let sent = pieces.reduce(0) { $0 + $1.count }
    precondition(cipher.count <= 2 * hello + sent + 1024, "answers grow faster than what they answer")
    if let certificate = session.certificate {
        precondition(certificate.subject.utf8.count <= 3 * 256 && certificate.fingerprint.utf8.count == 64)
    }
    let state = session.state
    precondition(session.resumption() == nil && session.facts == nil && ERR_peek_error() == 0)
    session.close(into: &cipher)
    session.endOfStream()
    guard case .failed(let failure) = session.state else { preconditionFailure("an end is no failure") }
    precondition(!failure.description.isEmpty && ERR_peek_error() == 0)
    return state
}

/// Whose certificates the corpus holds, so that those of its handshakes pass as far as their signatures over the random of
/// another client.
private let trust: Trust? = {
    let pem: StaticString = """
        -----BEGIN CERTIFICATE-----
        MIIBMDCB16ADAgECAgYAr49cEy8wCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJRnV6
        eiBSb290MCAXDTI2MTEyNDE4NTI0M1oYDzIxMjYxMTAxMTg1MjQzWjAUMRIwEAYD
        VQQDDAlGdXp6IFJvb3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQmA6SnHwAA
        nnY+t5vKL8C0ZJD4oSo3eXRLsd6VL8APJIf9EjwjTDZ/iVPrTaQ9aVXIitnH5vPG
        x4W5YzbjmiDQoxMwETAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUC
        IGpjOxTLZvzLKWIfnZx/5vXIVoEs6wnAh0uroC1xItnqAiEAxJQKaW7qB4dyjeAn
        rrCwpTupE5yDvLyR8cxmshRPgGo=
        -----END CERTIFICATE-----
        """
    return try? Trust(pem: UnsafeRawBufferPointer(start: pem.utf8Start, count: pem.utf8CodeUnitCount), path: "root")
}()
