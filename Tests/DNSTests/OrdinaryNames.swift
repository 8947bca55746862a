import Bytes

/// An hour of the names that one busy client asks for without meaning any harm, made from a seed: of each kind that could
/// be taken for a tunnel far more than any client has.
struct OrdinaryNames {
    private var state: UInt64
    private(set) var asked: [Asked] = []

    static let hour: Int64 = 3_600_000
    static let shared = OrdinaryNames()

    init(seed: UInt64 = 1) {
        state = seed
        contentNetworks()
        telemetry()
        clouds()
        blocklists()
        reputation()
        reverse()
        mail()
        certificatesAndServices()
        cluster()
        web()
        asked.sort { $0.milliseconds < $1.milliseconds }
    }

    // MARK: - Chance

    private mutating func next(_ below: Int) -> Int {
        // SplitMix64.
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return Int((z ^ z >> 31) % UInt64(below))
    }

    private mutating func text(_ count: Int, of alphabet: String) -> String {
        let letters = Array(alphabet)
        return String((0..<count).map { _ in letters[next(letters.count)] })
    }

    private mutating func hex(_ count: Int) -> String { text(count, of: "0123456789abcdef") }
    private mutating func base32(_ count: Int) -> String { text(count, of: "abcdefghijklmnopqrstuvwxyz234567") }
    private mutating func alnum(_ count: Int) -> String { text(count, of: "abcdefghijklmnopqrstuvwxyz0123456789") }
    private mutating func digits(_ count: Int) -> String { text(count, of: "0123456789") }
    private mutating func uuid() -> String { "\(hex(8))-\(hex(4))-4\(hex(3))-a\(hex(3))-\(hex(12))" }
    private mutating func one(of words: [String]) -> String { words[next(words.count)] }
    private mutating func octets() -> String { "\(next(256)).\(next(256)).\(next(256)).\(1 + next(254))" }
    private mutating func word() -> String { one(of: OrdinaryNames.words) }
    private mutating func site() -> String {
        "\(word())\(one(of: ["", "-", ""]))\(word()).\(one(of: ["com", "com", "net", "org", "io", "de", "co.uk", "fr"]))"
    }
    private mutating func region() -> String {
        "\(one(of: ["us", "eu", "ap"]))-\(one(of: ["east", "west", "central", "south"]))-\(1 + next(3))"
    }

    /// `count` names of one kind over the hour, or within `span` of it.
    private mutating func add(
        _ count: Int, type: UInt16 = 1, answer: Int = 120, span: Range<Int64> = 0..<hour,
        _ name: (inout OrdinaryNames) -> String
    ) {
        for _ in 0..<count {
            let at = span.lowerBound + Int64(next(span.count))
            let text = name(&self)
            asked.append(Asked(milliseconds: at, type: type, answerBytes: answer, name: text))
            // The C library asks for both kinds of addresses at once.
            if type == 1 { asked.append(Asked(milliseconds: at, type: 28, answerBytes: answer, name: text)) }
        }
    }

    // MARK: - Kinds

    private mutating func contentNetworks() {
        add(2000) { "d\($0.alnum(13)).cloudfront.net" }
        add(1500) { "a\($0.next(2000)).\($0.one(of: ["e", "b", "g", "dscg1", "dscr", "w10"])).akamai.net" }
        add(3000) { "e\($0.next(99_999)).\($0.one(of: ["dsca", "dscb", "dscx", "b", "g", "ksd"])).akamaiedge.net" }
        add(2000) { "r\(1 + $0.next(20))---sn-\($0.alnum(8 + $0.next(4))).googlevideo.com" }
        add(1000) { "rr\(1 + $0.next(8))---sn-\($0.alnum(4))-\($0.alnum(4)).googlevideo.com" }
        add(500) { "\($0.one(of: ["dualstack", "prod"])).\($0.word())-\($0.word()).map.fastly.net" }
        add(500) { "\($0.hex(16)).cdn.example-cdn.net" }
        add(500) { "\($0.word())-\($0.hex(12)).b-cdn.net" }
        add(300) {
            "\($0.one(of: ["scontent", "video"]))-\($0.text(3, of: "abcdefghijklmnop"))\(1 + $0.next(4))-1.xx.fbcdn.net"
        }
    }

