import Bytes
import COpenSSL
import Glibc

/// A certificate of OpenSSL's, freed when it goes.
struct Certificate: ~Copyable {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_free(pointer) }
}

/// A private key of OpenSSL's, freed when it goes.
struct PrivateKey: ~Copyable {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    /// A new one, ECDSA on P-256: the kind that every client takes and that signs fastest.
    init() throws(AuthorityFault) {
        guard let made = weir_make_key() else { throw .openSSL() }
        pointer = made
    }

    deinit { EVP_PKEY_free(pointer) }

    /// The digest as strong as the key (RFC 5480 section 4).
    var digest: OpaquePointer? {
        guard EVP_PKEY_get_base_id(pointer) == EVP_PKEY_EC else { return EVP_sha256() }
        let bits = EVP_PKEY_get_bits(pointer)
        return bits > 384 ? EVP_sha512() : bits > 256 ? EVP_sha384() : EVP_sha256()
    }
}

/// An extension that stands in more than one certificate, freed when it goes.
final class Extension {
    let pointer: OpaquePointer

    /// By OpenSSL's number and notation.
    init(_ number: Int32, _ value: String) throws(AuthorityFault) {
        guard let made = X509V3_EXT_conf_nid(nil, nil, number, value) else { throw .openSSL() }
        pointer = made
    }

    /// Which key is certified (RFC 5280 section 4.2.1.2).
    init(subjectKey identifier: [UInt8]) throws(AuthorityFault) {
        guard let octets = ASN1_OCTET_STRING_new() else { preconditionFailure("out of memory") }
        defer { ASN1_OCTET_STRING_free(octets) }
        try must(ASN1_OCTET_STRING_set(octets, identifier, Int32(identifier.count)) == 1)
        guard let made = X509V3_EXT_i2d(NID_subject_key_identifier, 0, octets) else { throw .openSSL() }
        pointer = made
    }

    /// Which key signed (RFC 5280 section 4.2.1.1).
    init(issuerKey identifier: [UInt8]) throws(AuthorityFault) {
        guard let value = AUTHORITY_KEYID_new(), let octets = ASN1_OCTET_STRING_new() else {
            preconditionFailure("out of memory")
        }
        defer { AUTHORITY_KEYID_free(value) }
        value.pointee.keyid = octets
        try must(ASN1_OCTET_STRING_set(octets, identifier, Int32(identifier.count)) == 1)
        guard let made = X509V3_EXT_i2d(NID_authority_key_identifier, 0, value) else { throw .openSSL() }
        pointer = made
    }

    deinit { X509_EXTENSION_free(pointer) }
}

// MARK: - Writing one

extension Certificate {
    /// A certificate to be written: version 3, for this key.
    init(for key: borrowing PrivateKey) throws(AuthorityFault) {
        guard let blank = X509_new() else { preconditionFailure("out of memory") }
        self.init(owning: blank)
        try must(X509_set_version(pointer, 2) == 1 && X509_set_pubkey(pointer, key.pointer) == 1)
    }

    /// 128 random bits, as a positive number: nobody can guess what is to be signed (RFC 5280 asks for 20 bytes at most).
    static func randomSerial() throws(AuthorityFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16)
        try must(RAND_bytes(&bytes, Int32(bytes.count)) == 1)
        return bytes
    }

    borrowing func set(serial: [UInt8]) throws(AuthorityFault) {
        guard let number = BN_bin2bn(serial, Int32(serial.count), nil) else { preconditionFailure("out of memory") }
        defer { BN_free(number) }
        try must(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pointer)) != nil)
    }

    /// Both in unix seconds.
    borrowing func set(notBefore: Int64, notAfter: Int64) throws(AuthorityFault) {
        try must(ASN1_TIME_set(X509_getm_notBefore(pointer), Int(notBefore)) != nil)
        try must(ASN1_TIME_set(X509_getm_notAfter(pointer), Int(notAfter)) != nil)
    }

    borrowing func addToSubject(_ attribute: Int32, _ text: String) throws(AuthorityFault) {
        let bytes = Array(text.utf8)
        try must(
            X509_NAME_add_entry_by_NID(
                X509_get_subject_name(pointer), attribute, MBSTRING_UTF8, bytes, Int32(bytes.count), -1, 0) == 1)
    }

    borrowing func set(issuer: OpaquePointer) throws(AuthorityFault) {
        try must(X509_set_issuer_name(pointer, X509_get_subject_name(issuer)) == 1)
    }

    borrowing func add(_ extension: Extension) throws(AuthorityFault) {
        try must(X509_add_ext(pointer, `extension`.pointer, -1) == 1)
    }

    /// The one name that the certificate is for. A name of DNS stands as it is, and never with a wildcard: a `DomainName`
    /// has no `*`.
    borrowing func add(alternativeName name: Host, isCritical: Bool) throws(AuthorityFault) {
        let (kind, type, bytes) =
            switch name {
            case .name(let name): (GEN_DNS, V_ASN1_IA5STRING, Array(name.bytes))
            case .address(let address): (GEN_IPADD, V_ASN1_OCTET_STRING, address.networkBytes)
            }
        guard let names = GENERAL_NAMES_new(), let one = GENERAL_NAME_new(), let text = ASN1_STRING_type_new(type)
        else {
            preconditionFailure("out of memory")
        }
        defer { GENERAL_NAMES_free(names) }
        GENERAL_NAME_set0_value(one, kind, text)
        guard weir_names_push(names, one) > 0 else { preconditionFailure("out of memory") }
        try must(ASN1_STRING_set(text, bytes, Int32(bytes.count)) == 1)
        try must(
            X509_add1_ext_i2d(pointer, NID_subject_alt_name, UnsafeMutableRawPointer(names), isCritical ? 1 : 0, 0) == 1
        )
    }

    borrowing func sign(with key: borrowing PrivateKey) throws(AuthorityFault) {
        try must(X509_sign(pointer, key.pointer, key.digest) > 0)
    }
}

// MARK: - Reading one

extension Certificate {
    /// SHA-1 of the public key, which names it (RFC 5280 section 4.2.1.2, method 1); nothing rests on its strength.
    static func keyIdentifier(of certificate: OpaquePointer) throws(AuthorityFault) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        try must(X509_pubkey_digest(certificate, EVP_sha1(), &digest, &count) == 1)
        return Array(digest.prefix(Int(count)))
    }

    /// The identifier that the certificate gives its key; else the one that it would have by method 1.
    static func statedKeyIdentifier(of certificate: OpaquePointer) throws(AuthorityFault) -> [UInt8] {
        guard let stated = X509_get0_subject_key_id(certificate) else { return try keyIdentifier(of: certificate) }
        return Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(stated), count: Int(ASN1_STRING_length(stated))))
    }

    /// Unix seconds; nil for a time that is none.
    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        var calendar = tm()
        guard ASN1_TIME_to_tm(time, &calendar) == 1 else { return nil }
        return Int64(timegm(&calendar))
    }
}
