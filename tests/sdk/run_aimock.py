#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An upstream that others wrote: the aimock mock provider behind a small TLS front, playing OpenAI, Anthropic, Gemini,
Bedrock and Azure, asked through the gateway by official SDKs, natively and translated; then in its chaos modes, which must
reach the client as errors, never as an answer.
"""

import json
import os
import socket
import ssl
import subprocess
import threading
import time

import sdk
from sdk import case, expect, free_port
import anthropic
import google.genai
import openai

from upstream import Certs

CLI = os.path.join(sdk.NODE, "@copilotkit", "aimock", "dist", "cli.js")
KEYS = {"openai": "sk-aimock-0123456789abcdefghij", "anthropic": "sk-ant-aimock-0123456789abcdefghij",
        "gemini": "AIzaAimock0123456789abcdefghij", "bedrock": "ABSKaimock0123456789abcdefghij",
        "azure": "a1b0c6789abcdef0123456789abcdef0"}
TRANSLATED = ("anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash", "bedrock/claude-sonnet-4-5", "bedrock/nova-lite", "azure/gpt-4o")
FIXTURES = {"fixtures": [
    {"match": {"userMessage": "weather"}, "response": {"toolCalls": [{"name": "weather", "arguments": {"city": "Brno"}}]}},
    {"match": {"userMessage": "hello"}, "response": {"content": "Hello from somebody else's mock, in many pieces."}}]}
HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Aimock:
    def __init__(self, dir, *args):
        path = os.path.join(dir, "fixtures.json")
        with open(path, "w") as f:
            json.dump(FIXTURES, f)
        self.port = free_port()
        self.proc = subprocess.Popen(["node", CLI, "-p", str(self.port), "-f", path, "--log-level", "silent", "-c", "5", *args],
                                     env=dict(os.environ, AIMOCK_API_KEYS=",".join(KEYS.values())), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.proc.poll() is not None:
                    raise RuntimeError("aimock did not start") from None
                time.sleep(0.1)

    def stop(self):
        self.proc.kill()
        self.proc.wait()


class Front:
    """TLS outside, plain bytes to `target` inside."""

    def __init__(self, cert, key):
        self.target = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            s, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            t = self.context.wrap_socket(s, server_side=True)
            inner = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            s.close()
            return
        threading.Thread(target=self._copy, args=(t, inner), daemon=True).start()
        self._copy(inner, t)

    @staticmethod
    def _copy(a, b):
        try:
            while True:
                d = a.recv(65536)
                if not d:
                    break
                b.sendall(d)
        except (OSError, ValueError):
            pass
        for x in (a, b):
            try:
                x.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


SAID = FIXTURES["fixtures"][1]["response"]["content"]


def good(o, a, g):
    for model in ("gpt-4o",) + TRANSLATED:
        with case(model + " by OpenAI's SDK: answer, stream, tool call"):
            assert o.chat.completions.create(model=model, messages=HELLO).choices[0].message.content == SAID
            text = "".join(c.choices[0].delta.content or "" for c in o.chat.completions.create(
                model=model, messages=HELLO, stream=True) if c.choices)
            assert text == SAID, text
            r = o.chat.completions.create(model=model, messages=[{"role": "user", "content": "weather"}], tools=[
                {"type": "function", "function": {"name": "weather", "parameters": TOOL}}])
            assert json.loads(r.choices[0].message.tool_calls[0].function.arguments) == {"city": "Brno"}, r
    for model in ("claude-haiku-4-5", "bedrock/claude-sonnet-4-5"):
        with case(model + " by Anthropic's SDK: answer, stream, tool call"):
            r = a.messages.create(model=model, max_tokens=64, messages=HELLO)
            assert r.content[0].text == SAID, r
            if not model.startswith("bedrock"):     # this mock leaves the "bytes" out of InvokeModel's chunks
                with a.messages.stream(model=model, max_tokens=64, messages=HELLO) as s:
                    assert s.get_final_text() == SAID
            r = a.messages.create(model=model, max_tokens=64, messages=[{"role": "user", "content": "weather"}],
                                  tools=[{"name": "weather", "input_schema": TOOL}])
            assert r.stop_reason == "tool_use" and r.content[-1].input == {"city": "Brno"}, r
    with case("gemini by Google's SDK: answer, stream"):
        assert g.models.generate_content(model="gemini-2.5-flash", contents="hello").text == SAID
        assert "".join(c.text or "" for c in g.models.generate_content_stream(model="gemini-2.5-flash", contents="hello")) == SAID


def calls(o, a, g):
    """What is asked of a provider in chaos: name -> function that must raise."""
    out = {}
    for model in ("gpt-4o",) + TRANSLATED:
        out[model] = lambda m=model: o.chat.completions.create(model=m, messages=HELLO)
        out[model + ", a stream"] = lambda m=model: list(o.chat.completions.create(model=m, messages=HELLO, stream=True))
    for model in ("anthropic/claude-haiku-4-5", "bedrock/claude-sonnet-4-5"):
        out["messages of " + model] = lambda m=model: a.messages.create(model=m, max_tokens=64, messages=HELLO)
        out["messages of %s, a stream" % model] = lambda m=model: list(a.messages.create(
            model=m, max_tokens=64, messages=HELLO, stream=True))
    out["generateContent"] = lambda: g.models.generate_content(model="gemini-2.5-flash", contents="hello").text
    out["generateContent, a stream"] = lambda: list(g.models.generate_content_stream(model="gemini-2.5-flash", contents="hello"))
    return out


with sdk.Stack() as stack:
    front = Front(*Certs(stack.dir).issue("localhost"))
    ca = os.path.join(stack.dir, "up-ca.pem")
    for item in json.loads(stack.ctl("credential", "list", "--json").stdout):
        stack.ctl("credential", "remove", item["name"])
    more = {"bedrock": ["--region", "us-east-1"], "azure": ["--api-version", "2024-10-21"]}
    for provider, secret in KEYS.items():
        stack.ctl("credential", "add", provider, "--provider", provider, "--host", "localhost:%d" % front.port, "--ca", ca, "--no-test",
                  *more.get(provider, []), input=secret.encode() + b"\n")
    base = "http://127.0.0.1:%d" % stack.port
    o = openai.OpenAI(base_url=base + "/v1", api_key=stack.key, max_retries=0, timeout=15)
    a = anthropic.Anthropic(base_url=base, api_key=stack.key, max_retries=0, timeout=15)
    g = google.genai.Client(api_key=stack.key, vertexai=False, http_options=google.genai.types.HttpOptions(
        base_url=base, timeout=15000, retry_options=google.genai.types.HttpRetryOptions(attempts=1)))
    mock = Aimock(stack.dir)
    front.target = mock.port
    good(o, a, g)
    mock.stop()
    for mode in ("drop", "malformed", "disconnect", "ratelimit"):
        mock = Aimock(stack.dir, "--chaos-%s" % mode, "1")
        front.target = mock.port
        for name, fn in calls(o, a, g).items():
            rate = mode == "ratelimit" and not name.startswith(("messages", "generate"))
            expect(openai.RateLimitError if rate else Exception, "chaos %s: %s" % (mode, name), fn)
        mock.stop()
    mock = Aimock(stack.dir)
    front.target = mock.port
    with case("after all chaos the gateway serves"):
        assert o.chat.completions.create(model="gpt-4o", messages=HELLO).choices
    mock.stop()
sdk.done()
