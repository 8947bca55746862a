import Bytes
import COpenSSL

/// What one session's OpenSSL object reads from and writes to: the bytes that a call was given, and the buffer that it is
/// to fill. Lives at one address as long as the object does, which knows it by that address; outside a call it holds
/// neither.
struct Wire {
    /// Not yet read by OpenSSL.
    private(set) var input = UnsafeRawBufferPointer(start: nil, count: 0)
    private var output: UnsafeMutablePointer<Buffer>?
    /// The certificate that was refused, and why.
    var refusal: (fault: CertificateFault, certificate: PeerCertificate?)?
    /// Of a client: what the server must show one of, where its name is pinned.
    var pinned: Set<Pin.Fingerprint>?
    /// Of a server: what it may choose by ALPN, as it stands in the extension.
    var protocols: [UInt8] = []

    var hasInput: Bool { !input.isEmpty }

    mutating func attach(_ bytes: UnsafeRawBufferPointer, _ replies: UnsafeMutablePointer<Buffer>) {
        precondition(output == nil, "a wire serves one call at a time")
        (input, output) = (bytes, replies)
    }

    mutating func detach() {
        (input, output) = (UnsafeRawBufferPointer(start: nil, count: 0), nil)
    }

    private mutating func read(into start: UnsafeMutablePointer<CChar>, _ count: Int32) -> Int32 {
        let taken = min(Int(count), input.count)
        UnsafeMutableRawBufferPointer(start: start, count: taken).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: input.prefix(taken)))
        input = UnsafeRawBufferPointer(rebasing: input.dropFirst(taken))
        return Int32(taken)
    }

    private mutating func write(_ start: UnsafePointer<CChar>, _ count: Int32) -> Int32 {
        guard let output else { return -1 }
        output.pointee.append(UnsafeRawBufferPointer(start: start, count: Int(count)))
        return count
    }

    // MARK: - As OpenSSL sees it

    /// A BIO over the wire at this address, which must outlive it.
    static func bio(over wire: UnsafeMutablePointer<Wire>) -> OpaquePointer {
        guard let bio = BIO_new(method) else { preconditionFailure("out of memory") }
        BIO_set_data(bio, wire)
        BIO_set_init(bio, 1)
        return bio
    }

    /// The wire of a session, in OpenSSL's callbacks.
    static func of(_ ssl: OpaquePointer?) -> UnsafeMutablePointer<Wire>? {
        SSL_get_ex_data(ssl, 0)?.assumingMemoryBound(to: Wire.self)
    }

    private static func behind(_ bio: OpaquePointer?) -> UnsafeMutablePointer<Wire>? {
        BIO_get_data(bio)?.assumingMemoryBound(to: Wire.self)
    }

    // Made once and only read from then on; OpenSSL wants it by address for as long as there are sessions.
    nonisolated(unsafe) private static let method: OpaquePointer = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire") else {
            preconditionFailure("out of memory")
        }
        BIO_meth_set_read(method) { bio, start, count in
            guard let wire = Wire.behind(bio), let start, count > 0 else { return -1 }
            BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            let taken = wire.pointee.read(into: start, count)
            if taken > 0 { return taken }
            weir_set_retry_read(bio)
            return -1
        }
        BIO_meth_set_write(method) { bio, start, count in
            guard let wire = Wire.behind(bio), let start, count > 0 else { return -1 }
            return wire.pointee.write(start, count)
        }
        // Nothing waits in a wire, so a flush is done at once. All else that may be asked is not there.
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }()
}
