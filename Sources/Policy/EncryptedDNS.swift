/// The built-in list `encrypted-dns`: the text of conf/lists/encrypted-dns.txt, so that a binary far from its
/// configuration has it too. A test holds the two equal; what is changed there is pasted here.
enum EncryptedDNS {
    static let text = """
        # Public resolvers that speak DNS over HTTPS, TLS or QUIC (RFC 8484, 7858, 9250): the built-in list
        # `encrypted-dns`. A rule names it as its destination:
        #
        #     - {to: "list:encrypted-dns", action: deny}
        #
        # Written so, no question for these names is answered, whoever is asked, and no connection is made to them or
        # to these addresses. Plain DNS that was meant for one of the addresses is answered by the gateway, as any is. An
        # entry is a name, *.suffix for every name below one, an address or a range; a line may have many. The list is
        # compiled into the binary, which does not read this file: `lists` in the configuration puts another in its
        # place.

        # Google
        dns.google *.dns.google dns.google.com 8888.google 8.8.8.8 8.8.4.4 2001:4860:4860::8888
        2001:4860:4860::8844 2001:4860:4860::64 2001:4860:4860::6464

        # Cloudflare, with the names that Firefox, Chrome and Android use, and Gateway
        cloudflare-dns.com *.cloudflare-dns.com dns.cloudflare.com one.one.one.one 1.1.1.1 1.0.0.1 1.1.1.2 1.0.0.2
        1.1.1.3 1.0.0.3 every1dns.com *.cloudflare-gateway.com 104.16.248.249 104.16.249.249 162.159.36.1
        162.159.46.1 162.159.61.3 162.159.61.4 172.64.36.1 172.64.36.2 172.64.41.3 172.64.41.4
        2606:4700:4700::1111 2606:4700:4700::1001 2606:4700:4700::1112 2606:4700:4700::1002 2606:4700:4700::1113
        2606:4700:4700::1003 2606:4700:4700::64 2606:4700:4700::6400 2606:4700::6810:f8f9 2606:4700::6810:f9f9
        2803:f800:53::3 2803:f800:53::4 2a06:98c1:52::3 2a06:98c1:52::4

        # Quad9
        *.quad9.net 9.9.9.9 9.9.9.10 9.9.9.11 9.9.9.12 149.112.112.9 149.112.112.10 149.112.112.11 149.112.112.12
        149.112.112.112 2620:fe::fe 2620:fe::9 2620:fe::10 2620:fe::11 2620:fe::12 2620:fe::fe:9 2620:fe::fe:10
        2620:fe::fe:11 2620:fe::fe:12

        # Cisco OpenDNS and Umbrella
        doh.opendns.com dns.opendns.com doh.familyshield.opendns.com familyshield.opendns.com
        doh.sandbox.opendns.com sandbox.opendns.com dns.umbrella.com doh.umbrella.com 208.67.222.222
        208.67.220.220 208.67.222.220 208.67.220.222 208.67.222.123 208.67.220.123 208.67.222.2 208.67.220.2
        2620:119:35::35 2620:119:53::53 2620:119:35::123 2620:119:53::123 2620:0:ccc::2 2620:0:ccd::2

        # AdGuard
        adguard-dns.com *.adguard-dns.com dns.adguard.com dns-family.adguard.com dns-unfiltered.adguard.com
        94.140.14.14 94.140.15.15 94.140.14.15 94.140.15.16 94.140.14.140 94.140.14.141 94.140.14.49 94.140.14.59
        2a10:50c0::ad1:ff 2a10:50c0::ad2:ff 2a10:50c0::bad1:ff 2a10:50c0::bad2:ff 2a10:50c0::1:ff 2a10:50c0::2:ff

        # NextDNS
        dns.nextdns.io *.dns.nextdns.io dns1.nextdns.io dns2.nextdns.io doh.nextdns.io 45.90.28.0/24 45.90.30.0/24
        2a07:a8c0::/32 2a07:a8c1::/32

        # CleanBrowsing
        doh.cleanbrowsing.org adult-filter-dns.cleanbrowsing.org family-filter-dns.cleanbrowsing.org
        security-filter-dns.cleanbrowsing.org 185.228.168.9 185.228.169.9 185.228.168.10 185.228.169.11
        185.228.168.168 185.228.169.168 2a0d:2a00:1:: 2a0d:2a00:2:: 2a0d:2a00:1::1 2a0d:2a00:2::1 2a0d:2a00:1::2
        2a0d:2a00:2::2

        # Mullvad
        dns.mullvad.net *.dns.mullvad.net doh.mullvad.net adblock.doh.mullvad.net 194.242.2.2 194.242.2.3
        194.242.2.4 194.242.2.5 194.242.2.6 194.242.2.9 2a07:e340::2 2a07:e340::3 2a07:e340::4 2a07:e340::5
        2a07:e340::6 2a07:e340::9

        # ControlD
        dns.controld.com *.dns.controld.com freedns.controld.com *.freedns.controld.com doh.controld.com
        76.76.2.0/24 76.76.10.0/24 2606:1a40::/47

        # DNS.SB
        dns.sb dot.sb doh.sb *.dns.sb *.doh.sb *.dot.sb 185.222.222.222 45.11.45.11 2a09:: 2a11::

        # AliDNS, DNSPod, 360
        dns.alidns.com 223.5.5.5 223.6.6.6 2400:3200::1 2400:3200:baba::1 doh.pub dot.pub dns.pub *.doh.pub
        *.dot.pub *.dns.pub 119.29.29.29 119.28.28.28 1.12.12.12 120.53.53.53 2402:4e00:: doh.360.cn dot.360.cn
        dns.360.cn 101.226.4.6 218.30.118.6 123.125.81.6 140.207.198.6

        # CIRA Canadian Shield
        private.canadianshield.cira.ca protected.canadianshield.cira.ca family.canadianshield.cira.ca
        149.112.121.10 149.112.122.10 149.112.121.20 149.112.122.20 149.112.121.30 149.112.122.30
        2620:10a:80bb::10 2620:10a:80bc::10 2620:10a:80bb::20 2620:10a:80bc::20 2620:10a:80bb::30
        2620:10a:80bc::30

        # dns0.eu, DNS4EU
        dns0.eu *.dns0.eu 193.110.81.0 185.253.5.0 193.110.81.9 185.253.5.9 193.110.81.1 185.253.5.1
        193.110.81.254 185.253.5.254 2a0f:fc80:: 2a0f:fc81:: 2a0f:fc80::9 2a0f:fc81::9 joindns4.eu *.joindns4.eu
        86.54.11.1 86.54.11.201 86.54.11.11 86.54.11.12 86.54.11.13 86.54.11.100 2a13:1001::86:54:11:1
        2a13:1001::86:54:11:201

        # LibreDNS, BlahDNS, UncensoredDNS, Applied Privacy, Digitale Gesellschaft, Restena, Wikimedia
        doh.libredns.gr dot.libredns.gr libredns.gr 116.202.176.26 2a01:4f8:1c0c:8274::1 blahdns.com *.blahdns.com
        uncensoreddns.org *.uncensoreddns.org unicast.censurfridns.dk anycast.censurfridns.dk 91.239.100.100
        89.233.43.71 2001:67c:28a4:: 2a01:3a0:53:53:: doh.applied-privacy.net dot1.applied-privacy.net
        146.255.56.98 dns.digitale-gesellschaft.ch 185.95.218.42 185.95.218.43 2a05:fc84::42 2a05:fc84::43
        kaitain.restena.lu 158.64.1.29 2001:a18:1::29 wikimedia-dns.org 185.71.138.138 2001:67c:930::1

        # Yandex
        common.dot.dns.yandex.net safe.dot.dns.yandex.net family.dot.dns.yandex.net *.dns.yandex.net dns.yandex.ru
        77.88.8.8 77.88.8.1 77.88.8.88 77.88.8.2 77.88.8.7 77.88.8.3

        # Providers of access whose resolvers are open to Chrome: Comcast, Cox, Spectrum, CZ.NIC, IIJ, Levonet,
        # Quickline
        doh.xfinity.com dot.xfinity.com 75.75.75.75 75.75.76.76 2001:558:feed::1 2001:558:feed::2 doh.cox.net
        dot.cox.net 68.105.28.11 68.105.28.12 2001:578:3f::30 doh-01.spectrum.com doh-02.spectrum.com 209.18.47.61
        209.18.47.62 2001:1998:f00:1::1 2001:1998:f00:2::1 odvr.nic.cz 193.17.47.1 185.43.135.1 2001:148f:fffe::1
        2001:148f:ffff::1 public.dns.iij.jp dns.levonet.sk 109.236.119.2 109.236.120.2 2a02:6ca3:0:1::2
        2a02:6ca3:0:2::2 doh.quickline.ch dot.quickline.ch 212.60.61.246 212.60.63.246 2001:1a88:10:ffff::1
        2001:1a88:10:ffff::2

        # Hurricane Electric, RethinkDNS, OpenBLD, Rabbit, Quadrant, CFIEC, SWITCH, DeCloudUs, 0ms, DNS for
        # Family, Comss
        ordns.he.net 74.82.42.42 2001:470:20::2 basic.rethinkdns.com max.rethinkdns.com sky.rethinkdns.com
        free.rethinkdns.com ada.openbld.net ric.openbld.net rabbitdns.org *.rabbitdns.org doh.qis.io
        dns-tls.qis.io dns.cfiec.net 240c::6666 240c::6644 dns.switch.ch 130.59.31.248 130.59.31.251
        2001:620:0:ff::2 2001:620:0:ff::3 dns.decloudus.com 0ms.dev dns.0ms.dev dns-doh.dnsforfamily.com
        dns-dot.dnsforfamily.com dns.comss.one

        # Smaller ones
        doh.dnslify.com dns.dnsoverhttps.net doh.crypto.sx jp.tiar.app doh.tiar.app dot.tiar.app doh.tiarap.org
        dns.twnic.tw 101.101.101.101 101.102.103.104 2001:de4::101 2001:de4::102 doh.ffmuc.net dot.ffmuc.net
        5.1.66.255 185.150.99.255 2001:678:e68:f000:: 2001:678:ed0:f000:: dnsforge.de *.dnsforge.de 176.9.93.198
        176.9.1.117 dns.njal.la 95.215.19.53 2001:67c:2354:2::53 dns.digitalsize.net dns.hostux.net
        dns.arapurayil.com dns.therifleman.name dns.circl.lu getdnsapi.net dnsovertls.sinodun.com
        dnsovertls1.sinodun.com dns.cmrg.net fi.doh.dns.snopyta.org fi.dot.dns.snopyta.org dot.seby.io doh.seby.io
        dns.oszx.co dns.pumplex.com dns.bebasid.com *.bebasid.com doh.dnscrypt.uk v.dnscrypt.uk
        doh.appliedprivacy.net doh.powerdns.org doh.securedns.eu dot.securedns.eu doh.centraleu.pi-dns.com

        # Ways that clients find such resolvers: Firefox asks for the canary name and keeps to plain DNS if there
        # is none; DDR (RFC 9462) asks for _dns.resolver.arpa; iCloud Private Relay asks for its entries, and
        # gives up where there are none.
        use-application-dns.net _dns.resolver.arpa resolver.arpa mask.icloud.com mask-h2.icloud.com
        doh.dns.apple.com

        """
}
