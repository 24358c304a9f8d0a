#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an administrator changes while requests run: revoked keys, disabled and rotated credentials, ceilings, limits to
models and credentials; each effective at the next request, and told in the shape of each dialect."""

import contextlib
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_lib import CHAT_PATH, Client, chat_body, events, start, wait_for, wire  # noqa: E402

import memscan  # noqa: E402
import stack  # noqa: E402
import tap  # noqa: E402
from arena import Arena, field  # noqa: E402
from tap import case  # noqa: E402
from upstream import ok_chat, plain_answer  # noqa: E402

ANTHROPIC = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}


class Load:
    """Threads with a keep-alive connection each that ask all the time: [(start, end, status, code)]."""

    def __init__(self, a, key, threads=6):
        self.a, self.key, self.stop, self.seen, self.lock = a, key, False, [], threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *e):
        self.stop = True
        for t in self.threads:
            t.join(10)

    def run(self):
        c = None
        while not self.stop:
            at = time.monotonic()
            try:
                c = c or Client(self.a.port)
                r = c.ask(self.key)
                got = (r.status, r.headers.get("x-sallyport-error-code", ""))
            except (OSError, EOFError) as e:
                got, c = (0, repr(e)), None
            with self.lock:
                self.seen.append((at, time.monotonic(), *got))
            time.sleep(0.002)
        if c:
            c.sock.close()

    def since(self, t, until=None):
        """{(status, code): n} of the requests that began after t and ended before until."""
        out = {}
        with self.lock:
            for b, e, status, code in self.seen:
                if b >= t and (until is None or e <= until):
                    out[(status, code)] = out.get((status, code), 0) + 1
        return out


# --- virtual keys -----------------------------------------------------------------------------------------------


def revoking(a):
    key = a.issue("short-lived", ["attack"])
    with case("revoked: the next request on an open keep-alive connection is 401 key_revoked, the connection lives"):
        with Client(a.port) as c, Client(a.port) as other:
            assert c.ask(key).status == 200 and other.ask(a.vkey).status == 200
            n = len(a.up.requests)
            a.ctl("vkey", "revoke", "short-lived")
            for _ in range(3):
                r = c.ask(key)
                assert r.status == 401 and r.json()["error"]["code"] == "key_revoked", r
            assert len(a.up.requests) == n, "it reached the provider"
            assert c.ask(a.vkey).status == 200 and other.ask(a.vkey).status == 200
    with case("revoked under load: not one request that began after it is served"):
        key = a.issue("loaded", ["attack"])
        with Load(a, key) as load:
            time.sleep(0.5)
            a.ctl("vkey", "revoke", "loaded")
            t = time.monotonic()
            time.sleep(0.5)
        before, after = load.since(0, t), load.since(t)
        tap.note("%s, then %s" % (before, after))
        assert set(after) == {(401, "key_revoked")} and set(before) <= {(200, ""), (401, "key_revoked")}, (before, after)
    with case("a revoked name can be issued anew: the new key works, the old one does not"):
        fresh = a.issue("loaded", ["attack"])
        assert fresh != key and a.chat(key=fresh).status == 200 and a.chat(key=key).status == 401


# --- credentials ------------------------------------------------------------------------------------------------


def switching(a):
    with case("disabled under load: 403 credential_disabled from the next request on; enabled: served again"):
        with Load(a, a.vkey) as load:
            time.sleep(0.4)
            a.ctl("credential", "disable", "attack")
            off = time.monotonic()
            time.sleep(0.5)
            n = len(a.up.requests)
            time.sleep(0.2)
            assert len(a.up.requests) == n, "requests reached the provider"
            on = time.monotonic()
            a.ctl("credential", "enable", "attack")
            back = time.monotonic()
            time.sleep(0.5)
        between, after = load.since(off, on), load.since(back)
        tap.note("%s; %s; %s" % (load.since(0, off), between, after))
        assert set(between) == {(403, "credential_disabled")}, between
        assert set(after) == {(200, "")}, after
        assert set(load.since(0, off)) <= {(200, ""), (403, "credential_disabled")}, load.since(0, off)


def bearer(r):
    return (r.header("authorization") or "")[7:]


def rotate(a, key):
    a.ctl("credential", "rotate", "attack", "--no-test", input=key.encode() + b"\n")


def rotating(a, keys):
    rotate(a, keys[0])
    with case("rotated three times under load: nobody notices, the next request has the new key"):
        with Load(a, a.vkey) as load:
            for key in keys[1:]:
                time.sleep(0.4)
                rotate(a, key)
                n, t = len(a.up.requests), time.monotonic()
                time.sleep(0.3)
                assert a.chat(key=a.vkey).status == 200 and bearer(a.up.requests[-1]) == key
                # Those that were at the provider's door when the command returned may come in first.
                late = [bearer(r) for r in a.up.requests[n:] if bearer(r) != key]
                assert len(late) <= len(load.threads), (len(late), t)
        got = load.since(0)
        tap.note(got)
        assert set(got) == {(200, "")}, got
    with case("a stream that is open while the key is rotated ends whole, with the old key"):
        a.behave = lambda r, send: slow(send) if b'"stream"' in r.body else ok_chat(r, send)
        n = len(a.up.requests)
        with Client(a.port) as c:
            c.send(wire(a.vkey, chat_body("m", "x", True)))
            assert c.read_head()[0] == 200
            got = c.chunk()
            rotate(a, keys[0])
            assert a.chat(key=a.vkey).status == 200 and bearer(a.up.requests[-1]) == keys[0]
            while True:
                d = c.chunk()
                if not d:
                    break
                got += d
        assert events(got)[1] and bearer(a.up.requests[n]) == keys[-1]
        a.behave = ok_chat
    with case("a wrong key: 502 provider_auth_failed that shows nothing of the provider's words; the right one again: served"):
        a.behave = lambda r, send: ok_chat(r, send) if bearer(r) == keys[0] else send(plain_answer(
            b'{"error":{"message":"Incorrect API key provided: ' + bearer(r)[:8].encode() + b'***"}}', "401 Unauthorized")) or True
        assert a.chat(key=a.vkey).status == 200
        rotate(a, keys[1])
        r = a.chat(key=a.vkey)
        assert r.status in (401, 502, 503) and r.json()["error"]["code"] == "provider_auth_failed" and b"***" not in r.body, r
        rotate(a, keys[0])
        assert a.chat(key=a.vkey).status == 200
        a.behave = ok_chat


def slow(send):
    send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for i in range(10):
        e = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n' % i
        send(b"%x\r\n%s\r\n" % (len(e), e))
        time.sleep(0.05)
    send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    return True


def forgotten(a, keys):
    if os.geteuid() != 0 or stack.MEMORY_FACTOR > 1:
        tap.skip("memory of other processes: needs root, and no sanitizer")
        return
    with case("control: the scanner finds the test's own copy of the old keys"):
        assert memscan.Scanner(keys[1:]).process(os.getpid())[0]
    with case("after rotation no old key is in the memory of any process, on disk or in the logs"):
        scanner = memscan.Scanner(keys[1:])
        wait_for(lambda: len(a.pids().get("sealer", [])) <= 8, 3.0)
        bad, n = [], 0
        for role, pids in a.pids().items():
            for pid in pids:
                try:
                    hits, read, _ = scanner.process(pid)
                except (OSError, ProcessLookupError):
                    continue
                n += read
                bad += [(role, pid, form, line) for line, form, _ in hits]
        files, size = scanner.tree(a.dir)
        tap.note("%.1f MB of memory, %.1f MB of files" % (n / 1e6, size / 1e6))
        assert not bad and not files and n > 1e6, (bad[:5], files[:5])
    with case("the sealers of old versions are gone"):
        assert wait_for(lambda: len(a.pids().get("sealer", [])) <= 2 * len(a.pids()["worker"]), 5.0), a.pids()


def demo_rotation(s):
    """The same with the demo provider, which checks keys by itself; the secret is never shown."""
    with open(os.path.join(s.dir, "provider.keys")) as f:
        good = [x.split()[1] for x in f if x.startswith("openai ")][0]
    with case("demo: a key the provider does not know gives provider_auth_failed, the right one serves; one connection"):
        with Client(s.port) as c:
            assert c.ask(s.key).status == 200
            s.ctl("credential", "rotate", "openai-demo", "--no-test", input=b"sk-demo-" + b"x" * 48 + b"\n")
            r = c.ask(s.key)
            assert r.json()["error"]["code"] == "provider_auth_failed" and r.status != 401, r
            r = c.ask(s.key, chat_body("m", "x", True))
            assert r.json()["error"]["code"] == "provider_auth_failed", r
            s.ctl("credential", "rotate", "openai-demo", "--no-test", input=good.encode() + b"\n")
            assert c.ask(s.key).status == 200


# --- limits of keys ---------------------------------------------------------------------------------------------


def shape(name, r, status, code, kinds):
    """The answer is an error of this dialect with this status and code."""
    h = dict((k.lower(), v) for k, v in (r.headers.items() if isinstance(r.headers, dict) else r.headers))
    o = r.json()
    assert r.status == status and h["x-sallyport-error-code"] == code and h["content-type"] == "application/json", (name, r, h)
    assert h["x-sallyport-request-id"], h
    if name == "openai":
        assert set(o) == {"error"} and o["error"]["code"] == code and o["error"]["type"] == kinds[0] and o["error"]["message"], o
        assert "param" in o["error"]
    elif name == "anthropic":
        assert o["type"] == "error" and o["error"]["type"] == kinds[1] and o["error"]["code"] == code and o["error"]["message"], o
        assert h["request-id"] == o["request_id"]
    else:
        assert set(o) == {"message"} and o["message"] and h["x-amzn-errortype"] == kinds[2] and h["x-amzn-requestid"], (o, h)
    return h


def dialects(s, key, model="m"):
    yield "openai", lambda: s.chat(key=key, model=model)
    yield "openai", lambda: s.chat(key=key, model=model, stream=True)
    yield "anthropic", lambda: s.post("/v1/messages", dict(ANTHROPIC, model=model), key=key, headers={"anthropic-version": "2023-06-01"})
    yield "bedrock", lambda: s.post("/model/%s/converse" % model, CONVERSE, key=key)
    yield "bedrock", lambda: s.post("/model/%s/converse-stream" % model, CONVERSE, key=key)


def issue(s, name, *more):
    return s.ctl("vkey", "issue", name, *more).stdout.decode().strip()


def restricted(s):
    forbidden = ("permission_error", "permission_error", "AccessDeniedException")
    missing = ("not_found_error", "not_found_error", "ResourceNotFoundException")
    unknown = ("authentication_error", "authentication_error", "UnrecognizedClientException")
    with case("a key limited to models: model_not_allowed in every dialect; its own models are served"):
        key = issue(s, "models", "--model", "gpt-*", "--model", "claude-1")
        for name, ask in dialects(s, key, "other-model"):
            shape(name, ask(), 403, "model_not_allowed", forbidden)
        for model in ("gpt-x", "claude-1"):
            for name, ask in dialects(s, key, model):
                assert ask().status == 200, (name, model)
        for model in ("GPT-x", "xgpt-1", "claude-12", "claude-"):
            assert s.chat(key=key, model=model).status == 403, model
    with case("a key limited to a credential: no_credential where that one cannot serve"):
        key = issue(s, "only-anthropic", "--credential", "anthropic-demo")
        for name, ask in dialects(s, key):
            if name == "anthropic":
                assert ask().status == 200
            else:
                shape(name, ask(), 404, "no_credential", missing)
    with case("a key of a workspace without credentials: no_credential in every dialect"):
        key = issue(s, "elsewhere", "--workspace", "lonely")
        for name, ask in dialects(s, key):
            shape(name, ask(), 404, "no_credential", missing)
    with case("an unknown key and none at all: 401 in every dialect"):
        for name, ask in dialects(s, "sp-" + "A" * 43):
            shape(name, ask(), 401, "invalid_key", unknown)
    with case("a disabled credential: credential_disabled in the dialect"):
        for name, which in (("openai", "openai-demo"), ("anthropic", "anthropic-demo"), ("bedrock", "bedrock-demo")):
            s.ctl("credential", "disable", which)
            for n, ask in dialects(s, s.key):
                if n == name:
                    shape(n, ask(), 403, "credential_disabled", forbidden)
                else:
                    assert ask().status == 200
            s.ctl("credential", "enable", which)
    with case("each of these denials is in the audit trail with its code, and no key was used for it"):
        codes = {field(r, "error_code") for r in s.audit() if field(r, "event") in ("key.denied", "client.denied")}
        assert {"model_not_allowed", "no_credential", "invalid_key", "credential_disabled"} <= codes, codes


LIMITED = ("rate_limit_error", "rate_limit_error", "ThrottlingException")


def ceilings(s):
    with case("a key's ceiling: 429 rate_limited with Retry-After in every dialect, the time is true"):
        key = issue(s, "five", "--rate", "5/min")
        got = [s.chat(key=key).status for _ in range(5)]
        assert got == [200] * 5, got
        for name, ask in dialects(s, key):
            h = shape(name, ask(), 429, "rate_limited", LIMITED)
            # One more each 12 seconds.
            assert 1 <= int(h["retry-after"]) <= 12 and 0 < int(h["retry-after-ms"]) <= 12000, h
            assert h.get("x-should-retry") != "false", h
    with case("after Retry-After the next one is served, and one only"):
        key = issue(s, "sixty", "--rate", "60/min")
        r = None
        with Client(s.port) as c:
            for n in range(70):
                r = c.ask(key)
                if r.status != 200:
                    break
        assert r.status == 429 and 59 <= n <= 64, (n, r)
        time.sleep(int(r.headers["retry-after-ms"]) / 1000 + 0.02)
        assert s.chat(key=key).status == 200
        assert s.chat(key=key).status == 429
    with case("forty at once at a ceiling of 10: exactly ten are served, no more of them reach the provider"):
        key = issue(s, "ten", "--rate", "10/min")
        out = []

        def one():
            with Client(s.port) as c:
                out.append(c.ask(key, chat_body("slow-50")).status)
        threads = [threading.Thread(target=one) for _ in range(40)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(15)
        assert sorted(out) == [200] * 10 + [429] * 30, sorted(out)
    with case("refused and malformed requests cost nothing of the ceiling"):
        key = issue(s, "three", "--rate", "3/min", "--model", "gpt-*")
        for _ in range(10):
            assert s.chat(key=key, model="other").status == 403
            assert s.post(CHAT_PATH, b"{", key=key).status == 400
        assert [s.chat(key=key, model="gpt-1").status for _ in range(4)] == [200, 200, 200, 429]


def credential_ceiling(a):
    with case("a credential's ceiling holds over all keys together; another credential is not touched"):
        a.put("rated", "sk-rated-" + "r" * 30, rate_per_minute=6)
        keys = [a.issue("rated-%d" % i, ["rated"]) for i in range(3)]
        got = [a.chat(key=keys[i % 3]).status for i in range(6)]
        assert got == [200] * 6, got
        for k in keys:
            r = a.chat(key=k)
            h = dict((x.lower(), v) for x, v in r.headers)
            assert r.status == 429 and r.json()["error"]["code"] == "rate_limited" and 1 <= int(h["retry-after"]) <= 10, (r, h)
            assert "rated" in r.json()["error"]["message"]
        assert a.chat(key=a.vkey).status == 200
    with case("a key with a second credential goes on with that one instead"):
        a.put("spare", "sk-spare-" + "s" * 30)
        key = a.issue("both", ["rated", "spare"])
        r = a.chat(key=key)
        assert r.status == 200 and bearer(a.up.requests[-1]).startswith("sk-spare"), (r, bearer(a.up.requests[-1]))
    with case("raising the ceiling takes effect at once"):
        versions = [m for n, _, m in a.admin("CREDENTIAL_LIST") if n == "CREDENTIAL_ITEM" and m["name"] == "rated"]
        a.put("rated", "sk-rated-" + "r" * 30, expect_version=versions[0]["version"], rate_per_minute=0)
        assert [a.chat(key=keys[0]).status for _ in range(8)] == [200] * 8


def main():
    keys = [memscan.canary("sk-rotated-") for _ in range(4)]
    with contextlib.ExitStack() as ends:
        a = start("--workers", "2", kind=Arena)
        ends.push(a.__exit__)
        for part in (lambda: revoking(a), lambda: switching(a), lambda: rotating(a, keys), lambda: forgotten(a, keys),
                     lambda: demo_rotation(a), lambda: restricted(a), lambda: ceilings(a), lambda: credential_ceiling(a)):
            try:
                part()
            except Exception as e:  # noqa: BLE001: the next part still runs
                tap.ok(False, "a part ran to its end", repr(e) + a.logs(1000))
        with case("no process died; the service serves"):
            with open(os.path.join(a.dir, "log", "gateway.log")) as f:
                assert "starting it again" not in f.read()
            assert a.serves()
    tap.done()


main()
