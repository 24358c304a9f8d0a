# SPDX-License-Identifier: Apache-2.0
"""What the SDK tests share: the pinned SDKs of build/deps, one private stack, a clean environment."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, "build", "deps", "venv")
NODE = os.path.join(ROOT, "build", "deps", "node", "node_modules")

# Run by hand, the test finds the SDKs all the same.
if os.path.realpath(sys.prefix) != os.path.realpath(VENV):
    if not os.path.exists(os.path.join(VENV, "bin", "python")):
        sys.exit("run mk/deps.sh check first: %s is not there" % VENV)
    python = os.path.join(VENV, "bin", "python")
    os.execv(python, [python] + sys.argv)

sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
# No key and no proxy of the person who runs the tests may play a part.
for name in list(os.environ):
    if name.startswith(("OPENAI_", "ANTHROPIC_", "AWS_")) or name.lower().endswith("_proxy"):
        del os.environ[name]

from stack import Stack, free_port  # noqa: E402,F401
from tap import case, done, note, ok, skip  # noqa: E402,F401

WRONG_KEY = "sp-wrong-0000000000000000000000000000000000000000"


def expect(kind, what, fn):
    """One test: fn must raise kind. Returns the exception."""
    try:
        got = fn()
    except kind as e:
        ok(True, what)
        return e
    except Exception as e:  # noqa: BLE001
        ok(False, what, "%s: %s" % (type(e).__name__, str(e)[:400]))
        return e
    ok(False, what, "nothing was raised, but got %r" % (got,))
    return None


def cut(what, fn):
    """One test: the stream that fn opens gives something, then raises; a clean end is the fault that users never see."""
    pieces = 0
    try:
        for _ in fn():
            pieces += 1
    except Exception as e:  # noqa: BLE001
        ok(pieces > 0, what, "nothing came before %s: %s" % (type(e).__name__, str(e)[:300]))
        return
    ok(False, what, "a clean end after %d pieces" % pieces)
