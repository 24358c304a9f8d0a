#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The audit daemon through its sockets: who may say what, what is stored, and that both
verifiers agree with it."""
from lib_audit import *


def vault_and_gateway():
    a = Auditd().start()
    try:
        v, hello = a.vault()
        assert len(hello[0]) == 16 and hello[3] == 1
        ok, seq, leaf = v.ask(1, append(INTENT, key="openai", use=1, text=[(1, "chat"), (3, "gpt")], num=[(10, 5)]))
        assert ok == "ack" and len(leaf) == 32
        g, hello2 = a.gateway()
        assert hello2[0] == hello[0] and hello2[1] == seq and hello2[2] == leaf
        assert g.ask(7, append(COMPLETE, ref=seq, num=[(6, 200)]))[0] == "ack"
        records, head = a.records()
        i, c = records[seq], records[seq + 1]
        assert (get(i, "event"), get(i, "producer"), get(i, "uid")) == (INTENT, 1, os.geteuid()), i
        assert (get(c, "event"), get(c, "producer"), get(c, "ref")) == (COMPLETE, 2, seq), c
        assert get(c, "pid") == os.getpid()
        assert get(i, "attrs") == [[1, "chat"], [3, "gpt"], [10, 5]]
        assert head[0] == len(records) - 1
        assert os.WEXITSTATUS(a.stop()) == 0
        assert a.verify().returncode == 2
    finally:
        a.close()


def pipelined_intents_keep_order():
    a = Auditd().start()
    try:
        v, _ = a.vault()
        v.s.sendall(b"".join(frame(APPEND, i, append(INTENT, use=i)) for i in range(1, 501)))
        got = [v.answer(i) for i in range(1, 501)]
        assert [g[1] for g in got] == list(range(got[0][1], got[0][1] + 500))
    finally:
        a.close()


def gateway_may_not_forge():
    """An event that is not the gateway's ends its channel and is recorded; nothing of it is stored."""
    for event in (INTENT, VOID, ORPHAN, DENIED, REJECTED, VAULT_START, 1, 2, 4, 5, 32, 41, 9999):
        a = Auditd().start()
        try:
            g, hello = a.gateway()
            g.send(APPEND, 1, append(event, user="forged"))
            try:
                g.recv()
                raise AssertionError("accepted event %d" % event)
            except Closed:
                pass
            time.sleep(0.05)
            records, _ = a.records()
            assert not any(get(r, "user") == "forged" for r in records)
            last = records[-1]
            assert get(last, "event") == REJECTED and get(last, "producer") == 4, last
            assert get(last, "uid") == os.geteuid() and "may not append" in attr(last, 16), last
            if event != 9999:
                continue
            # Unknown to the protocol as well: the vault may not say it either.
            v, _ = a.vault()
            v.send(APPEND, 1, append(event))
            try:
                v.recv()
                raise AssertionError("the vault may append event 9999")
            except Closed:
                pass
        finally:
            a.close()


def vault_may_not_speak_for_others():
    for event in (COMPLETE, ORPHAN, GATEWAY_START, 1, 2, 3, 4, 5, 6):
        a = Auditd().start()
        try:
            v, _ = a.vault()
            v.send(APPEND, 1, append(event))
            try:
                v.recv()
                raise AssertionError("accepted event %d" % event)
            except Closed:
                pass
            v, _ = a.vault()  # dialed again
            assert v.ask(1, append(VAULT_START))[0] == "ack"
            intent = v.ask(2, append(INTENT, key="cr_1", use=1, user="vault"))
            assert intent[0] == "ack"
            assert v.ask(3, append(COMPLETE, ref=intent[1], key="cr_1", user="vault"))[0] == "ack"
        finally:
            a.close()


