#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second, independent reader of the message protocol: standard library only,
shares no code with proto/*.c. It takes the message list from PROTOCOL.md, so a
document that drifts from the code fails the check.

  decode.py check            read proto/vectors, compare with messages.json
  decode.py HEX              print one message
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Bad(Exception):
    pass


def tables():
    """PROTOCOL.md -> {type number: (name, [(field, kind)] or None)}, {list: fields}"""
    messages, lists = {}, {}
    for line in open(os.path.join(HERE, "PROTOCOL.md"), encoding="utf-8"):
        m = re.match(r"\| (0x[0-9a-f]{2}) \| ([A-Z_]+) \| (.*?) \|", line)
        if m:
            raw = m[3] == "raw bytes"
            fields = None if raw else [tuple(f.split(":")) for f in m[3].split(", ")]
            messages[int(m[1], 16)] = (m[2], fields)
        m = re.match(r"\| `([a-z_]+)\[\]` \| (.*?) \|", line)
        if m:
            lists[m[1]] = [tuple(f.split(":")) for f in m[2].split(", ")]
    return messages, lists


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Bad("short")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n, floor):
        v = int.from_bytes(self.take(n), "big")
        if v < floor:
            raise Bad("not the shortest form")
        return v

    def uint(self):
        t = self.take(1)[0]
        if t <= 0x7F:
            return t
        sizes = {0xCC: (1, 0x80), 0xCD: (2, 0x100), 0xCE: (4, 1 << 16), 0xCF: (8, 1 << 32)}
        if t not in sizes:
            raise Bad("no unsigned integer")
        return self.number(*sizes[t])

    def bool(self):
        t = self.take(1)[0]
        if t not in (0xC2, 0xC3):
            raise Bad("no boolean")
        return t == 0xC3

    def str(self):
        t = self.take(1)[0]
        sizes = {0xD9: (1, 0x20), 0xDA: (2, 0x100), 0xDB: (4, 1 << 16)}
        if t & 0xE0 == 0xA0:
            n = t & 0x1F
        elif t in sizes:
            n = self.number(*sizes[t])
        else:
            raise Bad("no string")
        try:
            return self.take(n).decode("utf-8")
        except UnicodeDecodeError as e:
            raise Bad("not UTF-8") from e

    def bin(self):
        t = self.take(1)[0]
        sizes = {0xC4: (1, 0), 0xC5: (2, 0x100), 0xC6: (4, 1 << 16)}
        if t not in sizes:
            raise Bad("no bytes")
        return self.take(self.number(*sizes[t])).hex()

    def array(self):
        t = self.take(1)[0]
        if t & 0xF0 == 0x90:
            return t & 0x0F
        if t != 0xDC:
            raise Bad("no array")
        return self.number(2, 16)


def fields(r, spec, lists):
    if r.array() != len(spec):
        raise Bad("wrong arity")
    out = {}
    for f in spec:
        name, kind = f if len(f) == 2 else (f[0], "")
        if name.endswith("[]"):
            out[name[:-2]] = [fields(r, lists[name[:-2]], lists) for _ in range(r.array())]
        else:
            out[name] = getattr(r, kind)()
    return out


def decode(data, messages, lists):
    if len(data) < 16:
        raise Bad("short header")
    if data[:3] != b"SP\x01":
        raise Bad("not our header")
    kind, length, ident = data[3], int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:16], "big")
    if length > 65536 or length != len(data) - 16:
        raise Bad("wrong length")
    if kind not in messages:
        raise Bad("unknown type")
    name, spec = messages[kind]
    if spec is None:
        return {"type": name, "id": ident, "raw": data[16:].hex()}
    r = Reader(data[16:])
    body = fields(r, spec, lists)
    if r.at != len(r.data):
        raise Bad("left-over bytes")
    return {"type": name, "id": ident, **body}


def vectors(name):
    for line in open(os.path.join(HERE, "vectors", name), encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            label, _, text = line.strip().partition(" ")
            yield label, bytes.fromhex(text)


def check():
    messages, lists = tables()
    want = json.load(open(os.path.join(HERE, "vectors", "messages.json"), encoding="utf-8"))
    got = {label: decode(data, messages, lists) for label, data in vectors("messages.hex")}
    bad = [label for label in want.keys() | got.keys() if want.get(label) != got.get(label)]
    known = {v["type"] for v in got.values()}
    bad += [f"no vector for {n}" for n, _ in messages.values() if n not in known]
    for label, data in vectors("refused.hex"):
        try:
            decode(data, messages, lists)
            # Limits on values are the C decoder's; the shape alone is judged here.
            if not label.startswith("LIMIT"):
                bad.append(f"accepted: {label}")
        except Bad:
            pass
    for b in bad:
        print("not ok -", b)
    print(f"ok 1 - {len(got)} messages decode as written down" if not bad else "not ok 1 - protocol vectors")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1] == "check":
        sys.exit(check())
    if len(sys.argv) == 2:
        print(json.dumps(decode(bytes.fromhex(sys.argv[1]), *tables()), indent=1))
        sys.exit(0)
    sys.exit(__doc__)
