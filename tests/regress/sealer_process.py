#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real sallyport-sealer under its real sandbox. This program plays the vault core, the gateway and the provider:
zygote, forks, requests, windows, leaks, endings, what dies of what, and what is left in memory."""

import hashlib
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
from hostile import BODY, CIPHER_IN, CIPHER_OUT, PLAIN, WINDOW, Sealer
from memscan import Scanner, canary
from sp_proto import NUM, Chan, Closed, frame, message
from tap import case
from upstream import Certs, Upstream, plain_answer

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
SANITIZED = "san" in os.path.basename(BUILD)
EXIT_GATEWAY, EXIT_CORE, EXIT_CONFIG, EXIT_NOT_STARTED = 4, 5, 6, 8
LEAK, MISMATCH, UPSTREAM_EOF, TRUNCATED, PROTOCOL, ABANDONED, TLS_FAILED = (
    NUM["LANE_" + k] for k in ("LEAK", "BODY_MISMATCH", "UPSTREAM_EOF", "TRUNCATED", "PROTOCOL", "ABANDONED", "TLS_FAILED"))
MIB = 1024 * 1024


class Zygote:
    """The program itself, and this side of its channel."""

    def __init__(self, locked=None):
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        run_as = ["--run-as", "64101:64101"] if os.geteuid() == 0 else []

        def fd3():
            os.dup2(theirs.fileno(), 3)
            if locked is not None:
                resource.setrlimit(resource.RLIMIT_MEMLOCK, (locked, locked))
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([os.path.join(BUILD, "sallyport-sealer"), *run_as], preexec_fn=fd3,
                                        pass_fds=(3,), stderr=self.log, env={})
        theirs.close()
        self.chan = Chan(ours)
        self.number = 0

    def fork(self, host="localhost", ca_pem="", ready=True):
        self.number += 1
        control, control_far = socket.socketpair()
        lanes, lanes_far = socket.socketpair()
        for s in (control_far, lanes_far):
            s.setblocking(False)
        socket.send_fds(self.chan.sock, [message("FORK", 0, sealer=self.number)],
                        [control_far.fileno(), lanes_far.fileno()])
        control_far.close()
        lanes_far.close()
        s = Ends(self, self.number, Chan(control), Chan(lanes))
        s.control.send("SEALER_CONFIG", 0, host=host, ca_pem=ca_pem, exchange=False)
        if ready:
            s.control.expect("SEALER_READY", timeout=20)
        return s

    def exited(self, sealer, timeout=10):
        """(exit code, signal) of a sealer, by its number."""
        name, _, m = self.chan.expect("EXITED", timeout=timeout)
        assert m["sealer"] == sealer.number, (m, sealer.number)
        return m["exit_code"], m["signal"]

    def children(self):
        out = []
        for p in os.listdir("/proc"):
            if p.isdigit():
                try:
                    with open("/proc/%s/stat" % p) as f:
                        if int(f.read().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                            out.append(int(p))
                except OSError:
                    pass
        return out

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()


class Ends:
    """Both far ends of one sealer."""

    def __init__(self, zygote, number, control, lanes):
        self.zygote, self.number, self.control, self.lanes = zygote, number, control, Sealer(lanes, 0, number)
        self.seq = 0

    def open(self, id_, port):
        lane = self.lanes.open(id_, port)
        assert self.lanes.pump(lambda: lane.ready or lane.closed is not None)
        return lane

    def verified(self, lane):
        _, _, m = self.control.expect("LANE_VERIFIED")
        assert m["lane"] == lane.id

    def fault(self, lane_id, kind=None):
        _, _, m = self.control.expect("LANE_FAULT")
        assert m["lane"] == lane_id and kind in (None, m["fault"]), m
        return m

    def seal(self, lane, key, body=b"", body_len=None, sha=None, spans=None, path="/v1/chat/completions"):
        self.seq += 1
        n = len(body) if body_len is None else body_len
        head = ("POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\nauthorization: Bearer " % (path, n)).encode()
        at = len(head)
        head += key.encode() + b"\r\n\r\n"
        if spans is None:
            spans = [dict(offset=at, len=len(key), public_len=10)]
        self.control.send("SEAL", 1, lane=lane if isinstance(lane, int) else lane.id, audit_seq=self.seq, head=head, span=spans,
                          body_len=n, body_sha256=sha or hashlib.sha256(body).digest())

    def ask(self, lane, key, body=b"", done=None, timeout=20):
        """One whole request; returns the answer's bytes."""
        lane.plain = b""
        self.seal(lane, key, body)
        self.lanes.body(lane, body)
        assert self.lanes.pump(done or (lambda: complete(lane.plain) or lane.closed is not None), timeout), "no answer"
        return lane.plain

    def end(self, want=(0, 0)):
        self.lanes.close()
        self.control.close()
        got = self.zygote.exited(self)
        assert got == want, got


