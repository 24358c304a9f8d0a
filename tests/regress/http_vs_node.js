// SPDX-License-Identifier: Apache-2.0
// Our HTTP parser beside Node's (llhttp, strict mode): whatever ours accepts, Node must
// accept too and read as the same messages, or a proxy and the server behind it could
// disagree about where a message ends. The input is a table, and a few good messages
// with one byte changed, removed or put in at every place. No network is used: both ends
// of Node get a stream made here.
'use strict';
const http = require('http');
const { Duplex } = require('stream');
const { spawnSync } = require('child_process');

const H = 'Host: a\r\n';
const GET = 'GET / HTTP/1.1\r\n' + H;
const POST = 'POST /v1 HTTP/1.1\r\n' + H;
const CHUNKED = POST + 'Transfer-Encoding: chunked\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\n';

// [kind, bytes, what ours makes of them]
const table = [
	['Q', GET + '\r\n', 'accept'],
	['Q', '\r\n' + GET + '\r\n', 'accept'],
	['Q', '\r\n\r\n' + GET + '\r\n', 'reject'],
	['Q', GET + '\r\n' + GET + '\r\n', 'accept'],
	['Q', GET, 'cut'],
	['Q', 'OPTIONS * HTTP/1.1\r\n' + H + '\r\n', 'accept'],
	['Q', 'GET /a?b=c%20d HTTP/1.1\r\n' + H + '\r\n', 'accept'],
	['Q', 'GET http://a/ HTTP/1.1\r\n' + H + '\r\n', 'reject'],
	['Q', 'GET * HTTP/1.1\r\n' + H + '\r\n', 'reject'],
	['Q', 'GET /a#b HTTP/1.1\r\n' + H + '\r\n', 'reject'],
	['Q', 'GET /\xe4 HTTP/1.1\r\n' + H + '\r\n', 'reject'],
	['Q', 'GET /a b HTTP/1.1\r\n' + H + '\r\n', 'reject'],
	['Q', 'GET /\0 HTTP/1.1\r\n' + H + '\r\n', 'reject'],
	['Q', 'GET  / HTTP/1.1\r\n' + H + '\r\n', 'reject'],
	['Q', 'GET / HTTP/1.1 \r\n' + H + '\r\n', 'reject'],
	['Q', 'GET / HTTP/1.2\r\n' + H + '\r\n', 'reject'],
	['Q', 'GET / HTTP/0.9\r\n\r\n', 'reject'],
	['Q', 'GET / HTTP/2.0\r\n' + H + '\r\n', 'reject'],
	['Q', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'reject'],
	['Q', 'GET / HTTP/1.0\r\n\r\n', 'accept'],
	['Q', 'GET / HTTP/1.1\r\n\r\n', 'reject'],
	['Q', GET + H + '\r\n', 'reject'],
	['Q', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 'reject'],
	['Q', 'GET / HTTP/1.1\nHost: a\n\n', 'reject'],
	['Q', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 'reject'],
	['Q', GET + '\n', 'reject'],
	['Q', GET + 'X: a\rY: b\r\n\r\n', 'reject'],
	['Q', GET + 'X: a\r\n b\r\n\r\n', 'reject'],
	['Q', GET + 'X : a\r\n\r\n', 'reject'],
	['Q', GET + ': a\r\n\r\n', 'reject'],
	['Q', GET + 'X\r\n\r\n', 'reject'],
	['Q', GET + 'X: a\0\r\n\r\n', 'reject'],
	['Q', GET + 'X: a\x01\r\n\r\n', 'reject'],
	['Q', GET + 'X: a\x7f\r\n\r\n', 'reject'],
	['Q', GET + 'X: \xe4\t \r\n\r\n', 'accept'],
	['Q', GET + 'X:\r\n\r\n', 'accept'],
	['Q', POST + 'Content-Length: 5\r\n\r\nhello', 'accept'],
	['Q', POST + 'Content-Length: 5\r\n\r\nhell', 'cut'],
	['Q', POST + 'Content-Length: 05\r\n\r\nhello', 'accept'],
	['Q', POST + 'Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello', 'reject'],
	['Q', POST + 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello', 'reject'],
	['Q', POST + 'Content-Length: 5, 5\r\n\r\nhello', 'reject'],
	['Q', POST + 'Content-Length: +5\r\n\r\nhello', 'reject'],
	['Q', POST + 'Content-Length: 0x5\r\n\r\nhello', 'reject'],
	['Q', POST + 'Content-Length:\r\n\r\nhello', 'reject'],
	['Q', POST + 'Content-Length: 18446744073709551616\r\n\r\nhello', 'reject'],
	['Q', CHUNKED + '5\r\nhello\r\n0\r\n\r\n', 'accept'],
	['Q', CHUNKED + '5;a=b\r\nhello\r\n0;c\r\n\r\n', 'accept'],
	['Q', CHUNKED + '5;a="b c"\r\nhello\r\n0\r\nT: 1\r\n\r\n' + GET + '\r\n', 'accept'],
	['Q', CHUNKED + '5\r\nhello\r\n0\r\n', 'cut'],
	['Q', CHUNKED + '5 \r\nhello\r\n0\r\n\r\n', 'reject'],
	['Q', CHUNKED + '5\nhello\r\n0\r\n\r\n', 'reject'],
	['Q', CHUNKED + '5\r\nhello!\r\n0\r\n\r\n', 'reject'],
	['Q', CHUNKED + '5\r\nhello0\r\n\r\n', 'reject'],
	['Q', CHUNKED + '5\r\nhello\n0\r\n\r\n', 'reject'],
	['Q', CHUNKED + '0x5\r\nhello\r\n0\r\n\r\n', 'reject'],
	['Q', CHUNKED + '5;a\nhello\r\n0\r\n\r\n', 'reject'],
	['Q', CHUNKED + '10000000000000005\r\nhello\r\n0\r\n\r\n', 'reject'],
	['Q', CHUNKED + '0\r\nT : 1\r\n\r\n', 'reject'],
	['Q', CHUNKED + '0\r\nContent-Length: 5\r\n\r\n', 'reject'],
	['Q', POST + 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'reject'],
	['Q', POST + 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n', 'reject'],
	['Q', POST + 'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', 'reject'],
	['Q', POST + 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 'reject'],
	['Q', POST + 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n', 'reject'],
	['Q', POST + 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', 'reject'],
	['Q', POST + 'Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n', 'accept'],
	['Q', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'reject'],
	['Q', POST + 'Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi', 'accept'],
	['Q', POST + 'Expect: else\r\n\r\n', 'reject'],
	['R', OK + 'Content-Length: 2\r\n\r\nhi', 'accept'],
	['R', OK + 'Content-Length: 2\r\n\r\nh', 'cut'],
	['R', OK + '\r\nto the end', 'accept'],
	['R', OK + 'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n', 'accept'],
	['R', OK + 'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n', 'cut'],
	['R', OK + 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'reject'],
	['R', OK + 'Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi', 'reject'],
	['R', OK + 'Transfer-Encoding: gzip\r\n\r\nhi', 'reject'],
	['R', 'HTTP/1.1 100 Continue\r\n\r\n' + OK + 'Content-Length: 0\r\n\r\n', 'accept'],
	['R', 'HTTP/1.1 204 No Content\r\n\r\n', 'accept'],
	['R', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n', 'accept'],
	['R', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n', 'reject'],
	['R', 'HTTP/1.1 429\r\nContent-Length: 0\r\n\r\n', 'accept'],
	['R', 'HTTP/1.0 200 OK\r\n\r\nx', 'accept'],
	['R', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', 'reject'],
	['R', OK + 'X: a\r\n b\r\nContent-Length: 0\r\n\r\n', 'reject'],
	['R', OK + 'X : a\r\nContent-Length: 0\r\n\r\n', 'reject'],
	['R', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n', 'reject'],
	['R', 'HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n', 'reject'],
	['R', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n', 'reject'],
	['R', 'ICY 200 OK\r\n\r\n', 'reject'],
];

// What Node refuses for a reason of its own: it has a list of methods.
function nodesOwn(node) {
	return node.code === 'HPE_INVALID_METHOD';
}

class Wire extends Duplex {
	constructor(onWrite) {
		super();
		this.out = '';
		this.onWrite = onWrite;
	}
	_read() {}
	_write(chunk, encoding, done) {
		this.out += chunk.toString('latin1');
		if (this.onWrite) {
			this.onWrite();
			this.onWrite = null;
		}
		done();
	}
}

const turns = (n) => new Promise((resolve) => {
	const turn = () => (n-- > 0 ? setImmediate(turn) : resolve());
	turn();
});

let current;
const server = http.createServer((req, res) => {
	const to = current;
	const body = [];
	req.on('error', () => {});
	req.on('data', (d) => body.push(d));
	req.on('end', () => {
		to.messages.push([req.method, req.url, Buffer.concat(body).toString('hex')]);
		res.end();
	});
});
server.on('clientError', (err, socket) => {
	current.code = err.code || 'error';
	socket.destroy();
});

async function nodeRequest(bytes) {
	current = { messages: [], code: null };
	const wire = new Wire();
	wire.on('error', () => {});
	server.emit('connection', wire);
	wire.push(bytes);
	await turns(6);
	const refused = /^HTTP\/1\.1 4\d\d /.test(wire.out);
	wire.push(null);
	await turns(4);
	wire.destroy();
	const cut = ['HPE_INVALID_EOF_STATE', 'ECONNRESET'].includes(current.code);
	let verdict = 'accept';
	if (refused || (current.code !== null && !cut)) verdict = 'reject';
	else if (cut || current.messages.length === 0) verdict = 'cut';
	return { verdict, code: current.code, messages: current.messages };
}

async function nodeResponse(bytes) {
	const r = { verdict: 'cut', code: null, messages: [] };
	const wire = new Wire(() => {
		wire.push(bytes);
		wire.push(null);
	});
	const req = http.request({ createConnection: () => wire, method: 'GET', host: 'a' });
	req.on('error', (err) => {
		r.code = err.code;
		r.verdict = err.code === 'ECONNRESET' ? 'cut' : 'reject';
	});
	req.on('response', (res) => {
		const body = [];
		res.on('error', (err) => {
			r.code = err.code;
			if (r.verdict !== 'reject') r.verdict = err.code === 'ECONNRESET' ? 'cut' : 'reject';
		});
		res.on('data', (d) => body.push(d));
		res.on('end', () => {
			if (res.complete) r.verdict = 'accept';
			r.messages.push([String(res.statusCode), '', Buffer.concat(body).toString('hex')]);
		});
	});
	req.end();
	await turns(10);
	wire.destroy();
	return r;
}

function oursAll(program, shapes) {
	const parts = [];
	for (const [kind, text] of shapes) {
		const bytes = Buffer.from(text, 'latin1');
		const head = Buffer.alloc(5);
		head.write(kind);
		head.writeUInt32BE(bytes.length, 1);
		parts.push(head, bytes);
	}
	const run = spawnSync(program, { input: Buffer.concat(parts), maxBuffer: 1 << 28, encoding: 'latin1' });
	if (run.status !== 0) throw new Error(`our half: status ${run.status} ${run.stderr}`);
	return run.stdout.split('\n').slice(0, -1).map((line) => {
		const f = line.split('\t');
		const messages = [];
		for (let i = 2; i < f.length; i += 3) messages.push(f.slice(i, i + 3));
		return { verdict: f[0], reason: f[1], messages };
	});
}

// One byte changed, put in or removed at every place of a few good messages.
function mutations() {
	const seeds = [
		['Q', 'GET /a?b HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n'],
		['Q', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'],
		['Q', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\n0\r\nT: 1\r\n\r\n'],
		['Q', 'POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na'],
		['R', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc'],
		['R', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\n0\r\nT: 1\r\n\r\n'],
	];
	const bytes = '\0\t\n\v\r "+,-./05;:=?Ff\\_x\x7f\x80\xff';
	const shapes = [];
	for (const [kind, seed] of seeds)
		for (let i = 0; i <= seed.length; i++) {
			shapes.push([kind, seed.slice(0, i)]);
			shapes.push([kind, seed.slice(0, i) + seed.slice(i + 1)]);
			for (const b of bytes) {
				shapes.push([kind, seed.slice(0, i) + b + seed.slice(i)]);
				shapes.push([kind, seed.slice(0, i) + b + seed.slice(i + 1)]);
			}
		}
	return shapes;
}

async function main() {
	const program = process.argv[2];
	const askNode = (kind, bytes) =>
		(kind === 'Q' ? nodeRequest : nodeResponse)(Buffer.from(bytes, 'latin1'));
	let failed = 0, tests = 0;
	const report = (faults, text) => {
		failed += faults.length;
		console.log(`${faults.length === 0 ? 'ok' : 'not ok'} ${++tests} - ${text}`);
		for (const f of faults.slice(0, 40)) console.log('# ' + f);
	};

	// What is wrong with a shape that ours accepts, or null.
	const compare = async (kind, bytes, ours) => {
		const node = await askNode(kind, bytes);
		if (nodesOwn(node)) return null;
		if (node.verdict === 'accept' && JSON.stringify(ours.messages) === JSON.stringify(node.messages))
			return null;
		return `${JSON.stringify(bytes)}: ours ${JSON.stringify(ours.messages)}, ` +
			`Node ${node.verdict} (${node.code}) ${JSON.stringify(node.messages)}`;
	};

	let faults = [];
	const ours = oursAll(program, table);
	const stricter = [];
	for (let i = 0; i < table.length; i++) {
		const [kind, bytes, want] = table[i];
		if (ours[i].verdict !== want)
			faults.push(`${JSON.stringify(bytes)}: ${ours[i].verdict} (${ours[i].reason}), wanted ${want}`);
		else if (want === 'accept')
			faults.push(await compare(kind, bytes, ours[i]));
		else if ((await askNode(kind, bytes)).verdict === 'accept')
			stricter.push(`Node alone accepts ${JSON.stringify(bytes)}`);
	}
	report(faults.filter((f) => f !== null), `${table.length} shapes of the table`);
	for (const s of stricter) console.log('# ' + s);

	faults = [];
	const shapes = mutations();
	const verdicts = oursAll(program, shapes);
	const accepted = { Q: 0, R: 0 };
	for (let i = 0; i < shapes.length; i++) {
		if (verdicts[i].verdict !== 'accept') continue;
		accepted[shapes[i][0]]++;
		faults.push(await compare(...shapes[i], verdicts[i]));
	}
	if (accepted.Q < 500 || accepted.R < 200) faults.push('hardly anything was accepted');
	report(faults.filter((f) => f !== null), `of ${shapes.length} mutations, ${accepted.Q} requests ` +
		`and ${accepted.R} answers that ours accepts are the same to Node`);
	console.log('1..2');
	process.exit(failed === 0 ? 0 : 1);
}

main();
