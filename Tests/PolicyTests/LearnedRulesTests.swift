import Bytes
import Glibc
import Synchronization
import Testing

@testable import Policy

/// What Discover learns: whom it covers, how much of it there may be, and many threads at once.
@Suite struct LearnedRulesTests {
    private func host(_ text: String) throws -> Host {
        guard let host = Host(text) else { throw BadText(text: text) }
        return host
    }

    @Test func coversTheNameThePortAndTheApplication() throws {
        let learned = LearnedRules()
        let policy = try policy([deny("denied.example")], learned: learned)
        #expect(
            learned.learn(service: "app", host: try host("canarytokens.com"), port: 80, application: .http) == .learned)
        #expect(
            learned.learn(service: "app", host: try host("CanaryTokens.com."), port: 80, application: .http) == .known)
        #expect(learned.learn(service: "app", host: try host("52.18.63.80"), port: 22, application: .ssh) == .learned)
        #expect(
            learned.learn(service: "app", host: try host("denied.example"), port: 80, application: .http) == .learned)
        let table: [(String, UInt16, Application, String)] = [
            ("canarytokens.com", 80, .http, "learned"), ("canarytokens.com@52.18.63.80", 80, .http, "learned"),
            ("canarytokens.com", 81, .http, "none"), ("canarytokens.com", 80, .tls, "none"),
            ("www.canarytokens.com", 80, .http, "none"), ("52.18.63.80", 80, .http, "none"),
            ("52.18.63.80", 22, .ssh, "learned"),
            // An address may be shared by strangers: a rule learned for it does not cover a name.
            ("evil.example@52.18.63.80", 22, .ssh, "none"),
            // A rule about a name covers the DNS question for it.
            ("canarytokens.com@10.96.0.10", 53, .dns, "learned"), ("www.canarytokens.com", 53, .dns, "none"),
            // Written rules come first.
            ("denied.example", 80, .http, "-0"),
        ]
        for (to, port, application, expected) in table {
            #expect(policy.cover(try question(to, port, application)).short == expected, "\(to) \(port)")
        }
        let cover = policy.cover(try question("canarytokens.com"))
        guard case .learned(let rule) = cover else { return }
        #expect(rule.text == "learned: canarytokens.com:80 HTTP")
        #expect(rule.isLearned)
        #expect(policy.rule(rule) == nil)
        var other = try question("canarytokens.com")
        other.service = 0
        #expect(policy.cover(other) == .uncovered)
        #expect(
            learned.contains(
                service: policy.services[1], host: try host("52.18.63.80"), port: 22, application: .ssh))
    }

    /// A question of DNS may be learned first, as it is asked first.
    @Test func learnsQuestionsAndThenConnections() throws {
        let learned = LearnedRules()
        let policy = try policy([], learned: learned)
        #expect(learned.learn(service: "app", host: try host("a.example"), port: 53, application: .dns) == .learned)
        #expect(policy.cover(try question("a.example", 53, .dns)).short == "learned")
        #expect(policy.cover(try question("a.example", 80, .http)).short == "none")
        #expect(learned.learn(service: "app", host: try host("a.example"), port: 80, application: .http) == .learned)
        #expect(policy.cover(try question("a.example", 80, .http)).short == "learned")
        #expect(learned.learn(service: "app", host: try host("a.example"), port: 53, application: .dns) == .known)
        #expect(
            learned.rules(of: "app").map(\.description) == [
                "allow a.example, ports 53, applications DNS", "allow a.example, ports 80, applications HTTP",
            ])
    }

    @Test func printsAsConfiguration() throws {
        let learned = LearnedRules()
        for (text, port, application) in [
            ("b.example", 443, Application.tls), ("b.example", 80, .http), ("a.example", 80, .http),
            ("10.0.0.1", 6379, .redis),
            ("[2001:db8::1]", 22, .ssh),
        ] {
            learned.learn(service: "app", host: try host(text), port: UInt16(port), application: application)
        }
        let rules = learned.rules(of: "app")
        #expect(
            rules.map(\.description) == [
                "allow 10.0.0.1, ports 6379, applications Redis", "allow 2001:db8::1, ports 22, applications SSH",
                "allow a.example, ports 80, applications HTTP", "allow b.example, ports 80, applications HTTP",
                "allow b.example, ports 443, applications TLS",
            ])
        #expect(learned.rules(of: "nobody").isEmpty)
        #expect(learned.services == ["app"])
        // Printed and compiled, they cover what they covered.
        let written = try policy(rules)
        #expect(written.cover(try question("b.example", 443, .tls)).short == "+4")
        #expect(written.cover(try question("b.example", 443, .http)) == .uncovered)
    }

    @Test func stopsAtTheBoundAndNeverEvicts() throws {
        let learned = LearnedRules(perService: 3)
        func learn(_ index: Int, _ service: String = "app") throws -> LearnedRules.Outcome {
            learned.learn(service: service, host: try host("h\(index).example"), port: 80, application: .http)
        }
        for index in 0..<3 { #expect(try learn(index) == .learned) }
        #expect(try learn(3) == .full(first: true))
        #expect(try learn(4) == .full(first: false))
        #expect(try learn(3) == .full(first: false))
        #expect(try learn(0) == .known)
        #expect(learned.refused(by: "app") == 3)
        #expect(learned.count == 3)
        #expect(try learn(3, "other") == .learned)
        #expect(learned.refused(by: "other") == 0)
        learned.setPerService(4)
        #expect(try learn(3) == .learned)
        #expect(try learn(4) == .full(first: true))
        #expect(try learn(4) == .full(first: false))
    }

    /// Learned rules outlive policies: after a reload the same rules cover, also for a service that had gone.
    @Test func outliveReloads() throws {
        let learned = LearnedRules()
        _ = try policy([], learned: learned)
        learned.learn(service: "app", host: try host("a.example"), port: 80, application: .http)
        let without = PolicySpec(
            services: [ServiceSpec(name: "unknown", mode: .discover, uninspectable: .alert, rules: [])], identities: [],
            internalSuffixes: [], ownAddresses: [])
        _ = Policy.compile(without, learned: learned)
        let again = try policy([], learned: learned)
        #expect(again.cover(try question("a.example")).short == "learned")
    }

    /// Two threads learn and two only ask, through several growths of the table: what was learned is seen at once by who
    /// learned it, and for ever by who saw it. The threads that ask meet the others at no lock.
    @Test func manyThreads() throws {
        let learned = LearnedRules(perService: 100_000)
        let policy = try policy([], learned: learned)
        let questions = try (0..<3000).map { try question("h\($0).example", UInt16(1 + $0 % 7)) }
        let wrong = Atomic(0)
        let fresh = Atomic(0)
        try withThreads(4) { thread in
            thread < 2
                ? learn(questions, thread, policy, wrong: wrong, fresh: fresh) : ask(questions, policy, wrong: wrong)
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(fresh.load(ordering: .relaxed) == questions.count)
        #expect(learned.count == questions.count)
    }

    private func learn(
        _ questions: [Question], _ thread: Int, _ policy: Policy, wrong: borrowing Atomic<Int>,
        fresh: borrowing Atomic<Int>
    ) {
        for round in 0..<questions.count {
            let question = questions[(round * 7 + thread * 751) % questions.count]
            guard let name = question.name else { continue }
            let outcome = policy.learned.learn(
                service: "app", host: .name(name), port: question.port, application: .http)
            if outcome == .learned { fresh.add(1, ordering: .relaxed) }
            if policy.cover(question).short != "learned" { wrong.add(1, ordering: .relaxed) }
        }
    }

    /// Asks until everything was learned; a bound keeps a broken table from hanging the test.
    private func ask(_ questions: [Question], _ policy: Policy, wrong: borrowing Atomic<Int>) {
        var seen = [Bool](repeating: false, count: questions.count)
        for _ in 0..<10_000 where seen.contains(false) {
            for (index, question) in questions.enumerated() {
                let isLearned = policy.cover(question).short == "learned"
                if seen[index], !isLearned { wrong.add(1, ordering: .relaxed) }
                seen[index] = isLearned
            }
        }
        if seen.contains(false) { wrong.add(1, ordering: .relaxed) }
    }
}
