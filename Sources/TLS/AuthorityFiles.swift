import COpenSSL
import Glibc

/// The files of an authority as they are read: certificates from one, the key from the other.
enum AuthorityFiles {
    /// More is not a chain, nor a key.
    static let bytesMax = 1 << 20

    /// All certificates of a file, one at least.
    static func certificates(_ path: String) throws(AuthorityFault) -> CertificateStack {
        let bytes = try read(path, isSecret: false)
        let bio = try PEM.bio(over: bytes)
        defer { BIO_free(bio) }
        let found = CertificateStack()
        // Without a callback OpenSSL would ask for a password on the terminal.
        while let certificate = PEM_read_bio_X509(bio, nil, { _, _, _, _ in -1 }, nil) {
            found.append(certificate)
            X509_free(certificate)
        }
        let entry = ErrorQueue.drain()
        guard entry == nil || entry?.isEndOfPEM == true else {
            throw AuthorityFault(
                path: path, reason: "certificate \(found.count + 1) cannot be read: \(entry?.text ?? "")")
        }
        guard found.count > 0 else {
            throw AuthorityFault(path: path, reason: "no certificate in it: expected one in PEM, then those above it")
        }
        return found
    }

    /// The private key of a file that nobody else may read.
    static func key(_ path: String) throws(AuthorityFault) -> PrivateKey {
        var bytes = try read(path, isSecret: true)
        defer { OPENSSL_cleanse(&bytes, bytes.count) }
        let bio = try PEM.bio(over: bytes)
        defer { BIO_free(bio) }
        var isEncrypted = false
        let key = withUnsafeMutablePointer(to: &isEncrypted) { flag in
            PEM_read_bio_PrivateKey(
                bio, nil,
                { _, _, _, flag in
                    flag?.assumingMemoryBound(to: Bool.self).pointee = true
                    return -1
                }, flag)
        }
        guard let key else {
            throw AuthorityFault(
                path: path,
                reason: isEncrypted
                    ? "the key is encrypted: expected one without a password, in a file of mode 0600"
                    : "no private key in it that can be read: expected one in PEM")
        }
        ErrorQueue.clear()
        return PrivateKey(owning: key)
    }

    /// The whole of a small file. What is asked of the file is asked of the one that was opened.
    private static func read(_ path: String, isSecret: Bool) throws(AuthorityFault) -> [UInt8] {
        // A pipe in its place would be waited for.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard file >= 0 else { throw AuthorityFault(path: path, doing: "open") }
        defer { close(file) }
        var facts = stat()
        guard fstat(file, &facts) == 0 else { throw AuthorityFault(path: path, doing: "look at") }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw AuthorityFault(path: path, reason: "not a plain file") }
        if isSecret, facts.st_mode & 0o077 != 0 {
            let mode = "0" + String(facts.st_mode & 0o777, radix: 8)
            throw AuthorityFault(path: path, reason: "others may read it or write it (mode \(mode)): chmod 600 \(path)")
        }
        guard facts.st_size <= bytesMax else {
            throw AuthorityFault(path: path, reason: "has \(facts.st_size) bytes: expected \(bytesMax) at most")
        }
        // In one piece, so that no copy of a key is left behind where the array was before it grew.
        var bytes = [UInt8](repeating: 0, count: Int(facts.st_size))
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                pread(file, $0.baseAddress.map { $0 + count }, $0.count - count, count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw AuthorityFault(path: path, doing: "read") }
            if got == 0 { break }
            count += got
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}

/// OpenSSL's objects as text, and back.
enum PEM {
    /// Reads what is in `bytes`, of which it has a copy that is overwritten when it goes.
    static func bio(over bytes: [UInt8]) throws(AuthorityFault) -> OpaquePointer {
        guard let bio = BIO_new(BIO_s_secmem()) else { preconditionFailure("out of memory") }
        guard bytes.isEmpty || BIO_write(bio, bytes, Int32(bytes.count)) == bytes.count else {
            BIO_free(bio)
            throw .openSSL()
        }
        return bio
    }

    static func text(_ certificate: OpaquePointer) -> String {
        String(decoding: written { PEM_write_bio_X509($0, certificate) }, as: UTF8.self)
    }

    /// To be overwritten by whoever takes it.
    static func secret(_ key: borrowing PrivateKey) -> [UInt8] {
        let pointer = key.pointer
        return written { PEM_write_bio_PrivateKey($0, pointer, nil, nil, 0, nil, nil) }
    }

    private static func written(_ write: (OpaquePointer) -> Int32) -> [UInt8] {
        guard let bio = BIO_new(BIO_s_secmem()) else { preconditionFailure("out of memory") }
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { preconditionFailure("out of memory") }
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        precondition(count == bytes.count, "a memory BIO gives what it has")
        return bytes
    }
}

extension AuthorityFault {
    /// A system call that failed just now.
    init(path: String, doing: String, code: Int32 = errno) {
        self.init(path: path, reason: "cannot \(doing) it: \(String(cString: strerror(code)))")
    }
}
