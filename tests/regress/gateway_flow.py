#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How bytes flow through the gateway: events as they come, back-pressure, clients that leave, keep-alive and pipelining,
Expect, and many streams at once."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_lib import (CHAT_PATH, Client, chat_body, established, events, head, start, text_of,  # noqa: E402
                         wait_for, wire)

import tap  # noqa: E402
from arena import field  # noqa: E402
from stack import memory_kib, rss_kib  # noqa: E402
from tap import case  # noqa: E402

BIG = 100000000
STREAMS = 500
FILLER = ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+ " * 16)[:1024].encode()


# --- (a) events -------------------------------------------------------------------------------------------------


def arrivals(s, path, body):
    """[(arrival in ns, bytes)] of the chunks of a streamed answer."""
    with Client(s.port, 20) as c:
        c.send(wire(s.key, json.dumps(body).encode(), path))
        assert c.read_head()[0] == 200
        out = []
        while True:
            d = c.chunk()
            if not d:
                return out
            out.append((time.monotonic_ns(), d))


def stamps(data):
    """CLOCK_MONOTONIC stamps in the text of one chunk."""
    out, digits = [], b""
    for ch in data + b" ":
        if 48 <= ch <= 57:
            digits += bytes([ch])
        else:
            if 12 <= len(digits) <= 19 and abs(int(digits) - time.monotonic_ns()) < 10 ** 11:
                out.append(int(digits))
            digits = b""
    return out


