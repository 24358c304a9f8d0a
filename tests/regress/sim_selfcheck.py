#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The provider simulators judged by the official SDKs, without the gateway: they must take what real clients send under
the real host names, and refuse wrong credentials and what the providers refuse.
"""

import json
import os
import socket
import sys
import tempfile
import time
import warnings

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests", "lib")]
for name in list(os.environ):
    if name.startswith(("OPENAI_", "ANTHROPIC_", "AWS_", "GOOGLE_", "GEMINI_")) or name.lower().endswith("_proxy"):
        del os.environ[name]

from sim import Sim  # noqa: E402
from sim import bedrock as sim_bedrock  # noqa: E402
from scenarios import CITY, PNG, SONNET, anthropic_chat, converse, gemini_chat, openai_chat  # noqa: E402
from tap import case, done, ok  # noqa: E402

# Of model ids that the SDKs call old.
warnings.simplefilter("ignore", DeprecationWarning)
DIR = tempfile.mkdtemp(prefix="sim-")
sim = Sim(DIR)
world = sim.world

# The SDKs keep their own URLs; only the name resolution is ours.
socket.getaddrinfo = lambda host, port, *a, **k: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", sim.port))]
for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
    os.environ[name] = sim.ca

import anthropic  # noqa: E402
import boto3  # noqa: E402
import botocore.config  # noqa: E402
import botocore.exceptions  # noqa: E402
import google.genai  # noqa: E402
import google.genai.errors  # noqa: E402
import google.genai.types  # noqa: E402
import google.auth.transport.requests  # noqa: E402
import google.oauth2.service_account  # noqa: E402
import httpx  # noqa: E402
import jwt  # noqa: E402
import openai  # noqa: E402


def raises(kind, text, fn, has=""):
    try:
        got = fn()
    except kind as e:
        return ok(has in str(e), text, str(e)[:400])
    except Exception as e:  # noqa: BLE001
        return ok(False, text, "%s: %s" % (type(e).__name__, str(e)[:300]))
    return ok(False, text, "nothing raised, got %r" % got)


def check_openai():
    c = openai.OpenAI(api_key=world.openai_key, max_retries=0)
    with case("openai: tools, images, schema, stream"):
        openai_chat(c, "gpt-4o-mini")
    with case("openai: embeddings, responses, models"):
        assert len(c.embeddings.create(model="text-embedding-3-small", input=["a", "b"]).data) == 2
        assert c.responses.create(model="gpt-4o-mini", input="hi").output_text == "You said: hi"
        kinds = [e.type for e in c.responses.create(model="gpt-4o-mini", input="hi", stream=True)]
        assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
        assert any(m.id == "gpt-4o-mini" for m in c.models.list())
    hi = [{"role": "user", "content": "hi"}]
    raises(openai.AuthenticationError, "openai: a wrong key is refused",
           lambda: c.with_options(api_key="sk-wrong").chat.completions.create(model="gpt-4o-mini", messages=hi))
    raises(openai.AuthenticationError, "openai: a second credential header is refused",
           lambda: c.chat.completions.create(model="gpt-4o-mini", messages=hi, extra_headers={"x-api-key": "x"}))
    raises(openai.BadRequestError, "openai: a tool message without a call is refused", lambda: c.chat.completions.create(
        model="gpt-4o-mini", messages=hi + [{"role": "tool", "tool_call_id": "x", "content": "y"}]))
    raises(openai.BadRequestError, "openai: max_tokens is refused by a reasoning model",
           lambda: c.chat.completions.create(model="o3", messages=hi, max_tokens=5))
    for mode, kind in (("429", openai.RateLimitError), ("500", openai.InternalServerError), ("html", openai.InternalServerError),
                       ("array", openai.RateLimitError)):
        world.order("openai", mode)
        raises(kind, "openai: ordered " + mode, lambda: c.chat.completions.create(model="gpt-4o-mini", messages=hi))
    for mode in ("truncate", "stream-error"):
        world.order("openai", mode)
        raises(Exception, "openai: ordered %s in a stream" % mode,
               lambda: list(c.chat.completions.create(model="gpt-4o-mini", messages=hi, stream=True)))
    for mode in ("crlf", "huge-line", "bytewise", "close"):
        with case("openai: an unusual but legal stream: " + mode):
            world.order("openai", mode)
            text = "".join(x.choices[0].delta.content or "" for x in c.chat.completions.create(
                model="gpt-4o-mini", messages=hi, stream=True))
            assert text == "You said: hi", text


def check_azure():
    host = "https://%s.openai.azure.com" % world.azure_resource
    dated = openai.AzureOpenAI(azure_endpoint=host, api_key=world.azure_key, api_version="2024-10-21", max_retries=0)
    with case("azure: dated paths"):
        openai_chat(dated, "chat-dep")
        assert dated.embeddings.create(model="embed-dep", input="a").data[0].embedding
    # The plain client always sends Authorization; Azure documents api-key.
    def only_api_key(request):
        del request.headers["authorization"]
    v1 = openai.OpenAI(base_url=host + "/openai/v1", api_key="unused", default_headers={"api-key": world.azure_key},
                       http_client=httpx.Client(event_hooks={"request": [only_api_key]}), max_retries=0)
    with case("azure: v1 paths"):
        openai_chat(v1, "chat-dep")
    hi = [{"role": "user", "content": "hi"}]
    raises(openai.NotFoundError, "azure: an unknown deployment is 404",
           lambda: dated.chat.completions.create(model="gpt-4o-mini", messages=hi), "deployment for this resource does not exist")
    raises(openai.AuthenticationError, "azure: a wrong key is refused",
           lambda: dated.with_options(api_key="x").chat.completions.create(model="chat-dep", messages=hi))


def check_anthropic():
    c = anthropic.Anthropic(api_key=world.anthropic_key, max_retries=0)
    model = "claude-sonnet-4-5"
    hi = [{"role": "user", "content": "hi"}]
    with case("anthropic: thinking, tools, images, stream"):
        anthropic_chat(c, model)
    with case("anthropic: count tokens, models, JSON schema"):
        assert c.messages.count_tokens(model=model, messages=hi).input_tokens == 11
        assert list(c.models.list())
        r = c.messages.create(model=model, max_tokens=100, messages=hi, output_config={"format": {"type": "json_schema", "schema": CITY}})
        assert json.loads(r.content[0].text) == {"city": "Žilina"}, r
    raises(anthropic.AuthenticationError, "anthropic: a wrong key is refused",
           lambda: c.with_options(api_key="sk-ant-x").messages.create(model=model, max_tokens=5, messages=hi))
    raises(anthropic.BadRequestError, "anthropic: an unknown beta is refused", lambda: c.messages.create(
        model=model, max_tokens=5, messages=hi, extra_headers={"anthropic-beta": "no-such-2020-01-01"}), "anthropic-beta")
    raises(anthropic.BadRequestError, "anthropic: a forged thinking signature is refused", lambda: c.messages.create(
        model=model, max_tokens=5, messages=hi + [{"role": "assistant", "content": [
            {"type": "thinking", "thinking": "x", "signature": "eA=="}, {"type": "text", "text": "y"}]}] + hi), "signature")
    world.order("anthropic", "529")
    raises(anthropic.APIStatusError, "anthropic: ordered 529", lambda: c.messages.create(model=model, max_tokens=5, messages=hi))
    world.order("anthropic", "stream-error")
    raises(anthropic.APIError, "anthropic: ordered error in the stream",
           lambda: list(c.messages.create(model=model, max_tokens=5, messages=hi, stream=True)))


def runtime(key=None, bearer=None, region="us-east-1"):
    os.environ.pop("AWS_BEARER_TOKEN_BEDROCK", None)
    if bearer:
        os.environ["AWS_BEARER_TOKEN_BEDROCK"] = bearer
    # Without a key of its own boto3 would look for one on the machine.
    config = botocore.config.Config(retries={"total_max_attempts": 1}, signature_version=None if bearer else "v4")
    keys = {} if key is None else dict(aws_access_key_id=key.access_key_id, aws_secret_access_key=key.secret, aws_session_token=key.session)
    return boto3.client("bedrock-runtime", region_name=region, config=config, **keys)


def check_bedrock():
    c = runtime(world.aws_long)
    hi = [{"role": "user", "content": [{"text": "hi"}]}]
    with case("bedrock: converse with tools, images and both streams, signed"):
        converse(c)
    with case("bedrock: invoke and its stream"):
        body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]})
        r = json.loads(c.invoke_model(modelId=SONNET, body=body)["body"].read())
        assert r["content"][0]["text"] == "You said: hi" and r["id"].startswith("msg_bdrk_"), r
        types = [json.loads(e["chunk"]["bytes"])["type"] for e in c.invoke_model_with_response_stream(modelId=SONNET, body=body)["body"]]
        assert types[0] == "message_start" and types[-1] == "message_stop", types
        r = json.loads(c.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=json.dumps({"inputText": "a", "dimensions": 256}))["body"].read())
        assert len(r["embedding"]) == 256
    with case("bedrock: API keys, long and short"):
        converse(runtime(bearer=world.bedrock_long))
        converse(runtime(bearer=sim_bedrock.short_key(world, "us-east-1")))
    bad = type(world.aws_long)(world.aws_long.access_key_id, "wrong" * 8)
    error = botocore.exceptions.ClientError
    raises(error, "bedrock: a wrong secret is refused", lambda: runtime(bad).converse(modelId=SONNET, messages=hi), "InvalidSignature")
    raises(error, "bedrock: a short key of another region is refused", lambda: runtime(
        bearer=world.bedrock_short[0], region="us-west-2").converse(modelId=SONNET, messages=hi), "AccessDenied")
    raises(error, "bedrock: a bare model id needs a profile", lambda: c.converse(modelId=SONNET[3:], messages=hi), "on-demand")
    raises(error, "bedrock: eu. does not exist in the US", lambda: c.converse(modelId="eu." + SONNET[3:], messages=hi), "identifier")
    raises(error, "bedrock: blank text is refused",
           lambda: c.converse(modelId=SONNET, messages=[{"role": "user", "content": [{"text": " "}]}]), "blank")
    raises(error, "bedrock: roles must alternate", lambda: c.converse(modelId=SONNET, messages=hi + hi), "alternate")
    world.shift = 301 * 2
    raises(error, "bedrock: a clock 10 minutes off is refused", lambda: c.converse(modelId=SONNET, messages=hi), "expired")
    world.shift = 0
    world.order("bedrock", "stream-error")
    raises(botocore.exceptions.EventStreamError, "bedrock: ordered exception in the stream",
           lambda: list(c.converse_stream(modelId=SONNET, messages=hi)["stream"]))


def sts(key=None):
    config = botocore.config.Config(retries={"total_max_attempts": 1}, signature_version=botocore.UNSIGNED if key is None else None)
    keys = {} if key is None else dict(aws_access_key_id=key.access_key_id, aws_secret_access_key=key.secret, aws_session_token=key.session)
    return boto3.client("sts", region_name="eu-west-1", config=config, **keys)


def identity(private, **claims):
    now = int(world.now())
    full = dict({"iss": "https://issuer.example", "aud": "sts.amazonaws.com", "sub": "scoped_principal:team/user:1",
                 "iat": now, "exp": now + 300}, **claims)
    return jwt.encode({k: v for k, v in full.items() if v is not None}, private, "RS256", {"kid": "k1"})


def check_sts():
    error = botocore.exceptions.ClientError

    def temp(c):
        return type(world.aws_long)(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
    c = sts(world.aws_long)
    with case("sts: GetSessionToken's credentials work, and end"):
        t = temp(c.get_session_token(DurationSeconds=900)["Credentials"])
        converse(runtime(t, region="eu-west-1"), "eu" + SONNET[2:])
        assert sts(t).get_caller_identity()["Account"] == "123456789012"
        world.aws[t.access_key_id].expires = time.time() - 1
    raises(error, "sts: ended credentials are refused", lambda: runtime(t).converse(modelId=SONNET, messages=[]), "ExpiredToken")
    t2 = temp(c.get_session_token()["Credentials"])
    raises(error, "sts: GetSessionToken refuses temporary credentials", lambda: sts(t2).get_session_token(), "session credentials")
    role = dict(RoleArn=world.role, RoleSessionName="sim")
    with case("sts: AssumeRole with the external id"):
        converse(runtime(temp(c.assume_role(ExternalId=world.external_id, **role)["Credentials"])))
    raises(error, "sts: AssumeRole without it is refused", lambda: c.assume_role(**role), "AccessDenied")
    from cryptography.hazmat.primitives.asymmetric import rsa
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key()))
    world.issuer = ("https://issuer.example", {"keys": [dict(jwk, kid="k1", use="sig", alg="RS256")]})
    u = sts()

    def web(**claims):
        return u.assume_role_with_web_identity(WebIdentityToken=identity(private, **claims), **role)
    with case("sts: AssumeRoleWithWebIdentity"):
        r = web()
        assert r["SubjectFromWebIdentityToken"] == "scoped_principal:team/user:1", r
        converse(runtime(temp(r["Credentials"])))
    for what, claims, code in (("an expired token", {"exp": int(time.time()) - 1}, "ExpiredToken"),
                               ("another audience", {"aud": "x"}, "InvalidIdentityToken"),
                               ("another issuer", {"iss": "https://other.example"}, "InvalidIdentityToken"),
                               ("no subject", {"sub": None}, "InvalidIdentityToken"),
                               ("a subject outside the trust policy", {"sub": "someone"}, "AccessDenied"),
                               ("an issue time to come", {"iat": int(time.time()) + 900}, "InvalidIdentityToken")):
        raises(error, "sts: %s is refused" % what, lambda x=claims: web(**x), code)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    raises(error, "sts: a token of another key is refused", lambda: u.assume_role_with_web_identity(
        WebIdentityToken=identity(other), **role), "InvalidIdentityToken")


def check_gemini():
    c = google.genai.Client(api_key=world.gemini_key)
    error = google.genai.errors.ClientError
    for model in ("gemini-2.5-flash", "gemini-3-flash-preview"):
        with case("gemini: %s: tools, images, schema, stream, embeddings" % model):
            gemini_chat(c, model)
    wrong = google.genai.Client(api_key="AIzaWrong")
    raises(error, "gemini: a wrong key is refused",
           lambda: wrong.models.generate_content(model="gemini-2.5-flash", contents="x"), "API_KEY_INVALID")
    types = google.genai.types
    turn = [types.Content(role="user", parts=[types.Part(text="call weather")]),
            types.Content(role="model", parts=[types.Part.from_function_call(name="weather", args={})]),
            types.Content(role="user", parts=[types.Part.from_function_response(name="weather", response={"a": 1})])]
    raises(error, "gemini 3: a call without its thought signature is refused",
           lambda: c.models.generate_content(model="gemini-3-flash-preview", contents=turn), "thought_signature")
    raises(error, "gemini: budget and level together are refused", lambda: c.models.generate_content(
        model="gemini-3-flash-preview", contents="x", config={"thinking_config": {"thinking_budget": 5, "thinking_level": "LOW"}}),
        "only one of thinking")


def check_vertex():
    info = world.google_json()
    scope = ["https://www.googleapis.com/auth/cloud-platform"]
    cred = google.oauth2.service_account.Credentials.from_service_account_info(info, scopes=scope)
    c = google.genai.Client(vertexai=True, project=world.google_project, location="us-central1", credentials=cred)
    with case("vertex: a service account's token serves Gemini"):
        types = google.genai.types
        r = c.models.generate_content(model="gemini-2.5-flash", contents=["look", types.Part.from_bytes(data=PNG, mime_type="image/png")])
        assert "Saw image/png" in r.text, r
    with case("vertex: the same token serves Claude"):
        cred.refresh(google.auth.transport.requests.Request())
        a = anthropic.AnthropicVertex(project_id=world.google_project, region="us-central1", access_token=cred.token, max_retries=0)
        r = a.messages.create(model="claude-sonnet-4-5@20250929", max_tokens=64, messages=[{"role": "user", "content": "hi"}],
                              extra_body={"anthropic_version": "vertex-2023-10-16"})
        assert r.content[0].text == "You said: hi", r
    raises(anthropic.AuthenticationError, "vertex: a token that was not issued is refused", lambda: anthropic.AnthropicVertex(
        project_id=world.google_project, region="us-central1", access_token="ya29.no", max_retries=0).messages.create(
        model="claude-sonnet-4-5@20250929", max_tokens=64, messages=[{"role": "user", "content": "hi"}]))
    cases = [("an account that does not exist", dict(info, client_email="x@y.iam.gserviceaccount.com"), scope, "account not found"),
             ("another scope", info, ["https://www.googleapis.com/auth/drive"], "invalid_scope"),
             ("another key id", dict(info, private_key_id="0" * 40), scope, "invalid_grant")]
    for what, i, s, has in cases:
        broken = google.oauth2.service_account.Credentials.from_service_account_info(i, scopes=s)
        raises(google.auth.exceptions.RefreshError, "google: %s is refused" % what,
               lambda b=broken: b.refresh(google.auth.transport.requests.Request()), has)
    world.shift = 7200
    raises(google.auth.exceptions.RefreshError, "google: an assertion of two hours ago is refused",
           lambda: cred.refresh(google.auth.transport.requests.Request()), "short-lived")
    world.shift = 0


for check in (check_openai, check_azure, check_anthropic, check_bedrock, check_sts, check_gemini, check_vertex):
    check()
sim.stop()
done()
