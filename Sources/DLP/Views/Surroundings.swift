import CLinux
import Glibc

/// What is around a few escapes of one kind, with them undone.
///
/// Most escapes are of no interest: no pattern could begin where they are, and nothing is encoded there once more. To see
/// that costs far less than to read a view of the text.
struct Surroundings {
    private let bytes: UnsafeMutablePointer<UInt8>
    /// By byte, whether it was decoded, or stands behind what was left out.
    private let marks: UnsafeMutablePointer<UInt8>
    private var count = 0
    /// Behind the last byte that was.
    private var decodedEnd = 0

    /// As far as it is looked at what an escape may change: no pattern is known by more bytes (`Automaton.bytesMax`,
    /// `weir_stretch`), and no run of digits needs more.
    private static let reach = 64
    /// Bytes of a window before an escape that are needed: the byte before the first at which a pattern could begin counts, too.
    static let behind = reach + 1
    private static let bytesMax = 512
    /// No escape is longer.
    static let escapeBytesMax = 12

    /// Where in the window the last of some escapes ends of which the first may stand at `place`, if they change nothing: no
    /// pattern could begin before that which reaches one, but for those that begin without them, too; and nothing that is
    /// decoded is of another encoding. Nil also where that is not known.
    ///
    /// `next`: what may be an escape between two indices of the window, and what it is.
    static func idleEnd(
        _ window: Window, _ place: Int, _ list: ReadList, _ search: Search, isForm: Bool,
        next: (Int, Int) -> (Int, Escape)?
    ) -> Int? {
        let head = min(behind, place)
        guard head == behind || window.start == 0 else { return nil }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * bytesMax) { room in
            guard let base = room.baseAddress else { return nil }
            memset(base + bytesMax, 0, bytesMax)
            var around = Surroundings(bytes: base, marks: base + bytesMax)
            around.append(window.base + (place - head), head)
            guard let end = around.undo(window, from: place, next) else { return nil }
            if around.decodedEnd == 0 { return end }
            let isEnd = window.ended && window.count - end <= reach
            let isIdle =
                !around.hasWide && !around.hasEscape(isForm: isForm)
                && !around.hasRun(weir_base64_digits(), ended: isEnd) && !around.hasRun(weir_hex_digits(), ended: isEnd)
                && !around.mayMatch(from: head == behind ? 1 : 0, list, search, ended: isEnd)
            return isIdle ? end : nil
        }
    }

    private init(bytes: UnsafeMutablePointer<UInt8>, marks: UnsafeMutablePointer<UInt8>) {
        (self.bytes, self.marks) = (bytes, marks)
    }

    private mutating func append(_ from: UnsafePointer<UInt8>, _ count: Int) {
        memcpy(bytes + self.count, from, count)
        self.count += count
    }

    private mutating func append(decoded byte: UInt8) {
        bytes[count] = byte
        marks[count] = 1
        count += 1
    }

    /// Undoes escapes up to one behind which there is none within reach; answers where that ends.
    private mutating func undo(
        _ window: Window, from place: Int, _ next: (Int, Int) -> (Int, Escape)?
    ) -> Int? {
        var (at, end) = (place, place + 1)
        while true {
            let limit = min(end + Self.reach, window.count)
            let found = next(at, limit)
            let plain = (found?.0 ?? limit) - at
            guard count + plain + Self.escapeBytesMax <= Self.bytesMax else { return nil }
            append(window.base + at, plain)
            at += plain
            guard let (_, escape) = found else {
                return limit == end + Self.reach || window.ended ? end : nil
            }
            switch escape {
            case .none:
                append(window.base + at, 1)
                at += 1
                continue
            case .open: return nil
            case .byte(let byte, let length):
                append(decoded: byte)
                at += length
            case .scalar(let value, let length):
                for byte in Escape.utf8(value) { append(decoded: byte) }
                at += length
            case .nothing(let length):
                // What stands on both sides may be one escape together.
                marks[count] = 1
                at += length
            }
            (end, decodedEnd) = (at, count)
        }
    }

    private var hasWide: Bool {
        var signs: UInt32 = 0
        _ = weir_survey(bytes, UInt(count), 0, &signs)
        return ViewSigns(rawValue: signs).contains(.wide)
    }

    /// Another escape, or the same once more, of which something was decoded.
    private func hasEscape(isForm: Bool) -> Bool {
        let asked = UInt32(isForm ? WEIR_SIGN_ESCAPE | WEIR_SIGN_PLUS : WEIR_SIGN_ESCAPE)
        var (at, signs) = (0, UInt32(0))
        while at < decodedEnd {
            at += Int(weir_survey(bytes + at, UInt(count - at), asked, &signs))
            if at < decodedEnd, memchr(marks + at, 1, min(Self.escapeBytesMax, count - at)) != nil { return true }
            at += 1
        }
        return false
    }

    /// Digits that are a run, or may become one with what comes.
    private func hasRun(_ values: UnsafePointer<UInt8>, ended: Bool) -> Bool {
        var begins: Int32 = 0
        let at = Int(weir_next_run(bytes, UInt(count), 0, values, &begins))
        return begins != 0 || at <= decodedEnd && at < count && !ended
    }

    private func mayMatch(from: Int, _ list: ReadList, _ search: Search, ended: Bool) -> Bool {
        let window = Window(base: bytes, count: count, start: 0, ended: ended)
        search.find(window, list, from..<min(decodedEnd + 1, count))
        return search.foundCount > 0
    }
}
