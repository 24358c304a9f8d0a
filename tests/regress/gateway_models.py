#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models through all daemons: what a key is shown of them, which provider a name or a path leads to, which inference profile
Bedrock is asked for and what a credential that keeps to a place refuses, and credentials that have come to their end.
"""

import json
import os
import shutil
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import tap  # noqa: E402
from providers import ProviderStack  # noqa: E402
from sim.bedrock import short_key  # noqa: E402
from stack import ROOT  # noqa: E402
from tap import case, ok  # noqa: E402

VERSION = {"anthropic-version": "2023-06-01"}
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
GLOBAL_ARN = "arn:aws:bedrock:%s:123456789012:inference-profile/global." + SONNET
REFUSALS = {"no profile": (404, "No inference profile of"), "other region": (403, "good in its own region only")}
APP_ARN = "arn:aws:bedrock:%s:123456789012:application-inference-profile/abc123"


def code(a):
    body = a.json()
    return a.status, (body.get("error") or body).get("code") or body.get("code")


def names(s, key=None, path="/v1/models", headers=None):
    a = s.request("GET", path, None, headers, key=key)
    assert a.status == 200, a
    return [m["id"] for m in a.json()["data"]]


def providers_of(ids):
    return {i.split("/")[0] for i in ids}


def issue(s, name, *more):
    return s.ctl("vkey", "issue", name, *more).stdout.decode().strip()


def converse(s, model, key=None, prefix=""):
    return s.post("%s/model/%s/converse" % (prefix, urllib.parse.quote(model, safe="")),
                  {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, key=key)


def asked(s, host):
    """The newest request to such a host: its path, decoded."""
    return urllib.parse.unquote(s.sim.world.asked(host)[-1].path)


# --- lists ---------------------------------------------------------------------------------------------------------------

def lists(s):
    with case("a list has the models of the providers that the key reaches, each by a name that it can be asked for"):
        ids = names(s)
        assert providers_of(ids) == {"openai", "anthropic", "bedrock"} and len(ids) == len(set(ids)), ids
        assert "bedrock/claude-sonnet-4-5" in ids and "openai/gpt-4o-mini" in ids, ids
        assert "bedrock/claude-haiku-4-5-20251001" not in ids, "a hidden alias is listed"
        a = s.chat("bedrock/claude-sonnet-4-5")
        assert a.status == 200 and "bedrock-runtime" in s.sim.world.requests[-1].host, a
    with case("one model by its id, and an unknown one"):
        a = s.request("GET", "/v1/models/anthropic/claude-haiku-4-5")
        assert a.status == 200 and a.json()["id"] == "anthropic/claude-haiku-4-5", a
        assert s.request("GET", "/v1/models/no-such-model").status == 404
    with case("Anthropic's list has what its API can ask: Claude, wherever it is"):
        ids = names(s, headers=VERSION)
        assert providers_of(ids) == {"anthropic", "bedrock"} and all("claude" in i for i in ids), ids
    with case("lists use no key: neither a provider nor the audit log hears of them"):
        asked_before = len(s.sim.world.requests)
        intents = len([r for r in s.audit() if r["event"] == "key.intent"])
        names(s)
        names(s, headers=VERSION)
        assert len(s.sim.world.requests) == asked_before
        assert len([r for r in s.audit() if r["event"] == "key.intent"]) == intents
    with case("behind its prefix a provider's own list is asked of the provider"):
        assert names(s, path="/openai/v1/models") == [m for m in names(s, path="/openai/v1/models") if "/" not in m]
        assert s.sim.world.requests[-1].host == "api.openai.com"
    key = issue(s, "only-haiku", "--model", "claude-haiku*", "--model", "openai/gpt-4o*")
    with case("a key with a list of models is shown these only"):
        ids = names(s, key)
        assert ids and all("haiku" in i or i.startswith("openai/gpt-4o") for i in ids), ids
        assert s.request("GET", "/v1/models/anthropic/claude-opus-4-6", key=key).status == 404
    with case("and cannot ask for others, by whatever name"):
        for name in ("claude-sonnet-4-5", "bedrock/claude-sonnet-4-5", "bedrock/us." + SONNET, "azure/x", "gpt-5.4"):
            a = s.chat(name, key=key)
            assert a.status in (403, 404) and code(a)[1] in ("model_not_allowed", "no_credential"), (name, a)
        assert s.chat("gpt-4o-mini", key=key).status == 200 and s.chat("bedrock/claude-haiku-4-5", key=key).status == 200
    with case("a credential with a list of models is listed with these only"):
        w = s.sim.world
        s.add("some", "bedrock", w.aws_long.secret, "--region", "us-east-1", "--access-key-id", w.aws_long.access_key_id, "--model",
              "claude-haiku*", "--model", "us.amazon.nova-lite*")
        ids = names(s, issue(s, "some", "--credential", "some", "--credential", "openai"))
        some = [i for i in ids if i.startswith("bedrock/")]
        assert "bedrock/nova-lite" in some and all("haiku" in i or "nova-lite" in i for i in some), some
        assert "openai/gpt-4o-mini" in ids, ids
        s.ctl("credential", "remove", "some")
    key = issue(s, "only-openai", "--credential", "openai")
    with case("a key with a list of credentials is shown their providers' models only"):
        assert providers_of(names(s, key)) == {"openai"}
    with case("a credential that is switched off takes its models out of the list, at once"):
        s.ctl("credential", "disable", "openai")
        assert providers_of(names(s)) == {"anthropic", "bedrock"}
        assert s.request("GET", "/v1/models", key=key).status in (403, 404)
        s.ctl("credential", "enable", "openai")
        assert "openai" in providers_of(names(s))


def applied(s):
    files = os.path.join(s.dir, "catalogue")
    shutil.copytree(os.path.join(ROOT, "catalogue"), files, ignore=shutil.ignore_patterns("*.c"))
    path = os.path.join(files, "models-openai.yaml")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("models:\n", "models:\n  - name: our-own-name\n    provider: openai\n    upstream: gpt-4o-mini\n", 1))
    with case("a model that the administrator adds is listed and served at once, under its own name, renamed upstream"):
        assert s.chat("our-own-name").status != 200
        s.ctl("catalog", "apply", *sorted(os.path.join(files, f) for f in os.listdir(files)))
        assert "openai/our-own-name" in names(s)
        a = s.chat("our-own-name")
        assert a.status == 200, a
        assert json.loads(s.sim.world.requests[-1].body)["model"] == "gpt-4o-mini"


# --- providers -----------------------------------------------------------------------------------------------------------

def providers(s):
    for name, host in (("openai/gpt-4o-mini", "api.openai.com"), ("anthropic/claude-haiku-4-5", "api.anthropic.com"),
                       ("bedrock/claude-haiku-4-5", "bedrock-runtime"), ("gpt-4o-mini", "api.openai.com")):
        with case("the name %s leads to %s" % (name, host)):
            assert s.chat(name).status == 200 and host in s.sim.world.requests[-1].host, s.sim.world.requests[-1].host
    with case("the name of a provider that the key has not is refused, and says what to add"):
        a = s.chat("gemini/gemini-2.5-flash")
        assert code(a) == (404, "no_credential") and b"gemini" in a.body, a
    messages = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with case("a prefix in the path leads to its provider, and to no other, whatever the model is called"):
        assert s.post("/openai/v1/chat/completions", {"model": "gpt-4o-mini", "messages": messages["messages"]}).status == 200
        assert s.post("/anthropic/v1/messages", messages, headers=VERSION).status == 200
        assert s.sim.world.requests[-1].host == "api.anthropic.com"
        assert converse(s, "us." + SONNET, prefix="/bedrock").status == 200
        a = s.post("/openai/v1/chat/completions", {"model": "claude-haiku-4-5", "messages": messages["messages"]})
        assert a.status == 404 and s.sim.world.requests[-1].host == "api.openai.com", a
        s.ctl("credential", "disable", "anthropic")
        a = s.post("/anthropic/v1/messages", messages, headers=VERSION)
        assert a.status == 403 and b"credential_disabled" in a.body, a
        s.ctl("credential", "enable", "anthropic")
    with case("a prefix does not serve another API"):
        for path in ("/openai/v1/messages", "/anthropic/v1/chat/completions", "/bedrock/v1/chat/completions"):
            assert s.post(path, messages).status == 404, path


# --- inference profiles --------------------------------------------------------------------------------------------------

def profile(s, name, region, want):
    w = s.sim.world
    more = () if want is None else ("--profile", want)
    s.add(name, "bedrock", w.aws_long.secret, "--region", region, "--access-key-id", w.aws_long.access_key_id, *more)
    return issue(s, name, "--credential", name)


def profiles(s):
    # region, the credential's --profile, what is asked: the id upstream, or the refusal
    rows = (("us-east-1", None, "claude-sonnet-4-5", "us." + SONNET), ("eu-central-1", None, "claude-sonnet-4-5", "eu." + SONNET),
            ("ap-northeast-1", None, SONNET, "jp." + SONNET), ("us-east-1", "global", "claude-sonnet-4-5", "global." + SONNET),
            ("eu-west-1", "geo", SONNET, "eu." + SONNET), ("eu-west-1", "eu", "claude-sonnet-4-5", "eu." + SONNET),
            ("us-east-1", None, "global." + SONNET, "global." + SONNET), ("us-east-1", None, APP_ARN % "us-east-1", APP_ARN % "us-east-1"),
            ("us-east-1", None, "amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
            ("eu-west-1", "none", "amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
            ("us-east-1", "none", "claude-sonnet-4-5", "no profile"), ("eu-west-1", "us", SONNET, "no profile"),
            ("eu-west-1", "geo", "global." + SONNET, "no profile"), ("eu-west-1", "geo", "us." + SONNET, "no profile"),
            ("eu-west-1", "none", "eu." + SONNET, "no profile"), ("eu-west-1", "geo", "mars." + SONNET, "no profile"),
            ("eu-west-1", "geo", GLOBAL_ARN % "eu-west-1", "no profile"),
            ("eu-west-1", "geo", APP_ARN % "eu-west-1", "no profile"),
            ("eu-west-1", None, APP_ARN % "us-east-1", "other region"), ("us-east-1", None, APP_ARN % "eu-west-1", "other region"))
    keys = {}
    for region, want, name, result in rows:
        if (region, want) not in keys:
            keys[region, want] = profile(s, "p-%s-%s" % (region, want or "auto"), region, want)
        text = "a %s credential%s is asked for %s: %s" % (region, " with profile " + want if want else "", name, result)
        with case("profiles: " + text):
            before = len(s.sim.world.requests)
            a = converse(s, name, keys[region, want])
            if result in REFUSALS:
                status, words = REFUSALS[result]
                assert a.status == status and words in a.json()["message"], a
                assert len(s.sim.world.requests) == before, "it was sent"
            else:
                assert a.status == 200, a
                assert asked(s, "bedrock-runtime." + region) == "/model/%s/converse" % result, asked(s, region)
    with case("profiles: chat completions and messages keep to the place as well"):
        for a in (s.chat("bedrock/global." + SONNET, key=keys["eu-west-1", "geo"]),
                  s.post("/v1/messages", {"model": "bedrock/us." + SONNET, "max_tokens": 9, "messages": [
                      {"role": "user", "content": "hi"}]}, key=keys["eu-west-1", "geo"], headers=VERSION)):
            assert a.status == 404 and b"no_inference_profile" in a.body, a
    for region, want in keys:
        s.ctl("credential", "remove", "p-%s-%s" % (region, want or "auto"))


def sessions(s):
    w = s.sim.world
    s.add("long", "bedrock", w.aws_long.secret, "--region", "us-west-2", "--access-key-id", w.aws_long.access_key_id)
    key = issue(s, "long", "--credential", "long")
    with case("a long-term AWS key signs nothing but the question for a session, unless it is told otherwise"):
        for _ in range(3):
            assert converse(s, "us." + SONNET, key).status == 200
        signed = [r.header("authorization") for r in w.asked("bedrock-runtime.us-west-2")]
        assert len(signed) == 3 and all("Credential=ASIA" in a for a in signed), signed
        assert [w.aws_long.access_key_id in r.header("authorization") for r in w.asked("sts.us-west-2")] == [True]
    s.ctl("credential", "remove", "long")


# --- the end of a key ----------------------------------------------------------------------------------------------------

def refused(s, name, *words):
    before = len(s.sim.world.requests)
    a = s.chat("bedrock/us." + SONNET, key=s.keys[name])
    assert code(a) == (403, "credential_expired"), a
    for word in words:
        assert word.encode() in a.body, (word, a)
    assert len(s.sim.world.requests) == before, "it was sent"


def ends(s):
    w = s.sim.world
    life = 4
    key = short_key(w, "us-east-1", life)
    made = time.time()
    s.ctl("credential", "add", "short", "--provider", "bedrock", "--ca", s.sim.ca, input=key.encode() + b"\n")
    temporary = w.issue_aws(3600, "test")
    ending = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made + life))
    s.ctl("credential", "add", "temporary", "--provider", "bedrock", "--ca", s.sim.ca, "--region", "us-east-1", "--access-key-id",
          temporary.access_key_id, "--expires", ending, input=("%s\n%s\n" % (temporary.secret, temporary.session)).encode())
    s.keys = {n: issue(s, n, "--credential", n) for n in ("short", "temporary")}
    with case("a short-term Bedrock key: its region and its end are read from itself"):
        item = [c for c in json.loads(s.ctl("credential", "list", "--json").stdout) if c["name"] == "short"][0]
        assert item["region"] == "us-east-1" and key not in json.dumps(item), item
        assert converse(s, "us." + SONNET, s.keys["short"]).status == 200
        assert w.requests[-1].header("authorization") == "Bearer " + key
    with case("a temporary AWS key works until its end"):
        assert converse(s, "us." + SONNET, s.keys["temporary"]).status == 200
    time.sleep(max(0, made + life + 1.1 - time.time()))
    with case("after its end a short-term key is refused before anything is sent, and says what to do"):
        refused(s, "short", "has expired", "rotate short")
    with case("after its end a temporary key is refused before anything is sent: it cannot be refreshed"):
        refused(s, "temporary", "cannot be refreshed", "ASIA", "rotate temporary")
    with case("the refusals are in the audit log"):
        got = s.wait_audit(lambda r: r["event"] == "key.denied" and r["error_code"] == "credential_expired")
        assert got, "no record"
    with case("a new key for it serves at once"):
        s.ctl("credential", "rotate", "short", input=short_key(w, "us-east-1").encode() + b"\n")
        assert converse(s, "us." + SONNET, s.keys["short"]).status == 200
    with case("a key that has ended, is damaged, or is of another region is not taken"):
        late = short_key(w, "us-east-1", 1)
        time.sleep(2.1)
        for bad, more, word in ((late, (), b"has expired"), (late[:-9], (), b"damaged"),
                                (short_key(w, "us-east-1"), ("--region", "eu-west-1"), b"us-east-1 only")):
            r = s.ctl("credential", "add", "bad", "--provider", "bedrock", "--ca", s.sim.ca, *more, input=bad.encode() + b"\n",
                      check=False)
            assert r.returncode != 0 and word in r.stderr, r
    for name in s.keys:
        s.ctl("credential", "remove", name)
    with case("no key of these is in any log"):
        for secret in (key, temporary.secret, temporary.session):
            assert secret not in s.logs(tail=10 ** 7)


with ProviderStack() as stack:
    lists(stack)
    providers(stack)
    profiles(stack)
    sessions(stack)
    ends(stack)
    applied(stack)
    ok(stack.chat("gpt-4o-mini").status == 200, "after all of that the gateway still serves", stack.logs())
tap.done()
