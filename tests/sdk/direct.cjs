// SPDX-License-Identifier: Apache-2.0
// Preloaded (node --require) where an SDK asks the simulators straight: every provider's host is on this machine.
"use strict";
const dns = require("node:dns");

dns.lookup = (name, options, done) => {
  const back = typeof options === "function" ? options : done;
  process.nextTick(() => (options && options.all ? back(null, [{ address: "127.0.0.1", family: 4 }]) : back(null, "127.0.0.1", 4)));
};
