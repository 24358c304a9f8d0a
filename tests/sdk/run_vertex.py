#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Vertex AI by the official SDKs, google-genai and Anthropic's for Vertex, through the whole gateway to the simulators. The
SDK's Google token is our virtual key; what reaches Vertex is a token that the vault bought, or signed itself.
"""

import sdk
from sdk import case, expect, ok
import anthropic
import google.genai
import google.genai.errors
import google.oauth2.credentials
import openai

from providers import ProviderStack
from scenarios import anthropic_chat, gemini_chat
from sp_proto import NUM

GEMINI, CLAUDE = "gemini-2.5-flash", "claude-sonnet-4-5@20250929"


def put(s, name, auth, region):
    j = s.sim.world.google_json()
    setting = [dict(id=NUM["SETTING_" + k], value=v) for k, v in (
        ("PROJECT", j["project_id"]), ("CLIENT_EMAIL", j["client_email"]), ("PRIVATE_KEY_ID", j["private_key_id"]))]
    text = "".join(x for x in j["private_key"].splitlines() if "-----" not in x)
    r = s.admin("CREDENTIAL_PUT", name=name, expect_version=0, provider=NUM["PROVIDER_VERTEX"], auth=NUM["AUTH_" + auth],
                region=region, secret=text, ca_pem=s.sim.ca_pem(), workspace="google", enabled=True, setting=setting)
    assert r[-1][0] == "DONE", r
    return s.admin("VKEY_ISSUE", name=name, workspace="google", credential=[dict(name=name)], model=[])[-1][2]["key"]


def genai(s, key, region):
    options = google.genai.types.HttpOptions(base_url="http://127.0.0.1:%d/vertex" % s.port, timeout=15000, api_version="v1",
                                             retry_options=google.genai.types.HttpRetryOptions(attempts=1))
    return google.genai.Client(vertexai=True, project=s.sim.world.google_project, location=region, http_options=options,
                               credentials=google.oauth2.credentials.Credentials(token=key))


def claude(s, key, region):
    return anthropic.AnthropicVertex(base_url="http://127.0.0.1:%d/vertex/v1" % s.port, access_token=key, region=region,
                                     project_id=s.sim.world.google_project, max_retries=0, timeout=15)


def check(s, auth, region):
    world, what = s.sim.world, "%s, %s" % (auth.lower().replace("_", "-"), region)
    key = put(s, "vertex-%s-%s" % (auth.lower().replace("_", "-"), region), auth, region)
    host = "aiplatform.googleapis.com" if region == "global" else region + "-aiplatform.googleapis.com"
    c, a = genai(s, key, region), claude(s, key, region)
    with case(what + ": Gemini: tools, images, schema, stream, embeddings"):
        gemini_chat(c, GEMINI)
    with case(what + ": Gemini 3: a thought signature goes there and back"):
        gemini_chat(c, "gemini-3-flash-preview")
    with case(what + ": token counts"):
        assert c.models.count_tokens(model=GEMINI, contents="hi").total_tokens > 0
    with case(what + ": Claude: tools, thinking, images, stream"):
        anthropic_chat(a, CLAUDE)
    with case(what + ": Claude's token counts"):
        assert a.messages.count_tokens(model=CLAUDE, messages=[{"role": "user", "content": "hi"}]).input_tokens > 0
    with case(what + ": what goes upstream has the vault's token and nothing of the client's"):
        c.models.generate_content(model=GEMINI, contents="hi")
        last = world.asked(host)[-1]
        token = last.header("authorization")
        assert token.startswith("Bearer ya29." if auth == "GOOGLE_TOKEN" else "Bearer ey"), token[:20]
        assert key not in repr((last.headers, last.target)) and last.host == host, last.target
    with case(what + ": OpenAI's SDK asks for both, translated"):
        o = openai.OpenAI(base_url="http://127.0.0.1:%d/v1" % s.port, api_key=key, max_retries=0, timeout=15)
        for model in ("vertex/gemini-2.5-flash", "vertex/claude-sonnet-4-5"):
            r = o.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
            assert r.choices[0].message.content == "You said: hi", r


def main():
    with ProviderStack() as s:
        check(s, "GOOGLE_TOKEN", "us-central1")
        check(s, "GOOGLE_JWT", "europe-west1")
        check(s, "GOOGLE_TOKEN", "global")
        key = put(s, "errors", "GOOGLE_TOKEN", "us-central1")
        c = genai(s, key, "us-central1")
        for mode, status in (("429", 429), ("503", 503)):
            s.sim.world.order("aiplatform", mode)
            e = expect(google.genai.errors.APIError, "errors: " + mode, lambda: c.models.generate_content(model=GEMINI, contents="x"))
            ok(getattr(e, "code", None) == status, "errors: %s is told as %d" % (mode, status), e)
        wrong = genai(s, sdk.WRONG_KEY, "us-central1")
        e = expect(google.genai.errors.ClientError, "errors: a wrong client key",
                   lambda: wrong.models.generate_content(model=GEMINI, contents="x"))
        ok(getattr(e, "code", None) == 401 and sdk.WRONG_KEY not in str(e), "errors: is 401, and not repeated", e)
    sdk.done()


main()
