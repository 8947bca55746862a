import Bytes
import COpenSSL

/// One side of a TLS connection, as a machine fed bytes: OpenSSL behind five verbs, with nothing of it to be seen from
/// outside.
///
/// ```
///             handshake            finished                    close_notify
///  (init) ─────────────▶ handshaking ─────────▶ open ────────────────────────────▶ closed
///                             │                  │ alert, violation, end of stream
///                             └──────────────────┴───────────────▶ failed(why)
/// ```
///
/// Bytes may come cut anywhere. Every verb may put bytes into the buffer for the peer; in every state, and also after a
/// failure (the alert), they are to be sent.
///
/// Bounds: all that `receive` is given is taken at once, and gives no more plaintext than it has bytes, apart from the
/// record that earlier calls left incomplete (16 KiB at most). Nothing else grows with what the peer sends. So whoever
/// reads no more from the socket while `plain` or the buffer for the peer is full bounds everything; the answers to what a
/// peer sends (key updates, alerts) count as much as data there. `send` takes all: while `unsentCount` or the buffer for
/// the peer is large, whoever sends must pause.
public struct TLSSession: ~Copyable {
    public enum State: Equatable, Sendable {
        case handshaking
        /// The peer is who it should be; of a client nothing is asked.
        case open
        /// The peer has said that it sends no more. It may still read.
        case closed
        case failed(TLSFailure)
    }

    public private(set) var state = State.handshaking
    private let ssl: OpaquePointer
    /// What the OpenSSL object reads and writes, and knows by its address.
    private let wire: UnsafeMutablePointer<Wire>
    private let role: Role
    private let alpn: [String]
    /// Plaintext that cannot be encrypted yet.
    private var unsent = Buffer()
    /// We have said that we send no more.
    private var ended = false

    /// What we are to the peer.
    private enum Role {
        case client(Trust, of: Host)
        /// Kept alive for as long as OpenSSL uses what it owns.
        case server(ServerContext, Leaf)
    }

    /// The client's side.
    ///
    /// - Parameters:
    ///   - name: whom the certificate must name, by an alternative name (RFC 9525: never by its common name); a host name
    ///     also goes out as the SNI.
    ///   - alpn: protocols to offer, by preference. Names that ALPN cannot carry are left out.
    ///   - resuming: what an earlier session left; ignored if it was with somebody else or is too old.
    public init(trust: Trust, name: Host, alpn: [String] = [], resuming: Resumption? = nil) {
        self.init(trust.context, .client(trust, of: name), alpn: alpn)
        SSL_set_connect_state(ssl)
        expect(name)
        wire.pointee.pinned = trust.pins.of(name)
        offerProtocols()
        resuming?.resume(on: ssl, trust: trust, name: name)
        ErrorQueue.clear()
    }

    /// The server's side, for a client that wants to reach the name of `leaf`.
    ///
    /// - Parameter alpn: protocols to choose from, by preference; none is chosen where the client offers none of them.
    public init(serving leaf: Leaf, in context: ServerContext, alpn: [String]) {
        self.init(context.context, .server(context, leaf), alpn: alpn)
        SSL_set_accept_state(ssl)
        // A chain with something weak in it is refused.
        if !show(leaf) { fail(TLSFailure(drainingQueueIn: true)) }
        wire.pointee.protocols = protocolList
        ErrorQueue.clear()
    }

    private init(_ context: OpaquePointer, _ role: Role, alpn: [String]) {
        ErrorQueue.clear()
        guard let ssl = SSL_new(context) else { preconditionFailure("out of memory") }
        self.ssl = ssl
        self.role = role
        self.alpn = alpn.filter { (1...255).contains($0.utf8.count) }
        wire = .allocate(capacity: 1)
        wire.initialize(to: Wire())
        let bio = Wire.bio(over: wire)
        SSL_set_bio(ssl, bio, bio)
        SSL_set_ex_data(ssl, 0, wire)
    }

