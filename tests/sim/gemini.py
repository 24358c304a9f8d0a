# SPDX-License-Identifier: Apache-2.0
"""Gemini by AI Studio and by Vertex AI, and Claude on Vertex (rawPredict). Proto-JSON in lower camel case."""

import base64
import json
import re
import urllib.parse
import uuid

from sim import anthropic_api, brain, google
from sim.aws import only
from sim.server import Answer, Refused

CHAT = {"gemini-2.5-flash-lite", "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-flash-preview", "gemini-3.1-pro-preview"}
EMBED = {"gemini-embedding-001"}
TOP = {"contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent", "labels", "serviceTier",
       "generationConfig", "model"}
CONFIG = {"temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "responseMimeType", "responseSchema",
          "responseJsonSchema", "presencePenalty", "frequencyPenalty", "seed", "responseLogprobs", "logprobs", "responseModalities",
          "mediaResolution", "speechConfig", "thinkingConfig"}
OPENAPI = {"type", "format", "title", "description", "nullable", "enum", "items", "minItems", "maxItems", "properties", "required",
           "propertyOrdering", "minimum", "maximum", "anyOf", "pattern", "minLength", "maxLength", "example", "default",
           "minProperties", "maxProperties"}
SKIP = "skip_thought_signature_validator"
CLAUDE = {"claude-sonnet-4-5@20250929": "claude-sonnet-4-5-20250929", "claude-haiku-4-5@20251001": "claude-haiku-4-5-20251001",
          "claude-opus-4-6": "claude-opus-4-6"}
STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
          500: "INTERNAL", 503: "UNAVAILABLE"}


def error(status, message, details=None):
    e = {"code": status, "message": message, "status": STATUS[status]}
    return Refused(status, {"error": dict(e, details=details) if details else e})


def bad(message):
    return error(400, message)


FREE = {"args", "response", "parametersJsonSchema", "responseJsonSchema", "labels"}


def camel(v, names=True):
    """Proto-JSON takes field names in snake_case too. Free-form objects, and the names of a schema's properties, stay."""
    if isinstance(v, list):
        return [camel(x) for x in v]
    if not isinstance(v, dict):
        return v
    out = {}
    for k, x in v.items():
        name = re.sub(r"_([a-z])", lambda m: m.group(1).upper(), k) if names else k
        if name in out:
            raise bad("field %s is there twice" % name)
        out[name] = x if names and name in FREE else camel(x, not (names and name == "properties"))
    return out


def _base64(text):
    """Proto-JSON takes both alphabets; Google's own SDK writes the URL-safe one."""
    return text.replace("-", "+").replace("_", "/")


def _schema(s, where):
    """Only the OpenAPI subset is known in `parameters` and `responseSchema`."""
    if not isinstance(s, dict):
        raise bad("Invalid value at '%s'" % where)
    for k in s:
        if k not in OPENAPI:
            raise bad("Invalid JSON payload received. Unknown name \"%s\" at '%s': Cannot find field." % (k, where))
    if isinstance(s.get("type"), list):
        raise bad("Invalid value at '%s.type': Proto field is not repeating, cannot start list." % where)
    for k, v in s.get("properties", {}).items():
        _schema(v, "%s.properties[%s]" % (where, k))
    if "items" in s:
        _schema(s["items"], where + ".items")
    for v in s.get("anyOf", []):
        _schema(v, where + ".any_of")
    return s


def _part(world, ask, p, role, model, first_call, calls):
    data = set(p) - {"thought", "thoughtSignature", "videoMetadata"}
    if len(data) != 1 or not data <= {"text", "inlineData", "fileData", "functionCall", "functionResponse"}:
        raise bad("Unable to submit request because it must have one initialized data field in a part: %s" % sorted(p))
    kind = data.pop()
    v = p[kind]
    if kind == "text" and role == "user":
        ask.text = (ask.text + " " + v).strip()
    elif kind == "inlineData" and role == "user":
        ask.media.append((v["mimeType"], brain.decode64(_base64(v["data"]))))
    elif kind == "functionCall" and role == "model":
        if not isinstance(v.get("args", {}), dict):
            raise bad("functionCall.args must be an object")
        given = p.get("thoughtSignature", "")
        if model.startswith("gemini-3") and first_call and given != SKIP and _base64(given) not in (
                world.signature(v["name"]), base64.b64encode(SKIP.encode()).decode()):
            raise bad("Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
                      "correctly, and missing thought_signature may lead to degraded model performance.")
        calls.append(v["name"])
    elif kind == "functionResponse" and role == "user":
        if not isinstance(v.get("response"), dict):
            raise bad("function_response.response must be a Struct")
        r = v["response"]
        ask.results.append(str(r.get("output", r.get("result", r.get("content", json.dumps(r))))))
        return v["name"]
    elif kind != "text" or role != "model":
        raise bad("%s is not valid in role %s" % (kind, role))
    return None


