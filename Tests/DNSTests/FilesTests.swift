import Bytes
import Testing

@testable import DNS

struct FilesTests {
    @Test func hostsFile() {
        let hosts = Hosts(
            """
            # names of this host
            127.0.0.1\tlocalhost
            ::1   localhost ip6-localhost # the same
            10.0.0.5 Build.Internal build
            fe80::1%eth0 zoned
            not-an-address nobody
            10.0.0.5 build
            10.0.0.6 build bad..name
            """)
        #expect(hosts.addresses(of: name("localhost")) == [address("127.0.0.1"), address("::1")])
        #expect(hosts.addresses(of: name("build.internal")) == [address("10.0.0.5")])
        #expect(hosts.addresses(of: name("build")) == [address("10.0.0.5"), address("10.0.0.6")])
        for absent in ["zoned", "nobody", "the", "same"] { #expect(hosts.addresses(of: name(absent)) == nil) }
        #expect(Hosts("127.0.0.1 crlf\r\n10.0.0.1 next\r\n").addresses(of: name("next")) == [address("10.0.0.1")])
    }

    @Test func resolvConf() {
        let servers = parseResolvConf(
            """
            # made by a program
            search cluster.local
            nameserver 10.96.0.10
            nameserver\t2001:db8::53 ; second
            nameserver fe80::1%eth0
            nameserver 10.96.0.10
            #nameserver 10.9.9.9
            options ndots:5
            nameserver
            nameserver 10.0.0.300
            """)
        #expect(servers == [Endpoint(address("10.96.0.10"), 53), Endpoint(address("2001:db8::53"), 53)])
        #expect(parseResolvConf("").isEmpty)
    }
}
