import CCodecs

/// Writes zip files, correct ones and others.
struct ZipBuilder {
    struct Entry {
        var name: String
        var content: [UInt8]
        var method = 8
        var flags = 0
        /// Sizes and checksum come behind the content.
        var described = false
        var signed = true
        var wide = false
        /// Instead of what the method makes of the content.
        var packed: [UInt8]?
        var stated: Int?
        var listed = true
    }

    private(set) var bytes: [UInt8] = []
    private var directory: [UInt8] = []
    private var listed = 0

    static func le(_ value: Int, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    static func make(_ entries: [Entry], gap: [UInt8] = [], end: Bool = true) -> [UInt8] {
        var builder = ZipBuilder()
        for entry in entries {
            builder.add(entry)
            builder.bytes += gap
        }
        return end ? builder.ended() : builder.bytes
    }

    mutating func add(_ entry: Entry) {
        let le = ZipBuilder.le
        let packed = entry.packed ?? (entry.method == 8 ? Pack.bare(entry.content) : entry.content)
        let sum = Int(
            entry.content.withUnsafeBytes { crc32(0, $0.bindMemory(to: UInt8.self).baseAddress, UInt32($0.count)) })
        let flags = entry.flags | (entry.described ? 8 : 0)
        let (small, large) = entry.described ? (0, 0) : (entry.stated ?? packed.count, entry.content.count)
        let from = bytes.count
        let extra =
            entry.wide ? le(0xaaaa, 2) + le(3, 2) + [1, 2, 3] + le(1, 2) + le(16, 2) + le(large, 8) + le(small, 8) : []
        bytes += le(0x0403_4b50, 4) + le(45, 2) + le(flags, 2) + le(entry.method, 2) + le(0, 4)
        bytes += entry.described ? le(0, 4) : le(sum, 4)
        bytes += entry.wide ? le(0xffff_ffff, 4) + le(0xffff_ffff, 4) : le(small, 4) + le(large, 4)
        bytes += le(entry.name.utf8.count, 2) + le(extra.count, 2) + Array(entry.name.utf8) + extra + packed
        if entry.described {
            let size = entry.wide ? 8 : 4
            bytes += (entry.signed ? le(0x0807_4b50, 4) : []) + le(sum, 4)
            bytes += le(packed.count, size) + le(entry.content.count, size)
        }
        guard entry.listed else { return }
        listed += 1
        directory += le(0x0201_4b50, 4) + le(45, 2) + le(45, 2) + le(flags, 2) + le(entry.method, 2) + le(0, 4)
        directory += le(sum, 4) + le(packed.count, 4) + le(entry.content.count, 4) + le(entry.name.utf8.count, 2)
        directory += le(0, 2) + le(0, 2) + le(0, 2) + le(0, 2) + le(0, 4) + le(from, 4) + Array(entry.name.utf8)
    }

    func ended() -> [UInt8] {
        let le = ZipBuilder.le
        let end = le(0x0605_4b50, 4) + le(0, 2) + le(0, 2) + le(listed, 2) + le(listed, 2)
        return bytes + directory + end + le(directory.count, 4) + le(bytes.count, 4) + le(7, 2) + Array("comment".utf8)
    }
}