def complete(data):
    m = re.search(rb"content-length: (\d+)\r\n", data)
    return m is not None and b"\r\n\r\n" in data and len(data.split(b"\r\n\r\n", 1)[1]) >= int(m[1])


def body_of(answer):
    return answer.split(b"\r\n\r\n", 1)[1]


def pid_of(z, before):
    new = [p for p in z.children() if p not in before]
    assert len(new) == 1, new
    return new[0]


# --- tests -----------------------------------------------------------------------------------------------------------

def requests(z, up, certs):
    with case("request, and a second one over the same lane; key and body reach the provider as they were"):
        key, s = canary(), z.fork(ca_pem=certs.pem())
        up.behave = lambda r, send: send(plain_answer(r.body + b"|" + r.header("authorization").encode()[-4:])) or True
        lane = s.open(1, up.port)
        s.verified(lane)
        before = up.connections
        for i in range(5):
            a = s.ask(lane, key, b"body %d" % i)
            assert body_of(a) == b"body %d|%s" % (i, key[-4:].encode()), a
        assert up.connections == before and len(up.requests) == 5
        assert all(r.header("authorization") == "Bearer " + key for r in up.requests)
        assert body_of(s.ask(lane, key)) == b"|" + key[-4:].encode()
        s.end()
    with case("body before SEAL, with SEAL, and in bytes"):
        s = z.fork(ca_pem=certs.pem())
        up.behave = lambda r, send: send(plain_answer(hashlib.sha256(r.body).hexdigest().encode())) or True
        lane = s.open(7, up.port)
        s.verified(lane)
        body = os.urandom(100_000)
        want = hashlib.sha256(body).hexdigest().encode()
        lane.plain = b""
        s.lanes.body(lane, body)
        s.seal(lane, key, body)
        assert s.lanes.pump(lambda: complete(lane.plain)) and body_of(lane.plain) == want
        lane.plain = b""
        s.seal(lane, key, body[:200])
        for i in range(200):
            s.lanes.body(lane, body[i:i + 1])
        assert s.lanes.pump(lambda: complete(lane.plain))
        assert body_of(lane.plain) == hashlib.sha256(body[:200]).hexdigest().encode()
        s.end()
    with case("head and body leave in one TLS record when the body is there"):
        s = z.fork(ca_pem=certs.pem())
        up.behave = lambda r, send: send(plain_answer(b"ok")) or True
        lane = s.open(1, up.port)
        s.verified(lane)
        sizes, relay = [], s.lanes._frame
        s.lanes._frame = lambda n, i, v: (sizes.append(len(v)) if n == "CIPHER_OUT" else 0, relay(n, i, v))
        s.lanes.body(lane, b"x" * 3000)
        time.sleep(0.1)
        s.seal(lane, key, b"x" * 3000)
        assert s.lanes.pump(lambda: complete(lane.plain))
        assert len(sizes) == 1 and 3000 < sizes[0] < 3300, sizes
        s.end()
    with case("5 MiB body"):
        s = z.fork(ca_pem=certs.pem())
        up.behave = lambda r, send: send(plain_answer(hashlib.sha256(r.body).hexdigest().encode())) or True
        lane = s.open(1, up.port)
        body = os.urandom(5 * MIB)
        assert body_of(s.ask(lane, key, body, timeout=60)) == hashlib.sha256(body).hexdigest().encode()
        s.end()
    with case("5 MiB answer while the gateway gives credit slowly; never more in flight than the window"):
        s = z.fork(ca_pem=certs.pem())
        big = os.urandom(5 * MIB)
        up.behave = lambda r, send: send(plain_answer(big)) or True
        lane = s.open(1, up.port)
        slow(s, lane, key, big)
        s.end()
    with case("two lanes at a time, one of them stalled"):
        s = z.fork(ca_pem=certs.pem())
        big = os.urandom(MIB)
        up.behave = lambda r, send: send(plain_answer(big if "big" in r.line else b"small")) or True
        a, b = s.open(1, up.port), s.open(2, up.port)
        relay = s.lanes._frame
        held = []

        def no_credit(name, id_, value):
            if name == "PLAIN" and id_ == 1:
                held.append(value)
            else:
                relay(name, id_, value)
        s.lanes._frame = no_credit
        s.seal(a, key, path="/big")
        s.lanes.pump(lambda: sum(map(len, held)) >= WINDOW)
        for _ in range(20):
            assert body_of(s.ask(b, key)) == b"small"
        assert sum(map(len, held)) == WINDOW
        s.lanes._frame = relay
        a.plain = b"".join(held)
        s.lanes.chan.send("CREDIT", 1, kind=PLAIN, bytes=WINDOW)
        assert s.lanes.pump(lambda: complete(a.plain), 30) and body_of(a.plain) == big
        s.end()


