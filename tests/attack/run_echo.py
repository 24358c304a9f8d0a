#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Leak by echo (rows K5, K6): a provider that sends the key back in every place and disguise. The client must never see
12 bytes of it in a row, and the audit log must say that a leak was stopped."""

import base64
import json
import os
import secrets
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from arena import CHAT, Arena  # noqa: E402
from hostile import Gateway  # noqa: E402
from sp_proto import NUM  # noqa: E402
from tap import case  # noqa: E402
from upstream import plain_answer  # noqa: E402

PIECE = 12


def exchange(a, path, body, headers, timeout=8.0):
    """Every byte that a client gets for one request, whatever happens to the connection."""
    data = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", a.port), timeout) as s:
        s.sendall(("POST %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n%scontent-length: "
                   "%d\r\n\r\n" % (path, "".join("%s: %s\r\n" % h for h in headers), len(data))).encode() + data)
        got = b""
        try:
            while True:
                d = s.recv(65536)
                if not d:
                    break
                got += d
        except OSError:
            pass
    return got


def dechunk(body):
    out, at = b"", 0
    while True:
        eol = body.find(b"\r\n", at)
        if eol < 0:
            return out
        try:
            n = int(body[at:eol].split(b";")[0], 16)
        except ValueError:
            return out + body[at:]
        if n == 0:
            return out + body[eol + 2:]
        out += body[eol + 2:eol + 2 + n]
        at = eol + 2 + n + 2


def pieces(secret):
    """Every disguise of every 12-byte piece that a client could undo by itself."""
    raw = secret.encode()
    out = set()
    for i in range(len(raw) - PIECE + 1):
        p = raw[i:i + PIECE]
        out |= {p, p.hex().encode(), p.hex().upper().encode(), b"".join(b"%%%02x" % c for c in p),
                b"".join(b"%%%02X" % c for c in p)}
    for pad in range(3):
        e = base64.b64encode(b"\x00" * pad + raw)
        out |= {e[i:i + 16] for i in range(4, len(e) - 20)}
    return out


def leaked(got, secret):
    head, _, body = got.partition(b"\r\n\r\n")
    views = [got, dechunk(body)]
    return [p for p in pieces(secret) for v in views if p in v]


def sse(*events):
    return b"".join(b"data: " + e + b"\n\n" for e in events)


def delta(text):
    return json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"content": text}}]}).encode()


def chat(text):
    return json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}).encode()


def chunked(body, n):
    return b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + n]), body[i:i + n]) for i in range(0, len(body), n))


CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def attacks(key, secret):
    """(name, stream, records): what the provider answers, record by record."""
    b64 = [base64.b64encode(b"x" * i + key.encode()).decode() for i in range(3)]
    out = [("in a JSON answer", False, [plain_answer(chat("your key is " + key))]),
           ("in an error text", False, [plain_answer(b'{"error":{"message":"bad key %s"}}' % key.encode(), "401 Unauthorized")]),
           ("in a response header", False, [plain_answer(chat("x"), headers=[("x-debug", key)])]),
           ("in the reason phrase", False, [plain_answer(chat("x"), "200 OK " + key)]),
           ("as the bare secret without its public prefix", False, [plain_answer(chat(secret))]),
           ("a 20-byte piece from the middle", False, [plain_answer(chat(secret[9:29]))]),
           ("a 12-byte piece from the end", False, [plain_answer(chat(secret[-12:]))]),
           ("as hexadecimal", False, [plain_answer(chat(key.encode().hex()))]),
           ("as upper-case hexadecimal", False, [plain_answer(chat(key.encode().hex().upper()))]),
           ("percent-encoded", False, [plain_answer(chat("".join("%%%02X" % c for c in key.encode())))]),
           ("in a trailer", False, [CHUNKED + chunked(chat("x"), 999) + b"0\r\nx-debug: %s\r\n\r\n" % key.encode()]),
           ("in a chunk extension", False, [CHUNKED + b"2;%s\r\n{}\r\n0\r\n\r\n" % key.encode()]),
           ("after the end of the answer", False, [plain_answer(chat("x")) + key.encode()]),
           ("in an informational answer", False, [b"HTTP/1.1 103 Early Hints\r\nlink: %s\r\n\r\n" % key.encode() +
                                                  plain_answer(chat("x"))]),
           ("in one event of a stream", True, [STREAM + chunked(sse(delta("a"), delta(key), delta("b"), b"[DONE]"), 9999) +
                                               b"0\r\n\r\n"]),
           ("in an SSE comment", True, [STREAM + chunked(b": " + key.encode() + b"\n\n" + sse(delta("a"), b"[DONE]"), 9999) +
                                        b"0\r\n\r\n"]),
           ("in a stream after much content", True, [STREAM] + [chunked(sse(delta("w" * 500)), 700) for _ in range(40)] +
            [chunked(sse(delta(key)), 4000)])]
    for i, e in enumerate(b64):
        out.append(("as base64 at alignment %d" % i, False, [plain_answer(chat(e))]))
    whole = plain_answer(chat("your key is " + key))
    for n in (1, 2, 3, 5, 7, 11, 12, 13, 16, 31, 64):
        out.append(("in TLS records of %d bytes" % n, False, [whole[i:i + n] for i in range(0, len(whole), n)]))
    for n in (1, 2, 3, 4, 6, 11, 12, 13, 17):
        out.append(("in chunks of %d bytes" % n, False, [CHUNKED + chunked(chat(key), n) + b"0\r\n\r\n"]))
        out.append(("in chunks of %d bytes, a record each" % n, True,
                    [STREAM] + [chunked(p, n) for p in (sse(delta(key))[i:i + n] for i in range(0, len(sse(delta(key))), n))] +
                    [b"0\r\n\r\n"]))
    cut = whole.index(secret.encode())
    for k in range(1, len(secret), 6):
        out.append(("cut after %d of its bytes by a record border" % k, False, [whole[:cut + k], whole[cut + k:]]))
    return out


def try_all(a, what, vkey, key, secret, path, body, list_):
    for name, stream, records in list_:
        def behave(r, send, records=records):
            for x in records:
                send(x)
            return False
        a.behave = behave
        got = exchange(a, path, dict(body, stream=True) if stream else body, [("authorization", "Bearer " + vkey)])
        bits = leaked(got, secret)
        clean = stream and b"[DONE]" in got
        # what comes after a whole answer is not part of it: the answer may pass, the key may not
        ok200 = got.startswith(b"HTTP/1.1 200") and not stream and "after the end" not in name
        tap.ok(got and not bits and not clean and not ok200, "K5/K6 %s, %s" % (what, name),
               "%d pieces, clean end %s, answer %r" % (len(bits), clean, got[:300] + b" ... " + got[-200:]))


def controls(a, vkey, key, secret):
    with case("control: without an echo the same provider's answer passes"):
        a.behave = lambda r, send: send(plain_answer(chat("nothing secret"))) or False
        got = exchange(a, "/v1/chat/completions", BODY, [("authorization", "Bearer " + vkey)])
        assert got.startswith(b"HTTP/1.1 200") and b"nothing secret" in got, got[:300]
    with case("control: this test would notice a key in every one of its disguises"):
        for name, _, records in attacks(key, secret):
            assert leaked(b"".join(records), secret) or "chunks of" in name or "records of" in name, name
    with case("control: a key that is cut, masked or not the client's passes (no false alarm)"):
        mark = a.mark()
        for text in (key[:14] + "...", "sk-...%s" % key[-4:], "sk-other-" + secrets.token_hex(20), key[-11:], key[:-40] + "*" * 20):
            a.behave = lambda r, send, t=text: send(plain_answer(chat(t))) or False
            got = exchange(a, "/v1/chat/completions", BODY, [("authorization", "Bearer " + vkey)])
            assert got.startswith(b"HTTP/1.1 200") and text.encode() in got, (text, got[:200])
        assert not a.audited("key.leak_stopped", mark, timeout=0.1)


BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def bearer(a):
    secret = secrets.token_urlsafe(36).replace("_", "x").replace("-", "y")
    key = "sk-proj-" + secret
    a.put("echo", key)
    vkey = a.issue("echo", ["echo"])
    controls(a, vkey, key, secret)
    mark = a.mark()
    list_ = attacks(key, secret)
    try_all(a, "bearer", vkey, key, secret, "/v1/chat/completions", BODY, list_)
    n = len(a.audited("key.leak_stopped", mark, least=len(list_)))
    tap.ok(n >= len(list_) - 2, "K5 the audit log has key.leak_stopped for them (%d of %d)" % (n, len(list_)))
    tap.ok(not any(secret[i:i + 8] in json.dumps(a.audit()) for i in range(len(secret) - 8)), "K5 ... without the key in it")


def at_gateway(a):
    """The same seen from a gateway under an attacker's control: what the sealer hands out, record by record."""
    secret = secrets.token_urlsafe(36).replace("_", "x").replace("-", "y")
    key = "sk-proj-" + secret
    a.put("echo-gw", key)
    vkey = a.issue("echo-gw", ["echo-gw"])
    mark = a.mark()
    list_ = attacks(key, secret)
    for name, _, records in list_:
        def behave(r, send, records=records):
            for x in records:
                send(x)
            return True
        a.behave = behave
        with case("K5/K6 at the gateway, %s" % name):
            with Gateway(a) as g:
                id_, plan, s, ln = a.lane(g, vkey=vkey)
                assert g.use(id_, plan, s.number, ln.id, CHAT)[0] == "GO"
                s.body(ln, CHAT)
                s.pump(lambda: ln.closed, 1.5)
                bits = leaked(ln.plain, secret)
                assert not bits, "%d pieces: %r" % (len(bits), ln.plain[-200:])
                assert ln.closed and ln.closed["fault"] == NUM["LANE_LEAK"], (ln.closed, ln.plain[-200:])
    n = len(a.audited("key.leak_stopped", mark, least=len(list_)))
    tap.ok(n == len(list_), "K5 each of them is a key.leak_stopped in the audit log", "%d of %d" % (n, len(list_)))


