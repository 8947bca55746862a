import DLP
import Glibc
import OS

/// The files below what was named, in the order of their names, a few at a time.
///
/// A directory is read when its turn comes, so no more is held than what lies beside the way to it. Only one thread at a
/// time has it, which is why it may go from one to another: the queue sees to that.
final class ScanWalk: @unchecked Sendable {
    struct Options {
        /// Nothing is left out by rules.
        var noIgnore = false
        var hidden = true
        /// Symbolic links are followed where they were named; with this, below too.
        var follow = false
        var oneFileSystem = false
    }

    enum Found: Sendable {
        case file(ScanPath, size: UInt64, named: Bool)
        case unreadable(ScanPath, String)
    }

    private struct Entry {
        enum Kind { case file(size: UInt64), directory, unreadable(String) }

        var path: ScanPath
        var kind: Kind
        var named: Bool
        var scope: IgnoreScope?
        /// Where links are followed or file systems kept to.
        var above: Above?
    }

    /// The directories above one, by which a loop is known.
    private final class Above {
        let device: dev_t
        let inode: ino_t
        let next: Above?

        init(_ status: stat, _ next: Above?) {
            (device, inode, self.next) = (status.st_dev, status.st_ino, next)
        }

        func has(_ status: stat) -> Bool {
            var at: Above? = self
            while let one = at {
                if one.device == status.st_dev, one.inode == status.st_ino { return true }
                at = one.next
            }
            return false
        }
    }

    /// Stores of version control: packed, so that nothing is found in them, and full of what was removed.
    private static let stores: Set<[UInt8]> = Set([".git", ".hg", ".svn", ".jj", ".bzr"].map { Array($0.utf8) })

    private let options: Options
    /// What is still to be looked at, the next last.
    private var stack: [Entry] = []
    /// Left out by rules.
    private(set) var ignored = 0

    init(_ paths: [ScanPath], _ options: Options) {
        self.options = options
        for path in paths.reversed() { stack.append(named(path)) }
    }

    private func named(_ path: ScanPath) -> Entry {
        var status = stat()
        func entry(_ kind: Entry.Kind) -> Entry { Entry(path: path, kind: kind, named: true, scope: nil, above: nil) }
        if path == .input { return entry(.file(size: 0)) }
        guard path.withCString({ stat($0, &status) }) == 0 else { return entry(.unreadable("\(Errno.last)")) }
        guard status.st_mode & S_IFMT == S_IFDIR else { return entry(.file(size: UInt64(max(status.st_size, 0)))) }
        var directory = entry(.directory)
        if !options.noIgnore { directory.scope = IgnoreScope.above(path) }
        if options.follow || options.oneFileSystem { directory.above = Above(status, nil) }
        return directory
    }

    var isDone: Bool { stack.isEmpty }

    /// At least `count` more, unless there are fewer.
    func next(_ count: Int) -> [Found] {
        var found: [Found] = []
        while found.count < count, let entry = stack.popLast() {
            switch entry.kind {
            case .file(let size): found.append(.file(entry.path, size: size, named: entry.named))
            case .unreadable(let why): found.append(.unreadable(entry.path, why))
            case .directory: if let why = list(entry) { found.append(.unreadable(entry.path, why)) }
            }
        }
        return found
    }

    // MARK: Directories

    /// Puts what is in a directory onto the stack; answers why it cannot.
    private func list(_ directory: Entry) -> String? {
        guard let listing = directory.path.withCString({ opendir($0) }) else {
            // It was there when the one above it was read.
            return !directory.named && errno == ENOENT ? nil : "\(Errno.last)"
        }
        defer { closedir(listing) }
        var names: [(name: [UInt8], type: UInt8)] = []
        errno = 0
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2e], name != [0x2e, 0x2e] { names.append((name, entry.pointee.d_type)) }
            errno = 0
        }
        let failed = errno
        names.sort { $0.name.lexicographicallyPrecedes($1.name) }
        var scope = directory.scope
        if !options.noIgnore {
            scope = IgnoreScope.of(directory.path, has: names.map(\.name), inside: directory.scope) ?? scope
        }
        let first = stack.count
        for (name, type) in names {
            if let entry = entry(name, type, dirfd(listing), in: directory, scope) { stack.append(entry) }
        }
        stack[first...].reverse()
        return failed == 0 ? nil : "\(Errno(failed))"
    }

    private func entry(
        _ name: [UInt8], _ type: UInt8, _ listing: Int32, in directory: Entry, _ scope: IgnoreScope?
    ) -> Entry? {
        if !options.hidden, name.first == UInt8(ascii: ".") { return leaveOut() }
        if type == UInt8(DT_LNK), !options.follow { return nil }
        let path = directory.path.appending(name)
        var status = stat()
        let flags = options.follow ? 0 : AT_SYMLINK_NOFOLLOW
        let failed = ScanPath(name).withCString { fstatat(listing, $0, &status, flags) } != 0
        if failed {
            // Gone since, or a link to nothing.
            if errno == ENOENT || errno == ELOOP { return nil }
            return Entry(path: path, kind: .unreadable("\(Errno.last)"), named: false, scope: nil, above: nil)
        }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        guard isDirectory || status.st_mode & S_IFMT == S_IFREG else { return nil }
        if !options.noIgnore {
            if isDirectory, Self.stores.contains(name) { return leaveOut() }
            if let scope, scope.ignores(path, isDirectory: isDirectory) { return leaveOut() }
        }
        guard isDirectory else {
            return Entry(
                path: path, kind: .file(size: UInt64(max(status.st_size, 0))), named: false, scope: nil, above: nil)
        }
        var above: Above?
        if let known = directory.above {
            if options.oneFileSystem, known.device != status.st_dev { return leaveOut() }
            if options.follow, known.has(status) {
                return Entry(
                    path: path, kind: .unreadable("leads back to a directory above it"), named: false, scope: nil,
                    above: nil)
            }
            above = Above(status, known)
        }
        return Entry(path: path, kind: .directory, named: false, scope: scope, above: above)
    }

    private func leaveOut() -> Entry? {
        ignored += 1
        return nil
    }
}