def crowds(z, up, certs):
    key = canary()
    with case("sixteen big answers at a time while the gateway looks away"):
        s = z.fork(ca_pem=certs.pem())
        big = os.urandom(MIB)
        up.behave = lambda r, send: send(plain_answer(big)) or True
        lanes = [s.open(i, up.port) for i in range(16)]
        for i in range(3):
            for lane in lanes:
                lane.plain = b""
                s.seal(lane, key)
            time.sleep(0.3)
            assert s.lanes.pump(lambda: all(complete(x.plain) for x in lanes), 60)
            assert all(body_of(x.plain) == big for x in lanes)
        s.end()
    with case("four thousand lanes opened and closed in one breath: all reported to both sides, the sealer lives"):
        s = z.fork(ca_pem=certs.pem())
        lane = s.open(1, up.port)
        s.verified(lane)
        ids = range(100, 4100)
        out = b"".join(message("LANE_OPEN", i) for i in ids) + b"".join(message("LANE_CLOSE", i) for i in ids)
        threading.Thread(target=s.lanes.chan.send_bytes, args=(out,), daemon=True).start()
        closed = set()
        while len(closed) < len(ids):
            name, id_, _ = s.lanes.chan.recv(20)
            closed |= {id_} if name == "LANE_CLOSED" else set()
        faults = {s.control.expect("LANE_FAULT")[2]["lane"] for _ in ids}
        assert closed == set(ids) == faults, (len(closed), len(faults))
        up.behave = lambda r, send: send(plain_answer(b"x")) or True
        assert body_of(s.ask(lane, key)) == b"x"
        s.end()
    with case("a gateway that talks and never reads is thrown out"):
        s = z.fork(ca_pem=certs.pem())
        threading.Thread(target=swallow, args=(s.control.sock,), daemon=True).start()
        s.lanes.chan.sock.settimeout(60)
        try:
            for i in range(1, 3000):
                s.lanes.chan.send_bytes((message("LANE_OPEN", i) + message("LANE_CLOSE", i)) * 500)
        except (Closed, OSError):
            pass
        assert z.exited(s, 60) == (EXIT_GATEWAY, 0) and "does not read" in z.said()


def swallow(sock):
    try:
        while sock.recv(1 << 20):
            pass
    except OSError:
        pass


