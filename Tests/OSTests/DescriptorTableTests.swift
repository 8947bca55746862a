import Bytes
import Glibc
import Synchronization
import Testing

@testable import OS

/// A thread that takes a descriptor table of its own.
@Suite struct DescriptorTableTests {
    /// What the thread saw, for the test to look at when it has ended.
    private final class Seen: Sendable {
        let state = Guarded<(open: [Int32], isTakenApart: Bool, hasWritten: Bool)>(([], false, false))
    }

    private static func isOpen(_ number: Int32) -> Bool { fcntl(number, F_GETFD) >= 0 }

    private func pipe() -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        #expect(Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test func keepsWhatItNamesAndNothingElse() throws {
        let (shared, others) = (pipe(), pipe())
        defer { for number in [shared.reading, others.reading, others.writing] { close(number) } }
        let seen = Seen()
        // Out of order, twice, and with the standard streams among them.
        let kept = [shared.writing, 1, shared.reading, 0, shared.reading]
        let thread = try startThread(named: "apart") {
            let isTakenApart = (try? keepOwnDescriptors(kept)) != nil
            // Where sanitizers or debuggers have descriptors of their own is not known: all numbers are looked at.
            let open = isTakenApart ? (0..<4096).filter { DescriptorTableTests.isOpen($0) } : []
            let hasWritten = write(shared.writing, "x", 1) == 1
            seen.state.withLock { $0 = (open, isTakenApart, hasWritten) }
        }
        thread.join()
        let state = seen.state.withLock { $0 }
        // A sandbox may forbid it; the gateway then shares its table.
        guard state.isTakenApart else { return }
        let expected = ([0, 1, 2].filter(Self.isOpen) + [shared.reading, shared.writing]).sorted()
        #expect(state.open == expected)
        #expect(state.hasWritten)
        // Nothing of it has happened to the other threads.
        for number in [shared.reading, shared.writing, others.reading, others.writing] { #expect(Self.isOpen(number)) }
        var byte: UInt8 = 0
        #expect(read(shared.reading, &byte, 1) == 1 && byte == UInt8(ascii: "x"))
        close(shared.writing)
        // With the thread its copy has gone, so that the end is seen.
        #expect(read(shared.reading, &byte, 1) == 0)
    }

    /// What is opened afterwards on either side is not there on the other.
    @Test func whatIsOpenedLaterIsOnesOwn() throws {
        let seen = Seen()
        let (ready, go) = (Semaphore(), Semaphore())
        let later = Guarded<Int32>(-1)
        let thread = try startThread(named: "apart") {
            let isTakenApart = (try? keepOwnDescriptors([])) != nil
            ready.signal()
            go.wait()
            let isThere = DescriptorTableTests.isOpen(later.withLock { $0 })
            seen.state.withLock { $0 = ([], isTakenApart, isThere) }
        }
        ready.wait()
        let number = open("/dev/null", O_RDONLY)
        // A number that nothing in the thread can have got meanwhile.
        let high = fcntl(number, F_DUPFD, 900)
        defer {
            close(number)
            close(high)
        }
        later.withLock { $0 = high }
        go.signal()
        thread.join()
        let state = seen.state.withLock { $0 }
        #expect(!state.isTakenApart || !state.hasWritten)
        #expect(Self.isOpen(high))
    }
}
