// SPDX-License-Identifier: Apache-2.0
// What the matrix of Node SDKs shares: the targets (SDK_TARGETS: each a provider to be asked, straight or through the
// gateway), orders to the simulators to misbehave, and the facts that a simulator's model states in every dialect.
"use strict";
const assert = require("node:assert");
const http = require("node:http");

const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const SAW = `Saw image/png of ${PNG.length} bytes`;

// The next answer of the target's provider misbehaves so (tests/sim: MODES).
function order(target, mode) {
  return new Promise((resolve, reject) => {
    http.get(`${process.env.SDK_ORDER}/${target.host}/${mode}`, (r) => r.resume().on("end", resolve)).on("error", reject);
  });
}

// How every chat ends that a client aborts after its first piece: soon, and others are served. start(signal, text) opens
// a stream, again() asks once more.
async function aborted(start, again) {
  const stop = new AbortController();
  const begun = Date.now();
  try {
    for await (const _ of await start(stop.signal, "x".repeat(20000))) stop.abort();
  } catch { /* how it ends is the SDK's choice */ }
  assert(Date.now() - begun < 5000);
  await again();
}

// A key that the gateway does not know; undefined where a provider is asked straight.
const wrong = process.env.SDK_WRONG_KEY;

module.exports = { wrong, PNG, CITY, SAW, order, aborted, targets: JSON.parse(process.env.SDK_TARGETS || "[]") };
