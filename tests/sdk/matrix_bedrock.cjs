// SPDX-License-Identifier: Apache-2.0
// The AWS SDK for JavaScript with a bearer token and its default handler, HTTP/2 (which the simulator does not speak).
"use strict";
const assert = require("node:assert");
const aws = require("@aws-sdk/client-bedrock-runtime");
const { NodeHttpHandler } = require("@smithy/node-http-handler");
const { test, raises, cut, drain, done } = require("./tap.cjs");
const { PNG, CITY, SAW, wrong, order, aborted, targets } = require("./matrix.cjs");

const user = (...content) => [{ role: "user", content }];
const toolConfig = { tools: [{ toolSpec: { name: "weather", description: "the weather", inputSchema: { json: CITY } } }] };

async function chats(t, send) {
  const converse = (more) => send("Converse", { modelId: t.model, ...more });
  await test(`${t.label}: converse with an image`, async () => {
    const r = await converse({ messages: user({ text: "look" }, { image: { format: "png", source: { bytes: PNG } } }), system: [{ text: "be short" }] });
    assert(r.output.message.content[0].text.includes(SAW));
    assert.equal(r.usage.cacheReadInputTokens, 5);
  });
  await test(`${t.label}: two tools and back, streamed`, async () => {
    const asked = user({ text: "call twice please" });
    const content = [];
    for await (const e of (await send("ConverseStream", { modelId: t.model, messages: asked, toolConfig })).stream) {
      if (e.contentBlockStart?.start?.toolUse) content[e.contentBlockStart.contentBlockIndex] = { toolUse: { ...e.contentBlockStart.start.toolUse, input: "" } };
      if (e.contentBlockDelta?.delta?.toolUse) content[e.contentBlockDelta.contentBlockIndex].toolUse.input += e.contentBlockDelta.delta.toolUse.input;
    }
    for (const c of content) c.toolUse.input = JSON.parse(c.toolUse.input);
    assert.deepEqual(content.map((c) => c.toolUse.input), [{ city: "Žilina" }, { city: "Žilina" }]);
    const results = content.map((c) => ({ toolResult: { toolUseId: c.toolUse.toolUseId, content: [{ text: "sunny" }] } }));
    const r = await converse({ messages: [...asked, { role: "assistant", content }, ...user(...results)], toolConfig });
    assert.equal(r.output.message.content[0].text, "The tool said: sunny | sunny");
  });
  await test(`${t.label}: invoke, its stream, and embeddings`, async () => {
    const body = JSON.stringify({ anthropic_version: "bedrock-2023-05-31", max_tokens: 64, messages: [{ role: "user", content: "hi" }] });
    const r = await send("InvokeModel", { modelId: t.model, body, contentType: "application/json" });
    assert.equal(JSON.parse(Buffer.from(r.body)).content[0].text, "You said: hi");
    const events = await drain((await send("InvokeModelWithResponseStream", { modelId: t.model, body, contentType: "application/json" })).body);
    assert.equal(JSON.parse(Buffer.from(events.at(-1).chunk.bytes)).type, "message_stop");
    const e = await send("InvokeModel", { modelId: t.embed, body: JSON.stringify({ inputText: "one" }), contentType: "application/json" });
    assert(JSON.parse(Buffer.from(e.body)).embedding.length > 0);
  });
}

async function errors(t, send) {
  const hi = { modelId: t.model, messages: user({ text: "hi" }) };
  await order(t, "429");
  await raises(aws.ThrottlingException, `${t.label}: 429 raises ThrottlingException`, () => send("Converse", hi));
  await order(t, "500");
  await raises(aws.BedrockRuntimeServiceException, `${t.label}: 500 raises`, () => send("Converse", hi));
  await raises(aws.ValidationException, `${t.label}: an unknown model raises ValidationException`, () => send("Converse", { ...hi, modelId: t.unknown }));
  for (const mode of ["stream-error", "truncate"]) {
    await order(t, mode);
    await cut(`${t.label}: a stream with ${mode} raises`, send("ConverseStream", hi).then((r) => r.stream));
  }
  await test(`${t.label}: abort`, () => aborted(async (abortSignal, text) =>
    (await send("ConverseStream", { ...hi, messages: user({ text }) }, { abortSignal })).stream, () => send("Converse", hi)));
}

(async () => {
  for (const t of targets) {
    const make = (token) => new aws.BedrockRuntimeClient({ region: "us-east-1", endpoint: t.base, token: { token },
      authSchemePreference: ["httpBearerAuth"], maxAttempts: 1, ...(t.http1 ? { requestHandler: new NodeHttpHandler() } : {}) });
    const client = make(t.key);
    const send = (kind, input, more) => client.send(new aws[kind + "Command"](input), more);
    await chats(t, send);
    await errors(t, send);
    if (wrong) {
      const e = await raises(aws.BedrockRuntimeServiceException, `${t.label}: a wrong key raises`,
        () => make(wrong).send(new aws.ConverseCommand({ modelId: t.model, messages: user({ text: "hi" }) })));
      await test(`${t.label}: and says 401 or 403`, () => assert([401, 403].includes(e.$metadata.httpStatusCode), e.$metadata.httpStatusCode));
    }
  }
  done();
})();