def slow(s, lane, key, big):
    relay, got, owed, peak = s.lanes._frame, bytearray(), [0], [0]

    def meter(name, id_, value):
        if name != "PLAIN":
            return relay(name, id_, value)
        got.extend(value)
        owed[0] += len(value)
        peak[0] = max(peak[0], owed[0])
    s.lanes._frame = meter
    s.seal(lane, key)
    end = time.monotonic() + 60
    while not complete(bytes(got[:300])) and len(got) < len(big) and time.monotonic() < end:
        s.lanes.pump(lambda: False, 0.002)
        if owed[0]:
            n = min(owed[0], 40_000)
            owed[0] -= n
            s.lanes.chan.send("CREDIT", lane.id, kind=PLAIN, bytes=n)
    s.lanes.pump(lambda: complete(bytes(got)), 0.5)
    s.lanes._frame = relay
    assert body_of(bytes(got)) == big, "%d bytes came" % len(got)
    assert peak[0] <= WINDOW, peak


def leaks(z, up, certs):
    key = canary()
    secret = key[10:]

    def leak(what, answer):
        with case("leak: " + what):
            s = z.fork(ca_pem=certs.pem())
            up.behave = lambda r, send: answer(r, send)
            lane = s.open(3, up.port)
            s.verified(lane)
            got = s.ask(lane, key)
            assert lane.closed is not None and lane.closed["fault"] == LEAK, (lane.closed, got)
            f = s.fault(3, LEAK)
            assert f["audit_seq"] == s.seq and f["detail"] == "" and lane.closed["detail"] == ""
            assert secret[:12].encode() not in got and secret.encode().hex()[:24].encode() not in got, got
            s.end()
    leak("the provider echoes the header", lambda r, send: send(plain_answer(r.head)))
    leak("an error names the key in the middle of the text",
         lambda r, send: send(plain_answer(b'{"error":"Incorrect API key provided: %s. Find yours at"}' % key.encode(), "401 no")))
    leak("a piece of twelve bytes", lambda r, send: send(plain_answer(b"...%s..." % secret[20:32].encode())))
    leak("cut over records", lambda r, send: [send(b"HTTP/1.1 200 OK\r\n\r\n" + secret[:20].encode()), send(secret[20:].encode())])
    leak("cut over chunks of one byte", lambda r, send: send(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"".join(b"1\r\n%c\r\n" % c for c in secret.encode())))
    leak("as hexadecimal", lambda r, send: send(plain_answer(b"0x" + secret.encode().hex().encode())))
    with case("the public prefix alone is no leak"):
        s = z.fork(ca_pem=certs.pem())
        up.behave = lambda r, send: send(plain_answer(key[:10].encode() + b"..." + secret[-11:].encode())) or True
        lane = s.open(1, up.port)
        assert body_of(s.ask(lane, key)).startswith(key[:10].encode())
        s.end()


