#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Row K13: ptrace, /proc/PID/mem, core limits, capabilities, users, descriptors and filters of the running processes."""

import ctypes
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from stack import UID_AUDIT, UID_GATEWAY, UID_VAULT, Stack  # noqa: E402
from tap import case  # noqa: E402

ROLES = ("core", "zygote", "sealer", "auditd", "master", "worker")
UIDS = {"core": UID_VAULT, "zygote": UID_VAULT, "sealer": UID_VAULT, "auditd": UID_AUDIT, "master": UID_GATEWAY,
        "worker": UID_GATEWAY}
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_SEIZE, PTRACE_DETACH = 16, 0x4206, 17


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def as_user(uid, what):
    """Runs what() in a child with this uid; its return value is an exit code."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            code = what()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def attach(pid):
    """0 when the process could be attached to."""
    def go():
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        if libc.ptrace(PTRACE_SEIZE, pid, 0, 0) == 0:
            return 0
        return 1
    return go


def open_mem(pid):
    def go():
        for name in ("mem", "environ", "maps", "fd"):
            try:
                p = "/proc/%d/%s" % (pid, name)
                if name == "fd":
                    os.listdir(p)
                elif os.read(os.open(p, os.O_RDONLY), 1) or name == "mem":
                    return 0
            except OSError:
                continue
            return 0
        return 1
    return go


def vm_read(pid, address):
    class iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    def go():
        buf = ctypes.create_string_buffer(16)
        a, b = iovec(ctypes.addressof(buf), 16), iovec(address, 16)
        return 0 if libc.process_vm_readv(pid, ctypes.byref(a), 1, ctypes.byref(b), 1, 0) > 0 else 1
    return go


def first_map(pid):
    with open("/proc/%d/maps" % pid) as f:
        return int(f.readline().split("-")[0], 16)


def control(uid):
    """The same attacks do succeed against an ordinary process of that user."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        os.execv("/bin/sleep", ["sleep", "30"])
    os.close(r)
    os.close(w)
    import time
    time.sleep(0.2)
    try:
        a = first_map(pid)
        return [as_user(uid, open_mem(pid)), as_user(uid, vm_read(pid, a)), as_user(uid, attach(pid))]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def secret_pages(pid):
    """Readable maps whose pages root cannot read through /proc/PID/mem."""
    out = []
    with open("/proc/%d/maps" % pid) as f, open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        for line in f:
            span, perms = line.split()[:2]
            if not perms.startswith("rw"):
                continue
            a, b = (int(x, 16) for x in span.split("-"))
            try:
                mem.seek(a)
                mem.read(4096)
            except OSError:
                out.append((a, line.strip()))
    return out


def main():
    if os.geteuid() != 0:
        tap.skip_all("needs root to start the daemons as users of their own")
    with Stack() as s:
        pids = s.pids()
        tap.ok(control(UID_GATEWAY) == [0, 0, 0], "control: these attacks succeed against an ordinary process")
        for role in ROLES:
            pid = pids[role][0]
            st = status(pid)
            with case("K13 %s runs as its own user in all four ids, without groups" % role):
                assert st["Uid"].split() == [str(UIDS[role])] * 4, st["Uid"]
                assert st["Gid"].split()[0] != "0" and st["Groups"].split() in ([], [st["Gid"].split()[0]]), st["Groups"]
            with case("K13 %s has no capability, no new privileges and a filter" % role):
                assert all(int(st[c], 16) == 0 for c in ("CapInh", "CapPrm", "CapEff", "CapAmb")), st["CapPrm"]
                assert st["NoNewPrivs"] == "1" and st["Seccomp"] == "2", (st["NoNewPrivs"], st["Seccomp"])
            with case("K13 %s can leave no core file" % role):
                with open("/proc/%d/limits" % pid) as f:
                    core = [x for x in f if x.startswith("Max core file size")][0].split()
                assert core[4:6] == ["0", "0"], core
                assert os.stat("/proc/%d/mem" % pid).st_uid == 0, "dumpable: /proc/PID belongs to its user"
            a = first_map(pid)
            for uid in sorted({UID_GATEWAY, UIDS[role], 65534}):
                with case("K13 uid %d cannot attach to %s, nor read its memory, environment or descriptors" % (uid, role)):
                    assert as_user(uid, open_mem(pid)) == 1, "/proc was readable"
                    assert as_user(uid, vm_read(pid, a)) == 1, "process_vm_readv worked"
                    assert as_user(uid, attach(pid)) == 1, "ptrace worked"
            with case("K13 %s has an empty environment of secrets and an honest command line" % role):
                with open("/proc/%d/environ" % pid, "rb") as f:
                    env = f.read().lower()
                with open("/proc/%d/cmdline" % pid, "rb") as f:
                    cmd = f.read().lower()
                assert b"sk-" not in env + cmd and b"secret" not in env, (env[:200], cmd)
        core = pids["core"][0]
        pages = secret_pages(core)
        tap.ok(pages, "K13 the core has pages that root cannot read", "all readable; see secret_memory in `sallyport status`")
        for a, line in pages[:2]:
            with case("K13 process_vm_readv, ptrace and gdb of root cannot read %s" % line[:30]):
                assert vm_read(core, a)() == 1, "process_vm_readv read it"
                r = subprocess.run(["gdb", "-batch", "-nx", "-p", str(core), "-ex", "x/4gx 0x%x" % a], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
                text = r.stdout.decode("latin-1")
                assert "Cannot access memory" in text, text[-300:]
        for role in ("core", "sealer", "zygote"):
            with case("K13 no descriptor of %s leads to its secret pages, a file outside the store, or the network" % role):
                pid = pids[role][0]
                for fd in os.listdir("/proc/%d/fd" % pid):
                    to = os.readlink("/proc/%d/fd/%s" % (pid, fd))
                    assert "secretmem" not in to, to
                    if to.startswith("/") and not to.startswith(("/dev/null", s.dir)):
                        raise AssertionError(to)
                    if to.startswith("/") and role != "core":
                        assert to.startswith("/dev/null") or "/log/" in to or to.endswith(".log"), to
                inodes = {os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)}
                with open("/proc/%d/net/tcp" % pid) as f:
                    tcp = {"socket:[%s]" % line.split()[9] for line in f.readlines()[1:]}
                assert not inodes & tcp, "a TCP socket"
        with case("K13 the store and the key file are their owner's alone"):
            for base, _, names in os.walk(os.path.join(s.dir, "vault")):
                for n in names:
                    st = os.stat(os.path.join(base, n))
                    assert st.st_mode & 0o077 == 0, "%s %o" % (n, st.st_mode)
                    assert as_user(UID_GATEWAY, reader(os.path.join(base, n))) == 1, n
        tap.ok(s.chat().status == 200, "the service still serves")
    tap.done()


def reader(path):
    def go():
        try:
            open(path, "rb").close()
            return 0
        except OSError:
            return 1
    return go


main()
