// SPDX-License-Identifier: Apache-2.0
// Anthropic's Node SDKs (SDK_MODULE: its own by its majors, for Bedrock, for Vertex AI), asked for Claude at every
// provider that has it.
"use strict";
const assert = require("node:assert");
const Anthropic = require(process.env.SDK_MODULE === "anthropic0" ? "anthropic0" : "@anthropic-ai/sdk");
const { test, raises, cut, drain, done } = require("./tap.cjs");
const { PNG, CITY, SAW, wrong, order, aborted, targets } = require("./matrix.cjs");

const user = (content) => [{ role: "user", content }];
const tools = [{ name: "weather", description: "the weather", input_schema: CITY }];
const text = (r) => r.content.filter((b) => b.type === "text").map((b) => b.text).join("");

function make(t) {
  // Bedrock itself knows the SDK's version of the API with its newest models only; the gateway with all.
  const common = { baseURL: t.base, maxRetries: 0, timeout: 15000, defaultHeaders: t.version ? { "anthropic-version": t.version } : {} };
  if (process.env.SDK_MODULE === "@anthropic-ai/bedrock-sdk")
    return new (require(process.env.SDK_MODULE).AnthropicBedrock)({ ...common, apiKey: t.key, awsRegion: "us-east-1" });
  if (process.env.SDK_MODULE === "@anthropic-ai/vertex-sdk")
    return new (require(process.env.SDK_MODULE).AnthropicVertex)({ ...common, projectId: t.project, region: t.region,
      authClient: { getRequestHeaders: async () => new Headers({ authorization: "Bearer " + t.key }), projectId: t.project } });
  return new Anthropic.Anthropic({ ...common, apiKey: t.key });
}

async function chats(t, ask, client) {
  await test(`${t.label}: chat`, async () => {
    const r = await ask({ system: "be short", messages: user("žluť") });
    assert.equal(text(r), "You said: žluť System: be short");
    assert.equal(r.stop_reason, "end_turn");
    assert(r.usage.input_tokens > 0 && r.usage.output_tokens > 0);
  });
  await test(`${t.label}: stream with an image`, async () => {
    const source = { type: "base64", media_type: "image/png", data: PNG.toString("base64") };
    const final = await client.messages.stream({ model: t.model, max_tokens: 100,
      messages: user([{ type: "text", text: "look" }, { type: "image", source }]) }).finalMessage();
    assert(text(final).includes(SAW));
    assert.equal(final.usage.cache_read_input_tokens, 5);
  });
  await test(`${t.label}: raw stream events`, async () => {
    const types = (await drain(ask({ messages: user("hi"), stream: true }))).map((e) => e.type);
    assert.equal(types[0], "message_start");
    assert.equal(types.at(-1), "message_stop");
  });
  await test(`${t.label}: thinking, two tools and back`, async () => {
    const asked = user("call twice please");
    const r = await ask({ max_tokens: 3000, messages: asked, tools, thinking: t.thinking ?? { type: "enabled", budget_tokens: 1024 } });
    assert.deepEqual(r.content.map((b) => b.type), ["thinking", "tool_use", "tool_use"]);
    assert.equal(r.stop_reason, "tool_use");
    const results = r.content.filter((b) => b.type === "tool_use").map((b) => ({ type: "tool_result", tool_use_id: b.id, content: "sunny" }));
    const after = await ask({ messages: [...asked, { role: "assistant", content: r.content }, ...user(results)], tools });
    assert.equal(text(after), "The tool said: sunny | sunny");
  });
  await test(`${t.label}: JSON schema`, async () => {
    const r = await ask({ messages: user("where"), output_config: { format: { type: "json_schema", schema: CITY } } });
    assert.deepEqual(JSON.parse(text(r)), { city: "Žilina" });
  });
  if (t.count !== false)
    await test(`${t.label}: count tokens`, async () => {
      assert((await client.messages.countTokens({ model: t.model, messages: user("hi") })).input_tokens > 0);
    });
}

async function errors(t, ask) {
  const hi = { messages: user("hi") };
  await order(t, "429");
  await raises(Anthropic.RateLimitError, `${t.label}: 429 raises RateLimitError`, () => ask(hi));
  await order(t, "500");
  await raises(Anthropic.APIError, `${t.label}: 500 raises APIError`, () => ask(hi));
  await raises(Anthropic.APIError, `${t.label}: an unknown model raises`, () => ask({ ...hi, model: t.unknown }));
  await raises(Anthropic.BadRequestError, `${t.label}: a bad request raises BadRequestError`,
    () => ask({ messages: user([{ type: "tool_result", tool_use_id: "x", content: "y" }]) }));
  for (const mode of ["stream-error", "truncate"]) {
    await order(t, mode);
    await cut(`${t.label}: a stream with ${mode} raises`, ask({ ...hi, stream: true }));
  }
  await test(`${t.label}: abort`, () => aborted((signal, more) => ask({ messages: user(more), stream: true }, { signal }), () => ask(hi)));
}

(async () => {
  for (const t of targets) {
    const client = make(t);
    const ask = (more, options) => client.messages.create({ model: t.model, max_tokens: 1000, ...more }, options);
    await chats(t, ask, client);
    await errors(t, ask);
    if (wrong)
      await raises(Anthropic.AuthenticationError, `${t.label}: a wrong key raises AuthenticationError`,
        () => make({ ...t, key: wrong }).messages.create({ model: t.model, max_tokens: 9, messages: user("hi") }));
  }
  done();
})();
