import ArgumentParser
import Config
import Gateway

struct Nft: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print, apply or remove the nftables rules and routes that send traffic to the gateway.",
        discussion: "They are made from `capture` and `listeners` of the configuration.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Apply them; needs CAP_NET_ADMIN.")
    var apply = false

    @Flag(help: "Remove them; needs CAP_NET_ADMIN.")
    var remove = false

    func validate() throws {
        if apply, remove { throw ValidationError("expected --apply or --remove, not both") }
    }

    func run() throws {
        let settings = try Offline.read(options.config)
        guard let spec = CaptureSpec(settings) else {
            complain("\(options.config): there is no `capture` that says what to send here")
            throw ExitCode(1)
        }
        let rules = NftRules(spec)
        if apply {
            try rules.apply()
        } else if remove {
            try rules.remove()
        } else {
            for route in rules.routes.split(separator: "\n") { print("# \(route)") }
            print(rules.ruleset, terminator: "")
        }
    }
}
