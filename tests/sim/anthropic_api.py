# SPDX-License-Identifier: Apache-2.0
"""Anthropic Messages: the API itself, and the same body as Bedrock's InvokeModel and Vertex's rawPredict take it."""

import json
import re
import uuid

from sim import brain
from sim.aws import only
from sim.openai_api import sse
from sim.server import Answer, Refused

# model -> thinking that it takes
MODELS = {"claude-sonnet-4-5-20250929": "enabled", "claude-sonnet-4-5": "enabled", "claude-haiku-4-5-20251001": "enabled",
          "claude-haiku-4-5": "enabled", "claude-opus-4-6": "adaptive", "claude-sonnet-4-6": "adaptive", "claude-opus-5": "adaptive"}
BETAS = {"context-1m-2025-08-07", "interleaved-thinking-2025-05-14", "fine-grained-tool-streaming-2025-05-14",
         "structured-outputs-2025-11-13", "token-counting-2024-11-01", "prompt-caching-2024-07-31"}
FIELDS = {"model", "max_tokens", "messages", "system", "stop_sequences", "temperature", "top_p", "top_k", "thinking", "output_config",
          "tools", "tool_choice", "metadata", "service_tier", "stream", "cache_control"}
BLOCKS = {"user": {"text", "image", "document", "tool_result", "search_result"},
          "assistant": {"text", "thinking", "redacted_thinking", "tool_use"}}


def error(status, kind, message, headers=()):
    return Refused(status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_" + uuid.uuid4().hex},
                   headers)


def bad(message):
    return error(400, "invalid_request_error", message)


def _blocks(content, where):
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list) or not content:
        raise bad("%s: content must not be empty" % where)
    for b in content:
        if b.get("type") == "text" and not b.get("text", "").strip():
            raise bad("%s: text content blocks must contain non-whitespace text" % where)
    return content


def _result_text(block):
    content = block.get("content", "")
    return content if isinstance(content, str) else " ".join(b.get("text", "[%s]" % b["type"]) for b in content)


def _user(ask, blocks, pending, where):
    answered, rest = [], False
    ask.text, ask.results, ask.media = "", [], []
    for b in blocks:
        if b["type"] == "tool_result":
            if rest:
                raise bad("%s: tool_result blocks must come first" % where)
            if b["tool_use_id"] not in pending:
                raise bad("%s: unexpected `tool_use_id` found in `tool_result` blocks: %s" % (where, b["tool_use_id"]))
            answered.append(b["tool_use_id"])
            ask.results.append(_result_text(b))
            continue
        rest = True
        if b["type"] == "text":
            ask.text += (" " if ask.text else "") + b["text"]
        else:
            source = b["source"]
            if source["type"] == "base64":
                if b["type"] == "image" and source["media_type"] not in ("image/png", "image/jpeg", "image/gif", "image/webp"):
                    raise bad("%s: media_type" % where)
                ask.media.append((source["media_type"], brain.decode64(source["data"])))
            elif source["type"] == "text":
                ask.media.append(("text/plain", source["data"].encode()))
            else:
                raise bad("%s: Unable to download the file" % where)
    if sorted(answered) != sorted(pending):
        raise bad("%s: `tool_use` ids were found without `tool_result` blocks immediately after: %s" % (
            where, ", ".join(sorted(set(pending) - set(answered)))))


def _assistant(world, blocks, where):
    calls = []
    for b in blocks:
        if b["type"] == "thinking" and b.get("signature") != world.signature(b["thinking"]):
            raise bad("%s: Invalid `signature` in `thinking` block" % where)
        if b["type"] == "tool_use":
            if not isinstance(b["input"], dict) or not re.fullmatch(r"[a-zA-Z0-9_-]+", b["id"]):
                raise bad("%s: tool_use.input: Input should be a valid dictionary" % where)
            calls.append(b["id"])
    return calls


