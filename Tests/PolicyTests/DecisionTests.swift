import Bytes
import Testing

@testable import Policy

/// Modes and verdicts: every cell of the table, what Protect would do, and the reason given.
@Suite struct DecisionTests {
    private static let texts = RuleTexts([(name: "unknown", rules: 0), (name: "app", rules: 1)])
    static let rule = RuleID(service: 1, rule: 0, name: texts[1, 0])

    enum Fact: Sendable {
        case nothing, threat(Threat), finding(Action), uninspectable(Action)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var title: String
        var cover: Cover
        var facts: [Fact]
        /// The actions of Discover, Monitor and Protect; the last is `would` in all three.
        var actions: [Action]
        var reasons: [Reason?]
        var testDescription: String { title }

        init(_ title: String, _ cover: Cover, _ facts: [Fact], _ actions: [Action], _ reasons: [Reason?]) {
            (self.title, self.cover, self.facts, self.actions, self.reasons) = (title, cover, facts, actions, reasons)
        }
    }

    static let table: [Case] = [
        // Rules alone.
        Case("allowed", .allowed(rule), [], [.allow, .allow, .allow], [nil, nil, nil]),
        Case("learned", .learned(rule), [], [.allow, .allow, .allow], [nil, nil, nil]),
        Case("uncovered", .uncovered, [], [.allow, .alert, .deny], [.violation, .violation, .violation]),
        Case("denied", .denied(rule), [], [.alert, .alert, .deny], [.rule, .rule, .rule]),
        // Sensors.
        Case("alert", .allowed(rule), [.finding(.alert)], [.alert, .alert, .alert], [.finding, .finding, .finding]),
        Case(
            "redact", .allowed(rule), [.finding(.redact)], [.alert, .alert, .redact], [.finding, .finding, .finding]),
        Case("deny", .allowed(rule), [.finding(.deny)], [.alert, .alert, .deny], [.finding, .finding, .finding]),
        Case(
            "deny after alert", .allowed(rule), [.finding(.deny), .finding(.alert)], [.alert, .alert, .deny],
            [.finding, .finding, .finding]),
        Case(
            "uncovered and a finding", .uncovered, [.finding(.deny)], [.alert, .alert, .deny],
            [.finding, .violation, .violation]),
        Case(
            "denied and a finding", .denied(rule), [.finding(.alert)], [.alert, .alert, .deny], [.rule, .rule, .rule]),
        // Threats that follow the mode.
        Case(
            "mismatch", .allowed(rule), [.threat(.hostIPMismatch)], [.alert, .alert, .deny],
            [.threat, .threat, .threat]),
        Case(
            "rebinding", .learned(rule), [.threat(.rebinding)], [.alert, .alert, .deny], [.threat, .threat, .threat]),
        Case(
            "a threat before all", .denied(rule), [.finding(.deny), .threat(.noSNI)], [.alert, .alert, .deny],
            [.threat, .threat, .threat]),
        // Threats that do not.
        Case(
            "inward", .allowed(rule), [.threat(.inwardAddress)], [.deny, .deny, .deny], [.threat, .threat, .threat]),
        Case(
            "smuggling of the uncovered", .uncovered, [.threat(.requestSmuggling)], [.deny, .deny, .deny],
            [.threat, .threat, .threat]),
        // What could not be read.
        Case("unread, allow", .allowed(rule), [.uninspectable(.allow)], [.allow, .allow, .allow], [nil, nil, nil]),
        Case("unread, alert", .allowed(rule), [.uninspectable(.alert)], [.alert, .alert, .alert], [nil, nil, nil]),
        Case("unread, deny", .allowed(rule), [.uninspectable(.deny)], [.alert, .alert, .deny], [nil, nil, nil]),
        Case(
            "unread and uncovered", .uncovered, [.uninspectable(.deny)], [.alert, .alert, .deny],
            [nil, .violation, .violation]),
        Case(
            "unread and found", .allowed(rule), [.uninspectable(.deny), .finding(.deny)], [.alert, .alert, .deny],
            [.finding, .finding, .finding]),
    ]

