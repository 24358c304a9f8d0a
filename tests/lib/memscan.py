# SPDX-License-Identifier: Apache-2.0
"""Canary keys, and a scanner that finds any 16-byte piece of one in memory or files, in every usual encoding.

A canary's secret part repeats a marker every 12 bytes with 7 random characters between, so a piece of 16 bytes always
holds one whole marker: the scanner looks for the marker's few forms only, at the speed of memchr, and then compares.
"""

import base64
import os
import secrets
import string

MARK = "Zq7Xw"
PERIODS = 4
SLICE, OVERLAP = 64 << 20, 4096
ALNUM = string.ascii_letters + string.digits


def canary(prefix="sk-canary-"):
    return prefix + "".join(MARK + "".join(secrets.choice(ALNUM) for _ in range(7)) for _ in range(PERIODS))


def secret_part(key):
    return key[key.index(MARK):]


def _b64_cores():
    """What base64 makes of the marker at each alignment, without the characters that its neighbours decide."""
    out = []
    for pad in range(3):
        a = base64.b64encode(b"\x00" * pad + MARK.encode() + b"\x00" * 4).decode()
        b = base64.b64encode(b"\xff" * pad + MARK.encode() + b"\xff" * 4).decode()
        start = next(i for i in range(len(a)) if a[i:i + 5] == b[i:i + 5])
        end = start
        while a[end] == b[end]:
            end += 1
        out.append((pad, a[start:end].encode()))
    return out


RAW = MARK.encode()
HEX = RAW.hex().encode()
FORMS = [("raw", RAW), ("hex", HEX), ("hex", HEX.upper()), ("percent", b"%5A%71%37%58%77"), ("percent", b"%5a%71%37%58%77")]
FORMS += [("base64", core) for _, core in _b64_cores()]


def _extent(data, at, text, pos):
    """How many bytes around data[at] equal the bytes around text[pos]."""
    left = 0
    while left < pos and left < at and data[at - left - 1] == text[pos - left - 1]:
        left += 1
    right = 0
    while pos + right < len(text) and at + right < len(data) and data[at + right] == text[pos + right]:
        right += 1
    return left + right


class Reader:
    """Reads what is to be scanned; hits(data) is the other classes' part."""

    def process(self, pid):
        """Hits in all readable memory of a process: [(map line, form, address)]; and how much was read and unreadable."""
        out, read, blind = [], 0, 0
        with open("/proc/%d/maps" % pid) as f:
            maps = f.read().splitlines()
        with open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
            for line in maps:
                span, perms = line.split()[:2]
                if "r" not in perms or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                    continue
                a, b = (int(x, 16) for x in span.split("-"))
                for start, data in self._readable(mem, a, b):
                    read += len(data)
                    blind -= len(data)
                    out += [(line, form, start + at) for form, at in self.hits(data)]
                blind += b - a
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (pid, name), "rb") as f:
                out += [(name, form, at) for form, at in self.hits(f.read())]
        return out, read, blind

    @staticmethod
    def _readable(mem, a, b):
        """The readable runs of one map; it is given up after 64 pages in a row that cannot be read."""
        refused = 0
        while a < b and refused < 64:
            try:
                mem.seek(a)
                data = mem.read(min(b - a, SLICE))
            except (OSError, OverflowError):
                data = b""
            if data:
                yield a, data
            refused = 0 if data else refused + 1
            # slices overlap, so that nothing hides on a border
            a += len(data) - (OVERLAP if len(data) == SLICE else 0) or 4096

    def tree(self, dir, skip=()):
        """Hits in all regular files under dir: [(path, form)]."""
        out, n = [], 0
        for base, _, names in os.walk(dir):
            for name in names:
                p = os.path.join(base, name)
                if p in skip or not os.path.isfile(p) or os.path.islink(p):
                    continue
                with open(p, "rb") as f:
                    data = f.read()
                n += len(data)
                out += [(p, form) for form, _ in self.hits(data)]
        return out, n


class Pieces(Reader):
    """For hits() only: fixed pieces of secrets that cannot be canaries. A copy of a secret, or a large part of one, holds
    one of them; `every` bytes lie between their beginnings."""

    def __init__(self):
        self.needles = []

    def add(self, name, data, length=20, every=64):
        if isinstance(data, str):
            data = data.encode()
        assert len(data) >= length, name
        for at in range(0, len(data) - length + 1, every):
            self.needles.append((name, data[at:at + length]))
        self.needles.append((name, data[-length:]))

    def add_number(self, name, n):
        """A number of a private key, as big-endian and little-endian bytes, in hexadecimal and in base64 of any alignment."""
        raw = n.to_bytes((n.bit_length() + 7) // 8, "big")
        self.add(name, raw)
        self.add(name + ", reversed", raw[::-1])
        self.add(name + ", hex", raw.hex())
        for pad in range(3):
            self.add(name + ", base64", base64.b64encode(raw[pad:])[:-4])

    def add_key(self, name, numbers):
        """The private numbers of an RSA key (cryptography's RSAPrivateNumbers)."""
        for part in ("d", "p", "q", "dmp1", "dmq1", "iqmp"):
            self.add_number("%s of %s" % (part, name), getattr(numbers, part))

    def hits(self, data):
        out = []
        for name, needle in self.needles:
            at = data.find(needle)
            if at >= 0:
                out.append((name, at))
        return out


class Scanner(Reader):
    # Encoded length of a 16-byte piece; in base64 the outermost characters belong to the neighbours as well.
    ENOUGH = {"raw": 16, "hex": 32, "percent": 48, "base64": 19}

    def __init__(self, keys):
        self.texts = {"raw": [], "hex": [], "percent": [], "base64": []}
        for k in keys:
            raw = secret_part(k).encode()
            self.texts["raw"].append(raw)
            self.texts["hex"].append(raw.hex().encode())
            self.texts["percent"].append(b"".join(b"%%%02x" % c for c in raw))
            self.texts["base64"] += [base64.b64encode(b"\x00" * pad + raw).rstrip(b"=") for pad in range(3)]

    def hits(self, data):
        """[(form, offset)] of pieces of canaries, 16 bytes or more, in data."""
        out = []
        for form, needle in FORMS:
            at = data.find(needle)
            while at >= 0:
                if self._real(form, data, at, needle):
                    out.append((form, at))
                at = data.find(needle, at + 1)
        return out

    def _real(self, form, data, at, needle):
        base = max(0, at - 200)
        near = data[base:at + 300]
        if form in ("hex", "percent"):
            near, needle = near.lower(), needle.lower()
        for text in self.texts[form]:
            pos = text.find(needle)
            while pos >= 0:
                if _extent(near, at - base, text, pos) >= self.ENOUGH[form]:
                    return True
                pos = text.find(needle, pos + 1)
        return False


def scan(stack, scanners, roles):
    """All processes of these roles: hits as (role, pid, form, map), how many were read, and how many bytes."""
    bad, n, read = [], 0, 0
    for role in roles:
        for pid in stack.pids().get(role, []):
            for scanner in scanners:
                try:
                    hits, r, _ = scanner.process(pid)
                except (FileNotFoundError, ProcessLookupError):
                    continue    # a sealer whose exchange is over
                n, read = n + 1, read + r
                bad += [(role, pid, h[1], h[0][-60:]) for h in hits]
    return bad, n, read
