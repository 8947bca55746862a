import Glibc
import Testing

@testable import Config

/// Every way in which people and programs change a configuration on disk.
@Suite struct WatchTests {
    let scratch = Scratch()

    private func watching(_ main: String) throws -> (FileWatch, String) {
        let path = scratch.write(main, to: "weir.yaml")
        return (FileWatch(try Settings.load(path).get()), path)
    }

    /// Whether the descriptor says that something happened, as the loop would see it.
    private func isReadable(_ watch: FileWatch) -> Bool {
        var poll = pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) == 1
    }

    private func expectChange(_ watch: FileWatch, _ what: Comment, _ source: SourceLocation = #_sourceLocation) {
        #expect(isReadable(watch), what, sourceLocation: source)
        #expect(watch.changed(), what, sourceLocation: source)
        #expect(!watch.changed(), "once for one change", sourceLocation: source)
        #expect(!isReadable(watch), "nothing is left to read", sourceLocation: source)
    }

    @Test func writtenInPlace() throws {
        let (watch, _) = try watching("workers: 1")
        #expect(!watch.changed())
        scratch.write("workers: 2", to: "weir.yaml")
        expectChange(watch, "written in place")
    }

    @Test func renamedOver() throws {
        let (watch, path) = try watching("workers: 1")
        for count in 2...4 {
            rename(scratch.write("workers: \(count)", to: ".weir.yaml.swp"), path)
            expectChange(watch, "renamed over, time \(count)")
        }
    }

    @Test func removedAndMadeAgain() throws {
        let (watch, path) = try watching("workers: 1")
        unlink(path)
        expectChange(watch, "removed")
        scratch.write("workers: 1", to: "weir.yaml")
        expectChange(watch, "made again")
    }

    @Test func touchedIsNotChanged() throws {
        let (watch, _) = try watching("workers: 1")
        scratch.write("workers: 1", to: "weir.yaml")
        scratch.write("x", to: "other.txt")
        #expect(isReadable(watch))
        #expect(!watch.changed())
    }

    /// What happens between the load and the watch is not missed.
    @Test func changedBeforeTheWatchBegan() throws {
        let path = scratch.write("workers: 1", to: "weir.yaml")
        let settings = try Settings.load(path).get()
        scratch.write("workers: 2", to: "weir.yaml")
        #expect(FileWatch(settings).changed())
    }

    /// Kubernetes: weir.yaml -> ..data/weir.yaml, ..data -> ..2026_1, and ..data is renamed over.
    @Test func configMapIsSwapped() throws {
        func publish(_ version: Int) {
            scratch.write("workers: \(version)", to: "..2026_\(version)/weir.yaml")
            symlink("..2026_\(version)", scratch.file("..data_tmp"))
            rename(scratch.file("..data_tmp"), scratch.file("..data"))
        }
        publish(1)
        symlink("..data/weir.yaml", scratch.file("weir.yaml"))
        let watch = FileWatch(try Settings.load(scratch.file("weir.yaml")).get())
        for version in 2...4 {
            publish(version)
            expectChange(watch, "version \(version)")
        }
        scratch.write("workers: 9", to: "..2026_4/weir.yaml")
        expectChange(watch, "written behind the link")
    }

    @Test func aDirectoryAboveIsALink() throws {
        scratch.write("workers: 1", to: "v1/weir.yaml")
        scratch.write("workers: 2", to: "v2/weir.yaml")
        symlink("v1", scratch.file("current"))
        let watch = FileWatch(try Settings.load(scratch.file("current/weir.yaml")).get())
        symlink("v2", scratch.file("next"))
        rename(scratch.file("next"), scratch.file("current"))
        expectChange(watch, "the link points elsewhere")
        scratch.write("workers: 3", to: "v2/weir.yaml")
        expectChange(watch, "the new directory is watched")
    }

    @Test func linksThatGoRound() throws {
        let (watch, path) = try watching("workers: 1")
        unlink(path)
        symlink("weir.yaml", path)
        expectChange(watch, "a link to itself")
    }

    @Test func includedFilesComeAndGo() throws {
        let (watch, path) = try watching("include: [\"services.d/*.yaml\"]")
        mkdir(scratch.file("services.d"), 0o755)
        #expect(!watch.changed(), "an empty directory is no change")
        scratch.write("services: [{name: a}]", to: "services.d/a.yaml")
        expectChange(watch, "a file appeared")
        watch.follow(try Settings.load(path).get())
        #expect(!watch.changed())
        scratch.write("services: [{name: b}]", to: "services.d/a.yaml")
        expectChange(watch, "it changed")
        unlink(scratch.file("services.d/a.yaml"))
        expectChange(watch, "it went")
    }

    /// The file in force names nothing of b.yaml; the one that failed did, and the repair happens there.
    @Test func aFileAtFaultIsWatched() throws {
        let (watch, path) = try watching("workers: 1")
        scratch.write("services: 1", to: "sub/b.yaml")
        scratch.write("include: [sub/b.yaml]", to: "weir.yaml")
        #expect(watch.changed())
        guard case .failure(let errors) = Settings.load(path) else { return #expect(Bool(false)) }
        watch.follow(errors)
        #expect(!watch.changed())
        scratch.write("services: []", to: "sub/b.yaml")
        expectChange(watch, "the fault was mended")
        watch.follow(try Settings.load(path).get())
        #expect(!watch.changed())
    }
}

/// The key is made once and kept to itself.
@Suite struct StateDirectoryTests {
    let scratch = Scratch()

    @Test func theKeyIsMadeOnce() throws {
        let directory = scratch.file("a/b/state")
        let key = try StateDirectory.fingerprintKey(in: directory)
        #expect(key.count == 32)
        #expect(try StateDirectory.fingerprintKey(in: directory) == key)
        var status = stat()
        #expect(stat("\(directory)/fingerprint.key", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(try StateDirectory.fingerprintKey(in: scratch.file("other")) != key)
    }

    @Test func aKeyThatOthersMayReadIsRefused() throws {
        _ = try StateDirectory.fingerprintKey(in: scratch.path)
        chmod(scratch.file("fingerprint.key"), 0o640)
        let error = #expect(throws: StateDirectory.Failure.self) { try StateDirectory.fingerprintKey(in: scratch.path) }
        #expect(error?.description.hasSuffix("expected mode 0600, found one that lets others in") == true)
    }

    @Test func aKeyCutShortIsRefused() throws {
        scratch.write("short", to: "fingerprint.key")
        chmod(scratch.file("fingerprint.key"), 0o600)
        let error = #expect(throws: StateDirectory.Failure.self) { try StateDirectory.fingerprintKey(in: scratch.path) }
        #expect(error?.description.hasSuffix("expected 32 bytes, found 5") == true)
    }

    @Test func aFileInTheWayIsAnError() {
        scratch.write("", to: "file")
        #expect(throws: StateDirectory.Failure.self) {
            try StateDirectory.fingerprintKey(in: scratch.file("file/state"))
        }
    }
}
