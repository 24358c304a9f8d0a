#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The audit log's disk is full: requests are refused with 503, no key is used, and the service returns with the space."""

import ctypes
import http.client
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from arena import Arena  # noqa: E402
from tap import case  # noqa: E402

SIZE_MIB = int(os.environ.get("SALLYPORT_TMPFS_MIB", "96"))
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)


def private_tmpfs(dir):
    """A small file system at dir, seen by this process and its children only; it goes when they go."""
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        tap.skip_all("cannot make a mount namespace here")
    os.makedirs(dir, exist_ok=True)
    if libc.mount(b"tmpfs", dir.encode(), b"tmpfs", 0, b"size=%dm,mode=0755" % SIZE_MIB) != 0:
        tap.skip_all("cannot mount a tmpfs here")


def free(dir):
    v = os.statvfs(dir)
    return v.f_bavail * v.f_frsize


def fill(dir):
    """Takes all space that is left, by a file of the test's own."""
    path = os.path.join(dir, "ballast-of-the-test")
    with open(path, "ab", buffering=0) as f:
        for step in (1 << 20, 1 << 16, 4096):
            try:
                while True:
                    if f.write(b"\0" * step) < step:
                        break
            except OSError:
                pass
    return path


def ask(a, n=1, text="x" * 50):
    out = []
    for _ in range(n):
        try:
            r = a.chat(model="m", key=a.vkey, text=text, timeout=10)
            code = ""
            if r.status != 200:
                try:
                    e = r.json().get("error", {})
                    code = str(e.get("code") or e.get("type"))
                except ValueError:
                    code = "?"
            out.append((r.status, code))
        except (OSError, http.client.HTTPException) as e:
            out.append((0, type(e).__name__))
    return out


def main():
    if os.geteuid() != 0:
        tap.skip_all("needs root to mount a small file system")
    a = Arena()
    audit = os.path.join(a.dir, "audit")
    private_tmpfs(audit)
    with a:
        tap.note("%d MiB, %.1f MiB free once the log stands" % (SIZE_MIB, free(audit) / 2**20))
        tap.ok(ask(a)[0][0] == 200, "control: a request is served while there is space")
        pids = a.pids()
        ballast = fill(audit)
        tap.note("filled: %d bytes free" % free(audit))
        # What auditd has set aside may still serve a while: drive it until it refuses.
        end, refused = time.monotonic() + 45, None
        while time.monotonic() < end and refused is None:
            for status, code in ask(a, 50):
                if status != 200:
                    refused = (status, code)
                    break
            fill(audit)
        tap.ok(refused is not None and refused[0] == 503 and refused[1].startswith("audit"),
               "a full disk refuses requests with 503 audit_*", refused)
        before = len(a.up.requests)
        got = ask(a, 30)
        tap.ok(all(s == 503 and c.startswith("audit") for s, c in got), "every request after that is refused the same way", got[:5])
        tap.ok(len(a.up.requests) == before, "no key was used for them: the provider saw nothing",
               "%d requests reached it" % (len(a.up.requests) - before))
        now = a.pids()
        tap.ok(now.get("core") == pids.get("core"), "the vault core lives through it")
        os.unlink(ballast)
        start = time.monotonic()
        served = False
        while time.monotonic() - start < 15 and not served:
            served = ask(a)[0][0] == 200
            time.sleep(0.1)
        tap.ok(served, "the service returns by itself once there is space (%.1f s)" % (time.monotonic() - start), ask(a, 2))
        with case("the log is whole: no gap, no tampering"):
            seqs = [r["seq"] for r in a.audit()]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
            r = a.ctl("audit", "verify", check=False, timeout=60)
            assert r.returncode in (0, 2), (r.returncode, r.stdout[-300:], r.stderr[-300:])
        with case("every request that the provider saw has its key.intent"):
            intents = [r for r in a.audit() if r["event"] == "key.intent"]
            assert len(intents) >= len(a.up.requests), "%d intents, %d requests" % (len(intents), len(a.up.requests))
    tap.done()


main()
