/// What the Connection fields say of the connection and of the other fields (RFC 9110 section 7.6.1), and the protocol
/// that Upgrade asks for with their consent.
extension FieldLines {
    /// More options than this in the Connection fields of a head mean no good.
    static let connectionOptionsMax = 64

    /// Losing one of these on the way would change the message or who it is for.
    private static let kept = FieldNames(
        .host, .contentLength, .transferEncoding, .contentEncoding, .contentType, .contentRange, .expect,
        .authorization, .cookie, .setCookie, .location, .range, .cacheControl)

    /// Reads the Connection fields, once the head is whole.
    mutating func settleConnection(_ bytes: UnsafeRawBufferPointer, _ fields: inout ContiguousArray<Field>)
        -> Rejection?
    {
        guard let firstConnection else { return nil }
        var options = 0
        for index in firstConnection..<fields.count where fields[index].id == .connection {
            var rest = fields[index].value
            while let option = Octet.element(bytes, &rest) {
                options += 1
                guard options <= FieldLines.connectionOptionsMax else { return .flood("fewer Connection options") }
                if Octet.matches(bytes, option, "keep-alive") {
                    keepsAlive = true
                    continue
                }
                if Octet.matches(bytes, option, "close") {
                    closes = true
                    continue
                }
                let name = FieldName(bytes, option)
                switch name {
                case .upgrade: upgrades = true
                case .other:
                    for other in fields.indices
                    where fields[other].id == .other && Octet.matches(bytes, fields[other].name, option) {
                        fields[other].isNominated = true
                    }
                default:
                    if FieldLines.kept.has(name) {
                        return .ambiguous("no field in Connection that is meant for the other end")
                    }
                    nominated.formUnion(FieldNames(name))
                }
            }
        }
        return nil
    }

    /// The protocol to change to: one, named by Connection, and not HTTP/2, which would switch the parser off
    /// (RFC 9113 section 3.1 has retired it).
    func agreedUpgrade(_ bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        guard upgrades, let upgrade, !upgrade.isEmpty else { return nil }
        var rest = upgrade
        while let name = Octet.element(bytes, &rest) {
            let version = (name.lowerBound..<name.upperBound).first { bytes[$0] == UInt8(ascii: "/") }
            let bare = name.lowerBound..<(version ?? name.upperBound)
            if Octet.matches(bytes, bare, "h2c") || Octet.matches(bytes, bare, "h2")
                || Octet.matches(bytes, bare, "http")
            {
                return nil
            }
        }
        return upgrade
    }
}
