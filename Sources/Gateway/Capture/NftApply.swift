import Glibc

/// Carries rules and routes into the kernel through `nft` and `ip`, the tools an operator would use by hand.
extension NftRules {
    public enum Failure: Error, Equatable, CustomStringConvertible {
        /// The tool is not installed.
        case missing(String)
        case notPermitted
        /// The tool ran and refused.
        case refused(command: String, message: String)
        case interface(String)

        public var description: String {
            switch self {
            case .missing(let tool):
                "\(tool): not found; install the package \(tool == "nft" ? "nftables" : "iproute2")"
            case .notPermitted:
                "changing packet rules needs CAP_NET_ADMIN: run as root, or print the rules with `weir nft`"
            case .refused(let command, let message): "\(command): \(message)"
            case .interface(let name): "capture.from: \"\(name)\" is not the name of an interface"
            }
        }
    }

    /// Puts routes and rules in force, replacing those of an earlier call.
    public func apply() throws(Failure) {
        for name in spec.interfaces where !CaptureSpec.isInterfaceName(name) { throw .interface(name) }
        // The routes first: a mark without its route would send the packet on, to be dropped.
        try removeRoutes()
        for command in routeCommands { try Self.run(command) }
        try Self.run(["nft", "-f", "-"], input: ruleset)
    }

    public func remove() throws(Failure) {
        try Self.run(["nft", "-f", "-"], input: "table inet weir\ndelete table inet weir\n")
        try removeRoutes()
    }

    /// What is not there is no error; `ip` says so in words only, so every refusal but a missing right is passed over.
    private func removeRoutes() throws(Failure) {
        for command in removalCommands {
            do {
                try Self.run(command)
            } catch .refused {
                continue
            }
        }
    }

    private static func run(_ command: [String], input: String = "") throws(Failure) {
        // Files rather than pipes: neither side can wait for the other, and a tool that dies early raises no SIGPIPE.
        guard let standardInput = tmpfile(), let standardError = tmpfile() else {
            throw .refused(command: command[0], message: "no temporary file: " + String(cString: strerror(errno)))
        }
        defer {
            fclose(standardInput)
            fclose(standardError)
        }
        fputs(input, standardInput)
        rewind(standardInput)

        let status = try spawn(command, fileno(standardInput), fileno(standardError))
        guard status != 0 else { return }
        let message = firstLine(of: standardError)
        if message.contains("Operation not permitted") || message.contains("must be root") { throw .notPermitted }
        throw .refused(
            command: command.joined(separator: " "), message: message.isEmpty ? "exit status \(status)" : message)
    }

    /// Runs to the end and returns the exit status; 128 + n for a signal.
    private static func spawn(_ command: [String], _ input: CInt, _ output: CInt) throws(Failure) -> CInt {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)

        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }

        var pid: pid_t = 0
        // An ordinary user's PATH may lack the directories of the tools of root.
        for directory in ["", "/usr/sbin/", "/sbin/"] {
            guard posix_spawnp(&pid, directory + command[0], &actions, nil, arguments, environ) == 0 else { continue }
            var status: CInt = 0
            while waitpid(pid, &status, 0) < 0 {
                if errno != EINTR { throw .refused(command: command[0], message: String(cString: strerror(errno))) }
            }
            return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
        }
        throw .missing(command[0])
    }

    private static func firstLine(of file: UnsafeMutablePointer<FILE>) -> String {
        rewind(file)
        var line = [CChar](repeating: 0, count: 512)
        guard fgets(&line, CInt(line.count), file) != nil else { return "" }
        return String(decoding: line.prefix { $0 != 0 && $0 != 0x0a }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
