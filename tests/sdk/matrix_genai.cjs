// SPDX-License-Identifier: Apache-2.0
// Google's Gen AI SDK for Node: Gemini by AI Studio and, with a project, by Vertex AI.
"use strict";
const assert = require("node:assert");
const genai = require(process.env.SDK_MODULE || "@google/genai");
const { test, raises, cut, drain, done } = require("./tap.cjs");
const { PNG, CITY, SAW, wrong, order, aborted, targets } = require("./matrix.cjs");

const tool = { tools: [{ functionDeclarations: [{ name: "weather", description: "the weather", parametersJsonSchema: CITY }] }] };

function make(t) {
  const httpOptions = { baseUrl: t.base, timeout: 15000 };
  if (!t.project) return new genai.GoogleGenAI({ apiKey: t.key, httpOptions });
  // The application's access token is the gateway's key.
  const authClient = new (require("google-auth-library").OAuth2Client)();
  authClient.setCredentials({ access_token: t.key, expiry_date: Date.now() + 3600000 });
  return new genai.GoogleGenAI({ vertexai: true, project: t.project, location: t.region, httpOptions, googleAuthOptions: { authClient } });
}

async function chats(t, ask, stream) {
  await test(`${t.label}: chat`, async () => {
    const r = await ask("žluť", { systemInstruction: "be short" });
    assert.equal(r.text, "You said: žluť System: be short");
    assert.equal(r.candidates[0].finishReason, "STOP");
  });
  await test(`${t.label}: stream`, async () => {
    const chunks = await drain(stream("žluť"));
    assert.equal(chunks.map((c) => c.text ?? "").join(""), "You said: žluť");
    assert.equal(chunks.at(-1).usageMetadata.cachedContentTokenCount, 5);
  });
  await test(`${t.label}: image`, async () => {
    assert((await ask(["look", genai.createPartFromBase64(PNG.toString("base64"), "image/png")])).text.includes(SAW));
  });
  await test(`${t.label}: JSON schema`, async () => {
    const r = await ask("where", { responseMimeType: "application/json", responseJsonSchema: CITY });
    assert.deepEqual(JSON.parse(r.text), { city: "Žilina" });
  });
  for (const streamed of [false, true]) {
    await test(`${t.label}: two tools and back${streamed ? ", streamed" : ""}`, async () => {
      const asked = { role: "user", parts: [{ text: "call twice please" }] };
      const got = streamed ? await drain(stream([asked], tool)) : [await ask([asked], tool)];
      const parts = got.flatMap((r) => r.candidates[0].content.parts);
      const calls = parts.filter((p) => p.functionCall);
      assert.equal(calls.length, 2);
      assert.deepEqual(calls[0].functionCall.args, { city: "Žilina" });
      const back = calls.map((p) => ({ functionResponse: { name: p.functionCall.name, response: { output: "sunny" } } }));
      const r = await ask([asked, { role: "model", parts }, { role: "user", parts: back }], tool);
      assert.equal(r.text, "The tool said: sunny | sunny");
    });
  }
}

async function errors(t, ask, stream) {
  const is = (e, status) => assert.equal(e.status, status, String(e && e.message));
  for (const [mode, status] of [["429", 429], ["500", 500]]) {
    await order(t, mode);
    const e = await raises(genai.ApiError, `${t.label}: ${mode} raises ApiError`, () => ask("hi"));
    await test(`${t.label}: and says ${status === 500 ? "5xx" : status}`, () => (status === 500 ? assert(e.status >= 500) : is(e, status)));
  }
  const e = await raises(genai.ApiError, `${t.label}: an unknown model raises ApiError`, () => ask("hi", {}, t.unknown));
  await test(`${t.label}: and says 404`, () => is(e, 404));
  await order(t, "truncate");
  await cut(`${t.label}: a truncated stream raises`, stream("hello there"));
  await test(`${t.label}: abort`, () => aborted((abortSignal, text) => stream(text, { abortSignal }), () => ask("hi")));
}

(async () => {
  for (const t of targets) {
    const client = make(t);
    const ask = (contents, config, model) => client.models.generateContent({ model: model ?? t.model, contents, config });
    const stream = (contents, config) => client.models.generateContentStream({ model: t.model, contents, config });
    await chats(t, ask, stream);
    await errors(t, ask, stream);
    if (wrong) {
      const e = await raises(genai.ApiError, `${t.label}: a wrong key raises ApiError`,
        () => make({ ...t, key: wrong }).models.generateContent({ model: t.model, contents: "hi" }));
      await test(`${t.label}: and says 401`, () => assert.equal(e.status, 401));
    }
    await test(`${t.label}: embeddings`, async () => {
      const r = await client.models.embedContent({ model: t.embed, contents: ["one"] });
      assert(r.embeddings[0].values.length > 0);
    });
    await test(`${t.label}: count tokens`, async () => {
      assert((await client.models.countTokens({ model: t.model, contents: "hi" })).totalTokens > 0);
    });
  }
  done();
})();
