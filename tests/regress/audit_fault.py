#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The n-th write, vectored write or flush of the daemon fails, or the process dies there, for many n:
acknowledged records survive, refused ones were never used, and the log always verifies."""
import hashlib
from lib_audit import *

EIO, ENOSPC = 5, 28


def build_shim(a):
    so = os.path.join(a.dir, "shim.so")
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", os.path.join(HERE, "audit_fault_shim.c"), "-o", so, "-ldl"],
                   check=True)
    os.chmod(so, 0o755)
    return so


def drive(a, acked):
    """Intents and completions, a few at a time; stops when the daemon goes. Returns refusals."""
    refused = []
    v = g = None
    try:
        v, _ = a.vault()
        g, _ = a.gateway()
        for n in range(8):
            v.s.sendall(b"".join(frame(APPEND, i, append(INTENT, key="k", use=n * 3 + i, user="x" * 60)) for i in (1, 2, 3)))
            answers = [v.answer() for _ in range(3)]
            for x in answers:
                if x[0] == "ack":
                    acked[x[1]] = x[2]
                    g.send(APPEND, x[1], append(COMPLETE, ref=x[1]))
                    y = g.answer()
                    if y[0] == "ack" and y[1]:
                        acked[y[1]] = y[2]
                    elif y[0] == "nack":
                        refused.append(y[1])
                else:
                    refused.append(x[1])
    except (Closed, BrokenPipeError, ConnectionResetError, ConnectionRefusedError):
        pass
    finally:
        for c in (v, g):
            if c:
                c.close()
    return refused


def check(a, acked):
    sys.path.insert(0, os.path.dirname(VERIFIER))
    import verify_audit
    records, head = verify_audit.parse(open(a.export(), "rb").read())
    verify_audit.check(records, head, acked)


def drain(a):
    """Connections that the dead daemon left in our listening sockets."""
    a.vault_listener.settimeout(0)
    try:
        while True:
            a.vault_listener.accept()[0].close()
    except (BlockingIOError, socket.timeout):
        pass


def matrix(what, functions, numbers, expect_refusals=None):
    a = Auditd(flags=["--segment-records", "16", "--reserve", "0", "--ballast", "0"])
    seen, died, acked = set(), 0, {}
    effects = dict.fromkeys(functions, 0)  # a function that is never called would prove nothing
    try:
        so = build_shim(a)
        for function in functions:
            for n in numbers:
                a.env = {"LD_PRELOAD": so, "SP_FAULT": "%s:%d:%s" % (function, n, what),
                         "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
                before = died
                try:
                    a.start()
                    refused = drive(a, acked)
                    seen.update(refused)
                    effects[function] += len(refused)
                except RuntimeError:
                    died += 1  # struck during its start
                status = a.stop(signal.SIGTERM)
                died += status not in (0, None)
                effects[function] += died - before
                a.env = {}
                drain(a)
                a.start()  # must always come up again, and hold everything
                check(a, acked)
                a.stop()
                drain(a)
                r = a.verify()
                assert r.returncode == 2, (function, n, r, a.tail())
        assert len(acked) > 50
        assert all(effects.values()), effects
        print("# %d acknowledged, refusals %s, %d deaths" % (len(acked), sorted(seen), died))
        return seen, died
    finally:
        a.close()


def killed_before_each_write():
    _, died = matrix("kill", ["pwrite", "writev", "fdatasync"], range(1, 60, 6))
    assert died > 10


def killed_after_each_write():
    _, died = matrix("killafter", ["pwrite", "writev", "fdatasync"], range(2, 60, 6))
    assert died > 10


def disk_error_refuses_and_restarts():
    seen, died = matrix(str(EIO), ["fdatasync", "pwrite", "writev"], range(8, 48, 8))
    assert "audit_disk" in seen and died > 0, (seen, died)


def no_space_refuses_and_goes_on():
    seen, died = matrix(str(ENOSPC), ["fdatasync", "pwrite", "writev"], range(8, 48, 8))
    assert seen <= {"audit_full", "audit_disk"}, seen
    assert "audit_full" in seen, seen


def only_the_durable_mode():
    """LMDB's faster modes would pass every test above, since the kernel survives a killed process."""
    code = open(os.path.join(HERE, "../../auditd/store.c")).read()
    for flag in ("NOSYNC", "NOMETASYNC", "WRITEMAP", "MAPASYNC", "NOMEMINIT"):
        assert "MDB_" + flag not in code, flag


if __name__ == "__main__":
    main([only_the_durable_mode, killed_before_each_write, killed_after_each_write, disk_error_refuses_and_restarts, no_space_refuses_and_goes_on])
