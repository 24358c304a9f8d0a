# SPDX-License-Identifier: Apache-2.0
"""A scripted TLS provider for tests: records every byte it receives and answers as told.

`behave(request, send)` gets a Request and a function that writes one TLS record per call; it returns True to keep the
connection open. Certificates come from the openssl command.
"""

import os
import socket
import ssl
import subprocess
import threading


def _openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Certs:
    """A private CA in `dir`, and certificates signed by it."""

    def __init__(self, dir):
        self.dir = dir
        self.ca = os.path.join(dir, "up-ca.pem")
        self.ca_key = os.path.join(dir, "up-ca.key")
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                 "-subj", "/CN=upstream test CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.ca_key, "-out", self.ca)

    def pem(self):
        with open(self.ca) as f:
            return f.read()

    def issue(self, name, days="30"):
        """Certificate for a host name (and for 127.0.0.1 when it is localhost)."""
        base = os.path.join(self.dir, "up-" + name.replace("*", "any"))
        san = "DNS:%s" % name + (",IP:127.0.0.1" if name == "localhost" else "")
        ext = base + ".ext"
        with open(ext, "w") as f:
            f.write("subjectAltName=%s\nextendedKeyUsage=serverAuth\n" % san)
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
                 "-keyout", base + ".key", "-out", base + ".csr")
        _openssl("x509", "-req", "-in", base + ".csr", "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial",
                 "-days", days, "-extfile", ext, "-out", base + ".pem")
        return base + ".pem", base + ".key"


class Request:
    def __init__(self, head, body):
        self.head, self.body = head, body
        lines = head.split(b"\r\n")
        self.line = lines[0].decode("latin-1")
        self.headers = [tuple(x.strip() for x in h.decode("latin-1").split(":", 1)) for h in lines[1:] if b":" in h]

    def header(self, name):
        for k, v in self.headers:
            if k.lower() == name:
                return v
        return None

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name]


def plain_answer(body, status="200 OK", headers=()):
    h = "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (status, len(body))
    return (h + "".join("%s: %s\r\n" % kv for kv in headers) + "\r\n").encode("latin-1") + body


def ok_chat(request, send):
    send(plain_answer(b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
                      b'{"role":"assistant","content":"good"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,'
                      b'"completion_tokens":1,"total_tokens":2}}'))
    return True


class Upstream:
    def __init__(self, cert, key, behave=ok_chat):
        self.behave = behave
        self.requests = []   # Request objects
        self.raw = []        # bytearray per connection: every decrypted byte received
        self.connections = 0
        self.handshakes = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.stopping = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.stopping:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        raw = bytearray()
        self.raw.append(raw)
        try:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.settimeout(60)
            t = self.context.wrap_socket(s, server_side=True)
            self.handshakes += 1
            buf = b""
            while True:
                r, buf = self._read(t, raw, buf)
                if r is None:
                    break
                self.requests.append(r)
                if not self.behave(r, t.sendall):
                    break
            t.unwrap()
        except (OSError, ValueError):
            pass
        finally:
            s.close()

    def _read(self, t, raw, buf):
        def more():
            d = t.recv(65536)
            raw.extend(d)
            return d
        while b"\r\n\r\n" not in buf:
            d = more()
            if not d:
                return None, b""
            buf += d
        head, buf = buf.split(b"\r\n\r\n", 1)
        r = Request(head, b"")
        n = int(r.header("content-length") or 0)
        while len(buf) < n:
            d = more()
            if not d:
                return None, b""
            buf += d
        r.body = buf[:n]
        return r, buf[n:]

    def stop(self):
        self.stopping = True
        self.listener.close()
