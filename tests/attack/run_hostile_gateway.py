#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a gateway under an attacker's control can ask of the real vault core and sealers: rows K1 to K4, K7, K8, K11, K12."""

import hashlib
import hmac
import os
import re
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from arena import CHAT, Arena  # noqa: E402
from hostile import Closed, Gateway, Sealer, http_complete  # noqa: E402
from sp_proto import NUM  # noqa: E402
from tap import case  # noqa: E402
from upstream import Certs, Upstream, plain_answer  # noqa: E402

ALLOWED_HEADERS = {"host", "authorization", "content-type", "content-length", "accept", "user-agent", "connection",
                   "accept-encoding", "openai-beta", "x-pad", "te"}


def refused(f, *codes):
    """A DENY (with one of these codes when any are given)."""
    return f[0] == "DENY" and (not codes or f[2]["code"] in codes)


def head_is_sound(a, r, n):
    """The head that the provider saw: built from fields, one length, nothing of the gateway's."""
    names = [k.lower() for k, _ in r.headers]
    assert r.all("content-length") == [str(n)], r.headers
    assert r.all("authorization") == ["Bearer " + a.secret], "authorization"
    assert not r.all("transfer-encoding"), r.headers
    assert len(r.all("host")) == 1 and r.header("host").startswith("localhost"), r.headers
    assert r.header("accept-encoding") in (None, "identity"), r.headers
    strange = set(names) - ALLOWED_HEADERS
    assert not strange, strange
    assert len(names) == len(set(names)), names


# --- K1: another host ------------------------------------------------------------------------------------------------

def lane_to(a, port, what):
    """A lane of the credential, relayed by the gateway to a server of its own choice."""
    mark = a.mark()
    with Gateway(a) as g:
        id_, plan, s, ln = a.lane(g, port=port, ready=False)
        s.pump(lambda: ln.closed or ln.ready, 5)
        assert not ln.ready, "a lane to %s was called ready" % what
        assert ln.closed and ln.closed["fault"] == NUM["LANE_TLS_FAILED"], ln.closed
        f = g.use(id_, plan, s.number, ln.id, CHAT)
        assert refused(f, "lane_mismatch"), f
    assert a.audited("upstream.unverified", mark), "no upstream.unverified record"


def k1(a):
    other = Upstream(*a.certs.issue("other.test"))
    sub = Upstream(*a.certs.issue("evil.localhost"))
    own_dir = os.path.join(a.dir, "evil-ca")
    os.mkdir(own_dir)
    foreign = Upstream(*Certs(own_dir).issue("localhost"))
    expired = Upstream(*a.certs.issue("localhost", days="-1"))
    for up, what in ((other, "a certificate for another name"), (sub, "a subdomain's certificate"),
                     (foreign, "the right name from a foreign CA"), (expired, "an expired certificate")):
        with case("K1 a lane relayed to a server with %s is never ready, and USE on it is refused and audited" % what):
            lane_to(a, up.port, what)
        tap.ok(not up.requests, "K1 ... and that server saw no request")
        up.stop()
    with case("K1 a man in the middle who flips one bit of the handshake gets no lane"):
        with Gateway(a) as g:
            name, id_, plan = g.authorize(a.vkey, model="m")
            s = g.open_sealer(plan["attempt"][0]["credential"])
            ln = s.open(1, a.up.port)
            ln.flipped = lambda d: d[:100] + bytes([d[100] ^ 1]) + d[101:] if len(d) > 100 else d
            s.pump(lambda: ln.closed or ln.ready, 5)
            assert not ln.ready and ln.closed, "ready after a flipped bit"
    with case("K1 plaintext HTTP instead of TLS gets no lane"):
        with Gateway(a) as g:
            name, id_, plan = g.authorize(a.vkey, model="m")
            s = g.open_sealer(plan["attempt"][0]["credential"])
            ln = s.open(1)
            s.chan.send_raw("CIPHER_IN", 1, b"HTTP/1.1 200 OK\r\n\r\n")
            s.pump(lambda: ln.closed, 5)
            assert ln.closed, "still open"
    with case("K1 SEALER_OPEN of handles that no plan gave are refused, ten of them"):
        with Gateway(a) as g:
            name, _, plan = g.authorize(a.vkey, model="m")
            h = plan["attempt"][0]["credential"]
            for x in (0, h + 1, h + 7, h ^ 1 << 63, 1000, 65536, (1 << 64) - 1, 1 << 32, (1 << 32) + h, 1 << 63):
                r = g.open_sealer(x)
                assert not isinstance(r, Sealer), "handle %d was accepted" % x
    with case("K1 the credential of another client key cannot be used"):
        a.put("victim", "sk-victim-0123456789abcdef0123456789")
        vk = a.issue("victim", ["victim"])
        with Gateway(a) as g1:
            victim = g1.authorize(vk, model="m")[2]["attempt"][0]["credential"]
            s = g1.open_sealer(victim)
            ln = s.open(1, a.up.port)
            assert s.pump(lambda: ln.ready)
            name, id_, plan = g1.authorize(a.vkey, model="m")
            f = g1.use(id_, plan, s.number, ln.id, CHAT)  # plan of "attack", lane of "victim"
            assert refused(f, "lane_mismatch"), f
    tap.ok(a.serves(), "K1 the service still serves")


