# SPDX-License-Identifier: Apache-2.0
"""Drives sallyport-auditd alone: plays the service manager, the vault and gateway workers.
Has its own small encoder of the messages, so that it shares no code with the daemon."""
import os, select, signal, socket, struct, subprocess, sys, tempfile, time, shutil

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD") or os.path.join(HERE, "../../build"))
VERIFIER = os.path.join(HERE, "..", "verify_audit.py")

HELLO, APPEND, ACK, NACK = 0x20, 0x21, 0x22, 0x23
QUERY, RECORD, END, ERROR = 0x28, 0x29, 0x2A, 0x3C
INTENT, COMPLETE, VOID, ORPHAN, DENIED, REJECTED = 16, 17, 18, 19, 20, 24
GATEWAY_START, VAULT_START = 56, 48


# --- msgpack, the subset ------------------------------------------------------------

def enc(v):
    if v is None:
        return b"\xc0"
    if v is True or v is False:
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        if v < 128:
            return bytes([v])
        for code, fmt, top in ((0xCC, ">B", 8), (0xCD, ">H", 16), (0xCE, ">I", 32), (0xCF, ">Q", 64)):
            if v < 1 << top:
                return bytes([code]) + struct.pack(fmt, v)
    if isinstance(v, str):
        b = v.encode()
        n = len(b)
        head = bytes([0xA0 | n]) if n < 32 else b"\xd9" + bytes([n]) if n < 256 else b"\xda" + struct.pack(">H", n)
        return head + b
    if isinstance(v, bytes):
        n = len(v)
        return (b"\xc4" + bytes([n]) if n < 256 else b"\xc5" + struct.pack(">H", n)) + v
    head = bytes([0x90 | len(v)]) if len(v) < 16 else b"\xdc" + struct.pack(">H", len(v))
    return head + b"".join(enc(e) for e in v)


def dec(b, at=0):
    c = b[at]
    at += 1
    if c < 0x80:
        return c, at
    if c in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[c], at
    sized = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2}
    if c & 0xE0 == 0xA0:
        n = c & 0x1F
    elif c & 0xF0 == 0x90:
        n = c & 0x0F
    else:
        w = sized[c]
        n = int.from_bytes(b[at:at + w], "big")
        at += w
        if 0xCC <= c <= 0xCF:
            return n, at
    if c in (0xC4, 0xC5, 0xC6):
        return b[at:at + n], at + n
    if c & 0xE0 == 0xA0 or c in (0xD9, 0xDA, 0xDB):
        return b[at:at + n].decode(), at + n
    out = []
    for _ in range(n):
        v, at = dec(b, at)
        out.append(v)
    return out, at


def append(event, ref=0, key="", use=0, user="", num=(), text=(), request_id=b"", result=0, error="",
           workspace="w", conversation=""):
    return enc([event, time.time_ns(), request_id, ref, "t", workspace, user, conversation, key,
                1 if key else 0, use, result, error, [list(n) for n in num], [list(t) for t in text]])


# --- channels -----------------------------------------------------------------------------

class Closed(Exception):
    pass


class Chan:
    def __init__(self, sock):
        self.s = sock
        self.s.settimeout(20)
        self.buf = b""

    def send(self, type_, id_, payload):
        self.s.sendall(frame(type_, id_, payload))

    def recv(self):
        while True:
            if len(self.buf) >= 16:
                magic, ver, t, n, i = struct.unpack(">HBBIQ", self.buf[:16])
                assert magic == 0x5350 and ver == 1
                if len(self.buf) >= 16 + n:
                    p, self.buf = self.buf[16:16 + n], self.buf[16 + n:]
                    return t, i, p
            try:
                d = self.s.recv(1 << 16)
            except ConnectionResetError:
                d = b""
            if not d:
                raise Closed()
            self.buf += d

    def expect(self, type_):
        t, i, p = self.recv()
        assert t == type_, (hex(t), p[:80])
        return i, dec(p)[0] if t != RECORD else p

    def ask(self, id_, payload):
        """APPEND and its answer: ("ack", seq, leaf) or ("nack", code)."""
        self.send(APPEND, id_, payload)
        return self.answer(id_)

    def answer(self, id_=None):
        t, i, p = self.recv()
        assert id_ is None or i == id_
        v = dec(p)[0]
        return ("ack", v[0], v[1]) if t == ACK else ("nack", v[0])

    def close(self):
        self.s.close()


def frame(type_, id_, payload):
    return struct.pack(">HBBIQ", 0x5350, 1, type_, len(payload), id_) + payload


# --- the daemon ------------------------------------------------------------------------------