    private mutating func telemetry() {
        add(500) { "o\($0.digits(6)).ingest.sentry.io" }
        add(500) { "o\($0.digits(16)).ingest.us.sentry.io" }
        add(1000) { "\($0.uuid()).telemetry.example-vendor.com" }
        add(200) { "\($0.hex(32)).us-east-1.prod.service.minerva.devices.a2z.com" }
        add(300) { "\($0.hex(10)).bam.nr-data.net" }
        add(1000) { "\($0.digits(7)).fls.doubleclick.net" }
        add(1500) { "\($0.hex(32)).safeframe.googlesyndication.com" }
        add(200) {
            "p4-\($0.text(13, of: "abcdefghijklmnopqrstuvwxyz"))-\($0.text(16, of: "abcdefghijklmnopqrstuvwxyz"))-if-v6exp3-v4.metric.gstatic.com"
        }
        add(300) { "\($0.uuid()).nuid.imrworldwide.com" }
        add(300) { "\($0.alnum(21)).litix.io" }
        add(300, type: 16, answer: 180) { "\($0.uuid()).measure.office.com" }
    }

    private mutating func clouds() {
        add(1500) { "\($0.word())-\($0.word())-\($0.hex(6)).s3.amazonaws.com" }
        add(1000) { "\($0.word())-\($0.word()).s3.\($0.region()).amazonaws.com" }
        add(800) { "\($0.word())-\($0.word())-\($0.digits(10)).\($0.region()).elb.amazonaws.com" }
        add(800) { "a\($0.hex(31))-\($0.digits(10)).\($0.region()).elb.amazonaws.com" }
        add(500) { "ec2-\($0.octets().replacing(".", with: "-")).\($0.region()).compute.amazonaws.com" }
        add(800) { "\($0.word())\($0.alnum(8)).blob.core.windows.net" }
        add(500) { "\($0.word())-\($0.alnum(6)).westeurope.cloudapp.azure.com" }
        add(200) { "\($0.word())-dns-\($0.hex(8)).hcp.westeurope.azmk8s.io" }
        add(300) { "\($0.word())-\($0.word())-\($0.hex(10))-ew.a.run.app" }
        add(2000) { "ip-\($0.octets().replacing(".", with: "-")).\($0.region()).compute.internal" }
        add(300) { "\($0.hex(32)).gr7.\($0.region()).eks.amazonaws.com" }
        // A monitoring that looks up all it watches at once.
        add(1000, span: 60_000..<75_000) { "node-exporter-\($0.digits(4)).monitoring.prod.example.org" }
    }

    private mutating func blocklists() {
        // Mail servers ask in bursts, several lists for each connection.
        add(5000, span: 600_000..<700_000) { "\($0.octets()).zen.spamhaus.org" }
        add(5000, answer: 90) { "\($0.octets()).rbl.example.net" }
        add(2000, type: 16, answer: 150) { "\($0.octets()).bl.example.de" }
        add(2000, span: 700_000..<760_000) {
            "\($0.base32(32)).\($0.one(of: ["_email", "_file", "_url"])).abcdefghijklmnop.hbl.dq.spamhaus.net"
        }
        add(1500) { "\($0.site()).multi.surbl.org" }
        add(500, type: 16, answer: 100) { "\($0.hex(40)).ebl.msbl.org" }
        add(500) { "\($0.octets()).list.dnswl.org" }
        add(500, type: 16, answer: 100) { "\($0.octets()).origin.asn.cymru.com" }
    }

    private mutating func reputation() {
        add(2000, span: 900_000..<960_000) { "\($0.base32(26)).\($0.base32(26)).\($0.base32(26)).avqs.mcafee.com" }
        add(2000, type: 16, answer: 250, span: 960_000..<990_000) {
            "\($0.next(9)).\($0.next(9)).\($0.hex(60)).\($0.hex(60)).w.\($0.next(30)).a.i2.sophosxl.net"
        }
        add(1000, type: 16, answer: 100) { "\($0.hex(32)).malware.hash.cymru.com" }
    }

    private mutating func reverse() {
        add(5000, type: 12) { "\($0.octets()).in-addr.arpa" }
        add(2000, type: 12, span: 1_200_000..<1_260_000) { "\($0.next(256)).\($0.next(256)).0.10.in-addr.arpa" }
        let nibbles = { (names: inout OrdinaryNames, count: Int) in Array(names.hex(count)).map { "\($0)." }.joined() }
        add(1500, type: 12) { "\(nibbles(&$0, 16))\(nibbles(&$0, 16))ip6.arpa" }
        // All of one network.
        add(1500, type: 12) { "\(nibbles(&$0, 16))1.0.0.0.8.7.6.5.4.3.2.1.1.0.0.2.ip6.arpa" }
    }

