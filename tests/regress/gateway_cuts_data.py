# SPDX-License-Identifier: Apache-2.0
"""The streams that gateway_cuts.py cuts: small, with everything that can go wrong at a border of two reads in them."""

import base64
import json
import struct
import zlib

SSE = "text/event-stream"
EVENT_STREAM = "application/vnd.amazon.eventstream"


class Fixture:
    """`pieces` are the provider's own writes; `native` tells that the client gets the same bytes, and
    `tail` behind them (the gateway ends an event that the provider left open); `end` is how the answer ends, `says` a word of the error in it."""

    def __init__(self, name, provider, path, body, content_type, pieces, native=True, end="whole", tail=b"", says=None):
        self.name, self.provider, self.path, self.body, self.content_type = name, provider, path, body, content_type
        self.pieces, self.native, self.end, self.tail, self.says = pieces, native, end, tail, says

    def request(self, mark):
        return json.dumps(self.body).replace("MARK", mark).encode()

    def check(self, got):
        assert got[3] == self.end, got
        assert dict(got[1])["content-type"].startswith(self.content_type if self.native else SSE), got[1]
        if self.native:
            assert got[2] == b"".join(self.pieces) + self.tail, got[2]
        elif self.says or self.end == "cut":
            assert (self.says or b"stream_truncated") in got[2] and b'"error"' in got[2], got[2]
            assert b"[DONE]" not in got[2] and b"message_stop" not in got[2], got[2]
        else:
            assert got[2].endswith(DONE if b"chat.completion" in got[2] else b'{"type":"message_stop"}\n\n'), got[2]


def dumps(o):
    return json.dumps(o, ensure_ascii=False, separators=(",", ":")).encode()


def data(o, end=b"\n"):
    return b"data: " + dumps(o) + end + end


def named(o, end=b"\n"):
    return b"event: " + o["type"].encode() + end + data(o, end)


# --- OpenAI -----------------------------------------------------------------------------------------------------


def chat(delta, finish=None, **more):
    return dict({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}, **more)


USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "prompt_tokens_details": {"cached_tokens": 3}}
DONE = b"data: [DONE]\n\n"
CHAT = [
    data(chat({"role": "assistant", "content": ""})), b": keep-alive\n\n", data(chat({"content": "Gr\u00f6\u00dfe \U0001f512"})),
    data(chat({"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{\"a\":"}}]})),
    data(chat({}, "tool_calls")), data({"id": "c1", "choices": [], "usage": USAGE}), DONE,
]
# CR LF, a mark at the start, a value in two lines, fields nobody knows, no blank line at the end.
ODD = [
    b"\xef\xbb\xbfid: 7\r\nretry: 9\r\n" + data(chat({"content": "a"}), b"\r\n"),
    b'data: {"id":"c1",\r\ndata: "choices":[]}\r\n\r\n', b"foo\r\ndata:" + dumps(chat({"content": "\u2028"}, "stop")) + b"\r\n\r\n",
    b"data: [DONE]\r\n",
]
RESPONSES = [
    named({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "status": "in_progress"}}),
    named({"type": "response.output_text.delta", "sequence_number": 1, "delta": "\u4e2d\u6587"}),
    named({"type": "response.completed", "sequence_number": 2, "response": {
        "id": "resp_1", "status": "completed", "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}}}),
]

# --- Anthropic --------------------------------------------------------------------------------------------------

START = {"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [], "usage": {
    "input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 1}}}
MESSAGES = [
    START, {"type": "ping"}, {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"\u00e9\":1}"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 8}}, {"type": "message_stop"},
]
OVERLOADED = [START, {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
              {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}]

# --- Bedrock ----------------------------------------------------------------------------------------------------


def message(kind, payload, what="event"):
    """One message of the event stream."""
    names = {":%s-type" % what: kind, ":content-type": "application/json", ":message-type": what}
    fields = b"".join(struct.pack(">B", len(k)) + k.encode() + b"\x07" + struct.pack(">H", len(v)) + v.encode() for k, v in names.items())
    body = dumps(payload)
    prelude = struct.pack(">II", 16 + len(fields) + len(body), len(fields))
    front = prelude + struct.pack(">I", zlib.crc32(prelude)) + fields + body
    return front + struct.pack(">I", zlib.crc32(front))


def invoked(o):
    return message("chunk", {"bytes": base64.b64encode(dumps(o)).decode(), "p": "abc"})


CONVERSE = [
    message("messageStart", {"role": "assistant"}), message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "\u00fc\U0001f512"}}),
    message("messageStop", {"stopReason": "end_turn"}),
    message("metadata", {"usage": {"inputTokens": 6, "outputTokens": 3, "totalTokens": 9}, "metrics": {"latencyMs": 5}}),
]
INVOKE = [invoked(o) for o in (START, MESSAGES[3], MESSAGES[5], MESSAGES[6])]
THROTTLED = CONVERSE[:2] + [message("throttlingException", {"message": "Too many tokens"}, "exception")]

