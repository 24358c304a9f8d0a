#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Temporary credentials by STS: the real vault core and sealers; this program plays the administrator, the audit
daemon, gateway workers that relay ciphertext, AWS STS and Bedrock."""

import hashlib
import hmac
import os
import select
import shutil
import socket
import sys
import tempfile
import threading
import time
from email.utils import formatdate

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
from hostile import Gateway, Sealer, http_complete
from sp_proto import NUM, Chan, Closed
from tap import case
from upstream import Certs, Upstream, plain_answer
from vault import Admin, Audit, Vault

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build"))
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx"
OTHER = "0therXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx"
TEMPORARY = "TEMPcanary5ecret/TEMPcanary5ecret+TEMPca"
SESSION = "FwoGZXIvYXdzCanary5ession&T0ken/with+signs=" + "S" * 900 + "=="
REGION = "eu-central-1"
HOST = "sts.%s.amazonaws.com" % REGION
BODY = b'{"messages":[]}'
FORM = b"Action=GetSessionToken&DurationSeconds=3600&Version=2011-06-15"

work = tempfile.mkdtemp(prefix="sallyport-exchange-")
os.chmod(work, 0o755)
certs = Certs(work)


def xml(text):
    return text.replace("&", "&amp;").replace("+", "&#x2b;").replace("<", "&lt;")


def session(number, life=3600, clock=0):
    t = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + clock + life))
    return ('<?xml version="1.0"?>\n<GetSessionTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n'
            "  <GetSessionTokenResult>\n    <Credentials>\n      <AccessKeyId>ASIATEMPORARY%07d</AccessKeyId>\n"
            "      <SecretAccessKey>%s</SecretAccessKey>\n      <SessionToken>%s</SessionToken>\n"
            "      <Expiration>%s</Expiration>\n    </Credentials>\n  </GetSessionTokenResult>\n"
            "  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>\n"
            "</GetSessionTokenResponse>\n" % (number, xml(TEMPORARY), xml(SESSION), t)).encode()


def error(code, message):
    return ('<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code>'
            "<Message>%s</Message></Error><RequestId>x</RequestId></ErrorResponse>" % (code, message)).encode()


class Sts:
    """What STS does next; counts what it was asked."""

    def __init__(self):
        self.mode, self.clock, self.delay, self.given = "good", 0, 0, 0
        self.up = Upstream(*certs.issue(HOST), behave=self.answer)

    def answer(self, r, send):
        time.sleep(self.delay)
        date = [("date", formatdate(time.time() + self.clock, usegmt=True))]
        told = time.mktime(time.strptime(r.header("x-amz-date"), "%Y%m%dT%H%M%SZ")) - time.timezone
        if self.mode == "500":
            send(plain_answer(b"oops", "500 Internal Server Error", date))
        elif self.mode == "refuse":
            send(plain_answer(error("InvalidClientTokenId", "The security token included in the request is invalid."),
                              "403 Forbidden", date))
        elif self.mode == "garbage":
            send(plain_answer(b"<a><!DOCTYPE x></a>", "200 OK", date))
        elif self.mode == "cut":
            send(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n<GetSes")
        elif self.mode == "expired":
            send(plain_answer(session(self.given, life=-60), headers=date))
        elif abs(told - time.time() - self.clock) > 300:
            send(plain_answer(error("SignatureDoesNotMatch", "Signature expired: ..."), "403 Forbidden", date))
        else:
            self.given += 1
            send(plain_answer(session(self.given, clock=self.clock), headers=date))
        return False


sts = Sts()
bedrock = Upstream(*certs.issue("localhost"), behave=lambda r, send: send(plain_answer(b'{"output":{}}')) or True)


class Relay(threading.Thread):
    """A worker's part of an exchange: TCP on one side, ciphertext frames on the other; keeps what it saw."""

    def __init__(self, chan, number, port):
        super().__init__(daemon=True)
        self.sealer = Sealer(chan, 0, number)
        self.lane = self.sealer.open(1, port)
        self.start()

    def run(self):
        try:
            self.sealer.pump(lambda: self.lane.closed is not None, 15)
        except (Closed, OSError, ValueError):
            pass
        self.sealer.close()


