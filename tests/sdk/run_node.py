#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official Node SDKs: starts one stack, runs *.cjs against it and passes their results on."""

import os
import re
import subprocess

import sdk
from sdk import note, ok

HERE = os.path.dirname(os.path.abspath(__file__))

with sdk.Stack() as stack:
    env = dict(os.environ, NODE_PATH=sdk.NODE, SALLYPORT_URL="http://127.0.0.1:%d" % stack.port,
               SALLYPORT_KEY=stack.key, SALLYPORT_WRONG_KEY=sdk.WRONG_KEY)
    # openai by its two majors that are in use.
    for name, module in (("openai", "openai"), ("openai", "openai6"), ("anthropic", "@anthropic-ai/sdk")):
        r = subprocess.run(["node", os.path.join(HERE, name + ".cjs")], env=dict(env, SDK_MODULE=module), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        for line in r.stdout.decode("utf-8", "replace").splitlines():
            m = re.match(r"(not )?ok \d+ - (.*)", line)
            if m:
                ok(not m.group(1), "%s: %s" % (module, m.group(2)))
            else:
                note(line.removeprefix("# "))
        ok(r.returncode == 0, "%s: every test ran" % module, "exit status %d" % r.returncode)
sdk.done()
