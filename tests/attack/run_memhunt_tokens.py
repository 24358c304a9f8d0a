#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Temporary secrets through the whole stack: the simulated STS and Bedrock check every signature and token; neither a stored
key nor a temporary one (sessions of users and roles, tokens of our issuer), nor a private number of the issuer's RSA key,
is in any process's memory, nor in files and logs."""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402

try:
    from providers import ProviderStack  # noqa: E402
except ImportError as e:
    tap.skip_all("the simulators need `bash mk/deps.sh check`: %s" % e)

import memscan  # noqa: E402
import stack  # noqa: E402
from sp_proto import NUM  # noqa: E402
from tap import case  # noqa: E402

BODY = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PATH = "/model/%s/converse" % MODEL.replace(":", "%3A")


def put(s, name, key, **more):
    r = s.admin("CREDENTIAL_PUT", **dict(dict(
        name=name, expect_version=0, provider=NUM["PROVIDER_BEDROCK"], auth=NUM["AUTH_STS_SESSION"], region="us-east-1",
        access_key_id=key.access_key_id, secret=key.secret, ca_pem=s.sim.ca_pem(), workspace="sessions", enabled=True), **more))
    assert r[-1][0] == "DONE", r
    r = s.admin("VKEY_ISSUE", name=name, workspace="sessions", credential=[dict(name=name)], model=[])
    assert r[-1][0] == "VKEY_ISSUED", r
    return r[-1][2]["key"]


