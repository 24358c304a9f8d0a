# SPDX-License-Identifier: Apache-2.0
"""Frames and messages of the daemons' protocol for tests: a second decoder, standard library only.

The list of fields is read from proto/msg_table.c and the numbers from proto/*.h, so that this file cannot drift.
"""

import os
import re
import select
import socket
import struct
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAGIC, VERSION, HEADER_LEN, PAYLOAD_MAX = 0x5350, 1, 16, 65536


# --- msgpack, the strict subset ---------------------------------------------------------------------------------

def pack(v):
    """Shortest form. Supports bool, non-negative int, str, bytes, list."""
    if v is True or v is False:
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        for lim, tag, fmt in ((0x7F, None, "B"), (0xFF, 0xCC, "B"), (0xFFFF, 0xCD, ">H"), (0xFFFFFFFF, 0xCE, ">I")):
            if v <= lim:
                return (b"" if tag is None else bytes([tag])) + struct.pack(fmt, v)
        return b"\xcf" + struct.pack(">Q", v)
    if isinstance(v, str):
        v = v.encode("utf-8", "surrogateescape")
        n = len(v)
        if n < 32:
            return bytes([0xA0 | n]) + v
        return _sized(n, 0xD9, 0xDA, 0xDB) + v
    if isinstance(v, (bytes, bytearray)):
        return _sized(len(v), 0xC4, 0xC5, 0xC6) + bytes(v)
    if isinstance(v, (list, tuple)):
        n = len(v)
        head = bytes([0x90 | n]) if n < 16 else _sized(n, None, 0xDC, 0xDD)
        return head + b"".join(pack(x) for x in v)
    raise TypeError(type(v))


def _sized(n, t8, t16, t32):
    if n <= 0xFF and t8 is not None:
        return bytes([t8, n])
    if n <= 0xFFFF:
        return bytes([t16]) + struct.pack(">H", n)
    return bytes([t32]) + struct.pack(">I", n)


class Malformed(Exception):
    pass


def unpack(b, at=0):
    """Returns (value, offset after it). Strings come back as str, binary as bytes."""
    try:
        t = b[at]
        at += 1
        if t < 0x80:
            return t, at
        if t in (0xC2, 0xC3):
            return t == 0xC3, at
        if t in (0xCC, 0xCD, 0xCE, 0xCF):
            n = 1 << (t - 0xCC)
            return int.from_bytes(_take(b, at, n), "big"), at + n
        if 0x90 <= t < 0xA0:
            return _array(b, at, t & 15)
        if t in (0xDC, 0xDD):
            n = 2 << (t - 0xDC)
            return _array(b, at + n, int.from_bytes(_take(b, at, n), "big"))
        if 0xA0 <= t < 0xC0:
            n = t & 31
            return _take(b, at, n).decode("utf-8"), at + n
        for base, text in ((0xC4, False), (0xD9, True)):
            if base <= t < base + 3:
                w = 1 << (t - base)
                n = int.from_bytes(_take(b, at, w), "big")
                v = _take(b, at + w, n)
                return (v.decode("utf-8") if text else bytes(v)), at + w + n
    except (IndexError, UnicodeDecodeError) as e:
        raise Malformed(str(e))
    raise Malformed("type byte %#x" % t)


def _take(b, at, n):
    if at + n > len(b):
        raise Malformed("short")
    return b[at:at + n]


def _array(b, at, n):
    out = []
    for _ in range(n):
        v, at = unpack(b, at)
        out.append(v)
    return out, at


# --- the tables ---------------------------------------------------------------------------------------------------

def _read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def _enums(text):
    """All enumerators of a header, with values."""
    out = {}
    for body in re.findall(r"\benum\s+\w*\s*\{([^}]*)\}", text):
        nxt = 0
        for item in body.split(","):
            m = re.match(r"\s*(\w+)\s*(?:=\s*(\w+))?\s*$", item)
            if not m:
                continue
            if m.group(2):
                v = m.group(2).rstrip("U")
                nxt = out[v] if v in out else int(v, 0)
            out[m.group(1)] = nxt
            nxt += 1
    return out


NUM = {}
for _h in ("proto/ids.h", "proto/msg_catalogue.h", "proto/msg.h", "proto/perm.h"):
    NUM.update(_enums(_read(_h)))
TYPES = {k[4:]: v for k, v in NUM.items() if k.startswith("MSG_")}
TYPE_NAMES = {v: k for k, v in TYPES.items()}


def _tables():
    src = _read("proto/msg_table.c")
    fields = {}
    for name, body in re.findall(r"static const struct msg_field (\w+)\[\] = \{(.*?)\n\};", src, flags=re.S):
        rows = []
        for kind, args in re.findall(r"\b(UINT|BOOL|STR|BIN_EXACT|BIN_OPT|BIN|LIST)\(([^()]*)\)", body):
            a = [x.strip() for x in args.split(",")]
            rows.append((kind, a[1], a[-1] if kind == "LIST" else None))
        fields[name] = rows
    msgs = {m: fields[f] for m, f in re.findall(r"\bMSG\((\w+),\s*\w+,\s*(\w+)\)", src) if f in fields}
    raw = set(re.findall(r"\bRAW\((\w+)\)", src)) - {"N"}
    return fields, msgs, raw


