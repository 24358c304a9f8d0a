#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Vertex AI by service account through the whole stack: the simulated token endpoint verifies each assertion (signature,
audience, times), and Vertex takes nothing but its living tokens, or one that the account signed for that very host."""

import base64
import json
import os
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402

try:
    from providers import ProviderStack  # noqa: E402
except ImportError as e:
    tap.skip_all("the simulators need `bash mk/deps.sh check`: %s" % e)

from sp_proto import NUM  # noqa: E402
from tap import case  # noqa: E402

HI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
CLAUDE = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}


class Key:
    """A credential of the simulated account, and a virtual key for it alone."""

    count = 0

    def __init__(self, s, auth="GOOGLE_TOKEN", region="us-central1", **change):
        Key.count += 1
        self.s, self.w, self.region, self.name = s, s.sim.world, region, "google-%d" % Key.count
        j = dict(self.w.google_json(), **change)
        setting = [dict(id=NUM["SETTING_" + k], value=v) for k, v in (
            ("PROJECT", j["project_id"]), ("CLIENT_EMAIL", j["client_email"]), ("PRIVATE_KEY_ID", j["private_key_id"]))]
        text = "".join(x for x in j["private_key"].splitlines() if "-----" not in x)
        r = s.admin("CREDENTIAL_PUT", name=self.name, expect_version=0, provider=NUM["PROVIDER_VERTEX"],
                    auth=NUM["AUTH_" + auth], region=region, secret=text, ca_pem=s.sim.ca_pem(), workspace="google", enabled=True,
                    setting=setting)
        assert r[-1][0] == "DONE", r
        r = s.admin("VKEY_ISSUE", name=self.name, workspace="google", credential=[dict(name=self.name)], model=[])
        assert r[-1][0] == "VKEY_ISSUED", r
        self.vkey = r[-1][2]["key"]

    def path(self, model, method, publisher="google"):
        return "/vertex/v1/projects/%s/locations/%s/publishers/%s/models/%s:%s" % (
            self.w.google_project, self.region, publisher, model, method)

    def post(self, model, method, body, publisher="google", timeout=30.0):
        return self.s.post(self.path(model, method, publisher), body, key=self.vkey, timeout=timeout)

    def hi(self):
        return self.post("gemini-2.5-flash", "generateContent", HI)


def exchanges(w):
    return w.asked("oauth2.googleapis.com")


def check_native(s, what, key):
    w = key.w
    with case("%s: generateContent, embeddings and token counts" % what):
        a = key.hi()
        assert a.status == 200, a
        assert json.loads(a.body)["candidates"][0]["content"]["parts"][0]["text"] == "You said: hi", a.body
        a = key.post("gemini-embedding-001", "predict", {"instances": [{"content": "a"}, {"content": "b"}]})
        assert a.status == 200 and len(json.loads(a.body)["predictions"]) == 2, a
        assert json.loads(key.post("gemini-2.5-flash", "countTokens", HI).body)["totalTokens"] == 11
    with case("%s: streamGenerateContent, event by event" % what):
        a = s.post(key.path("gemini-2.5-flash", "streamGenerateContent") + "?alt=sse", HI, key=key.vkey, timeout=30)
        events = [json.loads(x[6:]) for x in a.body.decode().split("\r\n\r\n") if x.startswith("data: ")]
        text = "".join(p.get("text", "") for e in events for p in e["candidates"][0]["content"]["parts"])
        assert a.status == 200 and text == "You said: hi" and events[-1]["usageMetadata"]["trafficType"] == "ON_DEMAND", a
    with case("%s: Claude by rawPredict and streamRawPredict, its '@' as Google's SDKs send it" % what):
        a = key.post("claude-sonnet-4-5@20250929", "rawPredict", CLAUDE, "anthropic")
        assert a.status == 200 and json.loads(a.body)["content"][0]["text"] == "You said: hi", a
        assert w.requests[-1].target.endswith("/claude-sonnet-4-5@20250929:rawPredict"), w.requests[-1].target
        a = key.post("claude-sonnet-4-5@20250929", "streamRawPredict", dict(CLAUDE, stream=True), "anthropic")
        assert a.status == 200 and b"event: message_stop" in a.body, a
    with case("%s: the bearer token is the provider's business alone" % what):
        last = w.requests[-1]
        token = last.header("authorization").split(" ")[1]
        assert key.vkey not in repr(last.headers) and token.encode() not in a.body


def check_request(s, key):
    w = key.w
    with case("one assertion, as Google documents it"):
        r = exchanges(w)[0]
        form = dict(urllib.parse.parse_qsl(r.body.decode()))
        head, claims = (json.loads(base64.urlsafe_b64decode(x + "==")) for x in form["assertion"].split(".")[:2])
        assert (r.method, r.target) == ("POST", "/token") and "authorization" not in r.names()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer" and len(form) == 2
        assert head == {"alg": "RS256", "typ": "JWT", "kid": w.google_key_id}, head
        assert set(claims) == {"iss", "aud", "scope", "iat", "exp"} and claims["exp"] - claims["iat"] <= 3600, claims
    with case("the exchange is in the audit trail, as a use of the key"):
        got = s.wait_audit(lambda r: r.get("event") == "token.refreshed")
        text = json.dumps(s.audit())
        assert got and "google-token" in text and "oauth2.googleapis.com" in text, got
    with case("64 requests of 32 clients, one exchange"):
        fresh, answers = Key(s), []
        before = len(exchanges(w))
        w.order("oauth2", "slow")
        t = [threading.Thread(target=lambda: answers.extend([fresh.hi().status, fresh.hi().status])) for _ in range(32)]
        for x in t:
            x.start()
        for x in t:
            x.join()
        assert answers == [200] * 64, [a for a in answers if a != 200][:3]
        assert len(exchanges(w)) == before + 1, len(exchanges(w)) - before


def check_life(s, old, since):
    w = s.sim.world
    with case("refreshed before its end while the present one serves; an expired one is never sent"):
        w.token_life = 40  # counts as expired 30 s before its end
        key = Key(s)
        try:
            seen, end = set(), time.monotonic() + 22
            while time.monotonic() < end:
                assert key.hi().status == 200
                seen.add(w.requests[-1].header("authorization") if "aiplatform" in w.requests[-1].host else None)
                time.sleep(0.5)
            assert len(seen - {None}) >= 2, len(seen)
            vertex = [r for r in w.asked("aiplatform") if r.header("authorization")]
            assert vertex, "no request"
        finally:
            w.token_life = 3600
    with case("a token that Vertex calls expired: another one is bought and the request served, if it is 30 s old"):
        young = Key(s)
        assert young.hi().status == 200
        time.sleep(max(0, since + 31 - time.monotonic()))
        with w.lock:
            w.google_tokens.clear()  # Google forgot them all
        n = len(exchanges(w))
        assert old.hi().status == 200 and len(exchanges(w)) == n + 1
        assert young.hi().status == 424 and len(exchanges(w)) == n + 1  # no gateway makes the vault ask without end


def check_faults(s):
    w = s.sim.world
    gone = dict(client_email="x@sim-project.iam.gserviceaccount.com")
    for what, change, word, fix in (("a deleted key", dict(private_key_id="0" * 40), b"invalid_grant", "make a new JSON key"),
                                    ("an account that is gone", gone, b"account not found", "does not exist")):
        with case("%s: 502 with Google's reason, and it is not asked again at once" % what):
            key, n = Key(s, **change), len(exchanges(w))
            got = [key.hi() for _ in range(10)]
            assert {a.status for a in got} == {502} and word in got[0].body, got[0]
            assert len(exchanges(w)) <= n + 2, len(exchanges(w)) - n
            assert fix in s.logs(200000), "the vault's log does not say what to do"
    for mode, status in (("500", 502), ("html", 502), ("truncate", 502), ("expired", 502)):
        with case("token endpoint says %s: an error, and it works again after the back-off" % mode):
            key = Key(s)
            w.order("oauth2", mode)
            a = key.hi()
            assert a.status in (status, 503), a
            end = time.monotonic() + 10
            while key.hi().status != 200:
                assert time.monotonic() < end
                time.sleep(0.3)
    with case("token endpoint answers with what is no token: nothing of it is sent"):
        for body in (b'{"access_token":"a b","expires_in":3599,"token_type":"Bearer"}', b"[]", b"",
                     b'{"access_token":"x\\r\\ny: z","expires_in":3599,"token_type":"Bearer"}'):
            key, n = Key(s), len(w.asked("aiplatform"))
            w.say("oauth2", 200, body)
            a = key.hi()
            assert a.status == 502 and len(w.asked("aiplatform")) == n, (body, a)
    with case("clock 10 minutes off either way: the first refusal tells the time, the second request works"):
        try:
            for shift in (600, -600):
                w.shift = shift
                assert Key(s).hi().status == 200, shift
                assert Key(s, auth="GOOGLE_JWT").hi().status == 200, shift
        finally:
            w.shift = 0
    with case("the token goes to the credential's own host and project only"):
        key, n = Key(s, region="europe-west1"), len(w.asked("aiplatform"))
        a = s.post("/vertex/v1/projects/other-project/locations/us-central1/publishers/google/models/gemini-2.5-flash:generateContent",
                   HI, key=key.vkey)
        for r in w.asked("aiplatform")[n:]:
            assert r.host == "europe-west1-aiplatform.googleapis.com" and "/projects/sim-project/" in r.target, (r.host, r.target)
        assert a.status in (200, 400, 403, 404), a


def main():
    with ProviderStack() as s:
        w = s.sim.world
        since, key = time.monotonic(), Key(s)
        check_native(s, "access token", key)
        check_request(s, key)
        n = len(exchanges(w))
        check_native(s, "self-signed token", Key(s, auth="GOOGLE_JWT"))
        with case("self-signed tokens need no exchange"):
            assert len(exchanges(w)) == n
        check_native(s, "global", Key(s, region="global"))
        check_native(s, "global, self-signed", Key(s, auth="GOOGLE_JWT", region="global"))
        check_life(s, key, since)
        check_faults(s)
    tap.done()


main()
