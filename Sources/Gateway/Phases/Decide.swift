import Bytes
import DLP
import HTTP
import OS
import Policy
import Record

import struct DNS.Answer

/// Where a connection was going: the address its packets had, or what CONNECT named.
struct Target {
    /// Absent on an explicit listener until a request names its host.
    var endpoint: Endpoint?
    /// The host of a CONNECT request.
    var host: Host?
    /// The port of a CONNECT request.
    var port: UInt16?
}

/// The name is bound to an address, policy says what it covers, and url and header are read.
extension Session {
    /// Judges a request whose head is whole.
    func judge(_ exchange: Exchange) {
        let bytes = exchange.bytes.readable
        if exchange.head.method == .connect { return connect(exchange) }
        guard target.host != nil || target.endpoint != nil || !exchange.head.host.isEmpty else {
            return refuse(exchange, malformed: .noHost)
        }
        if exchange.head.isHTTPS, !isSecure {
            return refuse(exchange, status: 501, "An https URL is asked for with CONNECT")
        }
        exchange.call = GRPCKind(exchange.head.fields, bytes)
        exchange.application = application(of: exchange)
        exchange.port =
            target.endpoint?.port ?? target.port ?? exchange.head.port ?? (isSecure ? 443 : 80)
        if isSecure, !isStream { noteTrust(exchange) }
        var host: Host?
        if !exchange.head.host.isEmpty {
            let text = UnsafeRawBufferPointer(rebasing: bytes[exchange.head.host])
            if let name = standing.name, name.matches(text) {
                if exchange.application != .webSocket, standing.give(exchange, now: now) {
                    readHead(exchange, to: .name(name))
                    return decideExchange(exchange)
                }
                host = .name(name)
            } else if let parsed = Host(text) {
                host = parsed
            } else {
                return refuse(exchange, malformed: .badHost)
            }
        }
        readHead(exchange, to: host ?? (isSecure ? tls?.name : nil))
        if let host {
            if isSecure { checkFronting(exchange, host) }
            bind(exchange, to: host, by: .host)
        } else if let name = tls?.name, isSecure {
            bind(exchange, to: name, by: .sni)
        } else {
            bind(exchange, to: target.host, by: .connect)
        }
    }

    /// By what the head says of itself; rules are about that, too.
    private func application(of exchange: Exchange) -> Application {
        if exchange.head.asksForWebSocket(exchange.bytes.readable) { return .webSocket }
        return isStream ? exchange.call != nil ? .grpc : .http2 : .http
    }

    /// Binds what the exchange names to an address; goes on at once, or when the name has been looked up.
    func bind(_ exchange: Exchange, to host: Host?, by source: NamedBy) {
        switch host {
        case nil:
            guard let endpoint = target.endpoint else { return refuse(exchange, malformed: .noHost) }
            exchange.dial = endpoint
            nameByMemory(exchange, endpoint)
            decide(exchange)
        case .address(let address):
            exchange.dial = Endpoint(address, exchange.port)
            checkSpoof(exchange, named: [address])
            decide(exchange)
        case .name(let name):
            standing.turn(to: name)
            exchange.name = name
            exchange.namedBy = source
            if wasTold(exchange, name) { return }
            if let answer = worker.resolver.known(name) { return resolved(exchange, answer) }
            if refusedUnasked(exchange) { return }
            switch worker.resolver.lookup(name, for: token) {
            case .known(let answer): resolved(exchange, answer)
            case .pending: phase = .resolve
            }
        }
    }

    /// The name that the client was given for the address that it goes to; of several, the one that is judged most strictly.
    private func nameByMemory(_ exchange: Exchange, _ endpoint: Endpoint) {
        let policy = exchange.snapshot.policy
        var strictest: (name: DomainName, would: Action)?
        worker.hub.memory.forEachName(client: keeper(exchange), address: endpoint.address, now: now) { name in
            let question = Question(
                service: identity.service, name: name, address: endpoint.address, port: endpoint.port,
                application: exchange.application)
            let would = policy.decide(question).would
            if would > strictest?.would ?? .allow || strictest == nil { strictest = (name, would) }
        }
        guard let name = strictest?.name else { return }
        exchange.name = name
        exchange.namedBy = .dnsMemory
        checkClasses(exchange, of: [endpoint.address])
    }

