import COpenSSL
import Glibc

/// The authorities that may vouch for a peer, and how we speak to one. Made when the configuration is read, immutable,
/// shared by all sessions.
///
/// Sound to share: after `init` the context is only read, by `SSL_new`, which counts its references atomically, and by
/// verifications, for which OpenSSL locks the store.
public final class Trust: @unchecked Sendable {
    public enum Source: Hashable, Sendable {
        /// The distribution's bundle, or the file that SSL_CERT_FILE names.
        case system
        /// A file of PEM certificates. Each is trusted as it stands, also one that is not a root.
        case file(String)
    }

    let context: OpaquePointer
    /// Names that are verified by nothing but what they show.
    let pins: Pins
    public let certificateCount: Int

    public convenience init(
        _ source: Source, pins: [Pin] = [], revocation: Revocation? = nil
    ) throws(TrustFault) {
        let path =
            switch source {
            case .system: try Trust.systemPath()
            case .file(let path): path
            }
        let bio = try Trust.open(path)
        defer { BIO_free(bio) }
        // That a distribution ships one certificate which we cannot read is no reason not to start.
        try self.init(bio, path: path, skipsUnreadable: source == .system, pins, revocation)
    }

    /// From PEM text; `path` says where it came from, should it be wrong.
    public convenience init(
        pem: UnsafeRawBufferPointer, path: String, pins: [Pin] = [], revocation: Revocation? = nil
    ) throws(TrustFault) {
        guard let bio = BIO_new_mem_buf(pem.baseAddress, Int32(clamping: pem.count)) else {
            throw TrustFault(path: path, reason: "no certificate in it")
        }
        defer { BIO_free(bio) }
        try self.init(bio, path: path, skipsUnreadable: false, pins, revocation)
    }

    private init(
        _ bio: OpaquePointer, path: String, skipsUnreadable: Bool, _ pins: [Pin], _ revocation: Revocation?
    ) throws(TrustFault) {
        ErrorQueue.clear()
        defer { ErrorQueue.clear() }
        guard let context = SSL_CTX_new(TLS_client_method()) else { preconditionFailure("out of memory") }
        do throws(TrustFault) {
            certificateCount = try Trust.read(bio, into: context, path: path, skipsUnreadable: skipsUnreadable)
            try Trust.configure(context)
        } catch {
            SSL_CTX_free(context)
            throw error
        }
        revocation?.apply(to: context)
        self.pins = Pins(pins)
        self.context = context
    }

    deinit { SSL_CTX_free(context) }

    // MARK: - Certificates

    private static func systemPath() throws(TrustFault) -> String {
        if let chosen = getenv(X509_get_default_cert_file_env()) { return String(cString: chosen) }
        // Debian and Ubuntu; what OpenSSL was built to look for.
        let paths = [
            "/etc/ssl/certs/ca-certificates.crt", X509_get_default_cert_file().map { String(cString: $0) } ?? "",
        ]
        guard let path = paths.first(where: { access($0, R_OK) == 0 }) else {
            throw TrustFault(path: paths[0], reason: "the system has no certificates: install ca-certificates")
        }
        return path
    }

    /// A file of PEM blocks, to be freed by the caller.
    static func open(_ path: String) throws(TrustFault) -> OpaquePointer {
        ErrorQueue.clear()
        // A directory can be opened, and would be an empty file.
        guard !isDirectory(path) else { throw TrustFault(path: path, reason: String(cString: strerror(EISDIR))) }
        guard let bio = BIO_new_file(path, "r") else {
            throw TrustFault(path: path, reason: ErrorQueue.drain()?.text ?? "cannot be read")
        }
        return bio
    }

    private static func isDirectory(_ path: String) -> Bool {
        var facts = stat()
        return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
    }

    /// Everything is read now: at a handshake nobody waits for a disk, and what is wrong is said at the start.
    private static func read(
        _ bio: OpaquePointer, into context: OpaquePointer, path: String, skipsUnreadable: Bool
    ) throws(TrustFault) -> Int {
        let store = SSL_CTX_get_cert_store(context)
        var (count, index) = (0, 0)
        while true {
            index += 1
            // Without a callback OpenSSL would ask for a password on the terminal.
            if let certificate = PEM_read_bio_X509_AUX(bio, nil, { _, _, _, _ in -1 }, nil) {
                defer { X509_free(certificate) }
                guard X509_STORE_add_cert(store, certificate) == 1 else { preconditionFailure("out of memory") }
                count += 1
                continue
            }
            let entry = ErrorQueue.drain()
            if entry == nil || entry?.isEndOfPEM == true { break }
            // A file whose reading fails is at its end as well; one more block may follow one that makes no sense.
            guard skipsUnreadable, BIO_ctrl(bio, BIO_CTRL_EOF, 0, nil) == 0 else {
                throw TrustFault(path: path, reason: "certificate \(index) cannot be read: \(entry?.text ?? "")")
            }
        }
        guard count > 0 else { throw TrustFault(path: path, reason: "no certificate in it") }
        return count
    }

    // MARK: - Verification

    /// Certificates between the peer's and a trusted one. Public chains have one or two.
    private static let depthMax: Int32 = 8

    private static func configure(_ context: OpaquePointer) throws(TrustFault) {
        guard Manner.take(by: context) else {
            throw TrustFault(path: "OpenSSL", reason: ErrorQueue.drain()?.text ?? "refuses its settings")
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        SSL_CTX_set_verify_depth(context, depthMax)
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), UInt(X509_V_FLAG_PARTIAL_CHAIN))
        Staple.ask(by: context)
        SSL_CTX_set_cert_verify_callback(context, { store, _ in Trust.verify(store) }, nil)
    }

    /// OpenSSL's own verification, unless the name is pinned; notes what was refused, which OpenSSL would forget.
    private static func verify(_ store: OpaquePointer?) -> Int32 {
        let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())
        guard let wire = Wire.of(OpaquePointer(ssl)) else { return 0 }
        let leaf = X509_STORE_CTX_get0_cert(store)
        if let pinned = wire.pointee.pinned {
            let isAllowed = leaf.map { Pins.allow($0, pinned) } ?? false
            if !isAllowed { wire.pointee.refusal = (.notPinned, leaf.map { PeerCertificate($0) }) }
            X509_STORE_CTX_set_error(store, isAllowed ? X509_V_OK : X509_V_ERR_CERT_REJECTED)
            return isAllowed ? 1 : 0
        }
        if X509_verify_cert(store) > 0 { return 1 }
        let shown = leaf.map { PeerCertificate($0) }
        let culprit = X509_STORE_CTX_get_current_cert(store).map { PeerCertificate($0) }
        let fault = CertificateFault(X509_STORE_CTX_get_error(store), culprit ?? shown)
        wire.pointee.refusal = (fault, shown)
        return 0
    }
}

/// Why there is no trust: which file, and what is wrong with it.
public struct TrustFault: Error, Equatable, Sendable, CustomStringConvertible {
    public let path: String
    public let reason: String

    public var description: String { "\(path): \(reason)" }
}
