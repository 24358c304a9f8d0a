#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every kind of credential, behind every SDK that can ask for its provider: the SDK's user sees no difference, the
simulator sees the authorization that the kind says, and nobody sees the stored secret.
"""

import os
import sys

import sdk
from sdk import case, free_port
import anthropic
import boto3
import botocore.config
import google.genai
import google.oauth2.credentials
import openai

from providers import ProviderStack
from scenarios import SONNET, anthropic_chat, converse, gemini_chat, openai_chat
from sp_proto import NUM
from stack import request

sys.path.insert(0, os.path.join(sdk.ROOT, "tests"))

from sim.bedrock import short_key  # noqa: E402

URL = "https://id.example.com"
TLS_PORT = free_port()


def put(s, name, provider, auth, setting=None, **more):
    """A credential and a key that may use nothing else."""
    ids = {NUM["SETTING_" + k]: v for k, v in (setting or {}).items()}
    r = s.admin("CREDENTIAL_PUT", name=name, expect_version=0, provider=NUM["PROVIDER_" + provider], auth=NUM["AUTH_" + auth],
                ca_pem=s.sim.ca_pem(), workspace="kinds", enabled=True, setting=[dict(id=i, value=ids[i]) for i in sorted(ids)], **more)
    assert r[-1][0] == "DONE", r
    r = s.admin("VKEY_ISSUE", name=name, workspace="kinds", credential=[dict(name=name)], model=[])
    assert r[-1][0] == "VKEY_ISSUED", r
    return r[-1][2]["key"]


def bedrock_kinds(s):
    w = s.sim.world
    iam = dict(access_key_id=w.aws_long.access_key_id, secret=w.aws_long.secret, region="us-east-1")
    temporary = w.issue_aws(3600, "test")
    yield "iam-key", put(s, "iam-key", "BEDROCK", "SIGV4", **iam), (w.aws_long.access_key_id, False)
    yield "temporary", put(s, "temporary", "BEDROCK", "SIGV4", region="us-east-1", access_key_id=temporary.access_key_id,
                           secret=temporary.secret, session_token=temporary.session), (temporary.access_key_id, True)
    yield "sts-session", put(s, "sts-session", "BEDROCK", "STS_SESSION", **iam), ("ASIA", True)
    yield "assume-role", put(s, "assume-role", "BEDROCK", "STS_ASSUME_ROLE",
                             {"ROLE_ARN": w.role, "EXTERNAL_ID": w.external_id}, **iam), ("ASIA", True)
    assert s.admin("ISSUER_SET", url=URL, rotate=False)[-1][0] == "DONE"
    w.issuer = (URL, request(s.port, "GET", "/.well-known/jwks.json", None, {}).json())
    yield "web-identity", put(s, "web-identity", "BEDROCK", "STS_WEB_IDENTITY", {"ROLE_ARN": w.role, "SUBJECT": w.subjects +
                              "team/user:one"}, region="us-east-1"), ("ASIA", True)
    yield "api-key", put(s, "api-key", "BEDROCK", "BEARER", secret=w.bedrock_long, region="us-east-1"), (w.bedrock_long, False)
    short = short_key(w, "us-east-1")
    yield "short-term api key", put(s, "api-key-short", "BEDROCK", "BEARER", secret=short, region="us-east-1"), (short, False)


def runtime(s, key):
    os.environ["AWS_BEARER_TOKEN_BEDROCK"] = key
    return boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url="https://127.0.0.1:%d" % TLS_PORT,
                        verify=os.path.join(s.dir, "tls", "ca.pem"),
                        config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=15))


def check_bedrock(s, base, more):
    for kind, key, (who, session) in bedrock_kinds(s):
        with case("bedrock, %s: boto3" % kind):
            converse(runtime(s, key))
        with case("bedrock, %s: OpenAI's SDK" % kind):
            openai_chat(openai.OpenAI(base_url=base + "/v1", api_key=key, **more), "claude-sonnet-4-5")
        with case("bedrock, %s: Anthropic's SDKs" % kind):
            anthropic_chat(anthropic.Anthropic(base_url=base, api_key=key, **more), "claude-sonnet-4-5")
            anthropic_chat(anthropic.AnthropicBedrock(base_url=base, api_key=key, aws_region="us-east-1", **more), SONNET)
        with case("bedrock, %s: what goes upstream" % kind):
            last = s.sim.world.asked("bedrock-runtime")[-1]
            assert who in last.header("authorization"), last.header("authorization")[:60]
            assert (last.header("x-amz-security-token") is not None) == session, last.headers


def check_google(s, base, more):
    world = s.sim.world
    gemini = put(s, "gemini", "GEMINI", "GOOGLE_API_KEY", secret=world.gemini_key)
    options = google.genai.types.HttpOptions(base_url=base, timeout=15000,
                                             retry_options=google.genai.types.HttpRetryOptions(attempts=1))
    with case("gemini, api-key: Google's SDK"):
        gemini_chat(google.genai.Client(api_key=gemini, vertexai=False, http_options=options), "gemini-2.5-flash")
    with case("gemini, api-key: OpenAI's SDK"):
        openai_chat(openai.OpenAI(base_url=base + "/v1", api_key=gemini, **more), "gemini-2.5-flash")
    for auth in ("GOOGLE_TOKEN", "GOOGLE_JWT"):
        kind = auth.lower().replace("_", "-")
        s.add_vertex(kind, auth, workspace="kinds")
        key = s.admin("VKEY_ISSUE", name=kind, workspace="kinds", credential=[dict(name=kind)], model=[])[-1][2]["key"]
        with case("vertex, %s: OpenAI's SDK, both families" % kind):
            c = openai.OpenAI(base_url=base + "/v1", api_key=key, **more)
            openai_chat(c, "gemini-2.5-flash")
            openai_chat(c, "claude-sonnet-4-5")
            assert len(c.embeddings.create(model="gemini-embedding-001", input=["a", "b"]).data) == 2
        with case("vertex, %s: Anthropic's SDKs" % kind):
            anthropic_chat(anthropic.Anthropic(base_url=base, api_key=key, **more), "claude-sonnet-4-5")
            anthropic_chat(anthropic.AnthropicVertex(base_url=base + "/vertex/v1", access_token=key, region="us-central1",
                                                     project_id=world.google_project, **more), "claude-sonnet-4-5@20250929")
        with case("vertex, %s: Google's SDK" % kind):
            gemini_chat(google.genai.Client(vertexai=True, project=world.google_project, location="us-central1", credentials=(
                google.oauth2.credentials.Credentials(token=key)), http_options=options), "gemini-2.5-flash")
        with case("vertex, %s: what goes upstream" % kind):
            sent = {r.header("authorization").split(".")[0] for r in world.asked("aiplatform")}
            assert ("Bearer ya29" in sent) if auth == "GOOGLE_TOKEN" else any(x.startswith("Bearer ey") for x in sent), sent
            assert not any(key in repr(r.headers) for r in world.asked("aiplatform"))


def check_azure(s, base, more):
    world = s.sim.world
    for name, setting in (("v1", {}), ("dated", {"API_VERSION": "2024-10-21"})):
        key = put(s, "azure-" + name, "AZURE", "AZURE_API_KEY", setting, secret=world.azure_key,
                  host=world.azure_resource + ".openai.azure.com", deployment=[dict(model="gpt-4o", name="chat-dep")])
        for model in ("gpt-4o", "azure/gpt-4o", "chat-dep"):
            with case("azure, %s: OpenAI's SDK asks for %s" % (name, model)):
                openai_chat(openai.OpenAI(base_url=base + "/v1", api_key=key, **more), model)
        with case("azure, %s: the SDK for Azure" % name):
            openai_chat(openai.AzureOpenAI(azure_endpoint=base, api_key=key, api_version="2025-01-01-preview", **more), "gpt-4o")


for variable in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
    os.environ.pop(variable, None)
with ProviderStack(["--tls-listen", "127.0.0.1:%d" % TLS_PORT]) as stack:
    args = stack, "http://127.0.0.1:%d" % stack.port, {"max_retries": 0, "timeout": 15}
    check_bedrock(*args)
    check_google(*args)
    check_azure(*args)
    with case("no stored secret and no bought one is in any log"):
        w = stack.sim.world
        logs = stack.logs(tail=10 ** 7)
        secrets = [w.aws_long.secret, w.bedrock_long, w.bedrock_short[0], w.gemini_key, w.azure_key, *w.google_tokens]
        secrets += [x for k in w.aws.values() for x in (k.secret, k.session) if x]
        for secret in secrets:
            assert secret not in logs, "a secret is in a log"
sdk.done()
