import ArgumentParser
import Bytes
import OS
import TLS

struct CA: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show, export, make or rotate the authority that clients must trust.",
        discussion:
            "Its files are those of `tls.authority` in the configuration. Exit 2 if something is wrong with them.",
        subcommands: [Show.self, Export.self, Make.self, Rotate.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what the authority is, and where its files are.")

        @OptionGroup var options: ConfigurationOptions

        func run() throws {
            try AuthorityPaths(options).reporting { paths throws(AuthorityFault) in try paths.show() }
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the certificate that clients must trust, as PEM.",
            discussion: "The root, where the authority's file ends with one, else the certificate that issues.")

        @OptionGroup var options: ConfigurationOptions

        func run() throws {
            try AuthorityPaths(options).reporting { paths throws(AuthorityFault) in
                print(try paths.authority().anchorPEM, terminator: "")
            }
        }
    }

    struct Make: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make the authority, unless it is there.")

        @OptionGroup var options: ConfigurationOptions

        func run() throws {
            try AuthorityPaths(options).reporting { paths throws(AuthorityFault) in
                if try Authority.isThere(certificate: paths.certificate, key: paths.key) {
                    complain("\(paths.certificate): is there already")
                } else {
                    try Authority.make(certificate: paths.certificate, key: paths.key, now: AuthorityPaths.now())
                }
                try paths.show()
            }
        }
    }

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put the present authority aside and make a new one.",
            discussion: "The old files become PATH.YYYYMMDDHHMMSS. Clients must trust the new one before it is used.")

        @OptionGroup var options: ConfigurationOptions

        func run() throws {
            try AuthorityPaths(options).reporting { paths throws(AuthorityFault) in
                let old = try Authority.rotate(
                    certificate: paths.certificate, key: paths.key, now: AuthorityPaths.now())
                for path in old { complain("the old one: \(path)") }
                try paths.show()
            }
        }
    }
}

/// Where the files of the authority are.
private struct AuthorityPaths {
    let certificate: String
    let key: String

    init(_ options: ConfigurationOptions) throws {
        let settings = try Offline.read(options.config).tls
        (certificate, key) = (settings.certificate, settings.key)
    }

    /// Unix seconds.
    static func now() -> Int64 { Clock.wallMicroseconds() / 1_000_000 }

    func authority() throws(AuthorityFault) -> Authority { try Authority(certificate: certificate, key: key) }

    func show() throws(AuthorityFault) {
        let authority = try authority()
        print("subject      \(authority.facts.subject)")
        print("valid        \(authority.facts.notBefore) to \(authority.facts.notAfter)")
        print("sha256       \(authority.facts.fingerprint)")
        print("certificate  \(certificate)")
        print("key          \(key)")
        guard authority.anchor != authority.facts else { return }
        print("root         \(authority.anchor.subject)")
        print("root sha256  \(authority.anchor.fingerprint)")
    }

    /// Tells what is wrong, if anything is.
    func reporting(_ body: (AuthorityPaths) throws(AuthorityFault) -> Void) throws {
        do throws(AuthorityFault) { try body(self) } catch {
            complain("weir ca: \(error)")
            throw ExitCode(2)
        }
    }
}