def _contents(world, ask, body, model):
    contents = body.get("contents")
    if not contents:
        raise bad("contents are required")
    pending = []
    for c in contents:
        role = c.get("role", "user")
        if role not in ("user", "model"):
            raise bad("Please use a valid role: user, model.")
        if not c.get("parts"):
            raise bad("Unable to submit request because it must include at least one parts field")
        calls, answered = [], []
        if role == "user":
            ask.text, ask.results, ask.media = "", [], []
        for p in c["parts"]:
            name = _part(world, ask, p, role, model, not calls, calls)
            answered += [name] if name else []
        if sorted(answered) != sorted(pending) and (answered or pending):
            raise bad("Please ensure that the number of function response parts is equal to the number of function call parts of "
                      "the function call turn.")
        pending = calls
    if pending or contents[-1].get("role", "user") != "user":
        raise bad("Please ensure that the last content is of role user")


def read(world, body, model):
    ask = brain.Ask()
    for f in set(body) - TOP:
        raise bad("Invalid JSON payload received. Unknown name \"%s\": Cannot find field." % f)
    _contents(world, ask, body, model)
    ask.system = " ".join(p["text"] for p in (body.get("systemInstruction") or {}).get("parts", []))
    for t in body.get("tools") or []:
        for d in t.get("functionDeclarations", []):
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}", d["name"]):
                raise bad("Invalid function name")
            if "parameters" in d and "parametersJsonSchema" in d:
                raise bad("parameters and parameters_json_schema are exclusive")
            where = "tools[0].function_declarations[0].parameters"
            ask.tools[d["name"]] = d.get("parametersJsonSchema") or (
                _schema(d["parameters"], where) if "parameters" in d else {"type": "object", "properties": {}})
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    mode = calling.get("mode", "AUTO")
    allowed = calling.get("allowedFunctionNames")
    if mode not in ("AUTO", "ANY", "NONE", "VALIDATED") or (allowed and (mode not in ("ANY", "VALIDATED") or not set(allowed) <= set(ask.tools))):
        raise bad("Function calling config is wrong: allowed_function_names needs mode ANY")
    ask.force = allowed[0] if allowed and mode == "ANY" else "any" if mode == "ANY" else None
    ask.no_tools = mode == "NONE"
    _config(ask, body.get("generationConfig") or {}, model)
    return ask


def _config(ask, config, model):
    for f in set(config) - CONFIG:
        raise bad("Invalid JSON payload received. Unknown name \"%s\" at 'generation_config': Cannot find field." % f)
    thinking = config.get("thinkingConfig") or {}
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        raise bad("You can only set only one of thinking budget and thinking level.")
    if "thinkingLevel" in thinking and not model.startswith("gemini-3"):
        raise bad("Thinking level is not supported for this model.")
    if model == "gemini-2.5-pro" and thinking.get("thinkingBudget") == 0:
        raise bad("Budget 0 is invalid. This model only works in thinking mode.")
    ask.think = bool(thinking.get("includeThoughts"))
    if "responseSchema" in config or "responseJsonSchema" in config:
        if config.get("responseMimeType") not in ("application/json", "text/x.enum"):
            raise bad("response_schema is only supported with response_mime_type application/json")
        ask.schema = config.get("responseJsonSchema") or _schema(config["responseSchema"], "generation_config.response_schema")
    elif config.get("responseMimeType") == "application/json":
        ask.schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    if len(config.get("stopSequences", [])) > 5 or not 0 <= config.get("temperature", 1) <= 2:
        raise bad("generation_config is out of range")
    ask.max_tokens = config.get("maxOutputTokens")


STOP = {"end": "STOP", "calls": "STOP", "length": "MAX_TOKENS"}


def _parts(world, r, model):
    out, first = [], True
    for b in r.blocks:
        if b[0] == "text":
            out.append({"text": b[1]})
        elif b[0] == "think":
            out.append({"text": b[1], "thought": True})
        else:
            p = {"functionCall": {"name": b[2], "args": b[3]}}
            if first and model.startswith("gemini-3"):
                p["thoughtSignature"] = world.signature(b[2])
            out.append(p)
            first = False
    return out


def _chunk(parts, model, id_, r=None, vertex=False):
    c = {"content": {"role": "model", "parts": parts}, "index": 0}
    out = {"candidates": [c], "modelVersion": model, "responseId": id_}
    if r is not None:
        c["finishReason"] = STOP[r.stop]
        usage = {"promptTokenCount": r.input + r.cached, "cachedContentTokenCount": r.cached,
                 "candidatesTokenCount": r.output - r.thinking, "totalTokenCount": r.input + r.cached + r.output}
        if r.thinking:
            usage["thoughtsTokenCount"] = r.thinking
        if vertex:
            usage["trafficType"] = "ON_DEMAND"
        out["usageMetadata"] = usage
    return out


