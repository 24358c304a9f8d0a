#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Test Connection, every outcome for every provider: the whole stack and the simulators under the providers' real names.
What the simulators do not come to by themselves they say word for word as the vendors do."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402

try:
    from providers import ProviderStack  # noqa: E402
except ImportError as e:
    tap.skip_all("the simulators need `bash mk/deps.sh check`: %s" % e)

from sp_proto import NUM  # noqa: E402
from tap import case  # noqa: E402



def base64_of(pem):
    return "".join(x for x in pem.splitlines() if "-----" not in x)


class Lab:
    def __init__(self, s):
        self.s, self.w = s, s.sim.world
        self.count = 0

    def put(self, provider, auth, secret, **more):
        self.count += 1
        name = "c%d" % self.count
        setting = [dict(id=NUM["SETTING_" + k], value=v) for k, v in more.pop("setting", {}).items()]
        deployment = [dict(model=k, name=v) for k, v in more.pop("deployment", {}).items()]
        r = self.s.admin("CREDENTIAL_PUT", **dict(dict(
            name=name, expect_version=0, provider=NUM["PROVIDER_" + provider], auth=NUM["AUTH_" + auth], secret=secret,
            ca_pem=self.s.sim.ca_pem(), workspace="tests", enabled=True, setting=sorted(setting, key=lambda x: x["id"]),
            deployment=deployment), **more))
        assert r[-1][0] == "DONE", r
        return name

    def test(self, name, model=""):
        return self.s.admin("CREDENTIAL_TEST", name=name, model=model)[-1]

    def want(self, name, outcome, model="", fix=None, **fields):
        kind, _, m = self.test(name, model)
        assert kind == "CREDENTIAL_TESTED", (kind, m)
        assert m["outcome"] == outcome, m
        assert (m["class_id"] == 0) == (outcome == "ok"), m
        assert m["fix"] or outcome == "ok", m
        assert fix is None or fix in m["fix"], m
        for k, v in fields.items():
            assert m[k] == v, (k, m)
        return m

    # One of each, good.
    def openai(self, secret=None):
        return self.put("OPENAI", "BEARER", secret or self.w.openai_key)

    def anthropic(self, secret=None):
        return self.put("ANTHROPIC", "API_KEY", secret or self.w.anthropic_key)

    def gemini(self, secret=None):
        return self.put("GEMINI", "GOOGLE_API_KEY", secret or self.w.gemini_key)

    def azure(self, secret=None, **more):
        return self.put("AZURE", "AZURE_API_KEY", secret or self.w.azure_key, host="sim-resource.openai.azure.com",
                        deployment={"gpt-4o-mini": "chat-dep"}, **more)

    def iam(self, key=None, auth="SIGV4", region="us-east-1", **more):
        key = key or self.w.aws_long
        return self.put("BEDROCK", auth, key.secret, access_key_id=key.access_key_id, region=region, **more)

    def bearer(self, secret=None, region="us-east-1"):
        return self.put("BEDROCK", "BEARER", secret or self.w.bedrock_long, region=region)

    def vertex(self, auth="GOOGLE_TOKEN", region="us-central1", **more):
        j = self.w.google_json()
        setting = dict(PROJECT=j["project_id"], CLIENT_EMAIL=j["client_email"], PRIVATE_KEY_ID=j["private_key_id"])
        setting.update(more.pop("setting", {}))
        return self.put("VERTEX", auth, base64_of(j["private_key"]), region=region, setting=setting, **more)


def google_error(status, name, message, **detail):
    e = {"code": status, "message": message, "status": name}
    if detail:
        e["details"] = [detail]
    return {"error": e}


def openai_error(message, kind, code):
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic_error(kind, message):
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def aws(kind):
    return [("x-amzn-errortype", kind + ":http://internal.amazon.com/coral/")]


