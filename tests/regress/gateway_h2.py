#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards clients: by ALPN on the TLS port, by prior knowledge on the plain one; and what is no HTTP/2."""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_lib import Client, chat_body, start, wait_for  # noqa: E402

import tap  # noqa: E402
from tap import case, note, ok  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def alpn(port, offer):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.set_alpn_protocols(offer)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s, c.wrap_socket(s) as t:
        return t.selected_alpn_protocol()


def raw(port, data):
    """Everything the gateway says until it closes or is silent for a second."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
        s.sendall(data)
        try:
            while True:
                d = s.recv(65536)
                if not d:
                    return got, True
                got += d
        except TimeoutError:
            return got, False


def clients(s):
    r = subprocess.run(["node", os.path.join(HERE, "h2_client.js"), "http://127.0.0.1:%d" % s.port,
                        "https://127.0.0.1:%d" % s.tls_port, s.key], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    for line in r.stdout.decode("utf-8", "replace").splitlines():
        m = re.match(r"(not )?ok \d+ - (.*)", line)
        if m:
            ok(not m.group(1), m.group(2))
        else:
            note(line.removeprefix("# "))
    ok(r.returncode == 0, "every test of the client ran", "exit status %d" % r.returncode)


def choices(s):
    with case("ALPN: h2 when it is offered, http/1.1 when it is the only one, neither ends the handshake"):
        assert alpn(s.tls_port, ["h2", "http/1.1"]) == "h2"
        assert alpn(s.tls_port, ["http/1.1"]) == "http/1.1"
        try:
            alpn(s.tls_port, ["spdy/3"])
            raise AssertionError("accepted")
        except (ssl.SSLError, OSError):
            pass
    with case("a preface that comes byte by byte is one all the same"):
        with socket.create_connection(("127.0.0.1", s.port), timeout=5) as c:
            for i in range(len(PREFACE)):
                c.sendall(PREFACE[i:i + 1])
            c.sendall(b"\0\0\0\4\0\0\0\0\0")  # empty SETTINGS
            assert c.recv(9)[3:4] == b"\4"
    with case("a broken preface is a bad HTTP/1.1 request"):
        got, _ = raw(s.port, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 505") or got.startswith(b"HTTP/1.1 400"), got
    with case("a preface and rubbish: GOAWAY, closed"):
        got, closed = raw(s.port, PREFACE + b"\xff" * 200)
        assert closed and b"HTTP/1.1" not in got, (got, closed)
    with case("a preface and silence ends at the header deadline, not before the clients of others"):
        with Client(s.port) as c:
            assert c.ask(s.key).status == 200


class H2:
    """Frames by hand, so that a test decides what is sent when (RFC 9113)."""

    HEADERS, SETTINGS, GOAWAY = 1, 4, 7

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sock.sendall(PREFACE + self.frame(self.SETTINGS, 0, 0))
        self.buf, self.bodies, self.status, self.goaways, self.resets = b"", {}, {}, [], {}
        self.ended, self.closed = set(), False

    def frame(self, kind, flags, stream, payload=b""):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    def ask(self, stream, key, body):
        fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/v1/chat/completions"),
                  (b":authority", b"x"), (b"content-type", b"application/json"),
                  (b"authorization", b"Bearer " + key.encode())]
        block = b"".join(b"\0" + bytes([len(n)]) + n + bytes([len(v)]) + v for n, v in fields)
        self.sock.sendall(self.frame(self.HEADERS, 4, stream, block) + self.frame(0, 1, stream, body))

    def read(self, until, timeout=10.0):
        """Frames until `until` is true, or the end of the connection."""
        end = time.monotonic() + timeout
        while not until() and not self.closed:
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            d = self.sock.recv(65536)
            self.closed = not d
            self.buf += d
            while len(self.buf) >= 9 and len(self.buf) >= 9 + int.from_bytes(self.buf[:3], "big"):
                n = int.from_bytes(self.buf[:3], "big")
                self.take(self.buf[3], self.buf[4], int.from_bytes(self.buf[5:9], "big"), self.buf[9:9 + n])
                self.buf = self.buf[9 + n:]

    def take(self, kind, flags, stream, payload):
        if kind == self.SETTINGS and not flags & 1:
            self.sock.sendall(self.frame(self.SETTINGS, 1, 0))
        elif kind == self.GOAWAY:
            self.goaways.append((int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big")))
        elif kind == self.HEADERS:
            self.status[stream] = payload[:1] == b"\x88"  # the static table's ":status: 200"
        elif kind == 0:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
        elif kind == 3:
            self.resets[stream] = int.from_bytes(payload, "big")
        if kind in (0, self.HEADERS) and flags & 1:
            self.ended.add(stream)


NO_LIMIT, NO_ERROR = 2**31 - 1, 0


def serves(s):
    try:
        with Client(s.port) as c:
            return c.ask(s.key).status == 200
    except (OSError, EOFError):
        return False


def leaves(s):
    idle, busy, racer = H2(s.port), H2(s.port), H2(s.port)
    for c in (idle, racer):
        c.ask(1, s.key, chat_body())
        c.read(lambda: 1 in c.ended)
        assert c.status[1] and not c.goaways
    busy.ask(1, s.key, chat_body("stamp-20-100", stream=True))
    busy.read(lambda: 1 in busy.bodies)
    old = s.pids()["worker"]
    begun = time.monotonic()
    os.kill(s.pid("master"), signal.SIGTERM)
    with case("a worker that drains says GOAWAY to idle connections, without a limit first"):
        racer.read(lambda: racer.goaways)
        assert racer.goaways == [(NO_LIMIT, NO_ERROR)], racer.goaways
    with case("a stream that was on its way then is served"):
        racer.ask(3, s.key, chat_body(text="just in time"))
        racer.read(lambda: 3 in racer.ended or 3 in racer.resets)
        assert racer.status.get(3) and b"just in time" in racer.bodies[3] and not racer.resets, vars(racer)
        racer.read(lambda: False)
        assert racer.closed and racer.goaways == [(NO_LIMIT, NO_ERROR), (3, NO_ERROR)], racer.goaways
    with case("an idle connection ends soon, by GOAWAY that names its last stream"):
        idle.read(lambda: False)
        assert idle.closed and idle.goaways == [(NO_LIMIT, NO_ERROR), (1, NO_ERROR)], idle.goaways
        assert time.monotonic() - begun < 1.5, time.monotonic() - begun
    with case("a stream under way goes on to its end, then its connection closes"):
        busy.read(lambda: False)
        assert busy.goaways == [(NO_LIMIT, NO_ERROR), (1, NO_ERROR)], busy.goaways
        assert 1 in busy.ended and busy.bodies[1].endswith(b"data: [DONE]\n\n"), busy.bodies[1][-100:]
        assert time.monotonic() - begun > 1.5  # or nothing was under way
    with case("and the worker is gone, another serves"):
        assert wait_for(lambda: not set(old) & set(s.pids().get("worker", [])))
        assert wait_for(lambda: serves(s), 15)
    for c in (idle, busy, racer):
        c.sock.close()


with start(tls=True) as stack:
    workers = stack.pids().get("worker", [])
    choices(stack)
    clients(stack)
    with case("no worker died of it"):
        assert wait_for(lambda: stack.pids().get("worker", []) == workers), (workers, stack.pids())
    leaves(stack)
tap.done()
