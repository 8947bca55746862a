import ArgumentParser
import Gateway

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the gateway in the foreground.",
        discussion: "SIGTERM drains and ends it, SIGHUP reloads the configuration, SIGUSR1 reopens the record files.")

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try Gateway.run(configuration: options.config, version: Weir.version)
    }
}
