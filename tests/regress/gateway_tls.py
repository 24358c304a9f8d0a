#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The TLS listener of a whole stack: versions and ciphers, chains, and new certificates while streams are open."""

import contextlib
import os
import signal
import ssl
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_lib import CHAT_PATH, Client, chat_body, events, log_text, start, wait_for, wire  # noqa: E402

import tap  # noqa: E402
from tap import case  # noqa: E402
from upstream import Certs  # noqa: E402

STREAMS = 20


def any_context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c


def wrap(context=None):
    return lambda s: (context or any_context()).wrap_socket(s, server_hostname="localhost")


def served(port):
    """DER of the certificate that a new connection gets."""
    with Client(port, wrap=wrap()) as c:
        return c.sock.getpeercert(binary_form=True)


def der_of(path):
    with open(path) as f:
        pem = f.read()
    return ssl.PEM_cert_to_DER_cert(pem[:pem.index("-----END CERTIFICATE-----") + 26])


def put(path, data):
    """As a certificate tool does it: a new file, the owner kept, renamed over the old one."""
    st = os.stat(path) if os.path.exists(path) else None
    with open(path + ".fresh", "w") as f:
        f.write(data)
    os.chmod(path + ".fresh", 0o644 if st is None else st.st_mode & 0o777)
    if st is not None and os.geteuid() == 0:
        os.chown(path + ".fresh", st.st_uid, st.st_gid)
    os.rename(path + ".fresh", path)


def read(path):
    with open(path) as f:
        return f.read()


class Tls:
    def __init__(self, s, port):
        self.s, self.port = s, port
        text = read(os.path.join(s.dir, "sallyport.yaml"))
        self.pem, self.key = ([x.split('"')[1] for x in text.splitlines() if x.strip().startswith(k)][0]
                              for k in ("certificate:", "key:"))

    def reload(self, line, count):
        """SIGHUP, until `line` was said `count` times more."""
        n = log_text(self.s).count(line)
        os.kill(self.s.pid("master"), signal.SIGHUP)
        assert wait_for(lambda: log_text(self.s).count(line) >= n + count), "not said: %s\n%s" % (
            line, log_text(self.s)[-1500:])

    def publish(self, pair):
        put(self.pem, read(pair[0]))
        put(self.key, read(pair[1]))

    def all_serve(self, der, text):
        got = [served(self.port) for _ in range(12)]
        assert all(g == der for g in got), "%s: %d of %d" % (text, sum(g == der for g in got), len(got))


def refused(port, context):
    try:
        Client(port, wrap=wrap(context)).sock.close()
    except (ssl.SSLError, OSError):
        return True
    return False


def versions(t, key):
    with case("TLS 1.3 and TLS 1.2 serve a request"):
        for v in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            c = any_context()
            c.minimum_version = c.maximum_version = v
            with Client(t.port, wrap=wrap(c)) as k:
                assert k.ask(key).status == 200
    with case("TLS 1.1 and TLS 1.0 are refused"):
        for v in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
            c = any_context()
            c.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                c.minimum_version = c.maximum_version = v
            assert refused(t.port, c), v
    with case("TLS 1.2 without forward secrecy or without AEAD is refused"):
        for cipher in ("AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA"):
            c = any_context()
            c.maximum_version = ssl.TLSVersion.TLSv1_2
            c.set_ciphers(cipher + ":@SECLEVEL=0")
            assert refused(t.port, c), cipher
    with case("the certificate verifies against DIR/tls/ca.pem as demo.env says"):
        env = t.s.demo_env()
        c = ssl.create_default_context(cafile=env["SALLYPORT_CA"])
        c.check_hostname = False
        with Client(t.port, wrap=wrap(c)) as k:
            assert k.ask(key).status == 200


def open_streams(t, key, n):
    out = []
    for i in range(n):
        c = Client(t.port, 30, wrap=wrap())
        c.send(wire(key, chat_body("stamp-40-100", "s%d" % i, True)))
        out.append(c)
    for c in out:
        c.status, c.headers = c.read_head()
        assert c.status == 200, c.status
        c.first = c.chunk()
    return out


def finish(c):
    parts = [c.first]
    while True:
        d = c.chunk()
        if not d:
            return b"".join(parts)
        parts.append(d)


