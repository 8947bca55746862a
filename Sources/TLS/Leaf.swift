import Bytes
import COpenSSL

/// A certificate for one name, with the key and the chain that go with it.
///
/// Sound to share: nothing changes it once it is signed, and OpenSSL counts its references atomically.
public final class Leaf: @unchecked Sendable {
    public let name: Host
    /// Unix seconds, when it is to be minted anew: a day before it ends, so that neither a session that begins late nor a
    /// client whose clock is fast meets the end.
    public let expires: Int64

    private let minted: Certificate
    private let form: LeafForm

    /// X509.
    var certificate: OpaquePointer { minted.pointer }
    /// EVP_PKEY.
    var key: OpaquePointer { form.key.pointer }
    /// STACK_OF(X509): what is sent along, from the issuer on.
    var chain: OpaquePointer { form.chain.pointer }

    init(_ name: Host, expires: Int64, _ minted: consuming Certificate, _ form: LeafForm) {
        self.name = name
        self.expires = expires
        self.minted = minted
        self.form = form
    }
}

/// What all certificates of an authority have in common. One key does for all of them: whoever could take one from this
/// process could take the others, and a key for each name would double what minting costs.
final class LeafForm {
    let key: PrivateKey
    let chain: CertificateStack
    let extensions: [Extension]

    init(issuer: OpaquePointer, chain: consuming CertificateStack) throws(AuthorityFault) {
        key = try PrivateKey()
        self.chain = chain
        let blank = try Certificate(for: key)
        extensions = [
            try Extension(NID_basic_constraints, "critical,CA:FALSE"),
            try Extension(NID_key_usage, "critical,digitalSignature"),
            try Extension(NID_ext_key_usage, "serverAuth"),
            try Extension(subjectKey: Certificate.keyIdentifier(of: blank.pointer)),
            try Extension(issuerKey: Certificate.statedKeyIdentifier(of: issuer)),
        ]
    }
}

/// Certificates in a row, each with a reference; freed when it goes.
struct CertificateStack: ~Copyable {
    /// STACK_OF(X509).
    let pointer: OpaquePointer

    init() {
        guard let made = weir_chain_new() else { preconditionFailure("out of memory") }
        pointer = made
    }

    deinit { weir_chain_free(pointer) }

    var count: Int { Int(weir_chain_count(pointer)) }

    subscript(index: Int) -> OpaquePointer {
        guard let one = weir_chain_at(pointer, Int32(index)) else { preconditionFailure("no certificate \(index)") }
        return one
    }

    /// Counts a reference of its own.
    borrowing func append(_ certificate: OpaquePointer) {
        X509_up_ref(certificate)
        guard weir_chain_push(pointer, certificate) > 0 else { preconditionFailure("out of memory") }
    }
}
