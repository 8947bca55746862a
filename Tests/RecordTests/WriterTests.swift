import Bytes
import Glibc
import Synchronization
import Testing

@testable import Record

/// A disk that can be filled and freed while the writer writes.
final class Disk: Sendable {
    private let full = Atomic<Bool>(false)
    let attempts = Atomic<Int>(0)

    func fill() { full.store(true, ordering: .sequentiallyConsistent) }
    func free() { full.store(false, ordering: .sequentiallyConsistent) }

    var calls: FileCalls {
        FileCalls { [self] call in
            guard call == .write else { return nil }
            attempts.add(1, ordering: .relaxed)
            return full.load(ordering: .sequentiallyConsistent) ? .fail(ENOSPC) : nil
        }
    }
}

@Suite struct WriterTests {
    private func settings(
        _ directory: TemporaryDirectory, disk: Disk = Disk(), slots: Int = 1000,
        _ overload: RecordWriter.Settings.Overload = .wait
    ) -> RecordWriter.Settings {
        var settings = RecordWriter.Settings(directory: directory.path)
        settings.queueBytes = slots * Recorder.slotBytes
        settings.onOverload = overload
        settings.retry = Milliseconds(2)...Milliseconds(10)
        settings.calls = disk.calls
        return settings
    }

    private let patience = Milliseconds.seconds(10)

    private func ids(_ directory: TemporaryDirectory, _ name: String = "sessions.jsonl") -> [UInt64] {
        directory.lines(name).compactMap { line in withBytes(line) { SessionLine($0) }?.id.low }
    }

    @Test func sessionsAndEvents() throws {
        let directory = TemporaryDirectory()
        let writer = try RecordWriter.open(settings(directory))
        let recorder = Recorder(writer: writer)
        let finding = FindingRecord(sensor: "s", rule: "r", action: .alert, context: "body", offset: 1, match: "*")
        for number in 0..<5 {
            #expect(recorder.reserve())
            recorder.append(SessionRecord.sample(number, findings: number == 3 ? [finding, finding] : []))
        }
        recorder.event("learning_stopped", at: someTime, service: "dh157.default", count: 1000)
        #expect(recorder.pendingBytes > 1000)
        recorder.flush()
        #expect(recorder.pendingBytes == 0)
        #expect(writer.drain(timeout: patience))
        #expect(ids(directory) == [0, 1, 2, 3, 4])
        let events = directory.lines("events.jsonl")
        #expect(events.count == 3)
        #expect(events.prefix(2).allSatisfy { $0.contains(#""id":"00000000000000000000000003""#) })
        #expect(writer.written == 8)
        #expect(writer.queued == 0)
        #expect(writer.queuedBytes == 0)
        #expect(writer.failure == nil)
    }

    /// The disk fills; new work is refused, what is in hand is still recorded; the disk is freed: every line is there, in
    /// order, and the loop is woken.
    @Test func nothingIsLostWhileTheDiskIsFull() throws {
        let directory = TemporaryDirectory()
        let disk = Disk()
        let writer = try RecordWriter.open(settings(directory, disk: disk, slots: 100))
        let recorder = Recorder(writer: writer)
        let woken = Atomic<Int>(0)
        let wake: @Sendable () -> Void = { woken.add(1, ordering: .sequentiallyConsistent) }
        try withExtendedLifetime(wake) {
            writer.onResume(wake)
            disk.fill()
            var number = 0
            while recorder.reserve() {
                recorder.append(SessionRecord.sample(number))
                recorder.flush()
                number += 1
                try #require(number < 10_000)
            }
            #expect(number >= 100)
            #expect(writer.isBlocked)
            #expect(writer.queued == number)
            #expect(eventually { writer.failure?.errno == ENOSPC })
            #expect(writer.failure?.description == "\(directory.path)/sessions.jsonl: write: No space left on device")
            #expect(!writer.drain(timeout: Milliseconds(20)))
            #expect(!recorder.reserve())
            #expect(woken.load(ordering: .sequentiallyConsistent) == 0)

            disk.free()
            #expect(eventually { woken.load(ordering: .sequentiallyConsistent) == 1 })
            #expect(recorder.reserve())
            recorder.append(SessionRecord.sample(number))
            recorder.flush()
            #expect(writer.drain(timeout: patience))
            #expect(ids(directory) == (0...UInt64(number)).map { $0 })
            #expect(!writer.isBlocked)
            #expect(writer.dropped == 0)
            #expect(writer.failure == nil)
        }
    }

