import CLinux
import Glibc

/// Tells when a configuration changed on disk, however that was done: written in place, renamed over, reached through
/// a symbolic link that now points elsewhere, a file more or less where `include` looks.
///
/// Events come from the directories, for a file that is renamed over takes a watch on itself away with it. They say
/// only that something happened; what is in the files says whether they changed. Used by one thread.
public final class FileWatch {
    /// Readable when something happened; -1 where the kernel gives no more watches, and then `changed` still answers
    /// whoever asks it from time to time.
    public let descriptor: Int32
    private var watches: Set<Int32> = []
    private var main: String
    private var includes: [String]
    /// Files that errors were found in, which may not be among those of the settings in force.
    private var suspects: Set<String> = []
    /// What is known to be in the files.
    private var digests: [String: Int?]

    public init(_ settings: Settings) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        main = settings.files.first ?? ""
        includes = settings.includes
        digests = settings.digests.mapValues { $0 }
        watch()
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Goes on from settings that were just loaded.
    public func follow(_ settings: Settings) {
        main = settings.files.first ?? ""
        includes = settings.includes
        suspects = []
        digests = settings.digests.mapValues { $0 }
        watch()
    }

    /// Goes on from a load that failed: the files at fault are watched beside those in force.
    public func follow(_ errors: ConfigErrors) {
        let files = current().keys
        suspects.formUnion(errors.errors.map(\.file).filter { !files.contains($0) })
        digests = current()
        watch()
    }

    /// Reads what happened and tells whether the files differ from what is known of them. To be asked some 100 ms
    /// after the last event, so that a change of several files is one.
    public func changed() -> Bool {
        drain()
        // Directories and links may have come and gone: first watch what there is now, then look at it.
        watch()
        let now = current()
        defer { digests = now }
        return now != digests
    }

    private func drain() {
        var events = [UInt8](repeating: 0, count: 16 << 10)
        while descriptor >= 0, read(descriptor, &events, events.count) > 0 {}
    }

    /// Each file with what is in it, or nil where it cannot be read.
    private func current() -> [String: Int?] {
        var found: [String: Int?] = [:]
        for file in [main] + includes.flatMap(Files.included) + suspects {
            found.updateValue((try? Files.read(file)).map { Files.digest($0) }, forKey: file)
        }
        return found
    }

    // MARK: Directories

    /// Watches every directory in which a change could change the files.
    private func watch() {
        guard descriptor >= 0 else { return }
        var directories: Set<String> = []
        for path in [main] + includes + suspects {
            var hops = 40
            FileWatch.collect(path, &directories, &hops)
            for match in Files.included(path) { FileWatch.collect(match, &directories, &hops) }
        }
        let mask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR
        // Adding a directory that is watched gives the watch it has.
        let kept = Set(directories.map { inotify_add_watch(descriptor, $0, UInt32(mask)) }.filter { $0 >= 0 })
        for gone in watches.subtracting(kept) { inotify_rm_watch(descriptor, gone) }
        watches = kept
    }

    /// The directory of a path or, where there is none, the nearest above it; and, for every symbolic link on the way,
    /// the directory of the link and those of its target. `hops` bounds links that go round.
    private static func collect(_ path: String, _ directories: inout Set<String>, _ hops: inout Int) {
        var walked = path.hasPrefix("/") ? "" : "."
        directories.insert(path.hasPrefix("/") ? "/" : ".")
        for part in path.split(separator: "/") {
            let parent = walked.isEmpty ? "/" : walked
            walked += "/\(part)"
            var status = stat()
            let isThere = lstat(walked, &status) == 0
            if isThere, status.st_mode & S_IFMT == S_IFLNK, let target = target(of: walked), hops > 0 {
                hops -= 1
                directories.insert(parent)
                collect(Files.resolve(target, beside: walked), &directories, &hops)
            }
            if !isThere || walked.utf8.count >= path.utf8.count { directories.insert(parent) }
            if !isThere { return }
        }
    }

    private static func target(of link: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(link, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
