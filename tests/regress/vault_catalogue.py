#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The catalogue on the vault's admin socket, with an administrator who does not check what he sends: what is refused
and why, lost updates, a trail that cannot be written, and what remains after a restart.
"""

import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
from tap import case
from vault import Admin, Audit, Vault

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build"))
ROWS = ("CATALOGUE_HOST", "CATALOGUE_OP", "CATALOGUE_MODEL", "CATALOGUE_PROFILE")


def told(a):
    """BEGIN and the rows (name, fields) of the catalogue in force."""
    a.id += 1
    a.chan.send("CATALOGUE_GET", a.id)
    name, _, begin = a.chan.recv(8)
    assert name == "CATALOGUE_BEGIN", (name, begin)
    rows = []
    while True:
        name, _, m = a.chan.recv(8)
        if name == "CATALOGUE_END":
            assert m["rows"] == len(rows) == begin["rows"]
            return begin, rows
        rows.append((name, m))


def send(a, begin, rows, end=None, **changed):
    """Sends a sequence; the answer."""
    a.id += 1
    a.chan.send("CATALOGUE_BEGIN", a.id, **dict(begin, rows=len(rows), **changed))
    for name, m in rows:
        a.chan.send(name, a.id, **m)
    a.chan.send("CATALOGUE_END", a.id, rows=len(rows) if end is None else end)
    name, _, m = a.chan.recv(8)
    return name, m


def refused(a, text, code, begin, rows, **more):
    with case(text):
        before = told(a)
        name, m = send(a, begin, rows, **more)
        assert name == "ERROR" and m["code"] == code, (name, m)
        assert told(a) == before


def changed(rows, name, **fields):
    """The rows with fields of the first row of that name changed."""
    out = list(rows)
    i = next(i for i, r in enumerate(out) if r[0] == name)
    out[i] = (name, dict(out[i][1], **fields))
    return out


def rules(a):
    begin, rows = told(a)
    with case("the built-in one is told whole"):
        assert begin["version"] == 0 and begin["applied_s"] == 0 and begin["applied_by"] == "", begin
        assert {n for n, _ in rows} == set(ROWS)
    refused(a, "a path with a dot segment", "bad_catalogue", begin, changed(rows, "CATALOGUE_OP", path="/v1/../admin"))
    refused(a, "an operation of the vault itself", "bad_catalogue", begin, changed(rows, "CATALOGUE_OP", operation=36))
    refused(a, "a host that is none", "bad_catalogue", begin, changed(rows, "CATALOGUE_HOST", host="a b"))
    refused(a, "a row twice", "bad_catalogue", begin, rows + rows[-1:] + rows[:1])
    refused(a, "another number of rows at the end", "bad_catalogue", begin, rows, end=len(rows) - 1)
    refused(a, "no rows", "bad_catalogue", begin, [])
    refused(a, "made from a version to come", "version_conflict", begin, rows[:-1], version=1)
    with case("a version that is not kept cannot be told"):
        a.id += 1
        a.chan.send("CATALOGUE_GET", a.id, version=5)
        name, _, m = a.chan.recv(8)
        assert name == "ERROR" and m["code"] == "not_found", (name, m)
    return begin, rows


def broken(v):
    with case("rows without a beginning end the connection"):
        b = Admin(v)
        b.chan.send("CATALOGUE_END", 1, rows=0)
        assert b.chan.closed() and not b.chan.seen, b.chan.seen
        b.close()
    with case("a row that is no row is told"):
        b = Admin(v)
        b.chan.send("CATALOGUE_BEGIN", 1)
        b.chan.send_raw("CATALOGUE_HOST", 1, b"\x91\x01")
        name, m = b.call("CATALOGUE_END", rows=1)
        assert name == "ERROR" and m["code"] == "bad_catalogue", (name, m)
        b.close()


def two_administrators(v, a, audit, begin, rows):
    b = Admin(v)
    mine, theirs = rows[:-1], rows[:-2]
    with case("an apply is audited with who, what and version, and stamped"):
        assert send(a, begin, mine, source="mine.yaml", applied_s=5, applied_by="nobody") == ("DONE", {"version": 1})
        now, kept = told(b)
        assert kept == mine and now["version"] == 1 and now["source"] == "mine.yaml", now
        assert now["applied_by"] == "uid %d" % os.geteuid() and now["applied_s"] > 1700000000, now
        name, fields = audit.records[-1]
        assert name == "CATALOGUE_APPLIED" and "mine.yaml" in repr(fields), (name, fields)
    refused(b, "what the other made from the version before is refused", "version_conflict", begin, theirs)
    with case("the same again is no new version"):
        assert send(b, told(b)[0], mine) == ("DONE", {"version": 0})
        assert told(b)[0]["version"] == 1
    with case("half of one is dropped when another begins"):
        b.chan.send("CATALOGUE_BEGIN", 1, **dict(begin, version=1))
        b.chan.send(rows[0][0], 1, **rows[0][1])
        assert send(b, told(a)[0], theirs) == ("DONE", {"version": 2})
        assert told(a)[1] == theirs
    b.close()


def without_audit(a, audit, rows):
    with case("without an audit record nothing is applied"):
        before = told(a)
        audit.mode = "nack"
        name, m = send(a, before[0], rows)
        audit.mode = "ack"
        assert name == "ERROR" and m["code"] == "audit_unavailable", (name, m)
        assert told(a) == before


def main():
    v = Vault(BUILD)
    try:
        assert v.start(), v.log()
        audit, a = Audit(v), Admin(v)
        begin, rows = rules(a)
        broken(v)
        two_administrators(v, a, audit, begin, rows)
        without_audit(a, audit, rows)
        with case("what a credential lives on cannot go"):
            a.done("CREDENTIAL_PUT", **a.put("openai"))
            less = [(n, m) for n, m in rows if n != "CATALOGUE_OP" or m["provider"] != 1]
            name, m = send(a, told(a)[0], less)
            assert name == "ERROR" and m["code"] == "catalogue_in_use" and "openai" in m["message"], (name, m)
        before = told(a)
        a.close()
        audit.close()
        v.stop(signal.SIGKILL)
        with case("a restart finds the applied one, stamp and version included"):
            assert v.start(), v.log()
            audit, a = Audit(v, head_seq=audit.seq, head=audit.leaf(audit.seq)), Admin(v)
            assert told(a) == before and before[0]["version"] == 2
            assert send(a, before[0], rows) == ("DONE", {"version": 3})
    except Exception as e:  # a failure between the cases
        tap.ok(False, "the run as a whole", "%r\n%s" % (e, v.log()[-3000:]))
    finally:
        v.stop()
        shutil.rmtree(v.dir, ignore_errors=True)
    tap.done()


main()
