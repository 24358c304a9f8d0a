# SPDX-License-Identifier: Apache-2.0
"""A gateway that says whatever the test wants: speaks to the real vault core and sealers over their real sockets."""

import hashlib
import os
import select
import socket
import time

import sp_proto
from sp_proto import NUM, Chan, Closed

WINDOW = 128 * 1024
CIPHER_IN, CIPHER_OUT, BODY, PLAIN = (NUM["CREDIT_" + k] for k in ("CIPHER_IN", "CIPHER_OUT", "BODY", "PLAIN"))


class Lane:
    def __init__(self, id_, sock):
        self.id, self.sock = id_, sock
        self.ready = False
        self.closed = None        # LANE_CLOSED fields
        self.plain = b""
        self.tcp_open = True
        self.credit = {CIPHER_IN: WINDOW, BODY: WINDOW}
        self.flipped = None       # function over ciphertext from the provider, to play a man in the middle


class Sealer:
    """Lane end of one sealer."""

    def __init__(self, chan, credential, number):
        self.chan, self.credential, self.number = chan, credential, number
        self.lanes = {}

    def open(self, id_, port=None, sock=None):
        if sock is None and port is not None:
            sock = socket.create_connection(("127.0.0.1", port), 5)
        lane = Lane(id_, sock)
        self.lanes[id_] = lane
        self.chan.send("LANE_OPEN", id_)
        return lane

    def body(self, lane, data, chunk=16384):
        for i in range(0, len(data), chunk):
            part = data[i:i + chunk]
            self.pump(lambda: lane.credit[BODY] >= len(part) or lane.closed is not None)
            if lane.closed is not None:
                return
            lane.credit[BODY] -= len(part)
            self.chan.send_raw("BODY", lane.id, part)

    def pump(self, until, timeout=5.0):
        """Relays until `until()` holds. False when time is up; raises Closed when the sealer is gone."""
        end = time.monotonic() + timeout
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return False
            socks = {l.sock: l for l in self.lanes.values()
                     if l.sock is not None and l.tcp_open and l.credit[CIPHER_IN] >= 16384}
            readable = select.select([self.chan.sock, *socks], [], [], min(left, 0.5))[0]
            for s in readable:
                if s is self.chan.sock:
                    self.chan.read_once()
                else:
                    self._from_tcp(socks[s])
            while True:
                f = self.chan.pending()
                if f is None:
                    break
                self._frame(*f)
        return True

    def _from_tcp(self, lane):
        try:
            data = lane.sock.recv(16384)
        except OSError:
            data = b""
        if lane.flipped is not None:
            data = lane.flipped(data)
        if data:
            lane.credit[CIPHER_IN] -= len(data)
            self.chan.send_raw("CIPHER_IN", lane.id, data)
        else:
            lane.tcp_open = False
            self.chan.send("LANE_EOF", lane.id)

    def _frame(self, name, id_, value):
        lane = self.lanes.get(id_)
        if lane is None:
            return
        if name == "CIPHER_OUT":
            self.chan.send("CREDIT", id_, kind=CIPHER_OUT, bytes=len(value))
            if lane.sock is not None:
                try:
                    lane.sock.sendall(value)
                except OSError:
                    lane.tcp_open = False
        elif name == "PLAIN":
            lane.plain += value
            self.chan.send("CREDIT", id_, kind=PLAIN, bytes=len(value))
        elif name == "LANE_READY":
            lane.ready = True
        elif name == "LANE_CLOSED":
            lane.closed = value
        elif name == "CREDIT":
            if value["kind"] in lane.credit:
                lane.credit[value["kind"]] += value["bytes"]

    def close(self):
        for lane in self.lanes.values():
            if lane.sock is not None:
                lane.sock.close()
        self.chan.close()


class Gateway:
    """A channel to the core with the gateway's identity."""

    def __init__(self, stack, hello=True, worker=200):
        self.stack = stack
        uid = 64103 if os.geteuid() == 0 else None
        self.chan = Chan.connect(stack.sock("gateway"), uid=uid)
        self.id = 0
        self.sealers = []
        self.catalogue = []       # (name, fields) of the frames that the core told last
        if hello:
            self.chan.send("HELLO", 0, worker=worker, version="test")
            self.chan.expect("WELCOME")
            while not self.catalogue or self.catalogue[-1][0] != "CATALOGUE_END":
                self._told(self.chan.recv(5.0))

    def _told(self, f):
        """True for a frame that the core sends unasked: a row of its catalogue, the end of a sealer."""
        name, id_, value = f
        if name == "CATALOGUE_BEGIN":
            self.catalogue = []
        if id_ == 0 and name.startswith("CATALOGUE_"):
            self.catalogue.append((name, value))
            return True
        return name == "SEALER_GONE"

    def close(self):
        for s in self.sealers:
            s.close()
        self.chan.close()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()

    def next_id(self):
        self.id += 1
        return self.id

    def wait(self, id_, *names, timeout=5.0):
        """The answer with this id; what the core says unasked is skipped."""
        end = time.monotonic() + timeout
        while True:
            f = self.chan.recv(max(0.05, end - time.monotonic()))
            if f[1] == id_ and (not names or f[0] in names):
                return f
            if not self._told(f):
                raise AssertionError("expected %s for %d, got %r" % (names, id_, f))

    def authorize(self, key, operation="OP_OPENAI_CHAT", model="echo", stream=False, id_=None, **more):
        id_ = id_ or self.next_id()
        self.id = max(self.id, id_)
        op = NUM[operation] if isinstance(operation, str) else operation
        self.chan.send("AUTHORIZE", id_, client_key=key, operation=op, model=model, stream=stream, **more)
        return self.wait(id_, "PLAN", "DENY")

    def open_sealer(self, credential):
        id_ = self.next_id()
        self.chan.send("SEALER_OPEN", id_, credential=credential)
        name, _, v = self.wait(id_, "SEALER", "DENY")
        if name == "DENY":
            return v
        fd = self.chan.fds.pop(0)
        s = Sealer(Chan(socket.socket(fileno=fd)), credential, v["sealer"])
        s.chan.sock.settimeout(5)
        self.sealers.append(s)
        return s

    def use_fields(self, plan, sealer, lane, body, **change):
        op = change.pop("operation", "OP_OPENAI_CHAT")
        f = dict(attempt=0, previous_status=0, previous_class=0, sealer=sealer, lane=lane,
                 operation=NUM[op] if isinstance(op, str) else op,
                 header=[dict(id=NUM["HEADER_CONTENT_TYPE"], value="application/json")], param=[],
                 body_len=len(body), body_sha256=hashlib.sha256(body).digest())
        f.update(change)
        return f

    def use(self, id_, plan, sealer, lane, body, **change):
        self.chan.send("USE", id_, **self.use_fields(plan, sealer, lane, body, **change))
        return self.wait(id_, "GO", "DENY")


def http_complete(data):
    """True when data holds one whole answer with Content-Length."""
    head, sep, rest = data.partition(b"\r\n\r\n")
    if not sep:
        return False
    for line in head.split(b"\r\n")[1:]:
        k, _, v = line.partition(b":")
        if k.strip().lower() == b"content-length":
            return len(rest) >= int(v)
    return b"transfer-encoding" in head.lower() and rest.endswith(b"0\r\n\r\n")


__all__ = ["Gateway", "Sealer", "Lane", "Closed", "http_complete", "NUM", "sp_proto"]