    @Test(arguments: table) func everyCell(_ row: Case) {
        for (index, mode) in Mode.allCases.enumerated() {
            var decision = Decision(mode: mode, uninspectable: .alert, cover: row.cover)
            note(row.facts, &decision)
            #expect(decision.action == row.actions[index], "\(mode.label)")
            #expect(decision.would == row.actions[2], "\(mode.label)")
            #expect(decision.reason == row.reasons[index], "\(mode.label)")
            #expect(decision.rule == (row.cover == .uncovered ? nil : DecisionTests.rule))
        }
    }

    private func note(_ facts: [Fact], _ decision: inout Decision) {
        for fact in facts {
            switch fact {
            case .nothing: break
            case .threat(let threat): decision.note(threat)
            case .finding(let action): decision.note(finding: action)
            case .uninspectable(let action): decision.note(uninspectable: action)
            }
        }
    }

    /// Every threat in every mode, for a session that a rule allows.
    @Test(arguments: Threat.allCases, Mode.allCases) func everyThreat(_ threat: Threat, _ mode: Mode) {
        for setting in [Action.allow, .alert, .deny] {
            var decision = Decision(mode: mode, uninspectable: setting, cover: .allowed(DecisionTests.rule))
            decision.note(threat)
            let (action, would): (Action, Action) =
                switch threat {
                case .requestSmuggling, .malformedHTTP, .headerFlood, .slowRequest, .inwardAddress, .gatewayLoop,
                    .connectionFlood, .malformedTLS, .dnsMalformed, .dnsFlood, .http2RapidReset,
                    .http2ContinuationFlood, .http2HeaderBomb, .http2ControlFlood:
                    (.deny, .deny)
                case .hostIPMismatch, .sniHostMismatch, .noSNI, .rebinding, .dnsTunnel, .dnsExfiltration,
                    .dnsZoneTransfer, .dnsNull, .dnsAny, .echPresent, .tlsLegacy, .untrustedUpstream, .honeytoken:
                    (mode == .protect ? .deny : .alert, .deny)
                case .decompressionBomb, .patternOverrun: (mode == .protect ? setting : min(setting, .alert), setting)
                }
            #expect(decision.action == action)
            #expect(decision.would == would)
            #expect(decision.threat == threat)
            #expect(decision.reason == (would == .allow ? nil : .threat))
            #expect(
                threat.isAlwaysRefused == (decision.action == .deny && would == .deny && mode != .protect)
                    || mode == .protect)
        }
    }

    /// The weightiest threat is the one recorded; what an earlier one brought about stays.
    @Test func threatsAddUp() {
        var decision = Decision(mode: .protect, uninspectable: .deny, cover: .allowed(DecisionTests.rule))
        decision.note(.decompressionBomb)
        decision.note(.noSNI)
        decision.note(.rebinding)
        #expect(decision.threat == .noSNI)
        decision.note(.gatewayLoop)
        decision.note(.slowRequest)
        #expect(decision.threat == .gatewayLoop)

        var bomb = Decision(mode: .monitor, uninspectable: .deny, cover: .allowed(DecisionTests.rule))
        bomb.note(.rebinding)
        bomb.note(.patternOverrun)
        #expect(bomb.threat == .rebinding)
        #expect(bomb.action == .alert)
        #expect(bomb.would == .deny)
    }

    /// A bomb that the service only alerts about does not take the blame for what a sensor denied.
    @Test func theReasonIsWhatDecided() {
        var decision = Decision(mode: .protect, uninspectable: .alert, cover: .allowed(DecisionTests.rule))
        decision.note(.decompressionBomb)
        #expect(decision.reason == .threat)
        decision.note(finding: .deny)
        #expect(decision.reason == .finding)
    }

    @Test func onlyDiscoverLearns() {
        for mode in Mode.allCases {
            for cover in [Cover.uncovered, .allowed(DecisionTests.rule), .denied(DecisionTests.rule)] {
                var decision = Decision(mode: mode, uninspectable: .alert, cover: cover)
                decision.note(finding: .deny)
                #expect(decision.mayLearn == (mode == .discover && cover == .uncovered))
                decision.note(.hostIPMismatch)
                #expect(!decision.mayLearn)
            }
        }
    }
}
