import Bytes
import Config
import DNS
import Glibc
import Loop
import OS
import Policy
import Record
import Synchronization
import TLS

/// The composition root: reads the configuration, starts a loop per worker, and stays to control them.
///
/// The thread that calls `run` becomes the control thread: signals, reload, the admin API and the state file are its
/// business, the path of a byte is not.
public final class Gateway {
    let started = Clock.now()
    let control: EventLoop
    private let mailbox: Mailbox
    let hub: Hub
    let log: Log
    private let configPath: String
    private let fingerprintKey: [UInt8]
    private let ownAddresses: [IPAddress]
    private var signals: SignalHandler?
    private var watcher: ReloadWatcher?
    private var admins: [AdminListener] = []
    private var saver: StateSaver?
    private var renewer: TicketRenewer?
    private var minter: ThreadHandle?
    private(set) var snapshot: Snapshot
    private(set) var workers: [WorkerHandle] = []
    private(set) var reloads: (succeeded: UInt64, failed: UInt64) = (0, 0)
    /// Why the configuration on disk is not the one in force.
    private(set) var pendingErrors: [ConfigError] = []
    private var drained = 0
    private(set) var isDraining = false

    /// Why the gateway did not start: what, where, and what was expected.
    public struct StartError: Error, CustomStringConvertible {
        public let description: String
    }

    /// Runs until SIGTERM or SIGINT has drained it.
    public static func run(configuration path: String, version: String) throws {
        // From here on there are keys in it, and what clients say.
        forbidMemoryDumps()
        let gateway = try Gateway(configuration: path, version: version)
        try gateway.start()
        gateway.control.run()
        gateway.finish()
    }

    let version: String

    private init(configuration path: String, version: String) throws {
        configPath = path
        self.version = version
        let settings = try Settings.load(path).get()
        log = Log(settings.log)
        signal(SIGPIPE, SIG_IGN)
        mailbox = try Mailbox()
        control = try EventLoop(mailbox: mailbox)
        fingerprintKey = try StateDirectory.fingerprintKey(in: settings.state.directory)
        let addresses = try interfaceAddresses()
        // Loopback is refused as such; a rule may name its whole range.
        ownAddresses = addresses.filter { address in !loopback.contains { $0.contains(address) } }
        let learned = LearnedRules(perService: settings.limits.learnedPerService)
        let loaded = try learned.load(from: Gateway.learnedPath(settings))
        for complaint in loaded.damage { log.warning("\(Gateway.learnedPath(settings)): \(complaint)") }
        if let kept = loaded.keptAs { log.warning("the damaged state file is kept as \(kept)") }
        try Gateway.makeAuthority(settings, log)
        snapshot = try Snapshot.build(
            settings, generation: 1, learned: learned, ownAddresses: ownAddresses, fingerprintKey: fingerprintKey
        ).get()
        hub = Hub(
            writer: try RecordWriter.open(RecordWriter.Settings(settings.records)), learned: learned,
            mark: Gateway.usableMark(settings.mark), systemResolvers: parseResolvConf(Gateway.text("/etc/resolv.conf")),
            hostsFile: Hosts(Gateway.text("/etc/hosts")), suffixes: try Gateway.suffixes(settings, log),
            limits: settings.limits, log: log, ownAddresses: addresses,
            listeners: settings.listeners.map(\.address))
    }

    /// On a first start there is none yet, and its clients have still to be told of it.
    private static func makeAuthority(_ settings: Settings, _ log: Log) throws(AuthorityFault) {
        let (certificate, key) = (settings.tls.certificate, settings.tls.key)
        guard settings.inspectsAny, !(try Authority.isThere(certificate: certificate, key: key)) else { return }
        try Authority.make(certificate: certificate, key: key, now: Clock.wallMicroseconds() / 1_000_000)
        log.info("made an authority for the TLS that is read: clients that trust \(certificate) can be read")
    }

    static func learnedPath(_ settings: Settings) -> String { "\(settings.state.directory)/learned" }

    private static func text(_ path: String) -> String {
        String(decoding: content(of: path, atMost: 1 << 20) ?? [], as: UTF8.self)
    }