# --- K2: framing -----------------------------------------------------------------------------------------------------

def k2(a):
    with case("K2 control: an honest request reaches the provider with a head built from fields"):
        head_is_sound(a, a.good(), len(CHAT))
    smuggled = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nSMUGGLED"
    with case("K2 body bytes beyond the promised length end the gateway's lane and never reach the provider"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            n = len(a.up.raw)
            assert g.use(id_, plan, s.number, ln.id, CHAT)[0] == "GO"
            try:
                s.chan.send_raw("BODY", ln.id, CHAT + smuggled)
                s.pump(lambda: ln.closed, 3)
                died = ln.closed is not None
            except Closed:
                died = True
            assert died, "the surplus was accepted"
            time.sleep(0.1)
            seen = bytes(a.up.raw[n - 1])
            assert b"SMUGGLED" not in seen and seen.count(b"HTTP/1.1") <= 1, "smuggled: %r" % seen
    with case("K2 a body that does not hash to what was promised is never completed upstream"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            n = len(a.up.requests)
            assert g.use(id_, plan, s.number, ln.id, CHAT)[0] == "GO"
            s.chan.send_raw("BODY", ln.id, CHAT[:-1] + b"!")
            s.pump(lambda: ln.closed, 3)
            assert ln.closed and ln.closed["fault"] == NUM["LANE_BODY_MISMATCH"], ln.closed
            time.sleep(0.1)
            assert len(a.up.requests) == n, "the provider got a whole request"
    with case("K2 a large body with a wrong last byte is never completed upstream"):
        with Gateway(a) as g:
            big = b"x" * 300000
            id_, plan, s, ln = a.lane(g)
            n = len(a.up.requests)
            assert g.use(id_, plan, s.number, ln.id, big)[0] == "GO"
            s.body(ln, big[:-1] + b"y")
            s.pump(lambda: ln.closed, 5)
            assert ln.closed and ln.closed["fault"] == NUM["LANE_BODY_MISMATCH"], ln.closed
            assert len(a.up.requests) == n
    with case("K2 a short body, then silence: nothing is completed, nobody else waits"):
        g = Gateway(a)
        id_, plan, s, ln = a.lane(g)
        n = len(a.up.requests)
        assert g.use(id_, plan, s.number, ln.id, CHAT)[0] == "GO"
        s.chan.send_raw("BODY", ln.id, CHAT[:10])
        s.pump(lambda: False, 0.3)
        assert a.serves()
        assert len(a.up.requests) == n
        g.close()
    with case("K2 a second USE on a lane that still owes body bytes is refused"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            n = len(a.up.requests)
            assert g.use(id_, plan, s.number, ln.id, CHAT)[0] == "GO"
            name, id2, plan2 = g.authorize(a.vkey, model="m")
            try:
                f = g.use(id2, plan2, s.number, ln.id, CHAT)
                assert refused(f) or ends(s, ln), f
            except Closed:
                pass
            assert len(a.up.requests) == n
    with case("K2 body bytes sent before USE, beyond the window, end the lane channel"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            try:
                for _ in range(12):
                    s.chan.send_raw("BODY", ln.id, b"z" * 16384)
                s.pump(lambda: False, 1.0)
                assert False, "the window was overrun without an end"
            except Closed:
                pass
    tap.ok(a.serves(), "K2 the service still serves")


def ends(s, ln):
    try:
        return s.pump(lambda: ln.closed, 2)
    except Closed:
        return True


# --- K3: bytes in headers, parameters, paths ----------------------------------------------------------------------

BAD_VALUES = ["a\r\nx-evil: 1", "a\rb", "a\nb", "a\x00b", "\r\n\r\nGET / HTTP/1.1", "a\x7fb", "a\x1bb", "caf\u00e9",
              "\u2028", "a\x0bb", "a\x85b"]


def bad_use(a, what, keep=None, operation="OP_OPENAI_CHAT", model="m", body=CHAT, **change):
    """One USE that must be refused; the provider must see nothing."""
    with Gateway(a) as g:
        id_, plan, s, ln = a.lane(g, operation=operation, model=model)
        n = len(a.up.requests)
        try:
            f = g.use(id_, plan, s.number, ln.id, body, **dict(dict(operation=operation), **change))
            assert f[0] == "DENY", "%s: %r" % (what, f)
        except Closed:
            pass
        time.sleep(0.01)
        assert len(a.up.requests) == n, "%s reached the provider" % what


def k3(a):
    mark = a.mark()
    ct = NUM["HEADER_CONTENT_TYPE"]
    with case("K3 CR, LF, NUL and other bytes outside visible ASCII are refused in header values"):
        for v in BAD_VALUES:
            bad_use(a, repr(v), header=[dict(id=ct, value="application/json"), dict(id=NUM["HEADER_OPENAI_BETA"], value=v)])
            bad_use(a, repr(v), header=[dict(id=ct, value=v)])
    tap.ok(a.audited("key.denied", mark) or a.audited("peer.rejected", mark), "K3 ... and that is in the audit log")
    with case("K3 header ids that are unknown or not the operation's are refused"):
        for i in (0, NUM["HEADER_LAST"] + 1, 65535, NUM["HEADER_ANTHROPIC_VERSION"], NUM["HEADER_BEDROCK_TRACE"]):
            bad_use(a, "header id %d" % i, header=[dict(id=i, value="x")])
    with case("K3 the same header twice is refused, or sent once"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            n = len(a.up.requests)
            h = [dict(id=ct, value="application/json"), dict(id=ct, value="text/plain")]
            f = g.use(id_, plan, s.number, ln.id, CHAT, header=h)
            if f[0] == "GO":
                s.body(ln, CHAT)
                assert s.pump(lambda: len(a.up.requests) > n)
                assert len(a.up.requests[n].all("content-type")) == 1
    with case("K3 headers that would make the head larger than its limit are refused, the core lives"):
        pid = a.pid("core")
        beta = NUM["HEADER_OPENAI_BETA"]
        for count in (8, 16):
            bad_use(a, "large head", header=[dict(id=ct if i == 0 else beta, value="v" * 2048) for i in range(count)])
        assert a.pid("core") == pid
    with case("K3 query parameters that the operation does not take are refused"):
        for i in (0, 1, 2, 3, 4, 5, 65535):
            bad_use(a, "param %d" % i, param=[dict(id=i, value="true")])
    with case("K3 query parameters of an operation that takes them must be plain words"):
        for v in BAD_VALUES + ["a&b=c", "a b", "%0d%0a", "../x", "a#b", "a?b", "a;b", "x" * 2048]:
            bad_use(a, repr(v), operation="OP_OPENAI_MODELS", model="", body=b"", header=[],
                    param=[dict(id=NUM["PARAM_LIMIT"], value=v)])
    tap.ok(a.serves(), "K3 the service still serves")


EVIL_MODELS = ["../../admin/keys", "..", ".", "a/../b", "%2e%2e%2fadmin", "..%2f..%2fx", "a%0d%0aX: y", "a\r\nX-Evil: 1",
               "a b", "a?x=y", "a#b", "a\x00b", "\u00e9", "a//b", "/", "\\..\\x", "a;b", "a HTTP/1.1\r\nHost: evil", "~",
               "m" * 2000, "%", "%zz"]


def path_ok(line, prefix):
    """One request line with our template and a single segment that no server can take for more than that."""
    m = re.fullmatch(r"GET (/\S+) HTTP/1\.1", line)
    assert m, "request line %r" % line
    assert m.group(1).startswith(prefix), line
    rest = m.group(1)[len(prefix):]
    assert "/" not in rest and "?" not in rest and "#" not in rest, line
    once = urllib.parse.unquote(rest)
    assert once not in (".", "..") and "\r" not in once and "\n" not in once and "\x00" not in once, line


def k3_paths(a):
    sent = 0
    with case("K3 model names with traversal, encoded bytes or spaces cannot leave the path template"):
        for model in EVIL_MODELS:
            with Gateway(a) as g:
                n = len(a.up.requests)
                try:
                    name, id_, plan = g.authorize(a.vkey, "OP_OPENAI_MODEL", model)
                    if name == "DENY":
                        continue
                    s = g.open_sealer(plan["attempt"][0]["credential"])
                    ln = s.open(1, a.up.port)
                    assert s.pump(lambda: ln.ready)
                    f = g.use(id_, plan, s.number, ln.id, b"", operation="OP_OPENAI_MODEL", header=[])
                    if f[0] == "DENY":
                        continue
                    assert s.pump(lambda: http_complete(ln.plain) or ln.closed)
                except Closed:
                    continue
                sent += 1
                path_ok(a.up.requests[n].line, "/v1/models/")
    tap.note("%d of %d names were sent upstream, encoded" % (sent, len(EVIL_MODELS)))
    tap.ok(a.serves(), "K3 the service still serves after them")


# --- K4: operations ---------------------------------------------------------------------------------------------------

def k4(a):
    mark = a.mark()
    with case("K4 an operation number that does not exist ends the channel"):
        for op in (NUM["OP_LAST"] + 1, 255, 1 << 32):
            with Gateway(a) as g:
                try:
                    f = g.authorize(a.vkey, op)
                    assert False, "operation %d: %r" % (op, f)
                except Closed:
                    pass
    tap.ok(a.audited("peer.rejected", mark), "K4 ... and that is in the audit log")
    with case("K4 operation 0, and operations of other providers, are refused"):
        for op in (0, NUM["OP_ANTHROPIC_MESSAGES"], NUM["OP_BEDROCK_CONVERSE"], NUM["OP_BEDROCK_INVOKE_STREAM"]):
            with Gateway(a) as g:
                try:
                    f = g.authorize(a.vkey, op)
                    assert f[0] == "DENY", "operation %d: %r" % (op, f)
                except Closed:
                    pass
    with case("K4 USE for another operation than the plan's is refused"):
        for op in ("OP_OPENAI_RESPONSES", "OP_OPENAI_MODELS", "OP_OPENAI_MODEL", "OP_ANTHROPIC_MESSAGES"):
            with Gateway(a) as g:
                id_, plan, s, ln = a.lane(g)
                n = len(a.up.requests)
                try:
                    f = g.use(id_, plan, s.number, ln.id, CHAT, operation=op)
                    assert f[0] == "DENY", f
                except Closed:
                    pass
                assert len(a.up.requests) == n
    with case("K4 an operation that the credential does not list, and a model it does not list, are refused"):
        a.put("narrow", "sk-narrow-0123456789abcdef0123456789ab", operation=[dict(name="embeddings")],
              model=[dict(name="good-*")])
        vk = a.issue("narrow", ["narrow"])
        with Gateway(a) as g:
            assert g.authorize(vk, "OP_OPENAI_CHAT", "good-1")[0] == "DENY"
            assert g.authorize(vk, "OP_OPENAI_EMBEDDINGS", "evil-1")[0] == "DENY"
            assert g.authorize(vk, "OP_OPENAI_EMBEDDINGS", "xgood-1")[0] == "DENY"
            assert g.authorize(vk, "OP_OPENAI_EMBEDDINGS", "good-1")[0] == "PLAN"
    with case("K4 a credential that is disabled, or a client key revoked, between plan and USE is not used"):
        a.put("brief", "sk-brief-0123456789abcdef0123456789ab")
        vk = a.issue("brief", ["brief"])
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g, vkey=vk)
            n = len(a.up.requests)
            a.admin("CREDENTIAL_SET", name="brief", action=NUM["CREDENTIAL_DISABLE"])
            f = g.use(id_, plan, s.number, ln.id, CHAT)
            assert f[0] == "DENY", f
            assert g.authorize(vk, model="m")[0] == "DENY"
            a.admin("CREDENTIAL_SET", name="brief", action=NUM["CREDENTIAL_ENABLE"])
            a.admin("VKEY_REVOKE", id_or_name="brief")
            assert g.authorize(vk, model="m")[0] == "DENY"
            assert len(a.up.requests) == n
    tap.ok(a.serves(), "K4 the service still serves")


# --- K11: signatures ----------------------------------------------------------------------------------------------------

def sigv4_of(r, secret):
    """The signature that this request, as it arrived, should carry; and the one that it carries."""
    def mac(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()
    m = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), "
                     r"Signature=([0-9a-f]{64})", r.header("authorization"))
    akid, day, region, service, names, got = m.groups()
    path = r.line.split(" ")[1]
    canonical = "\n".join([r.line.split(" ")[0], urllib.parse.quote(path, safe="/~-._"), ""] +
                          ["%s:%s" % (n, ",".join(r.all(n))) for n in names.split(";")] +
                          ["", names, hashlib.sha256(r.body).hexdigest()])
    scope = "/".join((day, region, service, "aws4_request"))
    to_sign = "\n".join(("AWS4-HMAC-SHA256", r.header("x-amz-date"), scope, hashlib.sha256(canonical.encode()).hexdigest()))
    k = ("AWS4" + secret).encode()
    for x in (day, region, service, "aws4_request"):
        k = mac(k, x)
    return mac(k, to_sign).hex(), got, names.split(";"), service


def k11(a):
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "ATTACKKEY0"
    a.put("aws", secret, provider=NUM["PROVIDER_BEDROCK"], auth=NUM["AUTH_SIGV4"], region="eu-central-1",
          access_key_id="AKIAATTACKATTACK0000")
    vk = a.issue("aws", ["aws"])
    body = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'
    sent = 0
    for model in ["anthropic.claude-v2:1"] + EVIL_MODELS:
        with case("K11 what is signed is the request built from fields, for the model %r" % model[:40]):
            with Gateway(a) as g:
                n = len(a.up.requests)
                name, id_, plan = g.authorize(vk, "OP_BEDROCK_CONVERSE", model)
                if name == "DENY":
                    assert model != "anthropic.claude-v2:1", plan
                    continue
                s = g.open_sealer(plan["attempt"][0]["credential"])
                ln = s.open(1, a.up.port)
                assert s.pump(lambda: ln.ready)
                f = g.use(id_, plan, s.number, ln.id, body, operation="OP_BEDROCK_CONVERSE")
                if f[0] == "DENY":
                    continue
                s.body(ln, body)
                assert s.pump(lambda: http_complete(ln.plain) or ln.closed)
                r = a.up.requests[n]
                m = re.fullmatch(r"POST /model/([^/?# ]+)/converse HTTP/1\.1", r.line)
                assert m and urllib.parse.unquote(m.group(1)) == model and m.group(1) not in (".", ".."), r.line
                want, got, names, service = sigv4_of(r, secret)
                assert want == got, "signature of something else"
                assert service == "bedrock" and {"host", "x-amz-date"} <= set(names), names
                assert secret not in r.head.decode("latin-1")
                sent += 1
    tap.ok(sent >= 1, "K11 %d of them were signed and sent" % sent)
    tap.ok(a.serves(), "K11 the service still serves")


# --- K7, K8, K12 --------------------------------------------------------------------------------------------------------

def k7(a):
    evil = Upstream(*a.certs.issue("localhost"))
    a.behave = lambda r, send: send(plain_answer(b"{}", "307 Temporary Redirect", [
        ("location", "https://localhost:%d/steal" % evil.port)])) or True
    with case("K7 a redirect is data: it comes back, nobody follows it"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            assert g.use(id_, plan, s.number, ln.id, CHAT)[0] == "GO"
            s.body(ln, CHAT)
            assert s.pump(lambda: http_complete(ln.plain) or ln.closed)
            assert ln.plain.startswith(b"HTTP/1.1 307"), ln.plain[:100]
        time.sleep(0.1)
        assert evil.connections == 0
    with case("K7 the real gateway does not follow one either"):
        r = a.chat(model="m", key=a.vkey)
        assert r.status >= 300 and evil.connections == 0, r
    a.behave = lambda r, send: True
    evil.stop()
    from upstream import ok_chat
    a.behave = ok_chat


def k8_k12(a):
    with case("K8 what the gateway relays upstream holds no piece of the key"):
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g)
            wire = bytearray()
            inner, sock = ln.sock.sendall, ln.sock

            class Tap:
                def sendall(self, d):
                    wire.extend(d)
                    inner(d)

                def __getattr__(self, k):
                    return getattr(sock, k)
            ln.sock = Tap()
            assert g.use(id_, plan, s.number, ln.id, CHAT)[0] == "GO"
            s.chan.send_raw("BODY", ln.id, CHAT)
            end = time.monotonic() + 3
            while len(a.up.requests) == 0 or not wire:
                s._frame(*s.chan.recv(3))
                assert time.monotonic() < end
            k = a.secret.encode()
            assert len(wire) > 200 and not any(k[i:i + 6] in wire for i in range(10, len(k) - 6))
            ln.sock = sock
    with case("K12 no TLS session is resumed from lane to lane"):
        reused = []
        before = a.behave

        def look(r, send):
            return before(r, send)
        a.behave = look
        stats0 = a.up.context.session_stats()["hits"]
        for _ in range(3):
            a.good()
        reused.append(a.up.context.session_stats()["hits"] - stats0)
        assert reused == [0], reused


def main():
    with Arena() as a:
        pids = a.pids()
        for f in (k1, k2, k3, k3_paths, k4, k7, k8_k12, k11):
            try:
                f(a)
            except Exception as e:  # noqa: BLE001: the next rows still run
                tap.ok(False, "%s ran to its end" % f.__name__, repr(e))
        now = a.pids()
        for role in ("core", "zygote", "auditd", "worker"):
            tap.ok(now.get(role) == pids.get(role), "no %s process died of all this" % role, "%s, was %s" % (now, pids))
    tap.done()


main()