# --- Gemini ------------------------------------------------------------------------------------------------------


def candidate(parts, finish=None, **more):
    c = {"content": {"role": "model", "parts": parts}}
    if finish:
        c["finishReason"] = finish
    return data(dict({"candidates": [c]}, **more), b"\r\n")


GEMINI = [
    candidate([{"text": "hm", "thought": True}], responseId="r1"), candidate([{"text": "\u00e9\U0001f600"}]),
    candidate([{"functionCall": {"name": "f", "args": {"a": 1.50}}, "thoughtSignature": "sg"}], "STOP", usageMetadata={
        "promptTokenCount": 8, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "totalTokenCount": 13}),
]

SAY = [{"role": "user", "content": "MARK"}]
SAY_PARTS = [{"role": "user", "content": [{"text": "MARK"}]}]
CHAT_PATH, MESSAGES_PATH = "/v1/chat/completions", "/v1/messages"


def openai(name, pieces, path=CHAT_PATH, **more):
    body = {"model": name, "stream": True, "messages" if path == CHAT_PATH else "input": SAY}
    return Fixture(name, "openai", path, body, SSE, pieces, **more)


def anthropic(name, events, **more):
    body = {"model": name, "stream": True, "max_tokens": 9, "messages": SAY}
    return Fixture(name, "anthropic", MESSAGES_PATH, body, SSE, [named(e) for e in events], **more)


def bedrock(name, path, pieces, **more):
    body = {"messages": SAY_PARTS} if path.startswith("converse") else {"max_tokens": 9, "messages": SAY}
    return Fixture(name, "bedrock", "/model/%s/%s" % (name, path), body, EVENT_STREAM, pieces, **more)


def gemini(name, pieces, **more):
    return Fixture(name, "gemini", "/v1beta/models/%s:streamGenerateContent?alt=sse" % name,
                   {"contents": [{"role": "user", "parts": [{"text": "MARK"}]}]}, SSE, pieces, **more)


MODELS = {"anthropic": "claude-sonnet-4-5", "bedrock": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash"}


def translated(name, provider, content_type, pieces, path=CHAT_PATH, **more):
    """An OpenAI or Anthropic client whose model is another provider's: the client sees SSE of its own kind."""
    body = {"model": "%s/%s" % (provider, MODELS[provider]), "stream": True, "messages": SAY, "max_tokens": 9}
    if path == CHAT_PATH:
        body["stream_options"] = {"include_usage": True}
        body["tools"] = [{"type": "function", "function": {"name": "f"}}]
    return Fixture(name, provider, path, body, content_type, pieces, native=False, **more)


FIXTURES = [
    openai("chat", CHAT), openai("chat-odd", ODD, tail=b"\n\n"), openai("responses", RESPONSES, "/v1/responses"),
    openai("chat-unfinished", CHAT[:3], native=False, end="cut"),
    anthropic("messages", MESSAGES), anthropic("messages-error", OVERLOADED),
    bedrock("converse", "converse-stream", CONVERSE), bedrock("converse-throttled", "converse-stream", THROTTLED),
    bedrock("invoke", "invoke-with-response-stream", INVOKE), gemini("generate", GEMINI),
    translated("chat-messages", "anthropic", SSE, [named(e) for e in MESSAGES]),
    translated("chat-messages-error", "anthropic", SSE, [named(e) for e in OVERLOADED], says=b"Overloaded"),
    translated("chat-messages-cut", "anthropic", SSE, [named(e) for e in MESSAGES[:4]], end="cut"),
    translated("chat-converse", "bedrock", EVENT_STREAM, CONVERSE),
    translated("chat-converse-throttled", "bedrock", EVENT_STREAM, THROTTLED, says=b"Too many tokens"),
    translated("chat-generate", "gemini", SSE, GEMINI), translated("chat-generate-cut", "gemini", SSE, GEMINI[:2], end="cut"),
    translated("messages-invoke", "bedrock", EVENT_STREAM, INVOKE, MESSAGES_PATH),
    translated("messages-throttled", "bedrock", EVENT_STREAM, INVOKE[:2] + THROTTLED[2:], MESSAGES_PATH, says=b"Too many tokens"),
]
