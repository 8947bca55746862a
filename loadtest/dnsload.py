"""The DNS rows of the load test: dnsperf in the pods, dnsdist and unbound beside Weir, and a dnsdist outside for the answers.

Names below .net live for an hour, so that all but the first of their answers come from a cache. Names below .org live for no
time at all, so that each question has to be asked anew.
"""

import pathlib
import re

from measure import Subject, version
from net import PLAIN, POD, RESOLVER, UNBOUND

HERE = pathlib.Path(__file__).resolve().parent
LABELS = ("www", "api", "cdn", "img")
SOCKETS = 16
SITES = 500

# The sites that live for an hour have an address each: what is remembered of their answers is as much as it would be.
ORIGIN = f"""
setLocal("{UNBOUND}:53")
setACL("0.0.0.0/0")
setSecurityPollSuffix("")
addAction(makeRule("org."), SpoofAction({{"{PLAIN}"}}, {{ttl=0}}))
for site = 0, {SITES - 1} do
  local address = "198.51." .. math.floor(site / 250) .. "." .. (site % 250 + 1)
  addAction(makeRule("site" .. site .. ".net."), SpoofAction({{address}}, {{ttl=3600}}))
end
addAction(AllRule(), SpoofAction({{"{PLAIN}"}}, {{ttl=60}}))
"""

DNSDIST = f"""
setLocal("0.0.0.0:9053")
setACL("0.0.0.0/0")
setSecurityPollSuffix("")
newServer({{address="{UNBOUND}:53", checkInterval=10}})
"""

PACKET_CACHE = """
getPool(""):setCache(newPacketCache(100000))
"""

UNBOUND_CONF = f"""
server:
    directory: ""
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    num-threads: 1
    interface: 0.0.0.0@9054
    access-control: 0.0.0.0/0 allow
    module-config: "iterator"
    qname-minimisation: no
    outgoing-range: 4096
    num-queries-per-thread: 2048
    infra-cache-numhosts: 100
forward-zone:
    name: "."
    forward-addr: {UNBOUND}
"""


def origin(bench):
    """What answers outside: everything, from a rule, so that it is never what is waited for."""
    path = bench.work / "dns-origin.conf"
    path.write_text(ORIGIN)
    bench.start("outside", ["dnsdist", "--supervised", "-C", path])
    bench.listening(UNBOUND, 53, "outside")


class DNSWork:
    unit, latency = "query", "mean ms"
    config = HERE / "weir-dns.yaml"

    def __init__(self, name, zone, sites, cached):
        self.name, self.zone, self.sites, self.cached = name, zone, sites, cached

    def subjects(self, bench, names):
        dnsdist = bench.work / f"dnsdist-{self.zone}.conf"
        dnsdist.write_text(DNSDIST + (PACKET_CACHE if self.cached else ""))
        unbound = bench.work / "unbound.conf"
        unbound.write_text(UNBOUND_CONF)
        (bench.work / f"names.{self.zone}").write_text("".join(
            f"{label}.site{site}.{self.zone} A\n" for site in range(self.sites) for label in LABELS))
        run = ["weir", "run", "-c"]
        subjects = [Subject("dnsdist", ["dnsdist", "--supervised", "-C", dnsdist], 9053, version("dnsdist", "--version")),
                    Subject("unbound", ["unbound", "-d", "-c", unbound], 9054, version("unbound", "-V"))]
        if bench.weir:
            build = version(bench.weir, "--version")
            subjects += [Subject("Weir transparent", run, 53, build, meant=(RESOLVER, 53), ready=5300),
                         Subject("Weir explicit", run, 5300, build, explicit=True)]
        return bench.chosen(subjects, names)

    def drive(self, bench, subject, seconds):
        """One run of dnsperf. A question that is lost, or answered by anything but its address, ends it all."""
        address, port = subject.target
        words = ["dnsperf", "-s", address, "-p", str(port), "-a", POD, "-d", str(bench.work / f"names.{self.zone}"),
                 "-l", str(seconds), "-c", str(SOCKETS), "-T", "1", "-q", "100"]
        done, cost = bench.measured(subject, words, seconds)
        counts = {key: int(value) for key, value in re.findall(r"Queries (sent|completed|lost):\s+(\d+)", done.stdout)}
        good = re.search(r"Response codes:\s+NOERROR (\d+) \(100\.00%\)", done.stdout)
        if good is None or counts["lost"] or counts["completed"] != counts["sent"] or int(good.group(1)) != counts["completed"]:
            raise SystemExit(f"{subject.name}, {self.name}: errors\n{done.stdout}{done.stderr}")
        return cost.each(counts["completed"], rate=float(re.search(r"Queries per second:\s+([\d.]+)", done.stdout).group(1)),
                         latency=float(re.search(r"Average Latency \(s\):\s+([\d.]+)", done.stdout).group(1)) * 1e3)


WORKS = [
    DNSWork("DNS from cache", "net", SITES, cached=True),
    DNSWork("DNS forwarded", "org", 5000, cached=False),
]