def _generate(world, request, body, model, stream, vertex):
    r = brain.answer(read(world, body, model), lambda n: "")
    parts, id_ = _parts(world, r, model), uuid.uuid4().hex
    if not stream:
        return Answer(200, json.dumps(_chunk(parts, model, id_, r, vertex), ensure_ascii=False).encode(),
                      "application/json; charset=UTF-8")
    small = []
    for p in parts:
        small += [dict(p, text=t) for t in brain.pieces(p["text"])] if "text" in p else [p]
    all_ = [_chunk([p], model, id_, r if i == len(small) - 1 else None, vertex) for i, p in enumerate(small)]
    if request.params.get("alt") == "sse":
        return Answer(200, content_type="text/event-stream",
                      pieces=(b"data: " + json.dumps(c, ensure_ascii=False).encode() + b"\r\n\r\n" for c in all_))
    # Without alt=sse: one JSON array in pieces.
    return Answer(200, content_type="application/json; charset=UTF-8",
                  pieces=[(b"[" if i == 0 else b",\r\n") + json.dumps(c).encode() for i, c in enumerate(all_)] + [b"]"])


def _embed(body, method):
    def one(q):
        text = " ".join(p["text"] for p in q["content"]["parts"])
        return {"values": brain.vector(text, q.get("outputDimensionality", 8))}
    if method == "embedContent":
        out = {"embedding": one(body)}
    elif method == "batchEmbedContents":
        out = {"embeddings": [one(q) for q in body["requests"]]}
    else:
        size = (body.get("parameters") or {}).get("outputDimensionality", 8)
        out = {"predictions": [{"embeddings": {"values": brain.vector(i["content"], size),
                                               "statistics": {"truncated": False, "token_count": 4}}} for i in body["instances"]]}
    return Answer(200, json.dumps(out).encode(), "application/json; charset=UTF-8")


def _call(world, request, model, method, vertex):
    try:
        body = camel(json.loads(request.body))
    except ValueError:
        raise bad("Invalid JSON payload received.") from None
    if model not in CHAT | EMBED:
        raise error(404, "models/%s is not found for API version v1beta, or is not supported." % model)
    embeds = {"predict", "embedContent"} if vertex else {"embedContent", "batchEmbedContents"}
    try:
        if method in embeds and model in EMBED:
            return _embed(body, method)
        if method in ("generateContent", "streamGenerateContent") and model in CHAT:
            return _generate(world, request, body, model, method[0] == "s", vertex)
        if method == "countTokens":
            return Answer(200, b'{"totalTokens": 11}')
    except (KeyError, TypeError) as e:
        raise bad("Invalid value: %s" % e) from None
    raise error(404, "Method %s is not supported for this model" % method)


def studio(world, request):
    only(request, "x-goog-api-key")
    if request.header("x-goog-api-key") != world.gemini_key or "key" in request.params:
        raise error(400, "API key not valid. Please pass a valid API key.", [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}])
    if request.method == "GET" and request.path == "/v1beta/models":
        return Answer(200, json.dumps({"models": [{"name": "models/" + m, "displayName": m, "inputTokenLimit": 1048576,
                                                   "supportedGenerationMethods": ["generateContent"]} for m in sorted(CHAT)]}).encode())
    m = re.fullmatch(r"/v1(?:beta)?/models/([\w.-]+):(\w+)", request.path)
    if request.method != "POST" or not m:
        return Answer(404, b"<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title>", "text/html")
    return _call(world, request, m.group(1), m.group(2), False)


def vertex(world, request):
    only(request, "authorization")
    if not google.bearer(world, request):
        raise error(401, "Request had invalid authentication credentials. Expected OAuth 2 access token.", [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_EXPIRED"}])
    m = re.fullmatch(r"/v1(?:beta1)?/projects/([^/]+)/locations/([^/]+)/publishers/(google|anthropic)/models/([\w.@-]+):(\w+)",
                     urllib.parse.unquote(request.path))
    if request.method != "POST" or not m:
        return Answer(404, b"<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title>", "text/html")
    project, location, publisher, model, method = m.groups()
    host = "aiplatform.googleapis.com" if location == "global" else location + "-aiplatform.googleapis.com"
    if project != world.google_project or host != request.host:
        raise error(403, "Permission 'aiplatform.endpoints.predict' denied on resource (or it may not exist).")
    if publisher == "google":
        return _call(world, request, model, method, True)
    if model == "count-tokens" and method == "rawPredict":
        body = anthropic_api.parse(request)
        if body.get("model") not in CLAUDE:
            raise error(404, "Publisher Model `%s` was not found." % body.get("model"))
        return Answer(200, b'{"input_tokens": 8}')
    if model not in CLAUDE or method not in ("rawPredict", "streamRawPredict"):
        raise error(404, "Publisher Model `%s` was not found." % request.path.rsplit(":", 1)[0])
    body = anthropic_api.parse(request)
    if body.pop("anthropic_version", None) not in ("vertex-2023-10-16", "2026-10-21") or "model" in body:
        raise anthropic_api.bad("anthropic_version: 'vertex-2023-10-16' is required, and model is not permitted")
    if "anthropic-version" in request.names():
        raise anthropic_api.bad("anthropic-version is not a header here")
    if bool(body.get("stream")) != (method == "streamRawPredict"):
        raise anthropic_api.bad("stream does not fit the method")
    ask = anthropic_api.read(world, body, model=CLAUDE[model])
    return anthropic_api.answer(world, ask, CLAUDE[model], body.get("stream"))
