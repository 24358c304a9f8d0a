#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memory hunt: 32 canary keys, 2,000 requests of every kind, then no byte of a key in any process, file, log or core."""

import base64
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import memscan  # noqa: E402
import stack  # noqa: E402
import tap  # noqa: E402
from arena import Arena  # noqa: E402
from sp_proto import NUM, message  # noqa: E402
from tap import case  # noqa: E402
from upstream import ok_chat, plain_answer  # noqa: E402

REQUESTS = int(os.environ.get("SALLYPORT_HUNT_REQUESTS", "2000"))
TOKEN = memscan.canary("IQoJb3JpZ2luX2Vj")
KINDS = ("whole", "stream", "fail500", "fail401", "hang-up", "whole", "echo")

HELPER = """
import sys, base64, time
k = sys.stdin.readline().strip()
hold = {"raw": k[20:40].encode(), "hex": k.encode().hex().encode(), "base64": base64.b64encode(b"x" + k.encode()),
        "percent": "".join("%%%02x" % c for c in k.encode()).encode(), "none": b""}[sys.argv[1]]
del k
sys.stdin.close()
print("ready", flush=True)
time.sleep(60)
"""


def control(keys):
    """The scanner finds a planted canary in every form, and finds nothing where there is nothing."""
    for form in ("raw", "hex", "base64", "percent"):
        with case("control: the scanner finds a canary held as %s by a helper process" % form):
            h = subprocess.Popen([sys.executable, "-c", HELPER, form], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            h.stdin.write(keys[3].encode() + b"\n")
            h.stdin.flush()
            h.stdout.readline()
            hits, read, _ = memscan.Scanner(keys).process(h.pid)
            other = memscan.Scanner([memscan.canary() for _ in range(8)]).process(h.pid)[0]
            h.kill()
            h.wait()
            assert any(f == form for _, f, _ in hits), "not found in %d bytes" % read
            assert not other, "found keys that were never there: %s" % other[:3]


def behave(r, send):
    kind = json.loads(r.body)["messages"][0]["content"]
    if kind == "stream":
        send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in ("a", "b", "c"):
            e = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,' \
                b'"delta":{"content":"%s"}}]}\n\n' % piece.encode()
            send(b"%x\r\n%s\r\n" % (len(e), e))
        send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        return True
    if kind == "fail500":
        send(plain_answer(b'{"error":{"message":"boom"}}', "500 Internal Server Error"))
        return True
    if kind == "fail401":
        send(plain_answer(b'{"error":{"message":"Incorrect API key provided: sk-can***. ","code":"invalid_api_key"}}',
                          "401 Unauthorized"))
        return True
    if kind == "echo":
        send(plain_answer(json.dumps({"you sent": r.headers}).encode()))
        return True
    if kind == "hang-up":
        send(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{")
        return False
    return ok_chat(r, send)


def store(a, i, key):
    """Credential i with this key, of one of three kinds; returns (client key, how to ask)."""
    name, more, path = "canary-%d" % i, {}, "/v1/chat/completions"
    if i >= 28:  # signed, never sent; the session token of it is sent
        more = dict(provider=NUM["PROVIDER_BEDROCK"], auth=NUM["AUTH_SIGV4"], region="eu-central-1",
                    access_key_id="%sCANARY%010d" % ("ASIA" if i % 2 else "AKIA", i))
        if i % 2:
            more["session_token"] = TOKEN
        path = "/model/m/converse"
    elif i >= 24:
        more = dict(provider=NUM["PROVIDER_ANTHROPIC"], auth=NUM["AUTH_API_KEY"])
        path = "/v1/messages"
    a.put(name, key, **more)
    return a.issue(name, [name]), path


def used(a):
    """Numbers of the credentials that the provider saw in use."""
    out = set()
    for r in a.up.requests:
        h = r.header("authorization") or ""
        out.add(r.header("x-api-key") or (int(h.split("CANARY")[1][:10]) if "CANARY" in h and "AWS4" in h else h[7:]))
    return out


class Load(threading.Thread):
    def __init__(self, a, vkeys, count, offset):
        super().__init__(daemon=True)
        self.a, self.vkeys, self.count, self.offset = a, vkeys, count, offset
        self.status = {}

    def run(self):
        for i in range(self.count):
            kind = KINDS[i % len(KINDS)]
            key, path = self.vkeys[(i // 3 + self.offset) % len(self.vkeys)]
            stream = kind == "stream" and "chat" in path
            body = {"model": "m", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": kind}]}
            if "converse" in path:
                body = {"messages": body["messages"]}
            try:
                got = self.a.post(path, body, key=key).status
            except Exception as e:  # noqa: BLE001: the provider hangs up on purpose
                got = type(e).__name__
            self.status[(kind, got)] = self.status.get((kind, got), 0) + 1


def scan_roles(scanner, pids, roles):
    bad, read, blind = [], 0, 0
    for role in roles:
        for pid in pids.get(role, []):
            try:
                h, r, b = scanner.process(pid)
            except (OSError, ProcessLookupError):
                continue
            read, blind = read + r, blind + b
            bad += [(role, pid, form, line) for line, form, _ in h]
    return bad, read, blind


def report(scanner, pids, roles, text):
    bad, read, blind = scan_roles(scanner, pids, roles)
    n = sum(len(pids.get(r, [])) for r in roles)
    detail = "%d hits; " % len(bad) + "\n".join("%s %d %s %s" % b for b in bad[:6])
    tap.ok(not bad and n > 0 and read > 0, "%s (%d processes, %.1f MB read, %.1f MB unreadable)" % (
        text, n, read / 1e6, blind / 1e6), detail)


def forms():
    """What is typed or sent to `credential add`, with the part of it that is secret."""
    pem = "".join(memscan.canary("MIIB") for _ in range(5))
    account = {"type": "service_account", "project_id": "my-project-1", "private_key_id": "0123456789abcdef",
               "client_email": "gw@my-project-1.iam.gserviceaccount.com",
               "private_key": "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n" % pem}
    secret, token, key = memscan.canary("wJalr"), memscan.canary("IQoJb3JpZ2lu"), memscan.canary("sk-proj-")
    aws = {"Credentials": {"AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": secret, "SessionToken": token}}
    return (("a key on a line", ["--provider", "openai"], key + "\n", [key]),
            ("AWS JSON", ["--aws-json", "-", "--region", "us-east-1"], json.dumps(aws), [secret, token]),
            ("a service account's file", ["--provider", "vertex", "--region", "us-central1"], json.dumps(account), [pem]))


def command_holds_nothing(args, text, secrets):
    """The command, stopped in the middle of `credential add` by a vault that does not answer the key."""
    with tempfile.TemporaryDirectory() as d:
        os.mkdir(os.path.join(d, "run"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.bind(os.path.join(d, "run", "admin.sock"))
            s.listen(1)
            p = subprocess.Popen([os.path.join(stack.build_dir(), "sallyport"), "credential", "add", "c", *args, "--dir", d],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            p.stdin.write(text.encode())
            p.stdin.close()
            s.settimeout(5)
            c, _ = s.accept()
            c.settimeout(5)
            c.sendall(message("DONE", 1, version=0))    # it asks first which names are taken: none
            got = b""
            while not all(x.encode() in got for x in secrets):
                d2 = c.recv(65536)
                assert d2, "the command hung up: %r" % p.stderr.read()[-300:]
                got += d2
            time.sleep(0.1)
            hits, read, blind = memscan.Scanner(secrets).process(p.pid)
            p.kill()
            p.wait()
            c.close()
            assert read > 100000 and not hits, (read, [(h[0], h[1]) for h in hits[:4]])


def cores(a, scanner):
    """Core dumps: refused by the processes themselves, and empty of keys when root takes one by force."""
    pids = a.pids()
    with tempfile.TemporaryDirectory() as d:
        for role in ("core", "sealer", "zygote", "auditd", "worker"):
            pid = pids[role][0]
            with case("cores: a dump that root takes of %s by gcore holds no key" % role):
                r = subprocess.run(["gcore", "-o", os.path.join(d, role), str(pid)], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=60)
                path = os.path.join(d, "%s.%d" % (role, pid))
                if not os.path.exists(path):
                    tap.note("gcore made no dump: " + r.stdout.decode()[-200:])
                    continue
                with open(path, "rb") as f:
                    assert not scanner.hits(f.read()), "a key is in the dump"
                os.unlink(path)
    for role in ("sealer", "worker", "auditd", "core"):
        with case("cores: SIGSEGV of %s leaves no core file, even with its limit raised by root" % role):
            pids = a.pids()
            pid = pids[role][0]
            cwd = os.readlink("/proc/%d/cwd" % pid)
            try:
                resource.prlimit(pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            except PermissionError:
                pass
            before = set(os.listdir(cwd)) | set(os.listdir(a.dir))
            os.kill(pid, signal.SIGSEGV)
            time.sleep(0.4)
            after = set(os.listdir(cwd)) | set(os.listdir(a.dir))
            new = [n for n in after - before if n.startswith("core")]
            assert not new, new
            assert a.serves(), "no service after it"


def main():
    if os.geteuid() != 0:
        tap.skip_all("needs root to read other processes' memory")
    if stack.MEMORY_FACTOR > 1:
        tap.skip_all("a sanitizer build keeps freed memory aside")
    keys = [memscan.canary("sk-ant-api03-" if 24 <= i < 28 else "sk-canary-") for i in range(32)]
    scanner = memscan.Scanner(keys + [TOKEN])
    control(keys)
    with Arena() as a:
        a.behave = behave
        vkeys = []
        for i, k in enumerate(keys):
            vkeys.append(store(a, i, k))
        load = [Load(a, vkeys, REQUESTS // 4, 8 * i) for i in range(4)]
        for t in load:
            t.start()
        mid = []
        while any(t.is_alive() for t in load):
            bad, _, _ = scan_roles(scanner, a.pids(), ("worker", "master", "auditd", "core", "zygote"))
            mid.append(len(bad))
            time.sleep(0.2)
        total = {}
        for t in load:
            for k, v in t.status.items():
                total[k] = total.get(k, 0) + v
        tap.note(total)
        good = sum(v for (kind, got), v in total.items() if got == 200 and kind in ("whole", "stream"))
        seen = used(a)
        missing = [i for i, k in enumerate(keys) if (i if i >= 28 else k) not in seen]
        tap.ok(good >= REQUESTS // 3 and not missing, "all 32 keys were used upstream (24 bearer, 4 x-api-key, 4 SigV4), "
               "%d good answers" % good, "missing %s" % missing)
        tap.ok(mid and not any(mid), "0 hits in gateway, auditd, core and zygote while serving (%d scans)" % len(mid), mid)
        time.sleep(0.3)
        pids = a.pids()
        report(scanner, pids, ("worker", "master", "up"), "0 hits in the gateway and the supervisor")
        report(scanner, pids, ("auditd",), "0 hits in auditd")
        report(scanner, pids, ("core", "zygote"), "0 hits in the vault core outside secret pages")
        report(scanner, pids, ("sealer",), "0 hits in the sealers between requests")
        with case("the core's secret pages exist and cannot be read even by root"):
            _, _, blind = scanner.process(pids["core"][0])
            with open("/proc/%d/maps" % pids["core"][0]) as f:
                assert "secretmem" in f.read() and blind > 0, "every page of the core could be read"
        bad, n = scanner.tree(a.dir)
        tap.ok(not bad and n > 0, "0 hits in the vault's store, audit files and logs (%.1f MB)" % (n / 1e6), bad[:5])
        with case("0 hits in what the command prints about credentials"):
            out = b"".join(a.ctl(*c, check=False).stdout for c in (("credential", "list"), ("status",), ("vkey", "list"),
                                                                    ("audit", "tail", "--json")))
            assert out and not scanner.hits(out)
        for what, args, text, secrets in forms():
            with case("0 hits in the command's own memory while it sends %s" % what):
                command_holds_nothing(args, text, secrets)
        cores(a, scanner)
        # the demo's own gateway must not have taken anything along either
        report(scanner, a.pids(), ("worker", "master", "auditd", "core", "zygote", "sealer"),
               "0 hits anywhere after restarts")
    tap.done()


main()
