"""What is not HTTP: recognised, judged by name and address, read by packet sensors or moved unread."""

import socket
import ssl
import subprocess
import threading
import time

import pytest

from gateway import SSN_SENSOR
from net import ATTACKER, ORIGIN, until
from peers import Origin, echo, tls_client, tls_server
from wire import read_all, send, write

NUMBER = b"295109912611193"

CONFIG = SSN_SENSOR + """
tls: {inspect: false}
services:
  - name: myapp.default
    mode: protect
    rules:
      - {to: attacker.example, action: deny}
      - {to: 45.33.32.156, action: deny}
      - {to: origin.example, action: allow}
      - {to: 93.184.215.14, ports: [22, 25, 6379, 7000, 8443], action: allow}
      - {to: 93.184.215.14, ports: [2222], applications: [SSH], action: allow}
  - name: dh157.default
    mode: protect
    sensors: {nir: deny}
    uninspectable: alert
    rules: [{to: any, action: allow}]
  - name: other.default
    mode: protect
    sensors: {nir: deny}
    uninspectable: deny
    rules: [{to: any, action: allow}]
"""


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(CONFIG)


def test_tls_passes_through_by_its_sni(world, gateway, resolver, certificate):
    with Origin(world, 8443, handler=tls_server(certificate)):
        with tls_client(world.connect(ORIGIN, 8443), "origin.example") as tls:
            tls.sendall(b"through")
            assert tls.recv(100) == b"through"
    session = gateway.sessions(application="TLS", fqdn="origin.example")[0]
    assert session["named_by"] == "sni" and session["action"] == "allow"
    assert session["destination"] == f"{ORIGIN}:8443"
    assert session["bytes_out"] > 300 and session["bytes_in"] > 300


def test_tls_to_a_denied_name_never_dials(world, gateway, resolver, certificate):
    with Origin(world, 8443, handler=tls_server(certificate)) as origin:
        with pytest.raises((ssl.SSLError, OSError)):
            tls_client(world.connect(ORIGIN, 8443), "attacker.example")
        assert origin.conversations == []
    event = gateway.events(application="TLS", action="deny")[-1]
    assert event["fqdn"] == "attacker.example"


def test_a_client_hello_in_pieces(world, gateway, resolver, certificate):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    machine = context.wrap_bio(incoming, outgoing, server_hostname="attacker.example")
    with pytest.raises(ssl.SSLWantReadError):
        machine.do_handshake()
    hello = outgoing.read()
    with Origin(world, 8443, handler=echo) as origin:
        for size in (1, 5, 6, 43, 100):
            pieces = [hello[i:i + size] for i in range(0, len(hello), size)]
            data, how = read_all(send(world, b"", port=8443, pieces=pieces, pause=0.0005))
            assert how in ("end", "reset"), size
        assert origin.received == b""


def test_the_server_may_speak_first(world, gateway, resolver):
    def ssh(conversation):
        conversation.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        echo(conversation)
    for port in (22, 2222):
        with Origin(world, port, handler=ssh):
            sock = world.connect(ORIGIN, port)
            assert sock.recv(100) == b"SSH-2.0-OpenSSH_9.2\r\n"
            sock.sendall(b"SSH-2.0-client\r\n")
            assert sock.recv(100) == b"SSH-2.0-client\r\n"
            sock.close()
    assert len(gateway.sessions(2, application="SSH")) == 2


def test_another_protocol_on_a_port_for_ssh_gets_no_client_byte_out(world, gateway, resolver):
    def smtp(conversation):
        conversation.send(b"220 mail ESMTP\r\n")
        echo(conversation)
    with Origin(world, 2222, handler=smtp) as origin:
        sock = world.connect(ORIGIN, 2222)
        write(sock, [b""])
        time.sleep(0.6)
        write(sock, [b"EHLO stolen\r\n"])
        read_all(sock)
        assert origin.received == b""


def test_a_denied_address_that_waits_for_the_server_is_never_dialled(world, gateway, resolver):
    with Origin(world, 22, ATTACKER, handler=echo) as origin:
        sock = world.connect(ATTACKER, 22)
        assert read_all(sock)[0] == b""
        assert origin.conversations == []
    gateway.events(action="deny", destination=f"{ATTACKER}:22")