def reloads(t, key, certs):
    first = der_of(t.pem)
    with case("new connections get the certificate of the file"):
        t.all_serve(first, "the first one")
    with case("%d streams over TLS are open" % STREAMS):
        streams = open_streams(t, key, STREAMS)
    second = certs.issue("localhost")
    t.publish(second)
    with case("SIGHUP: both workers take the new certificate, and only new connections see it"):
        t.reload("new connections use the new certificate", 2)
        t.all_serve(der_of(t.pem), "the second one")
        assert der_of(t.pem) != first
        assert all(c.sock.getpeercert(binary_form=True) == first for c in streams)
    good = (read(t.pem), read(t.key))
    for text, pem, k in (("nonsense", "nonsense\n", good[1]), ("an empty file", "", good[1]),
                         ("half a certificate", good[0][:len(good[0]) // 2], good[1]),
                         ("a key of another certificate", good[0], read(certs.issue("other")[1])),
                         ("an encrypted key", good[0], encrypted(second[1]))):
        with case("broken new files (%s): an error in the log names it, the old certificate stays" % text):
            put(t.pem, pem)
            put(t.key, k)
            t.reload("certificate not replaced", 1)
            line = [x for x in log_text(t.s).splitlines() if "certificate not replaced" in x][-1]
            assert "key" in line or "certificate file" in line or "No data" in line or t.pem in line, line
            assert "PRIVATE" not in line
            t.all_serve(der_of(second[0]), text)
    with case("a missing file: the same"):
        put(t.key, good[1])
        os.unlink(t.pem)
        t.reload("certificate not replaced", 1)
        assert t.pem in log_text(t.s).splitlines()[-1], log_text(t.s).splitlines()[-1]
        t.all_serve(der_of(second[0]), "missing")
        put(t.pem, good[0])
    with case("all %d streams that were open over these reloads end whole" % STREAMS):
        for c in streams:
            got, done = events(finish(c))
            stamps = [e for e in got if e.get("choices") and e["choices"][0]["delta"].get("content")]
            assert done and len(stamps) == 40, (done, len(stamps))
    with case("and their connections serve the next request"):
        for c in streams:
            assert c.ask(key).status == 200
            c.sock.close()


def encrypted(key):
    out = key + ".enc"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", out], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return read(out)


def chain(t, certs):
    """A leaf below an intermediate: a client that knows the root alone must be able to verify it."""
    base = os.path.join(certs.dir, "mid")
    with open(base + ".ext", "w") as f:
        f.write("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run = lambda *a: subprocess.run(["openssl", *a], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: E731
    run("req", *ec, "-subj", "/CN=middle", "-keyout", base + ".key", "-out", base + ".csr")
    run("x509", "-req", "-in", base + ".csr", "-CA", certs.ca, "-CAkey", certs.ca_key, "-CAcreateserial", "-days", "9",
        "-extfile", base + ".ext", "-out", base + ".pem")
    leaf = os.path.join(certs.dir, "leaf")
    with open(leaf + ".ext", "w") as f:
        f.write("subjectAltName=DNS:localhost\n")
    run("req", *ec, "-subj", "/CN=localhost", "-keyout", leaf + ".key", "-out", leaf + ".csr")
    run("x509", "-req", "-in", leaf + ".csr", "-CA", base + ".pem", "-CAkey", base + ".key", "-CAcreateserial", "-days", "9",
        "-extfile", leaf + ".ext", "-out", leaf + ".pem")
    put(t.pem, read(leaf + ".pem") + read(base + ".pem"))
    put(t.key, read(leaf + ".key"))
    t.reload("new connections use the new certificate", 2)
    c = ssl.create_default_context(cafile=certs.ca)
    with Client(t.port, wrap=wrap(c)) as k:
        assert k.sock.getpeercert()["subject"][0][0][1] == "localhost"


def main():
    with contextlib.ExitStack() as ends:
        s = start("--workers", "2", tls=True)
        ends.push(s.__exit__)
        t = Tls(s, s.tls_port)
        certs = Certs(s.dir)
        versions(t, s.key)
        reloads(t, s.key, certs)
        with case("a chain is sent whole: the root alone verifies it, the host name too"):
            chain(t, certs)
        with case("a worker that dies after a reload comes back with the new certificate"):
            want = served(t.port)
            for pid in s.pids()["worker"]:  # one after the other, so that somebody serves
                n = log_text(s).count("connected to auditd")
                os.kill(pid, signal.SIGKILL)
                assert wait_for(lambda: log_text(s).count("connected to auditd") > n), log_text(s)[-1500:]
            assert log_text(s).count("starting it again") == 2, log_text(s)[-1500:]
            assert s.chat().status == 200
            t.all_serve(want, "after the death")
        with case("no process but those two died; the plain listener serves"):
            assert log_text(s).count("starting it again") == 2 and s.request("POST", CHAT_PATH, chat_body()).status == 200
    tap.done()


main()