def endings(z, up, certs):
    key = canary()

    def fresh(behave):
        s = z.fork(ca_pem=certs.pem())
        up.behave = behave
        lane = s.open(5, up.port)
        s.verified(lane)
        return s, lane
    with case("surplus body ends the gateway's channel; the core learns the exit code"):
        s, lane = fresh(lambda r, send: send(plain_answer(b"x")) or True)
        s.seal(lane, key, b"four", body_len=4)
        s.lanes.chan.send_raw("BODY", 5, b"four, and much more")
        assert z.exited(s) == (EXIT_GATEWAY, 0)
    with case("surplus body that came before its SEAL: nothing reaches the provider"):
        s, lane = fresh(lambda r, send: send(plain_answer(b"x")) or True)
        n = len(up.requests)
        s.lanes.chan.send_raw("BODY", 5, b"more than four")
        time.sleep(0.1)
        s.seal(lane, key, b"four")
        assert s.fault(5, PROTOCOL)["audit_seq"] == s.seq
        assert z.exited(s) == (EXIT_GATEWAY, 0) and len(up.requests) == n
    with case("body with another hash: the lane dies before its last byte is sent"):
        s, lane = fresh(lambda r, send: send(plain_answer(b"x")) or True)
        n = len(up.requests)
        s.seal(lane, key, b"good")
        s.lanes.chan.send_raw("BODY", 5, b"bad!")
        assert s.lanes.pump(lambda: lane.closed is not None) and lane.closed["fault"] == MISMATCH
        assert s.fault(5, MISMATCH)["audit_seq"] == 1
        time.sleep(0.1)
        assert len(up.requests) == n
        s.end()
    with case("SEAL during a body ends the gateway's channel"):
        s, lane = fresh(lambda r, send: True)
        s.seal(lane, key, body_len=10, sha=hashlib.sha256(b"0123456789").digest())
        s.lanes.chan.send_raw("BODY", 5, b"01234")
        time.sleep(0.1)
        s.seal(lane, key)
        assert s.fault(5, PROTOCOL)["audit_seq"] == 2
        assert z.exited(s) == (EXIT_GATEWAY, 0)
    with case("SEAL for a lane that is not there: LANE_FAULT, and the sealer goes on"):
        s, lane = fresh(lambda r, send: send(plain_answer(b"x")) or True)
        s.seal(99, key)
        assert s.fault(99, PROTOCOL)["audit_seq"] == 1
        assert body_of(s.ask(lane, key)) == b"x"
        s.end()
    with case("SEAL that crosses the end of its lane: LANE_FAULT with the reason of that end, and nobody is blamed"):
        s, lane = fresh(lambda r, send: send(plain_answer(b"last")))
        assert body_of(s.ask(lane, key)) == b"last"
        assert s.lanes.pump(lambda: lane.closed is not None) and lane.closed["fault"] == UPSTREAM_EOF
        s.fault(5, UPSTREAM_EOF)
        s.seal(lane, key)
        assert s.fault(5, UPSTREAM_EOF)["audit_seq"] == 2
        s.end()
    with case("abandoned lane: confirmed to both sides, others live on"):
        s, lane = fresh(lambda r, send: send(plain_answer(b"x")) or True)
        other = s.open(6, up.port)
        s.verified(other)
        s.seal(lane, key)
        s.lanes.chan.send("LANE_CLOSE", 5)
        s.lanes.chan.send_raw("BODY", 5, b"late")
        assert s.lanes.pump(lambda: lane.closed is not None) and lane.closed["fault"] == ABANDONED
        s.fault(5, ABANDONED)
        assert body_of(s.ask(other, key)) == b"x"
        s.end()
    with case("the provider closes cleanly"):
        s, lane = fresh(lambda r, send: send(plain_answer(b"last")))
        assert body_of(s.ask(lane, key)) == b"last"
        assert s.lanes.pump(lambda: lane.closed is not None) and lane.closed["fault"] == UPSTREAM_EOF
        s.fault(5, UPSTREAM_EOF)
        s.end()
    with case("TCP ends without close_notify: what came is delivered, then LANE_TRUNCATED"):
        s, lane = fresh(lambda r, send: send(plain_answer(b"half")) or True)
        assert body_of(s.ask(lane, key)) == b"half"
        s.lanes.chan.send("LANE_EOF", 5)
        assert s.lanes.pump(lambda: lane.closed is not None) and lane.closed["fault"] == TRUNCATED
        s.fault(5, TRUNCATED)
        s.end()
    with case("certificate for another host: refused, the core is told why, nothing was sealed"):
        s = z.fork(host="api.example.com", ca_pem=certs.pem())
        lane = s.open(1, up.port)
        assert not lane.ready and lane.closed["fault"] == TLS_FAILED and "ostname mismatch" in lane.closed["detail"]
        assert "ostname mismatch" in s.fault(1, TLS_FAILED)["detail"]
        s.end()
    with case("no own CA: the system's roots do not know the provider"):
        s = z.fork()
        lane = s.open(1, up.port)
        assert lane.closed["fault"] == TLS_FAILED and "issuer certificate" in lane.closed["detail"], lane.closed
        s.end()
    with case("CA text that is none"):
        s = z.fork(ca_pem="-----BEGIN CERTIFICATE-----\nAAAA\n", ready=False)
        assert z.exited(s) == (EXIT_CONFIG, 0)
    with case("impossible SEALs end the core's channel"):
        for spans in ([dict(offset=16000, len=10, public_len=0)], [dict(offset=0, len=5, public_len=6)],
                      [dict(offset=1, len=16384, public_len=0)]):
            s, lane = fresh(lambda r, send: True)
            s.seal(lane, key, spans=spans)
            assert z.exited(s) == (EXIT_CORE, 0)


