import CLinux

/// Keeps freed memory at hand instead of giving it back to the kernel at once and taking it anew for the next body:
/// page faults cost more than the copy that they make room for (a tenth of the CPU of a 64 KiB POST, measured).
///
/// To be called before any thread starts. What lies free beyond 16 MiB goes back all the same.
public func keepFreedMemory() {
    mallopt(M_MMAP_THRESHOLD, 4 << 20)
    mallopt(M_TRIM_THRESHOLD, 16 << 20)
}

/// Keeps what is in memory from core files and from other processes of the same user (prctl(2), PR_SET_DUMPABLE), whose
/// debuggers then need CAP_SYS_PTRACE. A limit on core files would not do: a program that takes them is given them all
/// the same (core(5)). Programs that are started are not bound by it; to change the user undoes it.
public func forbidMemoryDumps() {
    let result = weir_forbid_dumps()
    precondition(result == 0, "prctl knows PR_SET_DUMPABLE")
}

/// Whether others may look into the memory of this process.
public var mayBeDumped: Bool { weir_may_be_dumped() != 0 }
