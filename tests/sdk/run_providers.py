#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Official Python SDKs through the whole gateway to the provider simulators, under the providers' real host names: the
simulators check every credential for real, so whatever passes here was signed or authenticated as the provider wants it.
"""

import json
import os
import time

import sdk
from sdk import case, cut, expect, free_port, ok
import anthropic
import boto3
import botocore.config
import botocore.exceptions
import openai

from providers import ProviderStack
from scenarios import SONNET, anthropic_chat, converse, openai_chat

HI = [{"role": "user", "content": "hi"}]
HI_AWS = [{"role": "user", "content": [{"text": "hi"}]}]
TLS_PORT = free_port()


def check_openai(c, s):
    with case("openai: tools, images, schema, stream"):
        openai_chat(c, "gpt-4o-mini")
    with case("openai: embeddings and responses"):
        assert len(c.embeddings.create(model="text-embedding-3-small", input=["a", "b"]).data) == 2
        assert c.responses.create(model="gpt-4o-mini", input="hi").output_text == "You said: hi"
    with case("openai: what goes upstream has our key, once, and nothing of the client's"):
        c.chat.completions.create(model="gpt-4o-mini", messages=HI, extra_headers={"x-api-key": s.key, "cookie": "a=b"})
        last = s.sim.world.asked("api.openai.com")[-1]
        assert last.header("authorization") == "Bearer " + s.sim.world.openai_key, last.headers
        assert s.key not in repr(last.headers) and not {"x-api-key", "cookie"} & last.names(), last.headers
        assert last.header("host") == "api.openai.com", last.headers
    kinds = (("429", openai.RateLimitError), ("500", openai.APIStatusError), ("html", openai.APIStatusError),
             ("array", openai.APIStatusError))
    for mode, kind in kinds:
        s.sim.world.order("openai", mode)
        expect(kind, "openai: " + mode, lambda: c.chat.completions.create(model="gpt-4o-mini", messages=HI))
    for mode in ("truncate", "stream-error"):
        s.sim.world.order("openai", mode)
        cut("openai: a stream with " + mode, lambda: c.chat.completions.create(model="gpt-4o-mini", messages=HI, stream=True))
    for mode in ("crlf", "bytewise", "close", "slow"):
        with case("openai: a whole stream although " + mode):
            s.sim.world.order("openai", mode)
            text = "".join(x.choices[0].delta.content or "" for x in c.chat.completions.create(
                model="gpt-4o-mini", messages=HI, stream=True))
            assert text == "You said: hi", text
    with case("openai: a client that goes away in mid-answer leaves the gateway serving"):
        with c.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "x" * 20000}],
                                       stream=True) as stream:
            next(iter(stream))
        assert c.chat.completions.create(model="gpt-4o-mini", messages=HI).choices


def check_anthropic(c, s):
    with case("anthropic: thinking, tools, images, stream"):
        anthropic_chat(c, "claude-haiku-4-5")
    with case("anthropic: count tokens"):
        assert c.messages.count_tokens(model="claude-haiku-4-5", messages=HI).input_tokens == 11
    expect(anthropic.BadRequestError, "anthropic: the provider's 400 is a BadRequestError",
           lambda: c.messages.create(model="claude-haiku-4-5", max_tokens=5, messages=[
               {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "y"}]}]))
    s.sim.world.order("anthropic", "529")
    expect(anthropic.APIStatusError, "anthropic: 529",
           lambda: c.messages.create(model="anthropic/claude-haiku-4-5", max_tokens=5, messages=HI))
    with case("anthropic: 529, and another credential of the key has the model: it answers"):
        s.sim.world.order("anthropic", "529")
        r = c.messages.create(model="claude-haiku-4-5", max_tokens=5, messages=HI)
        assert r.content[0].text == "You said: hi" and "bedrock" in s.sim.world.requests[-1].host, s.sim.world.requests[-1].host
    s.sim.world.order("anthropic", "stream-error")
    cut("anthropic: an error in the stream raises",
        lambda: c.messages.create(model="claude-haiku-4-5", max_tokens=5, messages=HI, stream=True))


def runtime(s):
    os.environ["AWS_BEARER_TOKEN_BEDROCK"] = s.key
    return boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url="https://127.0.0.1:%d" % TLS_PORT,
                        verify=os.path.join(s.dir, "tls", "ca.pem"),
                        config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=15))


def check_bedrock(c, s):
    world = s.sim.world
    with case("bedrock: converse with tools and images, both forms, signed as botocore signs"):
        converse(c, SONNET)
    with case("bedrock: invoke and its stream"):
        body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": HI})
        assert json.loads(c.invoke_model(modelId=SONNET, body=body)["body"].read())["content"][0]["text"] == "You said: hi"
        types = [json.loads(e["chunk"]["bytes"])["type"] for e in c.invoke_model_with_response_stream(modelId=SONNET, body=body)["body"]]
        assert types[-1] == "message_stop", types
    with case("bedrock: a model that has no on-demand throughput is asked for by the profile of the region"):
        for name in (SONNET[3:], "claude-sonnet-4-5"):
            assert c.converse(modelId=name, messages=HI_AWS)["stopReason"] == "end_turn"
            assert SONNET.replace(":", "%3A") in world.asked("bedrock")[-1].path, world.asked("bedrock")[-1].path
    e = expect(botocore.exceptions.ClientError, "bedrock: an unknown model id is the provider's ValidationException",
               lambda: c.converse(modelId="anthropic.claude-9", messages=HI_AWS))
    ok("identifier is invalid" in str(e), "bedrock: and its reason arrives", e)
    world.order("bedrock", "stream-error")
    cut("bedrock: an exception in the stream raises", lambda: c.converse_stream(modelId=SONNET, messages=HI_AWS)["stream"])
    world.shift = 700
    expect(botocore.exceptions.ClientError, "bedrock: a provider's clock 11 minutes ahead refuses our signature",
           lambda: c.converse(modelId=SONNET, messages=HI_AWS))
    world.shift = 0
    token = world.issue_aws(3600, "test")
    s.ctl("credential", "remove", "bedrock")
    s.ctl("credential", "add", "bedrock-temp", "--no-test", "--provider", "bedrock", "--ca", s.sim.ca, "--region", "us-east-1",
          "--access-key-id", token.access_key_id, input=("%s\n%s\n" % (token.secret, token.session)).encode())
    with case("bedrock: temporary credentials, their token signed"):
        converse(c, SONNET)
        used = [r.header("x-amz-security-token") for r in world.asked("bedrock")]
        assert used[-1] == token.session, used[-1]
    token.expires = time.time() - 1
    expect(botocore.exceptions.ClientError, "bedrock: ended credentials are an error",
           lambda: c.converse(modelId=SONNET, messages=HI_AWS))


with ProviderStack(["--tls-listen", "127.0.0.1:%d" % TLS_PORT]) as stack:
    base = "http://127.0.0.1:%d" % stack.port
    check_openai(openai.OpenAI(base_url=base + "/v1", api_key=stack.key, max_retries=0, timeout=15), stack)
    check_anthropic(anthropic.Anthropic(base_url=base, api_key=stack.key, max_retries=0, timeout=15), stack)
    check_bedrock(runtime(stack), stack)
    with case("nothing that a simulator accepts is in any log"):
        w = stack.sim.world
        for secret in (w.openai_key, w.anthropic_key, w.aws_long.secret):
            assert secret not in stack.logs(tail=10 ** 7), "a key is in a log"
sdk.done()