def check_ok(lab):
    w = lab.w
    good = (("openai", lab.openai(), "models", "GET", "/v1/models"),
            ("anthropic", lab.anthropic(), "anthropic-models", "GET", "/v1/models?limit=1"),
            ("gemini", lab.gemini(), "google-models", "GET", "/v1beta/models?pageSize=1"),
            ("azure", lab.azure(), "models", "GET", "/openai/v1/models"),
            ("azure with api-version", lab.azure(setting=dict(API_VERSION="2024-10-21")), "models", "GET",
             "/openai/models?api-version=2024-10-21"),
            ("bedrock, IAM key", lab.iam(), "converse", "POST", None),
            ("bedrock, session of STS", lab.iam(auth="STS_SESSION"), "converse", "POST", None),
            ("bedrock, API key", lab.bearer(), "converse", "POST", None),
            ("vertex", lab.vertex(), "google-count-tokens", "POST", None),
            ("vertex, self-signed", lab.vertex("GOOGLE_JWT"), "google-count-tokens", "POST", None),
            ("vertex, global", lab.vertex(region="global"), "google-count-tokens", "POST", None))
    for what, name, operation, method, target in good:
        with case("%s: a good credential is ok, by the cheapest call" % what):
            m = lab.want(name, "ok", operation=operation, status=200)
            last = w.requests[-1]
            assert last.method == method and (target is None or last.target == target), (last.method, last.target)
            assert m["host"] == last.host and m["latency_ms"] < 12000, m
    with case("one real answer of a few tokens when a model is named"):
        for name, model, operation in ((lab.openai(), "gpt-4o-mini", "chat"), (lab.anthropic(), "claude-haiku-4-5", "messages"),
                                       (lab.gemini(), "gemini-2.5-flash", "generate-content"),
                                       (lab.azure(), "gpt-4o-mini", "chat"), (lab.iam(), "claude-sonnet-4-5", "converse"),
                                       (lab.vertex(), "gemini-2.5-flash", "generate-content"),
                                       (lab.vertex(), "claude-sonnet-4-5", "raw-predict"),
                                       (lab.openai(), "text-embedding-3-small", "embeddings"),
                                       (lab.vertex(), "gemini-embedding-001", "predict"),
                                       (lab.gemini(), "gemini-embedding-001", "batch-embed-contents"),
                                       (lab.iam(), "titan-embed-text-v2", "invoke")):
            lab.want(name, "ok", model=model, operation=operation)
    with case("the credential's own list of models gives the model"):
        name = lab.iam(model=[dict(name="claude-*"), dict(name="claude-haiku-4-5")])
        assert "claude-haiku-4-5" in lab.want(name, "ok")["model"]


def check_keys(lab):
    w = lab.w
    with case("bad key: every provider's way of saying so"):
        lab.want(lab.openai("sk-proj-" + "x" * 40), "bad_key", fix="credential rotate")
        lab.want(lab.anthropic("sk-ant-api03-" + "x" * 40), "bad_key", fix="credential rotate")
        lab.want(lab.gemini("AIza" + "x" * 35), "bad_key", status=400, code="API_KEY_INVALID")
        lab.want(lab.azure("0" * 32), "bad_key", fix="sim-resource.openai.azure.com")
        lab.want(lab.bearer("ABSK" + "x" * 80), "bad_key")
    unknown, wrong = w.add_aws(), w.add_aws()
    del w.aws[unknown.access_key_id]
    secret, wrong.secret = wrong.secret, "y" * 40
    with case("bad key: an unknown access key, and a secret of another one, told apart by STS"):
        for auth in ("SIGV4", "STS_SESSION"):
            lab.want(lab.iam(unknown, auth=auth), "bad_key", code="InvalidClientTokenId", host="sts.us-east-1.amazonaws.com")
        names = [lab.iam(wrong, auth=auth) for auth in ("SIGV4", "STS_SESSION")]
        wrong.secret = secret
        for name in names:
            lab.want(name, "bad_key", code="SignatureDoesNotMatch", fix="right pair")
    with case("bad key: a service account's key that was deleted, an account that does not exist"):
        lab.want(lab.vertex(setting=dict(PRIVATE_KEY_ID="0" * 40)), "bad_key", code="invalid_grant", fix="new JSON key",
                 host="oauth2.googleapis.com")
        lab.want(lab.vertex(setting=dict(CLIENT_EMAIL="other@sim-project.iam.gserviceaccount.com")), "bad_key",
                 fix="does not exist")
        lab.want(lab.vertex("GOOGLE_JWT", setting=dict(PRIVATE_KEY_ID="0" * 40)), "bad_key")
    with case("expired: a temporary key that nobody can refresh"):
        old = w.add_aws("ASIA", "FwoGZXIvYXdz" + "s" * 200, w.now() - 60)
        lab.want(lab.iam(old, session_token=old.session), "expired", fix="put in a new one")
    with case("a living temporary key is ok, its session token signed"):
        new = w.add_aws("ASIA", "FwoGZXIvYXdz" + "t" * 200, w.now() + 900)
        lab.want(lab.iam(new, session_token=new.session), "ok")


