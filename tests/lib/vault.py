# SPDX-License-Identifier: Apache-2.0
"""The real sallyport-vaultd with everything around it played by the test: the service manager that passes sockets, the
audit daemon, the administrator and gateway workers (hostile.Gateway).
"""

import os
import signal
import socket
import subprocess
import tempfile
import threading

from sp_proto import NUM, Chan, Closed, Malformed

EVENT_NAMES = {v: k[6:] for k, v in NUM.items() if k.startswith("EVENT_")}


class Audit:
    """A stub of auditd: dials the vault, numbers records, and answers as `mode` says: ack, nack, silent."""

    def __init__(self, vault, log_id=b"L" * 16, head_seq=0, head=b"\0" * 32):
        self.records = []       # (event name, fields)
        self.mode = "ack"
        self.only = None        # answer differently only for this event name
        self.seq = head_seq
        self.held = []          # ids of records that were not answered
        self.lock = threading.Condition()
        self.chan = Chan.connect(vault.sock("audit"))
        self.chan.send("AUDIT_HELLO", 0, log_id=log_id, head_seq=head_seq, head=head, boot_no=1)
        self.closed = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def leaf(self, seq):
        return seq.to_bytes(32, "big")

    def ack(self, id_, seq=None):
        self.seq += 1
        self.chan.send("ACK", id_, seq=self.seq if seq is None else seq, leaf=self.leaf(self.seq))

    def _run(self):
        try:
            while True:
                try:
                    name, id_, m = self.chan.recv(1.0)
                except TimeoutError:
                    continue
                event = EVENT_NAMES[m["event"]]
                m["num"] = {a["key"]: a["value"] for a in m["num"]}
                m["text"] = {a["key"]: a["value"] for a in m["text"]}
                mode = self.mode if self.only in (None, event) else "ack"
                if mode == "ack":
                    self.ack(id_)
                elif mode == "nack":
                    self.chan.send("NACK", id_, code="audit_full", message="the disk is full")
                else:
                    self.held.append(id_)
                m["seq"] = self.seq
                with self.lock:
                    self.records.append((event, m))
                    self.lock.notify_all()
        except (Closed, OSError, Malformed):
            self.closed = True

    def wait(self, event, count=1, timeout=5.0, where=lambda m: True):
        """The records of this event once there are `count` of them; raises when they do not come."""
        def found():
            return [m for e, m in self.records if e == event and where(m)]
        with self.lock:
            if not self.lock.wait_for(lambda: len(found()) >= count, timeout):
                raise AssertionError("%d %s records, not %d; seen: %s" % (
                    len(found()), event, count, [e for e, _ in self.records][-20:]))
            return found()

    def close(self):
        try:
            self.chan.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(3)
        self.chan.close()


class Admin:
    def __init__(self, vault):
        self.chan = Chan.connect(vault.sock("admin"))
        self.id = 0

    def call(self, type_name, **fields):
        self.id += 1
        self.chan.send(type_name, self.id, **fields)
        name, id_, m = self.chan.recv(8)
        assert id_ == self.id, (id_, self.id)
        return name, m

    def done(self, type_name, **fields):
        name, m = self.call(type_name, **fields)
        assert name in ("DONE", "VKEY_ISSUED", "STATUS_REPLY"), (name, m)
        return m

    def error(self, type_name, **fields):
        name, m = self.call(type_name, **fields)
        assert name == "ERROR", (name, m)
        return m

    def list(self, kind):
        self.id += 1
        self.chan.send(kind + "_LIST", self.id)
        out = []
        while True:
            name, id_, m = self.chan.recv(8)
            if name == "DONE":
                return out
            assert name == kind + "_ITEM" and id_ == self.id, (name, m)
            out.append(m)

    def put(self, name, provider="OPENAI", secret="sk-proj-0123456789abcdefghij", expect=0, **more):
        f = dict(name=name, expect_version=expect, provider=NUM["PROVIDER_" + provider], secret=secret, enabled=True)
        f.update(more)
        for k in ("model", "operation"):
            f[k] = [dict(name=x) for x in f.get(k, [])]
        return f

    def issue(self, name, **more):
        for k in ("model", "credential"):
            more[k] = [dict(name=x) for x in more.get(k, [])]
        return self.done("VKEY_ISSUE", name=name, **more)

    def close(self):
        self.chan.close()


