import Bytes

/// Writes a response that is kept, record by record, with every name compressed that may be, and notes on the way what
/// its records say.
struct AnswerWriter: ~Copyable {
    /// Names remembered as targets of compression, each with all its ends: past it names are written out, so that a
    /// response of thousands of names costs no more than its length.
    static let suffixesMax = 64

    private struct Suffix {
        var offset: UInt16 = 0
        /// Its length written out.
        var length: UInt16 = 0
    }

    private(set) var buffer: Buffer
    private(set) var timeOffsets: ContiguousArray<UInt16> = []
    private(set) var addresses: [IPAddress] = []
    private(set) var hints: [IPAddress] = []
    private(set) var hasServiceBinding = false
    private(set) var answers: UInt16 = 0
    private(set) var authorities: UInt16 = 0
    /// The least time to live of the records of the answer.
    private(set) var leastTime = UInt32.max
    private var suffixes = InlineArray<64, Suffix>(repeating: Suffix())
    private var suffixCount = 0

    /// Begins with the header and the question, whose name is in lower case from here on.
    init(name: WireName, of bytes: UnsafeRawBufferPointer, type: RecordType, recordClass: UInt16, capacity: Int) {
        buffer = Buffer(capacity: capacity + name.length + Header.length + 4)
        for _ in 0..<6 { buffer.append(bigEndian: 0) }
        append(name, of: bytes, compressing: true)
        for byte in buffer.mutableReadable.indices.dropFirst(Header.length) {
            buffer.mutableReadable[byte] = lower(buffer.mutableReadable[byte])
        }
        buffer.append(bigEndian: type.rawValue)
        buffer.append(bigEndian: recordClass)
    }

    enum Section { case answer, authority }

    /// - Parameters:
    ///   - timeToLive: instead of the record's own.
    ///   - data: instead of the record's own; holds no name that is compressed.
    mutating func append(
        _ record: ResourceRecord, of message: Message, to section: Section, timeToLive: UInt32? = nil,
        data: UnsafeRawBufferPointer? = nil
    ) throws(DNSFault) {
        append(record.name, of: message.bytes, compressing: true)
        buffer.append(bigEndian: record.type.rawValue)
        buffer.append(bigEndian: record.recordClass)
        timeOffsets.append(UInt16(truncatingIfNeeded: buffer.count))
        buffer.append(bigEndian32: timeToLive ?? record.timeToLive)
        let start = buffer.count
        buffer.append(bigEndian: 0)
        if let data {
            buffer.append(data)
        } else {
            try appendData(of: record, of: message.bytes)
        }
        let length = buffer.count - start - 2
        guard buffer.count <= Int(UInt16.max) else { throw .size }
        buffer.mutableReadable[start] = UInt8(truncatingIfNeeded: length >> 8)
        buffer.mutableReadable[start + 1] = UInt8(truncatingIfNeeded: length)
        switch section {
        case .answer:
            answers += 1
            leastTime = min(leastTime, timeToLive ?? record.timeToLive)
            note(record, of: message, data: start + 2..<buffer.count)
        case .authority:
            authorities += 1
        }
    }

    private mutating func appendData(of record: ResourceRecord, of bytes: UnsafeRawBufferPointer) throws(DNSFault) {
        guard let layout = RecordData(record.type) else {
            return buffer.append(UnsafeRawBufferPointer(rebasing: bytes[record.data]))
        }
        var at = try layout.firstName(of: bytes, in: record.data)
        buffer.append(UnsafeRawBufferPointer(rebasing: bytes[record.data.lowerBound..<at]))
        for _ in 0..<layout.names {
            let name = try WireName(reading: bytes, at: at)
            guard name.end <= record.data.upperBound else { throw .data }
            append(name, of: bytes, compressing: layout.compresses)
            at = name.end
        }
        guard layout.rest == nil || layout.rest == record.data.upperBound - at else { throw .data }
        buffer.append(UnsafeRawBufferPointer(rebasing: bytes[at..<record.data.upperBound]))
    }

    private mutating func note(_ record: ResourceRecord, of message: Message, data: Range<Int>) {
        switch record.type {
        case .a, .aaaa:
            if let address = message.address(of: record) { addresses.append(address) }
        case .svcb, .https:
            hasServiceBinding = true
            guard let binding = try? ServiceBinding(reading: buffer.readable, data: data) else { return }
            hints += binding.addresses
        default:
            break
        }
    }

    /// Appends a name, from the first of its labels on from where it has been written before (RFC 1035 section 4.1.4).
    private mutating func append(_ name: WireName, of bytes: UnsafeRawBufferPointer, compressing: Bool) {
        var labels = name.labels(in: bytes)
        var left = name.length
        while left > 1 {
            if compressing {
                if let target = suffix(labels, length: left) {
                    return buffer.append(bigEndian: 0xc000 | target)
                }
                remember(left)
            }
            guard let label = labels.next() else { break }
            buffer.append(UnsafeRawBufferPointer(rebasing: bytes[label.lowerBound - 1..<label.upperBound]))
            left -= 1 + label.count
        }
        buffer.append(UInt8(0))
    }

    private func suffix(_ labels: WireName.Labels, length: Int) -> UInt16? {
        let written = buffer.readable
        for index in 0..<suffixCount where suffixes[index].length == length {
            let there = WireName.Labels(bytes: written, at: Int(suffixes[index].offset))
            if sameLabels(labels, there) { return suffixes[index].offset }
        }
        return nil
    }

    /// The bytes that are written next begin a name of that length; a pointer reaches 16383 at most.
    private mutating func remember(_ length: Int) {
        guard suffixCount < AnswerWriter.suffixesMax, buffer.count < 0x4000 else { return }
        suffixes[suffixCount] = Suffix(offset: UInt16(buffer.count), length: UInt16(length))
        suffixCount += 1
    }

    /// Fills in the header and gives the whole message.
    consuming func finish(flags: UInt16) -> ContiguousArray<UInt8> {
        let bytes = buffer.mutableReadable
        for (index, word) in [0, flags, 1, answers, authorities, 0].enumerated() {
            bytes.storeBytes(of: word.bigEndian, toByteOffset: 2 * index, as: UInt16.self)
        }
        return ContiguousArray(buffer.readable)
    }
}

extension Buffer {
    mutating func append(bigEndian32 value: UInt32) {
        append(bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        append(bigEndian: UInt16(truncatingIfNeeded: value))
    }
}
