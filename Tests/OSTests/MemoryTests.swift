import Glibc
import Testing

@testable import OS

struct MemoryTests {
    @Test func whatIsInMemoryIsKeptFromDumps() async {
        await #expect(processExitsWith: .success) {
            // Not so to begin with; then a process that holds nothing worth a look.
            guard mayBeDumped else { exit(2) }
            forbidMemoryDumps()
            exit(mayBeDumped ? 1 : 0)
        }
    }
}