def many(s, vkey, count, threads):
    got, lock = [], threading.Lock()

    def run():
        for _ in range(count // threads):
            a = s.post(PATH, BODY, key=vkey, timeout=30)
            with lock:
                got.append(a)
    t = [threading.Thread(target=run) for _ in range(threads)]
    for x in t:
        x.start()
    for x in t:
        x.join()
    return got


hunted = []


def secrets_of(world):
    out = []
    for k in list(hunted):
        out.append(k.secret)
        if k.session:
            out.append(k.session)
    return out


# --- the issuer's key ----------------------------------------------------------------------------------------------------

ISSUER = "https://id.example.com"


def issuer_keys(s):
    """DER of the private keys, by a program that has the store and the key to it, as the vault had at its start."""
    folder = tempfile.mkdtemp()
    try:
        build = s.build
        objects = [f for f in glob.glob(build + "/vaultd/*.o") if not os.path.basename(f).startswith(("sealer_", "zygote_", "main"))
                   and os.path.basename(f) != "issuer.o"]
        subprocess.run(["cc", "-std=c17", "-O1", "-D_GNU_SOURCE", "-I" + stack.ROOT, "-I" + build + "/gen",
                        stack.ROOT + "/tests/attack/issuer_key.c", *objects, build + "/libproto.a", build + "/libcommon.a", "-llmdb",
                        "-lcrypto", "-lsodium", "-lmsgpackc", "-lseccomp", "-levent", "-lsystemd", "-o", folder + "/issuer_key"],
                       check=True)
        os.mkdir(folder + "/vault", 0o700)
        shutil.copy(os.path.join(s.dir, "vault", "store.mdb"), folder + "/vault/store.mdb")
        r = subprocess.run([folder + "/issuer_key", folder + "/vault", os.path.join(s.dir, "vault.key")], check=True,
                           stdout=subprocess.PIPE)
        return [bytes.fromhex(x) for x in r.stdout.decode().split()]
    finally:
        shutil.rmtree(folder)


def private_pieces(keys, tokens):
    from cryptography.hazmat.primitives import serialization
    pieces = memscan.Pieces()
    for i, der in enumerate(keys):
        k = serialization.load_der_private_key(der, None).private_numbers()
        pieces.add_key("key %d" % i, k)
    for t in tokens:    # head and claims are no secret by themselves
        pieces.add("token", t.rsplit(".", 1)[1], 24, 100)
    return pieces


def roles(s):
    """Credentials of both kinds of roles, and what they may use."""
    w = s.sim.world
    key = w.add_aws()

    def settings(**values):
        ids = {k: NUM["SETTING_" + k.upper()] for k in values}
        return [dict(id=ids[k], value=values[k]) for k in sorted(values, key=ids.get)]
    r = s.admin("ISSUER_SET", url=ISSUER, rotate=False)
    assert r[-1][0] == "DONE", r
    w.issuer = (ISSUER, stack.request(s.port, "GET", "/.well-known/jwks.json", None, {}).json())
    role = settings(role_arn=w.role, external_id=w.external_id)
    web = settings(role_arn=w.role, subject="scoped_principal:team/user:1")
    out = [put(s, "role", key, auth=NUM["AUTH_STS_ASSUME_ROLE"], setting=role)]
    for i in range(4):
        out.append(put(s, "web-%d" % i, key, auth=NUM["AUTH_STS_WEB_IDENTITY"], setting=web, access_key_id="", secret=""))
    return out


def hunt_roles(s):
    w = s.sim.world
    vkeys = roles(s)
    all_roles = ("worker", "master", "up", "auditd", "core", "zygote", "sealer")
    keys = issuer_keys(s)
    with case("roles and web identities serve; their secrets are known to this hunt"):
        assert len(keys) == 1
        pieces, bad = private_pieces(keys, []), []
        t = threading.Thread(target=lambda: [s.post(PATH, BODY, key=k) for k in vkeys for _ in range(3)])
        t.start()
        while t.is_alive():
            bad += memscan.scan(s, [pieces], ("worker", "master", "auditd", "core", "zygote"))[0]
        t.join()
        assert all(s.post(PATH, BODY, key=k).status == 200 for k in vkeys)
        assert len(w.identities) == 4, len(w.identities)
    with case("0 hits of the issuer's private numbers while it signs, and in a new key's making"):
        assert s.admin("ISSUER_SET", url="", rotate=True)[-1][0] == "DONE"
        keys = issuer_keys(s)
        assert len(keys) == 2
        pieces = private_pieces(keys, [t for t, _ in w.identities])
        bad += memscan.scan(s, [pieces], all_roles)[0]
        assert not bad, bad[:6]
    with case("0 hits of %d tokens and of the sessions that they bought" % len(w.identities)):
        bad, n, read = memscan.scan(s, [memscan.Scanner(secrets_of(w))], all_roles)
        assert not bad and n > 5 and read > 1000000, (bad[:6], n, read)
    with case("0 hits in files and logs; the hunt finds what it knows"):
        bad, n = pieces.tree(s.dir)
        assert not bad and n > 0, bad[:4]
        k = keys[0]
        assert pieces.hits(k) and pieces.hits(k[::-1]) and pieces.hits(w.identities[0][0].encode())


def main():
    with ProviderStack() as s:
        w = s.sim.world
        plain = w.add_aws

        def add_aws(prefix="AKIA", session=None, expires=None, source=""):
            """Keys and sessions that the scanner can tell from chance."""
            k = plain(prefix, session and memscan.canary("FwoGZXIvYXdz"), expires, source)
            k.secret = memscan.canary("")
            hunted.append(k)
            return k
        w.add_aws, hunted[:] = add_aws, []
        key = w.add_aws()
        vkey = put(s, "session", key)
        with case("64 requests by 32 clients: every one is served, STS is asked once"):
            got = many(s, vkey, 64, 32)
            assert [a.status for a in got] == [200] * 64, [a for a in got if a.status != 200][:2]
            assert len(w.asked("sts.us-east-1")) == 1, len(w.asked("sts."))
        with case("Bedrock never saw the stored key, nor did the client see any"):
            asked = [r for r in w.asked("bedrock-runtime.us-east-1") if r.target.startswith("/model/us.anthropic")]
            assert len(asked) >= 64 and all(key.access_key_id not in r.header("authorization") for r in asked)
            assert not any(x.encode() in a.body for a in got for x in secrets_of(w))
        with case("the audit trail has the exchange: intent, completion, refresh"):
            r = s.wait_audit(lambda r: r.get("event") == "token.refreshed")
            assert r, "no token.refreshed"
            text = json.dumps(s.audit())
            assert "sts-get-session-token" in text and "sts.us-east-1.amazonaws.com" in text
        with case("a session that Bedrock calls expired is not the client's trouble for long"):
            w.order("bedrock-runtime.us-east-1", "expired")
            first = s.post(PATH, BODY, key=vkey)
            assert first.status in (200, 502), first
            assert s.post(PATH, BODY, key=vkey).status == 200
        bad_key = w.add_aws()
        bad_key.secret, right = "x" * 40, bad_key.secret
        refused = put(s, "refused", bad_key)
        bad_key.secret = right
        with case("a wrong key: 502 with the provider's reason, and STS is not asked for every request"):
            n = len(w.asked("sts."))
            a = [s.post(PATH, BODY, key=refused) for _ in range(20)]
            assert {x.status for x in a} == {502} and b"SignatureDoesNotMatch" in a[0].body, a[0]
            assert len(w.asked("sts.")) <= n + 2, len(w.asked("sts.")) - n
        other = w.add_aws()
        with case("an unreachable STS: 502, and others are served"):
            vk = put(s, "far", other, region="sa-east-1")
            t = time.monotonic()
            a = s.post(PATH, BODY, key=vk, timeout=30)
            assert a.status in (502, 503, 504) and time.monotonic() - t < 20, a
            assert s.post(PATH, BODY, key=vkey).status == 200
        with case("the vault starts again and fetches a new session"):
            n = len(w.asked("sts.us-east-1"))
            os.kill(s.pid("core"), 15)
            end = time.monotonic() + 15
            while True:
                try:
                    if s.post(PATH, BODY, key=vkey).status == 200:
                        break
                except OSError:
                    pass
                assert time.monotonic() < end
                time.sleep(0.2)
            assert len(w.asked("sts.us-east-1")) == n + 1
        if os.geteuid() != 0 or stack.MEMORY_FACTOR > 1:
            tap.note("memory is not scanned: needs root and no sanitizer")
        else:
            scanner = memscan.Scanner(secrets_of(w))
            roles = ("worker", "master", "up", "auditd", "core", "zygote", "sealer")
            with case("0 hits for %d stored and temporary secrets in every process" % len(secrets_of(w))):
                bad, n, read = memscan.scan(s, [scanner], roles)
                assert not bad and n > 5 and read > 1000000, (bad[:6], n, read)
            with case("0 hits while sessions are fetched"):
                keys = [w.add_aws() for _ in range(6)]
                vkeys = [put(s, "more-%d" % i, k) for i, k in enumerate(keys)]
                scanner = memscan.Scanner(secrets_of(w))
                t = threading.Thread(target=lambda: [s.post(PATH, BODY, key=k) for k in vkeys for _ in range(3)])
                t.start()
                bad = []
                while t.is_alive():
                    bad += memscan.scan(s, [scanner], ("worker", "master", "auditd", "core", "zygote"))[0]
                t.join()
                bad += memscan.scan(s, [memscan.Scanner(secrets_of(w))], roles)[0]
                assert not bad, bad[:6]
            hunt_roles(s)
            with case("0 hits in files and logs"):
                bad, n = memscan.Scanner(secrets_of(w)).tree(s.dir)
                assert not bad and n > 0, bad[:4]
    tap.done()


main()
