// SPDX-License-Identifier: Apache-2.0
// The official OpenAI Node SDK, asked for models of every provider.
"use strict";
const assert = require("node:assert");
const { OpenAI, AzureOpenAI } = require(process.env.SDK_MODULE || "openai");
const { test, raises, cut, drain, done } = require("./tap.cjs");
const { PNG, CITY, SAW, wrong, order, aborted, targets } = require("./matrix.cjs");

function make(t, apiKey) {
  const common = { apiKey, maxRetries: 0, timeout: 15000 };
  return t.azure ? new AzureOpenAI({ ...common, endpoint: t.base, apiVersion: "2025-01-01-preview" }) : new OpenAI({ ...common, baseURL: t.base });
}

const user = (content) => [{ role: "user", content }];
const tools = [{ type: "function", function: { name: "weather", description: "the weather", parameters: CITY } }];
const said = (r) => r.choices[0].message.content;

async function chats(t, ask) {
  await test(`${t.label}: chat`, async () => {
    const r = await ask({ messages: [{ role: "system", content: "be short" }, ...user("žluť")] });
    assert.equal(said(r), "You said: žluť System: be short");
    assert.equal(r.choices[0].finish_reason, "stop");
    assert.equal(r.usage.total_tokens, r.usage.prompt_tokens + r.usage.completion_tokens);
  });
  await test(`${t.label}: stream`, async () => {
    const chunks = await drain(ask({ messages: user("žluť"), stream: true, stream_options: { include_usage: true } }));
    assert.equal(chunks.map((c) => c.choices[0]?.delta?.content ?? "").join(""), "You said: žluť");
    assert.deepEqual(chunks.map((c) => c.choices[0]?.finish_reason).filter(Boolean), ["stop"]);
    assert.equal(chunks.at(-1).usage.prompt_tokens_details.cached_tokens, 5);
  });
  await test(`${t.label}: image`, async () => {
    const url = "data:image/png;base64," + PNG.toString("base64");
    assert(said(await ask({ messages: user([{ type: "text", text: "look" }, { type: "image_url", image_url: { url } }]) })).includes(SAW));
  });
  await test(`${t.label}: JSON schema`, async () => {
    const r = await ask({ messages: user("where"), response_format: { type: "json_schema", json_schema: { name: "x", schema: CITY, strict: true } } });
    assert.deepEqual(JSON.parse(said(r)), { city: "Žilina" });
  });
}

async function toolsOf(t, ask) {
  const asked = user("call twice please");
  for (const stream of [false, true]) {
    await test(`${t.label}: two tools and back${stream ? ", streamed" : ""}`, async () => {
      let m;
      if (!stream) {
        const r = await ask({ messages: asked, tools });
        assert.equal(r.choices[0].finish_reason, "tool_calls");
        m = r.choices[0].message;
      } else {
        const calls = [];
        for await (const c of await ask({ messages: asked, tools, stream: true })) {
          for (const d of c.choices[0]?.delta?.tool_calls ?? []) {
            calls[d.index] ??= { id: d.id, type: "function", function: { name: d.function.name, arguments: "" } };
            if (d.extra_content) calls[d.index].extra_content = d.extra_content;
            calls[d.index].function.arguments += d.function.arguments ?? "";
          }
        }
        m = { role: "assistant", content: null, tool_calls: calls };
      }
      assert.equal(m.tool_calls.length, 2);
      for (const c of m.tool_calls) assert.deepEqual(JSON.parse(c.function.arguments), { city: "Žilina" });
      const results = m.tool_calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: "sunny" }));
      assert.equal(said(await ask({ messages: [...asked, m, ...results], tools })), "The tool said: sunny | sunny");
    });
  }
  await test(`${t.label}: a tool that must be called`, async () => {
    const r = await ask({ messages: user("hi"), tools, tool_choice: { type: "function", function: { name: "weather" } } });
    assert.equal(r.choices[0].message.tool_calls[0].function.name, "weather");
  });
}

async function errors(t, ask) {
  const hi = { messages: user("hi") };
  await order(t, "429");
  await raises(OpenAI.RateLimitError, `${t.label}: 429 raises RateLimitError`, () => ask(hi));
  await order(t, "500");
  await raises(OpenAI.APIError, `${t.label}: 500 raises APIError`, () => ask(hi));
  await raises(OpenAI.NotFoundError, `${t.label}: an unknown model raises NotFoundError`, () => ask({ ...hi, model: t.unknown }));
  await raises(OpenAI.BadRequestError, `${t.label}: a bad request raises BadRequestError`,
    () => ask({ messages: user([{ type: "image_url", image_url: { url: "data:image/png;base64,@@@" } }]) }));
  for (const mode of ["stream-error", "truncate"]) {
    await order(t, mode);
    await cut(`${t.label}: a stream with ${mode} raises`, ask({ ...hi, stream: true }));
  }
  await test(`${t.label}: abort`, () => aborted((signal, text) => ask({ messages: user(text), stream: true }, { signal }), () => ask(hi)));
}

(async () => {
  for (const t of targets) {
    const client = make(t, t.key);
    const ask = (more, options) => client.chat.completions.create({ model: t.model, ...more }, options);
    await chats(t, ask);
    await toolsOf(t, ask);
    await errors(t, ask);
    if (wrong)
      await raises(OpenAI.AuthenticationError, `${t.label}: a wrong key raises AuthenticationError`,
        () => make(t, wrong).chat.completions.create({ model: t.model, messages: user("hi") }));
    if (!t.embed) continue;
    await test(`${t.label}: embeddings`, async () => {
      const input = t.embed.includes("titan") ? ["one"] : ["one", "two"]; // Titan takes one text
      const r = await client.embeddings.create({ model: t.embed, input });
      assert.equal(r.data.length, input.length);
      assert(r.data[0].embedding.length > 0 && Number.isFinite(r.data[0].embedding[0]));
      assert.notDeepEqual(r.data[0].embedding, r.data[1]?.embedding);
    });
  }
  done();
})();
