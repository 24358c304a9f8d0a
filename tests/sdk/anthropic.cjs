// SPDX-License-Identifier: Apache-2.0
// The official Anthropic Node SDK, unchanged but for base URL and key.
"use strict";
const assert = require("node:assert");
const Anthropic = require("@anthropic-ai/sdk").Anthropic;
const { test, raises, cut, drain, done } = require("./tap.cjs");

const messages = [{ role: "user", content: "hello there, gateway" }];
const options = { baseURL: process.env.SALLYPORT_URL, apiKey: process.env.SALLYPORT_KEY, maxRetries: 0, timeout: 15000 };
const client = new Anthropic(options);
const ask = (model, more) => client.messages.create({ model, messages, max_tokens: 64, ...more });
const MODEL = "claude-sonnet-5";

async function good() {
  await test("message", async () => {
    const r = await ask(MODEL);
    assert(r.content[0].text.includes("hello there, gateway"));
    assert.equal(r.stop_reason, "end_turn");
  });
  await test("stream helper gives the final message", async () => {
    const r = await client.messages.stream({ model: MODEL, messages, max_tokens: 64 }).finalMessage();
    assert(r.content[0].text.includes("hello there, gateway"));
    assert(r.usage.output_tokens > 0);
  });
  await test("raw stream: every event from message_start to message_stop", async () => {
    const events = await drain(ask("count-100", { stream: true }));
    assert.equal(events[0].type, "message_start");
    assert.equal(events.at(-1).type, "message_stop");
    assert.equal(events.filter((e) => e.type === "content_block_delta").length, 100);
  });
  await test("count_tokens", async () => {
    assert((await client.messages.countTokens({ model: MODEL, messages })).input_tokens > 0);
  });
  await test("models", async () => {
    assert((await client.models.list()).data.length > 0);
  });
}

async function bad() {
  const wrong = new Anthropic({ ...options, apiKey: process.env.SALLYPORT_WRONG_KEY });
  await raises(Anthropic.AuthenticationError, "a wrong key raises AuthenticationError",
    () => wrong.messages.create({ model: MODEL, messages, max_tokens: 64 }));
  await raises(Anthropic.RateLimitError, "the provider's 429 raises RateLimitError", () => ask("status-429"));
  const e = await raises(Anthropic.APIError, "the provider's 529 raises APIError", () => ask("status-529"));
  await test("status 529 reaches the client", () => assert.equal(e.status, 529));
  for (const model of ["truncate", "truncate-tls"]) {
    await cut(`${model}: a cut stream raises`, ask(model, { stream: true }));
    await raises(Error, `${model}: a cut answer raises`, () => ask(model));
  }
  await cut("truncate-marker: a stream without message_stop raises",
    ask("truncate-marker", { stream: true }));
  await raises(Error, "an error event in a stream raises", () => drain(ask("stream-error", { stream: true })));
  await test("after all of that the gateway still serves", async () => {
    assert((await ask(MODEL)).content);
  });
}

good().then(bad).then(done);
