#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Service accounts of Google: while Vertex is used by access tokens and by self-signed ones, and credentials are tested,
no piece of the private key (its numbers in either byte order, its base64), of a token or of a signature is in the memory of
any process, nor in files and logs."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402

try:
    from cryptography.hazmat.primitives import serialization  # noqa: E402
    from providers import ProviderStack  # noqa: E402
except ImportError as e:
    tap.skip_all("the simulators need `bash mk/deps.sh check`: %s" % e)

import memscan  # noqa: E402
import stack  # noqa: E402
from sp_proto import NUM  # noqa: E402
from tap import case  # noqa: E402

HI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
PATH = "/vertex/v1/projects/sim-project/locations/us-central1/publishers/google/models/gemini-2.5-flash:generateContent"
ALL = ("worker", "master", "up", "auditd", "core", "zygote", "sealer")


def pieces_of(pem, signatures=()):
    """What to look for: the private numbers, the file's text, signatures."""
    out = memscan.Pieces()
    out.add_key("the key", serialization.load_pem_private_key(pem.encode(), None).private_numbers())
    text = "".join(x for x in pem.splitlines() if "-----" not in x)
    out.add("the file", text[len(text) // 3:], 16, 24)  # what is before that is mostly the modulus, which is public
    for x in signatures:
        out.add("a signature", x, 16, 24)
    return out


def put(s, name, auth):
    j = s.sim.world.google_json()
    setting = [dict(id=NUM["SETTING_PROJECT"], value=j["project_id"]), dict(id=NUM["SETTING_CLIENT_EMAIL"], value=j["client_email"]),
               dict(id=NUM["SETTING_PRIVATE_KEY_ID"], value=j["private_key_id"])]
    text = "".join(x for x in j["private_key"].splitlines() if "-----" not in x)
    r = s.admin("CREDENTIAL_PUT", name=name, expect_version=0, provider=NUM["PROVIDER_VERTEX"], auth=NUM["AUTH_" + auth],
                region="us-central1", secret=text, ca_pem=s.sim.ca_pem(), workspace="google", enabled=True, setting=setting)
    assert r[-1][0] == "DONE", r
    r = s.admin("VKEY_ISSUE", name=name, workspace="google", credential=[dict(name=name)], model=[])
    return r[-1][2]["key"]


def signed(world):
    """The signature parts of what was signed: assertions, and self-signed bearer tokens."""
    out = set()
    for r in world.asked("googleapis.com"):
        text = (r.header("authorization") or "").partition(" ")[2] or r.body.decode("ascii", "replace").partition("assertion=")[2]
        if text.count(".") == 2:
            out.add(text.split(".")[2].encode())
    return sorted(out)


def main():
    if os.geteuid() != 0 or stack.MEMORY_FACTOR > 1:
        tap.skip_all("needs root and no sanitizer")
    with ProviderStack() as s:
        w = s.sim.world
        tokens = []

        def new_token():
            tokens.append(memscan.canary("ya29."))
            return tokens[-1]
        w.new_google_token = new_token
        pieces = pieces_of(w.google_pem)
        with case("the scanner finds what is there: in this process"):
            assert pieces.process(os.getpid())[0]
        keys = [put(s, "token", "GOOGLE_TOKEN"), put(s, "jwt", "GOOGLE_JWT")]
        with case("both kinds serve, and pass their test"):
            for k in keys:
                assert s.post(PATH, HI, key=k).status == 200
            for name in ("token", "jwt"):
                assert s.admin("CREDENTIAL_TEST", name=name, model="")[-1][2]["outcome"] == "ok"
        with case("0 hits for key, tokens and signatures in every process"):
            assert len(tokens) >= 2 and len(signed(w)) >= 2, (len(tokens), len(signed(w)))
            bad, n, read = memscan.scan(s, [pieces_of(w.google_pem, signed(w)), memscan.Scanner(tokens)], ALL)
            assert not bad and n > 10 and read > 1000000, (bad[:6], n, read)
        with case("0 hits while keys sign and tokens are bought"):
            more = [put(s, "more-%d" % i, ("GOOGLE_TOKEN", "GOOGLE_JWT")[i % 2]) for i in range(8)]

            def run():
                for i, k in enumerate(more):
                    s.post(PATH, HI, key=k)
                    s.admin("CREDENTIAL_TEST", name="more-%d" % i, model="")
            t = threading.Thread(target=run)
            t.start()
            bad, rounds = [], 0
            while t.is_alive() or rounds == 0:
                bad += memscan.scan(s, [pieces], ("worker", "master", "auditd", "zygote"))[0]
                rounds += 1
            t.join()
            bad += memscan.scan(s, [pieces_of(w.google_pem, signed(w)), memscan.Scanner(tokens)], ALL)[0]
            assert not bad, bad[:6]
        with case("0 hits in files and logs"):
            skip = [os.path.join(s.dir, "sim.key")]
            for scanner in (pieces_of(w.google_pem, signed(w)), memscan.Scanner(tokens)):
                bad, n = scanner.tree(s.dir, skip)
                assert not bad and n > 0, bad[:4]
    tap.done()


main()
