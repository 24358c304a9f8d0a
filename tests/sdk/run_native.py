#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gemini (AI Studio, Vertex AI), Claude on Vertex AI and Azure OpenAI in their own APIs, by their official SDKs, through the
whole gateway to the simulators: one more key kind each, checked by the simulator, and never seen in what the gateway logs.
"""

import json
import os

import sdk
from sdk import case, expect, ok
import anthropic
import google.genai
import google.genai.errors
import google.oauth2.credentials
import openai

from providers import ProviderStack
from scenarios import anthropic_chat, gemini_chat, openai_chat

HI = [{"role": "user", "content": "hi"}]
GEMINI = "gemini-2.5-flash"


def genai(s, path="", key=None):
    options = google.genai.types.HttpOptions(base_url="http://127.0.0.1:%d%s" % (s.port, path), timeout=15000,
                                             retry_options=google.genai.types.HttpRetryOptions(attempts=1))
    return google.genai.Client(api_key=key or s.key, vertexai=False, http_options=options)


def status_of(e):
    return getattr(e, "code", None) or getattr(e, "status_code", None)


def check_gemini(s):
    world, c = s.sim.world, genai(s)
    with case("gemini: tools, images, schema, stream, embeddings"):
        gemini_chat(c, GEMINI)
    with case("gemini: a thought signature goes there and back"):
        gemini_chat(c, "gemini-3-flash-preview")
    with case("gemini: the same behind its prefix"):
        prefixed = genai(s, "/gemini")   # a client ends with its last name
        assert prefixed.models.generate_content(model=GEMINI, contents="hi").text == "You said: hi"
    with case("gemini: its own list of models"):
        assert any(m.name == "models/" + GEMINI for m in c.models.list()), list(c.models.list())
    with case("gemini: token counts"):
        assert c.models.count_tokens(model=GEMINI, contents="hi").total_tokens > 0
    with case("gemini: what goes upstream has our key, once, and nothing of the client's"):
        c.models.generate_content(model=GEMINI, contents="hi")
        last = world.asked("generativelanguage")[-1]
        assert last.header("x-goog-api-key") == world.gemini_key and not last.header("authorization"), last.headers
        assert "key=" not in last.query and s.key not in repr((last.headers, last.query, last.path)), last.query
        assert last.path == "/v1beta/models/%s:generateContent" % GEMINI, last.path
    for mode, want in (("429", 429), ("503", 503)):
        world.order("generativelanguage", mode)
        e = expect(google.genai.errors.APIError, "gemini: " + mode, lambda: c.models.generate_content(model=GEMINI, contents="x"))
        ok(status_of(e) == want, "gemini: %s is told as %d" % (mode, want), e)
    e = expect(google.genai.errors.ClientError, "gemini: an unknown model",
               lambda: c.models.generate_content(model="gemini-0", contents="x"))
    ok(status_of(e) == 404, "gemini: is its 404", e)
    wrong = genai(s, key=sdk.WRONG_KEY)
    e = expect(google.genai.errors.ClientError, "gemini: a wrong client key",
               lambda: wrong.models.generate_content(model=GEMINI, contents="x"))
    ok(status_of(e) == 401 and sdk.WRONG_KEY not in str(e), "gemini: is 401, and not repeated", e)
    good, world.gemini_key = world.gemini_key, "AIza" + "0" * 35
    e = expect(google.genai.errors.APIError, "gemini: our own key refused",
               lambda: c.models.generate_content(model=GEMINI, contents="x"))
    ok(status_of(e) == 424 and good not in str(e), "gemini: is 424, which its SDKs do not repeat, and not the client's fault", e)
    world.gemini_key = good


def azure_sdk(s, version):
    return openai.AzureOpenAI(azure_endpoint="http://127.0.0.1:%d" % s.port, api_key=s.key, api_version=version, max_retries=0,
                              timeout=15)


def check_azure(s, dated):
    world = s.sim.world
    host = world.azure_resource + ".openai.azure.com"
    name = "azure, dated" if dated else "azure, v1"
    more = ["--api-version", "2024-10-21"] if dated else []
    s.add("azure", "azure", world.azure_key, "--host", host, *more)
    c = openai.OpenAI(base_url="http://127.0.0.1:%d/azure/openai/v1" % s.port, api_key=s.key, max_retries=0, timeout=15)
    with case(name + ": tools, images, schema, stream"):
        openai_chat(c, "chat-dep")
    with case(name + ": embeddings"):
        assert len(c.embeddings.create(model="embed-dep", input=["a", "b"]).data) == 2
    with case(name + ": by the SDK for Azure, whatever version it was made for"):
        openai_chat(azure_sdk(s, "2025-01-01-preview"), "chat-dep")
    with case(name + ": what goes upstream is the credential's API, with our key and nothing of the client's"):
        azure_sdk(s, "2023-05-15").chat.completions.create(model="chat-dep", messages=HI)
        last = world.asked(host)[-1]
        want = ("/openai/deployments/chat-dep/chat/completions", "api-version=2024-10-21") if dated else (
            "/openai/v1/chat/completions", "")
        assert (last.path, last.query) == want, (last.path, last.query)
        assert last.header("api-key") == world.azure_key and not last.header("authorization"), last.headers
        assert s.key not in repr(last.headers), last.headers
    e = expect(openai.NotFoundError, name + ": a deployment that is not there",
               lambda: c.chat.completions.create(model="no-dep", messages=HI))
    ok("API deployment for this resource" in str(e), name + ": is Azure's own 404", e)
    world.order(host, "429")
    expect(openai.RateLimitError, name + ": 429", lambda: c.chat.completions.create(model="chat-dep", messages=HI))
    good, world.azure_key = world.azure_key, "f" * 32
    e = expect(openai.APIStatusError, name + ": our own key refused",
               lambda: c.chat.completions.create(model="chat-dep", messages=HI))
    ok(e.status_code == 502 and good not in str(e), name + ": is 502, not the client's fault", e)
    world.azure_key = good
    s.ctl("credential", "remove", "azure")


def pkcs8(pem):
    """What the vault keeps of a service account's file: the key's DER in base64."""
    return "".join(line for line in pem.splitlines() if "-----" not in line)


def check_vertex(s, region):
    w = s.sim.world
    host = "aiplatform.googleapis.com" if region == "global" else region + "-aiplatform.googleapis.com"
    name = "vertex, " + region
    s.add("vertex", "vertex", json.dumps(w.google_json()), "--region", region)
    options = google.genai.types.HttpOptions(base_url="http://127.0.0.1:%d" % s.port, timeout=15000)
    # What the client says of project and place does not matter: those of the credential are used.
    c = google.genai.Client(vertexai=True, project="their-project", location="asia-east1", http_options=options,
                            credentials=google.oauth2.credentials.Credentials(token=s.key))
    before = len(w.asked("oauth2.googleapis.com"))
    with case(name + ": Gemini with tools, images, schema, stream, embeddings"):
        gemini_chat(c, GEMINI)
    a = anthropic.AnthropicVertex(project_id="their-project", region="asia-east1", access_token=s.key, max_retries=0, timeout=15,
                                  base_url="http://127.0.0.1:%d/v1" % s.port)
    with case(name + ": Claude with thinking, tools, images, stream"):
        anthropic_chat(a, "claude-haiku-4-5@20251001")
    plain = anthropic.Anthropic(base_url="http://127.0.0.1:%d" % s.port, api_key=s.key, max_retries=0, timeout=15)
    with case(name + ": Claude by Anthropic's own API"):
        anthropic_chat(plain, "vertex/claude-haiku-4-5")
    chat = openai.OpenAI(base_url="http://127.0.0.1:%d/v1" % s.port, api_key=s.key, max_retries=0, timeout=15)
    for model in ("vertex/gemini-2.5-flash", "vertex/claude-haiku-4-5"):
        with case(name + ": %s by OpenAI's API" % model):
            openai_chat(chat, model)
    with case(name + ": one token for all of it, got by a signed request, and nothing of the client's"):
        tokens = w.asked("oauth2.googleapis.com")[before:]
        assert len(tokens) == 1, len(tokens)
        used = [r for r in w.asked("aiplatform") if r.host == host]
        assert used and all(r.header("authorization").startswith("Bearer ") for r in used), used[-1].headers
        assert len({r.header("authorization") for r in used}) == 1
        assert all("/projects/%s/locations/%s/" % (w.google_project, region) in r.path for r in used), used[-1].path
        assert not any(s.key in repr(r.headers) + r.path for r in used)
    good, w.google_tokens = w.google_tokens, {}
    with case(name + ": a token that the provider calls ended before its time is got anew, once"):
        before = len(w.asked("oauth2.googleapis.com"))
        try:
            text = chat.chat.completions.create(model="vertex/gemini-2.5-flash", messages=HI).choices[0].message.content
            assert text == "You said: hi", text
        except openai.APIStatusError as e:   # one younger than half a minute is not given up on the gateway's word
            assert e.status_code in (502, 503), e
        assert len(w.asked("oauth2.googleapis.com")) - before <= 1
    good.update(w.google_tokens)
    s.secrets += list(good)
    s.ctl("credential", "remove", "vertex")


os.environ.pop("GOOGLE_API_KEY", None)
with ProviderStack() as stack:
    stack.add("gemini", "gemini", stack.sim.world.gemini_key)
    check_gemini(stack)
    stack.secrets = [pkcs8(stack.sim.world.google_pem)[200:260]]
    check_vertex(stack, "us-central1")
    check_vertex(stack, "global")
    check_azure(stack, False)
    check_azure(stack, True)
    with case("nothing that a simulator accepts is in any log"):
        for secret in (stack.sim.world.gemini_key, stack.sim.world.azure_key, *stack.secrets):
            assert secret not in stack.logs(tail=10 ** 7), "a key is in a log"
sdk.done()
