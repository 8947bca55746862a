import CLinux
import Glibc

/// Signals as something to read: blocked in every thread that starts later, told through a descriptor.
public struct Signals: ~Copyable {
    public let descriptor: FileDescriptor

    /// To be called before any thread starts.
    public init(_ numbers: [Int32]) throws(Errno) {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        _ = try retrying { -Int(pthread_sigmask(SIG_BLOCK, &set, nil)) }
        let flags = Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC)
        descriptor = FileDescriptor(owning: Int32(try retrying { Int(signalfd(-1, &set, flags)) }))
    }

    /// The next signal that came, if any.
    public borrowing func next() -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        return Glibc.read(descriptor.number, &info, size) == size ? Int32(info.ssi_signo) : nil
    }
}

/// Raises the limit on open descriptors as far as it goes; answers what it is now.
public func raiseDescriptorLimit() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_cur)
}

/// The processors that this process may run on.
public func processorCount() -> Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
