#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real sallyport-vaultd and sallyport-sealer over their real sockets; this program plays the administrator, the
audit daemon, gateway workers and the provider. What is decided, what reaches the provider, what is recorded, and
what happens when each neighbour fails."""

import hashlib
import hmac
import os
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
from hostile import Gateway, http_complete
from sp_proto import NUM, Chan, Closed, frame, message
from tap import case
from upstream import Certs, Upstream
from vault import Admin, Audit, Vault

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build"))
OPENAI = "sk-proj-0PENAIcanary5ecret0PENAIcanary5ecret"
ROTATED = "sk-proj-R0TATEDcanary5ecretR0TATEDcanary5ec"
ANTHROPIC = "sk-ant-api03-ANTHR0PICcanary5ecretANTHR0PIC"
AWS = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx"
TOKEN = "IQoJb3JpZ2luX2VjCanary5essionT0kenCanary5essionT0ken=="
SECRETS = (OPENAI, ROTATED, ANTHROPIC, AWS, TOKEN)
BODY = b'{"model":"gpt-4o","messages":[]}'

work = tempfile.mkdtemp(prefix="sallyport-flow-")
os.chmod(work, 0o755)
certs = Certs(work)
up = Upstream(*certs.issue("localhost"))
HERE = dict(host="localhost", port=up.port, ca_pem=certs.pem())


def header(id_, value):
    return dict(id=NUM["HEADER_" + id_], value=value)


class Path:
    """One gateway worker with an open sealer and a verified lane for the first attempt of a plan."""

    def __init__(self, vault, key, operation="OP_OPENAI_CHAT", model="gpt-4o", attempt=0):
        self.gw = Gateway(vault)
        self.key, self.operation, self.model = key, operation, model
        plan = self.plan()
        self.credential = plan["attempt"][attempt]["credential"]
        self.sealer = self.gw.open_sealer(self.credential)
        assert not isinstance(self.sealer, dict), self.sealer
        self.lane_id = 0
        self.lane = self.open()

    def plan(self):
        name, self.id, plan = self.gw.authorize(self.key, self.operation, self.model)
        assert name == "PLAN", plan
        return plan

    def open(self):
        self.lane_id += 1
        lane = self.sealer.open(self.lane_id, up.port)
        assert self.sealer.pump(lambda: lane.ready or lane.closed is not None), "no handshake"
        assert lane.ready, lane.closed
        time.sleep(0.05)  # the core hears of the lane over another channel
        return lane

    def send(self, body=BODY, **change):
        sealer, lane = change.pop("sealer", self.sealer.number), change.pop("lane", self.lane.id)
        f = self.gw.use_fields(None, sealer, lane, body, **dict(dict(operation=self.operation), **change))
        self.gw.chan.send("USE", self.id, **f)

    def use(self, body=BODY, **change):
        self.send(body, **change)
        return self.gw.wait(self.id, "GO", "DENY")

    def denied(self, code, status, body=BODY, **change):
        name, _, m = self.use(body, **change)
        assert name == "DENY" and (m["code"], m["status"]) == (code, status), (name, m)
        return m

    def finish(self, body=BODY, go=None):
        n = len(up.requests)
        self.lane.plain = b""
        if body:
            self.sealer.body(self.lane, body)
        assert self.sealer.pump(lambda: http_complete(self.lane.plain) or self.lane.closed is not None), "no answer"
        assert len(up.requests) == n + 1
        if go is not None:
            self.gw.chan.send("SETTLE", self.id, audit_seq=go["audit_seq"], status=200)
        return up.requests[-1]

    def round(self, body=BODY, **change):
        self.plan()
        name, _, m = self.use(body, **change)
        assert name == "GO", m
        return self.finish(body, m)

    def close(self):
        self.gw.close()


def sign(secret, request, region, date, signed, body_hash):
    """SigV4 once more, to compare with: canonical request from what arrived on the wire."""
    def mac(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()
    method, target, _ = request.line.split(" ")
    path = "".join(c if c.isalnum() or c in "-_.~/" else "%%%02X" % ord(c) for c in target)
    lines = "".join("%s:%s\n" % (n, request.header(n)) for n in signed.split(";"))
    canonical = "\n".join([method, path, "", lines, signed, body_hash])
    scope = "%s/%s/bedrock/aws4_request" % (date[:8], region)
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    k = mac(("AWS4" + secret).encode(), date[:8])
    for part in (region, "bedrock", "aws4_request"):
        k = mac(k, part)
    return mac(k, text).hex()


def new_vault(**kw):
    v = Vault(BUILD, **kw)
    assert v.start(), v.log()
    return v


# --- 1: requests ------------------------------------------------------------------------------------------------------

def requests(v, audit, admin):
    with case("vault.start is the first record"):
        assert audit.wait("VAULT_START")[0]["seq"] == 1

    with case("a credential is recorded, then stored, then acknowledged"):
        assert admin.done("CREDENTIAL_PUT", **admin.put("main", secret=OPENAI, **HERE))["version"] == 1
        m = audit.wait("CREDENTIAL_ADDED")[0]
        assert m["text"][NUM["ATTR_NAME"]] == "main" and m["key_version"] == 1
        (c,) = admin.list("CREDENTIAL")
        assert c["hint"] == OPENAI[-4:] and c["has_ca"] and c["id"] == m["key_id"]

    key = admin.issue("app")["key"]
    with case("a virtual key is shown once and stored as a hash"):
        assert key.startswith("sp-") and len(key) == 46
        with open(os.path.join(v.state, "store.mdb"), "rb") as f:
            data = f.read()
        for secret in (key, key[3:], OPENAI, OPENAI[8:], up.port.to_bytes(2, "big").decode("latin-1") * 20):
            assert secret.encode("latin-1") not in data

    p = Path(v, key)
    with case("a request: authorized, recorded, sealed, answered"):
        name, _, go = p.use()
        assert name == "GO" and go["attempt"] == 0
        (m,) = audit.wait("KEY_INTENT")
        assert m["seq"] == go["audit_seq"] and m["key_use"] == 1 and m["workspace"] == "default"
        assert m["num"] == {NUM["ATTR_BYTES_IN"]: len(BODY), NUM["ATTR_STREAM"]: 0}, m["num"]
        t = {k[5:]: m["text"].get(v) for k, v in NUM.items() if k.startswith("ATTR_") and v in m["text"]}
        assert t == dict(OPERATION="chat", PROVIDER="openai", MODEL="gpt-4o", UPSTREAM_HOST="localhost",
                         BODY_SHA256=hashlib.sha256(BODY).hexdigest()), t
        r = p.finish(BODY, go)
        assert r.line == "POST /v1/chat/completions HTTP/1.1" and r.body == BODY
        assert r.all("authorization") == ["Bearer " + OPENAI]
        assert r.all("host") == ["localhost:%d" % up.port]
        assert r.all("content-length") == [str(len(BODY))] and not r.all("transfer-encoding")
        assert r.all("accept-encoding") == ["identity"]
        assert (len(r.head) + 4) % 256 == 0, len(r.head)

    with case("the lane serves the next request; key_use counts"):
        p.round()
        assert [m["key_use"] for m in audit.wait("KEY_INTENT", 2)] == [1, 2]
        assert up.connections == 1

    with case("AUTHORIZE and USE in one write"):
        id_ = p.gw.next_id()
        p.id = id_
        f = p.gw.use_fields(None, p.sealer.number, p.lane.id, BODY)
        p.gw.chan.send_bytes(
            message("AUTHORIZE", id_, client_key=key, operation=NUM["OP_OPENAI_CHAT"], model="gpt-4o")
            + message("USE", id_, **f))
        p.sealer.body(p.lane, BODY)
        assert p.gw.chan.recv()[0] == "PLAN"
        name, _, go = p.gw.chan.recv()
        assert name == "GO", go
        p.lane.plain = b""
        assert p.sealer.pump(lambda: http_complete(p.lane.plain))
    return key, p


def refusals(v, audit, admin, key, p):
    with case("an attempt is used once"):
        p.plan()
        assert p.use()[0] == "GO"
        p.finish()
        p.denied("no_plan", 409)
        p.denied("no_plan", 409, attempt=1, previous_status=500)

    with case("a lane that does not exist, is not ours, or is not verified: lane_mismatch, the attempt stays"):
        p.plan()
        f = dict(lane=99)
        p.denied("lane_mismatch", 409, **f)
        p.denied("lane_mismatch", 409, sealer=p.sealer.number + 1024)
        other = Gateway(v)
        name, id_, _ = other.authorize(key, model="gpt-4o")
        name, _, m = other.use(id_, None, p.sealer.number, p.lane.id, BODY)
        assert (name, m["code"]) == ("DENY", "lane_mismatch"), m
        other.close()
        assert p.use()[0] == "GO"
        p.finish()

    def each(text, code, status, body=BODY, **change):
        with case("%s: %s %d" % (text, status and code, status)):
            p.plan()
            p.denied(code, status, body, **change)
    each("header of another dialect", "bad_header", 400, header=[header("ANTHROPIC_BETA", "x")])
    each("line end in a header", "bad_header", 400, header=[header("CONTENT_TYPE", "a\r\nx-api-key: y")])
    each("NUL in a header", "bad_header", 400, header=[header("ACCEPT", "a\0b")])
    each("header twice", "bad_header", 400, header=[header("ACCEPT", "a"), header("ACCEPT", "b")])
    each("unknown header", "bad_header", 400, header=[dict(id=60000, value="x")])
    each("parameter that the operation has not", "bad_param", 400, param=[dict(id=NUM["PARAM_BETA"], value="true")])
    each("body beyond what the provider takes", "body_too_large", 413, body_len=64 * 1048576 + 1)
    each("another operation than planned", "operation_not_allowed", 403, operation="OP_OPENAI_RESPONSES")
    each("attempt out of order", "no_plan", 409, attempt=1)

    with case("a GET has no body"):
        name, p.id, m = p.gw.authorize(key, "OP_OPENAI_MODELS", "")
        assert name == "PLAN"
        p.denied("body_too_large", 413, b"x", operation="OP_OPENAI_MODELS", header=[])

    def asked(text, code, status, k=None, operation="OP_OPENAI_CHAT", model="gpt-4o"):
        with case("%s: %s %d" % (text, code, status)):
            name, _, m = p.gw.authorize(k or key, operation, model)
            assert name == "DENY" and (m["code"], m["status"]) == (code, status), (name, m)
            assert m["message"]
            return m
    asked("not a key", "invalid_key", 401, k="sp-" + "x" * 43)
    asked("a provider's key", "invalid_key", 401, k=OPENAI)
    asked("no anthropic credential", "no_credential", 404, operation="OP_ANTHROPIC_MESSAGES")
    asked("model with a space", "bad_param", 400, model="a b")
    asked("model that is a path step", "bad_param", 400, operation="OP_OPENAI_MODEL", model="..")
    asked("no model", "bad_param", 400, model="")
    narrow = admin.issue("narrow", model=["gpt-4o-mini", "o3*"], rate_per_minute=2)["key"]
    asked("model that the key does not allow", "model_not_allowed", 403, k=narrow)
    with case("model globs of a key"):
        for m in ("gpt-4o-mini", "o3", "o3-mini"):
            assert p.gw.authorize(narrow, model=m)[0] == "PLAN", m
    admin.done("VKEY_REVOKE", id_or_name="narrow")
    asked("a revoked key", "key_revoked", 401, k=narrow, model="o3")

    with case("revoking a key ends the plans that it has"):
        gone = admin.issue("gone")["key"]
        name, p.id, _ = p.gw.authorize(gone, model="gpt-4o")
        assert name == "PLAN"
        admin.done("VKEY_REVOKE", id_or_name="gone")
        p.denied("key_revoked", 401)

    with case("the rate ceiling of a key, with the time to wait"):
        slow = admin.issue("slow", rate_per_minute=2)["key"]
        for want in ("GO", "GO", "DENY"):
            name, p.id, m = p.gw.authorize(slow, model="gpt-4o")
            if name == "PLAN":
                name, _, m = p.use()
                p.finish(BODY, m)
            assert name == want, (want, name, m)
        assert m["code"] == "rate_limited" and 25000 < m["retry_after_ms"] <= 30000, m

    with case("refusals are recorded, a flood of them as a count"):
        audit.wait("CLIENT_DENIED", 2)
        before = len([1 for e, _ in audit.records if e == "CLIENT_DENIED"])
        for _ in range(400):
            p.gw.chan.send("AUTHORIZE", p.gw.next_id(), client_key="sp-" + "y" * 43, operation=1, model="m")
        for _ in range(400):
            assert p.gw.chan.recv()[0] == "DENY"
        time.sleep(1.3)
        new = [m for e, m in audit.records if e == "CLIENT_DENIED"][before:]
        total = sum(m["num"].get(NUM["ATTR_COUNT"], 1) for m in new)
        assert total == 400 and len(new) <= 80, (total, len(new))


def changes(v, audit, admin, key, p):
    with case("rotating: the old sealer gets nothing more, the new secret is used"):
        p.plan()
        assert admin.error("CREDENTIAL_PUT", **admin.put("main", secret=ROTATED))["code"] == "exists"
        assert admin.error("CREDENTIAL_PUT", **admin.put("main", secret=ROTATED, expect=7))["code"] == "version_conflict"
        assert admin.done("CREDENTIAL_PUT", **admin.put("main", secret=ROTATED, expect=1))["version"] == 2
        assert p.gw.chan.expect("SEALER_GONE")[2]["reason"] == "revoked"
        p.denied("lane_mismatch", 409)
        q = Path(v, key)
        assert q.round().all("authorization") == ["Bearer " + ROTATED]
        assert audit.wait("CREDENTIAL_ROTATED")[0]["key_version"] == 2
        p.close()
        p = q

    with case("changing settings without giving the key again keeps it; a new destination needs it"):
        assert admin.done("CREDENTIAL_PUT", **admin.put("main", secret="", expect=2, rate_per_minute=600))["version"] == 3
        same = admin.put("main", secret="", expect=3, rate_per_minute=600)
        assert admin.done("CREDENTIAL_PUT", **same)["version"] == 0  # nothing differs: no new version
        for change in (dict(host="evil.example"), dict(port=444), dict(ca_pem=certs.pem() + "\n"),
                       dict(provider="OPENAI_COMPATIBLE", auth=NUM["AUTH_BEARER"], host="localhost")):
            e = admin.error("CREDENTIAL_PUT", **admin.put("main", **dict(dict(secret="", expect=3), **change)))
            assert e["code"] == "bad_secret", (change, e)
        p.close()
        p = Path(v, key)
        assert p.round().all("authorization") == ["Bearer " + ROTATED]

    with case("disabled between intent and its record: the key is not used, the record is voided"):
        p.plan()
        audit.mode, audit.only = "silent", "KEY_INTENT"
        n = len(up.requests)
        p.send()
        audit.wait("KEY_INTENT", len([1 for e, _ in audit.records if e == "KEY_INTENT"]) or 1)
        end = time.monotonic() + 3
        while not audit.held and time.monotonic() < end:
            time.sleep(0.02)
        admin.done("CREDENTIAL_SET", name="main", action=NUM["CREDENTIAL_DISABLE"])
        seq = audit.seq + 1
        audit.ack(audit.held.pop())
        audit.mode, audit.only = "ack", None
        name, _, m = p.gw.wait(p.id, "GO", "DENY")
        assert name == "DENY" and m["code"] == "credential_disabled", m
        (void,) = audit.wait("KEY_INTENT_VOID")
        assert void["ref_seq"] == seq, (void, seq)
        time.sleep(0.1)
        assert len(up.requests) == n

    with case("a disabled credential refuses plans; enabling brings it back"):
        name, _, m = p.gw.authorize(key, model="gpt-4o")
        assert (name, m["code"]) == ("DENY", "credential_disabled"), m
        admin.done("CREDENTIAL_SET", name="main", action=NUM["CREDENTIAL_ENABLE"])
        p.close()
        p = Path(v, key)
        p.round()

    with case("removing"):
        assert admin.done("CREDENTIAL_PUT", **admin.put("spare", secret=OPENAI, **HERE))
        p2 = Path(v, key, attempt=1)
        admin.done("CREDENTIAL_SET", name="spare", action=NUM["CREDENTIAL_REMOVE"])
        p2.gw.chan.expect("SEALER_GONE")
        assert [c["name"] for c in admin.list("CREDENTIAL")] == ["main"]
        e = p2.gw.open_sealer(p2.credential)
        assert e["code"] == "no_credential", e
        p2.close()
    return p


def fallback(v, audit, admin, key):
    with case("the next attempt only after a failure that it may mend; each is authorized and recorded anew"):
        admin.done("CREDENTIAL_PUT", **admin.put("second", secret=OPENAI, **HERE))
        p = Path(v, key)
        b = Path(v, key, attempt=1)
        sealer2 = p.gw.open_sealer(b.credential)
        lane2 = sealer2.open(1, up.port)
        assert sealer2.pump(lambda: lane2.ready)
        time.sleep(0.05)
        intents = len(audit.wait("KEY_INTENT"))
        p.plan()
        _, _, go = p.use()
        p.finish()
        p.denied("no_plan", 409, attempt=1, previous_status=400, sealer=sealer2.number, lane=lane2.id)
        name, _, m = p.use(attempt=1, previous_status=503, sealer=sealer2.number, lane=lane2.id)
        assert name == "GO" and m["attempt"] == 1, m
        sealer2.body(lane2, BODY)
        assert sealer2.pump(lambda: http_complete(lane2.plain))
        two = audit.wait("KEY_INTENT", intents + 2)[-2:]
        assert two[0]["key_id"] != two[1]["key_id"]
        assert up.requests[-1].all("authorization") == ["Bearer " + OPENAI]
        b.close()
        p.close()
        admin.done("CREDENTIAL_SET", name="second", action=NUM["CREDENTIAL_REMOVE"])


def providers(v, audit, admin, key):
    with case("Anthropic: x-api-key, version by default, client's version when given, beta parameter"):
        admin.done("CREDENTIAL_PUT", **admin.put("claude", "ANTHROPIC", secret=ANTHROPIC, **HERE))
        p = Path(v, key, "OP_ANTHROPIC_MESSAGES", "claude-opus-4-5")
        r = p.round(header=[])
        assert r.line == "POST /v1/messages HTTP/1.1" and r.all("x-api-key") == [ANTHROPIC]
        assert r.all("anthropic-version") == ["2023-06-01"] and not r.all("authorization")
        assert r.all("content-type") == ["application/json"]
        r = p.round(header=[header("ANTHROPIC_VERSION", "2026-10-21"), header("ANTHROPIC_BETA", "a,b")],
                    param=[dict(id=NUM["PARAM_BETA"], value="true")])
        assert r.line == "POST /v1/messages?beta=true HTTP/1.1"
        assert r.all("anthropic-version") == ["2026-10-21"] and r.all("anthropic-beta") == ["a,b"]
        p.close()

    with case("Bedrock: SigV4 as another implementation computes it, model one encoded segment, token signed"):
        admin.done("CREDENTIAL_PUT", **admin.put("aws", "BEDROCK", secret=AWS, session_token=TOKEN, region="us-east-1",
                                                 access_key_id="ASIAIOSFODNN7EXAMPLE", **HERE))
        model = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x.claude-v1:0"
        p = Path(v, key, "OP_BEDROCK_INVOKE", model)
        r = p.round(header=[header("CONTENT_TYPE", "application/json"), header("BEDROCK_TRACE", "ENABLED")])
        assert r.line.split(" ")[1] == "/model/%s/invoke" % model.replace(":", "%3A").replace("/", "%2F"), r.line
        (auth,) = r.all("authorization")
        date, signed = r.header("x-amz-date"), auth.split("SignedHeaders=")[1].split(",")[0]
        assert signed == ("content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;"
                          "x-amzn-bedrock-trace"), signed
        body_hash = hashlib.sha256(BODY).hexdigest()
        assert r.header("x-amz-content-sha256") == body_hash and r.header("x-amz-security-token") == TOKEN
        want = sign(AWS, r, "us-east-1", date, signed, body_hash)
        assert auth == ("AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/%s/us-east-1/bedrock/aws4_request, "
                        "SignedHeaders=%s, Signature=%s" % (date[:8], signed, want)), (auth, want)
        now = time.strftime("%Y%m%dT%H%M", time.gmtime())
        assert date[:13] in (now, time.strftime("%Y%m%dT%H%M", time.gmtime(time.time() - 60))), date
        name, _, m = p.gw.authorize(key, "OP_BEDROCK_INVOKE", model.replace("us-east-1", "eu-west-1"))
        assert (name, m["code"]) == ("DENY", "model_not_allowed"), m
        p.close()

    with case("what a credential does not allow"):
        admin.done("CREDENTIAL_PUT", **admin.put("claude", "ANTHROPIC", secret="", expect=1, model=["claude-haiku*"],
                                                 operation=["count-tokens"]))
        gw = Gateway(v)
        got = [gw.authorize(key, op, m)[2].get("code") for op, m in (
            ("OP_ANTHROPIC_MESSAGES", "anthropic/claude-haiku-4-5"),
            ("OP_ANTHROPIC_COUNT_TOKENS", "anthropic/claude-opus-4-5"),
            ("OP_ANTHROPIC_COUNT_TOKENS", "anthropic/claude-haiku-4-5"))]
        assert got == ["operation_not_allowed", "model_not_allowed", None], got
        gw.close()


# --- 2: the audit daemon ------------------------------------------------------------------------------------------------

def audit_failures(v, audit, admin, key):
    p = Path(v, key)
    n = len(up.requests)
    with case("auditd refuses the record: 503, the key is not used"):
        p.plan()
        audit.mode = "nack"
        p.denied("audit_unavailable", 503)
        e = admin.error("VKEY_ISSUE", name="never")
        assert e["code"] == "audit_unavailable" and [k for k in admin.list("VKEY") if k["name"] == "never"] == []
        audit.mode = "ack"

    with case("auditd is silent: 503 after 5 seconds; its late answer voids the record"):
        p.plan()
        audit.mode = "silent"
        voids = len([1 for e, _ in audit.records if e == "KEY_INTENT_VOID"])
        start = time.monotonic()
        p.send()
        name, _, m = p.gw.wait(p.id, "GO", "DENY", timeout=8)
        assert (name, m["code"]) == ("DENY", "audit_unavailable") and 4 < time.monotonic() - start < 7, m
        audit.mode = "ack"
        for id_ in audit.held:
            audit.ack(id_)
        audit.held = []
        audit.wait("KEY_INTENT_VOID", voids + 1)

    with case("a lane that is closed and opened again while the record is made does not get the older request"):
        q = Path(v, key)
        q.plan()
        audit.mode, audit.only = "silent", "KEY_INTENT"
        voids = len([1 for e, _ in audit.records if e == "KEY_INTENT_VOID"])
        q.send()
        time.sleep(0.2)
        first = audit.held.pop()
        q.sealer.chan.send("LANE_CLOSE", q.lane.id)
        assert q.sealer.pump(lambda: q.lane.closed is not None)
        q.lane_id -= 1
        q.lane = q.open()
        audit.mode, audit.only = "ack", None
        audit.ack(first)
        name, _, m = q.gw.wait(q.id, "GO", "DENY")
        assert (name, m["code"]) == ("DENY", "lane_mismatch"), (name, m)
        assert len(audit.wait("KEY_INTENT_VOID", voids + 1)) == voids + 1
        assert len(up.requests) == n, "the older request went to the new lane"
        name, _, m = q.use()  # the attempt was not spent
        assert name == "GO", m
        q.finish(go=m)
        n = len(up.requests)
        q.close()

    with case("auditd dies with records pending: 503 at once, and for everybody until it is back"):
        p.plan()
        audit.mode = "silent"
        p.send()
        time.sleep(0.2)
        start = time.monotonic()
        audit.close()
        name, _, m = p.gw.wait(p.id, "GO", "DENY")
        assert (name, m["code"]) == ("DENY", "audit_unavailable") and time.monotonic() - start < 2, m
        name, _, m = p.gw.authorize(key, model="gpt-4o")
        assert (name, m["code"], m["status"]) == ("DENY", "audit_unavailable", 503), m
        assert not admin.done("STATUS")["audit_connected"]
        assert len(up.requests) == n
    seq = audit.seq

    with case("a log that lost records, another record at the same place, another log: no key is used"):
        for kw in (dict(head_seq=seq - 1), dict(head_seq=seq, head=b"x" * 32), dict(head_seq=seq, log_id=b"M" * 16)):
            a = Audit(v, **kw)
            a.thread.join(3)
            assert a.closed, kw
            a.close()
            name, _, m = p.gw.authorize(key, model="gpt-4o")
            assert (name, m["code"]) == ("DENY", "audit_unavailable") and "audit" in m["message"], m

    with case("the same log again: requests work again"):
        audit = Audit(v, head_seq=seq, head=audit.leaf(seq))
        time.sleep(0.2)
        p.round()

    with case("auditd whose sequence does not grow is rejected"):
        p.plan()
        audit.mode = "silent"
        p.send()
        end = time.monotonic() + 3
        while not audit.held and time.monotonic() < end:
            time.sleep(0.02)
        audit.ack(audit.held.pop(), seq=1)
        name, _, m = p.gw.wait(p.id, "GO", "DENY")
        assert (name, m["code"]) == ("DENY", "audit_unavailable"), m
        audit.thread.join(3)
        assert audit.closed
        seq = audit.seq
        audit.close()
        audit = Audit(v, head_seq=seq + 5)
        time.sleep(0.1)
    p.close()
    return audit


# --- 3: neighbours that break the rules -----------------------------------------------------------------------------------

def broken_peers(v, audit, admin, key):
    def rejected(text, *frames, hello=True):
        with case("gateway: %s: the channel dies, it is recorded, the vault lives" % text):
            n = len([1 for e, _ in audit.records if e == "PEER_REJECTED"])
            gw = Gateway(v, hello=hello)
            for f in frames:
                gw.chan.send_bytes(f)
            assert gw.chan.closed()
            gw.close()
            audit.wait("PEER_REJECTED", n + 1)
    ask = dict(client_key=key, operation=1, model="m")
    rejected("request id that does not grow", message("AUTHORIZE", 5, **ask), message("AUTHORIZE", 5, **ask))
    rejected("USE that nobody authorized", message("USE", 9, body_sha256=b"x" * 32))
    rejected("AUTHORIZE before HELLO", message("AUTHORIZE", 1, **ask), hello=False)
    rejected("an administrator's message", message("STATUS", 1))
    rejected("bad magic", b"XX" + b"\0" * 14)
    rejected("payload too long", frame("AUTHORIZE", 1, b"", length=65537))
    rejected("malformed payload", frame("AUTHORIZE", 1, b"\x95"))

    with case("gateway: asks and never reads: the channel dies, the vault keeps its memory"):
        gw = Gateway(v)
        gw.chan.sock.settimeout(20)
        many = b"".join(message("AUTHORIZE", i, **ask) for i in range(1, 2001))
        cut = False
        try:
            for n in range(60):
                gw.chan.send_bytes(many if n == 0 else b"".join(
                    message("AUTHORIZE", n * 2000 + i, **ask) for i in range(1, 2001)))
        except Closed:
            cut = True
        gw.close()
        assert cut
        with open("/proc/%d/status" % v.proc.pid) as f:
            rss = int(f.read().split("VmHWM:")[1].split()[0])
        tap.note("peak memory %d KiB" % rss)

    with case("an administrator that sends a gateway's message is cut off"):
        a = Admin(v)
        a.chan.send("AUTHORIZE", 1, **ask)
        assert a.chan.closed()
        a.close()

    with case("an answer to a record that was never sent cuts auditd off"):
        seq = audit.seq
        audit.chan.send("ACK", 1 << 40, seq=seq + 100, leaf=b"x" * 32)
        audit.thread.join(3)
        assert audit.closed
        audit.close()
        audit = Audit(v, head_seq=seq + 1)
        time.sleep(0.1)

    if os.geteuid() == 0:
        with case("the wrong user is refused on each socket"):
            for name, uid in (("gateway", 0), ("gateway", 64102), ("audit", 64103), ("admin", 64103)):
                c = Chan.connect(v.sock(name), uid=uid)
                assert c.closed(), (name, uid)
                c.close()

    with case("stopped and continued, it goes on"):
        v.proc.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        v.proc.send_signal(signal.SIGCONT)
        assert admin.done("STATUS")["audit_connected"]

    with case("a gateway that goes away takes its sealers along; what it asked for is voided"):
        p = Path(v, key)
        p.plan()
        audit.mode, audit.only = "silent", "KEY_INTENT"
        p.send()
        end = time.monotonic() + 3
        while not audit.held and time.monotonic() < end:
            time.sleep(0.02)
        n = admin.done("STATUS")
        voids = len([1 for e, _ in audit.records if e == "KEY_INTENT_VOID"])
        p.close()
        time.sleep(0.3)
        s = admin.done("STATUS")
        assert (s["gateways"], s["sealers"]) == (n["gateways"] - 1, n["sealers"] - 1), (n, s)
        audit.ack(audit.held.pop())
        audit.mode, audit.only = "ack", None
        audit.wait("KEY_INTENT_VOID", voids + 1)

    with case("a sealer that dies by SIGSYS: recorded as an attack, the gateway is told, the vault lives"):
        p = Path(v, key)
        pids = [int(d) for d in os.listdir("/proc") if d.isdigit() and name_of(int(d)) == "sp-sealer"
                and session_of(int(d)) == v.proc.pid]
        assert pids, "no sealer process found"
        for pid in pids:
            os.kill(pid, signal.SIGSYS)
        assert p.gw.chan.expect("SEALER_GONE")[2]["reason"] == "died"
        m = audit.wait("SEALER_DIED")[0]
        assert m["num"][NUM["ATTR_SIGNAL"]] == signal.SIGSYS and m["key_id"].startswith("cr_")
        p.close()
        p = Path(v, key)
        p.round()
        p.close()
    return audit


def name_of(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def session_of(pid):
    """The vault that a sealer belongs to: its grandparent."""
    try:
        for _ in range(2):
            with open("/proc/%d/stat" % pid) as f:
                pid = int(f.read().rsplit(")", 1)[1].split()[1])
        return pid
    except OSError:
        return 0


# --- 4: administration --------------------------------------------------------------------------------------------------

def admin_errors(v, admin):
    def refused(text, code, type_name="CREDENTIAL_PUT", **fields):
        with case("admin: %s: %s" % (text, code)):
            e = admin.error(type_name, **fields)
            assert e["code"] == code and e["message"], e
            for s in SECRETS:
                assert s not in e["message"]
    p = admin.put
    refused("name with a slash", "bad_name", **p("a/b"))
    refused("no secret", "bad_secret", **p("x", secret=""))
    refused("secret with a line end", "bad_secret", **p("x", secret=OPENAI + "\n"))
    refused("an Anthropic key for OpenAI", "bad_secret", **p("x", secret=ANTHROPIC))
    refused("a Sallyport key", "bad_secret", **p("x", secret="sp-" + "a" * 43))
    refused("no host for openai-compatible", "bad_host", **p("x", "OPENAI_COMPATIBLE"))
    refused("a URL for a host", "bad_host", **p("x", "OPENAI_COMPATIBLE", host="https://a.example"))
    refused("host with a path", "bad_host", **p("x", "OPENAI_COMPATIBLE", host="a.example/v1"))
    refused("bedrock without region", "bad_region", **p("x", "BEDROCK", access_key_id="AKIAIOSFODNN7EXAMPLE"))
    refused("region that is a host", "bad_region",
            **p("x", "BEDROCK", secret=AWS, access_key_id="AKIAIOSFODNN7EXAMPLE", region="us-east-1.evil.example/"))
    refused("ASIA without token", "bad_session_token",
            **p("x", "BEDROCK", secret=AWS, region="us-east-1", access_key_id="ASIAIOSFODNN7EXAMPLE"))
    refused("SigV4 for OpenAI", "bad_auth", **p("x", auth=NUM["AUTH_SIGV4"]))
    refused("unknown operation", "bad_operation", **p("x", operation=["messages"]))
    refused("glob in the middle", "bad_model", **p("x", model=["a*b"]))
    refused("CA that is none", "bad_ca", **p("x", ca_pem="hello"))
    refused("change of what is not there", "not_found", **p("nothing", expect=1))
    refused("disable what is not there", "not_found", "CREDENTIAL_SET", name="nothing", action=2)
    refused("key for a credential that is not there", "not_found", "VKEY_ISSUE", name="k",
            credential=[dict(name="nothing")])
    refused("key name taken", "exists", "VKEY_ISSUE", name="app")
    refused("revoke what is not there", "not_found", "VKEY_REVOKE", id_or_name="nothing")

    with case("admin: a thousand keys can be listed"):
        for i in range(300):
            admin.done("VKEY_ISSUE", name="many-%d" % i)
        assert len([k for k in admin.list("VKEY") if k["name"].startswith("many-")]) == 300


# --- 5: starting --------------------------------------------------------------------------------------------------------

def starts(v, key, seq, leaf):
    def fails(text, needle, vault, *more, **kw):
        with case("start: %s" % text):
            started = vault.start(*more, **kw)
            log = vault.log()
            vault.stop()
            assert not started and needle in log, log[-800:]
            for s in SECRETS:
                assert s not in log

    with case("SIGTERM ends it with 0"):
        assert v.stop() == 0

    twin = Vault(BUILD, dir=v.dir, unlock="keyfile:" + os.path.join(work, "other.key"))
    with open(os.path.join(work, "other.key"), "w") as f:
        f.write("0" * 64 + "\n")
    os.chmod(os.path.join(work, "other.key"), 0o600)
    if v.root:
        os.chown(os.path.join(work, "other.key"), 64101, 64101)
    fails("the wrong key file is named, nothing changes", "not the key that the store was made with", twin)
    os.chmod(os.path.join(work, "other.key"), 0o644)
    fails("a key file that others can read", "chmod 600", twin)
    twin.unlock = "keyfile:" + os.path.join(work, "missing.key")
    fails("a missing key file", "bring back the file", twin)
    twin.unlock = "passphrase"
    twin.stdin = b"a passphrase of some length\n"
    fails("a passphrase for a key file's store", "was made with a key file", twin)
    twin.unlock, twin.stdin = v.unlock, None
    fails("no sockets passed", "were not passed", twin, pass_sockets=False)
    fails("an inherited descriptor", "unexpected open descriptor 9", twin, extra_fd=True)
    if v.root:
        plain = Vault(BUILD, dir=v.dir)
        plain.root = False
        fails("as root without --run-as", "refusing to serve as root", plain)
    os.chmod(v.state, 0o755)
    fails("a state directory open to others", "chmod 700", twin)
    os.chmod(v.state, 0o700)

    with case("the store survives: keys, credentials, the witness"):
        assert v.start(), v.log()
        a = Audit(v, head_seq=seq - 1)
        a.thread.join(3)
        assert a.closed
        a.close()
        a = Audit(v, head_seq=seq, head=leaf)
        p = Path(v, key)
        p.round()
        assert a.wait("KEY_INTENT")[0]["key_use"] == 1
        p.close()
        admin = Admin(v)
        assert {c["name"] for c in admin.list("CREDENTIAL")} == {"main", "claude", "aws"}
        admin.close()
        a.close()

    with case("a second vault on the same store is refused"):
        second = Vault(BUILD, dir=tempfile.mkdtemp(dir=work))
        second.state, second.unlock = v.state, v.unlock
        assert not second.start() and "another sallyport-vaultd" in second.log(), second.log()

    with case("--accept-new-audit-log"):
        v.stop()
        assert v.start("--accept-new-audit-log"), v.log()
        a = Audit(v, log_id=b"N" * 16)
        a.wait("VAULT_START")
        a.close()
        v.stop()

    with case("without its zygote the vault ends with 1, to be started again"):
        assert v.start(), v.log()
        for d in os.listdir("/proc"):
            try:
                if d.isdigit() and name_of(int(d)) == "sallyport-seale":
                    with open("/proc/%s/stat" % d) as f:
                        if int(f.read().rsplit(")", 1)[1].split()[1]) == v.proc.pid:
                            os.kill(int(d), signal.SIGKILL)
            except OSError:
                pass
        assert v.proc.wait(5) == 1 and "zygote is gone" in v.log()

    changed = new_vault()
    with case("a changed record is noticed at start"):
        a, admin = Audit(changed), Admin(changed)
        admin.done("CREDENTIAL_PUT", **admin.put("only"))
        admin.close()
        a.close()
        changed.stop()
        with open(os.path.join(changed.state, "store.mdb"), "r+b") as f:
            data = f.read()
            at = data.find(b"\x02cr_")
            assert at > 0
            while at >= 0:  # every copy, in old and new pages alike: a byte behind its key and version
                f.seek(at + 28 + 40)
                f.write(bytes([data[at + 28 + 40] ^ 1]))
                at = data.find(b"\x02cr_", at + 1)
    fails("a changed record", "does not open", changed)
    shutil.rmtree(changed.dir)

    with case("a passphrase: the store opens with it and with no other"):
        w = Vault(BUILD, unlock="passphrase", stdin=b"correct horse battery staple\n")
        assert w.start(), w.log()
        assert w.stop() == 0
        w.stdin = b"wrong horse battery staple\n"
        assert not w.start() and "not the key" in w.log()
        w.stdin = b"correct horse battery staple\n"
        assert w.start(), w.log()
        w.stop()
        shutil.rmtree(w.dir)
        w = Vault(BUILD, unlock="passphrase", stdin=b"short\n")
        assert not w.start() and "at least 12" in w.log()
        shutil.rmtree(w.dir)

    with case("a systemd credential"):
        creds = os.path.join(work, "credentials")
        os.mkdir(creds)
        with open(os.path.join(creds, "vault.key"), "w") as f:
            f.write("k" * 40 + "\n")
        w = Vault(BUILD, unlock="credential:vault.key")
        assert w.start(env=dict(CREDENTIALS_DIRECTORY=creds)), w.log()
        w.stop()
        assert not w.start() and "LoadCredentialEncrypted" in w.log()
        shutil.rmtree(w.dir)

    with case("too little locked memory is said in plain words"):
        import resource
        w = Vault(BUILD)
        if w.root:
            tap.note("root is not limited; not tried")
        else:
            def limit():
                resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
            assert not w.start(preexec=limit) and "LimitMEMLOCK" in w.log()


def main():
    v = new_vault()
    try:
        audit, admin = Audit(v), Admin(v)
        key, p = requests(v, audit, admin)
        refusals(v, audit, admin, key, p)
        changes(v, audit, admin, key, p).close()
        fallback(v, audit, admin, key)
        providers(v, audit, admin, key)
        audit = audit_failures(v, audit, admin, key)
        audit = broken_peers(v, audit, admin, key)
        admin_errors(v, admin)
        seq, leaf = audit.seq, audit.leaf(audit.seq)
        admin.close()
        audit.close()
        starts(v, key, seq, leaf)
        with case("no secret in the log, none in the store"):
            with open(os.path.join(v.state, "store.mdb"), "rb") as f:
                data = f.read()
            for s in SECRETS + (key,):
                assert s not in v.log() and s[8:].encode() not in data, s
    except Exception as e:  # a failure between the cases
        tap.ok(False, "the run as a whole", "%r\n%s" % (e, v.log()[-3000:]))
    finally:
        v.stop()
        up.stop()
        shutil.rmtree(v.dir, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    tap.done()


main()