    /// The client was given this address for this name, so there it goes, whatever the name's other addresses are by now.
    private func wasTold(_ exchange: Exchange, _ name: DomainName) -> Bool {
        guard let asked = target.endpoint?.address,
            worker.hub.memory.knows(client: keeper(exchange), address: asked, name: name, now: now)
        else { return false }
        exchange.dial = Endpoint(asked, exchange.port)
        exchange.nameUntil = now + Session.memoryTime
        checkClasses(exchange, of: [asked])
        decide(exchange)
        return true
    }

    /// Under the exchange's own snapshot, whose numbers its identity has.
    private func keeper(_ exchange: Exchange) -> IPAddress {
        exchange.snapshot.policy.keeper(exchange.identity, client.address)
    }

    /// How long a connection goes by what its client was told before that is looked at again.
    private static let memoryTime = Milliseconds.seconds(10)

    /// Refuses what no answer of a resolver could make allowed. Its name is not looked up: the question would carry out
    /// what the client may not send.
    private func refusedUnasked(_ exchange: Exchange) -> Bool {
        exchange.decide()
        guard exchange.action == .deny else { return false }
        if exchange.decision.reason == .rule || exchange.decision.reason == .violation {
            // A rule about addresses may cover what no rule about the name does.
            if worker.allowsAddresses(exchange) { return false }
            // What is said inside is not known yet.
            let isOpen =
                exchange.head.method == .connect || tunnel?.awaitsServer == true
                || exchange.application == .tls && intercepts(exchange)
            if isOpen,
                exchange.snapshot.policy.couldAllow(
                    service: identity.service, name: exchange.name, address: nil, port: exchange.port)
            {
                return false
            }
        }
        if tunnel != nil { refuseTunnel(exchange) } else { refuseDenied(exchange) }
        return true
    }

    /// The name that was looked up has its answer.
    func resolved() {
        guard let exchange, let name = exchange.name else { return }
        if case .known(let answer) = worker.resolver.lookup(name, for: token) { resolved(exchange, answer) }
    }

    private func resolved(_ exchange: Exchange, _ answer: Answer) {
        guard let first = answer.addresses.first else {
            return unresolvable(exchange, answer)
        }
        // The client's address is opened only if the name has it; else what we were told ourselves.
        let asked = target.endpoint?.address
        let address = asked.flatMap { answer.addresses.contains($0) ? $0 : nil } ?? first
        exchange.dial = Endpoint(address, exchange.port)
        exchange.nameUntil = now + .seconds(Int64(answer.ttlSeconds))
        checkSpoof(exchange, named: answer.addresses)
        checkClasses(exchange, of: answer.addresses)
        decide(exchange)
    }

    /// A name that does not fit its address is a threat where the address is one that must not be reached.
    private func checkSpoof(_ exchange: Exchange, named addresses: [IPAddress]) {
        guard let asked = target.endpoint?.address, !addresses.contains(asked) else { return }
        let policy = exchange.snapshot.policy
        let question = Question(
            service: identity.service, name: nil, address: asked, port: exchange.port, application: exchange.application
        )
        var denied = false
        if case .denied = policy.cover(question) { denied = true }
        // The client has the address for another name than it says.
        let isOthers = worker.hub.memory.knows(client: keeper(exchange), address: asked, now: now)
        if denied || isOthers || policy.classify(asked, name: exchange.name, service: identity.service) != .outward {
            exchange.note(.hostIPMismatch)
        }
    }

    /// Every answer counts, not just the one that is dialled: a name with an inward address among others is a trap.
    private func checkClasses(_ exchange: Exchange, of addresses: [IPAddress]) {
        let policy = exchange.snapshot.policy
        for address in addresses {
            switch policy.classify(address, name: exchange.name, service: identity.service) {
            case .outward: break
            case .inward: exchange.note(.inwardAddress)
            case .privateBehindName: exchange.note(.rebinding)
            }
        }
    }

    /// All that is known before the body: what policy covers, which threats were seen, what url and header hold.
    private func decide(_ exchange: Exchange) {
        guard let dial = exchange.dial else { return }
        let policy = exchange.snapshot.policy
        exchange.decide()
        if exchange.name == nil, policy.classify(dial.address, name: nil, service: identity.service) == .inward {
            exchange.note(.inwardAddress)
        }
        if worker.isOwnListener(dial) { exchange.note(.gatewayLoop) }
        if exchange.head.method == .connect {
            decideConnect(exchange)
        } else if tunnel != nil {
            decideTunnel(exchange)
        } else {
            if exchange.application != .webSocket { standing.keep(exchange) }
            decideExchange(exchange)
        }
    }

