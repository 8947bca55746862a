import Testing

@testable import Config

/// Every file of `conf/` is a configuration that loads, and those of `loadtest/` are.
@Suite struct ExampleTests {
    @Test func everyExampleLoads() throws {
        // What the load test makes is not there: `weir-tls.yaml` trusts a certificate of its own.
        let loads = Files.matching("\(repository)/loadtest/*.yaml").filter { !$0.hasSuffix("/weir-tls.yaml") }
        let paths =
            Files.matching("\(repository)/conf/*.yaml") + Files.matching("\(repository)/conf/*/*.yaml") + loads
        #expect(paths.count >= 5)
        for path in paths { _ = try Settings.load(path).get() }
    }

    @Test func theQuickstartNeedsNoPrivilege() throws {
        let settings = try Settings.load("\(repository)/conf/weir.yaml").get()
        #expect(settings.listeners.map(\.intercept) == [.explicit])
        #expect(settings.listeners[0].address.description == "127.0.0.1:3128")
        #expect(settings.admin.address?.description == "127.0.0.1:15000")
        #expect(settings.admin.socket.hasSuffix("/conf/state/admin.sock"))
        #expect(settings.defaults.mode == .discover && settings.capture == nil)
    }

    @Test func theStoryIsToldInThreeActs() throws {
        let acts = try ["1-discover", "2-alert", "3-protect"].map {
            try Settings.load("\(repository)/conf/demo/\($0).yaml").get()
        }
        let services = acts.map { act in act.services.first { $0.name == "myapp.default" } }
        #expect(services.map(\.?.mode) == [nil, .monitor, .protect])
        #expect(services.map(\.?.sensors.first?.action) == [nil, .alert, .deny])
        for act in acts {
            let identity = act.identities.first { $0.service == "myapp.default" }
            #expect(identity?.pod == "myapp-7d9c" && identity?.addresses.first?.description == "10.244.0.17/32")
        }
        let expression = #"\b[12]\d{2}(0[1-9]|1[0-2]|20|21|22|23|24|25|26|27|28|29|30|31|32)\d{2}\d{3}\d{3}\d{2}\b"#
        #expect(acts[2].sensors.first?.rules.first?.patterns.first?.regex == expression)
    }
}