def read(world, body, extra=frozenset(), model=None):
    """The question in a Messages body; refuses what the API refuses."""
    ask = brain.Ask()
    for f in set(body) - FIELDS - set(extra):
        raise bad("%s: Extra inputs are not permitted" % f)
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
        raise bad("max_tokens: Field required")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise bad("messages: at least one message is required")
    system = body.get("system") or ""
    ask.system = system if isinstance(system, str) else " ".join(b["text"] for b in system)
    pending, role = [], None
    for i, m in enumerate(body["messages"]):
        where = "messages.%d" % i
        if m.get("role") not in BLOCKS:
            raise bad("%s.role: Input should be 'user' or 'assistant'" % where)
        blocks = _blocks(m.get("content"), where)
        for b in blocks:
            if b["type"] not in BLOCKS[m["role"]]:
                raise bad("%s: `%s` blocks are not permitted in %s turns" % (where, b["type"], m["role"]))
        if pending and m["role"] != "user":
            raise bad("%s: `tool_use` ids were found without `tool_result` blocks immediately after" % where)
        if i == 0 and m["role"] != "user":
            raise bad("messages: first message must use the \"user\" role")
        if m["role"] == "user":
            _user(ask, blocks, pending, where)
            pending = []
        else:
            pending = _assistant(world, blocks, where)
        role = m["role"]
    if pending:
        raise bad("messages: `tool_use` ids were found without `tool_result` blocks: %s" % pending)
    if role == "assistant" and body["messages"][-1]["content"] and isinstance(body["messages"][-1]["content"], str) and \
            body["messages"][-1]["content"] != body["messages"][-1]["content"].rstrip():
        raise bad("messages: final assistant content cannot end with trailing whitespace")
    _options(ask, body, model)
    return ask


def _options(ask, body, model):
    for t in body.get("tools") or []:
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", t.get("name", "")):
            raise bad("tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'")
        if t.get("input_schema", {}).get("type") != "object":
            raise bad("tools.0.custom.input_schema.type: Field required")
        ask.tools[t["name"]] = t["input_schema"]
    choice = body.get("tool_choice")
    if choice is not None:
        if not ask.tools:
            raise bad("tool_choice: may only be specified while providing tools")
        kind = choice.get("type")
        if kind not in ("auto", "any", "tool", "none") or (kind == "tool" and choice.get("name") not in ask.tools):
            raise bad("tool_choice: Tool not found in provided tools")
        ask.force = choice["name"] if kind == "tool" else "any" if kind == "any" else None
        ask.no_tools = kind == "none"
        ask.parallel = not choice.get("disable_parallel_tool_use")
    thinking = body.get("thinking") or {"type": "disabled"}
    kind = thinking.get("type")
    if kind == "enabled":
        if MODELS.get(model, "enabled") != "enabled":
            raise bad("\"thinking.type.enabled\" is not supported for this model.")
        if not 1024 <= thinking.get("budget_tokens", 0) < body["max_tokens"]:
            raise bad("thinking.enabled.budget_tokens: must be at least 1024 and less than max_tokens")
        if body.get("temperature") not in (None, 1) or ask.force is not None:
            raise bad("Thinking may not be enabled when tool_choice forces tool use, or with a temperature")
    elif kind == "adaptive":
        if MODELS.get(model, "adaptive") != "adaptive":
            raise bad("adaptive thinking is not supported on this model")
    elif kind != "disabled":
        raise bad("thinking: Input tag %r found" % kind)
    ask.think = kind in ("enabled", "adaptive")
    if body.get("temperature") is not None and (not 0 <= body["temperature"] <= 1 or body.get("top_p") is not None):
        raise bad("temperature: range: 0..1, and not together with top_p")
    for s in body.get("stop_sequences") or []:
        if not s.strip():
            raise bad("stop_sequences: each stop sequence must contain non-whitespace")
    form = (body.get("output_config") or {}).get("format")
    if form is not None:
        if form.get("type") != "json_schema" or not _closed(form["schema"]):
            raise bad("output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false")
        ask.schema = form["schema"]
    ask.max_tokens = body["max_tokens"]


def _closed(schema):
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return False
    return all(_closed(x) for v in schema.values() for x in (v.values() if isinstance(v, dict) and "type" not in v else [v]))


STOP = {"end": "end_turn", "calls": "tool_use", "length": "max_tokens"}


def _usage(r):
    return {"input_tokens": r.input, "cache_creation_input_tokens": 2, "cache_read_input_tokens": r.cached,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 0}, "output_tokens": r.output,
            "service_tier": "standard"}


def _content(world, r):
    out = []
    for b in r.blocks:
        if b[0] == "text":
            out.append({"type": "text", "text": b[1]})
        elif b[0] == "think":
            out.append({"type": "thinking", "thinking": b[1], "signature": world.signature(b[1])})
        else:
            out.append({"type": "tool_use", "id": b[1], "name": b[2], "input": b[3]})
    return out


