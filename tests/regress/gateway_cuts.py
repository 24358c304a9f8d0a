#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Streams through the whole gateway, cut at every byte: a provider sends each fixture in two parts, once for each place to
cut it, as two HTTP chunks and as two TLS records at any place of head, chunk sizes and data. The client must see the same
status, headers, bytes and end every time, and the audit trail the same tokens."""

import base64
import bisect
import collections
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_cuts_data import FIXTURES  # noqa: E402
from gateway_lib import Client, head  # noqa: E402

import tap  # noqa: E402
from arena import Arena, field  # noqa: E402
from sp_proto import NUM  # noqa: E402
from tap import case  # noqa: E402
from upstream import Upstream  # noqa: E402

THREADS = 12
PAUSE = 0.001
CUT = re.compile(rb"cut:([a-z0-9-]+):([cw]):(\d+):")
PROVIDERS = {
    "openai": ("PROVIDER_OPENAI", "AUTH_BEARER", "sk-proj-" + "a1B2" * 12, {}),
    "anthropic": ("PROVIDER_ANTHROPIC", "AUTH_API_KEY", "sk-ant-api03-" + "a1B2" * 20, {}),
    "bedrock": ("PROVIDER_BEDROCK", "AUTH_BEARER", "ABSK" + base64.b64encode(b"BedrockAPIKey-x:" + b"a1B2" * 12).decode(),
                {"region": "us-east-1"}),
    "gemini": ("PROVIDER_GEMINI", "AUTH_GOOGLE_API_KEY", "AIza" + "Sy0aB1c" * 5, {}),
}
# Headers that differ from answer to answer by their nature.
OWN = {"date", "x-request-id", "request-id", "x-sallyport-request-id", "x-sallyport-attempts", "x-amzn-requestid", "x-sallyport-receipt"}


# What a translation takes from its own request: the time, and ids made of the request's.
OF_REQUEST = re.compile(rb'"created":\d+|chatcmpl-[0-9a-f-]{36}|call_[0-9a-f-]{36}|"request_id":"[0-9a-f-]{36}"')


# --- the provider ------------------------------------------------------------------------------------------------


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def answer_head(fixture):
    return b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nx-request-id: req_1\r\ntransfer-encoding: chunked\r\n\r\n" % fixture.content_type.encode()


def parts(fixture, how, at):
    """What is written at once: by chunks of the data (c), or anywhere on the wire (w)."""
    data = b"".join(fixture.pieces)
    if how == "c":
        return [answer_head(fixture) + chunk(data[:at]), chunk(data[at:]) + b"0\r\n\r\n"]
    wire = answer_head(fixture) + b"".join(chunk(p) for p in fixture.pieces) + b"0\r\n\r\n"
    return [wire[:at], wire[at:]]


def places(fixture):
    """Every place at which a fixture is cut."""
    data = sum(len(p) for p in fixture.pieces)
    wire = len(parts(fixture, "w", 0)[1])
    return [("c", n) for n in range(data + 1)] + [("w", n) for n in range(1, wire)]


def provide(cert, key):
    table = {f.name: f for f in FIXTURES}

    def behave(request, send):
        name, how, at = CUT.search(request.body).groups()
        first, second = parts(table[name.decode()], how.decode(), int(at))
        if first:
            send(first)
            time.sleep(PAUSE)
        send(second)
        up.requests.clear()
        up.raw.clear()
        return True
    up = Upstream(cert, key, behave)
    print(up.port, flush=True)
    sys.stdin.read()


# --- the client ---------------------------------------------------------------------------------------------------


def look(c):
    """The answer without what differs by nature."""
    status, headers, data, end = c.look()
    return status, tuple(sorted((k, v) for k, v in headers.items() if k not in OWN)), data, end


class Asker(threading.Thread):
    """Takes places from a queue and asks for them, on one connection as long as the gateway keeps it."""

    def __init__(self, port, key, fixture, todo, out):
        super().__init__(daemon=True)
        self.port, self.key, self.fixture, self.todo, self.out = port, key, fixture, todo, out
        self.error = None

    def run(self):
        try:
            client = None
            while True:
                try:
                    how, at = self.todo.popleft()
                except IndexError:
                    break
                client = client or Client(self.port, 10)
                body = self.fixture.request("cut:%s:%s:%d:" % (self.fixture.name, how, at))
                client.send(head(self.key, len(body), self.fixture.path) + body)
                got = look(client)
                if not self.fixture.native:
                    got = (got[0], got[1], OF_REQUEST.sub(b"OWN", got[2]), got[3])
                self.out.append((how, at, got))
                if got[3] == "cut":
                    client.sock.close()
                    client = None
        except Exception as e:  # noqa: BLE001: told by the test
            self.error = e


def differences(port, key, fixture):
    """The answer that the uncut stream gives, and the ways to cut that give another."""
    todo, out = collections.deque(places(fixture)), []
    threads = [Asker(port, key, fixture, todo, out) for _ in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    errors = [t.error for t in threads if t.error]
    assert not errors, repr(errors[0])
    assert len(out) == len(places(fixture)), len(out)
    want = next(got for how, at, got in out if (how, at) == ("c", 0))
    return want, [(how, at, got) for how, at, got in out if got != want]


def one(a, keys, fixture):
    with case("%s: the same for the client wherever the stream is cut" % fixture.name):
        want, wrong = differences(a.port, keys[fixture.provider], fixture)
        tap.note("%s: %d ways to cut, %d bytes for the client" % (fixture.name, len(places(fixture)), len(want[2])))
        if os.environ.get("CUTS_PRINT"):
            tap.note(repr(want))
        assert want[0] == 200, want
        fixture.check(want)
        assert not wrong, "%d differ, first %r: %r, not %r" % (len(wrong), wrong[0][:2], wrong[0][2], want)


def tokens(a, since):
    """`since`: the records before each fixture, in turn."""
    with case("the audit trail has the same tokens, status and result for each way to cut"):
        total = sum(len(places(f)) for f in FIXTURES)
        end = time.monotonic() + 15
        while True:
            done = [r for r in a.audit(since[0]) if field(r, "event") == "key.complete"]
            if len(done) >= total or time.monotonic() > end:
                break
            time.sleep(0.3)
        assert len(done) == total, (len(done), total)
        seen = [collections.Counter() for _ in FIXTURES]
        for r in done:
            which = bisect.bisect_left(since, r["ref_seq"]) - 1
            seen[which][tuple(field(r, k) for k in ("tokens_in", "tokens_out", "upstream_status", "result", "error_code"))] += 1
        for f, counts in zip(FIXTURES, seen):
            tap.note("%s: %s" % (f.name, dict(counts)))
        for f, counts in zip(FIXTURES, seen):
            assert len(counts) == 1, (f.name, counts)


def main():
    with Arena() as a:
        cert, key = a.certs.issue("localhost")
        child = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--provide", cert, key], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        try:
            port = int(child.stdout.readline())
            keys = {}
            for name, (provider, auth, secret, more) in PROVIDERS.items():
                a.put(name, secret, port, provider=NUM[provider], auth=NUM[auth], **more)
                keys[name] = a.issue(name, [name])
            since = []
            for fixture in FIXTURES:
                since.append(a.mark())
                one(a, keys, fixture)
            tokens(a, since)
        finally:
            child.stdin.close()
            child.wait(5)
    tap.done()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--provide"]:
        provide(*sys.argv[2:4])
    else:
        main()
