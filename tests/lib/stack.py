# SPDX-License-Identifier: Apache-2.0
"""A private stack of all daemons for a test: started by `sallyport up --demo`, in a directory and on ports of its own.

    with Stack() as s:
        answer = s.post("/v1/chat/completions", {...})

The build directory comes from the first command line argument, SALLYPORT_BUILD, or is build/.
"""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import sp_proto  # noqa: E402

UID_VAULT, UID_AUDIT, UID_GATEWAY, UID_PROVIDER = 64101, 64102, 64103, 64104
DAEMONS = {"sallyport-vault": "core", "sallyport-audit": "auditd", "sallyport-demo-": "provider", "sallyport": "up",
           "sp-sealer": "sealer", "sallyport-seale": "zygote"}


def build_dir():
    for a in sys.argv[1:]:
        if os.path.exists(os.path.join(a, "sallyport")):
            return os.path.abspath(a)
    return os.path.abspath(os.environ.get("SALLYPORT_BUILD", os.path.join(ROOT, "build")))


def free_port():
    """Below the kernel's ephemeral range, where an outgoing connection could take it first."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def _sanitized():
    try:
        with open(os.path.join(build_dir(), "sallyport-sealer"), "rb") as f:
            return b"__asan_init" in f.read()
    except OSError:
        return False


# A sanitizer build keeps freed memory aside and surrounds every block: limits on memory are wider there.
MEMORY_FACTOR = 12 if _sanitized() else 1


def memory_kib(n):
    return n * MEMORY_FACTOR


class Proc:
    """One line of the process table."""

    def __init__(self, pid):
        self.pid = pid
        with open("/proc/%d/stat" % pid, "rb") as f:
            front, rest = f.read().decode("latin-1").rsplit(")", 1)
        # The kernel's 15 characters of the name: readable for every user, unlike /proc/PID/exe.
        self.name = front.split("(", 1)[1]
        self.state, self.ppid = rest.split()[0], int(rest.split()[1])


def is_ours(p):
    return p.name.startswith("sallyport") or p.name == "sp-sealer"


def process_table():
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                p = Proc(int(name))
            except (OSError, IndexError, ValueError):
                continue
            if p.state != "Z":
                table[p.pid] = p
    return table


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def fd_count(pid):
    """Open descriptors of a process; 0 where only root may count them."""
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except PermissionError:
        return 0


def _describe(pid):
    """What a process that should be gone is, and what it waits in."""
    try:
        with open("/proc/%d/wchan" % pid) as f:
            where = f.read()
        fds = [os.readlink("/proc/%d/fd/%s" % (pid, n)) for n in os.listdir("/proc/%d/fd" % pid)]
        p = Proc(pid)
        return "%s %s, parent %d, in %s, %s" % (p.name, p.state, p.ppid, where, fds)
    except (OSError, IndexError) as e:
        return str(e)


class Stack:
    def __init__(self, args=(), dir=None, build=None, env=None):
        self.build = build or build_dir()
        self.own_dir = dir is None
        self.dir = dir or tempfile.mkdtemp(prefix="sallyport-test-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        self.args = list(args)
        self.extra_env = env or {}
        self.proc = None
        self.key = None
        self.known = set()

    # --- life -------------------------------------------------------------------------------------------------

    def start(self, wait=30.0):
        exe = os.path.join(self.build, "sallyport")
        self.out = open(os.path.join(self.dir, "up.log"), "ab")
        self.proc = subprocess.Popen(
            [exe, "up", "--demo", "--dir", self.dir, "--listen", "127.0.0.1:%d" % self.port] + self.args,
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT, start_new_session=True,
            env=dict(os.environ, **self.extra_env))
        end = time.monotonic() + wait
        while True:
            if self.proc.poll() is not None:
                raise RuntimeError("sallyport up ended with %s\n%s" % (self.proc.returncode, self.logs()))
            try:
                if self._ready():
                    self.pids()
                    return self
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > end:
                text = self.logs()
                self.stop()
                raise RuntimeError("the stack was not ready within %g s\n%s" % (wait, text))
            time.sleep(0.05)

    def _ready(self):
        env = self.demo_env()
        self.key = env.get("SALLYPORT_KEY") or env.get("OPENAI_API_KEY") or env.get("SALLYPORT_DEMO_KEY")
        if not self.key:
            return False
        return self.chat(timeout=2).status == 200

    def demo_env(self):
        out = {}
        try:
            with open(os.path.join(self.dir, "demo.env")) as f:
                for line in f:
                    line = line.strip().removeprefix("export ")
                    if "=" in line and not line.startswith("#"):
                        k, v = line.split("=", 1)
                        out[k] = v.strip("\"'")
        except OSError:
            pass
        return out

    def stop(self):
        """Ends `up` and whatever it left behind. Returns its exit status."""
        status = None
        if self.proc is not None:
            self.pids()
            if self.proc.poll() is None:
                self.proc.send_signal(signal.SIGTERM)
            try:
                status = self.proc.wait(8)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                status = self.proc.wait()
            time.sleep(0.05)
            self.left = {p: _describe(p) for p in self.known if self._ours(p)}
            for pid in self.left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            self.out.close()
            self.proc = None
        return status

    def _ours(self, pid):
        try:
            p = Proc(pid)
            return is_ours(p) and p.state != "Z"  # a zombie is its adoptive parent's to bury
        except (OSError, IndexError):
            return False

    def remove(self):
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            if not os.environ.get("SALLYPORT_KEEP"):
                self.remove()
            raise

    def __exit__(self, *a):
        self.stop()
        if a[0] is None or not os.environ.get("SALLYPORT_KEEP"):
            self.remove()

    def logs(self, tail=3000):
        text = ""
        names = [os.path.join(self.dir, "up.log")]
        log = os.path.join(self.dir, "log")
        if os.path.isdir(log):
            names += [os.path.join(log, n) for n in sorted(os.listdir(log))]
        for n in names:
            try:
                with open(n, "rb") as f:
                    data = f.read()[-tail:].decode("utf-8", "replace")
                text += "== %s\n%s\n" % (os.path.basename(n), data)
            except OSError:
                pass
        return text

    # --- processes --------------------------------------------------------------------------------------------

    def pids(self):
        """{role: [pids]}; roles: up, core, zygote, sealer, auditd, master, worker, provider."""
        table = process_table()
        mine, roles = set(), {}
        todo = [self.proc.pid]
        while todo:
            pid = todo.pop()
            if pid in mine or pid not in table:
                continue
            mine.add(pid)
            todo += [p.pid for p in table.values() if p.ppid == pid]
        for pid in list(self.known):
            if pid in table and is_ours(table[pid]):
                mine.add(pid)
        for pid in sorted(mine):
            p = table[pid]
            role = DAEMONS.get(p.name)
            parent = table.get(p.ppid)
            if p.name == "sallyport-gatew":
                role = "master" if parent is not None and parent.name == "sallyport" else "worker"
            if role:
                roles.setdefault(role, []).append(pid)
                self.known.add(pid)
        return roles

    def pid(self, role):
        got = self.pids().get(role)
        if not got:
            raise RuntimeError("no %s process\n%s" % (role, self.logs()))
        return got[0]

    # --- the command ------------------------------------------------------------------------------------------

    def sock(self, name):
        return os.path.join(self.dir, "run", name + ".sock")

    def ctl(self, *args, check=True, input=None, timeout=30):
        """Runs the `sallyport` command against this stack."""
        r = subprocess.run([os.path.join(self.build, "sallyport"), *args, "--dir", self.dir], input=input,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if check and r.returncode != 0:
            raise RuntimeError("sallyport %s: %d %s" % (" ".join(args), r.returncode, r.stderr.decode()[-400:]))
        return r

    def admin(self, type_name, **fields):
        """One question to the vault core as administrator; the list of answers."""
        c = sp_proto.Chan.connect(self.sock("admin"))
        try:
            c.send(type_name, 1, **fields)
            out = []
            while True:
                f = c.recv()
                out.append(f)
                if f[0] not in ("CREDENTIAL_ITEM", "VKEY_ITEM"):
                    return out
        finally:
            c.close()

    def audit(self, from_seq=0):
        """All records as dictionaries, oldest first."""
        r = self.ctl("audit", "export", "--format", "json", "--from", str(from_seq))
        return [json.loads(x) for x in r.stdout.decode().splitlines() if x.strip()]

    def wait_audit(self, predicate, timeout=5.0, from_seq=0, least=1):
        """Records that satisfy predicate, waiting for `least` of them."""
        end = time.monotonic() + timeout
        while True:
            got = [r for r in self.audit(from_seq) if predicate(r)]
            if len(got) >= least or time.monotonic() > end:
                return got
            time.sleep(0.1)

    # --- requests ---------------------------------------------------------------------------------------------

    def request(self, method, path, body=None, headers=None, timeout=15.0, key=None):
        return request(self.port, method, path, body, dict({"authorization": "Bearer " + (key or self.key)},
                                                           **(headers or {})), timeout)

    def post(self, path, obj, timeout=15.0, headers=None, key=None):
        body = obj if isinstance(obj, bytes) else json.dumps(obj).encode()
        return self.request("POST", path, body, dict({"content-type": "application/json"}, **(headers or {})),
                            timeout, key)

    def chat(self, model="echo", text="hello", stream=False, timeout=15.0, key=None):
        obj = {"model": model, "messages": [{"role": "user", "content": text}]}
        if stream:
            obj["stream"] = True
        return self.post("/v1/chat/completions", obj, timeout, key=key)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%d %r>" % (self.status, self.body[:200])


def request(port, method, path, body, headers, timeout=15.0):
    """One request; raises http.client.HTTPException or OSError when the answer is cut."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request(method, path, body, headers)
        r = c.getresponse()
        return Answer(r.status, r.getheaders(), r.read())
    finally:
        c.close()
