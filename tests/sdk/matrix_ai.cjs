// SPDX-License-Identifier: Apache-2.0
// Vercel's AI SDK with its official providers, as applications use them (SDK_MAJOR 7 or 6).
"use strict";
const assert = require("node:assert");
const { test, raises, drain, done } = require("./tap.cjs");
const { PNG, CITY, SAW, wrong, order, aborted, targets } = require("./matrix.cjs");

const six = process.env.SDK_MAJOR === "6";
const ai = require(six ? "ai6" : "ai");
const from = (name) => require(six ? "ai6-" + name : "@ai-sdk/" + name);

// Each provider package may bring a copy of its own of the class.
const CallError = { [Symbol.hasInstance]: (e) => ai.APICallError.isInstance(e) };

const makers = {
  openai: (t) => from("openai").createOpenAI({ baseURL: t.base, apiKey: t.key }).chat,
  responses: (t) => from("openai").createOpenAI({ baseURL: t.base, apiKey: t.key }).responses,
  anthropic: (t) => from("anthropic").createAnthropic({ baseURL: t.base, apiKey: t.key }),
  google: (t) => from("google").createGoogleGenerativeAI({ baseURL: t.base, apiKey: t.key }),
  bedrock: (t) => from("amazon-bedrock").createAmazonBedrock({ baseURL: t.base, apiKey: t.key, region: "us-east-1" }),
};
const embedders = {
  openai: (t) => from("openai").createOpenAI({ baseURL: t.base, apiKey: t.key }).embeddingModel(t.embed),
  google: (t) => from("google").createGoogleGenerativeAI({ baseURL: t.base, apiKey: t.key }).embeddingModel(t.embed),
  bedrock: (t) => from("amazon-bedrock").createAmazonBedrock({ baseURL: t.base, apiKey: t.key, region: "us-east-1" }).embeddingModel(t.embed),
};
const weather = { weather: ai.tool({ description: "the weather", inputSchema: ai.jsonSchema(CITY), execute: async () => "sunny" }) };

async function chats(t, model) {
  const more = { model, maxRetries: 0 };
  await test(`${t.label}: generateText`, async () => {
    const r = await ai.generateText({ ...more, prompt: "žluť" });
    assert.equal(r.text, "You said: žluť");
    assert.equal(r.finishReason, "stop");
    assert(r.usage.inputTokens > 0 && r.usage.outputTokens > 0);
  });
  await test(`${t.label}: streamText`, async () => {
    const r = ai.streamText({ ...more, prompt: "žluť" });
    assert.equal((await drain(r.textStream)).join(""), "You said: žluť");
    assert.equal(await r.finishReason, "stop");
    assert((await r.usage).outputTokens > 0);
  });
  if (t.simple) return;
  await test(`${t.label}: image`, async () => {
    const r = await ai.generateText({ ...more, messages: [{ role: "user", content: [{ type: "text", text: "look" },
      { type: "file", data: PNG, mediaType: "image/png" }] }] });
    assert(r.text.includes(SAW), r.text);
  });
  await test(`${t.label}: an object by its schema`, async () => {
    const r = await ai.generateText({ ...more, prompt: "where", output: ai.Output.object({ schema: ai.jsonSchema(CITY) }) });
    assert.deepEqual(r.output, { city: "Žilina" });
  });
  await test(`${t.label}: tools, both calls and back`, async () => {
    const r = await ai.generateText({ ...more, prompt: "call twice please", tools: weather, stopWhen: ai.stepCountIs(3) });
    assert.equal(r.steps[0].toolCalls.length, 2);
    assert.deepEqual(r.steps[0].toolCalls[0].input, { city: "Žilina" });
    assert.equal(r.text, "The tool said: sunny | sunny");
  });
  await test(`${t.label}: tools in a stream`, async () => {
    const r = ai.streamText({ ...more, prompt: "call twice please", tools: weather, stopWhen: ai.stepCountIs(3) });
    assert.equal((await drain(r.textStream)).join(""), "The tool said: sunny | sunny");
  });
}

async function errors(t, model) {
  const hi = { model, maxRetries: 0, prompt: "hi" };
  for (const [mode, least, most] of [["429", 429, 429], ["500", 500, 599]]) {
    await order(t, mode);
    const e = await raises(CallError, `${t.label}: ${mode} raises APICallError`, () => ai.generateText(hi));
    await test(`${t.label}: with its status`, () => assert(e.statusCode >= least && e.statusCode <= most, e.statusCode));
  }
  // The AI SDK gives faults of a stream as its parts.
  for (const mode of t.modes ?? ["stream-error", "truncate"]) {
    await order(t, mode);
    await test(`${t.label}: a stream with ${mode} has an error`, async () => {
      const types = [];
      let threw = false;
      try {
        for await (const p of ai.streamText({ ...hi, onError: () => {} }).fullStream) types.push(p.type);
      } catch { threw = true; }
      assert(threw || types.includes("error"), types.join(" "));
    });
  }
  await test(`${t.label}: abort`, () => aborted((abortSignal, prompt) =>
    ai.streamText({ ...hi, prompt, abortSignal, onError: () => {} }).textStream, () => ai.generateText(hi)));
}

(async () => {
  for (const t of targets) {
    const model = makers[t.api](t)(t.model);
    await chats(t, model);
    await errors(t, model);
    if (wrong) {
      const e = await raises(CallError, `${t.label}: a wrong key raises APICallError`,
        () => ai.generateText({ model: makers[t.api]({ ...t, key: wrong })(t.model), maxRetries: 0, prompt: "hi" }));
      await test(`${t.label}: with 401`, () => assert.equal(e.statusCode, 401));
    }
    if (t.embed)
      await test(`${t.label}: embedMany`, async () => {
        const r = await ai.embedMany({ model: embedders[t.api](t), values: ["one", "two"], maxRetries: 0 });
        assert.equal(r.embeddings.length, 2);
        assert(r.embeddings[0].length > 0);
      });
  }
  done();
})();