def api_key(a):
    secret = secrets.token_hex(24)
    key = "sk-ant-api03-" + secret
    a.put("echo-ant", key, provider=NUM["PROVIDER_ANTHROPIC"], auth=NUM["AUTH_API_KEY"])
    vkey = a.issue("echo-ant", ["echo-ant"])
    body = dict(BODY, max_tokens=10)
    list_ = [x for x in attacks(key, secret) if not x[1]][:14]
    try_all(a, "x-api-key", vkey, key, secret, "/v1/messages", body, list_)
    with case("K5 the key did go upstream as x-api-key"):
        assert a.up.requests[-1].header("x-api-key") == key


def sigv4(a):
    token = base64.b64encode(secrets.token_bytes(300)).decode()
    secret = secrets.token_hex(20)
    a.put("echo-aws", secret, provider=NUM["PROVIDER_BEDROCK"], auth=NUM["AUTH_SIGV4"], region="eu-central-1",
          access_key_id="ASIAEXAMPLEEXAMPLE00", session_token=token)
    vkey = a.issue("echo-aws", ["echo-aws"])
    body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    for what, value in (("SigV4 session token", token), ("AWS secret access key", secret)):
        list_ = [("in a JSON answer", False, [plain_answer(chat(value))]),
                 ("in a response header", False, [plain_answer(chat("x"), headers=[("x-debug", value)])]),
                 ("a piece from its middle", False, [plain_answer(chat(value[13:33]))])]
        if what.startswith("AWS"):
            continue  # never sent, so an answer cannot hold it
        try_all(a, what, vkey, value, value, "/model/m/converse", body, list_)
    with case("K5 the AWS secret itself was never sent, the token was"):
        r = a.up.requests[-1]
        assert r.header("x-amz-security-token") == token, r.headers
        assert secret not in r.head.decode("latin-1") and r.header("authorization").startswith("AWS4-HMAC-SHA256 "), r.head


