import Bytes

/// Encrypted ClientHellos (ECH, RFC 9849) that are certainly real.
///
/// Browsers send the extension with random contents to every server of which they have no keys (GREASE, section 6.2), and
/// these are made so that nobody but the server can tell. Treating its presence as an attempt to hide would be to accuse
/// every browser. But a real one comes with the public name of its provider in the open (section 6.1), and nobody has
/// business with these hosts themselves: with such a name the server that is meant is another, which is not seen.
extension ClientHello {
    public var offersKnownECH: Bool {
        guard hasECH, case .name(let name) = serverName else { return false }
        return ClientHello.publicNames.contains { name.isWithin($0) }
    }

    /// Names that configurations in use carry. Providers that put customers' own names there cannot be listed.
    private static let publicNames: [DomainName] = [
        // All of Cloudflare's customers.
        "cloudflare-ech.com",
        // Sites on which clients are tried out.
        "public.tls-ech.dev", "cover.defo.ie", "tls-outer.browserleaks.com",
    ].compactMap { DomainName($0) }
}
