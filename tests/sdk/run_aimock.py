#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An upstream that others wrote: the aimock mock provider behind a small TLS front, asked through the gateway by the
official OpenAI and Anthropic SDKs; then in its chaos modes, which must reach the client as errors, never as an answer.
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
import openai

from upstream import Certs

CLI = os.path.join(sdk.NODE, "@copilotkit", "aimock", "dist", "cli.js")
KEYS = {"openai": "sk-aimock-0123456789abcdefghij", "anthropic": "sk-ant-aimock-0123456789abcdefghij"}
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


def good(o, a):
    with case("openai: answer, stream, tool call"):
        assert "somebody else" in o.chat.completions.create(model="gpt-4o", messages=HELLO).choices[0].message.content
        text = "".join(c.choices[0].delta.content or "" for c in o.chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True) if c.choices)
        assert text == FIXTURES["fixtures"][1]["response"]["content"], text
        r = o.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "weather"}], tools=[
            {"type": "function", "function": {"name": "weather", "parameters": TOOL}}])
        assert json.loads(r.choices[0].message.tool_calls[0].function.arguments) == {"city": "Brno"}, r
    with case("anthropic: answer, stream, tool call"):
        r = a.messages.create(model="claude-haiku-4-5", max_tokens=64, messages=HELLO)
        assert "somebody else" in r.content[0].text, r
        with a.messages.stream(model="claude-haiku-4-5", max_tokens=64, messages=HELLO) as s:
            assert s.get_final_text() == FIXTURES["fixtures"][1]["response"]["content"]
        r = a.messages.create(model="claude-haiku-4-5", max_tokens=64, messages=[{"role": "user", "content": "weather"}],
                              tools=[{"name": "weather", "input_schema": TOOL}])
        assert r.stop_reason == "tool_use" and r.content[-1].input == {"city": "Brno"}, r


with sdk.Stack() as stack:
    front = Front(*Certs(stack.dir).issue("localhost"))
    ca = os.path.join(stack.dir, "up-ca.pem")
    for item in json.loads(stack.ctl("credential", "list", "--json").stdout):
        stack.ctl("credential", "remove", item["name"])
    for provider in ("openai", "anthropic"):
        stack.ctl("credential", "add", provider, "--provider", provider, "--host", "localhost:%d" % front.port, "--ca", ca,
                  input=KEYS[provider].encode() + b"\n")
    base = "http://127.0.0.1:%d" % stack.port
    o = openai.OpenAI(base_url=base + "/v1", api_key=stack.key, max_retries=0, timeout=15)
    a = anthropic.Anthropic(base_url=base, api_key=stack.key, max_retries=0, timeout=15)
    mock = Aimock(stack.dir)
    front.target = mock.port
    good(o, a)
    mock.stop()
    for mode in ("drop", "disconnect", "ratelimit"):
        mock = Aimock(stack.dir, "--chaos-%s" % mode, "1")
        front.target = mock.port
        kind = openai.RateLimitError if mode == "ratelimit" else Exception
        expect(kind, "openai: chaos %s is an error" % mode, lambda: o.chat.completions.create(model="gpt-4o", messages=HELLO))
        for what, fn in (("stream", lambda: list(o.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))),
                         ("anthropic stream", lambda: list(a.messages.create(
                             model="claude-haiku-4-5", max_tokens=64, messages=HELLO, stream=True)))):
            expect(Exception, "%s: chaos %s is an error" % (what, mode), fn)
        mock.stop()
    mock = Aimock(stack.dir)
    front.target = mock.port
    with case("after all chaos the gateway serves"):
        assert o.chat.completions.create(model="gpt-4o", messages=HELLO).choices
    mock.stop()
sdk.done()
