import COpenSSL

/// Lists of certificates that their issuers take back (CRLs, RFC 5280 section 5), as read from files.
///
/// A certificate on one of them is refused, and so is what it issued. That there is no list of an issuer, or that there is
/// no newer one than it promised, refuses nothing: what an old list takes back stays taken back.
///
/// Sound to share: after `init` all of it is only read, but for the order of a list, which OpenSSL makes under its lock.
public final class Revocation: @unchecked Sendable {
    /// Of lists that should have been replaced by now, in words.
    public let doubts: [String]
    private let lists: [OpaquePointer]

    public init(_ paths: [String]) throws(TrustFault) {
        ErrorQueue.clear()
        defer { ErrorQueue.clear() }
        var (lists, doubts): ([OpaquePointer], [String]) = ([], [])
        do throws(TrustFault) {
            for path in paths {
                let read = try Revocation.read(path, into: &lists)
                doubts += lists[read...].compactMap { Revocation.doubt($0) }.map { "\(path): \($0)" }
            }
        } catch {
            for list in lists { X509_CRL_free(list) }
            throw error
        }
        (self.lists, self.doubts) = (lists, doubts)
    }

    deinit { for list in lists { X509_CRL_free(list) } }

    /// Answers with the index of the first list of this file.
    private static func read(_ path: String, into lists: inout [OpaquePointer]) throws(TrustFault) -> Int {
        let bio = try Trust.open(path)
        defer { BIO_free(bio) }
        let first = lists.count
        while let list = PEM_read_bio_X509_CRL(bio, nil, { _, _, _, _ in -1 }, nil) { lists.append(list) }
        let entry = ErrorQueue.drain()
        guard entry == nil || entry?.isEndOfPEM == true else {
            throw TrustFault(
                path: path, reason: "list \(lists.count - first + 1) cannot be read: \(entry?.text ?? "")")
        }
        guard lists.count > first else {
            throw TrustFault(path: path, reason: "no X509 CRL in it: expected one in PEM")
        }
        return first
    }

    private static func doubt(_ list: OpaquePointer) -> String? {
        guard let next = X509_CRL_get0_nextUpdate(list), X509_cmp_current_time(next) <= 0 else { return nil }
        let issuer = PeerCertificate.text { weir_print_name($0, X509_CRL_get_issuer(list)) }
        let time = PeerCertificate.text { ASN1_TIME_print_ex($0, next, UInt(ASN1_DTFLGS_ISO8601)) }
        return "the list of \(issuer) was to be replaced by \(time): what was revoked since is not known"
    }

    /// For verifications by this context.
    func apply(to context: OpaquePointer) {
        let store = SSL_CTX_get_cert_store(context)
        for list in lists {
            guard X509_STORE_add_crl(store, list) == 1 else { preconditionFailure("out of memory") }
        }
        X509_VERIFY_PARAM_set_flags(
            SSL_CTX_get0_param(context), UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER) { isValid, store in
            isValid == 1 ? 1 : Revocation.overlook(store)
        }
    }

    /// Nobody has to know of everybody's lists, and one of several parts of a list may not be about this certificate.
    private static func overlook(_ store: OpaquePointer?) -> Int32 {
        switch X509_STORE_CTX_get_error(store) {
        case X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_DIFFERENT_CRL_SCOPE, X509_V_ERR_CRL_HAS_EXPIRED,
            X509_V_ERR_CRL_NOT_YET_VALID:
            X509_STORE_CTX_set_error(store, X509_V_OK)
            return 1
        default: return 0
        }
    }
}
