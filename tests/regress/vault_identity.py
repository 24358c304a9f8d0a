#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Roles through the whole stack: AssumeRole with an IAM key, and AssumeRoleWithWebIdentity with tokens of our own OIDC
issuer. The simulated STS checks signatures and tokens for real, against the documents that the gateway serves; an OIDC
client that we did not write accepts them too.
"""

import base64
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import tap  # noqa: E402

try:
    from providers import ProviderStack  # noqa: E402
except ImportError as e:
    tap.skip_all("the simulators need `bash mk/deps.sh check`: %s" % e)

from sp_proto import NUM, Closed  # noqa: E402
from tap import case  # noqa: E402

URL = "https://id.example.com/sallyport"
SUB = "scoped_principal:team-7/service_account:ci"
BODY = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
PATH = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
STS = "sts.us-east-1"
BEDROCK = "bedrock-runtime.us-east-1"


def setting(**values):
    """Settings in the order of their numbers, as the protocol wants them."""
    ids = {k: NUM["SETTING_" + k.upper()] for k in values}
    return [dict(id=ids[k], value=str(values[k])) for k in sorted(values, key=ids.get)]


def put(s, name, auth, settings, **more):
    r = s.admin("CREDENTIAL_PUT", **dict(dict(
        name=name, expect_version=0, provider=NUM["PROVIDER_BEDROCK"], auth=NUM["AUTH_STS_" + auth], region="us-east-1",
        ca_pem=s.sim.ca_pem(), workspace="roles", enabled=True, setting=setting(**settings)), **more))
    assert r[-1][0] == "DONE", r
    r = s.admin("VKEY_ISSUE", name=name, workspace="roles", credential=[dict(name=name)], model=[])
    assert r[-1][0] == "VKEY_ISSUED", r
    return r[-1][2]["key"]


def role(s, name, **settings):
    w = s.sim.world
    key = w.add_aws()
    return put(s, name, "ASSUME_ROLE", dict(dict(role_arn=w.role, external_id=w.external_id), **settings),
               access_key_id=key.access_key_id, secret=key.secret)


def identity(s, name, **settings):
    return put(s, name, "WEB_IDENTITY", dict(dict(role_arn=s.sim.world.role, subject=SUB), **settings))


def form(request):
    return dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))


def fetch(s, path, method="GET"):
    """Without a key, as AWS does."""
    from stack import request
    return request(s.port, method, path, None, {})


def item(s, name):
    return next(x[2] for x in s.admin("CREDENTIAL_LIST") if x[0] == "CREDENTIAL_ITEM" and x[2]["name"] == name)


def publish(s):
    """What an administrator of the AWS account does: names the issuer; AWS then fetches its keys."""
    s.sim.world.issuer = (URL, fetch(s, "/sallyport/.well-known/jwks.json").json())


# --- AssumeRole --------------------------------------------------------------------------------------------------------

def assume_role(s):
    w = s.sim.world
    vkey = role(s, "role", duration=1800, session_name="ci@prod")
    with case("AssumeRole: role, external id, name and length go out as set; Bedrock sees the role's session only"):
        a = s.post(PATH, BODY, key=vkey)
        assert a.status == 200, a
        f = form(w.asked(STS)[-1])
        assert (f["Action"], f["RoleArn"], f["ExternalId"], f["RoleSessionName"], f["DurationSeconds"]) == (
            "AssumeRole", w.role, w.external_id, "ci@prod", "1800"), f
        used = [r for r in w.asked(BEDROCK) if r.target.startswith("/model/us.")][-1]
        akid = used.header("authorization").split("Credential=")[1].split("/")[0]
        assert w.aws[akid].source == "AssumeRole", akid
    with case("AssumeRole: the session's end is in the list of credentials, and not as long as none was fetched"):
        end = item(s, "role")["token_expires_s"]
        assert abs(end - time.time() - 1800) < 30, end
        role(s, "unused")
        assert item(s, "unused")["token_expires_s"] == 0
    with case("AssumeRole: a name and an hour, if nothing is set"):
        n = role(s, "by-default")
        assert s.post(PATH, BODY, key=n).status == 200
        f = form(w.asked(STS)[-1])
        assert (f["RoleSessionName"], f["DurationSeconds"]) == ("sallyport-by-default", "3600"), f
    with case("AssumeRole: a wrong external id: 502 with AWS's reason, and STS is not asked for every request"):
        bad, n = role(s, "wrong-id", external_id="other"), len(w.asked(STS))
        got = [s.post(PATH, BODY, key=bad) for _ in range(10)]
        assert {a.status for a in got} == {502} and b"AccessDenied" in got[0].body, got[0]
        assert len(w.asked(STS)) <= n + 2
    with case("AssumeRole: STS of another region, when that is set"):
        k = role(s, "far", sts_region="eu-west-1")
        assert s.post(PATH, BODY, key=k).status == 200 and form(w.asked("sts.eu-west-1")[-1])["Action"] == "AssumeRole"


# --- the issuer ----------------------------------------------------------------------------------------------------------

def issuer(s):
    w = s.sim.world
    early = identity(s, "early")
    with case("no issuer: no documents, and a credential that needs one says so"):
        assert fetch(s, "/.well-known/openid-configuration").status == 404
        a = s.post(PATH, BODY, key=early)
        assert a.status == 502 and b"sallyport issuer set" in a.body, a
        assert s.admin("ISSUER_GET")[-1][2]["url"] == ""
    with case("the issuer is set: its documents are served without a key, under its path and under none"):
        for bad in ("http://id.example.com", "https://id.example.com/", "https://id.example.com:8443"):
            r = s.admin("ISSUER_SET", url=bad, rotate=False)
            assert r[-1][0] == "ERROR" and r[-1][2]["code"] == "bad_url", r
        r = s.admin("ISSUER_SET", url=URL, rotate=False)
        assert r[-1][0] == "DONE" and r[-1][2]["version"] == 1, r
        for base in ("", "/sallyport"):
            a = fetch(s, base + "/.well-known/openid-configuration")
            assert a.status == 200 and a.json()["issuer"] == URL, a
            assert a.json()["jwks_uri"] == URL + "/.well-known/jwks.json"
            a = fetch(s, base + "/.well-known/jwks.json")
            assert a.status == 200 and len(a.json()["keys"]) == 1, a
            assert set(a.json()["keys"][0]) == {"kty", "use", "alg", "kid", "n", "e"}, a.json()
            assert dict(a.headers)["content-type"] == "application/json", a.headers
        assert fetch(s, "/.well-known/jwks.json", "HEAD").body == b""
        assert fetch(s, "/.well-known/jwks.json", "POST").status == 405
        assert fetch(s, "/other/.well-known/jwks.json").status == 404
    with case("what the administrator is told are the same keys; setting it again changes nothing"):
        m = s.admin("ISSUER_GET")[-1][2]
        key = fetch(s, "/.well-known/jwks.json").json()["keys"][0]
        assert (m["url"], m["key"][0]["kid"], m["key"][0]["n"], m["key"][0]["e"]) == (URL, key["kid"], key["n"], key["e"])
        s.admin("ISSUER_SET", url=URL, rotate=False)
        assert s.admin("ISSUER_GET")[-1][2] == m
    with case("... recorded before it was made, with the key's id"):
        r = s.wait_audit(lambda r: r.get("event") == "issuer.changed")
        assert r and key["kid"] in json.dumps(r[0]) and URL in json.dumps(r[0]), r


# --- AssumeRoleWithWebIdentity -------------------------------------------------------------------------------------------

def claims_ok(s):
    w = s.sim.world
    text, c = w.identities[-1]
    head = json.loads(base64.urlsafe_b64decode(text.split(".")[0] + "=="))
    assert set(head) == {"alg", "typ", "kid"} and (head["alg"], head["typ"]) == ("RS256", "JWT"), head
    assert set(c) == {"iss", "sub", "aud", "iat", "exp", "jti"}, c
    assert (c["iss"], c["sub"], c["aud"]) == (URL, SUB, "sts.amazonaws.com"), c
    assert -120 < c["iat"] - w.now() <= 0 and 300 <= c["exp"] - c["iat"] <= 900, c
    assert len(c["jti"]) >= 16


def web_identity(s):
    w = s.sim.world
    with case("web identity: AWS does not know the issuer yet: 502 with its reason"):
        a = s.post(PATH, BODY, key=identity(s, "unknown"))
        assert a.status == 502 and b"InvalidIdentityToken" in a.body, a
    publish(s)
    vkey = identity(s, "identity", duration=900, session_name="agent-7")
    with case("web identity: the token verifies against the published keys and claims what it should; no signature"):
        a = s.post(PATH, BODY, key=vkey)
        assert a.status == 200, a
        asked = w.asked(STS)[-1]
        f = form(asked)
        assert asked.header("authorization") is None and asked.header("x-amz-date") is None, asked.headers
        assert (f["RoleArn"], f["RoleSessionName"], f["DurationSeconds"]) == (w.role, "agent-7", "900"), f
        assert set(f) == {"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "WebIdentityToken"}, f
        claims_ok(s)
        assert abs(item(s, "identity")["token_expires_s"] - time.time() - 900) < 30
    with case("web identity: each token has an id of its own"):
        assert s.post(PATH, BODY, key=identity(s, "second")).status == 200
        assert len({c["jti"] for _, c in w.identities}) == len(w.identities) >= 2
    with case("web identity: the trust policy refuses a subject: 502, AccessDenied"):
        a = s.post(PATH, BODY, key=identity(s, "nobody", role_arn="arn:aws:iam::123456789012:role/other"))
        assert a.status == 502 and b"AccessDenied" in a.body, a
    with case("web identity: a token that is called expired is made anew, once"):
        k, n = identity(s, "late"), len(w.asked(STS))
        w.order(STS, "expired")
        assert s.post(PATH, BODY, key=k).status == 200
        assert len(w.asked(STS)) == n + 2 and form(w.asked(STS)[-1])["WebIdentityToken"] != form(w.asked(STS)[-2])["WebIdentityToken"]
        k, n = identity(s, "later"), len(w.asked(STS))
        w.order(STS, "expired", 2)
        a = s.post(PATH, BODY, key=k)
        assert a.status == 502 and b"ExpiredToken" in a.body and len(w.asked(STS)) == n + 2, (a, len(w.asked(STS)) - n)


def independent(s):
    tokens = [t for t, _ in s.sim.world.identities][:3]
    task = {"issuer": URL, "gateway": "http://127.0.0.1:%d" % s.port, "audience": "sts.amazonaws.com", "tokens": tokens}
    r = subprocess.run(["node", os.path.join(ROOT, "tests", "regress", "oidc_accept.js")], input=json.dumps(task).encode(),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if b"Cannot find module" in r.stderr:
        tap.skip("an OIDC client that we did not write needs `bash mk/deps.sh check`")
        return
    with case("openid-client takes the discovery document, jose the keys, their ids and the tokens; not a forged one"):
        assert r.returncode == 0, r.stderr.decode()[-600:]
        got = json.loads(r.stdout)
        assert got["issuer"] == URL and [g["sub"] for g in got["good"]] == [SUB] * len(tokens), got
        assert set(got["bad"]) == {"ERR_JWS_SIGNATURE_VERIFICATION_FAILED"}, got
        assert got["thumbs"] and all(a == b for a, b in got["thumbs"]), got
        assert got["asked"][0] == "/sallyport/.well-known/openid-configuration", got


# --- rules of all sessions -----------------------------------------------------------------------------------------------

def crowd(s, vkey, count):
    """That many requests at the same time; their answers."""
    threading.stack_size(256 * 1024)
    got, lock, gate = [], threading.Lock(), threading.Barrier(count)

    def run():
        gate.wait()
        for _ in range(3):  # a 503 that says so is repeated, as every SDK does
            try:
                a = s.post(PATH, BODY, key=vkey, timeout=60)
            except OSError as e:
                a = e
            if isinstance(a, OSError) or a.status != 503:
                break
            time.sleep(0.3)
        with lock:
            got.append(a)
    threads = [threading.Thread(target=run) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return got


def rules(s):
    w = s.sim.world
    for kind, make in (("AssumeRole", role), ("web identity", identity)):
        with case("%s: 1,000 requests at once for a new credential: STS is asked once" % kind):
            k, n = make(s, "crowd-" + kind.split()[0].lower()), len(w.asked(STS))
            w.order(STS, "slow")
            got = crowd(s, k, 1000)
            asked = len(w.asked(STS)) - n
            bad = [a for a in got if isinstance(a, OSError) or a.status != 200]
            assert asked == 1 and not bad, (asked, len(bad), bad[:3])
        for shift in (600, -600):
            with case("%s: AWS's clock %+d s from ours" % (kind, shift)):
                k, n = make(s, "skew-%s%d" % (kind.split()[0].lower(), shift)), len(w.asked(STS))
                w.shift = shift
                try:
                    a = s.post(PATH, BODY, key=k)
                    assert a.status == 200 and s.post(PATH, BODY, key=k).status == 200, a
                    assert len(w.asked(STS)) <= n + 2, len(w.asked(STS)) - n
                    end = item(s, "skew-%s%d" % (kind.split()[0].lower(), shift))["token_expires_s"]
                    assert abs(end - time.time() - 3600) < 60, end - time.time()
                finally:
                    w.shift = 0
        with case("%s: a session that is about to end is not sent any more" % kind):
            w.token_life = 33
            try:
                name = "short-" + kind.split()[0].lower()
                k, n = make(s, name), len(w.asked(STS))
                assert s.post(PATH, BODY, key=k).status == 200
                time.sleep(4)
                assert item(s, name)["token_expires_s"] == 0
                assert s.post(PATH, BODY, key=k).status == 200 and len(w.asked(STS)) == n + 2
            finally:
                w.token_life = 3600
    for mode, want in (("500", 502), ("html", 502), ("truncate", 502), ("slow", 200), ("close", 200)):
        with case("STS %s: %d, and another credential is served" % (mode, want)):
            k = identity(s, "sts-" + mode)
            w.order(STS, mode)
            a = s.post(PATH, BODY, key=k, timeout=30)
            assert a.status == want, a
            assert s.post(PATH, BODY, key=identity(s, "beside-" + mode)).status == 200
            if want != 200:
                time.sleep(2.5)
                assert s.post(PATH, BODY, key=k).status == 200


def refusals(s):
    """Each refusal reaches the client with AWS's code; what may pass is tried again later, by itself."""
    w, keys = s.sim.world, {}
    for code in ("RegionDisabledException", "InvalidClientTokenId", "IDPRejectedClaim", "IDPCommunicationError",
                 "PackedPolicyTooLarge", "Throttling", "ValidationError"):
        with case("STS says %s: 502 with that word, recorded, and not asked again at once" % code):
            k = keys[code] = identity(s, "says-" + code.lower())
            n = len(w.asked(STS))
            w.order(STS, "sts:" + code)
            a = s.post(PATH, BODY, key=k)
            assert a.status == 502 and code.encode() in a.body, a
            assert s.post(PATH, BODY, key=k).status == 502 and len(w.asked(STS)) == n + 1
            assert s.wait_audit(lambda r: r.get("event") == "token.failed" and code in json.dumps(r))
    with case("... but after the back-off"):
        time.sleep(2.1)
        got = [s.post(PATH, BODY, key=k).status for k in keys.values()]
        assert got == [200] * len(keys), got


