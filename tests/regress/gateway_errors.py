#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What answers cost and what follows failed attempts, through all daemons, with simulators under the providers' names:
the client's answer, its headers, and the records.
"""

import json
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from providers import ProviderStack  # noqa: E402
from tap import case, done  # noqa: E402

HI = [{"role": "user", "content": "hi"}]
HI_AWS = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SESSION_AGE = 31    # seconds before the vault believes that a session has expired


def ask(s, path, body, **more):
    """The answer and the records of its uses, the last one's attributes first."""
    seq = s.audit()[-1]["seq"]
    r = s.post(path, body, **more)
    r.headers = {k.lower(): v for k, v in r.headers}
    records = s.wait_audit(lambda r: r["event"] == "key.complete" and r["user"] != "vault", from_seq=seq + 1)
    for _ in range(20):     # as many completions as intents
        all_ = s.audit(seq + 1)
        records = [x for x in all_ if x["event"] == "key.complete" and x["user"] != "vault"]
        if len(records) == len([x for x in all_ if x["event"] == "key.intent" and x["user"] != "vault"]):
            break
        time.sleep(0.1)
    return r, records


def costs(s, what, path, body, nano):
    with case("cost: " + what):
        r, records = ask(s, path, body)
        assert r.status == 200, r
        stream = body.get("stream") or "stream" in path
        said = r.headers.get("x-sallyport-cost-usd")
        want = None if stream or nano is None else "%d.%09d" % divmod(nano, 10**9)
        assert said == want, (said, want)
        assert [x["attrs"].get("cost_nano_usd") for x in records] == [nano], (nano, records)


