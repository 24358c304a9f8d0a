#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""egress_proxy: every request goes through one HTTP CONNECT proxy that sees ciphertext only; its faults are told apart."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_lib import CHAT_PATH, Client, chat_body, events, established, restart_gateway, start, wire  # noqa: E402

import tap  # noqa: E402
from stack import free_port  # noqa: E402
from tap import case  # noqa: E402

PROMPT = "a prompt that no proxy may read, zq4711"
OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """Tunnels every name to 127.0.0.1, and keeps all that passed; or answers as `mode` says."""

    def __init__(self):
        self.mode, self.heads, self.up, self.down, self.open = "tunnel", [], bytearray(), bytearray(), []
        self.first = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        if self.mode == "close":
            s.close()
            return
        head = b""
        while b"\r\n\r\n" not in head:
            b = s.recv(4096)
            if not b:
                return
            head += b
        head, rest = head.split(b"\r\n\r\n", 1)
        self.heads.append(head.decode("latin-1"))
        if self.mode == "hang":
            self.open.append((s, None))
            return
        if self.mode == "read-close":
            s.close()
            return
        if self.mode not in ("tunnel", "http10"):
            s.sendall(self.mode)
            s.close()
            return
        up = socket.create_connection(("127.0.0.1", int(head.split(b" ")[1].rsplit(b":", 1)[1])))
        s.sendall(OK if self.mode == "tunnel" else b"HTTP/1.0 200 OK\r\nProxy-Agent: old\r\nContent-Length: 0\r\n\r\n")
        self.open.append((s, up))
        self.up += rest
        threading.Thread(target=self._pump, args=(up, s, self.down, None), daemon=True).start()
        self._pump(s, up, self.up, self.first)

    @staticmethod
    def _pump(a, b, log, first):
        start = True
        try:
            while True:
                d = a.recv(65536)
                if not d:
                    break
                log += d
                if start and first is not None:
                    first.append(d[:3])
                start = False
                b.sendall(d)
        except OSError:
            pass
        for x in (a, b):
            try:
                x.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Every tunnel dies, as when the proxy is restarted."""
        for pair in self.open:
            for x in pair:
                try:
                    x.shutdown(socket.SHUT_RDWR)
                except (OSError, AttributeError):
                    pass
        self.open = []


def works(s, p, provider):
    with case("chat, messages and converse, whole and streamed, work through the proxy"):
        assert s.chat(text=PROMPT).status == 200
        got, done = events(s.chat(text=PROMPT, stream=True).body)
        assert done and len(got) > 2
        m = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": PROMPT}]}
        assert s.post("/v1/messages", m).status == 200
        r = s.post("/v1/messages", dict(m, stream=True))
        assert r.status == 200 and b"message_stop" in r.body, r
        r = s.post("/model/m/converse", {"messages": [{"role": "user", "content": [{"text": PROMPT}]}]})
        assert r.status == 200, r
    with case("CONNECT names host and port of the credential, and carries nothing else"):
        for h in p.heads:
            assert re.match(r"CONNECT [a-z0-9.-]+:%d HTTP/1\.1\r\nHost: [a-z0-9.-]+:%d$" % (provider, provider), h), h
        assert len({h.split(" ")[1] for h in p.heads}) == 3, p.heads
    with case("tunnels are kept and used again: 40 requests, no new CONNECT for each"):
        n = len(p.heads)
        for _ in range(40):
            assert s.chat(text=PROMPT).status == 200
        assert len(p.heads) - n <= 4, len(p.heads) - n
    with case("a stream passes event by event through the tunnel"):
        with Client(s.port) as c:
            c.send(wire(s.key, chat_body("stamp-6-100", "x", True)))
            assert c.read_head()[0] == 200
            at = []
            while c.chunk():
                at.append(time.monotonic())
        assert at[-1] - at[0] > 0.35, at[-1] - at[0]
    with case("a body and an answer of 1 MB each arrive whole"):
        r = s.post(CHAT_PATH, {"model": "bytes-1000000", "messages": [{"role": "user", "content": "b" * 1000000}]})
        assert r.status == 200 and len(r.json()["choices"][0]["message"]["content"]) == 1000000
    with case("nothing went around the proxy"):
        tunnels = len([1 for _, up in p.open if up is not None])
        assert len(established(provider)) <= tunnels, (established(provider), tunnels)


def ciphertext(s, p):
    with case("the proxy saw TLS and no plaintext: no prompt, path, key of anybody, no HTTP (%d bytes)" % (len(p.up) + len(p.down))):
        with open(os.path.join(s.dir, "provider.keys")) as f:
            words = [w for line in f for w in line.split()[1:] if len(w) > 15]
        assert len(words) >= 4
        for w in words + [s.key, PROMPT, PROMPT[:16], "HTTP/1.1", "authorization", "x-api-key", "/v1/", "messages", "chat.completion"]:
            for data in (p.up, p.down):
                assert w.encode() not in data, w
        assert len(p.up) > 1000000 and len(p.down) > 1000000
        assert p.first and all(f[:2] == b"\x16\x03" for f in p.first), p.first


def refusal(s, p, mode, text, codes=((502, "provider_unreachable"),), inside=400):
    """One request while the proxy behaves like that: the error says so, in time, and names the proxy."""
    with case(text):
        p.mode = mode
        p.cut()
        time.sleep(0.1)
        t = time.monotonic()
        r = s.chat(text=PROMPT)
        ms = (time.monotonic() - t) * 1000
        e = r.json()["error"]
        assert (r.status, e["code"]) in codes and ms < inside, (r, ms)
        assert mode == "hang" or "proxy" in e["message"], e
        assert dict((k.lower(), v) for k, v in r.headers)["x-sallyport-error-code"] == e["code"]
        p.mode = "tunnel"
        assert s.chat().status == 200, "not served after it"


def main():
    p = Proxy()
    with contextlib.ExitStack() as ends:
        s = start("--workers", "2")
        ends.push(s.__exit__)
        provider = int(s.demo_env()["SALLYPORT_DEMO_PROVIDER"].rsplit(":", 1)[1])
        restart_gateway(s, lambda t: t.replace("  drain_timeout_s: 5", "  drain_timeout_s: 5\n  upstream_connect_timeout_s: 2")
                        + '\negress_proxy: "http://127.0.0.1:%d"\n' % p.port)
        works(s, p, provider)
        ciphertext(s, p)
        for status in (b"407 Proxy Authentication Required", b"502 Bad Gateway", b"403 Forbidden", b"302 Found",
                       b"503 Service Unavailable", b"101 Switching Protocols"):
            refusal(s, p, b"HTTP/1.1 " + status + b"\r\nProxy-Authenticate: Basic\r\nLocation: http://x/\r\nContent-Length: 2\r\n\r\nno",
                    "the proxy says %s: a clear 502" % status.decode())
        refusal(s, p, "close", "the proxy closes without a word: a clear 502")
        refusal(s, p, "read-close", "the proxy reads CONNECT and closes: a clear 502")
        refusal(s, p, b"\0\1\2 not HTTP at all\r\n\r\n", "the proxy answers garbage: a clear 502")
        refusal(s, p, b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000 + b"\r\n\r\n", "the proxy's head never ends: a clear 502")
        refusal(s, p, OK + b"HTTP/1.1 200 OK\r\n\r\n", "the proxy speaks into the tunnel: a clear 502")
        refusal(s, p, "hang", "the proxy never answers: 504 after upstream_connect_timeout_s",
                ((504, "provider_connect_timeout"),), 4000)
        with case("HTTP/1.0 200 with headers opens a tunnel as well"):
            p.mode = "http10"
            p.cut()
            time.sleep(0.1)
            assert s.chat().status == 200
            p.mode = "tunnel"
        with case("tunnels that die between requests: the next request opens a new one"):
            for _ in range(3):
                p.cut()
                assert s.chat().status == 200
        with case("a tunnel that dies in a stream: an error event, no [DONE]; then service"):
            with Client(s.port) as c:
                c.send(wire(s.key, chat_body("stamp-50-50", "x", True)))
                c.read_head()
                got = c.chunk() + c.chunk()
                p.cut()
                try:
                    while True:
                        d = c.chunk()
                        if not d:
                            break
                        got += d
                except (EOFError, OSError):
                    pass
            assert b"[DONE]" not in got and b'"error"' in got, got[-400:]
            assert s.chat().status == 200
        with case("the proxy is away: a clear 502; back on its port: service"):
            port = p.port
            p.listener.shutdown(socket.SHUT_RDWR)
            p.listener.close()
            p.cut()
            time.sleep(0.1)
            r = s.chat()
            assert r.status == 502 and r.json()["error"]["code"] == "provider_unreachable" and "proxy" in r.json()["error"]["message"], r
            q = Proxy.__new__(Proxy)
            q.mode, q.heads, q.up, q.down, q.open, q.first, q.port = "tunnel", [], bytearray(), bytearray(), [], [], port
            q.listener = socket.create_server(("127.0.0.1", port), backlog=64)
            threading.Thread(target=q._accept, daemon=True).start()
            assert s.chat().status == 200 and q.heads
        with case("after all of that no worker has died"):
            with open(os.path.join(s.dir, "log", "gateway.log")) as f:
                assert "starting it again" not in f.read()
        with case("a proxy address that is none: the gateway refuses its configuration by line and key"):
            bad = os.path.join(s.dir, "bad.yaml")
            with open(os.path.join(s.dir, "sallyport.yaml")) as f:
                text = f.read()
            for url in ("https://127.0.0.1:1", "http://user:pw@127.0.0.1:1", "http://127.0.0.1", "127.0.0.1:3128"):
                with open(bad, "w") as f:
                    f.write(re.sub(r'egress_proxy: ".*"', 'egress_proxy: "%s"' % url, text).replace(str(s.port), str(free_port())))
                r = subprocess.run([os.path.join(s.build, "sallyport-gatewayd"), "--config", bad], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=5)
                assert r.returncode != 0 and re.search(rb"line \d+: egress_proxy", r.stdout), (url, r.stdout)
                assert b"user:pw" not in r.stdout
    tap.done()


main()
