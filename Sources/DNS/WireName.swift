import Bytes

/// Where a name stands in a message: checked once when it is read, walked freely afterwards.
///
/// The offsets are those of the message that the name was read from. A name is any labels at all, whatever bytes they
/// hold; `Message.domainName` gives the canonical form of those that are host names.
public struct WireName: Equatable, Sendable {
    public let start: Int
    /// Just after the name where it stands: after its root label, or after its first compression pointer.
    public let end: Int
    /// Its length written out, root label included: 1...255 (RFC 1035 section 2.3.4).
    public let length: Int

    /// Hops that a name may take; a name of ordinary servers takes one or two.
    static let jumpsMax = 64

    init(reading bytes: UnsafeRawBufferPointer, at start: Int) throws(DNSFault) {
        var at = start
        var end: Int?
        var length = 0
        var jumps = 0
        // Each pointer must lead before the run of labels that holds it (RFC 1035 section 4.1.4: a prior occurrence),
        // so a walk always moves towards the header and cannot loop.
        var run = start
        while true {
            guard let head = bytes.uint8(at: at) else { throw .cut }
            switch head {
            case 0:
                self.start = start
                self.end = end ?? at + 1
                self.length = length + 1
                return
            case 1...63:
                length += 1 + Int(head)
                guard length < 255 else { throw .nameLength }
                at += 1 + Int(head)
            case 0xc0...0xff:
                guard let word = bytes.uint16(at: at) else { throw .cut }
                let target = Int(word & 0x3fff)
                guard target < run, target >= Header.length else { throw .pointer }
                jumps += 1
                guard jumps <= WireName.jumpsMax else { throw .pointer }
                end = end ?? at + 2
                (at, run) = (target, target)
            default:
                // 0x40 and 0x80 were other label types once (RFC 6891 section 5).
                throw .label
            }
        }
    }

    /// The labels of the name in `bytes`, the message it was read from, without the root.
    func labels(in bytes: UnsafeRawBufferPointer) -> Labels { Labels(bytes: bytes, at: start) }

    struct Labels: Sequence, IteratorProtocol {
        let bytes: UnsafeRawBufferPointer
        var at: Int

        mutating func next() -> Range<Int>? {
            while let head = bytes.uint8(at: at), head != 0 {
                if head < 64 {
                    let label = at + 1..<at + 1 + Int(head)
                    at = label.upperBound
                    return label.upperBound <= bytes.count ? label : nil
                }
                guard let word = bytes.uint16(at: at) else { return nil }
                at = Int(word & 0x3fff)
            }
            return nil
        }
    }
}

/// What is wrong with the bytes of a message.
public enum DNSFault: Error, Equatable, Sendable {
    /// The message ends within something it began.
    case cut
    /// A label of a type that does not exist.
    case label
    /// A compression pointer that leads forward, into the header or through too many hops.
    case pointer
    /// A name over 255 bytes.
    case nameLength
    /// Record data that does not fit its type.
    case data
    /// Sections that have no place in such a message, or more than one of what there may be one of.
    case counts
    /// Bytes after the last record.
    case trailing
    /// EDNS that is not as RFC 6891 has it.
    case edns
    /// A chain of aliases that is too long, or a ring.
    case chain
    /// More than a message can hold once it is written out.
    case size
}

extension UnsafeRawBufferPointer {
    /// The integer at an offset, or nil where it is not wholly inside.
    @inline(__always) func uint8(at offset: Int) -> UInt8? {
        offset >= 0 && offset < count ? self[offset] : nil
    }

    @inline(__always) func uint16(at offset: Int) -> UInt16? {
        guard offset >= 0, offset <= count - 2 else { return nil }
        return UInt16(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always) func uint32(at offset: Int) -> UInt32? {
        guard offset >= 0, offset <= count - 4 else { return nil }
        return UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always) func uint64(at offset: Int) -> UInt64? {
        guard offset >= 0, offset <= count - 8 else { return nil }
        return UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