    /// A file that is small by nature; what lies beyond `atMost` is not read. Nil where there is none.
    private static func content(of path: String, atMost: Int) -> [UInt8]? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: atMost)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes[..<count])
    }

    /// The Public Suffix List: the configured one, else the one beside the configuration, else the distribution's.
    private static func suffixes(_ settings: Settings, _ log: Log) throws -> PublicSuffixes {
        // Of names that clusters look up in passing there are many, and nobody outside hears of them.
        let trusted =
            (settings.dns.trustedZones ?? TrustedZones.names) + settings.dns.internalSuffixes
            + settings.dns.zones.map(\.suffix)
        let beside = settings.files.first.map { file in
            (file.lastIndex(of: "/").map { String(file[...$0]) } ?? "") + "public_suffix_list.dat"
        }
        let paths =
            settings.dns.publicSuffixes.map { [$0] } ?? [
                beside ?? "", "/usr/share/publicsuffix/public_suffix_list.dat",
            ]
        for path in paths {
            guard let list = content(of: path, atMost: 4 << 20) else { continue }
            // Typed errors do not pass through the array's closure.
            let parsed = list.withUnsafeBytes { bytes in
                Result { () throws(PublicSuffixes.Problem) in try PublicSuffixes(bytes, trusted: trusted) }
            }
            switch parsed {
            case .success(let suffixes): return suffixes
            case .failure(let problem): throw StartError(description: "dns.public_suffixes: \(path): \(problem)")
            }
        }
        if let path = settings.dns.publicSuffixes {
            throw StartError(description: "dns.public_suffixes: \(path): cannot be read")
        }
        if settings.listeners.contains(where: { $0.protocol == .dns }) {
            log.warning("no Public Suffix List: names are told apart by a few built-in suffixes (dns.public_suffixes)")
        }
        return PublicSuffixes(builtInWith: trusted)
    }

    private static func usableMark(_ mark: UInt32) -> UInt32? {
        guard let probe = try? Socket(.datagram, for: .anyV4) else { return nil }
        return (try? probe.setMark(mark)) == nil ? nil : mark
    }

    // MARK: Starting

    private func start() throws {
        let settings = snapshot.settings
        let descriptors = raiseDescriptorLimit()
        keepFreedMemory()
        signals = try SignalHandler(self)
        if hub.mark == nil {
            log.warning("without CAP_NET_ADMIN there is no SO_MARK: only explicit listeners are safe from loops")
        }
        minter = try hub.leaves.start()
        let count = settings.workers > 0 ? settings.workers : processorCount()
        let mailboxes = try (0..<count).map { _ in try Mailbox() }
        let shared = [mailbox.descriptor] + mailboxes.map(\.descriptor)
        for (index, mailbox) in mailboxes.enumerated() {
            workers.append(
                try WorkerHandle.start(index, hub: hub, snapshot: snapshot, mailbox: mailbox, shared: shared))
        }
        hub.writer.onResume { [workers] in for worker in workers { worker.post { $0.recordsResumed() } } }
        watcher = try ReloadWatcher(self)
        saver = try StateSaver(self)
        renewer = try TicketRenewer(self)
        if let address = settings.admin.address {
            admins.append(try AdminListener(try Socket.listen(address, .init()), self, mayControl: false))
        }
        do throws(Errno) {
            admins.append(try AdminListener(try Socket.listen(path: settings.admin.socket), self, mayControl: true))
        } catch {
            throw StartError(description: "admin socket \(settings.admin.socket): \(error)")
        }
        for warning in snapshot.warnings { log.warning("\(warning)") }
        let names = settings.listeners.map { "\($0.name) \($0.intercept.rawValue) \($0.address)" }
        log.info("weir \(version): \(count) workers, \(descriptors) descriptors, \(names.joined(separator: ", "))")
    }

    // MARK: Reload

    /// Builds a new snapshot from the files and hands it to every loop; with errors everything stays as it is.
    func reload() {
        let result = Settings.load(configPath).flatMap { fresh -> Result<Snapshot, ConfigErrors> in
            let restart = fresh.restartNeeded(from: snapshot.settings)
            if !restart.isEmpty { return .failure(ConfigErrors(restart)) }
            do throws(AuthorityFault) { try Gateway.makeAuthority(fresh, log) } catch {
                return .failure(ConfigErrors([ConfigError(fresh.tls.authorityPlace, "tls.authority: \(error)")]))
            }
            return Snapshot.build(
                fresh, generation: snapshot.generation + 1, learned: hub.learned, ownAddresses: ownAddresses,
                fingerprintKey: fingerprintKey)
        }
        switch result {
        case .success(let fresh):
            snapshot = fresh
            pendingErrors = []
            reloads.succeeded += 1
            hub.learned.setPerService(fresh.settings.limits.learnedPerService)
            for worker in workers { worker.post { $0.adopt(fresh) } }
            watcher?.follow(fresh.settings)
            for warning in fresh.warnings { log.warning("\(warning)") }
            log.info("configuration \(fresh.generation) is in force")
        case .failure(let errors):
            pendingErrors = errors.errors
            reloads.failed += 1
            watcher?.follow(errors)
            for error in errors.errors { log.error("\(error)") }
            log.error("the configuration on disk has errors; \(snapshot.generation) stays in force")
        }
    }

    func reopenRecords() { hub.writer.reopen() }

    // MARK: Ending

    /// Lets exchanges finish for `drain_timeout` at most, then stops.
    func drain() {
        isDraining = true
        log.info("draining")
        hub.onDrained { [poster = control.poster, box = Weak(self)] in poster.post { _ in box.value?.workerDrained() } }
        for worker in workers { worker.post { $0.drain() } }
        saver?.stop(at: control.now + snapshot.settings.limits.drainTimeout)
    }

    private func workerDrained() {
        drained += 1
        if drained >= workers.count { control.stop() }
    }

    private func finish() {
        for worker in workers { worker.stop() }
        for worker in workers { worker.join() }
        hub.leaves.close()
        minter?.join()
        save()
        if !hub.writer.drain(timeout: .seconds(10)) {
            log.error("records were not all written: the disk does not take them")
        }
        unlink(snapshot.settings.admin.socket)
    }

    func save() {
        do throws(StateError) { try hub.learned.save(to: Gateway.learnedPath(snapshot.settings)) } catch {
            log.error("\(error)")
        }
    }
}

private let loopback = [Prefix(IPAddress(v4: 0x7f00_0000), length: 104), Prefix(IPAddress(high: 0, low: 1))]

/// Carries a reference that only the control thread follows into a closure that another thread posts back to it.
struct Weak<Value: AnyObject>: @unchecked Sendable {
    private(set) weak var value: Value?

    init(_ value: Value) { self.value = value }
}

extension RecordWriter.Settings {
    init(_ settings: RecordSettings) {
        self.init(directory: settings.directory)
        rotateBytes = settings.rotate
        keep = settings.keep
        queueBytes = settings.queue
        flush = settings.flush
        onOverload = settings.onOverload == .drop ? .drop : .wait
    }
}
