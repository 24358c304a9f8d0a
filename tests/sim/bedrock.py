# SPDX-License-Identifier: Apache-2.0
"""Bedrock's runtime: Converse, InvokeModel for Claude and Titan, both streams, count-tokens; signed or with an API key."""

import base64
import binascii
import json
import re
import struct
import time
import urllib.parse
import uuid

from sim import anthropic_api, brain
from sim.aws import Fault, check_sigv4, only
from sim.server import Answer, Refused

CLAUDE = {"anthropic.claude-sonnet-4-5-20250929-v1:0": "claude-sonnet-4-5-20250929",
          "anthropic.claude-haiku-4-5-20251001-v1:0": "claude-haiku-4-5-20251001", "anthropic.claude-opus-4-6-v1": "claude-opus-4-6",
          "anthropic.claude-opus-5": "claude-opus-5"}
NEWEST = {"anthropic.claude-opus-5"}    # these know 2026-10-21, too
OTHER = {"amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"}
COHERE = {"cohere.embed-multilingual-v3"}
EMBED = {"amazon.titan-embed-text-v2:0"} | COHERE
PREFIXES = {"us-east-1": {"us", "global"}, "us-west-2": {"us", "global"}, "eu-central-1": {"eu", "global"},
            "eu-west-1": {"eu", "global"}, "ap-northeast-1": {"jp", "global"}}


def short_key(world, region, seconds=43200):
    """A short-term API key as AWS's own generator lays it out; the simulator remembers it."""
    day = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(world.now()))
    q = {"Action": "CallWithBearerToken", "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
         "X-Amz-Credential": "%s/%s/%s/bedrock/aws4_request" % (world.aws_long.access_key_id, day[:8], region),
         "X-Amz-Date": day, "X-Amz-Expires": str(seconds), "X-Amz-SignedHeaders": "host", "X-Amz-Signature": "ab" * 32, "Version": "1"}
    text = "bedrock.amazonaws.com/?" + urllib.parse.urlencode(q)
    key = "bedrock-api-key-" + base64.b64encode(text.encode()).decode()
    world.bedrock_short = (key, region, world.now() + seconds)
    return key


def fault(e):
    return Refused(e.status, {"message": e.message}, [("x-amzn-errortype", e.kind + ":http://internal.amazon.com/coral/"),
                                                      ("x-amzn-requestid", str(uuid.uuid4()))])


def bad(message):
    return Fault(400, "ValidationException", message)


