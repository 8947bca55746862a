import Bytes
import Glibc
import Testing

@testable import Policy

/// The state file: it survives a restart, and damage to it is neither a crash nor a silent loss.
@Suite struct StateFileTests {
    private func sample(_ rules: LearnedRules = LearnedRules()) throws -> LearnedRules {
        for (service, host, port, application) in [
            ("app", "canarytokens.com", UInt16(80), Application.http), ("app", "52.18.63.80", 22, .ssh),
            ("app", "2001:db8::1", 65535, .tcp), ("legacy.vm", "a.example", 53, .dns),
            ("gone.since", "b.example", 443, .http2),
        ] {
            let host = try IPAddress(host).map { Host.address($0) } ?? .name(name(host))
            rules.learn(service: service, host: host, port: port, application: application)
        }
        return rules
    }

    private func text(_ rules: LearnedRules) -> [UInt8] {
        var buffer = Buffer()
        LearnedState.encode(rules.all, into: &buffer)
        return Array(buffer.readable)
    }

    private func read(_ bytes: some Collection<UInt8>) -> LearnedState.Reading {
        Array(bytes).withUnsafeBytes { LearnedState.decode($0) }
    }

    @Test func survivesARestart() throws {
        try withDirectory { directory in
            let path = directory + "/learned"
            let before = try sample()
            #expect(!before.isSaved)
            #expect(try before.save(to: path))
            #expect(before.isSaved)
            #expect(try before.save(to: path) == false)
            let after = LearnedRules()
            #expect(try after.load(from: path) == LearnedRules.Loaded(rules: 5))
            #expect(after.all == before.all)
            #expect(after.isSaved)
            #expect(after.services == ["app", "gone.since", "legacy.vm"])
            // What is learned later joins what was loaded.
            after.learn(service: "app", host: .name(try name("c.example")), port: 80, application: .http)
            #expect(!after.isSaved)
            #expect(try after.save(to: path))
            #expect(try LearnedRules().load(from: path).rules == 6)
            #expect(files(directory) == ["learned"])
        }
    }

    @Test func noFileIsNothingLearned() throws {
        try withDirectory { directory in
            let rules = LearnedRules()
            let loaded = try rules.load(from: directory + "/learned")
            #expect(loaded == LearnedRules.Loaded())
            #expect(rules.isSaved)
            let written = try rules.save(to: directory + "/learned")
            #expect(!written)
        }
    }

    /// Cut anywhere, the file gives exactly its whole lines, and says that something is missing.
    @Test func cutAtEveryByte() throws {
        let rules = try sample()
        let whole = text(rules)
        let complete = read(whole)
        #expect(complete.rules == rules.all)
        #expect(complete.damage.count == 0)
        for cut in 0..<whole.count {
            let reading = read(whole[..<cut])
            #expect(reading.damage.count == 1, "cut at \(cut)")
            let lines = whole[..<cut].count(where: { $0 == UInt8(ascii: "\n") })
            #expect(reading.rules == Array(rules.all.prefix(max(lines - 1, 0))), "cut at \(cut)")
        }
    }