# --- rotation, restart -----------------------------------------------------------------------------------------------------

def rotation(s):
    w = s.sim.world
    with case("rotation: both keys are published at once, the old one signs on"):
        old = fetch(s, "/.well-known/jwks.json").json()["keys"]
        assert s.admin("ISSUER_SET", url="", rotate=True)[-1][0] == "DONE"
        keys = fetch(s, "/.well-known/jwks.json").json()["keys"]
        assert len(keys) == 2 and old[0] in keys, keys
        assert s.post(PATH, BODY, key=identity(s, "rotated")).status == 200     # by the keys that AWS fetched before
        told = s.admin("ISSUER_GET")[-1][2]["key"]
        assert abs(told[1]["signs_from_s"] - time.time() - 86400) < 60 and told[0]["retired_s"] == told[1]["signs_from_s"], told
    with case("rotation: no second one while the first is running"):
        r = s.admin("ISSUER_SET", url="", rotate=True)[-1]
        assert r[0] == "ERROR" and r[2]["code"] == "rotation_running", r
    with case("the vault starts again: the same keys, and tokens that AWS takes"):
        told = s.admin("ISSUER_GET")[-1][2]
        os.kill(s.pid("core"), 15)
        end, k = time.monotonic() + 15, None
        while True:
            try:
                k = k or identity(s, "again")
                if s.post(PATH, BODY, key=k).status == 200:
                    break
            except (OSError, AssertionError, Closed):
                pass
            assert time.monotonic() < end
            time.sleep(0.2)
        assert s.admin("ISSUER_GET")[-1][2] == told
        assert fetch(s, "/.well-known/jwks.json").json()["keys"] == keys
    with case("what left the vault holds no private number"):
        text = json.dumps(fetch(s, "/.well-known/jwks.json").json()) + json.dumps(told)
        assert not any('"%s"' % x in text for x in ("d", "p", "q", "dp", "dq", "qi")), text[:200]


