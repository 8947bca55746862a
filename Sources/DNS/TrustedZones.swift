import Bytes

/// Zones whose names are long, random and many by design, and never a tunnel: what is below them is asked of the zone's
/// own operator, who lends nobody a part of it to answer for. Names in them are not scored. They are still judged by
/// rules, and their labels are still read by sensors.
///
/// Plain look-ups of addresses, such as `4.3.2.1.zen.spamhaus.org`, say too little to need this; look-ups of hashes and
/// of what a mail holds do. `dns.trusted_zones` of the configuration stands in place of this list.
public enum TrustedZones {
    public struct Zone: Sendable {
        public let name: StaticString
        /// What is looked up there.
        public let why: StaticString
    }

    /// The list as names.
    public static var names: [DomainName] { all.compactMap { DomainName("\($0.name)") } }

    public static let all: [Zone] = blocklists + reputation + infrastructure + privateNetworks

    private static let blocklists: [Zone] = [
        Zone(name: "spamhaus.org", why: "block lists of addresses and domains (ZEN, DBL)"),
        Zone(name: "dq.spamhaus.net", why: "block lists by customer key; hashes of addresses, files and URLs (HBL)"),
        Zone(name: "surbl.org", why: "block list of domains in mails"),
        Zone(name: "uribl.com", why: "block list of domains in mails"),
        Zone(name: "spamcop.net", why: "block list of addresses"),
        Zone(name: "barracudacentral.org", why: "block list of addresses"),
        Zone(name: "sorbs.net", why: "block lists of addresses"),
        Zone(name: "dnswl.org", why: "list of good addresses"),
        Zone(name: "mailspike.net", why: "reputation of addresses"),
        Zone(name: "abuseat.org", why: "block list of addresses (CBL)"),
        Zone(name: "senderscore.com", why: "reputation of addresses"),
        Zone(name: "invaluement.com", why: "block lists of addresses and domains"),
        Zone(name: "msbl.org", why: "block list of hashed mail addresses (EBL)"),
        Zone(name: "abusix.zone", why: "block lists by customer key"),
        Zone(name: "origin.asn.cymru.com", why: "the network of an address"),
        Zone(name: "malware.hash.cymru.com", why: "hashes of files"),
    ]

    private static let reputation: [Zone] = [
        Zone(name: "avqs.mcafee.com", why: "files, by their hashes"),
        Zone(name: "avts.mcafee.com", why: "files, by their hashes"),
        Zone(name: "gti.mcafee.com", why: "reputation of files and addresses"),
        Zone(name: "gti.trellix.com", why: "reputation of files and addresses"),
        Zone(name: "sophosxl.net", why: "files and URLs, encoded whole"),
        Zone(name: "sophosxl.com", why: "files and URLs, encoded whole"),
        Zone(name: "e5.sk", why: "reputation of files and URLs (ESET)"),
        Zone(name: "ksn.kaspersky-labs.com", why: "reputation of files"),
        Zone(name: "url.trendmicro.com", why: "reputation of URLs, encoded whole"),
        Zone(name: "activetrust.net", why: "reputation of domains"),
        Zone(name: "webcfs00.com", why: "categories of URLs (SonicWall)"),
        Zone(name: "brightcloud.com", why: "categories of URLs"),
        Zone(name: "clamav.net", why: "versions of signatures"),
    ]

    private static let infrastructure: [Zone] = [
        Zone(name: "cluster.local", why: "the cluster's own; search lists put every outside name below it"),
        Zone(name: "internal", why: "reserved for private use; the clouds' own machines are named below it"),
        Zone(name: "local", why: "never leaves the link (RFC 6762)"),
        Zone(name: "localhost", why: "never leaves the host (RFC 6761)"),
        Zone(name: "home.arpa", why: "never leaves the site (RFC 8375)"),
        Zone(name: "10.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "168.192.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "d.f.ip6.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "gappssmtp.com", why: "DKIM keys of Google's customers, their domains in one label"),
        Zone(name: "onmicrosoft.com", why: "DKIM keys of Microsoft's customers"),
        Zone(name: "googlevideo.com", why: "servers of videos, named by place and network"),
        Zone(name: "amazonaws.com", why: "machines, buckets and load balancers, named at random"),
        Zone(name: "windows.net", why: "storage and databases of Azure, named by customers"),
    ]

    private static let privateNetworks: [Zone] = [
        Zone(name: "16.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "17.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "18.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "19.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "20.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "21.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "22.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "23.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "24.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "25.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "26.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "27.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "28.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "29.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "30.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
        Zone(name: "31.172.in-addr.arpa", why: "private addresses, answered on the site (RFC 6303)"),
    ]
}
