#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sallyport audit` and the independent verifier: same head, same root, same verdicts; exit codes;
files changed on disk; output that is safe for terminals."""
import contextlib, io, json
from lib_audit import *


def filled(n=30, flags=()):
    a = Auditd(flags=flags).start()
    v, _ = a.vault()
    g, _ = a.gateway()
    for i in range(n):
        seq = v.ask(i, append(INTENT, key="openai", use=i + 1, user="u%d" % i, text=[(3, "model-%d" % i)]))[1]
        if i % 5:
            g.ask(i, append(COMPLETE, ref=seq, num=[(6, 200), (8, 10 + i)]))
    return a


def head_of(a, *args):
    r = a.cli("verify", "--json", *args)
    return r.returncode, json.loads(r.stdout)


def both_verifiers_agree():
    a = filled(flags=["--segment-records", "16"])
    try:
        code, mine = head_of(a)
        assert code == 2 and mine["verdict"] == "unanchored", mine
        r = a.verify_independently()
        theirs = json.loads(r.stdout)
        assert r.returncode == 2
        for name in ("records", "head_seq", "head", "root"):
            assert mine[name] == theirs[name], name
        for name in ("open_intents", "orphans", "late_completions", "completions_without_intent"):
            assert mine["gaps"][name] == theirs[name], name
        assert mine["gaps"]["open_intents"] == 6 and len(mine["gaps"]["open_first"]) == 6
        anchor = "%d:%s" % (mine["head_seq"], mine["head"])
        a.stop()
        a.start()
        assert head_of(a, "--anchor", anchor)[0] == 0
        assert a.verify_independently("--anchor", anchor).returncode == 0
        wrong = "%d:%s" % (mine["head_seq"], "00" * 32)
        later = "%d:%s" % (mine["head_seq"] + 1000, mine["head"])
        for bad in (wrong, later):
            code, out = head_of(a, "--anchor", bad)
            assert code == 1 and out["verdict"] == "tampered", out
            assert a.verify_independently("--anchor", bad).returncode == 1
        a.stop()
        r = a.verify("--anchor", anchor)
        assert r.returncode == 0 and b"OK" in r.stdout, r
        assert a.verify("--anchor", later).returncode == 1
        r = a.verify()
        assert r.returncode == 2 and b"NOT ANCHORED" in r.stdout and b"PASS" not in r.stdout
    finally:
        a.close()


def exit_codes_of_wrong_usage():
    a = filled(2)
    try:
        for args in (["verify", "--anchor", "5"], ["verify", "--anchor", "x:y"], ["verify", "--nonsense"], ["verify", "--path", "/nonexistent"],
                     ["tail", "-n", "many"], ["export", "--format", "xml"], ["export", "--from", "-1"], ["nonsense"], []):
            r = a.cli(*args)
            assert r.returncode == 3, (args, r)
            assert r.stderr or not args, args
        r = a.cli("verify", "--path", a.audit)
        assert r.returncode == 3 and b"in use" in r.stderr, r
        a.stop()
        assert a.verify().returncode == 2
    finally:
        a.close()


def no_daemon_is_not_a_verdict():
    a = Auditd()
    try:
        os.unlink(a.path("query"))
        r = a.cli("verify")
        assert r.returncode == 3 and b"cannot reach the audit daemon" in r.stderr and b"sallyport up" in r.stderr, r
    finally:
        a.close()


def export_can_be_cut_nowhere():
    a = filled(5)
    try:
        whole = open(a.export(), "rb").read()
        path = os.path.join(a.dir, "cut.raw")
        for n in list(range(0, len(whole), 37)) + [len(whole) - 1]:
            open(path, "wb").write(whole[:n])
            r = subprocess.run([sys.executable, VERIFIER, path], capture_output=True)
            assert r.returncode == 3, (n, r)
    finally:
        a.close()


def independent_verifier_sees_changes():
    sys.path.insert(0, os.path.dirname(VERIFIER))
    import verify_audit
    a = filled(5)
    try:
        whole = bytearray(open(a.export(), "rb").read())
        path = os.path.join(a.dir, "changed.raw")

        def run(name):
            with contextlib.redirect_stdout(io.StringIO()):
                return verify_audit.main([name])

        records, _ = verify_audit.parse(bytes(whole))
        at = 8
        for seq, b in enumerate(records):
            at += 4
            for bit in range(0, len(b) * 8, 61):
                whole[at + bit // 8] ^= 1 << bit % 8
                open(path, "wb").write(whole)
                assert run(path) == 1, (seq, bit)
                whole[at + bit // 8] ^= 1 << bit % 8
            at += len(b)
        open(path, "wb").write(whole)
        assert run(path) == 2
    finally:
        a.close()


def changed_file_is_tampered():
    """A byte of a record changed in the file: the stopped log, the restarted daemon, and a sealed
    segment under a live daemon must each notice."""
    a = filled(30, ["--segment-records", "16"])
    try:
        records, _ = a.records()
        a.stop()
        sealed = os.path.join(a.audit, "seg-0000000000000016.mdb")
        active = sorted(os.path.join(a.audit, n) for n in os.listdir(a.audit) if n.startswith("seg-"))[-1]
        for name, seq in ((active, records[-1][2]), (sealed, 20)):
            blob = open(name, "rb").read()
            needle = b"".join((enc(records[seq][i]) for i in (2, 3)))
            assert needle in blob
            os.chmod(name, 0o600)
            open(name, "r+b").write(blob.replace(needle, needle[:-1] + bytes([needle[-1] ^ 1])))
            r = a.verify()
            assert r.returncode == 1 and b"TAMPERED at record %d" % seq in r.stdout, r
            assert b"expected" in r.stdout and b"found" in r.stdout
            if name == active:
                try:
                    a.start()
                    raise AssertionError("started on a changed log")
                except RuntimeError as e:
                    assert "tampered" in str(e), e
            else:
                a.start()
                r = a.cli("verify")
                assert r.returncode == 1 and b"TAMPERED at record 20" in r.stdout, r
                a.stop()
            open(name, "r+b").write(blob)
            assert a.verify().returncode == 2
    finally:
        a.close()


def rolled_back_copy_needs_the_anchor():
    a = filled(10)
    try:
        a.stop()
        copy = os.path.join(a.dir, "yesterday")
        shutil.copytree(a.audit, copy)
        a.start()
        v, _ = a.vault()
        for i in range(10):
            v.ask(i, append(DENIED))
        _, now = head_of(a)
        a.stop()
        anchor = "%d:%s" % (now["head_seq"], now["head"])
        assert a.cli("verify", "--path", copy).returncode == 2  # never 0
        assert a.cli("verify", "--path", copy, "--anchor", anchor).returncode == 1
    finally:
        a.close()


def tail_is_safe_and_follows():
    a = filled(3)
    try:
        g, _ = a.gateway()
        evil = "a\x1b[2J\nforged line\u202e\u0085b"
        g.ask(1, append(25, user="", workspace="", text=[(16, evil)], num=[(17, 3)]))
        r = a.cli("tail", "-n", "1")
        assert r.returncode == 0
        assert r.stdout.count(b"\n") == 1 and b"\x1b" not in r.stdout and b"\xe2\x80\xae" not in r.stdout, r
        assert b"client.denied" in r.stdout and b"reason=a?[2J?forged line??b" in r.stdout, r
        r = a.cli("tail", "-n", "1", "--json")
        o = json.loads(r.stdout)
        assert o["attrs"]["reason"] == evil and o["attrs"]["count"] == 3 and o["producer"] == "gateway"
        assert len(a.cli("tail").stdout.splitlines()) <= 20
        assert a.cli("tail", "-n", "0").stdout == b""
        p = subprocess.Popen([BUILD + "/sallyport", "--dir", a.dir, "audit", "tail", "-n", "1", "-f"], stdout=subprocess.PIPE)
        p.stdout.readline()
        g.ask(2, append(GATEWAY_START))
        assert b"gateway.start" in p.stdout.readline()
        p.terminate()
        p.wait()
    finally:
        a.close()


def export_json():
    a = filled(4)
    try:
        lines = a.cli("export").stdout.splitlines()
        objs = [json.loads(l) for l in lines]
        assert [o["seq"] for o in objs] == list(range(len(objs)))
        assert objs[0]["event"] == "genesis" and objs[2]["event"] == "key.intent" and objs[2]["key_id"] == "openai"
        for a_, b_ in zip(objs, objs[1:]):
            assert b_["prev"] == a_["leaf"]
        assert json.loads(a.cli("export", "--from", "3").stdout.splitlines()[0])["seq"] == 3
    finally:
        a.close()


if __name__ == "__main__":
    main([both_verifiers_agree, exit_codes_of_wrong_usage, no_daemon_is_not_a_verdict, export_can_be_cut_nowhere,
          independent_verifier_sees_changes, changed_file_is_tampered, rolled_back_copy_needs_the_anchor,
          tail_is_safe_and_follows, export_json])