    /// Any one byte changed is noticed, and costs no more than the line it is in.
    @Test func everyByteChanged() throws {
        let rules = try sample()
        let whole = text(rules)
        for index in whole.indices {
            for value in [UInt8(0), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "a"), 0x80, 0xff]
            where whole[index] != value {
                var bytes = whole
                bytes[index] = value
                let reading = read(bytes)
                #expect(reading.damage.count > 0, "byte \(index) is \(value)")
                if index >= 21 {
                    // Without its line feed a line is joined to the next, and both are lost.
                    let bound = whole[index] == UInt8(ascii: "\n") ? 2 : 1
                    #expect(Set(rules.all).subtracting(reading.rules).count <= bound, "byte \(index) is \(value)")
                }
            }
        }
    }

    @Test(arguments: [
        "", "\n", "garbage", "{\"json\": true}\n", "weir learned rules 2\napp\ta.example\t80\tHTTP\n",
        "weir learned rules 1",
        "weir learned rules 1\n", "weir learned rules 1\nend\t0\n", "weir learned rules 1\nend\t1\t0\n",
    ])
    func otherFilesAreDamage(_ text: String) {
        let reading = read(text.utf8)
        #expect(reading.rules.isEmpty)
        #expect(reading.damage.count >= 1)
    }

    @Test func lineByLine() throws {
        let good = "app\tgood.example\t80\tHTTP\n"
        for (line, isGood) in [
            ("app\ta.example\t80\tHTTP", true), ("app\t[::1]\t80\tHTTP", true), ("app\ta.example\t65536\tHTTP", false),
            ("app\ta.example\t-1\tHTTP", false), ("app\ta.example\t80\tHTTPS", false), ("app\ta..b\t80\tHTTP", false),
            ("\ta.example\t80\tHTTP", false), ("a b\ta.example\t80\tHTTP", false), ("app\ta.example\t80", false),
            ("app\ta.example\t80\tHTTP\tmore", false), ("", false), ("\u{0}", false),
        ] {
            let reading = read("weir learned rules 1\n\(good)\(line)\n\(good)end\t3\t0\n".utf8)
            #expect(reading.rules.count == (isGood ? 3 : 2), "\(line)")
            #expect(reading.damage.count == (isGood ? 1 : 2), "\(line)")
        }
    }

    /// A megabyte of garbage makes a few complaints and a number, not a million complaints.
    @Test func complaintsAreBounded() {
        var random = Xorshift(state: 7)
        var bytes = Array("weir learned rules 1\n".utf8)
        while bytes.count < 1 << 20 {
            bytes.append(random.next() % 8 == 0 ? UInt8(ascii: "\n") : UInt8(truncatingIfNeeded: random.next()))
        }
        let reading = read(bytes)
        #expect(reading.rules.isEmpty)
        #expect(reading.damage.count > 1000)
        #expect(reading.damage.messages.count <= LearnedState.Damage.messagesMax)
    }

    @Test func aDamagedFileIsKeptAside() throws {
        try withDirectory { directory in
            let path = directory + "/learned"
            let whole = text(try sample())
            let half = Array(whole[..<(whole.count / 2)])
            try write(half, to: path)
            let rules = LearnedRules()
            let loaded = try rules.load(from: path)
            #expect(loaded.rules == 2)
            #expect(loaded.damaged == 1)
            #expect(loaded.damage.count == 1)
            #expect(loaded.keptAs == path + ".broken")
            // Started again before anything was saved, it is still the same damage.
            #expect(try LearnedRules().load(from: path).keptAs == path + ".broken")
            #expect(try rules.save(to: path))
            #expect(try contents(path + ".broken") == half)
            #expect(try LearnedRules().load(from: path) == LearnedRules.Loaded(rules: 2))
            // A second accident does not overwrite what the first one left.
            try write([UInt8](), to: path)
            #expect(try LearnedRules().load(from: path).keptAs == path + ".broken.2")
            #expect(try contents(path + ".broken") == half)
        }
    }

    /// A bound that was lowered since evicts nothing.
    @Test func theBoundDoesNotEvict() throws {
        try withDirectory { directory in
            let path = directory + "/learned"
            try sample().save(to: path)
            let rules = LearnedRules(perService: 1)
            #expect(try rules.load(from: path).rules == 5)
            #expect(
                rules.learn(service: "app", host: .name(try name("c.example")), port: 80, application: .http)
                    == .full(first: true))
        }
    }

    /// What cannot be written stays unsaved and leaves nothing behind; what cannot be read is not written over.
    @Test func failuresAreSaid() throws {
        try withDirectory { directory in
            let rules = try sample()
            let missing = directory + "/no/such/learned"
            #expect(throws: StateError.self) { try rules.save(to: missing) }
            #expect(!rules.isSaved)
            mkdir(directory + "/learned", 0o700)
            defer { rmdir(directory + "/learned") }
            #expect(throws: StateError.self) { try rules.save(to: directory + "/learned") }
            #expect(throws: StateError.self) { try rules.load(from: directory + "/learned") }
            #expect(!rules.isSaved)
            #expect(files(directory) == ["learned"])
            #expect(try rules.save(to: directory + "/other"))
        }
    }

    @Test func aFullDiskIsSaid() throws {
        guard access("/dev/full", W_OK) == 0 else { return }
        try withDirectory { directory in
            // The new file is made where the old one is; a link leads it to a device that is always full.
            symlink("/dev/full", directory + "/learned.new")
            let rules = try sample()
            do throws(StateError) {
                try rules.save(to: directory + "/learned")
                Issue.record("the disk is full")
            } catch {
                #expect(error.code == ENOSPC || error.code == EINVAL)
                #expect(error.description.contains("learned.new: cannot"))
            }
            #expect(!rules.isSaved)
            #expect(files(directory).isEmpty)
        }
    }

    @Test func theFileIsPrivate() throws {
        try withDirectory { directory in
            try sample().save(to: directory + "/learned")
            var status = stat()
            #expect(stat(directory + "/learned", &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
        }
    }
}
