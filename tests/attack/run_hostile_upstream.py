#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A provider under an attacker's control answers with broken framing, surplus bytes, floods and silence. No client may
get another one's answer, a broken answer is never presented as whole, memory stays bounded, the service lives."""

import http.client
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from arena import Arena  # noqa: E402
from stack import memory_kib, rss_kib  # noqa: E402
from tap import case  # noqa: E402
from upstream import plain_answer  # noqa: E402


def chat(text):
    return json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}).encode()


def event(text):
    return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def chunk(b):
    return b"%x\r\n%s\r\n" % (len(b), b)


OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BODY = chat("fine")
CL = b"content-length: %d\r\n" % len(BODY)
TE = b"transfer-encoding: chunked\r\n"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

# (name, bytes, keep the connection open)
BROKEN = [
    ("Content-Length and chunked", OK + CL + TE + b"\r\n" + chunk(BODY) + b"0\r\n\r\n"),
    ("two different Content-Lengths", OK + CL + b"content-length: 3\r\n\r\n" + BODY),
    ("Content-Length -1", OK + b"content-length: -1\r\n\r\n" + BODY),
    ("Content-Length that is no number", OK + b"content-length: many\r\n\r\n" + BODY),
    ("Content-Length of 2^64", OK + b"content-length: 18446744073709551616\r\n\r\n" + BODY),
    ("Transfer-Encoding: gzip, chunked", OK + b"transfer-encoding: gzip, chunked\r\n\r\n" + chunk(BODY) + b"0\r\n\r\n"),
    ("Transfer-Encoding: chunked twice", OK + TE + TE + b"\r\n" + chunk(BODY) + b"0\r\n\r\n"),
    ("a chunk size that is no number", OK + TE + b"\r\nzz\r\n" + BODY),
    ("a chunk size of 2^64", OK + TE + b"\r\n10000000000000000\r\n" + BODY),
    ("a chunk that is longer than its size", OK + TE + b"\r\n5\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a body cut by TLS close", OK + b"content-length: 5000\r\n\r\n" + BODY),
    ("a chunked body without its last chunk", OK + TE + b"\r\n" + chunk(BODY)),
    ("obs-fold in a header", OK + b"x-a: b\r\n c\r\n" + CL + b"\r\n" + BODY),
    ("bare LF line ends", (OK + CL + b"\r\n").replace(b"\r\n", b"\n") + BODY),
    ("NUL in a header", OK + b"x-a: b\x00c\r\n" + CL + b"\r\n" + BODY),
    ("a header line without a colon", OK + b"nonsense\r\n" + CL + b"\r\n" + BODY),
    ("a space before the colon", OK + b"x-a : b\r\n" + CL + b"\r\n" + BODY),
    ("HTTP/2 in the status line", b"HTTP/2 200 OK\r\n" + CL + b"\r\n" + BODY),
    ("no status line", BODY),
    ("status 99", b"HTTP/1.1 99 X\r\n" + CL + b"\r\n" + BODY),
    ("status 2000", b"HTTP/1.1 2000 X\r\n" + CL + b"\r\n" + BODY),
    ("101 Switching Protocols", b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nGARBAGE"),
    ("a head of 300 KiB", OK + b"".join(b"x-%d: %s\r\n" % (i, b"a" * 1000) for i in range(300)) + CL + b"\r\n" + BODY),
    ("2,000 headers", OK + b"".join(b"x-%d: a\r\n" % i for i in range(2000)) + CL + b"\r\n" + BODY),
    ("5,000 informational answers", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 5000 + OK + CL + b"\r\n" + BODY),
    ("nothing but TLS close", b""),
]


def ask(a, stream=False, timeout=8.0, key=None):
    """(status, body) or ("cut", error)."""
    try:
        r = a.chat(model="m", stream=stream, timeout=timeout, key=key or a.vkey)
        return r.status, r.body
    except (OSError, http.client.HTTPException) as e:
        return "cut", type(e).__name__


def answers(data, keep=False):
    def behave(r, send):
        for i in range(0, len(data), 1 << 20):
            send(data[i:i + (1 << 20)])
        return keep
    return behave


def broken(a):
    with case("control: the sound form of these answers is served"):
        a.behave = answers(OK + CL + b"\r\n" + BODY)
        assert ask(a) == (200, BODY)
        a.behave = answers(OK + TE + b"\r\n" + chunk(BODY) + b"0\r\n\r\n")
        assert ask(a) == (200, BODY)
    for name, data in BROKEN:
        for keep in (False, True):
            if keep and name in ("a body cut by TLS close", "a chunked body without its last chunk", "no status line",
                                 "nothing but TLS close"):
                continue  # these wait for more
            a.behave = answers(data, keep)
            status, body = ask(a)
            tap.ok(status in ("cut", 502), "broken: %s, connection %s, is not presented as right" % (
                name, "open" if keep else "closed"), "%r %r" % (status, body[:200]))


def streams(a):
    """A stream that breaks: what came is passed on, and then an error or a cut, never the end marker."""
    head = [SSE, chunk(event("a")), chunk(event("b"))]
    for name, tail in (("TLS close in the middle", []), ("a bad chunk size", [b"zz\r\n"]), ("surplus in a chunk", [b"3\r\nabcdef\r\n"]),
                       ("an event without its end, then the last chunk", [chunk(b'data: {"id"'), b"0\r\n\r\n"]),
                       ("the last chunk without the end marker", [b"0\r\n\r\n"])):
        def behave(r, send, tail=tail):
            for x in head + tail:
                send(x)
                time.sleep(0.01)
            return False
        a.behave = behave
        status, body = ask(a, stream=True)
        good = status == "cut" or (status == 200 and b"[DONE]" not in body and b"error" in body) or status == 502
        tap.ok(good, "stream: %s ends in an error or a cut" % name, "%r %r" % (status, body[-300:]))


def poison(a):
    """Bytes after the end of an answer must not become the answer of the next request on that connection."""
    evil = OK + b"content-length: 6\r\n\r\nPOISON"
    key2 = a.issue("second", ["attack"])
    for name, data in (("a whole second answer behind Content-Length", OK + CL + b"\r\n" + BODY + evil),
                       ("a whole second answer behind the last chunk", OK + TE + b"\r\n" + chunk(BODY) + b"0\r\n\r\n" + evil),
                       ("a second answer behind a 204", b"HTTP/1.1 204 No Content\r\n\r\n" + evil),
                       ("a second answer behind a 304", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\nPOISON" + evil),
                       ("one stray byte", OK + CL + b"\r\n" + BODY + b"H")):
        for late in (False, True):
            first = [True]

            def behave(r, send, data=data, late=late, first=first):
                if first[0]:
                    first[0] = False
                    if late:  # the surplus comes when the client has its answer already
                        cut = data.rindex(evil) if evil in data else len(data) - 1
                        send(data[:cut])
                        time.sleep(0.15)
                        try:
                            send(data[cut:])
                        except OSError:
                            return False
                    else:
                        send(data)
                    return True
                send(plain_answer(chat("for " + json.loads(r.body)["messages"][0]["content"])))
                return True
            a.behave = behave
            ask(a)
            if late:
                time.sleep(0.3)
            wrong = []
            for i in range(4):
                try:
                    r = a.chat(model="m", text="request %d" % i, key=key2 if i % 2 else a.vkey, timeout=8)
                    if r.status == 200 and b"for request %d" % i not in r.body:
                        wrong.append(r.body[:80])
                except (OSError, http.client.HTTPException):
                    pass
            tap.ok(not wrong, "poison: %s%s never answers another request" % (name, ", sent late" if late else ""), wrong)
    with case("poison: an answer that begins before the request is all sent is not taken for the next one"):
        def early(r, send):
            send(plain_answer(chat("for " + json.loads(r.body)["messages"][0]["content"])))
            return True
        a.behave = early
        out = {}

        def one(i):
            try:
                out[i] = a.chat(model="m", text="many %d" % i + " x" * 3000, key=a.vkey)
            except (OSError, http.client.HTTPException):
                out[i] = None
        ts = [threading.Thread(target=one, args=(i,)) for i in range(40)]
        for t in ts:
            t.start()
        for t in ts:
            t.join()
        bad = [i for i, r in out.items() if r is None or r.status != 200 or b"for many %d x" % i not in r.body]
        assert not bad, bad[:5]


def floods(a):
    def worker():
        return sum(rss_kib(p) for p in a.pids()["worker"])
    base = worker()
    peak = [0, 0]

    def endless(first, block, limit=64 << 20):
        def behave(r, send):
            send(first)
            n = 0
            while n < limit:
                send(block)
                n += len(block)
                peak[0] = max(peak[0], n)
            return False
        return behave
    for name, first, block, want in (
            ("headers without end", OK, b"x-a: " + b"a" * 1000 + b"\r\n", ("cut", 502)),
            ("one header without end", OK + b"x-a: ", b"a" * 65536, ("cut", 502)),
            ("a chunk extension without end", OK + TE + b"\r\n5;", b"e" * 65536, ("cut", 502)),
            ("trailers without end", OK + TE + b"\r\n" + chunk(BODY) + b"0\r\n", b"x-a: " + b"a" * 1000 + b"\r\n", ("cut", 502)),
            ("a whole answer of 64 MB", OK + b"content-length: 4000000000\r\n\r\n" + BODY[:-1], b" " * 65536, ("cut", 502)),
            ("an event line of 64 MB in a stream", SSE + chunk(b"data: "), chunk(b"x" * 65536), ("cut", 502, 200))):
        peak[0] = 0
        a.behave = endless(first, block)
        status, body = ask(a, stream="stream" in name, timeout=30)
        grown = worker() - base
        tap.ok(status in want and b"[DONE]" not in (body if isinstance(body, bytes) else b"") and grown < memory_kib(96 * 1024),
               "flood: %s is ended, memory bounded (%d KiB grown, %d KiB taken)" % (name, grown, peak[0] >> 10),
               "%r %r" % (status, body[:100]))
    sealers = max(rss_kib(p) for p in a.pids()["sealer"])
    tap.ok(sealers < memory_kib(64 * 1024), "flood: the sealer stays small (%d KiB)" % sealers)


def main():
    with Arena() as a:
        pids = a.pids()
        for f in (broken, streams, poison, floods):
            try:
                f(a)
            except Exception as e:  # noqa: BLE001: the next group still runs
                tap.ok(False, "%s ran to its end" % f.__name__, repr(e) + "\n" + a.logs(1200))
            tap.ok(a.serves(), "%s: the service still serves" % f.__name__)
        now = a.pids()
        for role in ("core", "auditd", "worker", "master", "zygote"):
            tap.ok(now.get(role) == pids.get(role), "no %s process died of all this" % role, "%s, was %s" % (now, pids))
    tap.done()


main()
