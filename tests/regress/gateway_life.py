#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway's own life beside a running vault and auditd: TLS, certificate reload, egress proxy, limits, draining,
dead workers, and faults of its configuration."""

import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from stack import MEMORY_FACTOR, UID_GATEWAY, Stack, free_port, process_table, request  # noqa: E402
from tap import case  # noqa: E402
from upstream import Certs  # noqa: E402

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


class Gateway:
    """A second gateway on the stack's vault and auditd, with a configuration of the test's own."""

    def __init__(self, stack, text, tls=None):
        self.stack, self.port, self.tls_port = stack, free_port(), free_port()
        self.path = os.path.join(stack.dir, "gw-%d.yaml" % self.port)
        with open(os.path.join(stack.dir, "sallyport.yaml")) as f:
            resolve = f.read().split("resolve:", 1)[1]
        listen = "  plain: 127.0.0.1:%d\n" % self.port
        if tls:
            listen += "  tls: {address: '127.0.0.1:%d', certificate: %s, key: %s}\n" % (self.tls_port, *tls)
        with open(self.path, "w") as f:
            f.write("listen:\n%svault_socket: %s\naudit_socket: %s\n%sresolve:%s" % (
                listen, stack.sock("gateway"), stack.sock("events"), text, resolve))
        self.log = open(self.path + ".log", "wb")
        argv = [os.path.join(stack.build, "sallyport-gatewayd"), "--config", self.path]
        if os.geteuid() == 0:
            argv += ["--run-as", "%d:%d" % (UID_GATEWAY, UID_GATEWAY)]
        self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.wait_healthy()

    def wait_healthy(self):
        for _ in range(200):
            try:
                if request(self.port, "GET", "/healthz", None, {}, 2).status == 200:
                    return
            except OSError:
                pass
            if self.proc.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("the gateway is not healthy: " + self.text())

    def text(self):
        with open(self.path + ".log") as f:
            return f.read()

    def wait_text(self, what, timeout=5.0):
        end = time.monotonic() + timeout
        while what not in self.text():
            if time.monotonic() > end:
                raise RuntimeError("no '%s' in: %s" % (what, self.text()))
            time.sleep(0.02)

    def workers(self):
        return sorted(p.pid for p in process_table().values() if p.ppid == self.proc.pid)

    def chat(self, key, **more):
        body = json.dumps(dict(CHAT, **more))
        return request(self.port, "POST", "/v1/chat/completions", body, {"authorization": "Bearer " + key}, 10)

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
        try:
            return self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            return self.proc.wait()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.stop()
        self.log.close()


def stream(port, key, model, wrap=None):
    """A connection with a streamed request on it, after its first event."""
    s = socket.create_connection(("127.0.0.1", port), 10)
    if wrap:
        s = wrap(s)
    body = json.dumps(dict(CHAT, model=model, stream=True)).encode()
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
              % (key.encode(), len(body), body))
    got = b""
    while b"data: " not in got:
        got += s.recv(65536)
    return s, got


def rest(s, got=b""):
    while True:
        b = s.recv(65536)
        if not b:
            return got
        got += b


# --- TLS --------------------------------------------------------------------------------------------------------


def context(certs, alpn=("http/1.1",)):
    c = ssl.create_default_context(cafile=certs.ca)
    c.check_hostname = False
    c.set_alpn_protocols(list(alpn))
    return c


def connect_tls(g, c):
    return c.wrap_socket(socket.create_connection(("127.0.0.1", g.tls_port), 5), server_hostname="localhost")


def publish(pair, to):
    for a, b in zip(pair, to):
        with open(a) as f, open(b + ".new", "w") as out:
            out.write(f.read())
        os.chmod(b + ".new", 0o644)
        os.rename(b + ".new", b)


def test_reload(s, g, c, certs, live, first, serial):
    with case("an open stream outlives a certificate reload; new connections see the new certificate"):
        before = serial()
        k, got = stream(g.tls_port, s.key, "stamp-8-200", lambda x: c.wrap_socket(x, server_hostname="localhost"))
        publish(certs.issue("localhost"), live)
        g.proc.send_signal(signal.SIGHUP)
        g.wait_text("worker 0: new connections use the new certificate")
        g.wait_text("worker 1: new connections use the new certificate")
        after = {serial() for _ in range(8)}
        assert len(after) == 1 and before not in after, (before, after)
        while b"[DONE]" not in got:
            got += k.recv(65536)
        k.close()
    with case("a broken certificate leaves the old one in use, and is named in the log"):
        with open(live[0], "w") as f:
            f.write("nonsense")
        g.proc.send_signal(signal.SIGHUP)
        g.wait_text("certificate not replaced")
        assert serial() in after
    with case("key and certificate that do not belong together are not taken"):
        publish((first[0], certs.issue("other")[1]), live)
        n = g.text().count("certificate not replaced")
        g.proc.send_signal(signal.SIGHUP)
        end = time.monotonic() + 5
        while g.text().count("certificate not replaced") == n and time.monotonic() < end:
            time.sleep(0.02)
        assert g.text().count("certificate not replaced") > n, g.text()
        assert serial() in after


def test_tls(s):
    tls_dir = os.path.join(s.dir, "gw-tls")
    os.mkdir(tls_dir)
    os.chmod(tls_dir, 0o755)
    certs = Certs(tls_dir)
    live = (os.path.join(tls_dir, "live.pem"), os.path.join(tls_dir, "live.key"))
    first = certs.issue("localhost")
    publish(first, live)
    with Gateway(s, "workers: 2\n", live) as g:
        c = context(certs)

        def serial():
            with connect_tls(g, c) as t:
                return t.getpeercert()["serialNumber"]

        with case("TLS serves a request, over http/1.1 by ALPN"):
            with connect_tls(g, c) as t:
                assert t.selected_alpn_protocol() == "http/1.1" and t.version() == "TLSv1.3", t.version()
            k, got = stream(g.tls_port, s.key, "m", lambda x: c.wrap_socket(x, server_hostname="localhost"))
            while b"[DONE]" not in got:
                got += k.recv(65536)
            k.close()
        with case("a client that speaks neither HTTP/2 nor HTTP/1.1 is refused in the handshake"):
            try:
                connect_tls(g, context(certs, ("spdy/3",))).close()
                raise AssertionError("accepted")
            except ssl.SSLError as e:
                assert "ALERT" in str(e).upper(), e
        with case("TLS 1.1 is refused"):
            old = context(certs)
            old.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
            try:
                connect_tls(g, old).close()
                raise AssertionError("accepted")
            except (ssl.SSLError, ConnectionError):
                pass
        if MEMORY_FACTOR == 1:
            test_reload(s, g, c, certs, live, first, serial)
        else:
            tap.skip("certificate reload: a sanitizer build may not open files")
        with case("plain HTTP on the TLS port is no way in"):
            with socket.create_connection(("127.0.0.1", g.tls_port), 5) as t:
                t.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                try:
                    got = t.recv(100)
                except ConnectionResetError:
                    got = b""
                assert b"HTTP" not in got, got


# --- proxy ------------------------------------------------------------------------------------------------------


class Proxy:
    """HTTP CONNECT: tunnels every name to 127.0.0.1, or answers as told."""

    def __init__(self, answer=b"HTTP/1.1 200 Connection established\r\nX-Proxy: t\r\n\r\n"):
        self.answer, self.seen, self.first = answer, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        head = b""
        while b"\r\n\r\n" not in head:
            b = s.recv(1)
            if not b:
                return
            head += b
        self.seen.append(head.decode())
        for i in range(0, len(self.answer), 7):  # in pieces
            s.sendall(self.answer[i:i + 7])
            time.sleep(0.002)
        if b" 200 " not in self.answer:
            s.close()
            return
        up = socket.create_connection(("127.0.0.1", int(re.search(r"CONNECT \S+:(\d+) ", head.decode()).group(1))))
        threading.Thread(target=self.pump, args=(up, s), daemon=True).start()
        self.pump(s, up, True)

    def pump(self, a, b, note=False):
        try:
            while True:
                data = a.recv(65536)
                if note and data:
                    self.first.append(data[0])
                    note = False
                if not data:
                    break
                b.sendall(data)
        except OSError:
            pass
        try:
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_proxy(s):
    p = Proxy()
    with Gateway(s, "workers: 1\negress_proxy: http://127.0.0.1:%d\n" % p.port) as g:
        with case("requests reach the provider through the egress proxy, as TLS"):
            r = g.chat(s.key)
            assert r.status == 200, r
            assert re.match(r"CONNECT openai\.\S+:\d+ HTTP/1\.1\r\nHost: openai\.\S+:\d+\r\n\r\n$", p.seen[0]), p.seen
            assert p.first == [0x16], p.first
    for answer, why in ((b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "refuses"),
                        (b"SSH-2.0-x\r\n\r\n", "is no proxy")):
        p = Proxy(answer)
        with Gateway(s, "workers: 1\negress_proxy: http://127.0.0.1:%d\n" % p.port) as g:
            with case("a proxy that %s gives a clear 502" % why):
                r = g.chat(s.key)
                assert r.status == 502 and r.json()["error"]["code"] == "provider_unreachable", r
                assert "proxy" in r.json()["error"]["message"], r
    with Gateway(s, "workers: 1\negress_proxy: http://127.0.0.1:%d\n" % free_port()) as g:
        with case("a proxy that is away gives a clear 502"):
            assert g.chat(s.key).json()["error"]["code"] == "provider_unreachable"


# --- limits -----------------------------------------------------------------------------------------------------

LIMITS = """workers: 1
limits:
  body_bytes: 4096
  header_bytes: 2048
  connections: 8
  header_timeout_s: 1
  body_timeout_s: 1
  idle_timeout_s: 2
  upstream_connect_timeout_s: 2
  upstream_idle_timeout_s: 2
