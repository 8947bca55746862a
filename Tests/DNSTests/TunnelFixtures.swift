import Bytes
import Glibc

@testable import DNS

/// Names as questions carry them, and what was recorded of real tunnels.
enum Wire {
    /// From presentation form, `\DDD` for bytes that are no letters.
    static func name(_ text: String) -> [UInt8] {
        var labels: [[UInt8]] = [[]]
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: ".") {
                labels.append([])
            } else if byte == UInt8(ascii: "\\") {
                labels[labels.count - 1].append(rest.prefix(3).reduce(0) { $0 &* 10 &+ ($1 &- 48) })
                rest = rest.dropFirst(3)
            } else {
                labels[labels.count - 1].append(byte)
            }
        }
        return labels.filter { !$0.isEmpty }.flatMap { [UInt8($0.count)] + $0 } + [0]
    }
}

/// One query of a recorded or made conversation.
struct Asked {
    var milliseconds: Int64
    var type: UInt16 = 1
    var answerBytes = 0
    var name: String
}

let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

func file(_ path: String) -> [UInt8] {
    let descriptor = open("\(repository)/\(path)", O_RDONLY)
    precondition(descriptor >= 0, "a file of the tests: \(path)")
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = read(descriptor, &bytes, bytes.count)
    return Array(bytes.prefix(max(count, 0)))
}

/// Tests/Tunnels/NAME.txt: the first queries that a tunnel's client sent.
func tunnel(_ name: String) -> [Asked] {
    let lines = String(decoding: file("Tests/Tunnels/\(name).txt"), as: UTF8.self).split(separator: "\n")
    let domain = lines[0].split(separator: " ").last.map(String.init) ?? ""
    return lines.dropFirst().map { line in
        let words = line.split(separator: " ", maxSplits: 3)
        return Asked(
            milliseconds: Int64(words[0]) ?? 0, type: UInt16(words[1]) ?? 0, answerBytes: Int(words[2]) ?? 0,
            name: "\(words[3])\(domain)")
    }
}

/// The list that is shipped, and the built-in trusted zones.
let suffixList: PublicSuffixes = file("conf/public_suffix_list.dat").withUnsafeBytes { bytes in
    (try? PublicSuffixes(bytes, trusted: TrustedZones.names)) ?? PublicSuffixes(builtInWith: [])
}

/// A watch with one client's queries.
struct Watched: Sendable {
    let watch: NameWatch
    var bounds = NameWatch.Bounds(Limits())
    var suffixes = suffixList
    var client = address("10.0.0.7")

    init(pairs: Int = 4096) { watch = NameWatch(pairs: pairs) }

    func score(_ asked: Asked) -> Int {
        let now = Ticks(milliseconds: 1_000_000 + asked.milliseconds)
        return Wire.name(asked.name).withUnsafeBytes { name in
            suffixes.cut(name).map { watch.score(client, $0, now: now, bounds) } ?? 0
        }
    }

    func ask(_ asked: Asked) -> NameWatch.Tunnel? {
        let now = Ticks(milliseconds: 1_000_000 + asked.milliseconds)
        return Wire.name(asked.name).withUnsafeBytes { name in
            guard let cut = suffixes.cut(name) else { return nil }
            let type = RecordType(rawValue: asked.type)
            let asking = watch.note(client, cut, of: name, type: type, now: now, bounds)
            guard asked.answerBytes > 0 else { return asking }
            let answered = watch.answered(client, cut, type: type, bytes: asked.answerBytes, now: now, bounds)
            return asking?.isNew == true ? asking : answered ?? asking
        }
    }
}
