import COpenSSL
import Synchronization

/// The keys of session tickets: the one that new tickets are sealed with, and the one before it, which still opens what it
/// sealed. Who takes a key from this process can read what was resumed with its tickets, and of no time before.
final class TicketKeys: Sendable {
    private let ring: Mutex<Ring>

    init() { ring = Mutex(Ring()) }

    /// What the present key sealed can still be opened; what the one before it sealed cannot.
    func renew() { ring.withLock { $0.renew() } }

    /// As OpenSSL asks: zero where the ticket is not ours to open, 2 where it is to be replaced.
    fileprivate func prepare(
        _ name: UnsafeMutablePointer<UInt8>, _ vector: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer?,
        _ digest: OpaquePointer?, seals: Bool
    ) -> Int32 {
        // A pointer may not go into the closure; its address may, and nobody else looks there meanwhile.
        nonisolated(unsafe) let (name, vector, cipher, digest) = (name, vector, cipher, digest)
        return ring.withLock { ring in
            if seals { return weir_ticket_seal(ring.present, name, vector, cipher, digest) }
            if weir_ticket_open(ring.present, name, vector, cipher, digest) == 1 { return 1 }
            return ring.hasFormer && weir_ticket_open(ring.former, name, vector, cipher, digest) == 1 ? 2 : 0
        }
    }

    /// Two keys that stay where they are: no copy of them is left anywhere.
    ///
    /// Sound to send: nobody else has the pointers.
    private struct Ring: ~Copyable, @unchecked Sendable {
        private(set) var present = Ring.room()
        private(set) var former = Ring.room()
        private(set) var hasFormer = false

        init() { Ring.make(present) }

        deinit {
            for key in [present, former] {
                OPENSSL_cleanse(key, MemoryLayout<weir_ticket_key>.size)
                key.deallocate()
            }
        }

        mutating func renew() {
            swap(&present, &former)
            Ring.make(present)
            hasFormer = true
        }

        private static func room() -> UnsafeMutablePointer<weir_ticket_key> {
            let key = UnsafeMutablePointer<weir_ticket_key>.allocate(capacity: 1)
            key.initialize(to: weir_ticket_key())
            return key
        }

        private static func make(_ key: UnsafeMutablePointer<weir_ticket_key>) {
            guard RAND_priv_bytes(key, Int32(MemoryLayout<weir_ticket_key>.size)) == 1 else {
                preconditionFailure("no random numbers")
            }
        }
    }
}

extension TicketKeys {
    /// Has a context use them; they must outlive it.
    func serve(_ context: OpaquePointer) {
        SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context) { ssl, name, vector, cipher, digest, seals in
            guard let name, let vector, let keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0) else { return -1 }
            return Unmanaged<TicketKeys>.fromOpaque(keys)._withUnsafeGuaranteedRef {
                $0.prepare(name, vector, cipher, digest, seals: seals == 1)
            }
        }
    }
}
