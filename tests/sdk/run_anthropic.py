#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official Anthropic Python SDK, unchanged but for base URL and key."""

import sdk
from sdk import case, cut, expect, ok
import anthropic

ASK = [{"role": "user", "content": "hello there, gateway"}]
MODEL = "claude-sonnet-5"


def messages(c):
    with case("message"):
        r = c.messages.create(model=MODEL, max_tokens=64, messages=ASK)
        assert "hello there, gateway" in r.content[0].text, r
        assert r.stop_reason == "end_turn" and r.usage.output_tokens > 0, r
    with case("stream helper: text, final message, usage"):
        with c.messages.stream(model=MODEL, max_tokens=64, messages=ASK) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        assert "hello there, gateway" in text and final.content[0].text == text, (text, final)
        assert final.stop_reason == "end_turn" and final.usage.output_tokens > 0, final
    with case("raw stream: every event from message_start to message_stop"):
        types = [e.type for e in c.messages.create(model="count-100", max_tokens=64, messages=ASK, stream=True)]
        assert types[0] == "message_start" and types[-1] == "message_stop", types[-3:]
        assert types.count("content_block_delta") == 100, types.count("content_block_delta")
    with case("the key may come as a bearer token"):
        b = anthropic.Anthropic(base_url=c.base_url, auth_token=c.api_key, api_key=None, max_retries=0)
        assert b.messages.create(model=MODEL, max_tokens=64, messages=ASK).content
    with case("count_tokens"):
        r = c.messages.count_tokens(model=MODEL, messages=ASK)
        assert r.input_tokens > 0, r
    with case("beta messages, with their query parameter and header"):
        r = c.beta.messages.create(model=MODEL, max_tokens=64, messages=ASK, betas=["context-1m-2025-08-07"])
        assert r.content, r
    with case("models"):
        ids = [m.id for m in c.models.list(limit=5)]
        assert ids, ids
    with case("a request id comes with the message"):
        r = c.messages.with_raw_response.create(model=MODEL, max_tokens=64, messages=ASK)
        assert r.headers.get("request-id") or r.headers.get("x-request-id"), dict(r.headers)


def errors(c):
    bad = c.with_options(api_key=sdk.WRONG_KEY)
    e = expect(anthropic.AuthenticationError, "a wrong key raises AuthenticationError",
               lambda: bad.messages.create(model=MODEL, max_tokens=64, messages=ASK))
    ok(getattr(e, "status_code", 0) == 401 and e.body and e.body.get("type") == "error",
       "status 401 in Anthropic's error shape", getattr(e, "body", e))
    ok(sdk.WRONG_KEY not in str(e), "the key is not repeated")
    expect(anthropic.RateLimitError, "the provider's 429 raises RateLimitError",
           lambda: c.messages.create(model="status-429", max_tokens=64, messages=ASK))
    e = expect(anthropic.APIStatusError, "the provider's 529 raises APIStatusError",
               lambda: c.messages.create(model="status-529", max_tokens=64, messages=ASK))
    ok(getattr(e, "status_code", 0) == 529, "status 529 reaches the client", e)
    for model in ("truncate", "truncate-tls"):
        cut("%s: a cut stream raises" % model,
            lambda m=model: c.messages.create(model=m, max_tokens=64, messages=ASK, stream=True))
        expect(Exception, "%s: a cut answer raises" % model,
               lambda m=model: c.messages.create(model=m, max_tokens=64, messages=ASK))
    cut("truncate-marker: a stream without message_stop raises",
        lambda: c.messages.create(model="truncate-marker", max_tokens=64, messages=ASK, stream=True))
    expect(anthropic.APIError, "an error event in a stream raises APIError", lambda: [
        x for x in c.messages.create(model="stream-error", max_tokens=64, messages=ASK, stream=True)])
    with case("after all of that the gateway still serves"):
        assert c.messages.create(model=MODEL, max_tokens=64, messages=ASK).content


with sdk.Stack() as stack:
    client = anthropic.Anthropic(base_url="http://127.0.0.1:%d" % stack.port, api_key=stack.key, max_retries=0,
                                 timeout=15)
    messages(client)
    errors(client)
sdk.done()