def broken_bytes_end_the_channel():
    bad = [b"\x00" * 32, frame(APPEND, 1, b"\xc1"), frame(ACK, 1, enc([1, bytes(32)])), frame(QUERY, 1, enc([0, 0, False])),
           frame(APPEND, 1, append(COMPLETE)[:-1]), frame(APPEND, 1, append(COMPLETE) + b"\x00"),
           frame(APPEND, 1, append(COMPLETE, num=[(7, 1), (6, 1)])), frame(APPEND, 1, append(COMPLETE, num=[(7, 1)], text=[(7, "x")]))]
    a = Auditd().start()
    try:
        for b in bad:
            g, _ = a.gateway()
            g.s.sendall(b)
            try:
                g.recv()
                raise AssertionError("accepted %r" % b)
            except Closed:
                pass
        time.sleep(1.2)  # rejections are recorded once a second, with their number
        records, _ = a.records()
        counts = [attr(r, 17) for r in records if get(r, "event") == REJECTED]
        assert sum(counts) == len(bad) and len(counts) < len(bad), counts
        g, _ = a.gateway()  # the service goes on
        assert g.ask(1, append(GATEWAY_START))[0] == "ack"
    finally:
        a.close()


def wrong_uid_is_refused():
    a = Auditd(gateway_uid=4242).start()
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(a.path("events"))
        assert s.recv(100) == b""
        time.sleep(0.05)
        records, _ = a.records()
        assert get(records[-1], "event") == REJECTED and "uid" in attr(records[-1], 16)
    finally:
        a.close()


def completion_after_reconnect_is_said_once():
    a = Auditd().start()
    try:
        v, _ = a.vault()
        seq = v.ask(1, append(INTENT))[1]
        payload = append(COMPLETE, ref=seq)
        for n in range(4):
            g, _ = a.gateway()
            g.send(APPEND, 9, payload)
            if n == 0:
                g.close()  # dies before the answer
                time.sleep(0.1)
            else:
                assert g.answer(9)[0] == "ack"
                g.close()
        records, _ = a.records()
        assert sum(get(r, "event") == COMPLETE for r in records) == 1
        g, _ = a.gateway()
        assert g.ask(1, append(COMPLETE, ref=10**6))[0] == "ack"
        records, _ = a.records()
        assert get(records[-1], "error") == "no_intent" and get(records[-1], "result") == 2
    finally:
        a.close()


def a_gateway_cannot_swallow_the_vaults_void():
    """It completes the vault's intent first: the vault's word is stored too, and answered with its number."""
    a = Auditd().start()
    try:
        v, _ = a.vault()
        g, _ = a.gateway()
        seq = v.ask(1, append(INTENT))[1]
        assert g.ask(1, append(COMPLETE, ref=seq))[0] == "ack"
        ok, void, _ = v.ask(2, append(VOID, ref=seq, error="gateway_gone"))
        assert ok == "ack" and void == seq + 2, (ok, void)
        r = a.records()[0][void]
        assert (get(r, "event"), get(r, "ref"), get(r, "flags")) == (VOID, seq, 2), r
        assert (get(r, "error"), attr(r, 16)) == ("already_completed", "gateway_gone"), r
        ok, other, _ = v.ask(3, append(VOID, ref=seq, error="gateway_gone", text=[(16, "gateway_gone (sent again)")]))
        assert ok == "ack" and attr(a.records()[0][other], 16) == "gateway_gone (sent again)"
        r = a.verify_independently()
        assert r.returncode == 2 and b'"completions_without_intent": 2' in r.stdout, r
        assert os.WEXITSTATUS(a.stop()) == 0
        assert a.verify().returncode == 2
    finally:
        a.close()


def orphans_by_timeout_and_restart():
    a = Auditd(flags=["--orphan-after", "1"]).start()
    try:
        v, _ = a.vault()
        one = v.ask(1, append(INTENT))[1]
        time.sleep(2.5)
        records, _ = a.records()
        o = records[-1]
        assert (get(o, "event"), get(o, "ref"), attr(o, 16)) == (ORPHAN, one, "timeout"), o
        two = v.ask(2, append(INTENT))[1]
        a.stop(signal.SIGKILL)
        a.start()
        g, hello = a.gateway()
        assert hello[3] == 2
        records, _ = a.records()
        o = [r for r in records if get(r, "event") == ORPHAN]
        assert [(get(r, "ref"), attr(r, 16)) for r in o] == [(one, "timeout"), (two, "restart")]
        assert g.ask(1, append(COMPLETE, ref=two))[0] == "ack"  # late, still recorded
        records, _ = a.records()
        assert get(records[-1], "ref") == two and get(records[-1], "flags") == 2
    finally:
        a.close()