    deinit {
        // Else OpenSSL takes the end of a connection without close_notify for a reason not to resume. That was so in
        // TLS 1.0; a session that failed has already been marked.
        if SSL_is_init_finished(ssl) == 1 { SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
        SSL_free(ssl)
        wire.deinitialize(count: 1)
        wire.deallocate()
        ErrorQueue.clear()
    }

    private func expect(_ name: Host) {
        let isSet: Bool
        switch name {
        case .name(let name):
            // `*.example` stands for one whole label.
            SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
            let text = name.description
            isSet = SSL_set1_host(ssl, text) == 1 && weir_set_server_name(ssl, text) == 1
        case .address(let address):
            // RFC 6066 section 3: an address is no server name.
            let bytes = address.networkBytes
            isSet = X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), bytes, bytes.count) == 1
        }
        // Without a name every certificate would do.
        precondition(isSet, "out of memory")
    }

    private func offerProtocols() {
        let list = protocolList
        // Zero is success, for once.
        precondition(list.isEmpty || SSL_set_alpn_protos(ssl, list, UInt32(list.count)) == 0, "out of memory")
    }

    /// As they stand in the extension (RFC 7301 section 3.1).
    private var protocolList: [UInt8] { alpn.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } }

    private func show(_ leaf: Leaf) -> Bool {
        guard SSL_use_cert_and_key(ssl, leaf.certificate, leaf.key, leaf.chain, 1) == 1 else { return false }
        // A ticket is good for the name that it was given for, whatever OpenSSL makes of names in tickets.
        let name = Array(leaf.name.description.utf8)
        var context = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let isDigested = EVP_Digest(name, name.count, &context, &length, EVP_sha256(), nil) == 1
        precondition(isDigested && SSL_set_session_id_context(ssl, context, length) == 1, "out of memory")
        return true
    }

    // MARK: - The five verbs

    /// Begins: a client puts its ClientHello into `cipher`, a server nothing.
    public mutating func handshake(into cipher: inout Buffer) {
        withUnsafeMutablePointer(to: &cipher) { cipher in
            attach(UnsafeRawBufferPointer(start: nil, count: 0), cipher)
            if state == .handshaking { shake() }
            detach()
        }
    }

    /// Takes bytes from the peer: their plaintext goes to the end of `plain`, what is to be answered to the end of
    /// `replies`. What precedes a failure in the stream is in `plain` before the state says so.
    public mutating func receive(_ cipher: UnsafeRawBufferPointer, into plain: inout Buffer, replies: inout Buffer) {
        withUnsafeMutablePointer(to: &replies) { replies in
            attach(cipher, replies)
            if state == .handshaking { shake() }
            while state == .open, wire.pointee.hasInput || SSL_has_pending(ssl) == 1, read(into: &plain) {}
            flush()
            detach()
        }
    }

    /// Takes all of `plain`: encrypted to the end of `cipher`, or kept until the handshake is done. Nothing goes out after
    /// `close` or a failure.
    public mutating func send(_ plain: UnsafeRawBufferPointer, into cipher: inout Buffer) {
        guard !ended, !hasFailed, !plain.isEmpty else { return }
        withUnsafeMutablePointer(to: &cipher) { cipher in
            attach(UnsafeRawBufferPointer(start: nil, count: 0), cipher)
            if state == .handshaking || !unsent.isEmpty || !write(plain) { unsent.append(plain) }
            detach()
        }
    }

    /// Says to the peer, after all that was sent, that no more comes (close_notify). What it still sends can be received.
    public mutating func close(into cipher: inout Buffer) {
        guard !ended, !hasFailed else { return }
        ended = true
        withUnsafeMutablePointer(to: &cipher) { cipher in
            attach(UnsafeRawBufferPointer(start: nil, count: 0), cipher)
            if state != .handshaking, unsent.isEmpty { SSL_shutdown(ssl) }
            detach()
        }
    }

    /// The peer's stream has ended. Without close_notify before it that may be the work of somebody in between (RFC 8446
    /// section 6.1). Of a client it hides nothing: what it sends says itself where it ends, and many just go.
    public mutating func endOfStream() {
        switch state {
        case .handshaking: fail(.closedInHandshake)
        case .open:
            if case .server = role { state = .closed } else { fail(.truncated) }
        case .closed, .failed: break
        }
    }

    /// Taken by `send` and waiting for the handshake, or for the rest of a message of the peer that came in pieces.
    public var unsentCount: Int { unsent.count }

    // MARK: - What is known of the peer

    public struct Facts: Equatable, Sendable {
        /// Such as 0x0304 for TLS 1.3.
        public let version: UInt16
        /// By its name in the standards, such as `TLS_AES_128_GCM_SHA256`.
        public let cipher: String
        public let alpn: String?
        /// The peer was verified in an earlier session.
        public let isResumed: Bool
        /// The peer is known by its fingerprint, and by nothing else.
        public let isPinned: Bool
    }

    /// What the handshake settled; nil before its end.
    public var facts: Facts? {
        guard SSL_is_init_finished(ssl) == 1, let cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl)) else {
            return nil
        }
        return Facts(
            version: UInt16(truncatingIfNeeded: SSL_version(ssl)), cipher: String(cString: cipher),
            alpn: chosenProtocol, isResumed: SSL_session_reused(ssl) == 1, isPinned: wire.pointee.pinned != nil)
    }

    /// The peer's own certificate, also one that was refused. Making it allocates: ask once.
    public var certificate: PeerCertificate? {
        wire.pointee.refusal?.certificate ?? SSL_get0_peer_certificate(ssl).map { PeerCertificate($0) }
    }

    /// For the next session with this server; nil if it gave no ticket, which in TLS 1.3 comes some time after the
    /// handshake.
    public func resumption() -> Resumption? {
        guard case .client(let trust, let name) = role, let session = SSL_get1_session(ssl) else { return nil }
        let resumption = Resumption(session, trust: trust, name: name)
        return resumption.isUsable ? resumption : nil
    }

    private var chosenProtocol: String? {
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &start, &count)
        guard count > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
    }

    // MARK: - Steps

    private func attach(_ bytes: UnsafeRawBufferPointer, _ replies: UnsafeMutablePointer<Buffer>) {
        ErrorQueue.clear()
        wire.pointee.attach(bytes, replies)
    }

    private func detach() {
        wire.pointee.detach()
        ErrorQueue.clear()
    }

    private var hasFailed: Bool {
        if case .failed = state { true } else { false }
    }

    private mutating func shake() {
        let result = SSL_do_handshake(ssl)
        guard result == 1 else { return judge(result) }
        // Not every OpenSSL minds what the server chose.
        if case .client = role, let chosenProtocol, !alpn.contains(chosenProtocol) {
            return fail(.violation("the protocol that it chose was not offered"))
        }
        state = .open
    }

    /// Whether there may be more to read.
    private mutating func read(into plain: inout Buffer) -> Bool {
        // The rest of a record that was read in part, or what the input can hold.
        let wanted = max(Int(SSL_pending(ssl)), min(wire.pointee.input.count, 1 << 14), 64)
        let room = plain.writable(wanted)
        var count = 0
        let result = SSL_read_ex(ssl, room.baseAddress, room.count, &count)
        guard result == 1 else {
            judge(result)
            return false
        }
        plain.wrote(count)
        return true
    }

    /// All or nothing: the wire takes everything, so only an unfinished message of the peer is in the way.
    private mutating func write(_ plain: UnsafeRawBufferPointer) -> Bool {
        var count = 0
        let result = SSL_write_ex(ssl, plain.baseAddress, plain.count, &count)
        if result != 1 { judge(result) }
        return result == 1
    }

    private mutating func flush() {
        guard state == .open || state == .closed else { return }
        if !unsent.isEmpty {
            // Out of `self` while it is written from.
            var waiting = Buffer()
            swap(&waiting, &unsent)
            guard write(waiting.readable) else {
                if !hasFailed { swap(&waiting, &unsent) }
                return
            }
            if ended { SSL_shutdown(ssl) }
        } else if ended, SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN == 0 {
            SSL_shutdown(ssl)
        }
    }

    /// What a call that did not succeed means for the session.
    private mutating func judge(_ result: Int32) {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: break
        case SSL_ERROR_ZERO_RETURN:
            if state == .handshaking { fail(.closedInHandshake) } else { state = .closed }
        default:
            if let refusal = wire.pointee.refusal { return fail(.certificate(refusal.fault)) }
            fail(TLSFailure(drainingQueueIn: state == .handshaking))
        }
    }

    private mutating func fail(_ failure: TLSFailure) {
        state = .failed(failure)
        unsent.release()
    }
}

extension IPAddress {
    /// In network byte order: 4 bytes, or 16.
    var networkBytes: [UInt8] {
        isV4
            ? stride(from: UInt32(24), through: 0, by: -8).map { UInt8(truncatingIfNeeded: v4Bits >> $0) }
            : [high, low].flatMap { half in
                stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: half >> $0) }
            }
    }
}