    /// Work in hand may exceed the bound, by what its records are larger than their slots, and still finishes.
    @Test func finishingNeverWaits() throws {
        let directory = TemporaryDirectory()
        let disk = Disk()
        let writer = try RecordWriter.open(settings(directory, disk: disk, slots: 10))
        let recorder = Recorder(writer: writer)
        disk.fill()
        var reserved = 0
        while recorder.reserve() { reserved += 1 }
        #expect(reserved == 10)
        withBytes("/" + String(repeating: "p", count: 4000)) { path in
            for number in 0..<reserved {
                var record = SessionRecord.sample(number)
                record.path = path
                recorder.append(record)
            }
        }
        recorder.flush()
        #expect(writer.queuedBytes > 40_000)
        #expect(!recorder.reserve())
        disk.free()
        #expect(writer.drain(timeout: patience))
        #expect(eventually { recorder.reserve() })
        recorder.release()
        #expect(ids(directory).count == 10)
    }

    /// Reservations alone can use up the bound; each that ends makes room for the next, without the disk.
    @Test func slotsComeBack() throws {
        let directory = TemporaryDirectory()
        let writer = try RecordWriter.open(settings(directory, slots: 4))
        let first = Recorder(writer: writer)
        let second = Recorder(writer: writer)
        let woken = Atomic<Int>(0)
        let wake: @Sendable () -> Void = { woken.add(1, ordering: .sequentiallyConsistent) }
        writer.onResume(wake)
        for _ in 0..<4 { #expect(first.reserve()) }
        #expect(!second.reserve())
        #expect(writer.isBlocked)
        first.release()
        #expect(woken.load(ordering: .sequentiallyConsistent) == 1)
        #expect(second.reserve())
        #expect(!first.reserve())
        second.release()
        for _ in 0..<3 { first.release() }
        #expect(!writer.isBlocked)
        for _ in 0..<3 { #expect(second.reserve()) }
        // A loop may keep a portion in hand; it gives it back in its next turn when others wait.
        #expect(!second.reserve())
        first.flush()
        #expect(second.reserve())
    }

    @Test func anOpenLineKeepsItsSlot() throws {
        let directory = TemporaryDirectory()
        let writer = try RecordWriter.open(settings(directory, slots: 3))
        let recorder = Recorder(writer: writer)
        #expect(recorder.reserve())
        var record = SessionRecord.sample(1)
        record.kind = .open
        recorder.append(record)
        record.kind = .session
        recorder.append(record)
        recorder.flush()
        #expect(writer.drain(timeout: patience))
        #expect(ids(directory) == [1, 1])
        #expect(recorder.reserve())
        #expect(recorder.reserve())
        #expect(!recorder.reserve())
    }

    @Test func overloadMayDropAndSaysSo() throws {
        let directory = TemporaryDirectory()
        let disk = Disk()
        let writer = try RecordWriter.open(settings(directory, disk: disk, slots: 20, .drop))
        let recorder = Recorder(writer: writer)
        disk.fill()
        for number in 0..<1000 {
            #expect(recorder.reserve())
            recorder.append(SessionRecord.sample(number))
            recorder.flush()
        }
        #expect(writer.isBlocked)
        #expect(writer.dropped > 900)
        let dropped = writer.dropped
        disk.free()
        #expect(eventually { !directory.lines("events.jsonl").isEmpty })
        #expect(writer.drain(timeout: patience))
        let kept = ids(directory)
        #expect(kept == (0..<UInt64(kept.count)).map { $0 })
        #expect(kept.count + Int(dropped) == 1000)
        let events = directory.lines("events.jsonl")
        #expect(events.count == 1)
        #expect(events.first?.hasPrefix(#"{"kind":"records_dropped","time":""#) == true)
        #expect(events.first?.hasSuffix(#","count":\#(dropped)}"#) == true)
        #expect(recorder.reserve())
        recorder.append(SessionRecord.sample(2000))
        recorder.flush()
        #expect(writer.drain(timeout: patience))
        #expect(ids(directory).last == 2000)
    }

    @Test func closingSaysWhatWasDropped() throws {
        let directory = TemporaryDirectory()
        let disk = Disk()
        do {
            let writer = try RecordWriter.open(settings(directory, disk: disk, slots: 20, .drop))
            let recorder = Recorder(writer: writer)
            disk.fill()
            for number in 0..<100 where recorder.reserve() {
                recorder.append(SessionRecord.sample(number))
                recorder.flush()
            }
            #expect(writer.dropped > 0)
            disk.free()
        }
        #expect(directory.lines("events.jsonl").count == 1)
    }

    /// Many loops, a small bound, a disk that fails on and off, rotation: every line arrives once, and those of a loop in
    /// its order.
    @Test func manyLoops() throws {
        let directory = TemporaryDirectory()
        let disk = Disk()
        var settings = settings(directory, disk: disk, slots: 64)
        settings.rotateBytes = 100_000
        settings.keep = 100
        let writer = try RecordWriter.open(settings)
        let loops = 4
        let each = 1500
        onThreads(loops + 1) { index in
            if index == loops {
                for step in 0..<40 {
                    if step % 2 == 0 { disk.fill() } else { disk.free() }
                    usleep(3000)
                }
                disk.free()
                return
            }
            let recorder = Recorder(writer: writer)
            for number in 0..<each {
                while !recorder.reserve() { usleep(100) }
                if number % 7 == 0 {
                    recorder.release()
                    while !recorder.reserve() { usleep(100) }
                }
                recorder.append(SessionRecord.sample(index * each + number))
                if number % 10 == 0 { recorder.flush() }
            }
        }
        #expect(writer.drain(timeout: patience))
        let rotated = directory.names.compactMap { name in
            name.hasPrefix("sessions.jsonl.") ? Int(name.dropFirst("sessions.jsonl.".count)) : nil
        }
        let all = rotated.sorted(by: >).flatMap { ids(directory, "sessions.jsonl.\($0)") } + ids(directory)
        #expect(rotated.count > 5)
        #expect(all.count == loops * each)
        #expect(Set(all).count == all.count)
        for loop in 0..<loops {
            let own = all.filter { Int($0) / each == loop }
            #expect(own == own.sorted())
        }
        #expect(!writer.isBlocked)
        #expect(writer.budget.committedBytes == 0)
        #expect(writer.queued == 0)
        #expect(writer.written == UInt64(loops * each))
    }

    @Test func reopenFollowsAMovedFile() throws {
        let directory = TemporaryDirectory()
        let writer = try RecordWriter.open(settings(directory))
        let recorder = Recorder(writer: writer)
        for number in 1...2 { #expect(recorder.reserve(), "\(number)") }
        recorder.append(SessionRecord.sample(1))
        recorder.flush()
        #expect(writer.drain(timeout: patience))
        rename(directory.path + "/sessions.jsonl", directory.path + "/moved")
        writer.reopen()
        #expect(eventually { directory.names.contains("sessions.jsonl") })
        recorder.append(SessionRecord.sample(2))
        recorder.flush()
        #expect(writer.drain(timeout: patience))
        #expect(ids(directory, "moved") == [1])
        #expect(ids(directory) == [2])
    }

    @Test func closingWritesWhatIsLeft() throws {
        let directory = TemporaryDirectory()
        do {
            let writer = try RecordWriter.open(settings(directory))
            let recorder = Recorder(writer: writer)
            for number in 0..<900 where recorder.reserve() { recorder.append(SessionRecord.sample(number)) }
        }
        #expect(ids(directory).count == 900)
    }

    @Test func aDirectoryThatCannotBeIsAnError() throws {
        let directory = TemporaryDirectory()
        directory.write("file", "")
        let settings = RecordWriter.Settings(directory: directory.path + "/file")
        let error = #expect(throws: RecordError.self) { try RecordWriter.open(settings) }
        #expect(error?.errno == ENOTDIR)
        #expect(error?.description == "\(directory.path)/file/sessions.jsonl: open: Not a directory")
    }

    /// A real full disk: a tiny tmpfs. Only root can mount one.
    @Test(.enabled(if: geteuid() == 0))
    func aRealDiskThatIsFull() throws {
        let directory = TemporaryDirectory()
        guard mount("tmpfs", directory.path, "tmpfs", 0, "size=64k") == 0 else { return }
        defer { umount2(directory.path, Int32(MNT_DETACH)) }
        directory.write("ballast", String(repeating: "x", count: 30_000))
        let writer = try RecordWriter.open(settings(directory, slots: 200))
        let recorder = Recorder(writer: writer)
        var number = 0
        while recorder.reserve() {
            recorder.append(SessionRecord.sample(number))
            recorder.flush()
            number += 1
            try #require(number < 100_000)
            if number % 20 == 0 { usleep(1000) }
        }
        #expect(eventually { writer.failure?.errno == ENOSPC })
        let text = directory.read("sessions.jsonl")
        #expect(text.isEmpty || text.hasSuffix("\n"))
        #expect(ids(directory).count < number)
        // A little room, then all.
        truncate(directory.path + "/ballast", 16_000)
        #expect(mount("tmpfs", directory.path, "tmpfs", UInt(MS_REMOUNT), "size=8m") == 0)
        #expect(writer.drain(timeout: patience))
        #expect(ids(directory) == (0..<UInt64(number)).map { $0 })
    }
}