def check_access(lab):
    w = lab.w
    said = (
        (lab.openai, "api.openai.com", 403, openai_error("Project `proj_1` does not have access to model `gpt-5.4`",
                                                         "invalid_request_error", "model_not_found"), (), "gpt-5.4", "no_model_access"),
        (lab.openai, "api.openai.com", 403, openai_error("You have insufficient permissions for this operation. Missing scopes: "
                                                         "api.model.read.", "invalid_request_error", None), (), "", "permission_missing"),
        (lab.openai, "api.openai.com", 429, openai_error("You exceeded your current quota", "insufficient_quota",
                                                         "insufficient_quota"), (), "gpt-4o-mini", "quota"),
        (lab.openai, "api.openai.com", 429, openai_error("Rate limit reached", "requests", "rate_limit_exceeded"), (), "gpt-4o-mini",
         "rate_limited"),
        (lab.openai, "api.openai.com", 401, openai_error("Attempted to access resource with incorrect regional hostname. Please make "
                                                         "your request to eu.api.openai.com", "invalid_request_error",
                                                         "incorrect_hostname"), (), "", "wrong_region"),
        (lab.openai, "api.openai.com", 403, openai_error("Country, region, or territory not supported", "request_forbidden",
                                                         "unsupported_country_region_territory"), (), "", "wrong_region"),
        (lab.anthropic, "api.anthropic.com", 403, anthropic_error("permission_error", "Your API key does not have permission to use "
                                                                  "the specified resource."), (), "claude-opus-4-6", "no_model_access"),
        (lab.anthropic, "api.anthropic.com", 403, anthropic_error("permission_error", "x"), (), "", "permission_missing"),
        (lab.anthropic, "api.anthropic.com", 404, anthropic_error("not_found_error", "model: claude-x"), (), "claude-x", "no_model_access"),
        (lab.anthropic, "api.anthropic.com", 400, anthropic_error("invalid_request_error", "Your credit balance is too low to access "
                                                                  "the Anthropic API."), (), "claude-haiku-4-5", "quota"),
        (lab.anthropic, "api.anthropic.com", 529, anthropic_error("overloaded_error", "Overloaded"), (), "", "provider_error"),
        (lab.gemini, "generativelanguage", 403, google_error(403, "PERMISSION_DENIED", "Requests from referer are blocked."), (), "",
         "permission_missing"),
        (lab.gemini, "generativelanguage", 400, google_error(400, "FAILED_PRECONDITION", "User location is not supported for the API "
                                                             "use."), (), "", "wrong_region"),
        (lab.gemini, "generativelanguage", 404, google_error(404, "NOT_FOUND", "models/gemini-x is not found"), (), "gemini-x",
         "no_model_access"),
        (lab.gemini, "generativelanguage", 429, google_error(429, "RESOURCE_EXHAUSTED", "quota", violations=[
            {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]), (), "gemini-2.5-flash", "quota"),
        (lab.azure, "openai.azure.com", 404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this "
                                                        "resource does not exist."}}, (), "gpt-4o-mini", "no_model_access"),
        (lab.azure, "openai.azure.com", 404, {"error": {"code": "404", "message": "Resource not found"}}, (), "", "bad_answer"),
        (lab.azure, "openai.azure.com", 403, {"error": {"code": "AccessDenied", "message": "Access denied due to Virtual "
                                                        "Network/Firewall rules."}}, (), "", "permission_missing"),
        (lab.azure, "openai.azure.com", 429, {"error": {"code": "429", "message": "Requests have exceeded call rate limit"}}, (),
         "gpt-4o-mini", "rate_limited"),
        (lab.iam, "bedrock-runtime", 403, {"message": "User: arn:aws:iam::1:user/x is not authorized to perform: bedrock:InvokeModel on "
                                           "resource: y because no identity-based policy allows the bedrock:InvokeModel action"},
         aws("AccessDeniedException"), "", "permission_missing"),
        (lab.iam, "bedrock-runtime", 403, {"message": "User is not authorized with an explicit deny in a service control policy"},
         aws("AccessDeniedException"), "", "permission_missing"),
        (lab.iam, "bedrock-runtime", 403, {"message": "You don't have access to the model with the specified model ID."},
         aws("AccessDeniedException"), "claude-sonnet-4-5", "no_model_access"),
        (lab.iam, "bedrock-runtime", 404, {"message": "Model use case details have not been submitted for this account."},
         aws("FTUFormNotFilled"), "claude-sonnet-4-5", "no_model_access"),
        (lab.iam, "bedrock-runtime", 400, {"message": "You have exceeded your quota"}, aws("ServiceQuotaExceededException"), "", "quota"),
        (lab.iam, "bedrock-runtime", 429, {"message": "Too many tokens per day, please wait before trying again."},
         aws("ThrottlingException"), "", "quota"),
        (lab.iam, "bedrock-runtime", 429, {"message": "Too many requests"}, aws("ThrottlingException"), "", "rate_limited"),
        (lab.bearer, "bedrock-runtime", 403, {"message": "Bearer Token has expired"}, aws("AccessDeniedException"), "", "expired"),
        (lab.bearer, "bedrock-runtime", 403, {"message": "User is not authorized to perform: bedrock:CallWithBearerToken"},
         aws("AccessDeniedException"), "", "permission_missing"),
        (lab.vertex, "aiplatform", 403, google_error(403, "PERMISSION_DENIED", "Vertex AI API has not been used in project",
                                                     reason="SERVICE_DISABLED"), (), "", "permission_missing"),
        (lab.vertex, "aiplatform", 403, google_error(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied"), (), "",
         "permission_missing"),
        (lab.vertex, "aiplatform", 403, google_error(403, "PERMISSION_DENIED", "This API method requires billing to be enabled.",
                                                     reason="BILLING_DISABLED"), (), "", "quota"),
        (lab.vertex, "aiplatform", 429, google_error(429, "RESOURCE_EXHAUSTED", "Resource exhausted, please try again later."), (),
         "gemini-2.5-flash", "rate_limited"),
        (lab.vertex, "oauth2", 401, {"error": "unauthorized_client", "error_description": "Client is unauthorized"}, (), "",
         "permission_missing"),
        (lab.vertex, "oauth2", 500, {"error": "internal_failure"}, (), "", "provider_error"),
    )
    for make, host, status, body, headers, model, outcome in said:
        with case("%s says %d %s: %s" % (host, status, json.dumps(body)[:60], outcome)):
            w.say(host, status, body, headers)
            try:
                m = lab.want(make(), outcome, model=model, status=status)
                assert m["message"] or "internal_failure" in str(body), m
            finally:
                w.scripts.clear()