def test_redis(world, gateway, resolver):
    server = world.start(
        "outside", ["redis-server", "--bind", ORIGIN, "--port", "6379", "--save", "", "--protected-mode", "no",
                    "--daemonize", "no"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(world, ORIGIN, 6379), what="redis")
        done = world.run("pods", ["redis-cli", "-h", ORIGIN, "set", "a", "b"])
        assert done.stdout.strip() == "OK", done.stderr
        assert world.run("pods", ["redis-cli", "-h", ORIGIN, "get", "a"]).stdout.strip() == "b"
    finally:
        server.terminate()
        server.wait()
    assert gateway.sessions(2, application="Redis")[0]["service"] == "myapp.default"


def _answers(world, address, port):
    try:
        world.connect(address, port, role="outside").close()
        return True
    except OSError:
        return False


CLIENT_FIRST = {
    "PostgreSQL": b"\x00\x00\x00\x17\x00\x03\x00\x00user\x00postgres\x00\x00",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "SSH": b"SSH-2.0-eager\r\n",
    "TCP": b"\xde\xad\xbe\xef something of our own\n",
}

SERVER_FIRST = {
    "MySQL": b"\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00\xff\xff\xff\x02\x00\xff\xdf\x15"
             + b"\x00" * 10 + b"abcdefghijkl\x00mysql_native_password\x00",
    "SMTP": b"220 mail.origin.example ESMTP ready\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@pytest.mark.parametrize("application", CLIENT_FIRST)
def test_what_the_client_says_first_tells_the_application(world, gateway, resolver, application):
    with Origin(world, 7000, handler=echo):
        sock = send(world, CLIENT_FIRST[application], port=7000)
        assert sock.recv(1000) == CLIENT_FIRST[application]
        sock.close()
    until(lambda: [s for s in gateway.lines("sessions") if s["application"] == application
                   and s["destination"] == f"{ORIGIN}:7000"], what=f"a session of {application}")


@pytest.mark.parametrize("application", SERVER_FIRST)
def test_what_the_server_says_first_tells_the_application(world, gateway, resolver, application):
    def greet(conversation):
        conversation.send(SERVER_FIRST[application])
        conversation.read()
    with Origin(world, 25, handler=greet):
        sock = world.connect(ORIGIN, 25)
        assert sock.recv(1000) == SERVER_FIRST[application]
        sock.sendall(b"\x01hello\r\n")
        sock.close()
    until(lambda: [s for s in gateway.lines("sessions") if s["application"] == application
                   and s["destination"] == f"{ORIGIN}:25"], what=f"a session of {application}")


def test_a_packet_sensor_reads_raw_tcp(world, gateway, resolver):
    with Origin(world, 7000, handler=echo) as origin:
        sock = send(world, b"\x00\x01 hello ", port=7000, source="10.244.0.9")
        assert sock.recv(100) == b"\x00\x01 hello "
        sock.sendall(b"nir " + NUMBER + b" and more")
        data, how = read_all(sock)
        assert how in ("reset", "end")
        assert b"29" not in origin.received and NUMBER not in data
    event = gateway.events(kind="finding", service="dh157.default")[-1]
    assert event["finding"]["context"] == "packet"
    assert event["action"] == "deny"


def test_a_packet_match_cut_at_every_byte(world, gateway, resolver):
    data = b"\x00\x02 " + NUMBER + b" x"
    with Origin(world, 7000, handler=echo) as origin:
        for cut in range(2, len(data)):
            sock = send(world, b"", port=7000, pieces=[data[:cut], data[cut:]], pause=0.002, source="10.244.0.9")
            assert read_all(sock)[1] in ("reset", "end")
            sock.close()
        assert b"29" not in origin.received


def test_a_held_tail_of_a_tunnel_does_not_stall_it(world, gateway, resolver):
    with Origin(world, 7000, handler=echo):
        sock = send(world, b"\x00\x03 first 295", port=7000, source="10.244.0.9")
        got, start = b"", time.monotonic()
        while not got.endswith(b"295"):
            got += sock.recv(100)
        assert time.monotonic() - start < 2
        sock.close()


def test_tls_of_a_service_with_body_sensors_is_uninspectable(world, gateway, resolver, certificate):
    with Origin(world, 8443, handler=tls_server(certificate)) as origin:
        with tls_client(world.connect(ORIGIN, 8443, source="10.244.0.9"), "origin.example") as tls:
            tls.sendall(b"through")
            assert tls.recv(100) == b"through"
        session = gateway.sessions(application="TLS", service="dh157.default")[0]
        assert session["uninspectable"] and session["action"] == "alert"
        dialled = len(origin.conversations)
        with pytest.raises((ssl.SSLError, OSError)):
            tls_client(world.connect(ORIGIN, 8443, source="10.244.0.30"), "origin.example")
        assert len(origin.conversations) == dialled
    assert gateway.sessions(application="TLS", service="other.default")[0]["action"] == "deny"


def test_half_close_in_both_directions(world, gateway, resolver):
    def handler(conversation):
        while conversation.read():
            pass
        conversation.send(b"all %d" % len(conversation.received))
    with Origin(world, 7000, handler=handler):
        sock = send(world, b"\x00" + b"x" * 99_999, port=7000, end=True)
        assert read_all(sock) == (b"all 100000", "end")


@pytest.mark.parametrize("source", ["10.244.0.17", "10.244.0.9"], ids=["unread", "read"])
@pytest.mark.parametrize("first", [b"\x16\x03\x01", b"\0abc", b"SSH-2.0-x\r\n"])
def test_an_end_right_behind_the_first_bytes(world, gateway, resolver, first, source):
    """It comes while the client is detected, and reaches the server all the same."""
    with Origin(world, 7000, handler=echo) as origin:
        with world.connect(ORIGIN, 7000, source=source) as sock:
            sock.sendall(first)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == (first, "end")
        assert origin.received == first


def test_a_reset_travels(world, gateway, resolver):
    with Origin(world, 7000, handler=echo) as origin:
        sock = send(world, b"\x00\x01", port=7000)
        sock.recv(10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        until(lambda: origin.conversations[0].ended or origin.conversations[0].reset, what="the end at the origin")


@pytest.mark.parametrize("mib", [64, pytest.param(1024, marks=pytest.mark.long)])
@pytest.mark.parametrize("source", ["10.244.0.17", "10.244.0.9"], ids=["spliced", "read by a sensor"])
def test_big_transfers_through_a_tunnel(world, gateway, resolver, mib, source):
    block = b"\x00\xfe" + b"z" * 65534
    before = gateway.resident()

    def handler(conversation):
        got = 0
        while data := conversation.socket.recv(1 << 20):
            got += len(data)
        conversation.send(b"%d" % got)
        for _ in range(mib * 16):
            conversation.send(block)
    with Origin(world, 7000, handler=handler, timeout=120):
        sock = world.connect(ORIGIN, 7000, source=source, timeout=120)
        for _ in range(mib * 16):
            sock.sendall(block)
        peak = gateway.resident()
        sock.shutdown(socket.SHUT_WR)
        received = 0
        while data := sock.recv(1 << 20):
            received += len(data)
        assert received == mib * 16 * 65536 + len(b"%d" % (mib << 20))
    assert max(peak, gateway.resident()) - before < 16_000, "resident memory grew"


@pytest.mark.parametrize("down", [True, False], ids=["down", "up"])
def test_the_last_bytes_of_much_do_not_wait(world, gateway, resolver, down):
    """Nor do the few that follow: a flow of which much has come is called for less often."""
    burst, few, rounds = b"z" * (4 << 20), b"few", 20

    def take(sock, count):
        while count:
            got = len(sock.recv(min(count, 1 << 20)))
            assert got, "an end where more was to come"
            count -= got

    def give(sock):
        for _ in range(rounds):
            sock.sendall(burst)
            take(sock, 1)
            sock.sendall(few)
            take(sock, 1)

    def get(sock):
        waits = []
        for _ in range(rounds):
            take(sock, len(burst))
            start = time.monotonic()
            sock.sendall(b"1")
            take(sock, len(few))
            waits.append(time.monotonic() - start)
            sock.sendall(b"2")
        return waits

    waits = []

    def handler(conversation):
        take(conversation.socket, 1)
        if down:
            give(conversation.socket)
        else:
            waits.extend(get(conversation.socket))
            conversation.send(b"done")
    with Origin(world, 7000, handler=handler):
        sock = send(world, b"\x00", port=7000, timeout=20)
        if down:
            waits = get(sock)
        else:
            give(sock)
            assert sock.recv(4) == b"done"
    assert sorted(waits)[rounds // 2] < 0.015, waits


def test_many_tunnels_at_once(world, gateway, resolver):
    failures = []

    def talk(index):
        try:
            sock = send(world, b"\x00%d" % index, port=7000)
            for _ in range(20):
                assert sock.recv(100)
                sock.sendall(b"again")
            sock.close()
        except Exception as error:
            failures.append(error)
    with Origin(world, 7000, handler=echo):
        threads = [threading.Thread(target=talk, args=(i,)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert failures == []
