# SPDX-License-Identifier: Apache-2.0
"""TAP output for test programs: ok(), note(), and an exit code that tells."""

import sys
import time
import traceback

_n = 0
_failed = 0
_start = time.monotonic()


def ok(condition, text, detail=None):
    global _n, _failed
    _n += 1
    if not condition:
        _failed += 1
    print("%sok %d - %s" % ("" if condition else "not ", _n, text), flush=True)
    if not condition and detail is not None:
        note(detail)
    return bool(condition)


def note(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def skip(text):
    global _n
    _n += 1
    print("ok %d - # SKIP %s" % (_n, text), flush=True)


def skip_all(why):
    print("1..0 # SKIP " + why, flush=True)
    sys.exit(0)


class case:
    """with case("text"): the block's exception, if any, becomes a failed test; no exception is a passed one."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        if kind is not None and not issubclass(kind, Exception):
            return False
        detail = None
        if kind is not None:
            last = traceback.extract_tb(tb)
            detail = "".join("%s:%d " % (f.filename.rsplit("/", 1)[-1], f.lineno) for f in last)
            detail += "%s: %s" % (kind.__name__, str(value)[:600])
        ok(kind is None, self.text, detail)
        return True


def done():
    print("1..%d" % _n)
    note("%.1f s" % (time.monotonic() - _start))
    sys.exit(1 if _failed or not _n else 0)
