// SPDX-License-Identifier: Apache-2.0
// TAP for the Node SDK tests: test(), raises(), done().
"use strict";

let n = 0;
let failed = 0;

function result(good, text, detail) {
  n++;
  if (!good) failed++;
  console.log(`${good ? "" : "not "}ok ${n} - ${text}`);
  if (!good && detail) console.log(String(detail).slice(0, 600).replace(/^/gm, "# "));
}

// One test: fn must not throw.
async function test(text, fn) {
  try {
    await fn();
    result(true, text);
  } catch (e) {
    result(false, text, e && e.stack);
  }
}

// One test: fn must throw an instance of kind.
async function raises(kind, text, fn) {
  try {
    await fn();
    result(false, text, "nothing was thrown");
  } catch (e) {
    result(e instanceof kind, text, e && e.stack);
    return e;
  }
  return {};
}

// One test: the stream gives something, then throws.
async function cut(text, stream) {
  let pieces = 0;
  try {
    for await (const _ of await stream) pieces++;
    result(false, text, `a clean end after ${pieces} pieces`);
  } catch (e) {
    result(pieces > 0, text, e && e.stack);
  }
}

async function drain(stream) {
  const all = [];
  for await (const x of await stream) all.push(x);
  return all;
}

function done() {
  // Keep-alive sockets of the SDK must not hold the process.
  process.exit(failed ? 1 : 0);
}

module.exports = { test, raises, cut, drain, done };
