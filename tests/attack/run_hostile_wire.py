#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames that no honest gateway sends, to core, sealer and auditd: roles, order, replay, cuts, descriptors, floods
(rows K9, K10, K15). After each the service must still serve, with the same processes and the same number of open files."""

import array
import os
import random
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from arena import CHAT, Arena  # noqa: E402
from hostile import BODY, CIPHER_IN, CIPHER_OUT, PLAIN, Closed, Gateway, Sealer  # noqa: E402
from sp_proto import NUM, TYPES, Chan, encode, frame, message  # noqa: E402
from stack import fd_count, memory_kib, rss_kib  # noqa: E402
from tap import case  # noqa: E402

GATEWAY_MAY = {"HELLO", "AUTHORIZE", "USE", "SETTLE", "SEALER_OPEN", "RELAY_FAILED"}
LANE_MAY = {"LANE_OPEN", "LANE_CLOSE", "LANE_EOF", "CREDIT", "CIPHER_IN", "BODY"}


def raw_gateway(a):
    return Chan.connect(a.sock("gateway"), uid=64103 if os.geteuid() == 0 else None)


def gone(chan, timeout=3.0):
    return chan.closed(timeout)


# --- roles and order ---------------------------------------------------------------------------------------------

def roles(a):
    mark = a.mark()
    with case("roles: every message type that is not a gateway's ends the channel (%d types)" % (256 - len(GATEWAY_MAY))):
        may = {TYPES[t] for t in GATEWAY_MAY}
        for t in range(256):
            if t in may and t != TYPES["HELLO"]:
                continue
            with Gateway(a) as g:
                name = {v: k for k, v in TYPES.items()}.get(t)
                try:
                    g.chan.send_bytes(message(name, 1) if name in set(TYPES) and name not in
                                      ("CIPHER_IN", "CIPHER_OUT", "BODY", "PLAIN", "AUDIT_RECORD") else frame(t, 1, b"\x90"))
                except Closed:
                    pass
                assert gone(g.chan), "type %#x (%s) was accepted" % (t, name)
    tap.ok(len(a.audited("peer.rejected", mark)) > 0, "roles: ... and that is in the audit log")
    with case("roles: nothing but HELLO is heard before HELLO"):
        for t in range(256):
            if t == TYPES["HELLO"]:
                continue
            c = raw_gateway(a)
            c.send_bytes(frame(t, 1, b"\x90"))
            assert gone(c), "type %#x before HELLO" % t
            c.close()
    if os.geteuid() == 0:
        wrong_users(a)
    else:
        tap.skip("roles: users of their own need root")
    tap.ok(a.serves(), "roles: the service still serves")


def wrong_users(a):
    with case("roles: a gateway cannot speak to the admin socket, nor the administrator to the gateway's"):
        try:
            c = Chan.connect(a.sock("admin"), uid=64103)
            c.send("STATUS", 1)
            assert gone(c), "the gateway's user was answered on the admin socket"
            assert not c.seen, c.seen
        except (PermissionError, Closed):
            pass
        for uid in (64104, 65534, 64102):
            try:
                c = Chan.connect(a.sock("gateway"), uid=uid)
                c.send("HELLO", 0, worker=0, version="x")
                assert gone(c), "uid %d was taken for a gateway" % uid
                assert not c.seen, c.seen
            except (PermissionError, Closed):
                pass
    with case("roles: the audit socket takes nobody but auditd's user"):
        for uid in (64103, 65534, 64104):
            try:
                c = Chan.connect(a.sock("audit"), uid=uid)
                c.send("AUDIT_HELLO", 0, log_id=b"\0" * 16, head_seq=1 << 40, head=b"\0" * 32, boot_no=9)
                assert gone(c), "uid %d was taken for auditd" % uid
            except (PermissionError, Closed):
                pass


def order(a):
    with case("order: HELLO twice, or worker 256, ends the channel"):
        with Gateway(a) as g:
            g.chan.send("HELLO", 0, worker=1, version="x")
            assert gone(g.chan)
        g = Gateway(a, hello=False)
        g.chan.send("HELLO", 0, worker=256, version="x")
        assert gone(g.chan)
        g.close()
    mark = a.mark()
    with case("order: an AUTHORIZE that repeats or goes back in its ids ends the channel"):
        for ids in ((5, 5), (5, 4), (1 << 63, 1)):
            with Gateway(a) as g:
                assert g.authorize(a.vkey, model="m", id_=ids[0])[0] == "PLAN"
                g.chan.send("AUTHORIZE", ids[1], client_key=a.vkey, operation=1, model="m", stream=False)
                assert gone(g.chan), ids
    with case("order: USE for a request never authorized ends the channel"):
        with Gateway(a) as g:
            g.authorize(a.vkey, model="m")
            g.chan.send("USE", 99, **g.use_fields(None, 1, 1, CHAT))
            assert gone(g.chan)
    tap.ok(a.audited("peer.rejected", mark), "order: ... and that is in the audit log")
    with case("order: USE replayed, or for a later attempt first, or for an attempt not in the plan, is refused"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            for attempt in (1, 3):
                f = g.use(id_, plan, s.number, ln.id, CHAT, attempt=attempt)
                assert f[0] == "DENY", f
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            n = len(a.up.requests)
            m = a.mark()
            assert g.use(id_, plan, s.number, ln.id, CHAT)[0] == "GO"
            s.body(ln, CHAT)
            assert s.pump(lambda: ln.plain.endswith(b"}}"))
            for _ in range(3):
                f = g.use(id_, plan, s.number, ln.id, CHAT)
                assert f[0] == "DENY" and f[2]["code"] == "no_plan", f
            assert len(a.up.requests) == n + 1
            assert a.audited("key.denied", m), "the replay is not in the audit log"
    with case("order: USE of a request that was denied is refused, the channel lives"):
        with Gateway(a) as g:
            name, id_, deny = g.authorize("sp-not-a-key", model="m")
            assert name == "DENY" and deny["status"] == 401, deny
            f = g.use(id_, None, 1, 1, CHAT)
            assert f[0] == "DENY" and f[2]["code"] == "no_plan", f
            assert g.authorize(a.vkey, model="m")[0] == "PLAN"
    with case("order: SETTLE of records that are not this channel's changes nothing"):
        with Gateway(a) as g:
            for seq in (0, 1, 1 << 40, (1 << 64) - 1):
                try:
                    g.chan.send("SETTLE", g.next_id(), audit_seq=seq, status=200, tokens_in=1 << 31, tokens_out=0)
                except Closed:
                    break
    tap.ok(a.serves(), "order: the service still serves")


def lanes(a):
    with case("lanes: USE on a lane that is unknown, not yet verified, closed, or of another sealer number is refused"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            cold = s.open(2)  # a lane that nobody relays: never verified
            for sealer, lane in ((s.number, 77), (s.number, cold.id), (s.number + 1, ln.id), (0, ln.id), (1 << 60, ln.id)):
                f = g.use(id_, plan, sealer, lane, CHAT)
                assert f[0] == "DENY" and f[2]["code"] == "lane_mismatch", ((sealer, lane), f)
            third = s.open(3, a.up.port)
            assert s.pump(lambda: third.ready)
            s.chan.send("LANE_CLOSE", 3)
            s.pump(lambda: False, 0.3)
            f = g.use(id_, plan, s.number, 3, CHAT)
            assert f[0] == "DENY", f
            assert g.use(id_, plan, s.number, ln.id, CHAT)[0] == "GO", "the attempt was consumed by refusals"
    with case("lanes: a lane of another channel is refused"):
        with Gateway(a) as g1, Gateway(a, worker=201) as g2:
            _, _, s1, l1 = a.lane(g1)
            id2, plan2, s2, l2 = a.lane(g2)
            n = len(a.up.requests)
            f = g2.use(id2, plan2, s1.number, l1.id, CHAT)
            assert f[0] == "DENY" and f[2]["code"] == "lane_mismatch", f
            assert len(a.up.requests) == n
    tap.ok(a.serves(), "lanes: the service still serves")


# --- frames ---------------------------------------------------------------------------------------------------------

def conversation(a):
    """The bytes of a greeting, an authorization and a use, and where each frame starts."""
    g = Gateway.__new__(Gateway)
    return (message("HELLO", 0, worker=200, version="test") +
            message("AUTHORIZE", 1, client_key=a.vkey, operation=NUM["OP_OPENAI_CHAT"], model="m", stream=False) +
            message("USE", 1, **Gateway.use_fields(g, None, 1, 1, CHAT)))


def frames(a):
    with case("frames: a length above 64 KiB, a wrong magic or version ends the channel"):
        for bad in (frame("AUTHORIZE", 1, b"", length=65537), frame("AUTHORIZE", 1, b"", length=0xFFFFFFFF),
                    frame("AUTHORIZE", 1, b"\x90", magic=0x5351), frame("AUTHORIZE", 1, b"\x90", version=2),
                    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"):
            with Gateway(a) as g:
                g.chan.send_bytes(bad)
                assert gone(g.chan), bad[:20]
    whole = conversation(a)
    core = a.pid("core")
    fds = fd_count(core)
    with case("frames: the conversation cut at every one of its %d bytes" % len(whole)):
        for i in range(len(whole)):
            c = raw_gateway(a)
            c.send_bytes(whole[:i])
            if i % 2:
                c.sock.shutdown(socket.SHUT_WR)
                c.closed(1.0)
            c.close()
        assert a.pid("core") == core
    time.sleep(0.3)
    tap.ok(fd_count(core) <= fds + 1, "frames: no descriptor is left behind", "%d -> %d" % (fds, fd_count(core)))
    with case("frames: one byte at a time is understood (control)"):
        c = raw_gateway(a)
        for b in whole:
            c.send_bytes(bytes([b]))
        got = []
        while got[-1:] != ["DENY"] and len(got) < 5000:
            got.append(c.recv()[0])
        assert [n for n in got if not n.startswith("CATALOGUE_")] == ["WELCOME", "PLAN", "DENY"], got
        c.close()
    malformed(a)
    tap.ok(a.serves(), "frames: the service still serves")


def malformed(a):
    g = Gateway.__new__(Gateway)
    use = encode("USE", **Gateway.use_fields(g, None, 1, 1, CHAT))
    auth = encode("AUTHORIZE", client_key=a.vkey, operation=1, model="m", stream=False)
    bad = [b"", b"\x90", b"\x80", b"\xc0", b"\xdd\xff\xff\xff\xff", b"\xdc\xff\xff", use[:-1], use + b"\x00",
           b"\x9a" + use[1:] + b"\x00", b"\x98" + use[1:], use.replace(b"\x01", b"\xcc\x01", 1),
           use.replace(b"\xb0application/json", b"\xb0application/jso\xff"), use.replace(b"\xc4\x20", b"\xc4\x1f"),
           use.replace(b"\xc4\x20", b"\xc5\x00\x20"), b"\x99" * 60000, b"\xc1" * 9]
    rnd = random.Random(7)
    for src in (use, auth):
        for _ in range(120):
            b = bytearray(src)
            for _ in range(rnd.randrange(1, 4)):
                b[rnd.randrange(len(b))] = rnd.randrange(256)
            bad.append(bytes(b))
    core = a.pid("core")
    with case("frames: %d malformed or mutated payloads are refused or end the channel, the core lives" % len(bad)):
        for i, b in enumerate(bad):
            with Gateway(a) as gw:
                gw.authorize(a.vkey, model="m")
                t = "AUTHORIZE" if i >= len(bad) - 120 else "USE"
                try:
                    gw.chan.send_bytes(frame(t, 2 if t == "AUTHORIZE" else 1, b))
                    f = gw.chan.recv(1.0)
                    assert f[0] in ("DENY", "PLAN"), f
                except Closed:
                    pass
        assert a.pid("core") == core
    with case("frames: texts at their limits do not break the core (a model of 2,048 bytes, a conversation of 128)"):
        with Gateway(a) as gw:
            for model in ("m" * 2048, "\u00e9" * 1024, "x" + "\u00e9" * 600, "xy" + "\u20ac" * 600, "m" * 301, "m" * 299 + "\u20ac"):
                gw.authorize(a.vkey, model=model, conversation="c" * 128)
                gw.authorize("k" * 512, model=model)
                gw.authorize(a.vkey, "OP_OPENAI_MODEL", model)
        with Gateway(a) as gw:
            id_, plan, s, ln = a.lane(gw, model="m" * 2048)
            f = gw.use(id_, plan, s.number, ln.id, CHAT)
            assert f[0] in ("GO", "DENY"), f
        assert a.pid("core") == core


# --- descriptors (K9, K10) -------------------------------------------------------------------------------------------

def descriptors(a):
    def bundle():
        p = socket.socketpair()
        m = os.memfd_create("x")
        z = os.open("/dev/zero", os.O_RDWR)
        return [p[0].detach(), p[1].detach(), m, z]
    core = a.pid("core")

    def send_with(sock, data, fds):
        sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    with case("K10 descriptors sent to the core (memfd, sockets, /dev/zero) are dropped"):
        with Gateway(a) as g:
            before = fd_count(core)
            for _ in range(50):
                b = bundle()
                send_with(g.chan.sock, message("AUTHORIZE", g.next_id(), client_key=a.vkey, operation=1, model="m",
                                               stream=False), b)
                for fd in b:
                    os.close(fd)
                assert g.chan.recv()[0] == "PLAN"
            assert fd_count(core) == before, "%d -> %d" % (before, fd_count(core))
    with case("K10 descriptors sent to a sealer are dropped"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            sealers = {p: fd_count(p) for p in a.pids()["sealer"]}
            for i in range(20):
                b = bundle()
                send_with(s.chan.sock, message("LANE_OPEN", 100 + i) + message("LANE_CLOSE", 100 + i), b)
                for fd in b:
                    os.close(fd)
            s.pump(lambda: False, 0.2)
            after = {p: fd_count(p) for p in sealers}
            assert after == sealers, "%s -> %s" % (sealers, after)
    with case("K10 descriptors sent to auditd are dropped"):
        auditd = a.pid("auditd")
        c = Chan.connect(a.sock("events"), uid=64103 if os.geteuid() == 0 else None)
        c.expect("AUDIT_HELLO")
        before = fd_count(auditd)
        for i in range(20):
            b = bundle()
            send_with(c.sock, message("APPEND", i + 1, event=NUM["EVENT_GATEWAY_START"], time_ns=time.time_ns()), b)
            for fd in b:
                os.close(fd)
            c.recv()
        assert fd_count(auditd) == before
        c.close()
    with case("K9 flags that the gateway sets on its end do not reach the vault's end"):
        with Gateway(a) as g:
            g.chan.sock.setblocking(True)
            os.set_blocking(g.chan.fileno(), True)
            assert a.serves() and g.authorize(a.vkey, model="m")[0] == "PLAN"
    tap.ok(a.serves(), "K10 the service still serves")


# --- the sealer's lane channel -------------------------------------------------------------------------------------------

def lane_attack(a, what, attack, must_end=True):
    with case("sealer: " + what):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            try:
                attack(s, ln)
                s.pump(lambda: any(x.closed for x in s.lanes.values()), 0.7)
                ended = any(x.closed for x in s.lanes.values())
            except Closed:
                ended = True
            assert ended or not must_end, "the sealer went on"


def sealer(a):
    with case("sealer: message types that are not a lane's end the channel"):
        may = {TYPES[t] for t in LANE_MAY}
        bad = [t for t in range(256) if t not in may]
        for t in bad[::9] + [TYPES[x] for x in ("SEAL", "SEALER_CONFIG", "CIPHER_OUT", "PLAIN", "LANE_READY", "FORK")]:
            with Gateway(a) as g:
                plan = g.authorize(a.vkey, model="m")[2]
                s = g.open_sealer(plan["attempt"][0]["credential"])
                s.chan.send_bytes(frame(t, 1, b"\x90"))
                assert gone(s.chan), "type %#x" % t
    lane_attack(a, "a frame above 64 KiB", lambda s, l: s.chan.send_bytes(frame("BODY", 1, b"", length=65537)))
    lane_attack(a, "LANE_OPEN of an open lane", lambda s, l: s.chan.send("LANE_OPEN", l.id))
    lane_attack(a, "ciphertext beyond the window",
                lambda s, l: [s.chan.send_raw("CIPHER_IN", 9, b"\0" * 16384) for _ in range(12)] if s.open(9) else 0)
    lane_attack(a, "garbage ciphertext on a verified lane", lambda s, l: s.chan.send_raw("CIPHER_IN", l.id, b"\x17" * 2000))
    lane_attack(a, "CREDIT of a kind that is not the gateway's to give",
                lambda s, l: [s.chan.send("CREDIT", l.id, kind=k, bytes=1 << 31) for k in (CIPHER_IN, BODY)])
    lane_attack(a, "CREDIT until the counter would overflow",
                lambda s, l: [s.chan.send("CREDIT", l.id, kind=CIPHER_OUT, bytes=(1 << 32) - 1) for _ in range(64)], False)
    lane_attack(a, "BODY, CREDIT, CLOSE and EOF of lanes that do not exist",
                lambda s, l: [s.chan.send_raw("BODY", 1 << 40, b"x"), s.chan.send("LANE_EOF", 55),
                              s.chan.send("LANE_CLOSE", 56), s.chan.send("CREDIT", 57, kind=PLAIN, bytes=1)], False)
    mark = a.mark()
    lane_attack(a, "BODY on a lane that has no provider yet",
                lambda s, l: [s.chan.send("LANE_OPEN", 50), s.chan.send_raw("BODY", 50, b"x" * 65536)])
    tap.ok(a.audited("peer.rejected", mark, user="gateway"), "sealer: ... and the audit log blames the gateway for it")
    with case("sealer: a flood of lanes is bounded, the core does not grow"):
        core = a.pid("core")
        rss = rss_kib(core)
        with Gateway(a) as g:
            s = a.lane(g, lane=1 << 40)[2]
            pid = max(a.pids()["sealer"])
            base = rss_kib(pid)
            try:
                for i in range(1, 5000):
                    s.chan.send("LANE_OPEN", i)
                    if i % 50 == 0:
                        s.pump(lambda: False, 0.001)
                s.pump(lambda: False, 0.5)
                grown = rss_kib(pid) - base
                tap.note("5,000 lanes: the sealer grew by %d KiB" % grown)
                assert grown < memory_kib(256 * 1024), "the sealer grew by %d KiB" % grown
            except (Closed, FileNotFoundError):
                pass
        assert rss_kib(core) - rss < memory_kib(16 * 1024)
    tap.ok(a.serves(), "sealer: the service still serves")


# --- auditd --------------------------------------------------------------------------------------------------------------

def auditd(a):
    mark = a.mark()
    forged = [n for n in ("GENESIS", "AUDIT_START", "AUDIT_STOP", "SEGMENT_OPEN", "KEY_INTENT", "KEY_INTENT_VOID",
                          "INTENT_ORPHAN", "KEY_DENIED", "KEY_LEAK_STOPPED", "SEALER_DIED", "CREDENTIAL_ADDED",
                          "CREDENTIAL_DISABLED", "VKEY_ISSUED", "VKEY_REVOKED", "VAULT_START")]
    with case("auditd: a gateway cannot append records that are the vault's or auditd's own (%d kinds)" % len(forged)):
        for n in forged:
            c = Chan.connect(a.sock("events"), uid=64103 if os.geteuid() == 0 else None)
            c.expect("AUDIT_HELLO")
            c.send("APPEND", 1, event=NUM["EVENT_" + n], time_ns=time.time_ns(), tenant="forged")
            try:
                f = c.recv(2)
                assert f[0] == "NACK", (n, f)
            except Closed:
                pass
            c.close()
        assert not [r for r in a.audit() if r["seq"] > mark and "forged" in str(r)], "a forged record is in the log"
    with case("auditd: unknown events, query messages and oversized frames from a gateway are refused"):
        for b in (message("APPEND", 1, event=999, time_ns=1), message("AUDIT_QUERY", 1), message("ACK", 1, leaf=b"\0" * 32),
                  frame("APPEND", 1, b"", length=70000), frame("APPEND", 1, b"\x90")):
            c = Chan.connect(a.sock("events"), uid=64103 if os.geteuid() == 0 else None)
            c.expect("AUDIT_HELLO")
            c.send_bytes(b)
            try:
                assert c.recv(2)[0] == "NACK", b[:8]
            except Closed:
                pass
            c.close()
    with case("auditd: a gateway that completes the vault's intent first silences neither the vault nor its audit link"):
        mark, core = a.mark(), a.pid("core")
        for t in range(12):
            g = Gateway(a)
            id_, plan, s, ln = a.lane(g)
            c = Chan.connect(a.sock("events"), uid=64103 if os.geteuid() == 0 else None)
            head = c.expect("AUDIT_HELLO")[2]["head_seq"]
            g.chan.send("USE", id_, **g.use_fields(plan, s.number, ln.id, CHAT))
            g.chan.sock.close()  # the core will void the intent, whose number is the next one
            time.sleep(t % 4 * 0.0002)
            c.send("APPEND", 1, event=NUM["EVENT_KEY_COMPLETE"], time_ns=time.time_ns(), ref_seq=head + 1)
            c.recv()
            c.close()
            s.close()
        time.sleep(0.5)
        assert "did not grow" not in a.logs(100000) and a.pid("core") == core
        log = [r for r in a.audit() if r["seq"] > mark]
        begun = {r["seq"] for r in log if r["event"] == "key.intent"}
        void = {r["ref_seq"] for r in log if r["event"] == "key.intent.void" and r["producer"] == "vault"}
        # One that was used before its channel's end was seen is no void: the gateway's own word completes it.
        used = {r["ref_seq"] for r in log if r["event"] == "key.complete"} & begun - void
        assert void and begun == void | used, (sorted(begun), sorted(void), sorted(used))
        tap.note("%d intents, %d completed by the gateway first" % (len(begun), len(
            [r for r in log if r["event"] == "key.intent.void" and r["error_code"] == "already_completed"])))
    with case("auditd: a gateway that opens 300 connections cannot blind the administrator"):
        held = []
        try:
            for _ in range(300):
                held.append(Chan.connect(a.sock("events"), uid=64103 if os.geteuid() == 0 else None))
            time.sleep(0.2)
            a.ctl("audit", "tail", "--lines", "1", timeout=5)
            assert a.serves()
        finally:
            for c in held:
                c.close()
    with case("auditd: 20,000 completions of nothing, their answers unread, stay within bounds"):
        pid = a.pid("auditd")
        rss = rss_kib(pid)
        c = Chan.connect(a.sock("events"), uid=64103 if os.geteuid() == 0 else None)
        c.expect("AUDIT_HELLO")
        end = time.monotonic() + 6
        try:
            for i in range(40):
                c.sock.settimeout(max(0.1, end - time.monotonic()))
                c.send_bytes(b"".join(message("APPEND", 1 + i * 500 + k, event=NUM["EVENT_KEY_COMPLETE"], time_ns=time.time_ns(),
                                              ref_seq=1 << 40) for k in range(500)))
        except (Closed, TimeoutError):
            pass
        assert a.serves()
        grown = rss_kib(pid) - rss
        c.close()
        assert grown < memory_kib(48 * 1024), "grew by %d KiB" % grown
    tap.ok(a.serves(), "auditd: the service still serves")


# --- sealers that are opened without end (K15) ------------------------------------------------------------------------------

def handle(a):
    with Gateway(a) as g:
        return g.authorize(a.vkey, model="m")[2]["attempt"][0]["credential"]


def many_channels(a, n):
    held = []
    for _ in range(n):
        try:
            held.append(Gateway(a))
        except (Closed, OSError):
            break
    return held


def status(a):
    try:
        return a.admin("STATUS")[-1][0] == "STATUS_REPLY"
    except (Closed, OSError, TimeoutError):
        return False


def opens(a):
    core, zygote, h = a.pid("core"), a.pid("zygote"), handle(a)
    with case("K15 workers that open sealers and never take them do not end the core, nor its zygote"):
        held = many_channels(a, 150)
        end = time.monotonic() + 11
        ids = 0
        while time.monotonic() < end:
            for _ in range(50):  # so few that none is refused for want of memory
                ids += 1
                try:
                    held[ids % len(held)].chan.send("SEALER_OPEN", ids, credential=h)
                except (Closed, OSError):
                    pass
            time.sleep(0.15)
        tap.note("%d channels, %d sealers asked for" % (len(held), ids))
        for g in held:
            g.close()
        assert a.pids().get("core") == [core] and a.pids().get("zygote") == [zygote]
        time.sleep(0.5)
        assert a.serves()
    with case("K15 a storm of openings whose answers are read does not lock the administrator out"):
        child = os.fork()
        if child == 0:
            storm(a, h)
        time.sleep(1)
        answers = [status(a) for _ in range(40) if time.sleep(0.1) is None]
        os.waitpid(child, 0)
        assert all(answers), "%d of %d questions were not answered" % (answers.count(False), len(answers))
        assert a.pids().get("core") == [core]
    time.sleep(0.5)
    with case("K15 a worker's sealers do not cost another worker its own"):
        with Gateway(a) as good:
            _, _, s, ln = a.lane(good)
            s.chan.send("LANE_CLOSE", ln.id)  # idle from now on
            held = many_channels(a, 68)
            for g in held:
                for k in range(4):
                    g.chan.send("SEALER_OPEN", k + 1, credential=h)
                time.sleep(0.03)
            time.sleep(1)
            for g in held:
                g.close()
            again = s.open(2, a.up.port)
            assert s.pump(lambda: again.ready or again.closed) and again.ready, again.closed
    time.sleep(0.5)
    with case("K15 opening has a ceiling for each worker, and says when to come again"):
        with Gateway(a) as g:
            for k in range(80):
                g.chan.send("SEALER_OPEN", k + 1, credential=1 << 40)
            got = [g.chan.recv()[2] for _ in range(80)]
            busy = [m for m in got if m["code"] == "vault_busy"]
            assert 1 <= len(busy) <= 16 and got[0]["code"] == "no_credential", (len(busy), got[0])
            assert all(m["status"] == 503 and 0 < m["retry_after_ms"] <= 1001 for m in busy), busy[0]
    tap.ok(a.serves(), "K15 the service still serves")


def storm(a, h):
    try:
        held = many_channels(a, 150)
        for g in held:
            g.chan.sock.setblocking(False)
        end, n = time.monotonic() + 7, 0
        while time.monotonic() < end:
            for g in held:
                n += 4
                try:
                    g.chan.sock.send(b"".join(message("SEALER_OPEN", n + k, credential=h) for k in range(4)))
                    while True:
                        data, fds, _, _ = socket.recv_fds(g.chan.sock, 65536, 64)
                        for fd in fds:
                            os.close(fd)
                        if not data:
                            break
                except OSError:
                    pass
    finally:
        os._exit(0)


# --- floods (K15) -----------------------------------------------------------------------------------------------------------

def floods(a):
    core = a.pid("core")
    with case("K15 20,000 unknown client keys leave few audit records, the core does not grow"):
        mark, rss = a.mark(), rss_kib(core)
        with Gateway(a) as g:
            for _ in range(40):
                g.chan.send_bytes(b"".join(message("AUTHORIZE", g.next_id(), client_key="sp-no-%d" % i, operation=1, model="m",
                                                   stream=False) for i in range(500)))
                for _ in range(500):
                    assert g.chan.recv()[0] == "DENY"
        time.sleep(1.2)
        n = a.mark() - mark
        assert n < 1000, "%d records" % n
        assert rss_kib(core) - rss < memory_kib(8 * 1024), "grew by %d KiB" % (rss_kib(core) - rss)
        assert a.audited("client.denied", mark), "nothing about them in the log"
    with case("K15 20,000 plans that are never used are bounded in memory"):
        rss = rss_kib(core)
        with Gateway(a) as g:
            for _ in range(40):
                g.chan.send_bytes(b"".join(message("AUTHORIZE", g.next_id(), client_key=a.vkey, operation=1, model="m" * 64,
                                                   stream=False) for i in range(500)))
                for _ in range(500):
                    assert g.chan.recv()[0] in ("PLAN", "DENY")
            assert rss_kib(core) - rss < memory_kib(24 * 1024), "grew by %d KiB" % (rss_kib(core) - rss)
    with case("K15 a gateway that asks and never reads the answers is bounded in memory, others are served"):
        rss = rss_kib(core)
        with Gateway(a) as g:
            g.chan.sock.setblocking(False)
            block = b"".join(message("AUTHORIZE", g.next_id(), client_key=a.vkey, operation=1, model="m", stream=False)
                             for _ in range(1000))
            end = time.monotonic() + 6
            sent = 0
            while time.monotonic() < end and sent < 400:
                try:
                    off = 0
                    while off < len(block):
                        off += g.chan.sock.send(block[off:])
                    sent += 1
                    block = b"".join(message("AUTHORIZE", g.next_id(), client_key=a.vkey, operation=1, model="m",
                                             stream=False) for _ in range(1000))
                except BlockingIOError:
                    block = block[off:]
                    time.sleep(0.02)
                except OSError:
                    break
            assert a.serves()
            grown = rss_kib(core) - rss
            tap.note("%d thousand questions taken without an answer read, %d KiB" % (sent, grown))
            assert grown < memory_kib(16 * 1024), "grew by %d KiB" % grown
    with case("K15 sealers are bounded: a gateway cannot make the vault fork without end"):
        before = len(a.pids().get("sealer", []))
        with Gateway(a) as g:
            plan = g.authorize(a.vkey, model="m")[2]
            h = plan["attempt"][0]["credential"]
            got = 0
            for _ in range(300):
                s = g.open_sealer(h)
                if not isinstance(s, Sealer):
                    break
                got += 1
            assert got < 300, "300 sealers for one channel and credential"
        time.sleep(0.5)
        assert len(a.pids().get("sealer", [])) <= before, "sealers outlive the channel"
    with case("K15 600 idle connections to the gateway socket do not shut the real gateway out"):
        held = [raw_gateway(a) for _ in range(600)]
        ok = a.serves()
        for c in held:
            c.close()
        assert ok
    time.sleep(0.3)
    tap.ok(a.serves(), "K15 the service still serves")


def main():
    with Arena() as a:
        assert a.serves()
        pids = a.pids()
        for f in (roles, order, lanes, frames, descriptors, sealer, opens, auditd, floods):
            try:
                f(a)
            except Exception as e:  # noqa: BLE001: the next group still runs
                tap.ok(False, "%s ran to its end" % f.__name__, repr(e))
        now = a.pids()
        for role in ("core", "zygote", "auditd", "worker"):
            tap.ok(now.get(role) == pids.get(role), "no %s process died of all this" % role, "%s, was %s" % (now, pids))
    tap.done()


main()