def _who(world, request, region):
    text = request.header("authorization") or ""
    if not text.startswith("Bearer "):
        only(request, "authorization", "x-amz-security-token")
        check_sigv4(world, request, "bedrock", region)
        return
    only(request, "authorization")
    if "x-amz-date" in request.names():
        raise Fault(403, "IncompleteSignatureException", "a bearer token and a signature")
    key = text[7:]
    if world.bedrock_short and key == world.bedrock_short[0]:
        if world.bedrock_short[1] != region:
            raise Fault(403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.")
        if world.bedrock_short[2] <= world.now():
            raise Fault(403, "ExpiredTokenException", "Bearer Token has expired")
        return
    if key != world.bedrock_long:
        raise Fault(403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.")


def _model(name, region):
    """The model behind an id, a profile id or a profile's ARN."""
    m = re.fullmatch(r"arn:aws:bedrock:([a-z0-9-]+):\d{12}:application-inference-profile/\w+", name)
    if m:
        if m.group(1) != region:
            raise bad("The provided model identifier is invalid.")
        return next(iter(CLAUDE))
    prefix, _, rest = name.partition(".")
    if rest in CLAUDE or rest in OTHER:
        if prefix not in PREFIXES.get(region, {"global"}):
            raise bad("The provided model identifier is invalid.")
        return rest
    if name in CLAUDE:
        raise bad("Invocation of model ID %s with on-demand throughput isn’t supported. Retry your request with the ID or ARN "
                  "of an inference profile that contains this model." % name)
    if name not in OTHER and name not in EMBED:
        raise bad("The provided model identifier is invalid.")
    return name


# --- Converse ----------------------------------------------------------------------------------------------------------

TOP = {"messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", "additionalModelRequestFields",
       "additionalModelResponseFieldPaths", "promptVariables", "requestMetadata", "performanceConfig", "serviceTier", "outputConfig"}


def _text_block(b):
    if not b["text"].strip():
        raise bad("The text field in the ContentBlock object is blank. Add text to the text field, and try again.")
    return b["text"]


def _block(world, ask, b, role, calls, pending):
    """One content block; returns the tool result's id when it is one."""
    keys = set(b)
    if len(keys) != 1:
        raise bad("ContentBlock is a union: exactly one member, not %s" % sorted(keys))
    kind = keys.pop()
    v = b[kind]
    if kind == "text":
        ask.text = (ask.text + " " + _text_block(b)).strip() if role == "user" else ask.text
    elif kind == "image" and role == "user":
        if v["format"] not in ("png", "jpeg", "gif", "webp"):
            raise bad("image.format")
        ask.media.append(("image/" + v["format"], brain.decode64(v["source"]["bytes"])))
    elif kind == "document" and role == "user":
        if not re.fullmatch(r"[A-Za-z0-9()\[\]-]+( [A-Za-z0-9()\[\]-]+)*", v["name"]):
            raise bad("The document file name can only contain alphanumeric characters, whitespace characters, hyphens...")
        ask.media.append(("document/" + v["format"], brain.decode64(v["source"]["bytes"])))
    elif kind == "toolUse" and role == "assistant":
        if not isinstance(v["input"], dict) or not re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", v["toolUseId"]):
            raise bad("The format of the value at toolUse is invalid")
        calls.append(v["toolUseId"])
    elif kind == "toolResult" and role == "user":
        if v["toolUseId"] not in pending or v.get("status", "success") not in ("success", "error"):
            raise bad("The toolResult block holds an id that no toolUse of the previous turn has")
        ask.results.append(" ".join(_text_block(c) if "text" in c else json.dumps(c["json"]) for c in v["content"]))
        return v["toolUseId"]
    elif kind == "reasoningContent" and role == "assistant":
        t = v.get("reasoningText")
        if t is not None and t.get("signature") != world.signature(t["text"]):
            raise bad("Invalid signature in reasoningContent")
    elif kind != "cachePoint":
        raise bad("%s is not allowed in a %s turn" % (kind, role))
    return None


def read(world, body):
    ask = brain.Ask()
    for f in set(body) - TOP:
        raise bad("Malformed input request: #: extraneous key [%s] is not permitted" % f)
    for s in body.get("system") or []:
        if "text" in s:
            ask.system += _text_block(s)
    messages = body.get("messages")
    if not messages:
        raise bad("1 validation error detected: Value at 'messages' must not be empty")
    pending, want, used = [], "user", False
    for m in messages:
        role = m.get("role")
        if role != want:
            raise bad("A conversation must start with a user message and alternate between user and assistant roles.")
        if not m.get("content"):
            raise bad("The content field in the Message object is empty. Add a ContentBlock and try again.")
        calls, answered = [], []
        if role == "user":
            ask.text, ask.results, ask.media = "", [], []
        for b in m["content"]:
            done = _block(world, ask, b, role, calls, pending)
            answered += [done] if done else []
        if sorted(answered) != sorted(pending if role == "user" else []):
            raise bad("Expected toolResult blocks for the following Ids: %s" % ", ".join(pending))
        used = used or bool(calls)
        if any(kind.startswith("document/") for kind, _ in ask.media) and not ask.text:
            raise bad("A text block is required beside a document")
        pending, want = calls, "assistant" if role == "user" else "user"
    if want == "user":
        raise bad("The model returned: the conversation must end with a user message.")
    if used and not body.get("toolConfig"):
        raise bad("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    _config(ask, body)
    return ask


def _config(ask, body):
    config = body.get("toolConfig")
    if config is not None:
        if not config.get("tools"):
            raise bad("Value at 'toolConfig.tools' must have length greater than or equal to 1")
        for t in config["tools"]:
            spec = t.get("toolSpec")
            if spec is None:
                continue
            if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", spec["name"]) or spec.get("description") == "":
                raise bad("Value at 'toolConfig.tools.member.toolSpec' failed to satisfy constraint")
            ask.tools[spec["name"]] = spec["inputSchema"]["json"]
            if ask.tools[spec["name"]].get("type") != "object":
                raise bad("toolSpec.inputSchema.json.type must be one of the following: object.")
        choice = config.get("toolChoice") or {"auto": {}}
        if len(choice) != 1 or not set(choice) <= {"auto", "any", "tool"}:
            raise bad("Unknown parameter in toolConfig.toolChoice: %s" % sorted(choice))
        ask.force = choice["tool"]["name"] if "tool" in choice else "any" if "any" in choice else None
        if ask.force not in (None, "any") and ask.force not in ask.tools:
            raise bad("The tool in toolChoice is not in tools")
    inference = body.get("inferenceConfig") or {}
    for f in set(inference) - {"maxTokens", "temperature", "topP", "stopSequences"}:
        raise bad("extraneous key [%s] is not permitted" % f)
    ask.max_tokens = inference.get("maxTokens")
    if (ask.max_tokens is not None and ask.max_tokens < 1) or not 0 <= inference.get("temperature", 0) <= 1:
        raise bad("inferenceConfig failed to satisfy constraint")
    extra = body.get("additionalModelRequestFields") or {}
    thinking = extra.get("thinking") or {}
    if thinking.get("type") == "enabled" and not 1024 <= thinking.get("budget_tokens", 0) < (ask.max_tokens or 4096):
        raise bad("thinking.enabled.budget_tokens: must be at least 1024 and less than max_tokens")
    ask.think = thinking.get("type") in ("enabled", "adaptive")
    for beta in extra.get("anthropic_beta") or []:
        if beta not in anthropic_api.BETAS:
            raise bad("invalid beta flag")
    form = (body.get("outputConfig") or {}).get("textFormat")
    if form is not None:
        ask.schema = json.loads(form["structure"]["jsonSchema"]["schema"])
    own = (extra.get("output_config") or {}).get("format")     # Claude's own way of saying it
    if own is not None:
        ask.schema = own["schema"]


STOP = {"end": "end_turn", "calls": "tool_use", "length": "max_tokens"}


def _usage(r):
    return {"inputTokens": r.input, "outputTokens": r.output, "totalTokens": r.input + r.output + r.cached,
            "cacheReadInputTokens": r.cached, "cacheWriteInputTokens": 0}


def _converse(world, r):
    content = []
    for b in r.blocks:
        if b[0] == "text":
            content.append({"text": b[1]})
        elif b[0] == "think":
            content.append({"reasoningContent": {"reasoningText": {"text": b[1], "signature": world.signature(b[1])}}})
        else:
            content.append({"toolUse": {"toolUseId": b[1], "name": b[2], "input": b[3]}})
    return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": STOP[r.stop], "usage": _usage(r),
            "metrics": {"latencyMs": 12}}


def frame(kind, payload, message_type="event"):
    """One message of the event stream; the padding that hides lengths included."""
    if message_type == "event":
        payload = dict(payload, p="abcdefghijkl"[:3 + len(kind) % 9])
    body = json.dumps(payload, ensure_ascii=False).encode()
    name = ":event-type" if message_type == "event" else ":exception-type"
    head = b""
    for k, v in ((name, kind), (":content-type", "application/json"), (":message-type", message_type)):
        head += struct.pack(">B", len(k)) + k.encode() + b"\x07" + struct.pack(">H", len(v)) + v.encode()
    prelude = struct.pack(">II", 16 + len(head) + len(body), len(head))
    prelude += struct.pack(">I", binascii.crc32(prelude))
    return prelude + head + body + struct.pack(">I", binascii.crc32(prelude + head + body))


def _converse_stream(world, r):
    yield frame("messageStart", {"role": "assistant"})
    for i, b in enumerate(r.blocks):
        def delta(d):
            return frame("contentBlockDelta", {"contentBlockIndex": i, "delta": d})
        if b[0] == "call":
            yield frame("contentBlockStart", {"contentBlockIndex": i, "start": {"toolUse": {"toolUseId": b[1], "name": b[2]}}})
            for p in brain.pieces(json.dumps(b[3], ensure_ascii=False), 5) if b[3] else []:
                yield delta({"toolUse": {"input": p}})
        elif b[0] == "think":
            for p in brain.pieces(b[1]):
                yield delta({"reasoningContent": {"text": p}})
            yield delta({"reasoningContent": {"signature": world.signature(b[1])}})
        else:
            for p in brain.pieces(b[1]):
                yield delta({"text": p})
        yield frame("contentBlockStop", {"contentBlockIndex": i})
    yield frame("messageStop", {"stopReason": STOP[r.stop]})
    yield frame("metadata", {"usage": _usage(r), "metrics": {"latencyMs": 12}})


# --- InvokeModel -------------------------------------------------------------------------------------------------------

def _invoke(world, request, body, model, stream):
    if model in COHERE:
        if not set(body) <= {"texts", "input_type", "embedding_types", "truncate"} or not body.get("texts") or len(body["texts"]) > 96:
            raise bad("Malformed input request: texts")
        if body.get("input_type") not in ("search_document", "search_query", "classification", "clustering"):
            raise bad("Malformed input request: input_type")
        vectors = [brain.vector(t, 1024) for t in body["texts"]]
        typed = "embedding_types" in body
        return Answer(200, json.dumps({"id": str(uuid.uuid4()), "texts": body["texts"], "response_type":
                                       "embeddings_by_type" if typed else "embeddings_floats",
                                       "embeddings": {"float": vectors} if typed else vectors}).encode(),
                      headers=[("x-amzn-bedrock-input-token-count", "8")])
    if model in EMBED:
        for f in set(body) - {"inputText", "dimensions", "normalize", "embeddingTypes"}:
            raise bad("Malformed input request: #: extraneous key [%s] is not permitted" % f)
        if not body.get("inputText") or body.get("dimensions", 1024) not in (256, 512, 1024):
            raise bad("Malformed input request: inputText, dimensions")
        v = brain.vector(body["inputText"], body.get("dimensions", 1024))
        return Answer(200, json.dumps({"embedding": v, "embeddingsByType": {"float": v}, "inputTextTokenCount": 4}).encode(),
                      headers=[("x-amzn-bedrock-input-token-count", "4")])
    if model not in CLAUDE:
        raise bad("this model is served by Converse here")
    if body.get("anthropic_version") not in ["bedrock-2023-05-31"] + ["2026-10-21"] * (model in NEWEST):
        raise bad("anthropic_version: Invalid API version")
    for beta in body.get("anthropic_beta") or []:
        if beta not in anthropic_api.BETAS:
            raise bad("invalid beta flag")
    if "model" in body or "stream" in body:
        raise bad("model: Extra inputs are not permitted")
    try:
        ask = anthropic_api.read(world, body, {"anthropic_version", "anthropic_beta"}, CLAUDE[model])
    except Refused as e:
        raise bad(e.body["error"]["message"]) from None
    r = brain.answer(ask, lambda n: "toolu_bdrk_" + uuid.uuid4().hex[:24])
    if not stream:
        return Answer(200, json.dumps(anthropic_api.message(world, r, CLAUDE[model], "msg_bdrk_"), ensure_ascii=False).encode())

    def frames():
        for e in anthropic_api.events(world, r, CLAUDE[model], "msg_bdrk_", ping=False):
            if e["type"] == "message_stop":
                e["amazon-bedrock-invocationMetrics"] = {"inputTokenCount": r.input, "outputTokenCount": r.output,
                                                         "invocationLatency": 12, "firstByteLatency": 5}
            yield frame("chunk", {"bytes": base64.b64encode(json.dumps(e, ensure_ascii=False).encode()).decode()})
    return Answer(200, content_type="application/vnd.amazon.eventstream", pieces=frames(),
                  headers=[("x-amzn-bedrock-content-type", "application/json")])


def serve(world, request):
    region = request.host.split(".")[1]
    try:
        _who(world, request, region)
        m = re.fullmatch(r"/model/([^/]+)/(invoke|invoke-with-response-stream|converse|converse-stream|count-tokens)", request.path)
        if request.method != "POST" or not m:
            raise Fault(404, "UnknownOperationException", "Unknown operation")
        model = _model(urllib.parse.unquote(m.group(1)), region)
        try:
            body = json.loads(request.body)
        except ValueError:
            raise Fault(400, "SerializationException", "The body is not JSON") from None
        if m.group(2).startswith("invoke"):
            a = _invoke(world, request, body, model, m.group(2) != "invoke")
        elif m.group(2) == "count-tokens":
            a = Answer(200, b'{"inputTokens": 11}')
        else:
            if model in EMBED:
                raise bad("This action doesn't support the model that you provided.")
            r = brain.answer(read(world, body), lambda n: "tooluse_" + uuid.uuid4().hex[:22])
            if m.group(2) == "converse":
                a = Answer(200, json.dumps(_converse(world, r), ensure_ascii=False).encode())
            else:
                a = Answer(200, content_type="application/vnd.amazon.eventstream", pieces=_converse_stream(world, r))
    except Fault as e:
        raise fault(e) from None
    a.headers.append(("x-amzn-requestid", str(uuid.uuid4())))
    return a