class Worker(Gateway):
    """A gateway worker; what it does with RELAY is told by `relay`: relay, refuse, hold."""

    def __init__(self, vault, **kw):
        super().__init__(vault, **kw)
        self.relay, self.relays, self.asked, self.answers = "relay", [], [], {}
        self.port = sts.up.port

    def take(self, f):
        name, id_, m = f
        if name != "RELAY":
            self.answers[id_] = (name, m)
            return
        self.asked.append((m["host"], m["port"]))
        chan = Chan(socket.socket(fileno=self.chan.fds.pop(0)))
        if self.relay == "relay":
            chan.sock.settimeout(5)
            self.relays.append(Relay(chan, m["sealer"], self.port))
        elif self.relay == "refuse":
            chan.close()
            self.chan.send("RELAY_FAILED", 0, sealer=m["sealer"], code="provider_unreachable", message="no route")
        else:
            self.held = chan

    def run(self, until, timeout=16.0, others=()):
        end = time.monotonic() + timeout
        while not until():
            assert time.monotonic() < end, "no answer; %r" % self.answers
            for g in (self, *others):
                if g.chan.sock.fileno() < 0:
                    continue
                if select.select([g.chan.sock], [], [], 0.02)[0]:
                    g.chan.read_once()
                while g.chan.sock.fileno() >= 0:
                    f = g.chan.pending()
                    if f is None:
                        break
                    g.take(f)

    def wait(self, id_, *names, timeout=16.0):
        self.run(lambda: id_ in self.answers, timeout)
        name, m = self.answers.pop(id_)
        return name, id_, m


class Path:
    """A worker with a sealer of the credential and lanes to Bedrock."""

    def __init__(self, vault, key, lanes=1):
        self.gw, self.key = Worker(vault), key
        _, plan = self.plan()
        self.sealer = self.gw.open_sealer(plan["attempt"][0]["credential"])
        assert isinstance(self.sealer, Sealer), self.sealer
        self.lanes = [self.sealer.open(i + 1, bedrock.port) for i in range(lanes)]
        assert self.sealer.pump(lambda: all(x.ready or x.closed for x in self.lanes), 20)
        time.sleep(0.1)

    def plan(self):
        name, id_, plan = self.gw.authorize(self.key, "OP_BEDROCK_CONVERSE", "m")
        assert name == "PLAN", plan
        return id_, plan

    def send(self, lane=0, **change):
        id_, _ = self.plan()
        f = self.gw.use_fields(None, self.sealer.number, self.lanes[lane].id, BODY,
                               **dict(dict(operation="OP_BEDROCK_CONVERSE"), **change))
        self.gw.chan.send("USE", id_, **f)
        return id_

    def use(self, **change):
        name, _, m = self.gw.wait(self.send(**change))
        return name, m

    def finish(self, lane=0):
        n, ln = len(bedrock.requests), self.lanes[lane]
        ln.plain = b""
        self.sealer.body(ln, BODY)
        assert self.sealer.pump(lambda: http_complete(ln.plain) or ln.closed is not None), "no answer"
        return bedrock.requests[n]

    def denied(self, code):
        name, m = self.use()
        assert name == "DENY" and (m["code"], m["status"]) == (code, 502), (name, m)
        return m

    def close(self):
        self.gw.close()


