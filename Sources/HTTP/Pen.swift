import Glibc

/// Writes into the room a buffer gave for a whole head, which is asked for once.
struct Pen {
    private let start: UnsafeMutableRawPointer
    private var at: UnsafeMutableRawPointer
    private let end: UnsafeMutableRawPointer

    /// `room` is never empty: the caller asked for some.
    init(_ room: UnsafeMutableRawBufferPointer) {
        guard let base = room.baseAddress else { preconditionFailure("a pen needs room") }
        start = base
        at = base
        end = base + room.count
    }

    var written: Int { at - start }

    @inline(__always)
    mutating func put(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        guard let base = bytes.baseAddress, !range.isEmpty else { return }
        precondition(range.upperBound <= bytes.count && range.count <= end - at, "a head is larger than it said")
        memcpy(at, base + range.lowerBound, range.count)
        at += range.count
    }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        let count = text.utf8CodeUnitCount
        precondition(count <= end - at, "a head is larger than it said")
        memcpy(at, text.utf8Start, count)
        at += count
    }

    /// A status: three digits.
    @inline(__always)
    mutating func put(status: Int) {
        precondition(end - at >= 3 && (100...999).contains(status), "a status has three digits")
        let zero = UInt8(ascii: "0")
        at.storeBytes(of: UInt8(truncatingIfNeeded: status / 100) + zero, as: UInt8.self)
        at.storeBytes(of: UInt8(truncatingIfNeeded: status / 10 % 10) + zero, toByteOffset: 1, as: UInt8.self)
        at.storeBytes(of: UInt8(truncatingIfNeeded: status % 10) + zero, toByteOffset: 2, as: UInt8.self)
        at += 3
    }

    /// The fields that stay, each `name: value` CRLF in the spelling it came in. Neighbours that came in that form are
    /// copied together.
    @inline(__always)
    mutating func put(
        _ fields: ContiguousArray<Field>, from bytes: UnsafeRawBufferPointer, without dropped: FieldNames
    ) {
        var run = 0..<0
        for field in fields {
            if dropped.has(field.id) || field.isNominated { continue }
            let (start, end) = (Int(field.nameStart), Int(field.valueEnd) &+ 2)
            if field.isCanonical {
                if start != run.upperBound {
                    put(bytes, run)
                    run = start..<start
                }
                run = run.lowerBound..<end
            } else {
                put(bytes, run)
                run = 0..<0
                put(bytes, field.name)
                put(": ")
                if field.id == .transferEncoding { put("chunked") } else { put(bytes, field.value) }
                put("\r\n")
            }
        }
        put(bytes, run)
    }
}
