#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests of one API that another one serves, through all daemons to the provider simulators under the real host names:
whole answers, streams, tools, images, embeddings, counts, every class of error, cut streams, further attempts, hostile JSON.
"""

import base64
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_lib import CHAT_PATH, Client, head, wait_for  # noqa: E402

import tap  # noqa: E402
from providers import ProviderStack  # noqa: E402
from scenarios import CITY, PNG  # noqa: E402
from tap import case, ok  # noqa: E402

HOSTS = {"anthropic": "api.anthropic.com", "bedrock": "bedrock-runtime", "gemini": "generativelanguage", "vertex": "aiplatform",
         "vertex-claude": "aiplatform"}
MODELS = {"anthropic": "anthropic/claude-sonnet-4-5", "bedrock": "bedrock/claude-sonnet-4-5", "gemini": "gemini/gemini-2.5-flash",
          "vertex": "vertex/gemini-2.5-flash", "vertex-claude": "vertex/claude-sonnet-4-5"}
VERSION = {"anthropic-version": "2023-06-01"}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]


def ask(model, text="hi", **more):
    return dict({"model": model, "messages": [{"role": "user", "content": text}]}, **more)


def events(body):
    """Names and data of a whole stream; every event ends with an empty line, and none is broken."""
    text = body.decode()
    assert text.endswith("\n\n"), text[-200:]
    out = []
    for block in text[:-2].split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            data = fields["data"]
            out.append((fields.get("event"), data if data == "[DONE]" else json.loads(data)))
    return out


def stream_text(body):
    """The text of a chat stream that is whole."""
    got = events(body)
    assert got[-1] == (None, "[DONE]"), got[-1]
    chunks = [d for _, d in got[:-1]]
    assert not any("error" in c for c in chunks), chunks
    assert len({c["id"] for c in chunks}) == 1 and chunks[0]["choices"][0]["delta"]["role"] == "assistant", chunks[0]
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]][-1] == "stop", chunks[-1]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


def open_stream(s, key, body, path=CHAT_PATH):
    """Sends and reads to the end: (status, body, whether the end was clean)."""
    with Client(s.port) as c:
        raw = json.dumps(body).encode()
        c.send(head(key, len(raw), path, b"anthropic-version: 2023-06-01\r\n") + raw)
        got = b""
        while not got.endswith(b"\r\n0\r\n\r\n"):
            d = c.sock.recv(65536)
            if not d:
                break
            got += d
        top, rest = got.split(b"\r\n\r\n", 1)
        status = int(top.split()[1])
        if b"transfer-encoding: chunked" not in top.lower():
            return status, rest, True
        out = b""
        while rest:
            n, rest = rest.split(b"\r\n", 1)
            if int(n, 16) == 0:
                return status, out, True
            out, rest = out + rest[:int(n, 16)], rest[int(n, 16) + 2:]
        return status, out, False


# --- what works ----------------------------------------------------------------------------------------------------


def check_chat(s, name):
    model = MODELS[name]
    with case("%s: a whole answer" % name):
        r = s.post(CHAT_PATH, ask(model, "žluť", seed=3)).json()
        assert r["object"] == "chat.completion" and r["model"] == model, r
        assert r["choices"][0]["message"]["content"] == "You said: žluť" and r["usage"]["completion_tokens"] == 7, r
    with case("%s: a stream with counts" % name):
        r = s.post(CHAT_PATH, ask(model, "žluť", stream=True, stream_options={"include_usage": True}))
        h = {k.lower(): v for k, v in r.headers}
        assert h["content-type"].startswith("text/event-stream") and "content-length" not in h, h
        assert stream_text(r.body) == "You said: žluť"
        usage = events(r.body)[-2][1]
        assert usage["choices"] == [] and usage["usage"]["completion_tokens"] == 7, usage
    for mode in ("bytewise", "slow", "close") + (("crlf", "huge-line") if name != "bedrock" else ()):
        with case("%s: a whole stream although %s" % (name, mode)):
            s.sim.world.order(HOSTS[name], mode)
            assert stream_text(s.post(CHAT_PATH, ask(model, stream=True)).body) == "You said: hi"
    with case("%s: tools both ways, in a stream too" % name):
        first = ask(model, "call twice please", tools=TOOLS)
        m = s.post(CHAT_PATH, first).json()["choices"][0]
        calls = m["message"]["tool_calls"]
        assert m["finish_reason"] == "tool_calls" and len(calls) == 2 and len({c["id"] for c in calls}) == 2, m
        assert json.loads(calls[0]["function"]["arguments"]) == {"city": "Žilina"}, calls
        results = [{"role": "tool", "tool_call_id": c["id"], "content": "sunny"} for c in calls]
        turns = first["messages"] + [m["message"]] + results
        r = s.post(CHAT_PATH, dict(first, messages=turns)).json()
        assert "sunny | sunny" in r["choices"][0]["message"]["content"], r
        parts = {}
        for _, d in events(s.post(CHAT_PATH, dict(first, stream=True)).body)[:-1]:
            for t in d["choices"][0]["delta"].get("tool_calls", []):
                parts[t["index"]] = parts.get(t["index"], "") + t["function"]["arguments"]
        assert [json.loads(parts[i]) for i in (0, 1)] == [{"city": "Žilina"}] * 2, parts
    with case("%s: an image and a schema" % name):
        url = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(PNG).decode()}}
        r = s.post(CHAT_PATH, ask(model, [{"type": "text", "text": "look"}, url])).json()
        assert "Saw image/png of %d bytes" % len(PNG) in r["choices"][0]["message"]["content"], r
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": CITY, "strict": True}}
        r = s.post(CHAT_PATH, ask(model, response_format=form)).json()
        assert json.loads(r["choices"][0]["message"]["content"]) == {"city": "Žilina"}, r
    with case("%s: a parameter it lacks is named, or refused when asked to" % name):
        r = s.post(CHAT_PATH, ask(model, logit_bias={"1": 1}))
        assert r.status == 200 and "logit_bias" in dict(r.headers).get("x-sallyport-dropped-params", ""), r.headers
        r = s.post(CHAT_PATH, ask(model, logit_bias={"1": 1}), headers={"x-sallyport-strict-params": "true"})
        assert r.status == 400 and r.json()["error"]["code"] == "unsupported_parameter", r


def check_messages(s, where, name, host):
    body = {"model": MODELS[name], "max_tokens": 50, "messages": [{"role": "user", "content": "žluť"}]}
    with case("Messages on %s: whole, counted and streamed" % where):
        r = s.post("/v1/messages", body, headers=VERSION)
        assert r.status == 200 and r.json()["content"][0]["text"] == "You said: žluť", r
        count = s.post("/v1/messages/count_tokens", {k: body[k] for k in ("model", "messages")}, headers=VERSION).json()
        assert list(count) == ["input_tokens"] and count["input_tokens"] >= 8, count
        r = s.post("/v1/messages", dict(body, stream=True), headers=VERSION)
        got = events(r.body)
        assert [n for n, _ in got][0] == "message_start" and [n for n, _ in got][-1] == "message_stop", got
        assert all(n == d["type"] for n, d in got) and b"invocationMetrics" not in r.body, got
        text = "".join(d["delta"].get("text", "") for n, d in got if n == "content_block_delta")
        assert text == "You said: žluť" and (name != "bedrock" or "x-amzn-requestid" in dict(r.headers)), (text, r.headers)
    with case("Messages on %s: errors have Anthropic's form" % where):
        s.sim.world.order(host, "429")
        r = s.post("/v1/messages", body, headers=VERSION)
        e = r.json()
        assert r.status == 429 and e["type"] == "error" and e["error"]["type"] == "rate_limit_error", r
    for mode in ("truncate", "stream-error"):
        with case("Messages on %s: %s ends by an error event" % (where, mode)):
            s.sim.world.order(host, mode)
            _, got, clean = open_stream(s, s.key, dict(body, stream=True), "/v1/messages")
            got = events(got)
            assert got[-1][0] == "error" and "message_stop" not in [n for n, _ in got], got
            assert clean == (mode == "stream-error")


def check_embeddings(s):
    for model in ("gemini/gemini-embedding-001", "vertex/gemini-embedding-001", "bedrock/cohere-embed-multilingual-v3", "bedrock/titan-embed-text-v2"):
        with case("embeddings: " + model):
            texts = ["alpha"] if "titan" in model else ["alpha", "beta"]
            r = s.post("/v1/embeddings", {"model": model, "input": texts}).json()
            assert [d["index"] for d in r["data"]] == list(range(len(texts))) and r["model"] == model, r
            raw = s.post("/v1/embeddings", {"model": model, "input": "alpha", "encoding_format": "base64"}).json()["data"][0]
            data = base64.b64decode(raw["embedding"], validate=True)
            assert list(struct.unpack("<%df" % (len(data) // 4), data)) == r["data"][0]["embedding"] and len(data) >= 32
    with case("embeddings: what a model cannot take is a 400 that says so"):
        r = s.post("/v1/embeddings", {"model": "bedrock/titan-embed-text-v2", "input": ["a", "b"]})
        assert r.status == 400 and "1 text" in r.json()["error"]["message"], r


def check_azure(s):
    world = s.sim.world
    body = ask("gpt-4o-mini", "žluť")
    for dated in (False, True):
        s.add("azure", "azure", world.azure_key, "--host", world.azure_resource + ".openai.azure.com",
              "--deployment", "gpt-4o-mini=chat-dep", *(["--api-version", "2024-10-21"] if dated else []))
        way = "dated" if dated else "v1"
        for what, path, b in (("its own path and the model's name", "/azure/openai/deployments/gpt-4o-mini/chat/completions", body),
                              ("a body without a model", "/azure/openai/deployments/gpt-4o-mini/chat/completions",
                               {"messages": body["messages"]}),
                              ("OpenAI's path", CHAT_PATH, dict(body, model="azure/gpt-4o-mini"))):
            with case("azure, %s: the deployment, by %s" % (way, what)):
                r = s.post(path, b)
                assert r.status == 200 and r.json()["choices"][0]["message"]["content"] == "You said: žluť", r
                r = s.post(path, dict(b, stream=True))
                assert r.status == 200 and events(r.body)[-1] == (None, "[DONE]"), r
        if not dated:
            with case("azure: responses"):
                r = s.post("/v1/responses", {"model": "azure/gpt-4o-mini", "input": "žluť"})
                assert r.status == 200 and "You said: žluť" in r.body.decode("unicode_escape", "replace") + r.body.decode(), r
        s.ctl("credential", "remove", "azure")


# --- what fails -----------------------------------------------------------------------------------------------------


def check_errors(s, name):
    model = MODELS[name]
    wants = {"400": (400, "invalid_request"), "403": (502, None), "404": (404, "model_not_found"), "429": (429, "rate_limit_exceeded"), "500": (500, "provider_error"), "html": (503, None), "503": (503, None),
             "expired": (502, "provider_auth_failed")}
    if name.startswith("vertex"):
        del wants["expired"]  # buys another token
    elif name != "gemini":  # Google has no such status
        wants["529"] = (503, "provider_overloaded")
    for mode, (status, code) in wants.items():
        with case("%s: %s in the client's form" % (name, mode)):
            s.sim.world.order(HOSTS[name], mode)
            r = s.post(CHAT_PATH, ask(model))
            e = r.json()["error"]
            assert r.status in ((status, 502) if code is None else (status,)) and set(e) == {"message", "type", "param", "code"}, r
            assert code is None or e["code"] == code, r
            h = {k.lower(): v for k, v in r.headers}
            assert (h.get("retry-after") == "2") == (mode == "429"), h
            # Where an SDK would repeat by itself what cannot get better.
            assert (h.get("x-should-retry") == "false") == (mode in ("403", "expired")), h
            assert (e["message"] == "That will not do") == (mode == "400"), e
            assert b"<html" not in r.body and s.post(CHAT_PATH, ask(model)).status == 200
    for mode in ("truncate", "wrong-type"):
        with case("%s: a whole answer with %s" % (name, mode)):
            s.sim.world.order(HOSTS[name], mode)
            r = s.post(CHAT_PATH, ask(model))
            assert r.status == (502 if mode == "truncate" else 200), r
    with case("%s: no stream where one was asked is no clean end" % name):
        s.sim.world.order(HOSTS[name], "wrong-type")
        r = s.post(CHAT_PATH, ask(model, stream=True))
        assert r.status == 502 and b"[DONE]" not in r.body, r
    for mode in ("truncate", "stream-error"):
        with case("%s: %s in mid-stream" % (name, mode)):
            s.sim.world.order(HOSTS[name], mode)
            status, body, clean = open_stream(s, s.key, ask(model, "x" * 400, stream=True))
            got = events(body)
            assert status == 200 and "error" in got[-1][1] and "[DONE]" not in [d for _, d in got], got[-3:]
            assert not any(d.get("choices") and d["choices"][0]["finish_reason"] for _, d in got), got
            assert clean == (mode == "stream-error"), clean


def check_abort(s, name):
    with case("%s: a client that goes away in mid-stream" % name):
        model = MODELS[name]
        raw = json.dumps(ask(model, "x" * 200000, stream=True)).encode()
        with Client(s.port) as c:
            c.send(head(s.key, len(raw)) + raw)
            while b'"content":"' not in c.buf:
                c.buf += c.sock.recv(4096)

        def recorded():
            got = s.ctl("audit", "tail", "-n", "20", "--json").stdout.decode()
            return "client_closed" in got
        assert wait_for(recorded, 10), s.ctl("audit", "tail", "-n", "5", "--json").stdout
        assert s.post(CHAT_PATH, ask(model)).status == 200


def check_hostile(s):
    """Nothing of these may reach a provider, and all are the client's fault."""
    def body(inner):
        return b'{"model":"%s","messages":[{"role":"user","content":"q"}],%s}' % (MODELS["anthropic"].encode(), inner)
    hostile = {"deep nesting": body(b'"x":' + b"[" * 500 + b"]" * 500),
               "a member twice": body(b'"max_tokens":1,"max_tokens":2'),
               "a huge number": body(b'"max_tokens":' + b"9" * 5000),
               "a lone surrogate": body(b'"user":"\\ud800"'),
               "bytes that are no text": body(b'"user":"\xff\xfe"'),
               "a number for a list": body(b'"tools":7'),
               "an empty name": body(b'"tools":[{"type":"function","function":{"name":""}}]')}
    for what, raw in hostile.items():
        with case("hostile JSON: " + what):
            before = len(s.sim.world.asked("anthropic"))
            r = s.post(CHAT_PATH, raw)
            assert r.status == 400 and r.json()["error"]["type"] == "invalid_request_error", r
            assert len(s.sim.world.asked("anthropic")) == before
    with case("hostile JSON: nothing of it hurts the next request"):
        assert s.post(CHAT_PATH, ask(MODELS["anthropic"])).status == 200


