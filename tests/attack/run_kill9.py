#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of every process in turn, under load. Nothing acknowledged is lost, nothing wrong is presented as right, the
service comes back by itself. SALLYPORT_KILLS sets the number of kills (200)."""

import collections
import hashlib
import http.client
import json
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from arena import field  # noqa: E402
from stack import Stack  # noqa: E402
from tap import case  # noqa: E402

KILLS = int(os.environ.get("SALLYPORT_KILLS", "200"))
BUDGET = float(os.environ.get("SALLYPORT_KILL_SECONDS", "235"))
BACK_WITHIN = 5.0
ROLES = ("worker", "core", "sealer", "auditd", "zygote", "master")


class Client(threading.Thread):
    """Asks for an echo of a text of its own, over and over."""

    def __init__(self, s, n):
        super().__init__(daemon=True)
        self.s, self.n = s, n
        self.stop = False
        self.good, self.refused, self.cut, self.wrong = 0, collections.Counter(), collections.Counter(), []
        self.hashes = set()  # of bodies that were answered whole and go upstream as they are

    def run(self):
        i = 0
        while not self.stop:
            i += 1
            text = "client %d says %d" % (self.n, i) + " and more" * (i % 40)
            stream = i % 3 == 0
            # a slow stream is in flight when something dies: it must never look finished
            model = "slow-10" if i % 6 == 0 else "echo"
            body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}).encode()
            try:
                r = self.s.post("/v1/chat/completions", body, timeout=10)
            except (OSError, http.client.HTTPException) as e:
                self.cut[type(e).__name__] += 1
                time.sleep(0.01)
                continue
            if r.status != 200:
                self.refused[r.status] += 1
                time.sleep(0.01)
                continue
            if self.judge(text, stream, r):
                self.good += 1
                if not stream:
                    self.hashes.add(hashlib.sha256(body).hexdigest())

    def judge(self, text, stream, r):
        if stream:
            got, ended, failed = "", False, False
            for line in r.body.decode().splitlines():
                if line == "data: [DONE]":
                    ended = True
                elif line.startswith("data: "):
                    e = json.loads(line[6:])
                    failed = failed or "error" in e
                    for c in e.get("choices", []):
                        got += c.get("delta", {}).get("content") or ""
            if failed:
                self.cut["error event"] += 1
                if ended:
                    self.wrong.append("an error event and then [DONE]")
                return False
            if not ended:
                # the transfer ended cleanly (http.client saw its last chunk) without error event or end marker
                self.wrong.append("a clean end without [DONE]: %r" % r.body[-200:])
                return False
        else:
            got = r.json()["choices"][0]["message"]["content"]
        if got != "You said: " + text:
            self.wrong.append("%r for %r" % (got[:80], text[:80]))
            return False
        return True


def back(s, since):
    """Seconds until a request is served."""
    while time.monotonic() - since < 20:
        try:
            if s.chat(timeout=3).status == 200:
                return time.monotonic() - since
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.02)
    return 99.0


def kill_loop(s, clients):
    slow, times, killed = [], collections.defaultdict(list), collections.Counter()
    end = time.monotonic() + BUDGET
    pause = BUDGET / max(KILLS, 1) * 0.8
    i = 0
    while sum(killed.values()) < KILLS and time.monotonic() < end:
        role = ROLES[i % len(ROLES)]
        i += 1
        pids = s.pids().get(role)
        if not pids:
            time.sleep(0.05)
            continue
        pid = pids[i // len(ROLES) % len(pids)]
        start = time.monotonic()
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed[role] += 1
        t = back(s, start)
        times[role].append(t)
        if t > BACK_WITHIN:
            slow.append("%s: %.1f s" % (role, t))
        left = pause - (time.monotonic() - start)
        if left > 0:
            time.sleep(min(left, 0.6))
    for role, v in times.items():
        tap.note("%-7s %3d kills, back after %.2f s (median), %.2f s (worst)" % (
            role, len(v), sorted(v)[len(v) // 2], max(v)))
    n = sum(killed.values())
    tap.ok(n == KILLS and all(killed[r] for r in ROLES), "%d kills of every kind of process" % n, dict(killed))
    tap.ok(not slow, "the service was back within %g s each time" % BACK_WITHIN, "\n".join(slow[:10]))


def sums(clients):
    good = sum(c.good for c in clients)
    refused, cut, wrong = collections.Counter(), collections.Counter(), []
    for c in clients:
        refused += c.refused
        cut += c.cut
        wrong += c.wrong
    tap.note("good %d, refused %s, cut %s" % (good, dict(refused), dict(cut)))
    tap.ok(good > 2 * KILLS, "most requests were served meanwhile (%d)" % good)
    tap.ok(not wrong, "no wrong or truncated answer was presented as right", "\n".join(wrong[:5]))
    tap.ok(set(refused) <= {502, 503, 504}, "refusals are 502, 503 or 504 only", dict(refused))
    return good


def judge_audit(s, good, hashes):
    records = s.audit()
    seqs = [field(r, "seq") for r in records]
    tap.ok(seqs == list(range(seqs[0], seqs[0] + len(seqs))), "sequence numbers have no gap (%d records)" % len(seqs))
    kind = collections.Counter(field(r, "event") for r in records)
    tap.note(dict(kind))
    with case("every answered request has its key.intent in the log"):
        assert kind["key.intent"] >= good, "%d intents for %d good answers" % (kind["key.intent"], good)
        seen = {field(r, "body_sha256") for r in records if field(r, "event") == "key.intent"}
        assert len(hashes) > KILLS and hashes <= seen, "%d of %d bodies are in no intent" % (len(hashes - seen), len(hashes))
    with case("no record is lost that a later one names, and no intent is completed twice"):
        intents = {field(r, "seq") for r in records if field(r, "event") == "key.intent"}
        refs = [field(r, "ref_seq") for r in records if field(r, "event") == "key.complete"]
        assert set(refs) <= intents, "completions of nothing: %s" % sorted(set(refs) - intents)[:5]
        assert len(refs) == len(set(refs)), "completed twice"
    with case("every intent is explained: completed, void, or an orphan by name"):
        done = {field(r, "ref_seq") for r in records
                if field(r, "event") in ("key.complete", "key.intent.void", "intent.orphan", "key.leak_stopped")}
        open_ = sorted(intents - done)
        assert not open_, "%d of %d unexplained, e.g. %s" % (len(open_), len(intents), open_[:8])
    with case("key uses per credential have no gap that is not a restart of the vault"):
        last = {}
        for r in records:
            if field(r, "event") == "vault.start":
                last.clear()
            if field(r, "event") == "key.intent":
                k, use = field(r, "key_id"), field(r, "key_use")
                assert k not in last or use > last[k], (k, last.get(k), use, field(r, "seq"))
                last[k] = use
    return records


def main():
    with Stack() as s:
        clients = [Client(s, n) for n in range(4)]
        for c in clients:
            c.start()
        time.sleep(0.5)
        kill_loop(s, clients)
        for c in clients:
            c.stop = True
        for c in clients:
            c.join(15)
        good = sums(clients)
        time.sleep(1.0)
        # A restart of auditd closes what is still open: orphans are written at start.
        os.kill(s.pid("auditd"), signal.SIGKILL)
        tap.ok(back(s, time.monotonic()) < BACK_WITHIN, "auditd restarts a last time")
        time.sleep(2.0)
        judge_audit(s, good, set().union(*(c.hashes for c in clients)))
        with case("`audit verify` does not find tampering"):
            r = s.ctl("audit", "verify", check=False, timeout=60)
            assert r.returncode in (0, 2), (r.returncode, r.stdout[-300:], r.stderr[-300:])
        with case("control: `audit verify` does find one changed byte in a copy"):
            tampered(s)
        left = None
        s.stop()
        left = s.left
        tap.ok(not left, "no process is left after `up` ended", left)
    tap.done()


def tampered(s):
    import shutil
    import subprocess
    copy = os.path.join(s.dir, "copy")
    shutil.copytree(os.path.join(s.dir, "audit"), os.path.join(copy, "audit"))
    seg = sorted(n for n in os.listdir(os.path.join(copy, "audit")) if n.endswith(".mdb"))[0]
    path = os.path.join(copy, "audit", seg)
    with open(path, "r+b") as f:
        data = f.read()
        at = data.find(b"127.0.0.1")
        if at < 0:
            at = data.find(b"localhost")
        assert at > 0, "no text to change"
        while at > 0:  # every copy, so that live and stale pages change alike
            f.seek(at)
            f.write(b"X")
            at = data.find(data[at:at + 9], at + 1)
    r = subprocess.run([os.path.join(s.build, "sallyport"), "audit", "verify", "--path", os.path.join(copy, "audit")], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == 1, (r.returncode, r.stdout[-300:], r.stderr[-300:])


main()