def check_places(lab):
    w = lab.w
    with case("wrong region: a model that the catalogue knows and the region does not serve"):
        lab.want(lab.vertex(region="europe-west1"), "ok", model="gemini-2.5-flash")
        w.say("aiplatform", 404, google_error(404, "NOT_FOUND", "Publisher Model `projects/p/locations/europe-west1/publishers/google/"
                                              "models/gemini-2.5-pro` was not found or your project does not have access to it."))
        lab.want(lab.vertex(region="europe-west1"), "wrong_region", model="gemini-2.5-pro", fix="global")
        w.say("bedrock-runtime", 400, {"message": "The provided model identifier is invalid."}, aws("ValidationException"))
        lab.want(lab.iam(), "wrong_region", model="claude-sonnet-4-5", fix="us-east-1 does not serve")
    with case("no such model: one that nobody knows"):
        lab.want(lab.iam(), "no_model_access", model="vendor.unknown-v1:0", code="ValidationException")
    with case("profile needed: said by Bedrock, and known before asking"):
        n = len(w.requests)
        only = lab.iam(setting=dict(PROFILE="none"))
        lab.want(only, "profile_needed", model="claude-sonnet-4-5", fix="--profile")
        assert len(w.requests) == n, "a key was used for nothing"
        w.say("bedrock-runtime", 400, {"message": "Invocation of model ID x with on-demand throughput isn't supported. Retry your "
                                       "request with the ID or ARN of an inference profile that contains this model."},
              aws("ValidationException"))
        lab.want(lab.iam(), "profile_needed", model="claude-sonnet-4-5", fix="us-east-1")
    with case("wrong region: STS switched off there"):
        w.say("sts.eu-west-1", 403, b"<ErrorResponse><Error><Code>RegionDisabledException</Code><Message>STS is not activated in this "
              b"region for account:1.</Message></Error></ErrorResponse>", content_type="text/xml")
        lab.want(lab.iam(auth="STS_SESSION", region="eu-west-1"), "wrong_region", fix="eu-west-1")
    with case("network: a region whose names do not resolve or lead nowhere"):
        lab.want(lab.iam(region="sa-east-1"), "network", fix="sa-east-1", status=0)
        lab.want(lab.vertex(region="asia-south1"), "network", fix="asia-south1")
    with case("STS that cannot be reached is no verdict on an IAM key"):
        w.order("sts.us-east-1", "500")
        lab.want(lab.iam(), "ok")
    with case("tls: a certificate that is not the host's"):
        lab.want(lab.put("OPENAI_COMPATIBLE", "BEARER", "key-of-mine-000000", host="localhost", port=lab.s.sim.port), "tls", fix="--ca")
    with case("bad answer: the host is no API"):
        w.say("api.openai.com", 200, b"<html>welcome</html>", content_type="text/html")
        lab.want(lab.openai(), "bad_answer", fix="api.openai.com")
        w.say("api.openai.com", 302, b"", [("location", "https://elsewhere/")])
        assert lab.test(lab.openai())[2]["outcome"] in ("provider_error", "bad_answer")
        w.order("api.openai.com", "truncate")
        assert lab.test(lab.openai())[2]["outcome"] in ("ok", "network")
    with case("leak: an answer that holds the key never reaches anybody"):
        name = lab.openai()
        w.say("api.openai.com", 401, openai_error("Incorrect API key provided: %s." % w.openai_key, "x", "invalid_api_key"))
        m = lab.want(name, "leak", fix="rotate")
        assert w.openai_key[8:20] not in json.dumps(m), m
        assert lab.s.wait_audit(lambda r: r.get("event") == "key.leak_stopped" or "leak" in str(r.get("event")))


