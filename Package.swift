// swift-tools-version: 6.2
import PackageDescription

/// Every module is compiled alike: language mode 6, no warning left standing.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
    // A twentieth of the CPU of a small request goes into these checks; debug builds, in which all tests of modules run,
    // keep them.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// A module of `Sources/`; an import points only at an earlier line of the list below.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: house)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: [], swiftSettings: house)
}

func library(_ name: String, _ pkgConfig: String, _ packages: String...) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt(packages)])
}

let package = Package(
    name: "weir",
    products: [.executable(name: "weir", targets: ["weir"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "CLinux"),
        library("COpenSSL", "openssl", "libssl-dev"),
        library("CNghttp2", "libnghttp2", "libnghttp2-dev"),
        library("CPCRE2", "libpcre2-8", "libpcre2-dev"),
        library("CCodecs", "zlib", "zlib1g-dev", "libbrotli-dev", "libzstd-dev"),

        module("Bytes", []),
        module("OS", ["Bytes", "CLinux"]),
        module("Loop", ["Bytes", "CLinux", "OS"]),
        module("TLS", ["Bytes", "COpenSSL"]),
        module("HTTP", ["Bytes", "CNghttp2"]),
        module("DNS", ["Bytes"]),
        module("Policy", ["Bytes"]),
        module("DLP", ["Bytes", "CLinux", "CPCRE2", "CCodecs", "COpenSSL"]),
        module("Upstream", ["Bytes", "OS", "Loop", "TLS", "DNS", "Policy"]),
        module("Record", ["Bytes", "OS"]),
        module(
            "Config",
            ["Bytes", "CLinux", "Policy", "DLP", "TLS", "HTTP", "Record", .product(name: "Yams", package: "Yams")]),
        module(
            "Gateway",
            ["Bytes", "OS", "Loop", "TLS", "HTTP", "DNS", "Policy", "DLP", "Upstream", "Record", "Config"]),
        .executableTarget(
            name: "weir",
            dependencies: [
                "Bytes", "OS", "TLS", "Policy", "DLP", "Record", "Config", "Gateway",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house),

        tests("BytesTests", ["Bytes"]),
        tests("OSTests", ["Bytes", "OS"]),
        tests("LoopTests", ["Bytes", "CLinux", "Loop", "OS"]),
        tests("HTTPTests", ["Bytes", "HTTP"]),
        tests("DNSTests", ["DNS"]),
        // Certificates and a server to speak TLS with.
        .target(
            name: "TLSSupport", dependencies: ["COpenSSL"], path: "Tests/Support/TLS", swiftSettings: house),
        tests("TLSTests", ["Bytes", "COpenSSL", "TLS", "TLSSupport"]),
        tests("UpstreamTests", ["Bytes", "DNS", "Loop", "OS", "TLS", "TLSSupport", "Upstream"]),
        tests("PolicyTests", ["Policy"]),
        tests("DLPTests", ["Bytes", "CCodecs", "CLinux", "COpenSSL", "CPCRE2", "DLP"]),
        tests("RecordTests", ["Record"]),
        tests("ConfigTests", ["Bytes", "Config", "DLP", "Policy"]),
        tests("GatewayTests", ["Gateway"]),
    ]
)

// A fuzz target links only with `--sanitize=fuzzer`, so it is there only when asked for. The compiler takes the last
// `-sanitize` alone, and the linker's dead strip drops the coverage counters:
//     WEIR_FUZZ=1 swift build -c release --disable-dead-strip --sanitize=fuzzer -Xswiftc -sanitize=fuzzer,address \
//         --scratch-path .build/fuzz --product FuzzDNS
if Context.environment["WEIR_FUZZ"] != nil {
    func fuzz(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = ["corpus"]) -> Target {
        .executableTarget(
            name: "Fuzz\(name)", dependencies: dependencies, path: "Tests/Fuzz/\(name)", exclude: exclude,
            swiftSettings: house + [.unsafeFlags(["-parse-as-library"])])
    }
    package.targets += [
        .target(
            name: "FuzzSupport", dependencies: ["Bytes", "DLP"], path: "Tests/Support/Fuzz", swiftSettings: house),
        fuzz("HTTP1", ["HTTP"], exclude: ["corpus", "dictionary"]),
        fuzz("HTTP2", ["Bytes", "HTTP"]),
        fuzz("DNS", ["Bytes", "DNS"]),
        fuzz("DNSAnswer", ["Bytes", "DNS"]),
        fuzz("ClientHello", ["TLS", "Gateway"]),
        fuzz("DLP", ["Bytes", "DLP", "FuzzSupport"]),
        fuzz("Views", ["Bytes", "DLP", "FuzzSupport"], exclude: ["corpus", "dictionary"]),
        fuzz("Containers", ["Bytes", "DLP", "FuzzSupport"]),
        fuzz("WebSocket", ["Bytes", "DLP", "HTTP", "FuzzSupport"]),
        fuzz("GRPC", ["Bytes", "DLP", "HTTP", "FuzzSupport"]),
        fuzz("EDM", ["Bytes", "COpenSSL", "DLP"]),
        fuzz("TLSClient", ["Bytes", "COpenSSL", "TLS"]),
    ]
}

// The engine alone, for loadtest/scan.
if Context.environment["WEIR_BENCH"] != nil {
    package.targets.append(
        .executableTarget(
            name: "ScanBench", dependencies: ["Bytes", "DLP"], path: "loadtest/ScanBench",
            swiftSettings: house + [.unsafeFlags(["-parse-as-library"])]))
}
