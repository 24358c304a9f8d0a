# SPDX-License-Identifier: Apache-2.0
"""The TLS front of the provider simulators: one port, one certificate with the real host names, HTTP/1.1, dispatched
by the server name of the handshake (which Host must repeat). Strict about framing; every request is kept.
"""

import socket
import ssl
import threading
import urllib.parse


class Refused(Exception):
    """A provider's refusal: status, JSON body (or bytes), more headers."""

    def __init__(self, status, body, headers=()):
        super().__init__("%d %s" % (status, body))
        self.status, self.body, self.headers = status, body, list(headers)


class Request:
    def __init__(self, host, method, target, headers, body, tls_id):
        self.host, self.method, self.target, self.headers, self.body = host, method, target, headers, body
        self.path, _, self.query = target.partition("?")
        self.params = dict(urllib.parse.parse_qsl(self.query, keep_blank_values=True))
        self.connection = tls_id

    def header(self, name, default=None):
        got = [v for k, v in self.headers if k == name]
        if len(got) > 1:
            raise Refused(400, b"header %s repeats" % name.encode())
        return got[0] if got else default

    def names(self):
        return {k for k, _ in self.headers}


class Answer:
    """Whole (body) or streamed (pieces: an iterable of bytes, each flushed by itself, sent chunked)."""

    def __init__(self, status=200, body=b"", content_type="application/json", headers=(), pieces=None):
        self.status, self.body, self.content_type, self.headers = status, body, content_type, list(headers)
        self.pieces = pieces
        self.cut = False        # close without the last chunk
        self.close = False      # close after the answer, without having said so
        self.slow = 0.0         # seconds before the first byte


REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable", 529: "Overloaded"}


class Front:
    def __init__(self, cert, key, handle, stop_event):
        self.handle = handle
        self.stop_event = stop_event
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.sni_callback = self._sni
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _sni(sock, name, context):
        if not name:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        sock.server_name = name
        return None

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(s, self.connections), daemon=True).start()

    def _serve(self, s, number):
        try:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.settimeout(60)
            t = self.context.wrap_socket(s, server_side=True)
            host = getattr(t, "server_name", "")
            f = t.makefile("rb")
            while self._one(t, f, host, number):
                pass
            t.unwrap()
        except (OSError, ValueError):
            pass
        finally:
            s.close()

    def _one(self, t, f, host, number):
        line = f.readline(65536)
        if not line:
            return False
        method, target, version = line.decode("latin-1").rstrip("\r\n").split(" ")
        headers = []
        while True:
            h = f.readline(65536)
            if h in (b"\r\n", b""):
                break
            k, _, v = h.decode("latin-1").rstrip("\r\n").partition(":")
            headers.append((k.lower(), v.strip()))
        request = Request(host, method, target, headers, b"", number)
        if request.header("transfer-encoding") is not None:
            request.body = self._chunked(f)
        else:
            request.body = f.read(int(request.header("content-length", "0")))
        if version != "HTTP/1.1" or (request.header("host") or "").split(":")[0] != host:
            answer = Answer(400, b"Host is not the server name of the handshake", "text/plain")
        else:
            answer = self.handle(request)
        return self._send(t, answer)

    @staticmethod
    def _chunked(f):
        body = b""
        while True:
            n = int(f.readline(64).split(b";")[0], 16)
            body += f.read(n)
            f.readline(64)
            if n == 0:
                return body

    def _send(self, t, a):
        if a.slow and self.stop_event.wait(a.slow):
            return False
        head = "HTTP/1.1 %d %s\r\ncontent-type: %s\r\n" % (a.status, REASONS.get(a.status, "Status"), a.content_type)
        head += "".join("%s: %s\r\n" % kv for kv in a.headers)
        if a.pieces is None:
            body = a.body[:len(a.body) // 2] if a.cut else a.body
            t.sendall((head + "content-length: %d\r\n\r\n" % len(a.body)).encode("latin-1") + body)
        else:
            t.sendall((head + "transfer-encoding: chunked\r\n\r\n").encode("latin-1"))
            for p in a.pieces:
                if p:
                    t.sendall(b"%x\r\n%s\r\n" % (len(p), p))
            if not a.cut:
                t.sendall(b"0\r\n\r\n")
        return not (a.cut or a.close)

    def stop(self):
        self.listener.close()