def check_clock(lab):
    w = lab.w
    try:
        for shift in (600, -600):
            w.shift = shift
            with case("clock %+d s: a key that is used as it is says so, and by how much" % shift):
                m = lab.want(lab.iam(), "clock_skew", fix="NTP")
                assert abs(m["skew_s"] - 600) < 5 and m["skew_ahead"] == (shift < 0), m
            with case("clock %+d s: kinds that exchange learn it, and work" % shift):
                for name in (lab.iam(auth="STS_SESSION"), lab.vertex(), lab.vertex("GOOGLE_JWT")):
                    m = lab.want(name, "ok", fix="clock")
                    assert abs(m["skew_s"] - 600) < 5, m
            with case("clock %+d s: keys that are not signed with do not mind" % shift):
                lab.want(lab.openai(), "ok", fix="clock")
        w.shift = 3600
        with case("clock off by an hour: nothing is believed any more"):
            for name in (lab.iam(), lab.iam(auth="STS_SESSION"), lab.vertex()):
                lab.want(name, "clock_skew", fix="NTP")
        w.shift = 7000 * 365 * 86400
        with case("clock off by thousands of years: a provider may say what it likes"):
            m = lab.want(lab.openai(), "ok", fix="clock")
            assert m["skew_s"] == 2 ** 32 - 1, m
    finally:
        w.shift = 0