def rotation_on_a_live_daemon():
    a = Auditd(flags=["--segment-records", "16"]).start()
    try:
        v, _ = a.vault()
        for i in range(1, 200):
            assert v.ask(i, append(DENIED, error="no"))[0] == "ack"
        names = sorted(n for n in os.listdir(a.audit) if n.startswith("seg-"))
        assert len(names) > 10
        modes = [os.stat(os.path.join(a.audit, n)).st_mode & 0o777 for n in names]
        assert set(modes[:-1]) == {0o440} and modes[-1] == 0o600
        records, head = a.records()  # the stream crosses the segments
        assert [get(r, "seq") for r in records] == list(range(head[0] + 1))
        a.stop()
        r = a.verify()
        assert r.returncode == 2, r
    finally:
        a.close()


def age_closes_a_segment():
    a = Auditd(flags=["--segment-age", "1"]).start()
    try:
        v, _ = a.vault()
        v.ask(1, append(VAULT_START))
        time.sleep(2.6)
        n = len([x for x in os.listdir(a.audit) if x.startswith("seg-")])
        assert n == 2, n  # and not one a second when nothing happens
        a.stop()
        assert a.verify().returncode == 2
    finally:
        a.close()


def stop_is_recorded():
    a = Auditd().start()
    try:
        v, _ = a.vault()
        v.ask(1, append(VAULT_START))
        a.stop()
        a.start()
        records, _ = a.records()
        assert [get(r, "event") for r in records] == [1, 2, VAULT_START, 3, 2]
    finally:
        a.close()


def one_daemon_at_a_time():
    a = Auditd().start()
    b = Auditd(audit=a.audit)
    try:
        b.start()
        raise AssertionError("two daemons on one log")
    except RuntimeError as e:
        assert "in use by another" in str(e), e
    finally:
        b.close()
        a.close()


def bad_directories_are_refused():
    a = Auditd()
    try:
        os.chmod(a.audit, 0o750)
        try:
            a.start()
            raise AssertionError("a directory open to others")
        except RuntimeError as e:
            assert "chmod 700" in str(e), e
        os.chmod(a.audit, 0o700)
        if a.root:
            os.chown(a.audit, 4242, 4242)
            try:
                a.start()
                raise AssertionError("somebody else's directory")
            except RuntimeError as e:
                assert "cannot open" in str(e) or "chown" in str(e), e
    finally:
        a.close()


def removed_segment_is_fatal():
    a = Auditd().start()
    try:
        v, _ = a.vault()
        assert v.ask(1, append(INTENT))[0] == "ack"
        name = os.path.join(a.audit, "seg-0000000000000000.mdb")
        os.rename(name, name + ".away")
        v.send(APPEND, 2, append(INTENT))
        try:
            got = v.answer(2)
            assert got[0] != "ack", got
        except Closed:
            pass
        assert os.WEXITSTATUS(a.wait()) == 74
        try:
            a.start()
            raise AssertionError("began a new log where one had been")
        except RuntimeError as e:
            assert "segments are gone" in str(e), e
        os.rename(name + ".away", name)
        a.start()
        assert a.records()[1][0] >= 2
    finally:
        a.close()


def followers_see_new_records():
    a = Auditd().start()
    try:
        v, _ = a.vault()
        c = a.reader()
        c.send(QUERY, 5, enc([0, 0, True]))
        for i in (0, 1):
            t, id_, p = c.recv()
            assert t == RECORD and id_ == 5 and dec(p)[0][2] == i
        for i in range(10):
            seq = v.ask(i + 1, append(INTENT))[1]
            t, _, p = c.recv()
            assert t == RECORD and dec(p)[0][2] == seq
    finally:
        a.close()


if __name__ == "__main__":
    main([vault_and_gateway, pipelined_intents_keep_order, gateway_may_not_forge, vault_may_not_speak_for_others,
          broken_bytes_end_the_channel, wrong_uid_is_refused, completion_after_reconnect_is_said_once,
          a_gateway_cannot_swallow_the_vaults_void,
          orphans_by_timeout_and_restart, rotation_on_a_live_daemon, age_closes_a_segment, stop_is_recorded,
          one_daemon_at_a_time, bad_directories_are_refused, removed_segment_is_fatal, followers_see_new_records])
