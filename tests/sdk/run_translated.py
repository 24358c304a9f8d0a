#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python SDKs of OpenAI and Anthropic, unchanged but for base URL and key, asked for models of other providers: what
the simulators take is judged by each provider's own rules, what comes back by the SDK's own types.
"""

import sdk
from sdk import case, cut, expect, note, ok
import anthropic
import openai

from providers import ProviderStack
from scenarios import SONNET, anthropic_chat, openai_chat

HI = [{"role": "user", "content": "hi"}]
# model, host of the provider
CHAT = (("anthropic/claude-haiku-4-5", "anthropic"), ("bedrock/claude-sonnet-4-5", "bedrock"), ("bedrock/nova-lite", "bedrock"),
        ("gemini/gemini-2.5-flash", "generativelanguage"), ("gemini/gemini-3-flash-preview", "generativelanguage"),
        ("azure/chat-dep", "azure"))
EMBED = ("azure/embed-dep", "bedrock/cohere-embed-multilingual-v3", "gemini/gemini-embedding-001")


def check_openai(c, s):
    world = s.sim.world
    for model, host in CHAT:
        with case(model + ": tools, images, schema, stream"):
            openai_chat(c, model)

        def ask(**more):
            return c.chat.completions.create(model=model, messages=HI, **more)
        with case(model + ": what goes upstream has our key, and nothing of the client's"):
            c.chat.completions.create(model=model, messages=HI, user="someone", extra_headers={"cookie": "a=b", "x-api-key": s.key})
            last = world.asked(host)[-1]
            assert s.key not in repr(last.headers) and "cookie" not in last.names(), last.headers
        with case(model + ": a limit ends as length"):
            assert ask(max_completion_tokens=2).choices[0].finish_reason == "length"
        world.order(host, "429")
        e = expect(openai.RateLimitError, model + ": 429", ask)
        ok(e.response.headers.get("retry-after"), model + ": and when to come again", dict(e.response.headers))
        for mode in ("500", "html"):
            world.order(host, mode)
            expect(openai.APIStatusError, "%s: %s" % (model, mode), ask)
        for mode in ("truncate", "stream-error"):
            world.order(host, mode)
            cut("%s: a stream with %s" % (model, mode), lambda: ask(stream=True))
        for mode in ("crlf", "bytewise", "close"):
            with case("%s: a whole stream although %s" % (model, mode)):
                world.order(host, mode)
                text = "".join(x.choices[0].delta.content or "" for x in ask(stream=True) if x.choices)
                assert text == "You said: hi", text
        with case(model + ": a client that goes away in mid-answer leaves the gateway serving"):
            with c.chat.completions.create(model=model, messages=[{"role": "user", "content": "x" * 20000}], stream=True) as stream:
                next(iter(stream))
            assert ask().choices
    for model in EMBED:
        with case(model + ": embeddings"):
            r = c.embeddings.create(model=model, input=["a", "b"])
            assert len(r.data) == 2 and r.data[0].embedding != r.data[1].embedding, r
            assert r.data[0].embedding and isinstance(r.data[0].embedding[0], float), r


def check_claude(c, s, model, name):
    world = s.sim.world
    with case(name + ": thinking, tools, images, stream"):
        anthropic_chat(c, model)

    def ask(**more):
        return c.messages.create(model=model, max_tokens=16, messages=HI, **more)
    if "SDK" not in name:
        with case(name + ": count tokens"):
            assert c.messages.count_tokens(model=model, messages=HI).input_tokens > 0
    world.order("bedrock", "429")
    expect(anthropic.RateLimitError, name + ": 429", ask)
    world.order("bedrock", "stream-error")
    cut(name + ": an error in the stream raises", lambda: ask(stream=True))
    world.order("bedrock", "truncate")
    cut(name + ": a truncated stream raises", lambda: ask(stream=True))
    with case(name + ": a client that goes away in mid-answer leaves the gateway serving"):
        with c.messages.create(model=model, max_tokens=9000, messages=[{"role": "user", "content": "x" * 20000}], stream=True) as stream:
            next(iter(stream))
        assert ask().content


note("openai %s, anthropic %s" % (openai.__version__, anthropic.__version__))
with ProviderStack() as stack:
    w = stack.sim.world
    stack.add("gemini", "gemini", w.gemini_key)
    stack.add("azure", "azure", w.azure_key, "--host", w.azure_resource + ".openai.azure.com")
    base = "http://127.0.0.1:%d" % stack.port
    common = {"max_retries": 0, "timeout": 15}
    check_openai(openai.OpenAI(base_url=base + "/v1", api_key=stack.key, **common), stack)
    check_claude(anthropic.Anthropic(base_url=base, api_key=stack.key, **common), stack, "bedrock/claude-sonnet-4-5", "bedrock/claude")
    check_claude(anthropic.AnthropicBedrock(base_url=base, api_key=stack.key, aws_region="us-east-1", **common), stack, SONNET,
                 "AnthropicBedrock SDK")
    with case("nothing that a simulator accepts is in any log"):
        for secret in (w.openai_key, w.anthropic_key, w.gemini_key, w.azure_key, w.aws_long.secret):
            assert secret not in stack.logs(tail=10 ** 7), "a key is in a log"
sdk.done()
