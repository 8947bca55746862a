extension FileScan {
    /// What all the files of a scan came to.
    public struct Stats: Equatable, Sendable {
        public internal(set) var files = 0
        public internal(set) var bytes: UInt64 = 0
        public internal(set) var inspectedBytes: UInt64 = 0
        public internal(set) var findings = 0
        public internal(set) var overruns = 0
        /// Files by what could not be read of them.
        public internal(set) var uninspectable: [Uninspectable: Int] = [:]
        /// Files that were left out.
        public internal(set) var skipped: [Skip: Int] = [:]

        public init() {}

        public mutating func add(_ other: Stats) {
            files += other.files
            bytes += other.bytes
            inspectedBytes += other.inspectedBytes
            findings += other.findings
            overruns += other.overruns
            uninspectable.merge(other.uninspectable, uniquingKeysWith: +)
            skipped.merge(other.skipped, uniquingKeysWith: +)
        }

        /// The object of `--stats`.
        ///
        /// - Parameters:
        ///   - seconds: from the beginning of the scan to its end.
        ///   - ignored: files and directories that were left out by rules.
        public func json(seconds: Double, ignored: Int) -> String {
            let rate = seconds > 0 ? (Double(bytes) / seconds / 1e5).rounded() / 10 : 0
            let time = (seconds * 1e6).rounded() / 1e6
            return #"{"files":\#(files),"bytes":\#(bytes),"inspected_bytes":\#(inspectedBytes),"seconds":\#(time)"#
                + #","mb_per_s":\#(rate),"findings":\#(findings),"overruns":\#(overruns),"uninspectable":"#
                + Self.object(Uninspectable.allCases.map { ($0.rawValue, uninspectable[$0]) }) + #","ignored":"#
                + "\(ignored)" + #","skipped":"# + Self.object(Skip.allCases.map { ($0.rawValue, skipped[$0]) }) + "}"
        }

        private static func object(_ counts: [(String, Int?)]) -> String {
            "{" + counts.compactMap { name, count in count.map { #""\#(name)":\#($0)"# } }.joined(separator: ",") + "}"
        }
    }
}
