# SPDX-License-Identifier: Apache-2.0
"""Parts of the gateway_*.py tests: a raw HTTP/1.1 client that keeps its connection, and small looks at a stack."""

import json
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from stack import Stack, free_port  # noqa: E402

CHAT_PATH = "/v1/chat/completions"


def chat_body(model="m", text="hi", stream=False):
    o = {"model": model, "messages": [{"role": "user", "content": text}]}
    if stream:
        o["stream"] = True
    return json.dumps(o).encode()


def head(key, length, path=CHAT_PATH, extra=b""):
    return b"POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n" \
        b"Content-Length: %d\r\n%s\r\n" % (path.encode(), key.encode(), length, extra)


def wire(key, body, path=CHAT_PATH, extra=b""):
    return head(key, len(body), path, extra) + body


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%d %s %r>" % (self.status, self.headers, self.body[:300])


class Client:
    """One connection to the gateway; answers are read by the letter, so a cut one raises EOFError."""

    def __init__(self, port, timeout=15.0, wrap=None, rcvbuf=None):
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap:
            self.sock = wrap(self.sock)
        self.buf = b""

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def _more(self):
        d = self.sock.recv(65536)
        if not d:
            raise EOFError("cut after %r" % self.buf[-200:])
        self.buf += d

    def _upto(self, mark):
        while mark not in self.buf:
            self._more()
        got, self.buf = self.buf.split(mark, 1)
        return got

    def _take(self, n):
        while len(self.buf) < n:
            self._more()
        got, self.buf = self.buf[:n], self.buf[n:]
        return got

    def read_head(self):
        lines = self._upto(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            k, v = line.split(":", 1)
            headers[k.lower()] = v.strip()
        return int(lines[0].split(" ")[1]), headers

    def chunk(self):
        """The next chunk of a chunked body; empty at the end."""
        n = int(self._upto(b"\r\n").split(b";")[0], 16)
        data = self._take(n)
        if n == 0:
            while self._upto(b"\r\n"):
                pass
        else:
            assert self._take(2) == b"\r\n"
        return data

    def read(self):
        status, headers = self.read_head()
        if "chunked" in headers.get("transfer-encoding", ""):
            parts = []
            while True:
                d = self.chunk()
                if not d:
                    return Reply(status, headers, b"".join(parts))
                parts.append(d)
        return Reply(status, headers, self._take(int(headers.get("content-length", 0))))

    def look(self):
        """What a client can tell of an answer: status, headers, data, and whether it ended "whole" or was "cut"."""
        status, headers = self.read_head()
        data = []
        try:
            if "chunked" not in headers.get("transfer-encoding", ""):
                return status, headers, self._take(int(headers.get("content-length", 0))), "whole"
            while True:
                d = self.chunk()
                if not d:
                    return status, headers, b"".join(data), "whole"
                data.append(d)
        except EOFError:
            return status, headers, b"".join(data), "cut"

    def ask(self, key, body=None, path=CHAT_PATH, extra=b""):
        self.send(wire(key, body or chat_body(), path, extra))
        return self.read()


def events(sse):
    """The data of server-sent events, JSON decoded, without [DONE]; and whether [DONE] came last."""
    datas = [x[6:] for block in sse.split(b"\n\n") for x in block.split(b"\n") if x.startswith(b"data: ")]
    return [json.loads(d) for d in datas if d != b"[DONE]"], bool(datas) and datas[-1] == b"[DONE]"


def text_of(sse):
    got, _ = events(sse)
    return "".join(c["delta"].get("content") or "" for e in got for c in e.get("choices", []))


def start(*args, tls=False, kind=None):
    """A started stack. A port that another program took in the meantime is tried again with another."""
    for left in (3, 2, 1, 0):
        port = free_port() if tls else None
        s = (kind or Stack)(list(args) + (["--tls-listen", "127.0.0.1:%d" % port] if tls else []))
        s.tls_port = port
        try:
            s.start()
        except RuntimeError as e:
            s.stop()
            s.remove()
            if "in use" not in str(e) or not left:
                raise
            continue
        return s


def log_text(stack, name="gateway"):
    with open(os.path.join(stack.dir, "log", name + ".log"), errors="replace") as f:
        return f.read()


def wait_for(condition, timeout=5.0, step=0.02):
    end = time.monotonic() + timeout
    while True:
        got = condition()
        if got or time.monotonic() > end:
            return got
        time.sleep(step)


def restart_gateway(stack, change):
    """Rewrites sallyport.yaml by `change`, ends the gateway; `up` starts it again, with the new file."""
    path = os.path.join(stack.dir, "sallyport.yaml")
    with open(path) as f:
        text = change(f.read())
    with open(path, "w") as f:
        f.write(text)
    old = stack.pid("master")
    os.kill(old, signal.SIGTERM)

    def fresh():
        masters = stack.pids().get("master", [])
        if not masters or old in masters:
            return False
        try:
            with Client(stack.port, 2) as c:
                c.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                return c.read().status == 200
        except (OSError, EOFError):
            return False
    if not wait_for(fresh, 15.0, 0.1):
        raise RuntimeError("the gateway did not come back\n" + stack.logs())


def established(port):
    """Client ends of TCP connections to this loopback port: their inodes."""
    out = []
    with open("/proc/net/tcp") as f:
        for line in f.read().splitlines()[1:]:
            w = line.split()
            if w[3] == "01" and int(w[2].split(":")[1], 16) == port:
                out.append(w[9])
    return out
