#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards clients: by ALPN on the TLS port, by prior knowledge on the plain one; and what is no HTTP/2."""

import os
import re
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_lib import Client, start, wait_for  # noqa: E402

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


with start(tls=True) as stack:
    workers = stack.pids().get("worker", [])
    choices(stack)
    clients(stack)
    with case("no worker died of it"):
        assert wait_for(lambda: stack.pids().get("worker", []) == workers), (workers, stack.pids())
tap.done()
