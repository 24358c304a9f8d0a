#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""boto3's bedrock-runtime client, unchanged but for endpoint and bearer token."""

import json
import os

import sdk
from sdk import case, cut, expect, free_port, ok
import boto3
import botocore.config
import botocore.exceptions

MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123xyz"
ASK = [{"role": "user", "content": [{"text": "hello there, gateway"}]}]
BODY = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64,
                   "messages": [{"role": "user", "content": "hello there, gateway"}]})
TLS_PORT = free_port()


def client(s, key):
    os.environ["AWS_BEARER_TOKEN_BEDROCK"] = key
    # boto3 sends a bearer token over TLS only.
    return boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url="https://127.0.0.1:%d" % TLS_PORT,
                        verify=os.path.join(s.dir, "tls", "ca.pem"),
                        config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=15))


def converse(c):
    for model in (MODEL, "us." + MODEL, PROFILE):
        with case("converse %s" % model):
            r = c.converse(modelId=model, messages=ASK)
            assert "hello there, gateway" in r["output"]["message"]["content"][0]["text"], r
            assert r["stopReason"] == "end_turn" and r["usage"]["totalTokens"] > 0, r
    with case("converse_stream: pieces, stop reason, usage"):
        text, kinds, usage = "", [], None
        for event in c.converse_stream(modelId=MODEL, messages=ASK)["stream"]:
            kinds += list(event)
            text += event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
            usage = event.get("metadata", {}).get("usage", usage)
        assert "hello there, gateway" in text, text
        assert "messageStop" in kinds and usage["totalTokens"] > 0, (kinds, usage)
    with case("converse_stream: every one of 150 pieces"):
        events = list(c.converse_stream(modelId="demo.count-150", messages=ASK)["stream"])
        assert sum("contentBlockDelta" in e for e in events) == 150, len(events)


def invoke(c):
    for model in (MODEL, PROFILE):
        with case("invoke_model %s" % model):
            r = c.invoke_model(modelId=model, body=BODY, contentType="application/json", accept="application/json")
            got = json.loads(r["body"].read())
            assert "hello there, gateway" in got["content"][0]["text"], got
    with case("invoke_model_with_response_stream"):
        text, types = "", []
        for event in c.invoke_model_with_response_stream(modelId=MODEL, body=BODY)["body"]:
            part = json.loads(event["chunk"]["bytes"])
            types.append(part["type"])
            text += part.get("delta", {}).get("text", "")
        assert "hello there, gateway" in text and types[-1] == "message_stop", (text, types)


def errors(c, s):
    e = expect(botocore.exceptions.ClientError, "the provider's 429 raises ClientError",
               lambda: c.converse(modelId="demo.status-429", messages=ASK))
    code = getattr(e, "response", {}).get("Error", {}).get("Code")
    ok(code == "ThrottlingException", "and is a ThrottlingException", code)
    e = expect(botocore.exceptions.ClientError, "the provider's 400 raises ClientError",
               lambda: c.invoke_model(modelId="demo.status-400", body=BODY))
    code = getattr(e, "response", {}).get("Error", {}).get("Code")
    ok(code == "ValidationException", "and is a ValidationException", code)
    for model in ("demo.truncate", "demo.truncate-tls"):
        cut("%s: a cut converse_stream raises" % model,
            lambda m=model: c.converse_stream(modelId=m, messages=ASK)["stream"])
        expect(Exception, "%s: a cut answer raises" % model, lambda m=model: c.converse(modelId=m, messages=ASK))
    # boto3 itself takes a closed event stream for an end, so this one the gateway must make an error.
    cut("truncate-marker: a converse_stream without messageStop raises",
        lambda: c.converse_stream(modelId="demo.truncate-marker", messages=ASK)["stream"])
    expect(botocore.exceptions.EventStreamError, "an exception event in a stream raises EventStreamError",
           lambda: list(c.converse_stream(modelId="demo.stream-error", messages=ASK)["stream"]))
    e = expect(botocore.exceptions.ClientError, "a wrong key raises ClientError",
               lambda: client(s, sdk.WRONG_KEY).converse(modelId=MODEL, messages=ASK))
    status = getattr(e, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
    code = getattr(e, "response", {}).get("Error", {}).get("Code")
    ok(status in (401, 403) and code, "status %s, code %s" % (status, code), e)
    ok(sdk.WRONG_KEY not in str(e), "the key is not repeated")
    with case("after all of that the gateway still serves"):
        assert client(s, s.key).converse(modelId=MODEL, messages=ASK)["output"]


with sdk.Stack(["--tls-listen", "127.0.0.1:%d" % TLS_PORT]) as stack:
    runtime = client(stack, stack.key)
    converse(runtime)
    invoke(runtime)
    errors(runtime, stack)
sdk.done()