def listen(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(64)
    return s


class Auditd:
    """DIR/audit is the log; the listening sockets outlive the daemon, as with systemd."""

    def __init__(self, dir_=None, audit=None, flags=(), gateway_uid=None):
        self.dir = dir_ or tempfile.mkdtemp(prefix="sp-audit-")
        self.own_dir = dir_ is None
        self.audit = audit or os.path.join(self.dir, "audit")
        self.run = os.path.join(self.dir, "run")
        self.root = os.geteuid() == 0
        os.makedirs(self.audit, mode=0o700, exist_ok=True)
        os.makedirs(self.run, exist_ok=True)
        self.uid = 64102 if self.root else os.geteuid()
        if self.root:
            os.chown(self.audit, self.uid, self.uid)
            os.chmod(self.dir, 0o755)
        self.events = listen(self.path("events"))
        self.query = listen(self.path("query"))
        self.vault_listener = listen(self.path("audit"))
        os.chmod(self.path("audit"), 0o666)
        self.flags = list(flags)
        self.gateway_uid = os.geteuid() if gateway_uid is None else gateway_uid
        self.pid = 0
        self.log = open(os.path.join(self.dir, "auditd.log"), "ab")
        self.env = {}

    def path(self, name):
        return os.path.join(self.run, name + ".sock")

    def start(self, wait=True):
        me = str(os.geteuid())
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        npath = os.path.join(self.run, "notify.sock")
        if os.path.exists(npath):
            os.unlink(npath)
        notify.bind(npath)
        os.chmod(npath, 0o666)
        argv = [BUILD + "/sallyport-auditd", "--dir", self.audit, "--gateway-uid", str(self.gateway_uid),
                "--vault-uid", me, "--admin-uid", me, "--vault-socket", self.path("audit")] + self.flags
        if self.root:
            argv += ["--run-as", "%d:%d" % (self.uid, self.uid)]
        pid = os.fork()
        if pid == 0:
            try:
                a, b = os.dup(self.events.fileno()), os.dup(self.query.fileno())
                a, b = os.dup2(a, 103), os.dup2(b, 104)
                os.dup2(a, 3), os.dup2(b, 4)
                os.dup2(self.log.fileno(), 2)
                os.closerange(5, 4096)
                env = dict(os.environ, LISTEN_FDS="2", LISTEN_FDNAMES="events:query",
                           LISTEN_PID=str(os.getpid()), NOTIFY_SOCKET=npath, **self.env)
                os.execve(argv[0], argv, env)
            finally:
                os._exit(127)
        self.pid = pid
        if wait:
            end = time.time() + 60
            while not select.select([notify], [], [], 0.05)[0]:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended or time.time() > end:
                    self.pid = 0
                    raise RuntimeError("auditd did not start (wait status 0x%x): %s" % (status, self.tail()))
        notify.close()
        return self

    def tail(self):
        return open(os.path.join(self.dir, "auditd.log")).read()[-2000:]

    def vault(self):
        """The daemon dials us; returns the channel and its AUDIT_HELLO."""
        self.vault_listener.settimeout(10)
        c = Chan(self.vault_listener.accept()[0])
        return c, c.expect(HELLO)[1]

    def gateway(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.path("events"))
        c = Chan(s)
        return c, c.expect(HELLO)[1]

    def reader(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.path("query"))
        return Chan(s)

    def records(self):
        """All records, decoded, and the daemon's head."""
        c = self.reader()
        c.send(QUERY, 1, enc([0, 0, False]))
        out = []
        while True:
            t, _, p = c.recv()
            if t == RECORD:
                out.append(dec(p)[0])
            else:
                assert t == END, p
                c.close()
                return out, dec(p)[0]

    def stop(self, sig=signal.SIGTERM):
        """Returns the wait status; None if it was not running."""
        if not self.pid:
            return None
        os.kill(self.pid, sig)
        return self.wait()

    def wait(self):
        pid, self.pid = self.pid, 0
        return os.waitpid(pid, 0)[1]

    def cli(self, *args):
        return subprocess.run([BUILD + "/sallyport", "--dir", self.dir, "audit"] + list(args), capture_output=True, timeout=120)

    def verify(self, *args):
        """The command's verifier on the stopped log."""
        return self.cli("verify", "--path", self.audit, *args)

    def export(self):
        """A raw export of the running daemon, in a file."""
        path = os.path.join(self.dir, "export.raw")
        r = self.cli("export", "--format", "raw")
        assert r.returncode == 0, r
        with open(path, "wb") as f:
            f.write(r.stdout)
        return path

    def verify_independently(self, *args):
        return subprocess.run([sys.executable, VERIFIER, self.export(), "--json"] + list(args), capture_output=True)

    def close(self):
        self.stop(signal.SIGKILL)
        for s in (self.events, self.query, self.vault_listener):
            s.close()
        self.log.close()
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)


# --- record fields ------------------------------------------------------------------------------

F = dict(seq=2, prev=3, t_event=4, t_commit=5, boot=6, clock=8, event=9, producer=10, uid=11, pid=12, ref=15,
         tenant=16, workspace=17, user=18, conversation=19, key=20, use=22, result=23, error=24, flags=25, attrs=26)


def get(r, name):
    return r[F[name]]


def attr(r, key):
    return dict((k, v) for k, v in get(r, "attrs")).get(key)


# --- test running -------------------------------------------------------------------------------------

def main(tests):
    """Runs the functions; prints one TAP line each."""
    failed = 0
    for n, t in enumerate(tests, 1):
        try:
            t()
            print("ok %d - %s" % (n, t.__name__), flush=True)
        except Exception:
            import traceback
            traceback.print_exc()
            print("not ok %d - %s" % (n, t.__name__), flush=True)
            failed += 1
    print("1..%d" % len(tests))
    sys.exit(1 if failed else 0)