FIELDS, MESSAGES, RAW = _tables()
_DEFAULT = {"UINT": 0, "BOOL": False, "STR": "", "BIN": b"", "BIN_EXACT": b"", "BIN_OPT": b"", "LIST": []}


def _to_list(rows, d):
    unknown = set(d) - {r[1] for r in rows}
    if unknown:
        raise KeyError("no such field: %s" % unknown)
    out = []
    for kind, name, elem in rows:
        v = d.get(name, _DEFAULT[kind])
        if kind == "LIST":
            v = [_to_list(FIELDS[elem], x) for x in v]
        elif kind.startswith("BIN"):
            v = bytes(v)
        out.append(v)
    return out


def _to_dict(rows, v):
    if not isinstance(v, list) or len(v) != len(rows):
        raise Malformed("arity")
    d = {}
    for (kind, name, elem), x in zip(rows, v):
        d[name] = [_to_dict(FIELDS[elem], e) for e in x] if kind == "LIST" else x
    return d


def encode(type_name, **fields):
    """Payload of a message; fields not given are zero or empty. No limit is enforced: tests break them on purpose."""
    return pack(_to_list(MESSAGES[type_name], fields))


def decode(type_name, payload):
    if type_name in RAW:
        return bytes(payload)
    v, end = unpack(payload)
    if end != len(payload):
        raise Malformed("left-over bytes")
    return _to_dict(MESSAGES[type_name], v)


def frame(type_, id_, payload=b"", length=None, magic=MAGIC, version=VERSION):
    t = TYPES[type_] if isinstance(type_, str) else type_
    return struct.pack(">HBBIQ", magic, version, t, len(payload) if length is None else length, id_) + payload


def message(type_name, id_, **fields):
    return frame(type_name, id_, encode(type_name, **fields))


# --- a channel ----------------------------------------------------------------------------------------------------

class Closed(Exception):
    """The peer closed the channel."""


class Chan:
    """Blocking frames over a connected Unix socket; keeps descriptors that arrive with them."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""
        self.fds = []

    @classmethod
    def connect(cls, path, uid=None, timeout=5.0):
        """Connects with the peer identity `uid` (needs root when it differs: credentials are taken at connect)."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        switch = uid is not None and uid != os.geteuid()
        if switch:
            gid = os.getegid()
            os.setegid(uid)
            os.seteuid(uid)
        try:
            s.connect(path)
        finally:
            if switch:
                os.seteuid(os.getuid())
                os.setegid(gid)
        return cls(s)

    def close(self):
        self.sock.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def fileno(self):
        return self.sock.fileno()

    def send_bytes(self, b):
        try:
            self.sock.sendall(b)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed(str(e))

    def send(self, type_name, id_, **fields):
        self.send_bytes(message(type_name, id_, **fields))

    def send_raw(self, type_name, id_, data):
        self.send_bytes(frame(type_name, id_, data))

    def pending(self):
        """One complete frame from the buffer as (type name, id, value), or None."""
        if len(self.buf) < HEADER_LEN:
            return None
        magic, ver, t, n, id_ = struct.unpack(">HBBIQ", self.buf[:HEADER_LEN])
        if magic != MAGIC or ver != VERSION:
            raise Malformed("header")
        if len(self.buf) < HEADER_LEN + n:
            return None
        payload = self.buf[HEADER_LEN:HEADER_LEN + n]
        self.buf = self.buf[HEADER_LEN + n:]
        name = TYPE_NAMES.get(t, "0x%x" % t)
        return name, id_, decode(name, payload)

    def read_once(self):
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, 262144, 8)
        except (ConnectionResetError, BrokenPipeError) as e:
            raise Closed(str(e))
        self.fds += fds
        if not data:
            raise Closed("end of stream")
        self.buf += data

    def recv(self, timeout=5.0):
        """Next frame, or raises TimeoutError / Closed."""
        end = time.monotonic() + timeout
        while True:
            f = self.pending()
            if f is not None:
                return f
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError("no frame")
            self.read_once()

    def expect(self, *names, timeout=5.0):
        """Next frame, which must be of one of these types; others raise AssertionError."""
        f = self.recv(timeout)
        if names and f[0] not in names:
            raise AssertionError("expected %s, got %r" % ("/".join(names), f))
        return f

    def closed(self, timeout=3.0):
        """Waits until the peer closes; frames that come before are kept aside in self.seen."""
        self.seen = []
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                self.seen.append(self.recv(max(0.01, end - time.monotonic())))
            except Closed:
                return True
            except TimeoutError:
                return False
        return False
