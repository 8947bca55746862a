import Bytes

/// What kind of place an address is, whoever asks: outside, in a private range, or inward and refused.
///
/// An IPv6 address that carries an IPv4 address is judged as both, and the stricter class counts.
struct AddressClass: Hashable, Sendable {
    enum Kind: UInt8, Sendable { case outward, privateRange, refused }

    let kind: Kind
    /// Bits of the range that gave the class. A rule names such an address only if its prefix is at least as long:
    /// `0.0.0.0/0` does not name 169.254.169.254, `169.254.0.0/16` does.
    let range: UInt8

    init(_ kind: Kind, _ range: UInt8) {
        self.kind = kind
        self.range = range
    }

    init(_ address: IPAddress) {
        if address.isV4 {
            self.init(v4: address.v4Bits)
            return
        }
        var strictest = AddressClass(v6: address)
        address.forEachEmbeddedV4 { bits in
            let inner = AddressClass(v4: bits)
            // A range of IPv6 addresses says nothing about the IPv4 addresses inside: only the address itself names it.
            if inner.kind.rawValue > strictest.kind.rawValue { strictest = AddressClass(inner.kind, 128) }
        }
        self = strictest
    }

    private init(v4 bits: UInt32) {
        let (first, second) = (bits >> 24, bits >> 16 & 0xff)
        switch first {
        case 0: self.init(.refused, 96 + 8)  // "this network"; 0.0.0.0 is the host itself to connect(2)
        case 127: self.init(.refused, 96 + 8)  // loopback
        case 169 where second == 254: self.init(.refused, 96 + 16)  // link-local, with the metadata services
        case 192 where bits >> 8 == 0xc0_0000: self.init(.refused, 96 + 24)  // IETF protocol assignments, RFC 6890
        case 100 where bits == 0x6464_64c8: self.init(.refused, 128)  // 100.100.100.200, Alibaba metadata
        case 224...239: self.init(.refused, 96 + 4)  // multicast
        case 240...255: self.init(.refused, 96 + 4)  // reserved, and broadcast
        case 10: self.init(.privateRange, 96 + 8)
        case 172 where second & 0xf0 == 16: self.init(.privateRange, 96 + 12)
        case 192 where second == 168: self.init(.privateRange, 96 + 16)
        case 100 where second & 0xc0 == 64: self.init(.privateRange, 96 + 10)  // carrier-grade NAT, RFC 6598
        case 198 where second & 0xfe == 18: self.init(.privateRange, 96 + 15)  // benchmarking, RFC 2544
        case 168 where bits == 0xa83f_8110: self.init(.privateRange, 128)  // 168.63.129.16, Azure's platform and DNS
        default: self.init(.outward, 0)
        }
    }

    private init(v6 address: IPAddress) {
        let high = address.high
        switch high >> 48 {
        case 0 where high == 0 && address.low <= 1: self.init(.refused, 128)  // unspecified, loopback
        case 0x0100 where high == 0x0100 << 48: self.init(.refused, 64)  // discard-only, RFC 6666
        case 0xfd00 where high >> 32 == 0xfd00_0ec2: self.init(.refused, 32)  // AWS metadata
        case 0xfd20 where high == 0xfd20_00ce << 32 && address.low == 0x254: self.init(.refused, 128)  // Google
        case 0xfc00...0xfdff: self.init(.privateRange, 7)  // unique-local
        case 0xfe80...0xfebf: self.init(.refused, 10)  // link-local
        case 0xfec0...0xfeff: self.init(.privateRange, 10)  // site-local, deprecated
        case 0xff00...0xffff: self.init(.refused, 8)  // multicast
        default: self.init(.outward, 0)
        }
    }
}

extension IPAddress {
    /// Calls `body` with each IPv4 address that this IPv6 address may stand for; IPv4 addresses themselves carry none.
    @inline(__always)
    func forEachEmbeddedV4(_ body: (UInt32) -> Void) {
        let last = UInt32(truncatingIfNeeded: low)
        if high == 0 {
            // ::/96, IPv4-compatible (deprecated), and ::ffff:0:0:0/96, IPv4-translated (RFC 2765).
            if low >> 32 == 0 || low >> 32 == 0xffff_0000 { body(last) }
        } else if high >> 48 == 0x2002 {
            body(UInt32(truncatingIfNeeded: high >> 16))  // 6to4, RFC 3056
        } else if high >> 32 == 0x2001_0000 {
            // Teredo, RFC 4380: the server, and the client with its bits inverted.
            body(UInt32(truncatingIfNeeded: high))
            body(~last)
        } else if high == 0x0064_ff9b << 32, low >> 32 == 0 {
            body(last)  // NAT64, RFC 6052
        } else if high >> 16 == 0x0064_ff9b_0001 {
            localNAT64(body)
        }
    }

    /// 64:ff9b:1::/48 (RFC 8215) is cut by whoever runs the translator: the IPv4 address stands at one of the places of
    /// RFC 6052 section 2.2. All are tried; zeros mean that it is not there.
    private func localNAT64(_ body: (UInt32) -> Void) {
        let (top, rest) = (UInt32(truncatingIfNeeded: high), low << 8)
        var found = false
        func place(_ bits: UInt32) {
            if bits >> 24 == 0 { return }
            found = true
            body(bits)
        }
        place(top << 16 | UInt32(truncatingIfNeeded: rest >> 48))
        place(top << 24 | UInt32(truncatingIfNeeded: rest >> 40))
        place(UInt32(truncatingIfNeeded: rest >> 32))
        place(UInt32(truncatingIfNeeded: low))
        if !found { body(0) }
    }
}
