import ArgumentParser

/// The command line. Results go to stdout, everything else to stderr; options follow GNU habits.
@main struct Weir: ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "A transparent egress gateway with data-loss prevention.",
        version: version,
        subcommands: [
            Run.self, Check.self, Scan.self, Explain.self, Report.self, Rules.self, Status.self, Reload.self, Nft.self,
            CA.self, Unseal.self, EDM.self, Fingerprint.self,
        ])
}

/// Where the configuration is; the same for every command that reads one.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The configuration file.")
    var config = "conf/weir.yaml"
}
