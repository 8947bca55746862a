import Testing

@testable import Config

/// What a reload cannot change says so, at its place; the rest says nothing.
@Suite struct RestartTests {
    static let base = """
        workers: 2
        admin: {address: "127.0.0.1:15000", socket: a.sock}
        state: {directory: state}
        records: {directory: records}
        listeners:
          - {name: one, address: "127.0.0.1:1", intercept: explicit}
          - {name: two, address: "127.0.0.1:2", intercept: redirect}
        services: [{name: a, mode: discover}]
        """

    struct Change: Sendable {
        let from: String
        let to: String
        let errors: [String]
    }

    static let changes = [
        Change(from: "workers: 2", to: "workers: 3", errors: ["1:10: workers: a change from 2 to 3 needs a restart"]),
        Change(from: "workers: 2\n", to: "", errors: ["1:1: workers: a change from 2 to 0 needs a restart"]),
        Change(
            from: "a.sock", to: "b.sock", errors: ["2:8: admin.socket: a change from a.sock to b.sock needs a restart"]),
        Change(
            from: "directory: state", to: "directory: other",
            errors: ["3:20: state.directory: a change from state to other needs a restart"]),
        Change(
            from: "directory: records", to: "directory: /x",
            errors: ["4:22: records.directory: a change from records to /x needs a restart"]),
        Change(
            from: "127.0.0.1:1\"", to: "127.0.0.1:9\"",
            errors: ["6:5: address: a change from 127.0.0.1:1 to 127.0.0.1:9 needs a restart"]),
        Change(
            from: "redirect", to: "tproxy", errors: ["7:5: listeners: a change of two needs a restart"]),
        Change(
            from: "name: two", to: "name: three",
            errors: [
                "6:3: listeners: the end of listener two needs a restart",
                "7:5: listeners: the new listener three needs a restart",
            ]),
        Change(
            from: "services:",
            to: """
                dns: {public_suffixes: x.dat, trusted_zones: [a.example, b.example]}
                limits: {dns_memory: 2048, dns_tunnel_pairs: 64}
                services:
                """,
            errors: [
                "8:24: dns.public_suffixes: a change from none to x.dat needs a restart",
                "8:46: dns.trusted_zones: a change from the built-in to a.example, b.example needs a restart",
                "9:22: limits.dns_memory: a change from 262144 to 2048 needs a restart",
                "9:46: limits.dns_tunnel_pairs: a change from 65536 to 64 needs a restart",
            ]),
        Change(from: "discover", to: "protect", errors: []),
        Change(from: "services:", to: "limits: {idle_timeout: 1s}\nmark: 7\nservices:", errors: []),
    ]

    @Test(arguments: changes) func changeIsJudged(_ change: Change) throws {
        let old = try Settings.parse(RestartTests.base, file: "weir.yaml").get()
        let text = RestartTests.base.replacing(change.from, with: change.to)
        let new = try Settings.parse(text, file: "weir.yaml").get()
        #expect(new.restartNeeded(from: old).map { "\($0.line):\($0.column): \($0.message)" } == change.errors)
    }
}
