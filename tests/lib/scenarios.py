# SPDX-License-Identifier: Apache-2.0
"""What a chat SDK must get from a simulator, straight or through the gateway: tools round trip with two parallel calls,
images, JSON schema, streams with usage. Each takes a client of an official SDK and asserts.
"""

import base64
import json

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def openai_chat(c, model):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]
    ask = [{"role": "user", "content": "call twice please"}]
    r = c.chat.completions.create(model=model, messages=ask, tools=tools)
    m = r.choices[0].message
    assert r.choices[0].finish_reason == "tool_calls" and len(m.tool_calls) == 2, r
    assert json.loads(m.tool_calls[0].function.arguments) == {"city": "Žilina"}, m
    turns = ask + [m.model_dump(exclude_none=True)] + [
        {"role": "tool", "tool_call_id": t.id, "content": "sunny"} for t in m.tool_calls]
    r = c.chat.completions.create(model=model, messages=turns, tools=tools)
    assert "sunny | sunny" in r.choices[0].message.content, r
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(PNG).decode()}}
    r = c.chat.completions.create(model=model, messages=[{"role": "user", "content": [{"type": "text", "text": "look"}, image]}])
    assert "Saw image/png of %d bytes" % len(PNG) in r.choices[0].message.content, r
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": CITY, "strict": True}}
    r = c.chat.completions.create(model=model, messages=ask, response_format=form)
    assert json.loads(r.choices[0].message.content) == {"city": "Žilina"}, r
    text, usage = "", None
    for chunk in c.chat.completions.create(model=model, messages=[{"role": "user", "content": "žluť"}], stream=True,
                                           stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        text += "".join(x.delta.content or "" for x in chunk.choices)
    assert text == "You said: žluť" and usage.prompt_tokens_details.cached_tokens == 5, (text, usage)


def anthropic_chat(c, model, **more):
    tools = [{"name": "weather", "input_schema": CITY}]
    ask = [{"role": "user", "content": "call twice please"}]
    r = c.messages.create(model=model, max_tokens=3000, messages=ask, tools=tools,
                          thinking={"type": "enabled", "budget_tokens": 1024}, **more)
    assert r.stop_reason == "tool_use" and [b.type for b in r.content] == ["thinking", "tool_use", "tool_use"], r
    turns = ask + [{"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in r.content]}]
    results = [{"type": "tool_result", "tool_use_id": b.id, "content": "sunny"} for b in r.content if b.type == "tool_use"]
    r = c.messages.create(model=model, max_tokens=100, messages=turns + [{"role": "user", "content": results}], tools=tools, **more)
    assert "sunny | sunny" in r.content[0].text, r
    import anthropic
    try:
        c.messages.create(model=model, max_tokens=100, messages=turns + [{"role": "user", "content": results[:1]}], tools=tools, **more)
        raise AssertionError("a missing tool result was taken")
    except anthropic.BadRequestError:
        pass
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}}
    with c.messages.stream(model=model, max_tokens=100, messages=[{"role": "user", "content": [
            {"type": "text", "text": "look"}, image]}], **more) as s:
        final = s.get_final_message()
    assert "Saw image/png" in final.content[0].text and final.usage.cache_read_input_tokens == 5, final


def converse(c, model=SONNET):
    tools = {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": CITY}}}]}
    ask = [{"role": "user", "content": [{"text": "call twice please"}]}]
    r = c.converse(modelId=model, messages=ask, toolConfig=tools)
    m = r["output"]["message"]
    assert r["stopReason"] == "tool_use" and len(m["content"]) == 2, r
    results = [{"toolResult": {"toolUseId": b["toolUse"]["toolUseId"], "content": [{"text": "sunny"}]}} for b in m["content"]]
    r = c.converse(modelId=model, messages=ask + [m, {"role": "user", "content": results}], toolConfig=tools)
    assert "sunny | sunny" in r["output"]["message"]["content"][0]["text"], r
    text, args, usage = "", "", None
    for e in c.converse_stream(modelId=model, messages=ask, toolConfig=tools)["stream"]:
        args += e.get("contentBlockDelta", {}).get("delta", {}).get("toolUse", {}).get("input", "")
        usage = e.get("metadata", {}).get("usage", usage)
    assert args == '{"city": "Žilina"}' * 2 and usage["cacheReadInputTokens"] == 5, (args, usage)
    image = {"image": {"format": "png", "source": {"bytes": PNG}}}
    for e in c.converse_stream(modelId=model, messages=[{"role": "user", "content": [{"text": "look"}, image]}])["stream"]:
        text += e.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
    assert "Saw image/png of %d bytes" % len(PNG) in text, text


def gemini_chat(c, model):
    import google.genai
    types = google.genai.types
    tools = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[types.FunctionDeclaration(
        name="weather", parameters_json_schema=CITY)])], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
    ask = types.Content(role="user", parts=[types.Part(text="call weather")])
    r = c.models.generate_content(model=model, contents=[ask], config=tools)
    assert r.function_calls[0].args == {"city": "Žilina"}, r
    back = types.Content(role="user", parts=[types.Part.from_function_response(name="weather", response={"output": "sunny"})])
    r = c.models.generate_content(model=model, contents=[ask, r.candidates[0].content, back], config=tools)
    assert "sunny" in r.text, r
    r = c.models.generate_content(model=model, contents=["look", types.Part.from_bytes(data=PNG, mime_type="image/png")])
    assert "Saw image/png of %d bytes" % len(PNG) in r.text, r
    r = c.models.generate_content(model=model, contents="x", config={
        "response_mime_type": "application/json", "response_json_schema": CITY})
    assert json.loads(r.text) == {"city": "Žilina"}, r
    text, usage = "", None
    for chunk in c.models.generate_content_stream(model=model, contents="žluť"):
        text += chunk.text or ""
        usage = chunk.usage_metadata or usage
    assert text == "You said: žluť" and usage.cached_content_token_count == 5, (text, usage)
    assert c.models.embed_content(model="gemini-embedding-001", contents="a").embeddings[0].values
