#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official OpenAI Python SDK, unchanged but for base URL and key."""

import sdk
from sdk import case, cut, expect, ok
import openai

ASK = [{"role": "user", "content": "hello there, gateway"}]


def chat(c):
    with case("chat completion"):
        r = c.chat.completions.create(model="gpt-4o-mini", messages=ASK)
        assert "hello there, gateway" in r.choices[0].message.content, r
        assert r.choices[0].finish_reason == "stop", r
        assert r.usage.total_tokens == r.usage.prompt_tokens + r.usage.completion_tokens > 0, r.usage
    with case("chat stream gives every piece, a finish reason and the usage"):
        text, finish, usage, n = "", None, None, 0
        with c.chat.completions.create(model="count-200", messages=ASK, stream=True,
                                       stream_options={"include_usage": True}) as stream:
            for chunk in stream:
                n += 1
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
                usage = chunk.usage or usage
        assert n >= 200 and len(text) == 1000, (n, len(text))
        assert finish == "stop" and usage is not None, (finish, usage)
    with case("streaming helper accumulates the final completion"):
        with c.chat.completions.stream(model="gpt-4o-mini", messages=ASK) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        assert "hello there, gateway" in final.choices[0].message.content, final
    with case("large answer and large request arrive whole"):
        r = c.chat.completions.create(model="bytes-1000000", messages=[{"role": "user", "content": "x" * 1_000_000}])
        assert len(r.choices[0].message.content) == 1_000_000
    with case("unicode survives both ways"):
        word = "žluťoučký 🐎 \u2028 end"
        r = c.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": word}])
        assert word in r.choices[0].message.content, r.choices[0].message.content
    with case("the raw response carries a request id"):
        r = c.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=ASK)
        assert r.headers.get("x-request-id"), dict(r.headers)


def others(c):
    with case("responses"):
        r = c.responses.create(model="gpt-4o-mini", input="hello there, gateway")
        assert "hello there, gateway" in r.output_text, r
        assert r.status == "completed" and r.usage.total_tokens > 0, r
    with case("responses stream ends with response.completed"):
        types, text = [], ""
        with c.responses.create(model="gpt-4o-mini", input="hello there, gateway", stream=True) as stream:
            for event in stream:
                types.append(event.type)
                if event.type == "response.output_text.delta":
                    text += event.delta
        assert types[0] == "response.created" and types[-1] == "response.completed", types
        assert "hello there, gateway" in text, text
    with case("embeddings"):
        r = c.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
        assert len(r.data) == 2 and len(r.data[0].embedding) == len(r.data[1].embedding) > 0
    with case("models"):
        ids = [m.id for m in c.models.list()]
        assert ids, ids
        assert c.models.retrieve(ids[0]).id == ids[0]


def errors(c, s):
    bad = c.with_options(api_key=sdk.WRONG_KEY)
    e = expect(openai.AuthenticationError, "a wrong key raises AuthenticationError",
               lambda: bad.chat.completions.create(model="gpt-4o-mini", messages=ASK))
    ok(getattr(e, "status_code", 0) == 401 and sdk.WRONG_KEY not in str(e), "status 401, and the key is not repeated", e)
    e = expect(openai.RateLimitError, "the provider's 429 raises RateLimitError",
               lambda: c.chat.completions.create(model="status-429", messages=ASK))
    ok(getattr(e, "status_code", 0) == 429, "status 429", e)
    expect(openai.BadRequestError, "400 raises BadRequestError",
           lambda: c.chat.completions.create(model="status-400", messages=ASK))
    expect(openai.InternalServerError, "503 raises InternalServerError",
           lambda: c.chat.completions.create(model="status-503", messages=ASK))
    expect(openai.NotFoundError, "an unknown path raises NotFoundError",
           lambda: c.post("/nothing-here", cast_to=object, body={}))
    for model in ("truncate", "truncate-tls"):
        cut("%s: a cut stream raises" % model,
            lambda m=model: c.chat.completions.create(model=m, messages=ASK, stream=True))
        expect(Exception, "%s: a cut answer raises" % model, lambda m=model: c.chat.completions.create(
            model=m, messages=ASK))
    cut("truncate-marker: a stream without its end marker raises",
        lambda: c.chat.completions.create(model="truncate-marker", messages=ASK, stream=True))
    expect(openai.APIError, "an error event in a stream raises APIError", lambda: [
        x for x in c.chat.completions.create(model="stream-error", messages=ASK, stream=True)])
    expect(openai.APITimeoutError, "a silent provider meets the client's own timeout", lambda: c.with_options(
        timeout=0.5).chat.completions.create(model="hang", messages=ASK))
    with case("after all of that the gateway still serves"):
        r = c.chat.completions.create(model="gpt-4o-mini", messages=ASK)
        assert r.choices[0].message.content


with sdk.Stack() as stack:
    client = openai.OpenAI(base_url="http://127.0.0.1:%d/v1" % stack.port, api_key=stack.key, max_retries=0, timeout=15)
    chat(client)
    others(client)
    errors(client, stack)
sdk.done()