def flood(s, lane, up):
    """Stalls the answer, so that ciphertext stays where it is; then sends more than there is room for."""
    up.behave = lambda r, send: send(plain_answer(b"x" * MIB)) or True
    relay, held = s.lanes._frame, []
    s.lanes._frame = lambda name, i, v: held.append(len(v)) if name == "PLAIN" else relay(name, i, v)
    s.seal(lane, canary())
    assert s.lanes.pump(lambda: sum(held) == WINDOW)
    for _ in range(WINDOW // 16384 + 1):
        s.lanes.chan.send_raw("CIPHER_IN", lane.id, b"\0" * 16384)


def violations(z, up, certs):
    def dies(what, attack, want=(EXIT_GATEWAY, 0)):
        with case("the sealer ends: " + what):
            s = z.fork(ca_pem=certs.pem())
            lane = s.open(1, up.port)
            try:
                attack(s, lane)
            except Closed:
                pass
            got = z.exited(s)
            assert got == want, got
    c = lambda s: s.lanes.chan
    dies("ciphertext beyond the window", lambda s, l: flood(s, l, up))
    dies("body beyond the window", lambda s, l: [c(s).send_raw("BODY", 1, b"\0" * 16384) for _ in range(9)])
    dies("body before LANE_READY", lambda s, l: c(s).send_bytes(message("LANE_OPEN", 2) + frame("BODY", 2, b"x")))
    dies("more than 4,096 lanes", lambda s, l: [c(s).send("LANE_OPEN", i) or s.lanes.pump(lambda: i % 64, 0.01)
                                                for i in range(2, 4098)])
    dies("credit beyond the window", lambda s, l: c(s).send("CREDIT", 1, kind=PLAIN, bytes=WINDOW))
    dies("credit for its own streams", lambda s, l: c(s).send("CREDIT", 1, kind=BODY, bytes=1))
    dies("an open lane opened", lambda s, l: c(s).send("LANE_OPEN", 1))
    dies("ciphertext after the end", lambda s, l: c(s).send_bytes(message("LANE_EOF", 1) + frame("CIPHER_IN", 1, b"x")))
    dies("a message that is not the gateway's", lambda s, l: c(s).send("SEALER_READY", 0))
    dies("SEAL from the gateway", lambda s, l: c(s).send("SEAL", 0, lane=1, head=b"x"))
    dies("a second configuration", lambda s, l: s.control.send("SEALER_CONFIG", 0, host="x", exchange=False), (EXIT_CORE, 0))
    dies("the gateway's end closes", lambda s, l: c(s).close(), (0, 0))
    dies("the core's end closes", lambda s, l: s.control.close(), (0, 0))
    with case("FORK whose descriptors did not come is a sealer that did not start; the zygote goes on"):
        other = Zygote()
        other.chan.send("FORK", 1 << 63, sealer=77)
        name, _, m = other.chan.expect("EXITED")
        assert (m["sealer"], m["exit_code"]) == (77, EXIT_NOT_STARTED), m
        s = other.fork()
        s.end()
        other.chan.close()
        assert other.process.wait(20) == 0
    if SANITIZED:
        tap.skip("no memory for secrets (AddressSanitizer makes mlock do nothing)")
    else:
        with case("no memory for secrets: refuses to start, and says what to do"):
            other = Zygote(locked=0)
            assert other.process.wait(20) == 1 and "LimitMEMLOCK" in other.said(), other.said()
    with case("sealers and zygote end with the core, none is left behind"):
        other = Zygote()
        kept = [other.fork(), other.fork()]
        pids = other.children()
        assert len(pids) == 2
        other.chan.close()
        assert other.process.wait(20) == 0
        for s in kept:
            s.control.close()
        end = time.monotonic() + 5
        while any(alive(p) for p in pids) and time.monotonic() < end:
            time.sleep(0.02)
        assert not any(alive(p) for p in pids)
    with case("a sealer that is killed is reported with its signal"):
        before = z.children()
        s = z.fork()
        os.kill(pid_of(z, before), signal.SIGKILL)
        assert z.exited(s) == (0, signal.SIGKILL)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def memory(z, up, certs):
    old = Upstream(*certs.issue("localhost"))
    old.context.maximum_version = ssl.TLSVersion.TLSv1_2
    for name, provider in (("TLS 1.3", up), ("TLS 1.2", old)):
        memory_of(z, provider, certs, name)
    old.stop()


def memory_of(z, up, certs, version):
    key = canary()
    before = z.children()
    s = z.fork(ca_pem=certs.pem())
    pid = pid_of(z, before)
    up.behave = lambda r, send: send(plain_answer(b"x" * 5000)) or True
    lanes = [s.open(i, up.port) for i in range(1, 9)]
    for i in range(160):
        s.ask(lanes[i % 8], key, b"b" * (i * 100))
    with case(version + ": the process is a sealer by name, not dumpable, with two descriptors beside 0, 1, 2"):
        with open("/proc/%d/comm" % pid) as f:
            assert f.read().strip() == "sp-sealer"
        try:
            fds = os.listdir("/proc/%d/fd" % pid)
            assert os.geteuid() == 0 and len([f for f in fds if int(f) > 2]) == 2, fds
        except PermissionError:
            assert os.geteuid() != 0  # not dumpable: not even for its own user
        with open("/proc/%d/status" % pid) as f:
            text = f.read()
        assert "Seccomp:\t2" in text and "NoNewPrivs:\t1" in text and re.search(r"Seccomp_filters:\t2\b", text), text
        assert os.stat("/proc/%d/mem" % pid).st_uid == 0, "dumpable"
    if os.geteuid() != 0 or SANITIZED:
        # Sanitizers map terabytes and keep what was freed.
        tap.skip("memory of a sealer between requests (needs root and a build without sanitizers)")
    else:
        with case(version + ": no piece of the key in a sealer's memory between requests"):
            hits, read, _ = Scanner([key]).process(pid)
            assert not hits, hits[:5]
            assert read > MIB
        with case(version + ": nor after an answer that held it"):
            up.behave = lambda r, send: send(plain_answer(b"." * 9000 + r.head))
            s.ask(lanes[0], key)
            assert lanes[0].closed["fault"] == LEAK
            hits, _, _ = Scanner([key]).process(pid)
            assert not hits, hits[:5]
        with case(version + ": nor in the zygote, which never had it"):
            hits, _, _ = Scanner([key]).process(z.process.pid)
            assert not hits, hits[:5]
    s.end()


def main():
    with tempfile.TemporaryDirectory() as d:
        certs = Certs(d)
        up = Upstream(*certs.issue("localhost"))
        z = Zygote()
        for part in (requests, crowds, leaks, endings, violations, memory):
            part(z, up, certs)
        with case("the zygote is still well and reports nothing else"):
            time.sleep(0.2)
            try:
                raise AssertionError(z.chan.recv(0.2))
            except TimeoutError:
                pass
            assert z.process.poll() is None and not z.children()
            z.chan.close()
            assert z.process.wait(10) == 0
        up.stop()
        if tap._failed:
            tap.note(z.said()[-3000:])
    tap.done()


main()