def demo_provider(a):
    """The same through the demo provider, whose echo models send all request headers back."""
    keys = []
    for base, _, names in os.walk(a.dir):
        for n in names:
            if "key" in n and not n.endswith(".pem"):
                with open(os.path.join(base, n), "rb") as f:
                    keys += [w.decode() for line in f.read(100000).splitlines() for w in line.split()[1:2]
                             if line.startswith((b"openai ", b"anthropic "))]
    openai = [k for k in keys if not k.startswith("sk-ant")]
    if not openai:
        tap.ok(False, "the demo provider's key file was found", os.listdir(a.dir))
        return
    key = openai[0]
    secret = key[len(key) - max(12, len(key) - 10):]
    for model in ["echo-headers"] + ["echo-split-%d" % n for n in (1, 2, 3, 5, 7, 11, 12, 13, 16, 24, 48)]:
        for stream in (False, True):
            got = exchange(a, "/v1/chat/completions", dict(BODY, model=model, stream=stream),
                           [("authorization", "Bearer " + a.key)])
            bits = leaked(got, secret)
            tap.ok(got and not bits and not (stream and b"[DONE]" in got), "K6 demo provider %s, stream %s" % (model, stream),
                   "%d pieces in %r" % (len(bits), got[:300]))


def main():
    with Arena() as a:
        for f in (at_gateway, bearer, api_key, sigv4, demo_provider):
            try:
                f(a)
            except Exception as e:  # noqa: BLE001: the next group still runs
                tap.ok(False, "%s ran to its end" % f.__name__, repr(e))
        time.sleep(0.1)
        tap.ok(a.serves(), "the service still serves")
    tap.done()


main()