def message(world, r, model, prefix="msg_"):
    return {"id": prefix + uuid.uuid4().hex[:24], "type": "message", "role": "assistant", "model": model,
            "content": _content(world, r), "stop_reason": STOP[r.stop], "stop_sequence": None, "usage": _usage(r)}


def events(world, r, model, prefix="msg_", ping=True):
    """The stream as event objects."""
    whole = message(world, r, model, prefix)
    yield {"type": "message_start", "message": dict(whole, content=[], stop_reason=None, usage=dict(whole["usage"], output_tokens=1))}
    if ping:
        yield {"type": "ping"}
    for i, b in enumerate(whole["content"]):
        kind = b["type"]
        start = {"text": {"type": "text", "text": ""}, "thinking": {"type": "thinking", "thinking": "", "signature": ""},
                 "tool_use": {"type": "tool_use", "id": b.get("id"), "name": b.get("name"), "input": {}}}[kind]
        yield {"type": "content_block_start", "index": i, "content_block": start}
        deltas = []
        if kind == "text":
            deltas = [{"type": "text_delta", "text": p} for p in brain.pieces(b["text"])]
        elif kind == "thinking":
            deltas = [{"type": "thinking_delta", "thinking": p} for p in brain.pieces(b["thinking"])]
            deltas.append({"type": "signature_delta", "signature": b["signature"]})
        elif b["input"]:
            deltas = [{"type": "input_json_delta", "partial_json": p} for p in
                      [""] + brain.pieces(json.dumps(b["input"], ensure_ascii=False), 5)]
        for d in deltas:
            yield {"type": "content_block_delta", "index": i, "delta": d}
        yield {"type": "content_block_stop", "index": i}
    yield {"type": "message_delta", "delta": {"stop_reason": STOP[r.stop], "stop_sequence": None},
           "usage": {"output_tokens": r.output}}
    yield {"type": "message_stop"}


def call_id(_):
    return "toolu_" + uuid.uuid4().hex[:24]


def answer(world, ask, model, stream):
    r = brain.answer(ask, call_id)
    if stream:
        return Answer(200, content_type="text/event-stream; charset=utf-8",
                      pieces=(sse(e, e["type"]) for e in events(world, r, model)))
    return Answer(200, json.dumps(message(world, r, model), ensure_ascii=False).encode())


def parse(request):
    try:
        body = json.loads(request.body)
    except ValueError:
        raise bad("The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise bad("The request body must be an object")
    return body


def _who(world, request):
    only(request, "authorization", "x-api-key")
    given = [v for v in (request.header("x-api-key"), request.header("authorization")) if v is not None]
    if len(given) != 1 or given[0] not in (world.anthropic_key, "Bearer " + world.anthropic_key) or \
            (given[0].startswith("Bearer ") != ("authorization" in request.names())):
        raise error(401, "authentication_error", "invalid x-api-key")
    if request.header("anthropic-version") not in ("2023-06-01", "2026-10-21"):
        raise bad("anthropic-version: header is required")
    for beta in (request.header("anthropic-beta") or "").split(","):
        if beta.strip() and beta.strip() not in BETAS:
            raise bad("Unexpected value(s) `%s` for the `anthropic-beta` header." % beta.strip())


def serve(world, request):
    _who(world, request)
    if request.method == "GET" and request.path == "/v1/models":
        data = [{"type": "model", "id": m, "display_name": m, "created_at": "2025-09-29T00:00:00Z"} for m in MODELS]
        return Answer(200, json.dumps({"data": data, "has_more": False, "first_id": data[0]["id"],
                                       "last_id": data[-1]["id"]}).encode())
    if request.method != "POST" or request.path not in ("/v1/messages", "/v1/messages/count_tokens"):
        raise error(404, "not_found_error", "Not Found")
    body = parse(request)
    if body.get("model") not in MODELS:
        raise error(404, "not_found_error", "model: %s" % body.get("model"))
    if request.header("anthropic-version") == "2026-10-21" and {"temperature", "top_p", "top_k"} & set(body):
        raise bad("temperature: Extra inputs are not permitted")
    if request.path.endswith("count_tokens"):
        read(world, dict(body, max_tokens=16), model=body["model"])
        return Answer(200, b'{"input_tokens": 11}')
    a = answer(world, read(world, body, model=body["model"]), body["model"], body.get("stream"))
    a.headers += [("request-id", "req_" + uuid.uuid4().hex), ("anthropic-organization-id", str(uuid.uuid4()))]
    return a
