import Bytes
import COpenSSL

/// What a session leaves for the next one with the same peer: its ticket, with which a handshake costs no certificate and
/// no signature (RFC 8446 section 2.2). Belongs to the loop that made it.
public final class Resumption {
    private let session: OpaquePointer
    private let trust: Trust
    private let name: Host

    /// Takes over a reference of the session.
    init(_ session: OpaquePointer, trust: Trust, name: Host) {
        self.session = session
        self.trust = trust
        self.name = name
    }

    deinit { SSL_SESSION_free(session) }

    /// The session has a ticket that is still good, and so is the certificate.
    var isUsable: Bool {
        guard SSL_SESSION_is_resumable(session) == 1, let certificate = SSL_SESSION_get0_peer(session) else {
            return false
        }
        return X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0
    }

    /// Whoever resumes is not verified again: so only for whom the same trust has verified under the same name.
    func resume(on ssl: OpaquePointer, trust: Trust, name: Host) {
        guard self.trust === trust, self.name == name, isUsable else { return }
        SSL_set_session(ssl, session)
    }
}