def check_refusals(lab):
    s = lab.s
    with case("no test of what is not there, disabled, or none of its models"):
        name = lab.openai()
        for args, code in ((("nobody", ""), "not_found"), ((name, "bad model"), "bad_model"), ((name, 'a"b'), "bad_model"),
                           ((name, "anthropic/claude-opus-4-6"), "bad_model")):
            kind, _, m = lab.test(*args)
            assert kind == "ERROR" and m["code"] == code, (args, m)
        s.ctl("credential", "disable", name)
        kind, _, m = lab.test(name)
        assert kind == "ERROR" and m["code"] == "credential_disabled" and "enable" in m["message"], m
    with case("audited as a use of the key: intent, completion, and the test itself"):
        good, bad = lab.anthropic(), lab.anthropic("sk-ant-api03-" + "z" * 40)
        lab.want(good, "ok")
        lab.want(bad, "bad_key")
        ids = {x["name"]: x["id"] for x in json.loads(s.ctl("credential", "list", "--json").stdout)}
        for name, result in ((good, "ok"), (bad, "failed")):
            tested = s.wait_audit(lambda r: r["event"] == "credential.tested" and r["key_id"] == ids[name], timeout=20)
            assert len(tested) == 1 and tested[0]["result"] == result, tested
            assert tested[0]["error_code"] == ("" if name == good else "bad_key") and tested[0]["user"].startswith("uid:"), tested
            events = [r["event"] for r in s.audit() if r.get("key_id") == ids[name]]
            assert events == ["credential.added", "key.intent", "key.complete", "credential.tested"], events


def check_down(lab):
    s = lab.s
    name, far = lab.openai(), lab.vertex()
    os.kill(s.pid("auditd"), 19)
    os.kill(s.pid("auditd"), 9)
    try:
        with case("audit unavailable: no key is used, and the answer says why"):
            end = time.monotonic() + 10
            while True:
                n = len(lab.w.requests)
                m = lab.test(name)[2]
                if m["outcome"] != "ok" or time.monotonic() > end:
                    break
            assert m["outcome"] in ("audit_unavailable", "network"), m
            assert len(lab.w.requests) == n or m["outcome"] == "ok", "a key was used without a record"
    finally:
        end = time.monotonic() + 15
        while lab.test(name)[2]["outcome"] != "ok":
            assert time.monotonic() < end
            time.sleep(0.2)
    with case("no gateway: said at once"):
        pid = s.pid("master")
        os.kill(pid, 19)
        for w in s.pids()["worker"]:
            os.kill(w, 9)
        try:
            end = time.monotonic() + 10
            while lab.test(name)[2]["outcome"] != "no_gateway":
                assert time.monotonic() < end, lab.test(name)
                time.sleep(0.1)
            lab.want(far, "no_gateway", fix="sallyport-gatewayd")
        finally:
            os.kill(pid, 18)


def main():
    with ProviderStack() as s:
        lab = Lab(s)
        check_ok(lab)
        check_keys(lab)
        check_access(lab)
        check_places(lab)
        check_clock(lab)
        check_refusals(lab)
        check_down(lab)
    tap.done()


main()
