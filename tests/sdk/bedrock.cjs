// SPDX-License-Identifier: Apache-2.0
// The official AWS SDK for JavaScript, bedrock-runtime, with its default HTTP/2 handler: unchanged but for
// endpoint and bearer token. NODE_EXTRA_CA_CERTS names the demo's CA.
"use strict";
const assert = require("node:assert");
const aws = require("@aws-sdk/client-bedrock-runtime");
const { test, raises, cut, done } = require("./tap.cjs");

const modelId = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const messages = [{ role: "user", content: [{ text: "hello there, gateway" }] }];
const body = JSON.stringify({ anthropic_version: "bedrock-2023-05-31", max_tokens: 64,
  messages: [{ role: "user", content: "hello there, gateway" }] });
const make = (endpoint, token) => new aws.BedrockRuntimeClient({ region: "us-east-1", endpoint,
  token: { token }, authSchemePreference: ["httpBearerAuth"], maxAttempts: 1 });

async function all(client, how) {
  const send = (kind, input, more) => client.send(new aws[kind + "Command"](input), more);
  await test(`${how}: converse`, async () => {
    const r = await send("Converse", { modelId, messages });
    assert(r.output.message.content[0].text.includes("hello there, gateway"));
    assert.equal(r.stopReason, "end_turn");
  });
  await test(`${how}: converse stream gives every one of 150 pieces and the usage`, async () => {
    const r = await send("ConverseStream", { modelId: "demo.count-150", messages });
    let pieces = 0, usage;
    for await (const e of r.stream) {
      if (e.contentBlockDelta) pieces++;
      if (e.metadata) usage = e.metadata.usage;
    }
    assert.equal(pieces, 150);
    assert(usage.totalTokens > 0);
  });
  await test(`${how}: invoke`, async () => {
    const r = await send("InvokeModel", { modelId, body, contentType: "application/json" });
    assert(JSON.parse(Buffer.from(r.body)).content[0].text.includes("hello there, gateway"));
  });
  await test(`${how}: twenty at once on one connection`, async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => send("Converse", { modelId, messages })));
    assert(answers.every((r) => r.output.message.content[0].text.includes("hello")));
  });
  await raises(aws.ThrottlingException, `${how}: the provider's 429 raises ThrottlingException`,
    () => send("Converse", { modelId: "demo.status-429", messages }));
  const cutStream = async (id) => (await send("ConverseStream", { modelId: id, messages })).stream;
  await cut(`${how}: a cut stream raises`, cutStream("demo.truncate"));
  await cut(`${how}: a stream without its end marker raises`, cutStream("demo.truncate-marker"));
  await test(`${how}: an aborted stream ends, and the gateway still serves`, async () => {
    const stop = new AbortController();
    const r = await send("ConverseStream", { modelId: "demo.slow-100", messages }, { abortSignal: stop.signal });
    try {
      for await (const _ of r.stream) stop.abort();
    } catch { /* how it ends is the SDK's choice */ }
    assert((await send("Converse", { modelId, messages })).output);
  });
}

(async () => {
  await all(make(process.env.SALLYPORT_TLS_URL, process.env.SALLYPORT_KEY), "TLS");
  await all(make(process.env.SALLYPORT_URL, process.env.SALLYPORT_KEY), "plain");
  await raises(aws.BedrockRuntimeServiceException, "a wrong key raises", () => make(process.env.SALLYPORT_TLS_URL,
    process.env.SALLYPORT_WRONG_KEY).send(new aws.ConverseCommand({ modelId, messages })));
  done();
})();
