import ArgumentParser
import Config
import Gateway

/// The gateway to ask: the one of this configuration, or the one behind a socket.
struct AdminOptions: ParsableArguments {
    @OptionGroup var options: ConfigurationOptions

    @Option(help: "The admin socket, in place of the one in the configuration.")
    var socket: String?

    func path() throws -> String { try socket ?? Offline.read(options.config).admin.socket }
}

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ask a running gateway how it is.")

    @OptionGroup var admin: AdminOptions

    func run() throws {
        let answer = try AdminClient.ask("GET", "/status", socket: admin.path())
        print(answer.body, terminator: "")
        if answer.status != 200 { throw ExitCode(1) }
    }
}

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a running gateway read its configuration again.",
        discussion: "Exit 1 and every error if it has any; the configuration in force then stays.")

    /// The socket is read from the file on disk only if none is given: a broken file must not keep its errors from being shown.
    @OptionGroup var admin: AdminOptions

    func run() throws {
        let answer = try AdminClient.ask("POST", "/reload", socket: admin.path())
        if answer.status == 200 {
            print(answer.body, terminator: "")
        } else {
            complain(answer.body)
            throw ExitCode(1)
        }
    }
}
