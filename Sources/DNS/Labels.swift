// The words that people use for the numbers of the protocol.

extension RecordType {
    /// Nil for a type that few have heard of: those are written `TYPE4711` (RFC 3597 section 5).
    public var label: StaticString? {
        switch self {
        case .a: "A"
        case .ns: "NS"
        case .cname: "CNAME"
        case .soa: "SOA"
        case .null: "NULL"
        case .ptr: "PTR"
        case .mx: "MX"
        case .txt: "TXT"
        case .aaaa: "AAAA"
        case .srv: "SRV"
        case .dname: "DNAME"
        case .rrsig: "RRSIG"
        case .nsec: "NSEC"
        case .nsec3: "NSEC3"
        case .svcb: "SVCB"
        case .https: "HTTPS"
        case .tsig: "TSIG"
        case .ixfr: "IXFR"
        case .axfr: "AXFR"
        case .any: "ANY"
        default: rareLabel
        }
    }

    private var rareLabel: StaticString? {
        switch rawValue {
        case 13: "HINFO"
        case 17: "RP"
        case 18: "AFSDB"
        case 25: "KEY"
        case 29: "LOC"
        case 35: "NAPTR"
        case 37: "CERT"
        case 43: "DS"
        case 44: "SSHFP"
        case 48: "DNSKEY"
        case 52: "TLSA"
        case 61: "OPENPGPKEY"
        case 99: "SPF"
        case 256: "URI"
        case 257: "CAA"
        default: nil
        }
    }
}

extension ResponseCode {
    public var label: StaticString? {
        switch self {
        case .noError: "NOERROR"
        case .formatError: "FORMERR"
        case .serverFailure: "SERVFAIL"
        case .noSuchName: "NXDOMAIN"
        case .notImplemented: "NOTIMP"
        case .refused: "REFUSED"
        case .badVersion: "BADVERS"
        default: nil
        }
    }
}