def events_arrive(s):
    user = [{"role": "user", "content": "hi"}]
    shapes = (("OpenAI chat", CHAT_PATH, {"model": "stamp-20-50", "stream": True, "messages": user}),
              ("OpenAI responses", "/v1/responses", {"model": "stamp-20-50", "stream": True, "input": "hi"}),
              ("Anthropic", "/v1/messages", {"model": "stamp-20-50", "max_tokens": 9, "stream": True, "messages": user}),
              ("Bedrock converse-stream", "/model/stamp-20-50/converse-stream",
               {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}))
    for name, path, body in shapes:
        with case("%s: 20 events 50 ms apart arrive one by one, each within 25 ms (median)" % name):
            got = [(at, t) for at, d in arrivals(s, path, body) for t in stamps(d)[:1]][:20]
            assert len(got) == 20, len(got)
            late = sorted((at - t) / 1e6 for at, t in got)
            gaps = sorted((b[0] - a[0]) / 1e6 for a, b in zip(got, got[1:]))
            tap.note("%s: later by %.1f ms (median), %.1f (worst); gaps %.0f to %.0f ms" % (name, late[10], late[-1], gaps[0], gaps[-1]))
            assert late[10] < 25, late
            assert gaps[len(gaps) // 2] > 35, gaps
    with case("slow-80: the gaps of a slow model stay, nothing is gathered up"):
        text = "one two three four five six seven eight"
        at = [t for t, d in arrivals(s, CHAT_PATH, {"model": "slow-80", "stream": True, "messages": [{"role": "user", "content": text}]})]
        wide = [b - a for a, b in zip(at, at[1:]) if b - a > 50e6]
        assert len(wide) >= 8, [int((b - a) / 1e6) for a, b in zip(at, at[1:])]


# --- (b) back-pressure ------------------------------------------------------------------------------------------


def memory(s):
    p = s.pids()
    return {r: {pid: rss_kib(pid) for pid in p.get(r, [])} for r in ("worker", "sealer", "core", "auditd")}


def growth(before, after):
    return {r: max([after[r][p] - before[r].get(p, 6000) for p in after[r]] or [0]) for r in after}


def unread(s, stream, before):
    """A client asks for 100 MB, does not read for two seconds, then reads on: all is there."""
    c = Client(s.port, 30, rcvbuf=8192)
    with c:
        c.send(wire(s.key, chat_body("bytes-%d" % BIG, "x", stream)))
        time.sleep(2.0)
        held = growth(before, memory(s))
        assert s.chat().status == 200, "others are not served"
        tap.note("held by %s: %s KiB" % ("a stream" if stream else "an answer", held))
        for role, kib in held.items():
            assert kib < memory_kib(30 * 1024), "%s grew by %d KiB" % (role, kib)
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        status, headers = c.read_head()
        assert status == 200
        whole(c, headers) if not stream else streamed(c)
        late = growth(before, memory(s))
        for role, kib in late.items():
            assert kib < memory_kib(30 * 1024), "%s grew by %d KiB while it was read" % (role, kib)


def streamed(c):
    """Every event's text in turn, out of the parts between the quotes: parsing 100 MB of JSON would take too long."""
    n, buf, done = 0, bytearray(), False
    while True:
        d = c.chunk()
        if not d:
            break
        buf += d
        while True:
            end = buf.find(b"\n\n")
            if end < 0:
                break
            event = bytes(buf[:end])
            del buf[:end + 2]
            at = event.find(b'"content":"')
            if at >= 0:
                piece = event[at + 11:event.index(b'"', at + 11)]
                want = FILLER[:min(1024, BIG - n)] if piece else b""
                assert piece == want, (n, piece[:80])
                n += len(piece)
            done = done or event == b"data: [DONE]"
    assert n == BIG and done and not buf, (n, done)


def whole(c, headers):
    left = int(headers["content-length"])
    got = [c.buf[:left]]
    left -= len(got[0])
    while left:
        d = c.sock.recv(min(left, 1 << 20))
        assert d, "cut with %d bytes to go" % left
        got.append(d)
        left -= len(d)
    text = json.loads(b"".join(got))["choices"][0]["message"]["content"].encode()
    assert len(text) == BIG and text[:1024] == FILLER and all(
        text[i:i + 1024] == FILLER[:BIG - i] for i in range(0, BIG, 1024))


def pressure(s):
    for _ in range(5):
        s.chat()
    before = memory(s)
    with case("a client that does not read 100 MB of events: bounded memory, then every event in order"):
        unread(s, True, before)
    with case("the same with one answer of 100 MB"):
        unread(s, False, before)


# --- (c) leaving ------------------------------------------------------------------------------------------------


def leave(s, provider, text, model, stream, how, until=None, status=None):
    def closed_records():
        return [r for r in s.audit(mark) if field(r, "event") == "key.complete" and field(r, "error_code") == "client_closed"]
    with case("a client leaves %s: upstream closed within 1 s, recorded as client_closed" % text):
        assert s.chat().status == 200
        mark = max(r["seq"] for r in s.audit()) + 1
        idle = set(established(provider))
        c = Client(s.port)
        c.send(wire(s.key, chat_body(model, "x", stream)))
        if until:
            c._upto(until)
        else:
            time.sleep(0.3)
        busy = set(established(provider))
        assert busy, "no upstream connection"
        t = time.monotonic()
        how(c.sock)
        # The lane in use was an idle one or a new one: one connection fewer than now.
        # What counts is the last look that found it open: this program may be kept waiting between two looks.
        open_at, end = t, t + 3.0
        while True:
            now = time.monotonic()
            if len(set(established(provider)) & busy) < len(busy):
                break
            open_at = now
            assert now < end, "still open after 3 s"
            time.sleep(0.01)
        assert open_at - t < 1.0, "%.2f s" % (open_at - t)
        got = wait_for(closed_records, 3.0, 0.1)
        c.sock.close()
        assert len(got) == 1, got
        assert field(got[0], "result") != "ok" and field(got[0], "ref_seq") >= mark - 1, got
        if status:
            assert field(got[0], "status") == status, got
        assert len(idle) < 200


def reset(sock):
    import struct
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def leaving(s, provider):
    leave(s, provider, "in the middle of a stream", "stamp-400-50", True, lambda k: k.close(), b"data: ", 200)
    leave(s, provider, "by reset in the middle of a stream", "stamp-400-50", True, reset, b"data: ", 200)
    leave(s, provider, "before the first byte of an answer", "hang", False, lambda k: k.close(), None, 499)
    leave(s, provider, "while it reads nothing of a large stream", "bytes-%d" % BIG, True, reset, b"data: ", 200)
    with case("fifty that leave at once: no lane stays, others are served"):
        before = len(established(provider))
        conns = []
        for _ in range(50):
            c = Client(s.port)
            c.send(wire(s.key, chat_body("hang")))
            conns.append(c)
        assert wait_for(lambda: len(established(provider)) >= 50, 8.0), len(established(provider))
        for c in conns:
            c.sock.close()
        assert wait_for(lambda: len(established(provider)) <= before + 2, 2.0), (before, len(established(provider)))
        assert s.chat().status == 200


# --- (d) connections --------------------------------------------------------------------------------------------


def said(reply):
    assert reply.status == 200, reply
    if "event-stream" in reply.headers.get("content-type", ""):
        _, done = events(reply.body)
        assert done
        return text_of(reply.body)
    return reply.json()["choices"][0]["message"]["content"]


def connections(s):
    with case("100 requests on one connection, whole and streamed in turn"):
        with Client(s.port) as c:
            for i in range(100):
                assert "n%d." % i in said(c.ask(s.key, chat_body("m", "n%d." % i, i % 2 == 1))), i
    with case("20 pipelined requests in one write: 20 answers in order"):
        with Client(s.port) as c:
            c.send(b"".join(wire(s.key, chat_body("m", "p%d." % i, i % 3 == 0)) for i in range(20)))
            for i in range(20):
                got = said(c.read())
                assert "p%d." % i in got, (i, got)
    with case("pipelined requests cut at every place: the same"):
        data = b"".join(wire(s.key, chat_body("m", "q%d." % i)) for i in range(3))
        for step in (1, 7, 100):
            with Client(s.port) as c:
                for i in range(0, len(data), step):
                    c.send(data[i:i + step])
                for i in range(3):
                    assert "q%d." % i in said(c.read())
    with case("pipelined refusals and answers keep their places and the connection"):
        with Client(s.port) as c:
            c.send(wire("sp-wrong", chat_body()) + wire(s.key, chat_body("m", "a.")) + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" +
                   b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" + wire(s.key, chat_body("status-500")) + wire(s.key, chat_body("m", "z.")))
            status = [c.read() for _ in range(6)]
            assert [r.status for r in status] == [401, 200, 200, 404, 500, 200], status
            assert "a." in said(status[1]) and "z." in said(status[5])
    with case("Connection: close is answered with close"):
        with Client(s.port) as c:
            c.send(wire(s.key, chat_body(), extra=b"Connection: close\r\n"))
            r = c.read()
            assert r.status == 200 and r.headers.get("connection") == "close" and c.sock.recv(10) == b""
    with case("Expect: 100-continue: 100 first, then the body is taken, then the answer; twice on one connection"):
        with Client(s.port) as c:
            for word in ("e1.", "e2."):
                body = chat_body("m", word)
                c.send(head(s.key, len(body), extra=b"Expect: 100-continue\r\n"))
                assert c.read_head() == (100, {})
                c.send(body)
                assert word in said(c.read())
    with case("Expect that cannot be met is refused before any body: no key, too large, no such path"):
        big = 40 << 20
        for data, want in ((head("", 10, extra=b"Expect: 100-continue\r\n").replace(b"Authorization: Bearer \r\n", b""), 401),
                           (head(s.key, big, extra=b"Expect: 100-continue\r\n"), 413),
                           (head(s.key, 10, "/v1/nothing", b"Expect: 100-continue\r\n"), 404)):
            with Client(s.port) as c:
                c.send(data)
                r = c.read()
                assert r.status == want, (r, want)


# --- (e) many ---------------------------------------------------------------------------------------------------


async def one_stream(port, key, started, all_open):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(wire(key, chat_body("stamp-12-500", "x", True), extra=b"Connection: close\r\n"))
    got = await reader.readuntil(b"data: ")
    started.append(1)
    all_open[0] = max(all_open[0], len(started))
    got += await reader.read(-1)
    writer.close()
    started.pop()
    return got


async def many(port, key):
    started, peak = [], [0]
    tasks = [one_stream(port, key, started, peak) for _ in range(STREAMS)]
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 50), peak[0]


def crowd(s):
    before = memory(s)
    seen = {}

    def watch():
        while not seen.get("stop"):
            seen["at"] = growth(before, memory(s))
            seen["max"] = max(seen.get("max", 0), sum(v for r in ("worker", "sealer") for v in [seen["at"][r]]))
            time.sleep(0.5)
    w = threading.Thread(target=watch, daemon=True)
    with case("%d concurrent streams all end whole" % STREAMS):
        w.start()
        got, peak = asyncio.run(many(s.port, s.key))
        seen["stop"] = True
        tap.note("%d open at once; worker and sealer grew by at most %d KiB together" % (peak, seen.get("max", 0)))
        bad = [g for g in got if isinstance(g, BaseException) or not g.startswith(b"HTTP/1.1 200") and b" 200 " not in g[:20]]
        assert not bad, (len(bad), repr(bad[0])[:300])
        for g in got:
            assert g.endswith(b"0\r\n\r\n") and b"data: [DONE]\n\n" in g, g[-200:]
            assert sum(1 for line in g.split(b"\n") if line.startswith(b"data: ") and stamps(line)) >= 11
        assert peak > STREAMS * 3 // 4, peak
    with case("after them all lanes and clients are gone, and the service serves"):
        assert s.chat().status == 200


def main():
    with contextlib.ExitStack() as ends:
        s = start("--workers", "2")
        ends.push(s.__exit__)
        provider = int(s.demo_env()["SALLYPORT_DEMO_PROVIDER"].rsplit(":", 1)[1])
        only = os.environ.get("SALLYPORT_GROUPS", "events connections leaving crowd pressure").split()
        if "events" in only:
            events_arrive(s)
        if "connections" in only:
            connections(s)
        if "leaving" in only:
            leaving(s, provider)
        if "crowd" in only:
            crowd(s)
        if "pressure" in only:
            pressure(s)
        with case("no process died"):
            with open(os.path.join(s.dir, "log", "gateway.log")) as f:
                assert "starting it again" not in f.read()
    tap.done()


main()
