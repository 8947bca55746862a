import Bytes

/// The data of an HTTPS or SVCB record (RFC 9460 section 2.2): priority, target and parameters in ranges of the message.
struct ServiceBinding {
    enum Key {
        static let mandatory: UInt16 = 0
        static let alpn: UInt16 = 1
        static let noDefaultALPN: UInt16 = 2
        static let ipv4hint: UInt16 = 4
        static let ech: UInt16 = 5
        static let ipv6hint: UInt16 = 6
    }

    let bytes: UnsafeRawBufferPointer
    /// Priority and target.
    let head: Range<Int>
    let parameters: Parameters

    /// Reads what every recipient must: keys in ascending order, lengths that fit, and values of the keys above that are
    /// what their sections say.
    init(reading bytes: UnsafeRawBufferPointer, data: Range<Int>) throws(DNSFault) {
        let target = try WireName(reading: bytes, at: data.lowerBound + 2)
        // The target is never compressed.
        guard target.end <= data.upperBound, target.end - target.start == target.length else { throw .data }
        self.bytes = bytes
        head = data.lowerBound..<target.end
        parameters = Parameters(bytes: bytes, at: target.end, end: data.upperBound)
        try check()
    }

    struct Parameter {
        let key: UInt16
        let value: Range<Int>
    }

    struct Parameters: Sequence, IteratorProtocol {
        let bytes: UnsafeRawBufferPointer
        var at: Int
        let end: Int

        mutating func next() -> Parameter? {
            guard at + 4 <= end, let key = bytes.uint16(at: at), let length = bytes.uint16(at: at + 2),
                at + 4 + Int(length) <= end
            else { return nil }
            let parameter = Parameter(key: key, value: at + 4..<at + 4 + Int(length))
            at = parameter.value.upperBound
            return parameter
        }
    }

    private func check() throws(DNSFault) {
        var last = -1
        var walk = parameters
        while let parameter = walk.next() {
            guard Int(parameter.key) > last else { throw .data }
            last = Int(parameter.key)
            let count = parameter.value.count
            let isGood =
                switch parameter.key {
                case Key.mandatory: isMandatoryList(parameter.value)
                case Key.alpn: count > 0 && protocols(parameter.value) != nil
                case Key.noDefaultALPN: count == 0
                case Key.ipv4hint: count > 0 && count % 4 == 0
                case Key.ipv6hint: count > 0 && count % 16 == 0
                default: true
                }
            guard isGood else { throw .data }
        }
        guard walk.at == walk.end else { throw .data }
    }

    /// Keys in ascending order, each of them there, and the list not among them (RFC 9460 section 8).
    private func isMandatoryList(_ value: Range<Int>) -> Bool {
        guard value.count > 0, value.count % 2 == 0 else { return false }
        var last: UInt16 = 0
        for key in keys(value) {
            guard key > last, parameters.contains(where: { $0.key == key }) else { return false }
            last = key
        }
        return true
    }

    private func keys(_ value: Range<Int>) -> some Sequence<UInt16> {
        stride(from: value.lowerBound, to: value.upperBound, by: 2).lazy.compactMap { bytes.uint16(at: $0) }
    }

    /// The names of an `alpn` list; nil if it is none.
    private func protocols(_ value: Range<Int>) -> [Range<Int>]? {
        var found: [Range<Int>] = []
        var at = value.lowerBound
        while at < value.upperBound {
            let end = at + 1 + Int(bytes[at])
            guard end > at + 1, end <= value.upperBound else { return nil }
            found.append(at + 1..<end)
            at = end
        }
        return found
    }

    var addresses: [IPAddress] {
        parameters.flatMap { parameter in
            hints(parameter).map(\.address)
        }
    }

    private func hints(_ parameter: Parameter) -> [(address: IPAddress, at: Range<Int>)] {
        let size = parameter.key == Key.ipv4hint ? 4 : 16
        guard parameter.key == Key.ipv4hint || parameter.key == Key.ipv6hint else { return [] }
        return stride(from: parameter.value.lowerBound, to: parameter.value.upperBound, by: size).compactMap { at in
            bytes.address(at: at, size: size).map { ($0, at..<at + size) }
        }
    }
}

// MARK: - Rewriting

extension ServiceBinding {
    enum Rewriting: Equatable { case same, changed, dropped }

    /// Writes the data without what is not to be had. A record that makes no sense without what went is dropped.
    func write(
        keeping: (IPAddress) -> Bool, dropsECH: Bool, dropsHTTP3: Bool, into buffer: inout Buffer
    ) -> Rewriting {
        buffer.append(UnsafeRawBufferPointer(rebasing: bytes[head]))
        var gone: [UInt16] = []
        var isChanged = false
        for parameter in parameters {
            var kept: [Range<Int>]?
            switch parameter.key {
            case Key.ech where dropsECH:
                kept = []
            case Key.alpn where dropsHTTP3:
                kept = protocols(parameter.value)?.filter { !isHTTP3($0) }.map { $0.lowerBound - 1..<$0.upperBound }
            case Key.ipv4hint, Key.ipv6hint:
                kept = hints(parameter).filter { keeping($0.address) }.map(\.at)
            default:
                break
            }
            let value = kept ?? [parameter.value]
            let count = value.reduce(0) { $0 + $1.count }
            isChanged = isChanged || kept != nil && count < parameter.value.count
            if let kept, kept.isEmpty {
                isChanged = true
                gone.append(parameter.key)
                continue
            }
            buffer.append(bigEndian: parameter.key)
            buffer.append(bigEndian: UInt16(truncatingIfNeeded: count))
            for range in value { buffer.append(UnsafeRawBufferPointer(rebasing: bytes[range])) }
        }
        if !gone.isEmpty, isEmptied(gone) { return .dropped }
        return isChanged ? .changed : .same
    }

    /// HTTP/3 and its drafts, such as `h3-29`.
    private func isHTTP3(_ name: Range<Int>) -> Bool {
        let text = bytes[name]
        return text.elementsEqual("h3".utf8) || text.starts(with: "h3-".utf8)
    }

    /// Whether the service cannot be had without the parameters that went: some are mandatory, or no protocol is left.
    private func isEmptied(_ gone: [UInt16]) -> Bool {
        parameters.contains { parameter in
            switch parameter.key {
            case Key.mandatory: keys(parameter.value).contains { gone.contains($0) }
            case Key.noDefaultALPN: gone.contains(Key.alpn)
            default: false
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The address of 4 or 16 bytes at an offset.
    func address(at offset: Int, size: Int) -> IPAddress? {
        if size == 4 { return uint32(at: offset).map { IPAddress(v4: $0) } }
        guard let high = uint64(at: offset), let low = uint64(at: offset + 8) else { return nil }
        return IPAddress(high: high, low: low)
    }
}
