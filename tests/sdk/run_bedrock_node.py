#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The AWS SDK for JavaScript over HTTP/2 (its default for Bedrock), on the TLS port and on the plain one."""

import os
import re
import subprocess

import sdk
from sdk import note, ok

HERE = os.path.dirname(os.path.abspath(__file__))
TLS_PORT = sdk.free_port()

with sdk.Stack(["--tls-listen", "127.0.0.1:%d" % TLS_PORT]) as stack:
    env = dict(os.environ, NODE_PATH=sdk.NODE, SALLYPORT_URL="http://127.0.0.1:%d" % stack.port,
               SALLYPORT_TLS_URL="https://127.0.0.1:%d" % TLS_PORT, SALLYPORT_KEY=stack.key,
               SALLYPORT_WRONG_KEY=sdk.WRONG_KEY, NODE_EXTRA_CA_CERTS=os.path.join(stack.dir, "tls", "ca.pem"))
    r = subprocess.run(["node", os.path.join(HERE, "bedrock.cjs")], env=env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    for line in r.stdout.decode("utf-8", "replace").splitlines():
        m = re.match(r"(not )?ok \d+ - (.*)", line)
        if m:
            ok(not m.group(1), m.group(2))
        else:
            note(line.removeprefix("# "))
    ok(r.returncode == 0, "every test ran", "exit status %d" % r.returncode)
sdk.done()
