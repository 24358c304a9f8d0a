#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small file system fills up: new work is refused, what was begun is completed from the reserve,
nothing that was acknowledged is lost, and the service goes on by itself once there is space."""
from lib_audit import *


def own_namespace():
    """A private mount namespace, so that the small file system is ours alone and goes with us."""
    if os.environ.get("SP_IN_NAMESPACE"):
        return
    os.environ["SP_IN_NAMESPACE"] = "1"
    how = ["unshare", "--mount"] if os.geteuid() == 0 else \
        ["unshare", "--user", "--mount", "--map-current-user", "--keep-caps"]
    if subprocess.run(how + ["true"], capture_output=True).returncode != 0:
        print("Bail out! cannot make a mount namespace: %s" % " ".join(how))
        sys.exit(1)
    os.execvp(how[0], how + [sys.executable] + sys.argv)


def small(size, flags):
    d = tempfile.mkdtemp(prefix="sp-audit-")
    audit = os.path.join(d, "audit")
    os.mkdir(audit, 0o700)
    uid = 64102 if os.geteuid() == 0 else os.geteuid()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=700%s" % (size, ",uid=%d,gid=%d" % (uid, uid) if os.geteuid() == 0 else ""),
                    "tmpfs", audit], check=True)
    a = Auditd(dir_=d, audit=audit, flags=flags)
    a.own_dir = True
    return a


def fill(a):
    path = os.path.join(a.audit, "filler")
    with open(path, "wb", buffering=0) as f:
        for size in (65536, 4096):
            try:
                while f.write(bytes(size)):
                    pass
            except OSError:
                pass
    return path


def close(a):
    a.stop(signal.SIGKILL)
    subprocess.run(["umount", "-l", a.audit])
    a.close()


def eventually(f, seconds=8):
    end = time.time() + seconds
    while time.time() < end:
        r = f()
        if r:
            return r
        time.sleep(0.1)
    raise AssertionError("did not happen in %d s" % seconds)


def completions_use_the_reserve():
    a = small("8m", ["--reserve", "1000000", "--ballast", "1000000"])
    try:
        a.start()
        v, _ = a.vault()
        g, _ = a.gateway()
        acked = {}
        n = 0

        def ask(chan, payload):
            nonlocal n
            n += 1
            r = chan.ask(n, payload)
            if r[0] == "ack" and r[1]:
                acked[r[1]] = r[2]
            return r

        open_ = [ask(v, append(INTENT, use=i, user="u" * 60))[1] for i in range(200)]
        assert os.path.getsize(os.path.join(a.audit, "ballast")) == 1000000
        filler = fill(a)
        # The very next commit meets a full disk, before any watch of it can.
        refused = eventually(lambda: [r for r in [ask(v, append(INTENT))] if r[0] == "nack"])
        assert refused[0][1] == "audit_full", refused
        assert ask(v, append(DENIED))[1] == "audit_full"
        for seq in open_:
            r = ask(g, append(COMPLETE, ref=seq, num=[(6, 200)]))
            assert r[0] == "ack" and r[1], r
        assert ask(v, append(INTENT))[1] == "audit_full"
        events = [get(r, "event") for r in a.records()[0]]
        assert 5 in events, "audit.storage_exhausted is not recorded"
        os.unlink(filler)
        assert eventually(lambda: ask(v, append(INTENT))[0] == "ack")
        assert eventually(lambda: os.path.exists(os.path.join(a.audit, "ballast")))
        assert eventually(lambda: 6 in [get(r, "event") for r in a.records()[0]])
        check(a, acked)
    finally:
        close(a)


def without_any_reserve():
    a = small("4m", ["--reserve", "0", "--ballast", "0"])
    try:
        a.start()
        v, _ = a.vault()
        g, _ = a.gateway()
        acked = {}
        r = v.ask(1, append(INTENT))
        first = r[1]
        acked[r[1]] = r[2]
        filler = fill(a)
        codes, n = set(), 10
        for _ in range(60):  # LMDB reuses freed pages for a while
            n += 1
            r = v.ask(n, append(INTENT, user="x" * 60, conversation="y" * 100, key="z" * 60))
            if r[0] == "ack":
                acked[r[1]] = r[2]
            else:
                codes.add(r[1])
        assert codes == {"audit_full"}, codes
        r = g.ask(1, append(COMPLETE, ref=first))  # may fit or not, but is answered
        if r[0] == "ack":
            acked[r[1]] = r[2]
        os.unlink(filler)

        def again():
            nonlocal n
            n += 1
            r = v.ask(n, append(INTENT))
            if r[0] == "ack":
                acked[r[1]] = r[2]
            return r[0] == "ack"
        eventually(again)
        if first not in acked or r[0] != "ack":
            assert g.ask(2, append(COMPLETE, ref=first))[0] == "ack"
        check(a, acked)
    finally:
        close(a)


def starts_on_a_nearly_full_disk():
    a = small("8m", ["--reserve", "1000000", "--ballast", "1000000"])
    try:
        a.start()
        v, _ = a.vault()
        assert v.ask(1, append(INTENT))[0] == "ack"
        a.stop()
        v.close()
        with open(os.path.join(a.audit, "filler"), "wb") as f:
            st = os.statvfs(a.audit)
            f.write(bytes(st.f_bavail * st.f_frsize - 600000))
        a.start()
        v, _ = a.vault()
        assert v.ask(1, append(INTENT))[1] == "audit_full"
        os.unlink(os.path.join(a.audit, "filler"))
        eventually(lambda: v.ask(1, append(INTENT))[0] == "ack")
    finally:
        close(a)


def check(a, acked):
    sys.path.insert(0, os.path.dirname(VERIFIER))
    import verify_audit
    records, head = verify_audit.parse(open(a.export(), "rb").read())
    verify_audit.check(records, head, acked)
    a.stop()
    r = a.verify()
    assert r.returncode == 2, r


if __name__ == "__main__":
    own_namespace()
    main([completions_use_the_reserve, without_any_reserve, starts_on_a_nearly_full_disk])