class Vault:
    def __init__(self, build, dir=None, unlock=None, stdin=None):
        self.build = build
        self.dir = dir or tempfile.mkdtemp(prefix="sallyport-vault-")
        os.chmod(self.dir, 0o755)
        self.state = os.path.join(self.dir, "vault")
        self.unlock = unlock or "keyfile:" + os.path.join(self.dir, "vault.key")
        self.stdin = stdin
        self.root = os.geteuid() == 0
        self.proc = None
        self.listeners = {}

    def sock(self, name):
        return os.path.join(self.dir, name + ".sock")

    def command(self, *more):
        uid = "0" if self.root else str(os.geteuid())
        c = [os.path.join(self.build, "sallyport-vaultd"), "--dir", self.state, "--unlock", self.unlock,
             "--gateway-uid", "64103" if self.root else uid, "--audit-uid", uid, "--admin-uid", uid, *more]
        return c + (["--run-as", "64101:64101"] if self.root else [])

    def listen(self):
        for name in ("gateway", "admin", "audit"):
            if os.path.exists(self.sock(name)):
                os.unlink(self.sock(name))
            s = socket.socket(socket.AF_UNIX)
            s.bind(self.sock(name))
            os.chmod(self.sock(name), 0o666)
            s.listen(64)
            self.listeners[name] = s

    def start(self, *more, env=None, wait=15, pass_sockets=True, preexec=None, extra_fd=False):
        """Starts the daemon and waits for READY=1; returns True, or False when it ended before (log() says why)."""
        self.listen()
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self.sock("notify")
        if os.path.exists(path):
            os.unlink(path)
        notify.bind(path)
        os.chmod(path, 0o666)
        notify.settimeout(0.1)
        fds = [self.listeners[n].fileno() for n in ("gateway", "admin", "audit")]

        def child():
            high = [os.dup(fd) for fd in fds]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
            os.closerange(6, 4096)
            if extra_fd:
                os.dup2(0, 9)
            os.environ["LISTEN_PID"] = str(os.getpid())
            if preexec is not None:
                preexec()
        full = dict(env or {}, NOTIFY_SOCKET=path)
        if pass_sockets:
            full.update(LISTEN_FDS="3", LISTEN_FDNAMES="gateway:admin:audit")
        # LISTEN_PID is that of the daemon itself, which only a shell between us and it can say.
        argv = ["/bin/sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"', "sh", *self.command(*more)]
        self.log_file = open(os.path.join(self.dir, "vaultd.log"), "ab+")
        self.proc = subprocess.Popen(argv, preexec_fn=child, close_fds=False, env=full, stderr=self.log_file,
                                     stdout=self.log_file,
                                     stdin=subprocess.PIPE if self.stdin is not None else subprocess.DEVNULL)
        for s in self.listeners.values():
            s.close()
        if self.stdin is not None:
            self.proc.stdin.write(self.stdin)
            self.proc.stdin.close()
        for _ in range(int(wait * 10)):
            try:
                if notify.recv(100) == b"READY=1":
                    notify.close()
                    return True
            except (TimeoutError, socket.timeout):
                if self.proc.poll() is not None:
                    break
        notify.close()
        return False

    def log(self):
        with open(os.path.join(self.dir, "vaultd.log"), errors="replace") as f:
            return f.read()

    def stop(self, sig=signal.SIGTERM):
        """Ends the daemon; returns its exit status."""
        if self.proc is None:
            return None
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            return self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            return self.proc.wait()
