# SPDX-License-Identifier: Apache-2.0
"""The model behind every simulator: one neutral question, one neutral answer, so that a test can say the same fact in
every dialect. It echoes text, states what it saw of images and documents, calls tools when told, and fills schemas.
"""

import base64
import hashlib


class Ask:
    """text: the last user text; system: all system text; tools: {name: schema}; force: None, "any" or a tool's name;
    results: texts of the tool results that end the conversation; media: (type, bytes); schema: of the wanted JSON."""

    def __init__(self):
        self.text, self.system, self.tools, self.force = "", "", {}, None
        self.results, self.media, self.schema = [], [], None
        self.think, self.no_tools, self.max_tokens, self.parallel = False, False, None, True


class Reply:
    """blocks: ("text", text), ("think", text), ("call", id, name, arguments); stop: end, calls or length."""

    def __init__(self, blocks, stop):
        self.blocks, self.stop = blocks, stop
        self.input, self.output, self.cached, self.thinking = 11, 7, 5, 0

    def text(self):
        return "".join(b[1] for b in self.blocks if b[0] == "text")

    def calls(self):
        return [b[1:] for b in self.blocks if b[0] == "call"]

    def thought(self):
        return "".join(b[1] for b in self.blocks if b[0] == "think")


def fill(schema, text, root=None):
    """The smallest value that satisfies a JSON schema."""
    root = root or schema
    if "$ref" in schema:
        at = root
        for part in schema["$ref"].lstrip("#/").split("/"):
            at = at[part]
        return fill(at, text, root)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return fill(schema[key][0], text, root)
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    kind = kind.lower()
    if kind == "object":
        properties = schema.get("properties", {})
        return {k: fill(v, text, root) for k, v in properties.items() if k in schema.get("required", list(properties))}
    if kind == "array":
        return [fill(schema.get("items", {"type": "string"}), text, root)]
    return {"string": "Žilina", "integer": 7, "number": 1.5, "boolean": True, "null": None}[kind]


def think_text(ask):
    return "Considering: " + ask.text[:40]


def answer(ask, call_id):
    """call_id(n) makes the provider's id of the n-th call."""
    blocks = []
    if ask.think:
        blocks.append(("think", think_text(ask)))
    names = [ask.force] if ask.force not in (None, "any") else list(ask.tools)
    wants = ask.force is not None or "call " in ask.text
    if ask.results:
        blocks.append(("text", "The tool said: " + " | ".join(ask.results)))
    elif names and wants and not ask.no_tools:
        times = 2 if "call twice" in ask.text and ask.parallel else 1
        for i in range(times):
            name = names[i % len(names)]
            blocks.append(("call", call_id(i), name, fill(ask.tools[name], ask.text)))
    elif ask.schema is not None:
        import json
        blocks.append(("text", json.dumps(fill(ask.schema, ask.text), ensure_ascii=False)))
    else:
        parts = ["You said: " + ask.text]
        if ask.system:
            parts.append("System: " + ask.system)
        for kind, data in ask.media:
            parts.append("Saw %s of %d bytes, %s." % (kind, len(data), hashlib.sha256(data).hexdigest()[:12]))
        blocks.append(("text", " ".join(parts)))
    stop = "calls" if any(b[0] == "call" for b in blocks) else "end"
    if ask.max_tokens is not None and ask.max_tokens < 4 and stop == "end":
        stop = "length"
    reply = Reply(blocks, stop)
    reply.thinking = 3 if ask.think else 0
    reply.output += reply.thinking
    return reply


def pieces(text, n=7):
    """Text in small pieces, as a model streams it."""
    return [text[i:i + n] for i in range(0, len(text), n)] or [""]


def vector(text, size):
    """An embedding that depends on the text, as floats that survive a trip through float32."""
    seed = hashlib.sha256(text.encode()).digest()
    return [(seed[i % 32] - 128) / 256.0 for i in range(size)]


def decode64(data):
    return base64.b64decode(data, validate=True)