def check_costs(s):
    chat = {"model": "gpt-4o-mini", "messages": HI}
    # 11 + 5 cached, 7 out: $0.15, $0.075, $0.60 for a million
    mini = 11 * 150 + 5 * 75 + 7 * 600
    costs(s, "OpenAI", "/v1/chat/completions", chat, mini)
    costs(s, "OpenAI, streamed with usage: in the record", "/v1/chat/completions",
          dict(chat, stream=True, stream_options={"include_usage": True}), mini)
    costs(s, "OpenAI, streamed without: nowhere", "/v1/chat/completions", dict(chat, stream=True), None)
    costs(s, "OpenAI embeddings", "/v1/embeddings", {"model": "text-embedding-3-small", "input": ["a"]}, 4 * 20)
    # 11, 2 written, 5 read, 7 out: $1, $1.25, $0.10, $5
    haiku = 11 * 1000 + 2 * 1250 + 5 * 100 + 7 * 5000
    costs(s, "Anthropic", "/v1/messages", {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": HI}, haiku)
    costs(s, "Anthropic, streamed", "/v1/messages",
          {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": HI, "stream": True}, haiku)
    costs(s, "chat, translated to Anthropic", "/v1/chat/completions", {"model": "anthropic/claude-haiku-4-5", "messages": HI}, haiku)
    costs(s, "counting tokens: nowhere", "/v1/messages/count_tokens", {"model": "claude-haiku-4-5", "messages": HI}, None)
    # 11, 5 read, 7 out: $3, $0.30, $15; ten percent more in a profile of the US
    sonnet = (11 * 3000 + 5 * 300 + 7 * 15000) * 11 // 10
    costs(s, "Converse, regional", "/model/%s/converse" % PROFILE, HI_AWS, sonnet)
    costs(s, "Converse, global", "/model/%s/converse" % PROFILE.replace("us.", "global."), HI_AWS, sonnet * 10 // 11)
    costs(s, "ConverseStream", "/model/%s/converse-stream" % PROFILE, HI_AWS, sonnet)
    invoke = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": HI}
    wrote = sonnet + 2 * 3750 * 11 // 10
    costs(s, "InvokeModel", "/model/%s/invoke" % PROFILE, invoke, wrote)
    costs(s, "InvokeModelWithResponseStream, by its metrics", "/model/%s/invoke-with-response-stream" % PROFILE, invoke, wrote)
    # 11 + 5 cached, 7 out: $0.30, $0.03, $2.50
    flash = 11 * 300 + 5 * 30 + 7 * 2500
    gemini = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    costs(s, "Gemini", "/v1beta/models/gemini-2.5-flash:generateContent", gemini, flash)
    costs(s, "Gemini, streamed", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", gemini, flash)
    costs(s, "chat, translated to Gemini", "/v1/chat/completions", {"model": "gemini/gemini-2.5-flash", "messages": HI}, flash)
    with case("the command shows cost in dollars"):
        text = s.ctl("audit", "tail", "-n", "400", check=False).stdout.decode()
        assert "cost_usd=0.%09d" % mini in text, text[-2000:]


def check_next(s):
    """A second key of the same provider serves where the first one's failure says that it may."""
    chat = {"model": "gpt-4o-mini", "messages": HI}
    for mode, status, name in (("500", 500, "server"), ("503", 503, "overload"), ("429", 429, "rate"), ("quota", 429, "quota"),
                               ("html", 503, "overload"), ("expired", 403, "auth"), ("truncate", 200, "server")):
        with case("%s: the next key serves, both are recorded" % mode):
            s.sim.world.order("api.openai.com", mode)
            r, records = ask(s, "/v1/chat/completions", chat)
            assert r.status == 200 and r.json()["choices"], r
            assert [(x["result"], x["attrs"].get("error_class"), x["attrs"]["upstream_status"]) for x in records] == [
                ("failed", name, status), ("ok", None, 200)], [(x["result"], x["error_code"], x["attrs"]) for x in records]
            assert len({x["key_id"] for x in records}) == 2, records
            assert "cost_nano_usd" not in records[0]["attrs"] and records[1]["attrs"]["cost_nano_usd"], records
    with case("the client's own fault: no other key is used"):
        r, records = ask(s, "/v1/chat/completions", dict(chat, messages=[]))
        assert r.status == 400 and [x["attrs"]["error_class"] for x in records] == ["client"], (r, records)
    with case("a stream that began is not begun anew"):
        s.sim.world.order("api.openai.com", "stream-error")
        r, records = ask(s, "/v1/chat/completions", dict(chat, stream=True))
        assert r.status == 200 and b"[DONE]" not in r.body and len(records) == 1, (r, records)
    with case("both fail: the client hears of it, and that it may retry"):
        s.sim.world.order("api.openai.com", "429", 2)
        r, records = ask(s, "/v1/chat/completions", chat)
        assert r.status == 429 and r.headers["retry-after"] == "2" and "x-should-retry" not in r.headers, r.headers
        assert len(records) == 2
    with case("a quota on both: a retry is useless, and the answer says so"):
        s.sim.world.order("api.openai.com", "quota", 2)
        r, records = ask(s, "/v1/chat/completions", chat)
        assert r.status == 429 and r.headers["x-should-retry"] == "false", r.headers


def check_sessions(s):
    """Sessions that AWS calls expired: by an error that is ordered, and by the simulator's own clock."""
    w = s.sim.world
    path = "/model/%s/converse" % PROFILE
    s.ctl("credential", "remove", "bedrock")
    s.add("session", "bedrock", w.aws_long.secret, "--region", "us-east-1", "--access-key-id", w.aws_long.access_key_id)

    def asked():
        return len(w.asked("sts."))

    def signed_by():
        return w.asked("bedrock-runtime")[-1].header("authorization").split("Credential=")[1].split("/")[0]
    with case("a session is bought for the first request"):
        r, _ = ask(s, path, HI_AWS)
        assert r.status == 200 and asked() == 1, (r, asked())
        first = signed_by()
    time.sleep(SESSION_AGE)
    with case("the session has expired over there: another is bought, the same request goes again, the client sees nothing"):
        w.aws[first].expires = w.now() - 1
        seq = s.audit()[-1]["seq"]
        r, records = ask(s, path, HI_AWS)
        assert r.status == 200, r
        assert asked() == 2 and signed_by() != first, (asked(), signed_by())
        assert [(x["result"], x["attrs"].get("error_class")) for x in records] == [("failed", "expired"), ("ok", None)], records
        events = [x["event"] for x in s.audit(seq + 1) if x["event"].startswith("token.")]
        assert events == ["token.refreshed"], events
    with case("expired again at once: the young session is kept, one more try, then the client is told"):
        w.order("bedrock-runtime", "expired", 2)
        r, records = ask(s, path, HI_AWS)
        assert r.status == 424 and r.headers["x-sallyport-error-code"] == "provider_auth_failed", r
        assert b"expired" in r.body and asked() == 2, (r, asked())
        assert [x["attrs"]["error_class"] for x in records] == ["expired"] * 2, records
    with case("and the next request is served"):
        r, _ = ask(s, path, HI_AWS)
        assert r.status == 200 and asked() == 2, (r, asked())


with ProviderStack() as stack:
    stack.add("gemini", "gemini", stack.sim.world.gemini_key)
    check_costs(stack)
    stack.add("openai-2", "openai", stack.sim.world.openai_key)
    check_next(stack)
    check_sessions(stack)
done()
