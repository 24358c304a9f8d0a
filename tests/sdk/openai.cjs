// SPDX-License-Identifier: Apache-2.0
// The official OpenAI Node SDK, unchanged but for base URL and key.
"use strict";
const assert = require("node:assert");
const OpenAI = require(process.env.SDK_MODULE || "openai").OpenAI;
const { test, raises, cut, drain, done } = require("./tap.cjs");

const messages = [{ role: "user", content: "hello there, gateway" }];
const options = { baseURL: process.env.SALLYPORT_URL + "/v1", apiKey: process.env.SALLYPORT_KEY, maxRetries: 0, timeout: 15000 };
const client = new OpenAI(options);
const chat = (model, more) => client.chat.completions.create({ model, messages, ...more });

async function good() {
  await test("chat completion", async () => {
    const r = await chat("gpt-4o-mini");
    assert(r.choices[0].message.content.includes("hello there, gateway"));
    assert.equal(r.choices[0].finish_reason, "stop");
    assert(r.usage.total_tokens > 0);
  });
  await test("chat stream gives every piece, a finish reason and the usage", async () => {
    const chunks = await drain(chat("count-200", { stream: true, stream_options: { include_usage: true } }));
    const text = chunks.map((c) => c.choices[0]?.delta?.content ?? "").join("");
    assert.equal(text.length, 1000);
    assert(chunks.some((c) => c.choices[0]?.finish_reason === "stop"));
    assert(chunks.at(-1).usage.total_tokens > 0);
  });
  await test("responses", async () => {
    const r = await client.responses.create({ model: "gpt-4o-mini", input: "hello there, gateway" });
    assert(r.output_text.includes("hello there, gateway"));
  });
  await test("responses stream ends with response.completed", async () => {
    const events = await drain(client.responses.create({ model: "gpt-4o-mini", input: "hello", stream: true }));
    assert.equal(events.at(-1).type, "response.completed");
  });
  await test("embeddings", async () => {
    const r = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
    assert.equal(r.data.length, 2);
    assert(r.data[0].embedding.length > 0);
  });
  await test("models", async () => {
    const r = await client.models.list();
    assert(r.data.length > 0);
  });
}

async function bad() {
  const wrong = new OpenAI({ ...options, apiKey: process.env.SALLYPORT_WRONG_KEY });
  await raises(OpenAI.AuthenticationError, "a wrong key raises AuthenticationError",
    () => wrong.chat.completions.create({ model: "gpt-4o-mini", messages }));
  await raises(OpenAI.RateLimitError, "the provider's 429 raises RateLimitError", () => chat("status-429"));
  await raises(OpenAI.InternalServerError, "503 raises InternalServerError", () => chat("status-503"));
  for (const model of ["truncate", "truncate-tls"]) {
    await cut(`${model}: a cut stream raises`, chat(model, { stream: true }));
    await raises(Error, `${model}: a cut answer raises`, () => chat(model));
  }
  await cut("truncate-marker: a stream without its end marker raises",
    chat("truncate-marker", { stream: true }));
  await raises(Error, "an error event in a stream raises", () => drain(chat("stream-error", { stream: true })));
  await test("an aborted stream ends at once, and the gateway still serves", async () => {
    const stream = await chat("slow-100", { stream: true });
    const started = Date.now();
    for await (const _ of stream) stream.controller.abort();
    assert(Date.now() - started < 3000);
    assert((await chat("gpt-4o-mini")).choices[0].message.content);
  });
}

good().then(bad).then(done);