/// The ignore files of a directory, and those of the directories above it.
final class IgnoreScope {
    private enum File: CaseIterable {
        /// In this order the first with an opinion decides; within one, the directory that is nearest.
        case weir, any, git

        var name: String {
            switch self {
            case .weir: ".weirignore"
            case .any: ".ignore"
            case .git: ".gitignore"
            }
        }
    }

    /// A larger one is no list that somebody wrote.
    private static let bytesMax = 1 << 20

    private let rules: [IgnoreRules?]
    private let next: IgnoreScope?
    /// Rules of git hold in a repository, and end at its root.
    private let isRepository: Bool
    private let inRepository: Bool
    /// A path as it was named, without so many bytes, behind `lead` is relative to this directory.
    private let drop: Int
    private let lead: [UInt8]

    private init(
        _ rules: [IgnoreRules?], isRepository: Bool, drop: Int, lead: [UInt8] = [], next: IgnoreScope?
    ) {
        (self.rules, self.isRepository, self.next) = (rules, isRepository, next)
        (self.drop, self.lead) = (drop, lead)
        inRepository = isRepository || next?.inRepository ?? false
    }

    func ignores(_ path: ScanPath, isDirectory: Bool) -> Bool {
        for (index, file) in File.allCases.enumerated() {
            if file == .git, !inRepository { continue }
            var at: IgnoreScope? = self
            while let scope = at {
                if let rules = scope.rules[index], let verdict = scope.verdict(rules, path, isDirectory) {
                    return verdict == .ignored ? true : false
                }
                at = file == .git && scope.isRepository ? nil : scope.next
            }
        }
        return false
    }

    private func verdict(_ rules: IgnoreRules, _ path: ScanPath, _ isDirectory: Bool) -> IgnoreRules.Verdict? {
        let rest = path.bytes.dropFirst(drop)
        return rules.verdict(lead.isEmpty ? rest : (lead + rest)[...], isDirectory: isDirectory)
    }

    /// That of a directory which has ignore files or is the root of a repository; nil for one like the one above it.
    static func of(_ directory: ScanPath, has names: [[UInt8]], inside next: IgnoreScope?) -> IgnoreScope? {
        let drop = directory.appending([]).bytes.count
        return read(directory, has: { names.contains(Array($0.utf8)) }, drop: drop, next: next)
    }

    private static func read(
        _ directory: ScanPath, has: (String) -> Bool, drop: Int, lead: [UInt8] = [], next: IgnoreScope?
    ) -> IgnoreScope? {
        let isRepository = has(".git")
        let rules = File.allCases.map { file in
            var text = has(file.name) ? load(directory, file.name) : []
            // Before those of the directory, which can undo them.
            if file == .git, isRepository { text = load(directory, ".git/info/exclude") + [0x0a] + text }
            let rules = IgnoreRules(text)
            return rules.isEmpty ? nil : rules
        }
        guard isRepository || rules.contains(where: { $0 != nil }) else { return nil }
        return IgnoreScope(rules, isRepository: isRepository, drop: drop, lead: lead, next: next)
    }

    /// Those above a directory that was named, up to the root of the repository that it is in.
    static func above(_ path: ScanPath) -> IgnoreScope? {
        guard let real = path.withCString({ realpath($0, nil) }) else { return nil }
        defer { free(real) }
        let whole = Array(String(cString: real).utf8)
        let names = whole.split(separator: UInt8(ascii: "/")).map(Array.init)
        func directory(_ count: Int) -> ScanPath {
            ScanPath([UInt8(ascii: "/")] + names.prefix(count).joined(separator: [UInt8(ascii: "/")]))
        }
        func exists(_ name: String, _ count: Int) -> Bool {
            directory(count).appending(Array(name.utf8)).withCString { access($0, F_OK) } == 0
        }
        guard let root = (0..<names.count).last(where: { exists(".git", $0) }), !exists(".git", names.count) else {
            return nil
        }
        let drop = path.appending([]).bytes.count
        var scope: IgnoreScope?
        for count in root..<names.count {
            let lead = Array(names[count...].joined(separator: [UInt8(ascii: "/")])) + [UInt8(ascii: "/")]
            scope = read(directory(count), has: { exists($0, count) }, drop: drop, lead: lead, next: scope) ?? scope
        }
        return scope
    }

    private static func load(_ directory: ScanPath, _ name: String) -> [UInt8] {
        let path = directory.appending(Array(name.utf8))
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { return [] }
        let file = FileDescriptor(owning: descriptor)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count < bytesMax,
            case .moved(let count)? = try? piece.withUnsafeMutableBytes({ try file.read(into: $0) })
        {
            bytes += piece[..<count]
        }
        return bytes
    }
}
