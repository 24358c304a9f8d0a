#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, malformed or huge: a clear 4xx or a close, bounded memory, nothing upstream, service for others."""

import os
import select
import socket
import ssl
import sys
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from arena import Arena  # noqa: E402
from stack import fd_count, free_port, memory_kib, rss_kib  # noqa: E402
from tap import case  # noqa: E402

JSON = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


def connect(a, timeout=8.0):
    s = socket.create_connection(("127.0.0.1", a.port), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def talk(a, data, timeout=8.0, shut=False, until=None):
    """Sends data; all that comes back until the gateway closes, or None when it neither answers nor closes."""
    with connect(a, timeout) as s:
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return drain(s, timeout, until)


def drain(s, timeout, until=None):
    got = b""
    end = time.monotonic() + timeout
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([s], [], [], left)[0]:
            return got if got else None
        try:
            d = s.recv(65536)
        except OSError:
            return got
        if not d:
            return got
        got += d
        if until is not None and until(got):
            return got


def one_answer(got):
    """A whole answer with Content-Length is there (the connection may stay open)."""
    head, sep, body = got.partition(b"\r\n\r\n")
    if not sep:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


def status(got):
    try:
        return int(got.split(b" ", 2)[1])
    except (IndexError, ValueError, AttributeError):
        return 0


def head(*lines, method=b"POST", path=b"/v1/chat/completions", version=b"HTTP/1.1", key=b""):
    base = [method + b" " + path + b" " + version, b"Host: x", b"Authorization: Bearer " + key,
            b"Content-Type: application/json"]
    return b"\r\n".join(base + list(lines)) + b"\r\n\r\n"


def shapes(key):
    """(name, bytes): requests that two parsers could read differently. Each must be refused, none may reach upstream."""
    n = b"%d" % len(JSON)
    cl = b"Content-Length: " + n
    te = b"Transfer-Encoding: chunked"
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(JSON), JSON)
    inner = head(cl, key=key) + JSON  # the smuggled one

    def h(*lines, **kw):
        return head(*lines, key=key, **kw)
    out = [("Content-Length and Transfer-Encoding", h(cl, te) + chunk),
           ("Transfer-Encoding and Content-Length", h(te, cl) + chunk),
           ("two different Content-Lengths", h(cl, b"Content-Length: 5") + JSON),
           ("two equal Content-Lengths", h(cl, cl) + JSON),
           ("a list of Content-Lengths", h(b"Content-Length: " + n + b", " + n) + JSON),
           ("Content-Length +N", h(b"Content-Length: +" + n) + JSON),
           ("Content-Length -1", h(b"Content-Length: -1") + JSON),
           ("Content-Length 0xN", h(b"Content-Length: 0x10") + JSON),
           ("Content-Length with a space inside", h(b"Content-Length: 5 7") + JSON),
           ("an empty Content-Length", h(b"Content-Length:") + JSON),
           ("Content-Length of 2^64", h(b"Content-Length: 18446744073709551616") + JSON),
           ("Content-Length of 2^64 + N", h(b"Content-Length: 1844674407370955%d" % (1616 + len(JSON))) + JSON),
           ("a space before the colon", h(b"Content-Length : " + n) + JSON),
           ("a tab before the colon", h(b"Transfer-Encoding\t: chunked") + chunk),
           ("obs-fold", h(b"X-A: b\r\n c", cl) + JSON),
           ("obs-fold of Transfer-Encoding", h(b"Transfer-Encoding:\r\n chunked") + chunk),
           ("a space before the first header name", h(b" X: y", cl) + JSON),
           ("bare LF between headers", h(cl).replace(b"\r\n", b"\n") + JSON),
           ("bare CR inside a header", h(b"X-A: b\rTransfer-Encoding: chunked", cl) + JSON),
           ("CR CR LF at the end of a line", h(b"X-A: b\r", cl) + JSON),
           ("NUL in a header value", h(b"X-A: b\x00c", cl) + JSON),
           ("NUL in a header name", h(b"X\x00A: b", cl) + JSON),
           ("a header name with a space", h(b"X A: b", cl) + JSON),
           ("a header line without a colon", h(b"nonsense", cl) + JSON),
           ("a header with an empty name", h(b": x", cl) + JSON),
           ("NUL in the path", h(cl, path=b"/v1/chat/comp\x00letions") + JSON),
           ("a raw space in the path", h(cl, path=b"/v1/chat/ completions") + JSON),
           ("a byte above 127 in the path", h(cl, path=b"/v1/chat/completions\xff") + JSON),
           ("an absolute target of another host", h(cl, path=b"http://evil.test/v1/chat/completions") + JSON),
           ("HTTP/1.2", h(cl, version=b"HTTP/1.2") + JSON),
           ("HTTP/2.0 in a request line", h(cl, version=b"HTTP/2.0") + JSON),
           ("HTTP/9", h(cl, version=b"HTTP/9") + JSON),
           ("http/1.1 in lower case", h(cl, version=b"http/1.1") + JSON),
           ("no version", h(cl, version=b"").replace(b" \r\n", b"\r\n", 1) + JSON),
           ("HTTP/1.0 with chunked", h(te, version=b"HTTP/1.0") + chunk),
           ("two Host headers", h(b"Host: y", cl) + JSON),
           ("no Host header", h(cl).replace(b"Host: x\r\n", b"") + JSON),
           ("the CONNECT method", h(method=b"CONNECT", path=b"evil.test:443")),
           ("the TRACE method", h(method=b"TRACE")),
           ("a broken HTTP/2 preface in clear", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + b"\0" * 40),
           ("a TLS ClientHello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500))]
    for v in (b"xchunked", b"chunked, chunked", b"identity", b"gzip, chunked", b"chunked, identity", b"\x0bchunked",
              b"chunked\x00", b'"chunked"', b"chunked;q=1", b"", b"cow"):
        out.append(("Transfer-Encoding: %r" % v, h(b"Transfer-Encoding: " + v) + chunk))
        out.append(("Transfer-Encoding: %r with Content-Length" % v, h(b"Transfer-Encoding: " + v, cl) + JSON))
    out.append(("two Transfer-Encoding headers", h(te, b"Transfer-Encoding: identity") + chunk))
    for name, c in (("not a number", b"zz\r\n"), ("negative", b"-1\r\n"), ("plus sign", b"+5\r\nabcde\r\n0\r\n\r\n"),
                    ("0x prefix", b"0x5\r\nabcde\r\n0\r\n\r\n"), ("2^64", b"10000000000000000\r\n"),
                    ("2^63", b"8000000000000000\r\nx"), ("a leading space", b" 5\r\nabcde\r\n0\r\n\r\n"),
                    ("a trailing space", b"5 \r\nabcde\r\n0\r\n\r\n"), ("empty", b"\r\nabcde\r\n0\r\n\r\n"),
                    ("bare LF after the size", b"5\nabcde\n0\n\n"), ("bytes after the chunk", b"5\r\nabcdeX\r\n0\r\n\r\n"),
                    ("a missing CRLF after the chunk", b"5\r\nabcde0\r\n\r\n"),
                    ("bare LF in an extension", b"5;a\nb\r\nabcde\r\n0\r\n\r\n"), ("seventy zeros", b"0" * 70 + b"5\r\nabcde\r\n0\r\n\r\n")):
        out.append(("chunk size: " + name, h(te) + c + inner))
    out.append(("a chunk extension of 64 KiB", h(te) + b"5;" + b"e" * 65536 + b"\r\nabcde\r\n0\r\n\r\n"))
    out.append(("64 KiB of extensions on tiny chunks", h(te) + b"".join(b"1;%s\r\na\r\n" % (b"e" * 60) for _ in range(1100)) + b"0\r\n\r\n"))
    out.append(("a trailer of 64 KiB", h(te) + chunk[:-2] + b"X-T: " + b"t" * 65536 + b"\r\n\r\n"))
    out.append(("a trailer that is a framing header", h(te) + chunk[:-2] + b"Content-Length: 5\r\n\r\n"))
    out.append(("101 headers", h(*[b"X-%d: y" % i for i in range(101)], cl) + JSON))
    out.append(("a head of 70 KiB in one header", h(b"X-A: " + b"a" * 71680, cl) + JSON))
    out.append(("a head of 70 KiB in 70 headers", h(*[b"X-%d: %s" % (i, b"a" * 1024) for i in range(70)], cl) + JSON))
    out.append(("a request line of 70 KiB", h(cl, path=b"/" + b"p" * 71680) + JSON))
    return out


# Shapes whose meaning is not in doubt: serving them is right too, refusing them as well.
MAY_SERVE = {"an absolute target of another host", "a trailer that is a framing header", "two equal Content-Lengths",
             "64 KiB of extensions on tiny chunks", "a trailer of 64 KiB", "seventy zeros"}


def smuggling(a):
    key = a.vkey.encode()
    with case("control: a good request in one chunk, and with Content-Length, is served and reaches the provider"):
        n = len(a.up.requests)
        for data in (head(b"Content-Length: %d" % len(JSON), key=key) + JSON,
                     head(b"Transfer-Encoding: chunked", key=key) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(JSON), JSON)):
            got = talk(a, data, until=one_answer)
            assert status(got) == 200, got
        assert len(a.up.requests) == n + 2
    for name, data in shapes(key):
        n = len(a.up.requests)
        got = talk(a, data, timeout=4.0, until=one_answer)
        time.sleep(0.005)
        reached = len(a.up.requests) - n
        text = "smuggling: " + name
        short = name.removeprefix("chunk size: ")
        if name in MAY_SERVE or short in MAY_SERVE:
            tap.ok(got is not None and (status(got) == 200) == (reached == 1) and reached <= 1, text + " is served once or refused",
                   "%d upstream, %r" % (reached, got and got[:200]))
            continue
        clear = got is not None and (got == b"" or 400 <= status(got) < 600 and status(got) not in (500, 502, 503))
        tap.ok(clear and reached == 0, text + (" gets %d" % status(got) if got else " is closed"),
               "%d upstream, answer %r" % (reached, got and got[:300]))
    with case("smuggling: after a refused request nothing more is read from that connection"):
        bad = head(b"Content-Length: 5", b"Content-Length: 6", key=key) + b"hello"
        good = head(b"Content-Length: %d" % len(JSON), key=key) + JSON
        n = len(a.up.requests)
        got = talk(a, bad + good, timeout=4.0)
        assert got is not None and got.count(b"HTTP/1.1 ") == 1 and len(a.up.requests) == n, got
    with case("smuggling: two good requests in one write get two answers in order"):
        good = [head(b"Content-Length: %d" % len(JSON), key=key) + JSON] * 2
        got = talk(a, b"".join(good), timeout=4.0, until=lambda g: g.count(b"HTTP/1.1 200") == 2)
        assert got.count(b"HTTP/1.1 200") == 2, got
    tap.ok(a.serves(), "smuggling: the service still serves")


def worker_rss(a):
    return sum(rss_kib(p) for p in a.pids()["worker"])


def huge(a):
    key = a.vkey.encode()
    n = len(a.up.requests)
    base = worker_rss(a)
    with case("huge: Content-Length of 1 GB is refused with 413 before the body comes"):
        got = talk(a, head(b"Content-Length: 1000000000", key=key), timeout=4.0)
        assert status(got) == 413, got
    with case("huge: a 1 GB body behind Content-Length is cut off, memory bounded"):
        assert push(a, head(b"Content-Length: 1000000000", key=key), b"x" * 65536, 16000) in (413, 400, 0)
    with case("huge: a 1 GB chunked body is cut off, memory bounded"):
        peak = [0]
        got = push(a, head(b"Transfer-Encoding: chunked", key=key), b"10000\r\n" + b"x" * 65536 + b"\r\n", 16000,
                   lambda: peak.__setitem__(0, max(peak[0], worker_rss(a))))
        assert got in (413, 400, 0), got
        assert peak[0] - base < memory_kib(160 * 1024), "grew by %d KiB" % (peak[0] - base)
    with case("huge: eight such bodies at once stay within the whole gateway's limit"):
        socks = []
        peak = 0
        for _ in range(8):
            s = connect(a)
            s.setblocking(False)
            socks.append([s, head(b"Transfer-Encoding: chunked", key=key)])
        block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        end = time.monotonic() + 5
        while time.monotonic() < end and socks:
            for item in list(socks):
                try:
                    if not item[1]:
                        item[1] = block
                    item[1] = item[1][item[0].send(item[1]):]
                except BlockingIOError:
                    pass
                except OSError:
                    item[0].close()
                    socks.remove(item)
            peak = max(peak, worker_rss(a))
        for s, _ in socks:
            s.close()
        assert peak - base < memory_kib(640 * 1024), "grew by %d KiB" % (peak - base)
        tap.note("peak %d KiB above %d KiB, %d of 8 left uncut" % (peak - base, base, len(socks)))
    with case("huge: deep JSON and a body of one long string are refused or passed, the worker lives"):
        for body in (b"[" * 200000, b'{"model":' * 50000, b'{"model":"' + b"m" * 300000 + b'"}', b'{"model":"m","messages":' + b"[" * 100000,
                     b"\xff" * 1000, b'{"model":"\\ud800"}', b'{"model":"m\\u0000"}', b'{"model":"m","model":"n","messages":[]}'):
            got = talk(a, head(b"Content-Length: %d" % len(body), key=key) + body, timeout=8.0, until=one_answer)
            assert got and (400 <= status(got) < 500 or status(got) == 200), (body[:30], got)
    time.sleep(0.5)
    now = worker_rss(a)
    tap.ok(now - base < memory_kib(192 * 1024), "huge: memory afterwards %d KiB above the start" % (now - base))
    tap.note("%d requests reached the provider in this group" % (len(a.up.requests) - n))
    tap.ok(a.serves(), "huge: the service still serves")


def push(a, first, block, times, watch=None):
    """Writes until the gateway stops it; the status that it answered, 0 for a plain close."""
    with connect(a, 10.0) as s:
        got = b""
        try:
            s.sendall(first)
            for i in range(times):
                s.sendall(block)
                if watch is not None and i % 64 == 0:
                    watch()
                if select.select([s], [], [], 0)[0]:
                    break
            else:
                return 999
        except TimeoutError:
            return 998
        except OSError:
            pass
        try:
            got = s.recv(65536)
        except OSError:
            pass
        return status(got)


def slow(a):
    key = a.vkey.encode()
    n = len(a.up.requests)
    base = worker_rss(a)
    worker = a.pids()["worker"]
    fds = sum(fd_count(p) for p in worker)
    conns = []
    with case("slow: 400 connections that send their head byte by byte do not stop others"):
        data = head(b"Content-Length: %d" % len(JSON), key=key)
        conns = [connect(a) for _ in range(400)]
        for c in conns:
            c.sendall(data[:20])
        for i in range(20, 26):
            for c in conns:
                try:
                    c.sendall(data[i:i + 1])
                except OSError:
                    pass
            t = time.monotonic()
            assert a.serves()
            assert time.monotonic() - t < 1.0
        grown = worker_rss(a) - base
        assert grown < memory_kib(400 * 64), "%d KiB for 400 connections" % grown
    with case("slow: 300 half-closed connections are let go"):
        half = [connect(a) for _ in range(300)]
        for c in half:
            c.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n")
            c.shutdown(socket.SHUT_WR)
        end = time.monotonic() + 5
        left = half
        while left and time.monotonic() < end:
            left = [c for c in left if not closed(c)]
            time.sleep(0.05)
        assert not left, "%d stay" % len(left)
        for c in half:
            c.close()
    with case("slow: a client that half-closes after a whole request gets its whole answer or a close"):
        got = talk(a, head(b"Content-Length: %d" % len(JSON), b"Connection: close", key=key) + JSON, shut=True)
        assert got == b"" or (status(got) == 200 and one_answer(got)), got
    with case("slow: 500 idle connections cost little memory, others are served"):
        idle = [connect(a) for _ in range(500)]
        before = worker_rss(a)
        assert a.serves()
        tap.note("%d KiB above the start with 900 connections" % (before - base))
        assert before - base < memory_kib(64 * 1024)
        for c in idle:
            c.close()
    with case("slow: a client that never reads a long stream is bounded, others are served"):
        slow_readers(a, key)
    with case("slow: the head that never ends is cut off by the clock"):
        end = time.monotonic() + 20
        left = conns
        while left and time.monotonic() < end:
            left = [c for c in left if not closed(c)]
            time.sleep(0.2)
        assert not left, "%d of 400 still open after 20 s" % len(left)
    for c in conns:
        c.close()
    time.sleep(0.5)
    now = sum(fd_count(p) for p in a.pids()["worker"])
    tap.ok(now <= fds + 8, "slow: descriptors are given back", "%d -> %d" % (fds, now))
    tap.ok(a.serves(), "slow: the service still serves")
    tap.note("%d requests reached the provider in this group" % (len(a.up.requests) - n))


def closed(s):
    """The gateway closed this connection (what it said before is thrown away)."""
    try:
        s.setblocking(False)
        while s.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        try:
            s.setblocking(True)
            s.settimeout(8)
        except OSError:
            pass


def slow_readers(a, key):
    def flood(r, send):
        send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        e = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":' \
            b'{"content":"%s"}}]}\n\n' % (b"w" * 4000)
        for _ in range(8000):
            send(b"%x\r\n%s\r\n" % (len(e), e))
        return False
    old, a.behave = a.behave, flood
    base = {r: sum(rss_kib(p) for p in a.pids()[r]) for r in ("worker", "core", "auditd")}
    body = JSON[:-1] + b',"stream":true}'
    readers = [connect(a) for _ in range(6)]
    for c in readers:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.sendall(head(b"Content-Length: %d" % len(body), key=key) + body)
    time.sleep(2.0)
    assert a.serves()
    now = {r: sum(rss_kib(p) for p in a.pids()[r]) for r in base}
    sealers = max(rss_kib(p) for p in a.pids()["sealer"])
    for c in readers:
        c.close()
    a.behave = old
    for r in base:
        assert now[r] - base[r] < memory_kib(24 * 1024), "%s grew by %d KiB for 6 unread streams of 32 MB" % (r, now[r] - base[r])
    assert sealers < memory_kib(64 * 1024), "a sealer holds %d KiB" % sealers


def secure(a):
    port = a.tls_port
    base, fds = worker_rss(a), sum(fd_count(p) for p in a.pids()["worker"])

    def raw():
        return socket.create_connection(("127.0.0.1", port), 8)
    context = ssl.create_default_context(cafile=os.path.join(a.dir, "tls", "ca.pem"))
    context.check_hostname = False
    with case("tls: control: a request over TLS is served"):
        with context.wrap_socket(raw(), server_hostname="localhost") as t:
            t.sendall(head(b"Content-Length: %d" % len(JSON), key=a.vkey.encode()) + JSON)
            assert status(t.recv(65536)) == 200
    with case("tls: TLS 1.0 and 1.1 are refused"):
        for v in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                c.minimum_version = c.maximum_version = v
            c.set_ciphers("ALL:@SECLEVEL=0")
            try:
                c.wrap_socket(raw())
                assert False, v
            except (ssl.SSLError, OSError):
                pass
    with case("tls: plain HTTP and garbage on the TLS port are closed"):
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(4000), b"\x16\x03\x01\xff\xff" + b"\0" * 70000,
                     b"\x15\x03\x03\x00\x02\x02\x28", b"\x80\x2e\x01\x00\x02"):
            with raw() as s:
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                got = drain(s, 4.0)
                assert got is not None and b"HTTP/1.1 200" not in got, got
    with case("tls: 300 handshakes that stop in the middle, and 100 idle sessions, leave others served"):
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(100)
        conns = []
        for _ in range(300):
            s = raw()
            s.sendall(hello)
            conns.append(s)
        for _ in range(100):
            conns.append(context.wrap_socket(raw(), server_hostname="localhost"))
        assert a.serves()
        grown = worker_rss(a) - base
        for s in conns:
            s.close()
        assert grown < memory_kib(64 * 1024), "%d KiB" % grown
        tap.note("400 TLS connections: %d KiB" % grown)
    with case("tls: a request cut by TCP close in the middle of its body reaches nobody"):
        n = len(a.up.requests)
        t = context.wrap_socket(raw(), server_hostname="localhost")
        t.sendall(head(b"Content-Length: 5000", key=a.vkey.encode()) + JSON)
        t.close()
        time.sleep(0.3)
        assert len(a.up.requests) == n
    time.sleep(0.5)
    now = sum(fd_count(p) for p in a.pids()["worker"])
    tap.ok(now <= fds + 8, "tls: descriptors are given back", "%d -> %d" % (fds, now))
    tap.ok(a.serves(), "tls: the service still serves")


def main():
    tls_port = free_port()
    with Arena(["--tls-listen", "127.0.0.1:%d" % tls_port]) as a:
        a.tls_port = tls_port
        pids = a.pids()
        names = os.environ.get("SALLYPORT_GROUPS", "smuggling huge secure slow").split()
        for f in [globals()[n] for n in names]:
            try:
                f(a)
            except Exception as e:  # noqa: BLE001: the next group still runs
                tap.ok(False, "%s ran to its end" % f.__name__, repr(e) + "\n" + a.logs(1500))
        now = a.pids()
        for role in ("core", "auditd", "worker", "master"):
            tap.ok(now.get(role) == pids.get(role), "no %s process died of all this" % role, "%s, was %s" % (now, pids))
    tap.done()


main()
