"""Authorities, certificates and TLS servers that stand outside."""

import hashlib
import os
import ssl
import subprocess

from peers import serve


class Authority:
    """A certificate authority of openssl(1), and what it signs."""

    def __init__(self, folder, name="Outside authority"):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.certificate = self.path("ca.pem")
        self._openssl(
            "req", "-x509", *self._key("ca"), "-days", "30", "-subj", f"/CN={name}", "-out", self.certificate,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def path(self, name):
        return os.path.join(self.folder, name)

    def _key(self, name, kind="ec"):
        kinds = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"]}
        return ["-newkey", *kinds[kind], "-nodes", "-keyout", self.path(name + ".key")]

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)

    def sign(self, *names, ended=False, extensions="", stem=None, digest="sha256", kind="ec"):
        """A key and a certificate for these names: the stem of the two files, `.key` and `.pem`."""
        stem = stem or names[0]
        san = ",".join(("IP:" if name.replace(".", "").isdigit() or ":" in name else "DNS:") + name for name in names)
        with open(self.path(stem + ".ext"), "w") as file:
            file.write((f"subjectAltName={san}\n" if names else "") + extensions)
        self._openssl("req", *self._key(stem, kind), "-subj", f"/CN={stem}", "-out", self.path(stem + ".csr"))
        if ended:
            self._sign_for_yesteryear(stem)
        else:
            self._openssl("x509", "-req", "-in", self.path(stem + ".csr"), "-CA", self.certificate, "-CAkey",
                          self.path("ca.key"), "-CAcreateserial", "-" + digest, "-days", "10", "-extfile",
                          self.path(stem + ".ext"), "-out", self.path(stem + ".pem"))
        return self.path(stem)

    def _sign_for_yesteryear(self, stem):
        """openssl-x509 knows no dates; openssl-ca does."""
        self._openssl(*self._books(), "-batch", "-notext", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile",
                      self.path(stem + ".ext"), "-in", self.path(stem + ".csr"), "-out", self.path(stem + ".pem"))

    def intermediate(self):
        """An authority below this one."""
        other = Authority(self.path("below"), "Intermediate")
        self._openssl("req", "-new", "-key", other.path("ca.key"), "-subj", "/CN=Intermediate", "-out", "below.csr")
        with open(self.path("below.ext"), "w") as file:
            file.write("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
        self._openssl("x509", "-req", "-in", "below.csr", "-CA", self.certificate, "-CAkey", self.path("ca.key"),
                      "-CAcreateserial", "-days", "10", "-extfile", "below.ext", "-out", other.certificate)
        return other

    def _books(self):
        """openssl-ca wants books to be kept."""
        with open(self.path("ca.conf"), "w") as file:
            file.write(f"[ca]\ndefault_ca=one\n[one]\ndatabase={self.path('books')}\nnew_certs_dir={self.folder}\n"
                       "rand_serial=yes\ndefault_md=sha256\npolicy=any\nunique_subject=no\n"
                       "[any]\ncommonName=supplied\n")
        open(self.path("books"), "a").close()
        return ["ca", "-config", self.path("ca.conf"), "-cert", self.certificate, "-keyfile", self.path("ca.key")]

    def revoke(self, *stems):
        """The path of a list on which these are, and all that were revoked before."""
        for stem in stems:
            self._openssl(*self._books(), "-revoke", stem + ".pem")
        self._openssl(*self._books(), "-gencrl", "-crldays", "5", "-out", self.path("revoked.pem"))
        return self.path("revoked.pem")

    def server(self, stem, alpn=(), **options):
        """A context with the certificate of `sign`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(stem + ".pem", stem + ".key")
        if alpn:
            context.set_alpn_protocols(list(alpn))
        for name, value in options.items():
            setattr(context, name, value)
        return context


def self_signed(stem, name):
    """The stem of a certificate that nobody vouches for."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
         "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", stem + ".key", "-out",
         stem + ".pem"], check=True, capture_output=True)
    return stem


def fingerprints(stem):
    """SHA-256 of the certificate, as openssl prints it, and of its key."""
    def run(*words, feed=None):
        return subprocess.run(["openssl", *words], check=True, capture_output=True, input=feed).stdout

    printed = run("x509", "-in", stem + ".pem", "-noout", "-fingerprint", "-sha256").decode().strip()
    key = run("x509", "-in", stem + ".pem", "-noout", "-pubkey")
    return printed.split("=")[1], hashlib.sha256(run("pkey", "-pubin", "-outform", "DER", feed=key)).hexdigest()


def over_tls(context, handler=serve):
    """A handler of `Origin` that speaks TLS with the client and lets `handler` have what is inside."""
    def secured(conversation):
        conversation.raw = conversation.socket
        try:
            conversation.socket = context.wrap_socket(conversation.socket, server_side=True)
        except (ssl.SSLError, OSError) as error:
            conversation.error = error
            return
        conversation.tls = conversation.socket
        handler(conversation)
        try:
            # An end in order: whoever hears none may think that something was cut off.
            conversation.socket.settimeout(2)
            conversation.socket = conversation.socket.unwrap()
        except (ssl.SSLError, OSError, ValueError):
            pass
    return secured


def client(authority=None, alpn=(), verify=True, **options):
    """A context that trusts this authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority:
        context.load_verify_locations(authority)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    for name, value in options.items():
        setattr(context, name, value)
    return context
