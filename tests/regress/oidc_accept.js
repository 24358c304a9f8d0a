// SPDX-License-Identifier: Apache-2.0
// An OIDC client that we did not write, pointed at our issuer: openid-client reads the
// discovery document, jose fetches the keys that it names and verifies tokens. All
// requests for the issuer's host go to the gateway. Reads a JSON task on standard input:
// {issuer, gateway, audience, tokens}; prints one JSON line.
"use strict";
const { pathToFileURL } = require("url");

const load = (name) => import(pathToFileURL(require.resolve(name)));

async function main(task) {
	const client = await load("openid-client");
	const jose = await load("jose");
	const asked = [];
	const reroute = (url, options) => {
		const u = new URL(url);
		if (u.protocol !== "https:" || u.host !== new URL(task.issuer).host) throw new Error("left the issuer: " + url);
		asked.push(u.pathname);
		return fetch(task.gateway + u.pathname + u.search, options);
	};
	const config = await client.discovery(new URL(task.issuer), "sts.amazonaws.com", undefined, client.None(), {
		[client.customFetch]: reroute,
	});
	const server = config.serverMetadata();
	const keys = jose.createRemoteJWKSet(new URL(server.jwks_uri), { [jose.customFetch]: reroute });
	const good = [], bad = [];
	for (const token of task.tokens) {
		const { payload, protectedHeader } = await jose.jwtVerify(token, keys, {
			issuer: task.issuer, audience: task.audience, algorithms: ["RS256"], requiredClaims: ["sub", "iat", "exp", "jti"],
		});
		good.push({ sub: payload.sub, kid: protectedHeader.kid });
		const [h, c, s] = token.split(".");
		const forged = [h, c.slice(0, -2) + (c.endsWith("A") ? "B" : "A") + c.slice(-1), s].join(".");
		await jose.jwtVerify(forged, keys, { issuer: task.issuer }).then(() => bad.push("accepted"), (e) => bad.push(e.code));
	}
	const thumbs = [];
	for (const jwk of (await (await reroute(server.jwks_uri)).json()).keys)
		thumbs.push([jwk.kid, await jose.calculateJwkThumbprint(jwk, "sha256")]);
	console.log(JSON.stringify({ issuer: server.issuer, good, bad, thumbs, asked }));
}

let text = "";
process.stdin.on("data", (d) => (text += d));
process.stdin.on("end", () => main(JSON.parse(text)).catch((e) => { console.error(e); process.exit(1); }));
