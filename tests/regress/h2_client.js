// SPDX-License-Identifier: Apache-2.0
// HTTP/2 by Node's own client, against a running stack. Prints TAP. Used by gateway_h2.py.
"use strict";
const http2 = require("node:http2");
const [plain, tls, key] = process.argv.slice(2);
let n = 0, failed = 0;
function ok(good, text, detail) {
  n++;
  if (!good) failed++;
  console.log(`${good ? "" : "not "}ok ${n} - ${text}`);
  if (!good && detail !== undefined) console.log("# " + JSON.stringify(detail).slice(0, 400));
}
const connect = (url) => http2.connect(url, { rejectUnauthorized: false });
const chat = (model, text, stream) => JSON.stringify({ model, stream, messages: [{ role: "user", content: text }] });

// One request; never rejects. {status, headers, body, error}
function ask(session, body, extra = {}, onData) {
  return new Promise((done) => {
    const r = session.request({ ":method": "POST", ":path": "/v1/chat/completions", authorization: `Bearer ${key}`,
      "content-type": "application/json", ...extra });
    const got = { body: "", status: 0 };
    r.on("response", (h) => { got.status = h[":status"]; got.headers = h; });
    r.on("data", (d) => { got.body += d; if (onData) onData(r, got); });
    r.on("error", (e) => { got.error = e.code; });
    r.on("close", () => done(got));
    r.end(body);
  });
}

async function both(url, how) {
  const s = connect(url);
  let r = await ask(s, chat("m", "hello over h2"));
  ok(r.status === 200 && r.body.includes("hello over h2"), `${how}: an answer`, r);
  ok(r.headers["transfer-encoding"] === undefined && r.headers.connection === undefined,
    `${how}: no hop-by-hop header`, r.headers);
  r = await ask(s, chat("count-200", "x", true));
  ok(r.body.trim().endsWith("[DONE]") && r.body.length > 20000, `${how}: a stream, whole`, r.body.slice(-80));
  const many = await Promise.all(Array.from({ length: 300 }, (_, i) => ask(s, chat("m", `number ${i}.`, i % 2 === 1))));
  ok(many.every((x, i) => x.status === 200 && (i % 2 === 1 || x.body.includes(`number ${i}.`))),
    `${how}: 300 streams on one connection, none mixed up`, many.find((x) => x.status !== 200));
  const big = "y".repeat(3000000);
  r = await ask(s, chat("m", big));
  ok(r.status === 200 && r.body.includes(big), `${how}: 3 MB there and back through the windows`, [r.status, r.body.length]);
  r = await ask(s, chat("m", "hi"), { authorization: "Bearer sp-wrong" });
  ok(r.status === 401 && JSON.parse(r.body).error.code === "invalid_key", `${how}: a wrong key is 401`, r);
  r = await ask(s, "{", {});
  ok(r.status === 400, `${how}: bad JSON is 400`, r);
  r = await ask(s, chat("m", "hi"), { "x-long": "z".repeat(70000) });
  ok(r.status === 431 || r.error, `${how}: 70 KB of header are refused`, r.status);
  r = await ask(s, chat("m", "hi"), { te: "trailers", cookie: "a=b" });
  ok(r.status === 200, `${how}: te and cookie harm nothing`, r);
  s.close();
}

async function ends() {
  const s = connect(plain);
  for (const model of ["truncate", "truncate-tls"]) {
    const r = await ask(s, chat(model, "hi", true));
    ok(r.status === 200 && r.error && !r.body.includes("[DONE]"), `${model}: a cut stream ends in an error`, r);
  }
  const r = await ask(s, chat("slow-100", "hi", true), {}, (stream, got) => {
    if (!got.left) { got.left = true; stream.close(http2.constants.NGHTTP2_CANCEL); }
  });
  ok(!r.body.includes("[DONE]"), "a client that leaves gets no more");
  const again = await ask(s, chat("m", "still there?"));
  ok(again.status === 200, "the connection serves on behind a cancelled stream", again);
  // A client that opens and resets as fast as it can is no reason to stop serving others.
  const rude = connect(plain);
  rude.on("error", () => {});
  for (let i = 0; i < 2000 && !rude.destroyed; i++) {
    const q = rude.request({ ":method": "POST", ":path": "/v1/chat/completions", authorization: `Bearer ${key}` });
    q.on("error", () => {});
    q.close(http2.constants.NGHTTP2_CANCEL);
  }
  await new Promise((f) => setTimeout(f, 300));
  rude.destroy();
  const after = await ask(s, chat("m", "and now?"));
  ok(after.status === 200, "2,000 streams opened and reset: others are served", after);
  s.close();
}

(async () => {
  await both(plain, "plain");
  await both(tls, "TLS");
  await ends();
  console.log(`1..${n}`);
  process.exit(failed ? 1 : 0);
})();
