#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The audit log is frozen, deleted under auditd's feet, rolled back to yesterday's copy, replaced by a fresh one: each
time no key is used without a record that the vault can trust, and the service says so."""

import http.client
import os
import shutil
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from arena import Arena  # noqa: E402
from tap import case  # noqa: E402


def ask(a):
    try:
        r = a.chat(model="m", key=a.vkey, timeout=12)
        return r.status, b"" if r.status == 200 else r.body[:200]
    except (OSError, http.client.HTTPException) as e:
        return 0, type(e).__name__.encode()


def refused(got):
    return got[0] == 503 and b"audit" in got[1]


def served_again(a, timeout=10.0):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if ask(a)[0] == 200:
            return True
        time.sleep(0.1)
    return False


def frozen(a):
    pid = a.pid("auditd")
    n = len(a.up.requests)
    os.kill(pid, signal.SIGSTOP)
    try:
        got, threads = [], []
        start = time.monotonic()
        for _ in range(5):
            threads.append(threading.Thread(target=lambda: got.append(ask(a))))
            threads[-1].start()
        for t in threads:
            t.join(15)
        took = time.monotonic() - start
        tap.ok(len(got) == 5 and all(refused(g) for g in got), "frozen: requests are refused with 503 audit_*", got)
        tap.ok(took < 11, "frozen: the refusal comes in bounded time (%.1f s)" % took)
        tap.ok(len(a.up.requests) == n, "frozen: no key was used")
    finally:
        os.kill(pid, signal.SIGCONT)
    tap.ok(served_again(a), "frozen: the service returns when auditd does")
    with case("frozen: intents that became durable too late are voided in the log"):
        late = [r for r in a.audit() if r["event"] == "key.intent"]
        done = {r["ref_seq"] for r in a.audit() if r["event"] in ("key.complete", "key.intent.void", "intent.orphan")}
        time.sleep(1.0)
        done |= {r["ref_seq"] for r in a.audit() if r["event"] in ("key.complete", "key.intent.void", "intent.orphan")}
        assert len([r for r in late if r["seq"] not in done]) == 0, [r["seq"] for r in late if r["seq"] not in done]


def segments(dir):
    return [os.path.join(dir, n) for n in sorted(os.listdir(dir)) if n.startswith("seg-") and n.endswith(".mdb")]


def restart_auditd(a):
    old = a.pid("auditd")
    os.kill(old, signal.SIGKILL)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        now = a.pids().get("auditd", [])
        if now and now[0] != old:
            return
        time.sleep(0.05)


def deny_for(a, seconds=2.5):
    """True when every request in this time is refused for the audit log's sake and nothing reaches the provider."""
    n = len(a.up.requests)
    end = time.monotonic() + seconds
    bad = []
    while time.monotonic() < end:
        got = ask(a)
        if not refused(got):
            bad.append(got)
        time.sleep(0.1)
    # The first moments may still be answered as "no audit daemon", never with an answer.
    return not [b for b in bad if b[0] == 200] and len(a.up.requests) == n, bad[:3]


def stop(a):
    for pid in a.pids().get("auditd", []):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.02)


def own(dir):
    for base, _, names in os.walk(dir):
        for p in [base] + [os.path.join(base, n) for n in names]:
            if os.geteuid() == 0:
                os.chown(p, 64102, 64102)
    os.chmod(dir, 0o700)


def swap(a, audit, other):
    """Replaces the log's directory while auditd is down, as its host's administrator could."""
    os.kill(a.pid("auditd"), signal.SIGSTOP)
    aside = audit + ".aside"
    os.rename(audit, aside)
    if other is None:
        os.mkdir(audit, 0o700)
    else:
        shutil.copytree(other, audit, symlinks=True)
    own(audit)
    stop(a)
    return aside


def back(a, audit, aside):
    os.rename(audit, audit + ".bad%d" % time.monotonic_ns())
    os.rename(aside, audit)
    stop(a)


def rolled_back(a):
    audit = os.path.join(a.dir, "audit")
    copy = os.path.join(a.dir, "yesterday")
    shutil.copytree(audit, copy, symlinks=True)
    for _ in range(20):
        ask(a)
    time.sleep(0.3)
    for what, other in (("rolled back to an older copy", copy), ("replaced by an empty directory", None)):
        assert served_again(a)
        aside = swap(a, audit, other)
        time.sleep(0.6)
        ok, bad = deny_for(a)
        tap.ok(ok, "%s: no key is used" % what, bad)
        back(a, audit, aside)
        tap.ok(served_again(a, 15), "%s: with the true log back, the service returns" % what, (ask(a), a.logs(600)))


def unlinked(a):
    audit = os.path.join(a.dir, "audit")
    with case("unlinked: deleting the live segment under auditd is noticed, no key is used into the void"):
        assert served_again(a)
        live = segments(audit)[-1]
        os.unlink(live)
        time.sleep(0.5)
        ask(a)
        ok, bad = deny_for(a, 2.0)
        assert ok, bad


def main():
    if os.geteuid() != 0:
        tap.skip_all("needs root to play the host's administrator")
    with Arena() as a:
        tap.ok(ask(a)[0] == 200, "control: a request is served")
        for f in (frozen, rolled_back, unlinked):
            try:
                f(a)
            except Exception as e:  # noqa: BLE001: the next group still runs
                tap.ok(False, "%s ran to its end" % f.__name__, repr(e) + "\n" + a.logs(1500))
    tap.done()


main()
