#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official Node SDKs, each asked for every provider that it can ask for: natively and by `provider/model`, through the
gateway to the simulators. Each SDK first asks the simulators straight, so that what fails later is the gateway's.

Arguments choose programs by a part of their name; --direct leaves the gateway out.
"""

import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading

import sdk
from sdk import free_port, note, ok

from providers import ProviderStack  # noqa: E402
from sim import Sim  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CLAUDE_AWS = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


class Orders(http.server.BaseHTTPRequestHandler):
    """GET /host/mode orders a simulator to misbehave once."""
    world = None

    def do_GET(self):
        _, host, mode = self.path.split("/")
        self.world.order(host, mode)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *a):
        pass


def run(name, targets, env):
    module = env.get("SDK_MODULE") or name
    what = "%s %s" % (module, env["SDK_MAJOR"]) if "SDK_MAJOR" in env else module
    r = subprocess.run(["node", os.path.join(HERE, "matrix_%s.cjs" % name)], env=dict(env, SDK_TARGETS=json.dumps(targets)),
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
    for line in r.stdout.decode("utf-8", "replace").splitlines():
        m = re.match(r"(not )?ok \d+ - (.*)", line)
        if m:
            ok(not m.group(1), "%s, %s" % (what, m.group(2)))
        else:
            note(line.removeprefix("# "))
    ok(r.returncode == 0, "%s: every test of %s ran and passed" % (what, " ".join(t["label"] for t in targets)),
       "exit status %d" % r.returncode)


def target(label, base, key, model, host, unknown, **more):
    return dict(more, label=label, base=base, key=key, model=model, host=host, unknown=unknown)


def straight(world, port):
    """program -> targets, the providers themselves."""
    def base(host, path=""):
        return "https://%s:%d%s" % (host, port, path)
    openai = target("openai", base("api.openai.com", "/v1"), world.openai_key, "gpt-4o-mini", "openai", "gpt-9", embed="text-embedding-3-small")
    claude = target("anthropic", base("api.anthropic.com"), world.anthropic_key, "claude-haiku-4-5", "anthropic", "claude-9")
    aws = target("bedrock", base("bedrock-runtime.us-east-1.amazonaws.com"), world.bedrock_long, CLAUDE_AWS, "bedrock",
                 "anthropic.claude-9", embed="amazon.titan-embed-text-v2:0", count=False)
    gemini = target("gemini", base("generativelanguage.googleapis.com"), world.gemini_key, "gemini-2.5-flash", "generativelanguage",
                    "gemini-9", embed="gemini-embedding-001")
    azure = target("AzureOpenAI", base(world.azure_resource + ".openai.azure.com"), world.azure_key, "chat-dep", "azure.com", "no-dep",
                   embed="embed-dep", azure=True)
    return {
        "openai": [openai, azure], "anthropic": [claude], "bedrock-sdk": [dict(aws, version="bedrock-2023-05-31")], "genai": [gemini],
        "bedrock": [dict(aws, http1=True)],
        "ai": [dict(openai, api="openai"), dict(openai, api="responses", label="openai responses", embed=None, simple=True),
               dict(claude, api="anthropic", base=claude["base"] + "/v1"),
               dict(gemini, api="google", base=gemini["base"] + "/v1beta"), dict(aws, api="bedrock")],
    }


def through(stack, tls):
    """program -> targets, the gateway for each provider that it has."""
    base, key = "http://127.0.0.1:%d" % stack.port, stack.key
    hosts = {"openai": "api.openai.com", "azure": "azure.com", "anthropic": "anthropic", "bedrock": "bedrock", "gemini": "generativelanguage",
             "vertex": "aiplatform"}
    chat = [("openai", "openai/gpt-4o-mini", "openai/text-embedding-3-small"), ("azure", "azure/chat-dep", "azure/embed-dep"),
            ("anthropic", "anthropic/claude-haiku-4-5", None), ("bedrock", "bedrock/claude-sonnet-4-5", "bedrock/amazon.titan-embed-text-v2:0"),
            ("bedrock", "bedrock/nova-lite", "bedrock/cohere-embed-multilingual-v3"), ("gemini", "gemini/gemini-2.5-flash", "gemini/gemini-embedding-001"),
            ("gemini", "gemini/gemini-3-flash-preview", None), ("vertex", "vertex/claude-sonnet-4-5", None),
            ("vertex", "vertex/gemini-2.5-flash", "vertex/gemini-embedding-001")]
    openai = [target(m, base + "/v1", key, m, hosts[p], p + "/unheard-of-9", embed=e) for p, m, e in chat]
    azure = target("AzureOpenAI", base, key, "chat-dep", hosts["azure"], "no-dep", embed="embed-dep", azure=True)
    claude = [target(m, base, key, m, hosts[p], u) for p, m, u in (
        ("anthropic", "anthropic/claude-haiku-4-5", "anthropic/claude-9"), ("bedrock", "bedrock/claude-sonnet-4-5", "bedrock/anthropic.claude-9"),
        ("vertex", "vertex/claude-sonnet-4-5", "vertex/claude-9"))]
    aws = target("bedrock", base, key, CLAUDE_AWS, "bedrock", "anthropic.claude-9", embed="amazon.titan-embed-text-v2:0", count=False)
    gemini = target("gemini", base + "/gemini", key, "gemini-2.5-flash", hosts["gemini"], "gemini-9", embed="gemini-embedding-001")
    google = {"project": stack.sim.world.google_project, "region": "us-central1", "host": hosts["vertex"], "base": base + "/vertex"}
    vertex = dict(gemini, label="vertex", **google)
    claude_vertex = dict(target("vertex", "", key, "claude-sonnet-4-5@20250929", "", "claude-9"), **google)
    claude_vertex["base"] += "/v1"
    newest = dict(aws, label="opus 5", model="us.anthropic.claude-opus-5", thinking={"type": "adaptive"})
    return {
        "openai": openai + [azure], "anthropic": claude, "bedrock-sdk": [aws, newest], "vertex-sdk": [claude_vertex],
        "genai": [gemini, vertex],
        "bedrock": [aws, dict(aws, label="bedrock by TLS", base=tls)],
        "ai": [dict(t, api="openai", embed=None if "titan" in str(t["embed"]) else t["embed"]) for t in openai] +
              [dict(openai[0], api="responses", label="openai responses", embed=None, simple=True)] +
              [dict(t, api="anthropic", base=t["base"] + "/v1") for t in claude] +
              [dict(gemini, api="google", base=gemini["base"] + "/v1beta"), dict(aws, api="bedrock")],
    }


PROGRAMS = [("openai", "openai", {"SDK_MODULE": "openai"}), ("openai", "openai", {"SDK_MODULE": "openai6"}),
            ("openai", "openai", {"SDK_MODULE": "openai4"}),
            ("anthropic", "anthropic", {"SDK_MODULE": "@anthropic-ai/sdk"}), ("anthropic", "anthropic", {"SDK_MODULE": "anthropic0"}),
            ("anthropic", "bedrock-sdk", {"SDK_MODULE": "@anthropic-ai/bedrock-sdk"}),
            ("anthropic", "vertex-sdk", {"SDK_MODULE": "@anthropic-ai/vertex-sdk"}),
            ("genai", "genai", {"SDK_MODULE": "@google/genai"}), ("genai", "genai", {"SDK_MODULE": "genai2"}),
            ("ai", "ai", {"SDK_MAJOR": "7"}), ("ai", "ai", {"SDK_MAJOR": "6"}),
            ("bedrock", "bedrock", {"SDK_MODULE": "@aws-sdk/client-bedrock-runtime"})]


def run_all(world, targets, env):
    Orders.world = world
    chosen = [a for a in sys.argv[1:] if not a.startswith("-") and not os.path.exists(a)]
    for name, which, more in PROGRAMS:
        if which in targets and (not chosen or any(c in " ".join([name, which, *more.values()]) for c in chosen)):
            run(name, targets[which], dict(env, **more))


orders = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Orders)
threading.Thread(target=orders.serve_forever, daemon=True).start()
clean = dict(os.environ, NODE_PATH=sdk.NODE, SDK_ORDER="http://127.0.0.1:%d" % orders.server_address[1])

with tempfile.TemporaryDirectory() as d, Sim(d) as sim:
    note("straight to the simulators")
    run_all(sim.world, straight(sim.world, sim.port), dict(
        clean, NODE_EXTRA_CA_CERTS=sim.ca, NODE_OPTIONS="--require " + os.path.join(HERE, "direct.cjs")))
if "--direct" not in sys.argv:
    note("through the gateway")
    port = free_port()
    with ProviderStack(["--tls-listen", "127.0.0.1:%d" % port]) as stack:
        w = stack.sim.world
        stack.add("gemini", "gemini", w.gemini_key)
        stack.add("azure", "azure", w.azure_key, "--host", w.azure_resource + ".openai.azure.com")
        stack.add_vertex()
        run_all(w, through(stack, "https://127.0.0.1:%d" % port), dict(
            clean, SDK_WRONG_KEY=sdk.WRONG_KEY, NODE_EXTRA_CA_CERTS=os.path.join(stack.dir, "tls", "ca.pem")))
sdk.done()