    /// Reads url and header, before the name in them is looked up. The gateway itself will look it up and dial what it finds,
    /// so that a secret whose home the name is gets there and nowhere else.
    func readHead(_ exchange: Exchange, to host: Host?) {
        let bytes = exchange.bytes.readable
        let inspection = exchange.inspection
        if case .name(let name)? = host { inspection.head(for: name) }
        if exchange.reads.contains(.url) {
            inspection.scan(UnsafeRawBufferPointer(rebasing: bytes[exchange.head.path]), as: .url)
        }
        guard exchange.reads.contains(.header) else { return }
        for field in exchange.head.fields {
            let found = inspection.findingsCount
            inspection.scan(UnsafeRawBufferPointer(rebasing: bytes[field.value]), as: .header)
            if field.id == .host, inspection.findingsCount > found {
                exchange.maskedHost = inspection.findings.dropFirst(found).map {
                    Int($0.rawOffset)..<Int($0.rawOffset) + $0.length
                }
            }
        }
    }

    private func decideExchange(_ exchange: Exchange) {
        exchange.noteInspection()
        if exchange.action == .deny { return refuseDenied(exchange) }
        exchange.requestBody = BodyReader(exchange.head.framing, limits: limits)
        if !exchange.head.framing.hasContent || !exchange.reads.contains(.body) {
            exchange.inspection.finish()
            exchange.noteInspection()
            if exchange.action == .deny { return refuseDenied(exchange) }
        }
        guard exchange.head.framing.hasContent else {
            exchange.requestEnded = true
            return dial(exchange)
        }
        exchange.rateMark = (0, now)
        if exchange.reads.contains(.body) {
            let bytes = exchange.bytes.readable
            exchange.openBody(
                .request, exchange.head.fields, from: bytes,
                codings: exchange.head.codings(bytes))
            exchange.noteInspection()
            if exchange.action == .deny { return refuseDenied(exchange) }
            // Messages are held one by one: a call may last, and its server may be the first to speak.
            if exchange.profile.holds, exchange.requestFrames == nil {
                exchange.holds = true
                if case .length(let count) = exchange.head.framing, count <= UInt64(exchange.profile.hold) {
                    exchange.held.reserve(Int(count))
                }
                // The client that asks whether it should send the body at all hears it from us (RFC 9110 section 10.1.1).
                if exchange.head.expectsContinue, !sendContinue() { return }
                phase = .hold
                return
            }
        }
        dial(exchange)
    }

    /// False when the client does not take it: then the exchange has ended.
    private func sendContinue() -> Bool {
        worker.outbox.removeAll()
        defer { worker.outbox.removeAll() }
        Writer.interim(100, into: &worker.outbox)
        do throws(Errno) { try transport.write(worker.outbox.readable) } catch {
            clientBroke()
            return false
        }
        return true
    }

    /// The name has no address that we could dial: nothing is sent anywhere.
    private func unresolvable(_ exchange: Exchange, _ answer: Answer) {
        exchange.decide()
        if tunnel != nil { return refuseTunnel(exchange) }
        if exchange.action == .deny { return refuseDenied(exchange) }
        if case .failed(let why) = answer.outcome {
            refuse(exchange, status: 502, "The name could not be looked up: \(why)")
        } else {
            refuse(exchange, status: 502, "The name has no address")
        }
    }
}

extension Framing {
    /// Whether a body follows that is more than nothing.
    var hasContent: Bool { self != .none && self != .length(0) }
}

extension RequestHead {
    func codings(_ bytes: UnsafeRawBufferPointer) -> [ContentCoding] {
        contentEncodings.flatMap { ContentCoding.parse(UnsafeRawBufferPointer(rebasing: bytes[$0])) }
    }
}

extension ResponseHead {
    func codings(_ bytes: UnsafeRawBufferPointer) -> [ContentCoding] {
        contentEncodings.flatMap { ContentCoding.parse(UnsafeRawBufferPointer(rebasing: bytes[$0])) }
    }
}
