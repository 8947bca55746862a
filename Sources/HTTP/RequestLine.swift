/// The request line and the forms of its target (RFC 9112 section 3).
extension RequestHead {
    /// `line` has neither CR nor LF at its end.
    mutating func takeRequestLine(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) -> Rejection? {
        let methodEnd = Octet.span(bytes, line, of: Octet.token)
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound, bytes[methodEnd] == Octet.space else {
            return .malformed("a method and one space")
        }
        methodRange = line.lowerBound..<methodEnd
        method = Method(bytes, methodRange)

        // The CR at the latest ends the target: the scan may look beyond the line, and so by whole vectors.
        let targetEnd = Octet.targetEnd(bytes, methodEnd + 1, bytes.count)
        guard targetEnd > methodEnd + 1 else { return .malformed("a request target after one space") }
        guard targetEnd < line.upperBound else {
            return .malformed("a version after the target: HTTP/0.9 is not spoken")
        }
        guard bytes[targetEnd] == Octet.space else {
            switch bytes[targetEnd] {
            case UInt8(ascii: "#"): return .malformed("no fragment in the target")
            case Octet.cr: return .ambiguous("LF after CR")
            case 0: return .ambiguous("no NUL in a head")
            default: return .malformed("URI characters in the target, others percent-encoded")
            }
        }
        switch Version(bytes, targetEnd + 1..<line.upperBound) {
        case .minor(let minor): minorVersion = minor
        case .unknown:
            return Rejection(status: 505, threat: .malformedHTTP, message: "HTTP/1.1 or HTTP/1.0")
        case nil: return .malformed("one space and HTTP/1.1 at the end of the request line")
        }
        return takeTarget(bytes, methodEnd + 1..<targetEnd)
    }

    private mutating func takeTarget(_ bytes: UnsafeRawBufferPointer, _ target: Range<Int>) -> Rejection? {
        if method == .connect {
            form = .authority
            guard let named = Authority(bytes, target), named.port != nil else {
                return .malformed("host:port as the target of CONNECT")
            }
            take(named)
            return nil
        }
        if bytes[target.lowerBound] == UInt8(ascii: "/") {
            path = target
            return nil
        }
        if target.count == 1, bytes[target.lowerBound] == UInt8(ascii: "*") {
            form = .asterisk
            return method == .options ? nil : .malformed("the target * with OPTIONS alone")
        }
        return takeAbsolute(bytes, target)
    }

    private mutating func takeAbsolute(_ bytes: UnsafeRawBufferPointer, _ target: Range<Int>) -> Rejection? {
        let colon = target.first { bytes[$0] == Octet.colon } ?? target.upperBound
        let scheme = target.lowerBound..<colon
        isHTTPS = Octet.matches(bytes, scheme, "https")
        guard isHTTPS || Octet.matches(bytes, scheme, "http"), target.upperBound - colon > 3,
            bytes[colon + 1] == UInt8(ascii: "/"), bytes[colon + 2] == UInt8(ascii: "/")
        else { return .malformed("a path, or an absolute target with the scheme http or https") }
        let rest = colon + 3..<target.upperBound
        let end = rest.first { bytes[$0] == UInt8(ascii: "/") || bytes[$0] == UInt8(ascii: "?") } ?? rest.upperBound
        guard let named = Authority(bytes, rest.lowerBound..<end) else {
            return .malformed("a host and an optional port in the target, without user information")
        }
        take(named)
        if end < target.upperBound {
            form = .absolute
            path = end..<target.upperBound
        } else if method == .options {
            form = .asterisk
        } else {
            form = .absolute
            // The slash before the host stands for the one that is missing behind it.
            path = rest.lowerBound - 1..<rest.lowerBound
        }
        return nil
    }
}

/// `HTTP/` DIGIT `.` DIGIT.
enum Version {
    case minor(Int)
    /// Well formed, and not HTTP/1.0 or HTTP/1.1.
    case unknown

    init?(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        guard range.count == 8 else { return nil }
        let text = Octet.load(bytes, range.lowerBound)
        // "HTTP/" and "." in little-endian order, a digit's place masked out on both sides of the dot.
        guard text & 0x00ff_00ff_ffff_ffff == 0x002e_002f_5054_5448 else { return nil }
        let major = UInt8(truncatingIfNeeded: text &>> 40) &- UInt8(ascii: "0")
        let minor = UInt8(truncatingIfNeeded: text &>> 56) &- UInt8(ascii: "0")
        guard major < 10, minor < 10 else { return nil }
        self = major == 1 && minor < 2 ? .minor(Int(minor)) : .unknown
    }
}
