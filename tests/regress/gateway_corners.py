#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Corner cases that other gateways got wrong, at the level of HTTP (docs/corner-cases.md; the numbers are its own): a
scripted provider behaves as real ones do on their bad days, and the client must see the truth, once."""

import base64
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_lib import CHAT_PATH, Client, chat_body, wire  # noqa: E402

import tap  # noqa: E402
from arena import Arena  # noqa: E402
from sp_proto import NUM  # noqa: E402
from tap import case  # noqa: E402
from upstream import plain_answer  # noqa: E402

SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
OVERLOADED = b'{"error":{"message":"The server is overloaded","type":"server_error","code":"server_is_overloaded"}}'


def chunk(b):
    return b"%x\r\n%s\r\n" % (len(b), b)


def delta(text, finish=None):
    return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"content": text}, "finish_reason": finish}]}).encode() + b"\n\n"


WHOLE = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
DONE = b"data: [DONE]\n\n"


class Play:
    """What the provider does with each request in turn; the last goes on for ever."""

    def __init__(self, a, *acts):
        self.a, self.acts, self.seen, self.lock = a, list(acts), [], threading.Lock()
        a.behave = self

    def __call__(self, request, send):
        with self.lock:
            self.seen.append(request)
            act = self.acts[min(len(self.seen), len(self.acts)) - 1]
        return act(send)


def say(data, keep=True):
    def act(send):
        send(data)
        return keep
    return act


def say_slowly(*parts, keep=True):
    def act(send):
        for p in parts:
            send(p)
            time.sleep(0.02)
        return keep
    return act


def ask(a, key, stream=False, body=None, extra=b"", path=CHAT_PATH, client=None):
    """(status, headers, data, how it ended). One client is served by one worker, which has lanes of its own."""
    if client is None:
        with Client(a.port, 15) as c:
            return ask(a, key, stream, body, extra, path, c)
    client.send(wire(key, chat_body("m", "hi", stream) if body is None else body, path, extra))
    return client.look()


def attempts(a, pair):
    """Cases 9 and 10: another attempt only before the first byte of content."""
    with case("10: the first provider fails before any content: the second serves, once"):
        p = Play(a, say(plain_answer(OVERLOADED, "503 Service Unavailable")), say(plain_answer(WHOLE)))
        status, _, body, _ = ask(a, pair)
        assert status == 200 and body == WHOLE, (status, body)
        assert len(p.seen) == 2 and p.seen[0].header("authorization") != p.seen[1].header("authorization")
    with case("10: it fails behind the first content: nobody else is asked, the text is there once"):
        p = Play(a, say_slowly(SSE, chunk(delta("one ")), chunk(delta("two")), keep=False), say(SSE + chunk(delta("one two") + DONE) + b"0\r\n\r\n"))
        status, _, body, end = ask(a, pair, True)
        assert status == 200 and body.count(b"one ") == 1 and body.count(b"two") == 1, body
        assert len(p.seen) == 1, len(p.seen)
        assert b"[DONE]" not in body and (end == "cut" or b'"error"' in body), (end, body)
    with case("9: an error event in the stream reaches the client, and nothing closes the stream as if it were well"):
        Play(a, say(SSE + chunk(delta("x")) + chunk(b'data: {"error":{"message":"boom","type":"server_error","code":null,"param":null}}\n\n') + b"0\r\n\r\n"))
        status, _, body, end = ask(a, a.vkey, True)
        assert status == 200 and b"boom" in body and b"[DONE]" not in body, (end, body)
        assert b'"finish_reason": "stop"' not in body and b'"finish_reason":"stop"' not in body, body


def azure_chunks(a):
    with case("22: chunks without choices, and choices without a delta, pass as they are and break nothing"):
        first = b'data: {"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n'
        late = b'data: {"id":"","choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset":1},"content_filter_results":{}}]}\n\n'
        data = first + delta("x") + late + delta("", "stop") + DONE
        Play(a, say(SSE + chunk(data) + b"0\r\n\r\n"))
        status, _, body, end = ask(a, a.vkey, True)
        assert (status, body, end) == (200, data, "whole"), (status, body, end)


def errors(a):
    for what, answer, status in (
            ("an HTML page", b"<html>bad gateway</html>", "502 Bad Gateway"), ("nothing", b"", "500 Internal Server Error"),
            ("a JSON array", b'[{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}]', "503 Service Unavailable"),
            ("broken JSON", b'{"error":', "529 Overloaded")):
        with case("33: a provider that fails with %s: a failure for the client, never a success" % what):
            Play(a, say(plain_answer(answer, status)))
            got, _, body, _ = ask(a, a.vkey)
            assert got // 100 == 5, (got, body)
    with case("34: a stream was asked for and a JSON error came: its status and its words"):
        Play(a, say(plain_answer(b'{"error":{"message":"no such thing","type":"invalid_request_error","code":"bad","param":"x"}}', "400 Bad Request")))
        status, headers, body, _ = ask(a, a.vkey, True)
        assert status == 400 and headers["content-type"].startswith("application/json") and b"no such thing" in body, (status, headers, body)
    with case("34: a stream was asked for and JSON came with 200: an error, before any byte of a stream"):
        Play(a, say(plain_answer(OVERLOADED)))
        status, headers, body, _ = ask(a, a.vkey, True)
        assert status == 502 and "event-stream" not in headers["content-type"], (status, headers, body)


def large_event(a):
    with case("35: an event of 3 MB in one line arrives whole"):
        image = base64.b64encode(os.urandom(2300000)).decode()
        data = delta(image) + DONE
        Play(a, say(SSE + chunk(data[:1000001]) + chunk(data[1000001:]) + b"0\r\n\r\n"))
        status, _, body, end = ask(a, a.vkey, True)
        assert (status, end) == (200, "whole") and body == data, (status, end, len(body))


def request_ids(a):
    with case("36: the provider's request id and our own are both there"):
        Play(a, say(plain_answer(WHOLE, headers=[("x-request-id", "req_provider")])))
        status, headers, _, _ = ask(a, a.vkey)
        assert status == 200 and headers["x-request-id"] == "req_provider", headers
        assert headers["x-sallyport-request-id"] not in ("", "req_provider"), headers


def duplicates(a):
    p = Play(a, say(plain_answer(WHOLE)))
    for body in (b'{"model":"m","model":"other","messages":[]}', b'{"model":"m","messages":[],"mod\\u0065l":"other"}',
                 b'{"model":"m","stream":false,"messages":[],"stream":true}'):
        with case("44: %s is refused, nobody is asked" % body.decode()):
            status, _, answer, _ = ask(a, a.vkey, body=body)
            assert status == 400 and b"twice" in answer and not p.seen, (status, answer, len(p.seen))
    for path in ("/v1/messages", "/v1/responses", "/v1/embeddings"):
        with case("44: nor at %s" % path):
            status, _, answer, _ = ask(a, a.vkey, body=b'{"model":"m","model":"other","max_tokens":5,"input":"x","messages":[]}', path=path)
            assert status == 400 and not p.seen, (status, answer)


HOSTILE = {
    "no JSON": b"hello", "an array": b"[]", "a string": b'"m"', "nothing": b"", "cut": b'{"model":"m","messages":[',
    "two values": b'{"model":"m","messages":[]}{"model":"m"}', "a comma too many": b'{"model":"m","messages":[],}',
    "nested 2,000 deep": b'{"model":"m","messages":' + b"[" * 2000 + b"]" * 2000 + b"}",
    "nested 1,000,000 deep": b'{"model":"m","messages":' + b"[" * 1000000, "objects 2,000 deep": b'{"model":' * 2000 + b"1" + b"}" * 2000,
    "half a surrogate pair": b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    "the other half": b'{"model":"m","messages":[{"role":"user","content":"\\udc00x"}]}',
    "a surrogate as UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
    "UTF-8 too long": b'{"model":"m","messages":[{"role":"user","content":"\xc0\xaf"}]}', "UTF-8 cut": b'{"model":"m","user":"\xf0\x9f"}',
    "not a number": b'{"model":"m","messages":[],"temperature":NaN}', "a number with a leading zero": b'{"model":"m","messages":[],"n":01}',
    "a number of 1,025 digits": b'{"model":"m","messages":[],"seed":' + b"9" * 1025 + b"}",
    "a control character": b'{"model":"m","messages":[],"user":"a\x01"}', "a NUL": b'{"model":"m","messages":[]}\x00',
    "no model": b'{"messages":[]}', "a model that is a number": b'{"model":7,"messages":[]}', "a model of 100,000 letters": b'{"model":"' + b"m" * 100000 + b'"}',
}


def hostile(a, keys):
    p = Play(a, say(plain_answer(WHOLE)))
    for what, body in HOSTILE.items():
        with case("hostile JSON: %s is a 400 in each dialect, and nobody is asked" % what):
            for path, key in ((CHAT_PATH, keys["openai"]), ("/v1/responses", keys["openai"]), ("/v1/embeddings", keys["openai"]),
                              ("/v1/messages", keys["anthropic"]), ("/model/m/converse", keys["bedrock"]), ("/model/m/invoke", keys["bedrock"])):
                if "model" in what and path.startswith("/model/"):
                    continue  # it is in the path
                status, headers, answer, _ = ask(a, key, body=body, path=path)
                assert status == 400 and not p.seen, (path, status, answer)
                assert json.loads(answer), path


def encodings(a):
    with case("49: the client's Accept-Encoding stays here; the provider is asked for plain bytes"):
        p = Play(a, say(plain_answer(WHOLE)))
        status, headers, body, _ = ask(a, a.vkey, extra=b"Accept-Encoding: gzip, br\r\n")
        assert status == 200 and body == WHOLE and p.seen[0].all("accept-encoding") == ["identity"], p.seen[0].headers
    with case("49: a stream that is compressed even so is refused, not read as text"):
        Play(a, say(SSE.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n") + chunk(b"\x1f\x8b\x08\x00") + b"0\r\n\r\n"))
        status, _, body, _ = ask(a, a.vkey, True)
        assert status == 502 and b"\x1f\x8b" not in body, (status, body)
    with case("49: a whole answer that is compressed keeps its Content-Encoding and its bytes"):
        Play(a, say(plain_answer(b"\x1f\x8b\x08\x00abc", headers=[("content-encoding", "gzip")])))
        status, headers, body, _ = ask(a, a.vkey)
        assert status == 200 and headers["content-encoding"] == "gzip" and body == b"\x1f\x8b\x08\x00abc", (status, headers, body)


def kept_connections(a):
    with case("50: the provider closes a kept connection in silence: the next request goes out once more, on a new one"):
        p = Play(a, say(plain_answer(WHOLE), keep=False), say(plain_answer(WHOLE)))
        with Client(a.port) as c:
            for i in range(6):
                p.acts = [say(plain_answer(WHOLE), keep=i % 2 == 1)]
                assert ask(a, a.vkey, client=c)[0] == 200
        assert len(p.seen) == 6, len(p.seen)

    def hang_up(send):
        return False
    with case("50: it closes just as the request is written: repeated once, and the client does not notice"), Client(a.port) as c:
        Play(a, say(plain_answer(WHOLE)))
        assert ask(a, a.vkey, client=c)[0] == 200
        p = Play(a, hang_up, say(plain_answer(WHOLE)))
        status, _, body, _ = ask(a, a.vkey, client=c)
        assert status == 200 and body == WHOLE and len(p.seen) == 2, (status, len(p.seen))
    with case("50: on a new connection nothing is repeated"):
        a.put("fresh", "sk-proj-" + "fr3sh" * 8)
        p = Play(a, hang_up)
        status, _, body, _ = ask(a, a.issue("fresh", ["fresh"]))
        assert status == 502 and len(p.seen) == 1, (status, body, len(p.seen))
    with case("50: after the first byte of an answer nothing is repeated"), Client(a.port) as c:
        Play(a, say(plain_answer(WHOLE)))
        assert ask(a, a.vkey, client=c)[0] == 200
        p = Play(a, say(b"HTTP/1.1 200 OK\r\ncontent-le", keep=False))
        status, _, body, _ = ask(a, a.vkey, client=c)
        assert status == 502 and len(p.seen) == 1, (status, body, len(p.seen))


def main():
    with Arena() as a:
        a.put("first", "sk-proj-" + "f1rst" * 8)
        a.put("second", "sk-proj-" + "s3cond" * 8)
        pair = a.issue("pair", ["first", "second"])
        keys = {}
        for name, kind, auth, secret in (("openai", "OPENAI", "BEARER", "sk-proj-" + "a1B2" * 12),
                                         ("anthropic", "ANTHROPIC", "API_KEY", "sk-ant-api03-" + "a1B2" * 20),
                                         ("bedrock", "BEDROCK", "BEARER", "ABSK" + base64.b64encode(b"BedrockAPIKey-x:" + b"a1B2" * 12).decode())):
            a.put(name, secret, provider=NUM["PROVIDER_" + kind], auth=NUM["AUTH_" + auth], workspace="native",
                  **({"region": "us-east-1"} if kind == "BEDROCK" else {}))
            keys[name] = a.issue(name, [name], workspace="native")
        for part in (lambda: attempts(a, pair), lambda: azure_chunks(a), lambda: errors(a), lambda: large_event(a),
                     lambda: request_ids(a), lambda: duplicates(a), lambda: hostile(a, keys), lambda: encodings(a), lambda: kept_connections(a)):
            part()
    tap.done()


if __name__ == "__main__":
    main()