def check_fallback(s):
    def key(name, *credentials):
        args = [a for c in credentials for a in ("--credential", c)]
        return s.ctl("vkey", "issue", name, *args).stdout.decode().strip()
    body = {"model": "claude-sonnet-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    orders = (("translated, then native", key("t-n", "bedrock", "anthropic"), "bedrock-runtime", "api.anthropic.com"),
              ("native, then translated", key("n-t", "anthropic", "bedrock"), "api.anthropic.com", "bedrock-runtime"))
    for what, k, first, second in orders:
        for stream in (False, True):
            for mode in ("529", "truncate") if stream else ("529", "html"):
                if stream and mode == "truncate":
                    continue  # half of a stream has content: no further attempt, as above
                with case("attempts: %s, %s, %s" % (what, mode, "stream" if stream else "whole")):
                    before = len(s.sim.world.asked(first)), len(s.sim.world.asked(second))
                    s.sim.world.order(first, mode)
                    r = s.post("/v1/messages", dict(body, stream=stream), headers=VERSION, key=k)
                    assert r.status == 200 and (b"message_stop" in r.body if stream else b"You said: hi" in r.body), r
                    after = len(s.sim.world.asked(first)), len(s.sim.world.asked(second))
                    assert after == (before[0] + 1, before[1] + 1), (before, after)
    with case("attempts: chat, translated twice"):
        k = key("t-t", "anthropic", "bedrock")
        s.sim.world.order("api.anthropic.com", "500")
        r = s.post(CHAT_PATH, ask("claude-sonnet-4-5", stream=True), key=k)
        assert r.status == 200 and stream_text(r.body) == "You said: hi", r
    with case("attempts: all fail, the last one's error is told"):
        s.sim.world.order("api.anthropic.com", "500")
        s.sim.world.order("bedrock-runtime", "429")
        r = s.post(CHAT_PATH, ask("claude-sonnet-4-5"), key=k)
        assert r.status == 429 and r.json()["error"]["code"] == "rate_limit_exceeded", r


def main():
    with ProviderStack() as s:
        s.add("gemini", "gemini", s.sim.world.gemini_key)
        s.add_vertex()
        for name in MODELS:
            check_chat(s, name)
        check_messages(s, "Bedrock", "bedrock", "bedrock-runtime")
        check_messages(s, "Vertex AI", "vertex-claude", "aiplatform")
        check_embeddings(s)
        check_azure(s)
        for name in MODELS:
            check_errors(s, name)
        for name in MODELS:
            check_abort(s, name)
        check_hostile(s)
        check_fallback(s)
        ok("BUG" not in s.logs() and "ended" not in s.logs().split("== ")[-1], "no daemon complained", s.logs()[-2000:])
    tap.done()


main()
