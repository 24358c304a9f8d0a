# SPDX-License-Identifier: Apache-2.0
"""OpenAI and Azure OpenAI: chat completions, responses, embeddings, models; Azure by dated paths and by /openai/v1."""

import base64
import json
import re
import struct
import time
import uuid

from sim import brain
from sim.aws import only
from sim.server import Answer, Refused

MODELS = {"gpt-4o-mini": False, "gpt-5.4": True, "o3": True, "text-embedding-3-small": False}
FIELDS = {"model", "messages", "max_completion_tokens", "max_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty",
          "logit_bias", "logprobs", "top_logprobs", "seed", "n", "stop", "reasoning_effort", "verbosity", "response_format", "tools",
          "tool_choice", "parallel_tool_calls", "stream", "stream_options", "modalities", "audio", "prediction", "service_tier",
          "store", "metadata", "user", "safety_identifier", "prompt_cache_key", "functions", "function_call", "web_search_options"}


def error(status, message, code=None, param=None, kind="invalid_request_error", headers=()):
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Refused(status, body, headers)


def parse(request):
    if not (request.header("content-type") or "").startswith("application/json"):
        raise error(415, "Unsupported Media Type")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise error(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise error(400, "The body must be an object")
    return body


def _media(part):
    url = part["image_url"]["url"] if part["type"] == "image_url" else part["file"]["file_data"]
    m = re.fullmatch(r"data:([\w/+.-]+);base64,([A-Za-z0-9+/=]+)", url)
    if not m:
        raise error(400, "Invalid image or file data", param="messages")
    return m.group(1), brain.decode64(m.group(2))


def _text(content, ask=None):
    if content is None or isinstance(content, str):
        return content or ""
    out = []
    for part in content:
        if part["type"] == "text":
            out.append(part["text"])
        elif ask is not None and part["type"] in ("image_url", "file"):
            ask.media.append(_media(part))
        else:
            raise error(400, "Invalid content part %r" % part["type"], "invalid_value", "messages")
    return " ".join(out)


def read_chat(body):
    ask = brain.Ask()
    unknown = set(body) - FIELDS
    if unknown:
        raise error(400, "Unrecognized request argument supplied: %s" % sorted(unknown)[0])
    if body.get("stream_options") is not None and not body.get("stream"):
        raise error(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise error(400, "Missing required parameter: 'messages'.", "missing_required_parameter", "messages")
    open_calls = set()
    for m in messages:
        role = m.get("role")
        if role != "tool" and open_calls:
            raise error(400, "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                        "'tool_call_id'.", param="messages")
        if role in ("system", "developer"):
            ask.system += _text(m["content"])
        elif role == "user":
            ask.media = []
            ask.text, ask.results = _text(m["content"], ask), []
        elif role == "assistant":
            ask.results = []
            for c in m.get("tool_calls") or []:
                json.loads(c["function"]["arguments"])
                open_calls.add(c["id"])
        elif role == "tool":
            if m.get("tool_call_id") not in open_calls:
                raise error(400, "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
                            param="messages")
            open_calls.discard(m["tool_call_id"])
            ask.results.append(_text(m["content"]))
        else:
            raise error(400, "Invalid value: %r." % role, "invalid_value", "messages")
    if open_calls:
        raise error(400, "tool_call_ids did not have response messages: %s" % sorted(open_calls), param="messages")
    for t in body.get("tools") or []:
        f = t["function"]
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", f.get("name", "")):
            raise error(400, "Invalid 'tools[0].function.name'", "invalid_value", "tools")
        ask.tools[f["name"]] = f.get("parameters") or {"type": "object", "properties": {}}
    choice = body.get("tool_choice")
    if choice is not None and not ask.tools:
        raise error(400, "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
    if isinstance(choice, dict):
        ask.force = choice["function"]["name"]
        if ask.force not in ask.tools:
            raise error(400, "Tool choice %r not found in 'tools'" % ask.force, param="tool_choice")
    ask.force = ask.force or ("any" if choice == "required" else None)
    ask.no_tools = choice == "none"
    ask.parallel = body.get("parallel_tool_calls", True)
    form = body.get("response_format") or {"type": "text"}
    if form["type"] == "json_schema":
        ask.schema = form["json_schema"]["schema"]
    elif form["type"] == "json_object":
        if "json" not in (ask.text + ask.system).lower():
            raise error(400, "'messages' must contain the word 'json' in some form", param="messages")
        ask.schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    return ask


def _usage(r):
    return {"prompt_tokens": r.input + r.cached, "completion_tokens": r.output, "total_tokens": r.input + r.cached + r.output,
            "prompt_tokens_details": {"cached_tokens": r.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": r.thinking, "audio_tokens": 0}}


STOP = {"end": "stop", "calls": "tool_calls", "length": "length"}


def _tool_calls(r, index=False):
    out = []
    for i, (id_, name, args) in enumerate(r.calls()):
        c = {"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps(args, ensure_ascii=False)}}
        out.append(dict(c, index=i) if index else c)
    return out


def sse(obj, event=None):
    head = "event: %s\n" % event if event else ""
    return (head + "data: " + json.dumps(obj, ensure_ascii=False) + "\n\n").encode()


def _chunks(r, model, usage, azure):
    base = {"id": "chatcmpl-" + uuid.uuid4().hex, "object": "chat.completion.chunk", "created": int(time.time()), "model": model,
            "system_fingerprint": "fp_sim"}

    def chunk(delta, finish=None):
        return sse(dict(base, choices=[{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}],
                        **({"usage": None} if usage else {})))
    if azure:
        yield sse({"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [
            {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}]})
    yield chunk({"role": "assistant", "content": "" if not r.calls() else None, "refusal": None})
    for p in brain.pieces(r.text()) if r.text() else []:
        yield chunk({"content": p})
    for c in _tool_calls(r, index=True):
        args = c["function"].pop("arguments")
        yield chunk({"tool_calls": [dict(c, function=dict(c["function"], arguments=""))]})
        for p in brain.pieces(args, 5):
            yield chunk({"tool_calls": [{"index": c["index"], "function": {"arguments": p}}]})
    yield chunk({}, STOP[r.stop])
    if usage:
        yield sse(dict(base, choices=[], usage=_usage(r)))
    yield b"data: [DONE]\n\n"


def chat(body, model, azure=False):
    ask = read_chat(body)
    if MODELS[model]:
        for field in ("max_tokens", "temperature", "top_p"):
            if body.get(field) is not None and body[field] != 1:
                raise error(400, "Unsupported parameter: '%s' is not supported with this model." % field,
                            "unsupported_parameter", field)
    ask.max_tokens = body.get("max_completion_tokens") or body.get("max_tokens")
    r = brain.answer(ask, lambda n: "call_" + uuid.uuid4().hex[:24])
    if MODELS[model]:
        r.thinking = 3
    if body.get("stream"):
        usage = (body.get("stream_options") or {}).get("include_usage")
        return Answer(200, content_type="text/event-stream; charset=utf-8", pieces=_chunks(r, model, usage, azure))
    message = {"role": "assistant", "content": r.text() or None, "refusal": None, "annotations": []}
    if r.calls():
        message["tool_calls"] = _tool_calls(r)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": STOP[r.stop]}
    out = {"id": "chatcmpl-" + uuid.uuid4().hex, "object": "chat.completion", "created": int(time.time()), "model": model,
           "choices": [choice], "usage": _usage(r), "service_tier": "default", "system_fingerprint": "fp_sim"}
    if azure:
        choice["content_filter_results"] = {"hate": {"filtered": False, "severity": "safe"}}
        out["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": {}}]
    return Answer(200, json.dumps(out, ensure_ascii=False).encode())


def embeddings(body, model):
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not texts or not all(isinstance(t, str) and t for t in texts):
        raise error(400, "'$.input' is invalid.", param="input")
    data = []
    for i, t in enumerate(texts):
        v = brain.vector(t, body.get("dimensions") or 8)
        if body.get("encoding_format") == "base64":
            v = base64.b64encode(struct.pack("<%df" % len(v), *v)).decode()
        data.append({"object": "embedding", "index": i, "embedding": v})
    return Answer(200, json.dumps({"object": "list", "data": data, "model": model,
                                   "usage": {"prompt_tokens": 4, "total_tokens": 4}}).encode())


def responses(body, model):
    given = body.get("input")
    text = given if isinstance(given, str) else " ".join(
        p["text"] for m in given if m.get("type", "message") == "message" for p in (
            [{"text": m["content"]}] if isinstance(m["content"], str) else m["content"]))
    said = "You said: " + text
    item = {"id": "msg_" + uuid.uuid4().hex, "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": said, "annotations": [], "logprobs": []}]}
    whole = {"id": "resp_" + uuid.uuid4().hex, "object": "response", "created_at": int(time.time()), "status": "completed",
             "error": None, "incomplete_details": None, "instructions": None, "model": model, "output": [item],
             "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}, "temperature": 1, "top_p": 1,
             "usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 7,
                       "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 18}}
    if not body.get("stream"):
        return Answer(200, json.dumps(whole, ensure_ascii=False).encode())

    def events():
        n = 0
        begun = dict(whole, status="in_progress", output=[], usage=None)
        at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        todo = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun}),
                ("response.output_item.added", {"output_index": 0, "item": dict(item, status="in_progress", content=[])}),
                ("response.content_part.added", dict(at, part={"type": "output_text", "text": "", "annotations": []}))]
        todo += [("response.output_text.delta", dict(at, delta=p, logprobs=[])) for p in brain.pieces(said)]
        todo += [("response.output_text.done", dict(at, text=said, logprobs=[])),
                 ("response.content_part.done", dict(at, part=item["content"][0])),
                 ("response.output_item.done", {"output_index": 0, "item": item}), ("response.completed", {"response": whole})]
        for kind, more in todo:
            yield sse(dict(more, type=kind, sequence_number=n), kind)
            n += 1
    return Answer(200, content_type="text/event-stream; charset=utf-8", pieces=events())


def models():
    return {"object": "list", "data": [{"id": m, "object": "model", "created": 1, "owned_by": "sim"} for m in MODELS]}


def serve(world, request):
    only(request, "authorization")
    if request.header("authorization") != "Bearer " + world.openai_key:
        raise error(401, "Incorrect API key provided: sk-proj-****. You can find your API key at https://platform.openai.com",
                    "invalid_api_key")
    if request.method == "GET" and request.path == "/v1/models":
        return Answer(200, json.dumps(models()).encode())
    route = {"/v1/chat/completions": chat, "/v1/embeddings": embeddings, "/v1/responses": responses}.get(request.path)
    if request.method != "POST" or route is None or request.query:
        raise error(404, "Invalid URL (%s %s)" % (request.method, request.target))
    body = parse(request)
    model = body.get("model")
    if model not in MODELS:
        raise error(404, "The model `%s` does not exist or you do not have access to it." % model, "model_not_found", "model")
    return route(body, model)


def azure(world, request):
    def missing(code, text):
        return Refused(404, {"error": {"code": code, "message": text}})
    only(request, "api-key")
    if request.host != world.azure_resource + ".openai.azure.com" or request.header("api-key") != world.azure_key:
        raise Refused(401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key or wrong API "
                                      "endpoint. Make sure to provide a valid key for an active subscription."}})
    dated = re.fullmatch(r"/openai/deployments/([\w.-]+)/(chat/completions|embeddings)", request.path)
    v1 = re.fullmatch(r"/openai/v1/(chat/completions|embeddings|responses|models)", request.path)
    if v1 and v1.group(1) == "models" and request.method == "GET":
        return Answer(200, json.dumps(models()).encode())
    if request.method == "GET" and request.path == "/openai/models" and re.fullmatch(
            r"20\d\d-\d\d-\d\d(-preview)?", request.params.get("api-version", "")):
        return Answer(200, json.dumps(models()).encode())
    if request.method != "POST" or not (dated or v1):
        raise missing("404", "Resource not found")
    if dated and not re.fullmatch(r"20\d\d-\d\d-\d\d(-preview)?", request.params.get("api-version", "")):
        raise missing("404", "Resource not found")
    if v1 and request.params.get("api-version", "preview") not in ("preview", "latest"):
        raise Refused(400, {"error": {"code": "BadRequest", "message": "API version not supported"}})
    body = parse(request)
    deployment, what = (dated.group(1), dated.group(2)) if dated else (body.get("model"), v1.group(1))
    model = world.azure_deployments.get(deployment)
    if model is None:
        raise missing("DeploymentNotFound", "The API deployment for this resource does not exist.")
    if what == "chat/completions":
        a = chat(body, model, azure=True)
    else:
        a = (embeddings if what == "embeddings" else responses)(body, model)
    a.headers += [("apim-request-id", str(uuid.uuid4())), ("x-ms-region", "Sim Central"), ("x-ms-deployment-name", deployment)]
    return a
