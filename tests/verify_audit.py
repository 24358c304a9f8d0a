#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Second verifier of the audit log: reads what `sallyport audit export --format raw` writes.

usage: verify_audit.py FILE [--anchor SEQ:HASH]... [--json]

Standard library only, no code shared with the daemon: its own decoder of AREC/1, its own
tree (layer by layer instead of a compact range). Exit status as `sallyport audit verify`:
0 consistent and anchored, 1 tampered with, 2 consistent but not anchored, 3 cannot read."""
import hashlib
import json
import sys

MAGIC = b"SPAREC1\n"
RECORD_MAX = 1900
GENESIS, INTENT, COMPLETE, VOID, ORPHAN = 1, 16, 17, 18, 19
BACK_ALLOWED = 5 * 10**9


class Bad(Exception):
    """The record is not the one canonical encoding of anything."""


class Reader:
    def __init__(self, b):
        self.b, self.at = b, 0

    def take(self, n):
        if self.at + n > len(self.b):
            raise Bad("short")
        self.at += n
        return self.b[self.at - n:self.at]

    def sized(self, width, floor):
        v = int.from_bytes(self.take(width), "big")
        if v < floor:
            raise Bad("not the shortest form")
        return v

    def uint(self, top=2**64 - 1):
        c = self.take(1)[0]
        if c < 0x80:
            v = c
        elif c == 0xCC:
            v = self.sized(1, 1 << 7)
        elif c == 0xCD:
            v = self.sized(2, 1 << 8)
        elif c == 0xCE:
            v = self.sized(4, 1 << 16)
        elif c == 0xCF:
            v = self.sized(8, 1 << 32)
        else:
            raise Bad("not an unsigned integer")
        if v > top:
            raise Bad("number too large")
        return v

    def text(self):
        c = self.take(1)[0]
        if c & 0xE0 == 0xA0:
            n = c & 0x1F
        elif c == 0xD9:
            n = self.sized(1, 32)
        elif c == 0xDA:
            n = self.sized(2, 256)
        else:
            raise Bad("not a string")
        try:
            return self.take(n).decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise Bad("not UTF-8")

    def data(self, *lengths):
        if self.take(1)[0] != 0xC4:
            raise Bad("not a byte string")
        n = self.take(1)[0]
        if n not in lengths:
            raise Bad("wrong length")
        return self.take(n)

    def array(self, top):
        c = self.take(1)[0]
        if c & 0xF0 == 0x90:
            n = c & 0x0F
        elif c == 0xDC:
            n = self.sized(2, 16)
        else:
            raise Bad("not an array")
        if n > top:
            raise Bad("too many elements")
        return n

    def nil(self):
        if self.take(1) != b"\xc0":
            raise Bad("not nil")

    def peek(self):
        return self.b[self.at] if self.at < len(self.b) else 0


def attributes(r):
    out, last = {}, -1
    for _ in range(r.array(24)):
        if r.array(2) != 2:
            raise Bad("attribute is not a pair")
        key = r.uint(0xFFFF)
        if key <= last:
            raise Bad("attributes not ascending")
        last = key
        c = r.peek()
        out[key] = r.text() if c & 0xE0 == 0xA0 or c in (0xD9, 0xDA, 0xDB) else r.uint()
    return out


def decode(b):
    if len(b) > RECORD_MAX:
        raise Bad("too long")
    r, o = Reader(b), {}
    if r.array(29) != 29 or r.uint() != 1:
        raise Bad("not AREC/1")
    o["log_id"] = r.data(16)
    o["seq"] = r.uint()
    o["prev"] = r.data(32)
    for name in ("t_event", "t_commit", "boot_no", "t_mono"):
        o[name] = r.uint()
    for name, top in (("clock_state", 0xFF), ("event", 0xFFFF), ("producer", 0xFF),
                      ("peer_uid", 2**32 - 1), ("peer_pid", 2**32 - 1)):
        o[name] = r.uint(top)
    o["peer_unit"] = r.text()
    o["request_id"] = r.data(0, 16)
    o["ref_seq"] = r.uint()
    for name in ("tenant", "workspace", "user", "conversation", "key_id"):
        o[name] = r.text()
    o["key_version"] = r.uint(2**32 - 1)
    o["key_use"] = r.uint()
    o["result"] = r.uint(0xFF)
    o["error_code"] = r.text()
    o["flags"] = r.uint(0xFFFF)
    o["attrs"] = attributes(r)
    if r.peek() == 0xC0:
        r.nil()
        o["payload_commit"] = None
    else:
        o["payload_commit"] = r.data(32)
    r.nil()
    if r.at != len(b):
        raise Bad("left-over bytes")
    return o


def leaf_hash(b):
    return hashlib.sha256(b"\x00" + b).digest()


def tree_root(leaves):
    """RFC 6962 root, a layer at a time; an odd node at the end moves up unchanged."""
    layer = leaves
    if not layer:
        return hashlib.sha256(b"").digest()
    while len(layer) > 1:
        up = [hashlib.sha256(b"\x01" + layer[i] + layer[i + 1]).digest() for i in range(0, len(layer) - 1, 2)]
        if len(layer) % 2:
            up.append(layer[-1])
        layer = up
    return layer[0]


class Tampered(Exception):
    def __init__(self, seq, why, want=None, got=None):
        super().__init__(why)
        self.seq, self.why, self.want, self.got = seq, why, want, got


class Unreadable(Exception):
    pass


def parse(blob):
    """The records' bytes, and the head that the export names: (seq, leaf hash)."""
    if not blob.startswith(MAGIC):
        raise Unreadable("not a raw export (sallyport audit export --format raw)")
    at, records = len(MAGIC), []
    while True:
        if at + 4 > len(blob):
            raise Unreadable("the file is cut short: export again")
        n = int.from_bytes(blob[at:at + 4], "big")
        at += 4
        if n == 0:
            if at + 40 != len(blob):
                raise Unreadable("the end of the file is damaged: export again")
            return records, (int.from_bytes(blob[at:at + 8], "big"), blob[at + 8:])
        if at + n > len(blob):
            raise Unreadable("the file is cut short: export again")
        records.append(blob[at:at + n])
        at += n