"""


def raw(g, data, timeout=6.0):
    with socket.create_connection(("127.0.0.1", g.port), timeout) as k:
        k.sendall(data)
        return rest(k)


def test_limits(s):
    auth = b"Host: x\r\nx-api-key: %s\r\n" % s.key.encode()
    with Gateway(s, LIMITS) as g:
        with case("a declared body over the limit is refused before it is sent"):
            got = raw(g, b"POST /v1/chat/completions HTTP/1.1\r\n" + auth + b"Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n")
            assert got.startswith(b"HTTP/1.1 413") and b"body_too_large" in got, got
        with case("a chunked body is counted"):
            got = raw(g, b"POST /v1/messages HTTP/1.1\r\n" + auth + b"Transfer-Encoding: chunked\r\n\r\n" + b"800\r\n" + b" " * 2048 +
                      b"\r\n801\r\n" + b" " * 2049 + b"\r\n")
            assert got.startswith(b"HTTP/1.1 413") and b"request_too_large" in got, got
        with case("a head over the limit is a 431"):
            got = raw(g, b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 3000 + b"\r\n\r\n")
            assert got.startswith(b"HTTP/1.1 431"), got
        with case("a slow head and a slow body are a 408"):
            assert raw(g, b"POST /v1/chat/completions HTTP/1.1\r\nHost").startswith(b"HTTP/1.1 408")
            got = raw(g, b"POST /v1/chat/completions HTTP/1.1\r\n" + auth + b"Content-Length: 100\r\n\r\n{")
            assert got.startswith(b"HTTP/1.1 408") and b"body_timeout" in got, got
        with case("an idle connection is closed in silence"):
            start = time.monotonic()
            with socket.create_connection(("127.0.0.1", g.port), 6) as k:
                k.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                got = rest(k)
            assert got.count(b"HTTP/1.1") == 1 and time.monotonic() - start < 5, got
        with case("connections over the limit are told so, and service goes on"):
            held = [socket.create_connection(("127.0.0.1", g.port), 5) for _ in range(8)]
            time.sleep(0.2)
            with socket.create_connection(("127.0.0.1", g.port), 5) as k:
                got = rest(k)
            assert got.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in got, got
            head, body = got.split(b"\r\n\r\n", 1)
            assert int(re.search(rb"content-length: (\d+)", head).group(1)) == len(body) and json.loads(body), got
            for h in held:
                h.close()
            time.sleep(0.2)
            assert g.chat(s.key).status == 200
        with case("HTTP/2: no unfinished head, request or reading of an answer holds a connection for ever"):
            frame = lambda kind, flags, stream, data: struct.pack("!I", len(data))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + data
            field = lambda n, v: b"\0" + bytes([len(n)]) + n + bytes([len(v)]) + v
            ask = lambda method, path: b"".join(field(*f) for f in (
                (b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"x")))
            preface, get = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ask(b"GET", b"/healthz")
            no_window = struct.pack("!HI", 4, 0)
            for what, data in (("head", frame(4, 0, 0, b"") + frame(1, 1, 1, get)),
                               ("body", frame(4, 0, 0, b"") + frame(1, 4, 1, ask(b"POST", b"/nothing"))),
                               ("answer", frame(4, 0, 0, no_window) + frame(1, 5, 1, get))):
                start = time.monotonic()
                got = raw(g, preface + data, 10.0)
                assert (b"\x88" in got) == (what == "answer"), (what, got)
                assert 0.5 < time.monotonic() - start < 9, (what, got)
        with case("a silent provider is a 504 after upstream_idle_timeout_s"):
            start = time.monotonic()
            r = g.chat(s.key, model="hang")
            assert r.status == 504 and r.json()["error"]["code"] == "provider_timeout", r
            assert 1.5 < time.monotonic() - start < 9
        with case("HTTP/1.0 gets a whole answer that ends with the connection"):
            body = json.dumps(dict(CHAT, stream=True)).encode()
            got = raw(g, b"POST /v1/chat/completions HTTP/1.0\r\n" + auth + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert b"chunked" not in got and got.endswith(b"data: [DONE]\n\n"), got
        with case("a truncated answer to HTTP/1.0 ends in a reset, not in a clean close"):
            body = json.dumps(dict(CHAT, stream=True, model="truncate")).encode()
            try:
                got = raw(g, b"POST /v1/chat/completions HTTP/1.0\r\n" + auth + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                raise AssertionError(got)
            except ConnectionResetError:
                pass


# --- life -------------------------------------------------------------------------------------------------------


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_life(s):
    with Gateway(s, "workers: 2\nlimits: {drain_timeout_s: 8}\n") as g:
        workers = g.workers()
        with case("master and workers are confined, not root, and keep only what they need"):
            assert len(workers) == 2
            for pid in [g.proc.pid] + workers:
                st = status_of(pid)
                assert st["Seccomp"].strip() == "2" and st["NoNewPrivs"].strip() == "1", st
                assert os.geteuid() != 0 or st["Uid"].split()[0] == str(UID_GATEWAY), st["Uid"]
                assert int(st["CapEff"], 16) == 0 or os.geteuid() != 0
        with case("a killed worker is replaced and its share of connections is served"):
            os.kill(workers[0], signal.SIGKILL)
            g.wait_text("starting it again")
            end = time.monotonic() + 5
            while (len(g.workers()) < 2 or workers[0] in g.workers()) and time.monotonic() < end:
                time.sleep(0.05)
            assert len(g.workers()) == 2
            assert all(g.chat(s.key).status in (200, 503) for _ in range(4))
            time.sleep(0.3)
            assert all(g.chat(s.key).status == 200 for _ in range(16))
        with case("SIGTERM: an idle connection closes, a stream ends properly, then exit 0"):
            idle = socket.create_connection(("127.0.0.1", g.port), 5)
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            idle.recv(1000)
            k, got = stream(g.port, s.key, "stamp-6-200")
            g.proc.terminate()
            start = time.monotonic()
            assert idle.recv(100) == b"" and time.monotonic() - start < 1
            got = rest(k, got)
            assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"), got[-200:]
            assert g.proc.wait(5) == 0
            try:
                socket.create_connection(("127.0.0.1", g.port), 1)
                raise AssertionError("still listening")
            except ConnectionRefusedError:
                pass
    with Gateway(s, "workers: 1\nlimits: {drain_timeout_s: 1}\n") as g:
        with case("a stream that outlasts the drain time is cut, and recorded"):
            seq = max(r["seq"] for r in s.audit())
            k, got = stream(g.port, s.key, "stamp-100-200")
            g.proc.terminate()
            got = rest(k, got)
            assert b"[DONE]" not in got and not got.endswith(b"0\r\n\r\n"), got[-100:]
            assert g.proc.wait(6) == 0
            assert s.wait_audit(lambda r: r.get("event") == "key.complete" and r["seq"] > seq)


def test_faults(s):
    def run(text, *more):
        path = os.path.join(s.dir, "bad.yaml")
        with open(path, "w") as f:
            f.write(text)
        argv = [os.path.join(s.build, "sallyport-gatewayd"), "--config", path, *more]
        r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
        return r.returncode, r.stdout.decode()

    base = "vault_socket: /v\naudit_socket: /a\n"
    with case("a configuration fault ends the start with file, line and key"):
        status, text = run("listen:\n  plain: 0.0.0.0:80\n" + base)
        assert status == 1 and "bad.yaml: line 2: listen.plain" in text, text
    with case("--check says whether a file is good, and starts nothing"):
        assert run("listen: {plain: '127.0.0.1:%d'}\n%s" % (free_port(), base), "--check")[0] == 0
        assert run("listen: {plain: x}\n" + base, "--check")[0] == 1
    with case("a port that is taken is named"):
        status, text = run("listen: {plain: '127.0.0.1:%d'}\nworkers: 1\n%s" % (s.port, base))
        assert status == 1 and "cannot listen on 127.0.0.1:%d" % s.port in text, text
    if os.geteuid() == 0:
        with case("root without --run-as is refused"):
            status, text = run("listen: {plain: '127.0.0.1:%d'}\nworkers: 1\n%s" % (free_port(), base))
            assert status == 1 and "refusing to serve as root" in text, text


def main():
    with Stack() as s:
        test_faults(s)
        test_limits(s)
        test_proxy(s)
        test_tls(s)
        test_life(s)
    tap.done()


main()