def signature(secret, r, service, signed, body):
    def mac(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()
    method, target, _ = r.line.split(" ")
    lines = "".join("%s:%s\n" % (n, r.header(n)) for n in signed.split(";"))
    canonical = "\n".join([method, target, "", lines, signed, hashlib.sha256(body).hexdigest()])
    date = r.header("x-amz-date")
    scope = "%s/%s/%s/aws4_request" % (date[:8], REGION, service)
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    k = ("AWS4" + secret).encode()
    for part in (date[:8], REGION, service, "aws4_request"):
        k = mac(k, part)
    return mac(k, text).hex()


def rotated(vault, admin, key, secret, lanes=1):
    """A new version of the credential: no token, no back-off; and a path for it."""
    admin.done("CREDENTIAL_PUT", **put(admin, secret, expect=0xffffffff))
    return Path(vault, key, lanes)


def put(admin, secret, **more):
    return admin.put("aws", "BEDROCK", secret, auth=NUM["AUTH_STS_SESSION"], region=REGION, host="localhost",
                     port=bedrock.port, access_key_id="AKIAIOSFODNN7EXAMPLE", ca_pem=certs.pem(), **more)


EXPIRED = dict(previous_status=403, previous_class=NUM["CLASS_EXPIRED"])


def again(p, id_, **change):
    """USE once more for a request whose plan is there."""
    p.gw.chan.send("USE", id_, **p.gw.use_fields(None, p.sealer.number, p.lanes[0].id, BODY, **dict(
        dict(operation="OP_BEDROCK_CONVERSE"), **change)))
    name, _, m = p.gw.wait(id_)
    return name, m


def settle(p, id_, seq, status):
    p.gw.chan.send("SETTLE", id_, audit_seq=seq, status=status, tokens_in=0, tokens_out=0)


def begun(p):
    """A request whose first attempt was answered with 403."""
    id_ = p.send()
    name, _, m = p.gw.wait(id_)
    assert name == "GO", m
    got = p.finish()
    settle(p, id_, m["audit_seq"], 403)
    return id_, got


def temporary(r):
    return r.header("authorization").split("Credential=")[1].split("/")[0]


def expired(v, admin, key, audit):
    with case("PLAN says that the attempt's key can be renewed"):
        p = rotated(v, admin, key, OTHER)
        _, plan = p.plan()
        assert [a["renews"] for a in plan["attempt"]] == [True], plan
    with case("a young token is not given up on a gateway's word, though the attempt may come again, once"):
        id_, first = begun(p)
        n = len(sts.up.requests)
        name, m = again(p, id_, **EXPIRED)
        assert name == "GO", m
        assert len(sts.up.requests) == n and temporary(p.finish()) == temporary(first)
        settle(p, id_, m["audit_seq"], 403)
        name, m = again(p, id_, **EXPIRED)
        assert (name, m["code"]) == ("DENY", "no_plan"), (name, m)
    with case("nor does it come again after another class, or a status alone"):
        for change in (dict(previous_status=403), dict(previous_status=403, previous_class=NUM["CLASS_AUTH"]),
                       dict(previous_status=500, previous_class=NUM["CLASS_SERVER"])):
            id_, _ = begun(p)
            name, m = again(p, id_, **change)
            assert (name, m["code"]) == ("DENY", "no_plan"), (change, name, m)
    with case("nor before the first try"):
        id_, _ = p.plan()
        name, m = again(p, id_, attempt=1, **EXPIRED)
        assert (name, m["code"]) == ("DENY", "no_plan"), (name, m)
    with case("an older token is dropped; no other to be had: the refusal names the exchange, and the attempt is spent"):
        p.close()
        p = Path(v, key, lanes=64)
        time.sleep(31)
        ids = [p.send(i) for i in range(64)]
        seqs = [p.gw.wait(i)[2]["audit_seq"] for i in ids]
        old = set()
        for i, lane in enumerate(p.lanes):
            old.add(temporary(p.finish(i)))
            settle(p, ids[i], seqs[i], 403)
        assert len(old) == 1, old
        sts.mode = "500"
        name, m = again(p, ids[0], **EXPIRED)
        assert (name, m["code"]) == ("DENY", "token_exchange_failed"), (name, m)
        name, m = again(p, ids[0], **EXPIRED)
        assert (name, m["code"]) == ("DENY", "no_plan"), (name, m)
        sts.mode = "good"
    with case("requests that saw the same key expire make one exchange, and go out with its key"):
        time.sleep(3)  # the back-off of the failure
        n, fresh, sts.delay = len(sts.up.requests), len(audit.wait("TOKEN_REFRESHED")), 0.5
        for i in range(1, 64):
            p.gw.chan.send("USE", ids[i], **p.gw.use_fields(None, p.sealer.number, p.lanes[i].id, BODY,
                                                            operation="OP_BEDROCK_CONVERSE", **EXPIRED))
        got = [p.gw.wait(i)[0] for i in ids[1:]]
        sts.delay = 0
        assert got == ["GO"] * 63 and len(sts.up.requests) == n + 1, (got, len(sts.up.requests) - n)
        assert {temporary(p.finish(i)) for i in range(1, 64)} & old == set()
        audit.wait("TOKEN_REFRESHED", fresh + 1)
    p.close()
    with case("a lasting key's attempt never comes again"):
        admin.done("CREDENTIAL_PUT", **admin.put("aws", "BEDROCK", SECRET, auth=NUM["AUTH_SIGV4"], region=REGION, host="localhost",
                                                 port=bedrock.port, access_key_id="AKIAIOSFODNN7EXAMPLE", ca_pem=certs.pem(),
                                                 expect=0xffffffff))
        p = Path(v, key)
        _, plan = p.plan()
        assert [a["renews"] for a in plan["attempt"]] == [False], plan
        id_, _ = begun(p)
        name, m = again(p, id_, **EXPIRED)
        assert (name, m["code"]) == ("DENY", "no_plan"), (name, m)
        p.close()


def main():
    v = Vault(BUILD)
    assert v.start(), v.log()
    audit, admin = Audit(v), Admin(v)
    admin.done("CREDENTIAL_PUT", **put(admin, SECRET))
    key = admin.issue("app")["key"]
    p = Path(v, key)

    with case("a use fetches a session first, through the worker that asked"):
        name, m = p.use()
        assert name == "GO", m
        assert p.gw.asked == [(HOST, 443)], p.gw.asked
    with case("STS gets one signed GetSessionToken request"):
        r, = sts.up.requests
        signed = "content-type;host;x-amz-date"
        assert r.line == "POST / HTTP/1.1" and r.body == FORM and r.header("host") == HOST, (r.line, r.body)
        want = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/%s/%s/sts/aws4_request, SignedHeaders=%s, Signature=%s" % (
            r.header("x-amz-date")[:8], REGION, signed, signature(SECRET, r, "sts", signed, FORM))
        assert r.header("authorization") == want, r.header("authorization")
    with case("Bedrock gets a request signed with the temporary key, and the session token"):
        got = p.finish()
        assert got.header("x-amz-security-token") == SESSION, got.header("x-amz-security-token")
        signed = got.header("authorization").split("SignedHeaders=")[1].split(",")[0]
        assert "Credential=ASIATEMPORARY0000001/" in got.header("authorization") and "x-amz-security-token" in signed
        assert got.header("authorization").endswith("Signature=" + signature(TEMPORARY, got, "bedrock", signed, BODY))
    with case("the trail: intent, completion and refresh of the exchange, then the intent of the request"):
        a, b = audit.wait("KEY_INTENT", 2)
        assert a["text"][NUM["ATTR_OPERATION"]] == "sts-get-session-token", a
        assert a["text"][NUM["ATTR_UPSTREAM_HOST"]] == HOST and a["user"] == "vault"
        c, = audit.wait("KEY_COMPLETE")
        t, = audit.wait("TOKEN_REFRESHED")
        assert c["ref_seq"] == a["seq"] and c["num"][NUM["ATTR_UPSTREAM_STATUS"]] == 200 and c["result"] == 0, c
        assert 3500 < t["num"][NUM["ATTR_EXPIRES"]] - time.time() < 3700 and a["key_use"] + 1 == b["key_use"]
    with case("the worker saw ciphertext only"):
        # Its end is the lane's, or the whole channel's, whichever the worker meets first.
        p.gw.run(lambda: not p.gw.relays[0].is_alive())
        assert p.gw.relays[0].lane.plain == b"", p.gw.relays[0].lane.plain
    with case("the session serves further requests"):
        assert p.use()[0] == "GO"
        p.finish()
        assert len(sts.up.requests) == 1
    p.close()

    with case("64 requests at once make one exchange"):
        p = rotated(v, admin, key, OTHER, lanes=64)
        sts.delay = 0.5
        ids = [p.send(i) for i in range(64)]
        got = [p.gw.wait(i)[0] for i in ids]
        sts.delay = 0
        assert got == ["GO"] * 64 and len(sts.up.requests) == 2, (got, len(sts.up.requests))
    p.close()

    for mode, code in (("500", "token_exchange_failed"), ("refuse", "provider_auth_failed"),
                       ("garbage", "token_exchange_failed"), ("cut", "token_exchange_failed"),
                       ("expired", "token_exchange_failed")):
        with case("STS says '%s': %s, and it is not asked again at once" % (mode, code)):
            p = rotated(v, admin, key, SECRET if mode in ("500", "garbage", "expired") else OTHER)
            sts.mode, n = mode, len(sts.up.requests)
            m = p.denied(code)
            p.denied(code)
            assert len(sts.up.requests) == n + 1 and len(p.gw.asked) == 1, p.gw.asked
            assert SECRET not in m["message"] and TEMPORARY not in m["message"]
            p.close()
    with case("failures are recorded, completions name their intent"):
        audit.wait("TOKEN_FAILED", 5)
        seqs = {m["seq"] for e, m in audit.records if e == "KEY_INTENT" and m["user"] == "vault"}
        refs = {m["ref_seq"] for e, m in audit.records if e == "KEY_COMPLETE"}
        assert seqs == refs, (seqs, refs)
    with case("after the back-off it is asked again"):
        p = Path(v, key)
        sts.mode = "good"
        end = time.monotonic() + 10
        while p.use()[0] != "GO":
            assert time.monotonic() < end
            time.sleep(0.3)
        p.finish()
        p.close()

    for clock in (600, -600):
        with case("our clock is off by %d s: one retry with the provider's time, also towards Bedrock" % clock):
            p = rotated(v, admin, key, SECRET if clock < 0 else OTHER)
            sts.clock, n = clock, len(sts.up.requests)
            name, m = p.use()
            assert name == "GO" and len(sts.up.requests) == n + 2, (name, m, len(sts.up.requests) - n)
            told = time.strptime(p.finish().header("x-amz-date"), "%Y%m%dT%H%M%SZ")
            assert abs(time.mktime(told) - time.timezone - time.time() - clock) < 20
            t = audit.wait("TOKEN_REFRESHED", 1)[-1]
            assert 3500 < t["num"][NUM["ATTR_EXPIRES"]] - time.time() < 3700
            p.close()
    sts.clock = 0

    with case("a worker that cannot connect is replaced by another"):
        p = Path(v, key)  # the clock is right again, and the vault learns it
        assert p.use()[0] == "GO"
        p.close()
        p = rotated(v, admin, key, OTHER)
        assert p.use()[0] == "GO"
        p.close()
        p, q = rotated(v, admin, key, SECRET), Worker(v, worker=7)
        p.gw.relay, n = "refuse", len(sts.up.requests)
        id_ = p.send()
        p.gw.run(lambda: id_ in p.gw.answers, others=(q,))
        assert p.gw.answers.pop(id_)[0] == "GO" and len(q.asked) == 1 and len(sts.up.requests) == n + 1
        p.finish()
        p.close()
        q.close()
    with case("so is one that dies while another's request waits for the same session"):
        p = rotated(v, admin, key, OTHER)
        q = Path(v, key)
        p.gw.relay, n = "hold", len(sts.up.requests)
        p.send()
        p.gw.run(lambda: p.gw.asked)
        id_ = q.send()
        q.gw.run(lambda: True)
        time.sleep(0.2)
        assert not q.gw.asked
        p.close()
        name, _, m = q.gw.wait(id_)
        assert name == "GO" and len(q.gw.asked) == 1 and len(sts.up.requests) == n + 1, (name, m, q.gw.asked)
        q.close()
    with case("a host with another's certificate gets nothing"):
        p = rotated(v, admin, key, SECRET)
        p.gw.port, n, raw = bedrock.port, len(bedrock.requests), len(sts.up.requests)
        p.denied("token_exchange_failed")
        audit.wait("UPSTREAM_UNVERIFIED")
        assert len(bedrock.requests) == n and len(sts.up.requests) == raw
        p.close()
    with case("no intent, no exchange"):
        p = rotated(v, admin, key, OTHER)
        n = len(sts.up.requests)
        audit.mode, audit.only = "nack", "KEY_INTENT"
        p.denied("token_exchange_failed")
        audit.mode, audit.only = "ack", None
        assert len(sts.up.requests) == n
        p.close()
    with case("a body on the lane of an exchange ends the sealer, and is the gateway's fault"):
        p = rotated(v, admin, key, SECRET)
        sts.delay = 1
        p.gw.relay = "relay"
        id_ = p.send()
        p.gw.run(lambda: p.gw.relays and p.gw.relays[0].lane.ready)
        p.gw.relays[0].sealer.chan.send_raw("BODY", 1, b"x")
        name, _, m = p.gw.wait(id_)
        sts.delay = 0
        assert name == "DENY" and m["code"] == "token_exchange_failed", (name, m)
        audit.wait("PEER_REJECTED")
        p.close()
    expired(v, admin, key, audit)
    with case("no secret in the log"):
        for s in (SECRET, OTHER, TEMPORARY, SESSION):
            assert s not in v.log()
    with case("the vault is well"):
        assert v.proc.poll() is None
        admin.done("STATUS")
    admin.close()
    audit.close()
    assert v.stop() == 0
    shutil.rmtree(v.dir, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)
    tap.done()


main()