    private mutating func mail() {
        for _ in 0..<1500 {
            let domain = site()
            add(1, type: 16, answer: 500) {
                "\($0.one(of: ["default", "s1", "k1", "mail", "selector1", "20230601"]))._domainkey.\(domain)"
            }
            add(1, type: 16, answer: 300) { _ in "_dmarc.\(domain)" }
            add(1, type: 16, answer: 900) { _ in domain }
            add(1, type: 15, answer: 200) { _ in domain }
            add(1, type: 16, answer: 120) { _ in "_mta-sts.\(domain)" }
            add(1, type: 52, answer: 120) { _ in "_25._tcp.mx.\(domain)" }
        }
        add(1000, type: 16, answer: 500) {
            let tenant = "\($0.word())\($0.word())"
            return "selector1-\(tenant)-onmicrosoft-com._domainkey.\(tenant).onmicrosoft.com"
        }
        add(1000, type: 16, answer: 500) { "20230601._domainkey.\($0.word())-\($0.word())-com.20230601.gappssmtp.com" }
        add(200, type: 16, answer: 500) { "\($0.alnum(32))._domainkey.amazonses.com" }
    }

    private mutating func certificatesAndServices() {
        add(300, type: 16, answer: 200) { "_acme-challenge.\($0.word()).\($0.site())" }
        add(100, type: 16, answer: 200) { "\($0.uuid()).auth.acme-dns.io" }
        add(200, type: 5, answer: 150) { "_\($0.hex(32)).\($0.word()).\($0.site())" }
        add(100, type: 33, answer: 200) {
            "_\($0.one(of: ["ldap", "kerberos", "gc"]))._tcp.\($0.word())._sites.dc._msdcs.corp.example.com"
        }
        add(200, type: 33, answer: 200) { "_\($0.one(of: ["sip", "xmpp-server", "matrix"]))._tcp.\($0.site())" }
        add(300, type: 33, answer: 200) { "_mongodb._tcp.\($0.word())\($0.next(99)).\($0.alnum(5)).mongodb.net" }
    }

    private mutating func cluster() {
        add(1000) { "\($0.word())-\($0.word()).\($0.word()).svc.cluster.local" }
        add(500) { "\($0.next(256))-\($0.next(256))-\($0.next(256))-\($0.next(256)).\($0.word()).pod.cluster.local" }
        for _ in 0..<2000 {
            // ndots:5 tries every list before the name itself.
            let outside = "\(one(of: ["www", "api", "cdn", alnum(12)])).\(site())"
            for domain in ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example.com"] {
                add(1) { _ in "\(outside).\(domain)" }
            }
        }
        add(200) { $0.text(7 + $0.next(8), of: "abcdefghijklmnopqrstuvwxyz") }
        add(200) { "\($0.text(7 + $0.next(8), of: "abcdefghijklmnopqrstuvwxyz")).corp.example.com" }
    }

    private mutating func web() {
        add(4000) { "\($0.one(of: ["www", "api", "static", "img", "cdn", "assets"])).\($0.site())" }
        add(2000) { $0.site() }
        add(1500) { "\($0.word())-\($0.word())\($0.next(1000)).tumblr.com" }
        add(1000) { "\($0.word())\($0.word()).example-blogs.com" }
        add(500, type: 65) { "\($0.word()).\($0.site())" }
        add(300, type: 48, answer: 1200) { $0.site() }
    }

    private static let words = [
        "account", "alpha", "amber", "anchor", "api", "apple", "archive", "atlas", "backup", "basic", "beacon",
        "berlin",
        "billing", "blue", "bridge", "bright", "build", "cable", "calendar", "camera", "canyon", "carbon", "catalog",
        "checkout", "cinema", "circle", "cloud", "coast", "comet", "content", "copper", "crystal", "customer", "data",
        "delta", "design", "digital", "domain", "dragon", "eagle", "early", "east", "echo", "edge", "electric", "email",
        "engine", "event", "express", "falcon", "fast", "feature", "field", "finance", "forest", "frontend", "future",
        "galaxy", "garden", "gateway", "global", "gold", "graph", "green", "harbor", "health", "hotel", "house",
        "image",
        "import", "index", "insight", "invoice", "island", "jet", "journey", "kitchen", "lab", "lake", "legacy",
        "light",
        "lion", "logic", "london", "magnet", "market", "master", "media", "metric", "mobile", "modern", "moon",
        "motion",
        "mountain", "native", "network", "north", "notify", "ocean", "office", "online", "orbit", "order", "paper",
        "partner", "payment", "photo", "pilot", "planet", "portal", "premium", "product", "profile", "public", "quick",
        "radio", "rapid", "record", "report", "river", "rocket", "sample", "school", "search", "secure", "service",
        "shadow", "shop", "signal", "silver", "simple", "smart", "social", "solar", "source", "spark", "spring",
        "staging",
        "star", "station", "stone", "storage", "stream", "studio", "summer", "sunset", "support", "swift", "system",
        "team", "theater", "tiger", "timber", "tower", "track", "travel", "trust", "union", "urban", "valley", "vector",
        "video", "view", "village", "vision", "voice", "water", "wave", "west", "white", "winter", "wonder", "world",
    ]
}
