import Bytes
import Glibc

/// Where names stand in the data of a record: after some bytes and some strings, before a rest.
///
/// Only the types of RFC 1035, and those that RFC 3597 section 4 lists, may come with compressed names. They are written
/// anew; every other type's data is carried as it is, which is what keeps types that nobody has thought of yet working.
struct RecordData {
    let lead: Int
    let strings: Int
    let names: Int
    /// Bytes after the names, nil for any number.
    let rest: Int?
    /// Whether names may be compressed in what we write: only where every reader knows the type (RFC 3597 section 4).
    let compresses: Bool

    private init(lead: Int = 0, strings: Int = 0, names: Int, rest: Int? = 0, compresses: Bool = false) {
        self.lead = lead
        self.strings = strings
        self.names = names
        self.rest = rest
        self.compresses = compresses
    }

    init?(_ type: RecordType) {
        switch type.rawValue {
        case 2, 3, 4, 5, 7, 8, 9, 12: self.init(names: 1, compresses: true)  // NS MD MF CNAME MB MG MR PTR
        case 6: self.init(names: 2, rest: 20, compresses: true)  // SOA
        case 14: self.init(names: 2, compresses: true)  // MINFO
        case 15: self.init(lead: 2, names: 1, compresses: true)  // MX
        case 17: self.init(names: 2)  // RP
        case 18, 21: self.init(lead: 2, names: 1)  // AFSDB RT
        case 24: self.init(lead: 18, names: 1, rest: nil)  // SIG
        case 26: self.init(lead: 2, names: 2)  // PX
        case 30: self.init(names: 1, rest: nil)  // NXT
        case 33: self.init(lead: 6, names: 1)  // SRV
        case 35: self.init(lead: 4, strings: 3, names: 1)  // NAPTR
        case 39: self.init(names: 1)  // DNAME
        default: return nil
        }
    }

    /// Where the first name stands in `data`.
    func firstName(of bytes: UnsafeRawBufferPointer, in data: Range<Int>) throws(DNSFault) -> Int {
        var at = data.lowerBound + lead
        for _ in 0..<strings {
            guard at < data.upperBound, let length = bytes.uint8(at: at) else { throw .data }
            at += 1 + Int(length)
        }
        guard at < data.upperBound else { throw .data }
        return at
    }
}

extension Message {
    /// The code with the upper bits of EDNS.
    public var responseCode: ResponseCode {
        guard let opt = additionals.first(where: { $0.type == .opt }) else { return header.responseCode }
        return ResponseCode(rawValue: UInt16(opt.timeToLive >> 24) << 4 | header.responseCode.rawValue)
    }

    /// The type that a signature is over.
    func covered(by record: ResourceRecord) -> RecordType? {
        guard record.type == .rrsig, record.data.count >= 18 else { return nil }
        return bytes.uint16(at: record.data.lowerBound).map { RecordType(rawValue: $0) }
    }

    /// The zone that made a signature (RFC 4034 section 3.1.7).
    func signer(of record: ResourceRecord) -> WireName? {
        guard record.type == .rrsig, record.data.count > 18 else { return nil }
        return try? WireName(reading: bytes, at: record.data.lowerBound + 18)
    }

    /// Whether `name` is `ancestor` or lies below it, in any letter case.
    func isWithin(_ name: WireName, _ ancestor: WireName) -> Bool {
        guard ancestor.length <= name.length else { return false }
        var labels = name.labels(in: bytes)
        var left = name.length
        while left > ancestor.length {
            guard let label = labels.next() else { return false }
            left -= 1 + label.count
        }
        return left == ancestor.length && sameLabels(labels, ancestor.labels(in: bytes))
    }

    /// The name without its first label.
    func parent(of name: WireName) -> WireName? {
        var labels = name.labels(in: bytes)
        return labels.next() == nil ? nil : try? WireName(reading: bytes, at: labels.at)
    }
}

/// Whether two names of the same length are the same in any letter case (RFC 4343).
func sameLabels(_ a: WireName.Labels, _ b: WireName.Labels) -> Bool {
    var (left, right) = (a, b)
    while let one = left.next() {
        guard let other = right.next(), one.count == other.count else { return false }
        // Where two names run together, all that follows is the same.
        guard let start = left.bytes.baseAddress.map({ $0 + one.lowerBound }),
            let otherStart = right.bytes.baseAddress.map({ $0 + other.lowerBound })
        else { return false }
        if start == otherStart { return true }
        if memcmp(start, otherStart, one.count) == 0 { continue }
        for index in 0..<one.count
        where lower(left.bytes[one.lowerBound + index]) != lower(right.bytes[other.lowerBound + index]) {
            return false
        }
    }
    return right.next() == nil
}