def gaps(state, r):
    open_, orphaned, count = state["open"], state["orphaned"], state["count"]
    if r["event"] == INTENT:
        open_.add(r["seq"])
    elif r["event"] in (COMPLETE, VOID):
        if r["ref_seq"] in open_:
            open_.discard(r["ref_seq"])
        elif r["ref_seq"] in orphaned:
            orphaned.discard(r["ref_seq"])
            count["late"] += 1
        else:
            count["no_intent"] += 1
    elif r["event"] == ORPHAN:
        count["orphans"] += 1
        if r["ref_seq"] in open_:
            open_.discard(r["ref_seq"])
            orphaned.add(r["ref_seq"])


def check(records, head, anchors):
    leaves, log_id, prev, last = [], None, None, None
    state = {"open": set(), "orphaned": set(), "count": {"late": 0, "no_intent": 0, "orphans": 0}}
    for seq, b in enumerate(records):
        leaf = leaf_hash(b)
        try:
            r = decode(b)
        except Bad as e:
            raise Tampered(seq, "the record is not canonical AREC/1: %s" % e)
        if r["seq"] != seq:
            raise Tampered(seq, "record number %d stands where %d belongs" % (r["seq"], seq))
        if seq == 0:
            log_id = r["log_id"]
            prev = hashlib.sha256(b"sallyport/audit/genesis/v1\0" + log_id).digest()
        if r["log_id"] != log_id:
            raise Tampered(seq, "the record belongs to another log")
        if r["prev"] != prev:
            raise Tampered(seq, "the record does not continue the one before it", prev, r["prev"])
        if (seq == 0) != (r["event"] == GENESIS):
            raise Tampered(seq, "the genesis record is not where it belongs")
        if last and r["boot_no"] < last["boot_no"]:
            raise Tampered(seq, "the boot number goes back")
        if last and r["t_commit"] + BACK_ALLOWED < last["t_commit"] and not r["clock_state"] & 2:
            raise Tampered(seq, "the commit time goes back without saying so")
        if anchors.get(seq, leaf) != leaf:
            raise Tampered(seq, "not the record that was remembered as head", anchors[seq], leaf)
        gaps(state, r)
        leaves.append(leaf)
        prev, last = leaf, r
    if not leaves:
        raise Tampered(0, "the log is empty")
    if head != (len(leaves) - 1, leaves[-1]):
        raise Tampered(len(leaves), "the export names another head than its last record")
    for seq in anchors:
        if seq >= len(leaves):
            raise Tampered(len(leaves), "records up to %d were remembered, but the log ends at %d" %
                           (seq, len(leaves) - 1))
    return leaves, state


def main(argv):
    files, anchors, as_json = [], {}, False
    args = iter(argv)
    try:
        for a in args:
            if a == "--anchor":
                seq, hash_ = next(args).split(":")
                anchors[int(seq)] = bytes.fromhex(hash_)
                if len(anchors[int(seq)]) != 32:
                    raise ValueError
            elif a == "--json":
                as_json = True
            else:
                files.append(a)
    except (ValueError, StopIteration):
        files = []
    if len(files) != 1:
        print(__doc__, file=sys.stderr)
        return 3
    out = {}
    try:
        with open(files[0], "rb") as f:
            records, head = parse(f.read())
        leaves, state = check(records, head, anchors)
        code = 0 if anchors else 2
        out = {"records": len(leaves), "head_seq": len(leaves) - 1, "head": leaves[-1].hex(),
               "root": tree_root(leaves).hex(), "open_intents": len(state["open"]),
               "orphans": state["count"]["orphans"], "late_completions": state["count"]["late"],
               "completions_without_intent": state["count"]["no_intent"]}
    except Tampered as e:
        code = 1
        out = {"bad_seq": e.seq, "reason": e.why, "want": e.want and e.want.hex(), "got": e.got and e.got.hex()}
    except (Unreadable, OSError) as e:
        code = 3
        out = {"reason": str(e)}
    out["verdict"] = ("anchored", "tampered", "unanchored", "unreadable")[code]
    if as_json:
        print(json.dumps(out, indent=2))
    else:
        for name, value in out.items():
            print("%-27s %s" % (name, value))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