def refreshed_once(s, vkeys, since):
    """A session older than half a minute: Bedrock calls it expired."""
    w = s.sim.world
    time.sleep(max(0.0, since + 32 - time.monotonic()))
    for kind, k in vkeys.items():
        with case("%s: a session that Bedrock calls expired is fetched anew once; then it is an error" % kind):
            n = len(w.asked(STS))
            w.order(BEDROCK, "expired")
            a = s.post(PATH, BODY, key=k)
            assert a.status == 200 and len(w.asked(STS)) == n + 1, (a, len(w.asked(STS)) - n)
            w.order(BEDROCK, "expired", 2)
            b = len(w.asked(BEDROCK))
            a = s.post(PATH, BODY, key=k)
            assert a.status == 424 and len(w.asked(BEDROCK)) == b + 2, (a, len(w.asked(BEDROCK)) - b)
            assert len(w.asked(STS)) == n + 1   # one of this moment is not given up again
            w.orders.clear()
            assert s.post(PATH, BODY, key=k).status == 200


def main():
    with ProviderStack() as s:
        assume_role(s)
        issuer(s)
        web_identity(s)
        independent(s)
        rules(s)
        refusals(s)
        rotation(s)
        old = {"AssumeRole": role(s, "old-role"), "web identity": identity(s, "old-identity")}
        for k in old.values():
            assert s.post(PATH, BODY, key=k).status == 200
        refreshed_once(s, old, time.monotonic())
        with case("the audit trail has both exchanges"):
            text = json.dumps(s.audit())
            assert "sts-assume-role" in text and "sts-assume-role-with-web-identity" in text
        with case("no process of the stack broke"):
            assert not [r for r in s.audit() if r.get("event") in ("sealer.died", "peer.rejected")]
    tap.done()


main()
