#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What translation costs: the same gateway, the same provider, the same run, once with the client's own API passed
through and once with another provider's API behind it. nginx plays all providers with canned answers, so that it is
fast and the same for all; the direct baseline asks it without a gateway, peers translate beside. Then a body of half
a million messages, and what others wait for meanwhile. Load by wrk; medians and ratios are printed, nothing is judged.

  translated.py BUILD DEPS [--seconds N] [--rounds N] [--only SIZE,SIZE] [--no-peers]
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench import Peer, Stack, median_of, wrk  # noqa: E402
from stack import free_port, request  # noqa: E402
from upstream import Certs  # noqa: E402

CLAUDE, GEMINI, GPT = "claude-sonnet-4-5", "gemini-2.5-flash", "gpt-4o"
USAGE = {"input_tokens": 12, "output_tokens": 9}
TEXT = "It is a truth universally acknowledged, that a single man in possession of a good fortune must be in want of a wife."
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": CLAUDE, "content": [{"type": "text", "text": TEXT}],
           "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE}
ANSWERS = {
    "= /v1/chat/completions": {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": GPT, "choices": [
        {"index": 0, "message": {"role": "assistant", "content": TEXT, "refusal": None}, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}},
    "= /v1/messages": MESSAGE,
    "~ /invoke$": MESSAGE,
    "~ /converse$": {"output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}}, "stopReason": "end_turn",
                     "usage": {"inputTokens": 12, "outputTokens": 9, "totalTokens": 21}, "metrics": {"latencyMs": 5}},
    "~ :generateContent$": {"candidates": [{"content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP", "index": 0}],
                            "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 9, "totalTokenCount": 21}, "responseId": "r"},
}
KEYS = {"openai": ["sk-proj-" + "a1B2" * 12], "anthropic": ["sk-ant-api03-" + "a1B2" * 20], "gemini": ["AIza" + "Sy0aB1c" * 5],
        "bedrock": ["a1B2" * 10, "--region", "us-east-1", "--access-key-id", "AKIAIOSFODNN7EXAMPLE", "--auth", "sigv4"]}


def providers(base, certs):
    """All providers behind one port. The outer server reads each body whole, as they do, and asks the inner one without it."""
    port, d = free_port(), os.path.join(base, "providers")
    os.makedirs(d)
    cert, key = certs.issue("localhost")
    places = "".join("location %s { return 200 '%s'; }\n" % (k, json.dumps(v)) for k, v in ANSWERS.items())
    with open(f"{d}/nginx.conf", "w") as f:
        f.write(f"""
daemon off; worker_processes 1; pid {d}/pid; error_log {d}/error.log;
events {{ worker_connections 8000; }}
http {{ access_log off; client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u;
 scgi_temp_path {d}/s; keepalive_requests 1000000; client_max_body_size 64m; client_body_buffer_size 2m;
 upstream inner {{ server unix:{d}/inner.sock; keepalive 256; keepalive_requests 1000000; }}
 server {{ listen 127.0.0.1:{port} ssl reuseport backlog=4096; ssl_certificate {cert}; ssl_certificate_key {key};
  location / {{ proxy_pass http://inner; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass_request_body off;
   proxy_set_header Content-Length ""; }} }}
 server {{ listen unix:{d}/inner.sock; default_type application/json;
 {places} }} }}""")
    p = Peer("providers", ["nginx", "-c", f"{d}/nginx.conf", "-p", d], port, "", cwd=d)
    if not p.up:
        sys.exit("the providers did not start: " + open(f"{d}/error.log").read())
    return p


def litellm(base, port, certs, deps):
    exe = os.path.abspath(f"{deps}/litellm/bin/litellm")
    if not os.path.exists(exe):
        return None
    own, d, master = free_port(), os.path.join(base, "litellm"), "sk-bench-0123456789abcdef0123456789abcdef"
    os.makedirs(d)
    with open(f"{d}/config.yaml", "w") as f:
        f.write(f"""
model_list:
  - model_name: {GPT}
    litellm_params: {{model: openai/{GPT}, api_base: "https://localhost:{port}/v1", api_key: "{KEYS['openai'][0]}"}}
  - model_name: {CLAUDE}
    litellm_params: {{model: anthropic/{CLAUDE}, api_base: "https://localhost:{port}", api_key: "{KEYS['anthropic'][0]}"}}
litellm_settings: {{set_verbose: false}}
general_settings: {{master_key: "{master}"}}
""")
    return Peer("litellm", [exe, "--config", f"{d}/config.yaml", "--port", str(own), "--host", "127.0.0.1", "--num_workers", "2"], own, master,
                env={"SSL_CERT_FILE": certs.ca, "REQUESTS_CA_BUNDLE": certs.ca, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
                seconds=120, cwd=d)


def portkey(base, port, certs, deps):
    root = os.path.abspath(f"{deps}/node_modules/@portkey-ai/gateway")
    start = next((p for p in (f"{root}/build/start-server.js", f"{root}/build/start-server.mjs") if os.path.exists(p)), None)
    if start is None:
        return None
    own = free_port()
    return Peer("portkey", ["node", start, f"--port={own}", "--headless"], own, KEYS["anthropic"][0], cwd=base, env={
        "NODE_EXTRA_CA_CERTS": certs.ca, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "localhost,127.0.0.1"})


def body_of(base, model, size, more=""):
    frame = '{"model":"%s"%s,"messages":[{"role":"user","content":"%s"}]}'
    path = os.path.join(base, "%s-%d%s.json" % (model.replace("/", "-"), size, "-m" if more else ""))
    if not os.path.exists(path):
        with open(path, "w") as f:
            f.write(frame % (model, more, "x" * (size - len(frame % (model, more, "")))))
    return path


class Bench:
    def __init__(self, args, base):
        self.args, self.base = args, base
        self.certs = Certs(base)
        os.chmod(self.certs.ca, 0o644)
        self.up = providers(base, self.certs)
        self.stack = Stack(args.build, base)
        self.note = {}
        for item in json.loads(self.ctl("credential", "list", "--json")):
            self.ctl("credential", "remove", item["name"])
        for name, (secret, *more) in KEYS.items():
            self.ctl("credential", "add", name, "--no-test", "--provider", name, "--host", "localhost:%d" % self.up.port, "--ca", self.certs.ca, *more,
                     input=secret + "\n\n")
        peers = [] if args.no_peers else [litellm(base, self.up.port, self.certs, args.deps), portkey(base, self.up.port, self.certs, args.deps)]
        self.peers = {p.name: p for p in peers if p and p.up}

    def ctl(self, *args, input=None):
        argv = [f"{self.args.build}/sallyport", *args, "--dir", self.stack.dir]
        r = subprocess.run(argv, input=input, capture_output=True, text=True)
        if r.returncode != 0 and "--no-test" not in args and "no-test" in r.stderr:
            return self.ctl(*args, "--no-test", input=input)
        if r.returncode != 0:
            sys.exit("%s: %s" % (" ".join(argv), r.stderr))
        return r.stdout

    def subjects(self, size):
        """(name, url, key, headers, body, what it is compared with)"""
        b, up, own = self.base, f"https://localhost:{self.up.port}", f"http://127.0.0.1:{self.stack.port}"
        chat, messages = "/v1/chat/completions", "/v1/messages"
        key, limit = self.stack.key, ',"max_tokens":100'
        out = [("direct", up + chat, "x", [], body_of(b, GPT, size), None),
               ("chat passed through", own + chat, key, [], body_of(b, GPT, size), None)]
        out += [("chat -> " + what, own + chat, key, [], body_of(b, model, size), "chat passed through") for what, model in (
            ("Messages", "anthropic/" + CLAUDE), ("Converse", "bedrock/" + CLAUDE), ("generateContent", "gemini/" + GEMINI))]
        out += [("messages passed through", own + messages, key, [], body_of(b, "anthropic/" + CLAUDE, size, limit), None),
                ("messages -> Bedrock", own + messages, key, [], body_of(b, "bedrock/" + CLAUDE, size, limit), "messages passed through")]
        if "litellm" in self.peers:
            p = self.peers["litellm"]
            out += [("litellm passed through", f"http://127.0.0.1:{p.port}{chat}", p.key, [], body_of(b, GPT, size), None),
                    ("litellm -> Messages", f"http://127.0.0.1:{p.port}{chat}", p.key, [], body_of(b, CLAUDE, size, limit), "litellm passed through")]
        if "portkey" in self.peers:
            p = self.peers["portkey"]
            host = f"x-portkey-custom-host: https://localhost:{self.up.port}/v1"
            out += [("portkey passed through", f"http://127.0.0.1:{p.port}{chat}", p.key, ["x-portkey-provider: openai", host], body_of(b, GPT, size), None),
                    ("portkey -> Messages", f"http://127.0.0.1:{p.port}{chat}", p.key, ["x-portkey-provider: anthropic", host],
                     body_of(b, CLAUDE, size, limit), "portkey passed through")]
        return out

    def throughput(self):
        for label, size in (("1KiB", 1024), ("16KiB", 16384), ("1MiB", 1 << 20)):
            if self.args.only and label not in self.args.only.split(","):
                continue
            subjects = self.subjects(size)
            runs = {s[0]: [] for s in subjects}
            for _ in range(self.args.rounds):
                for name, url, key, headers, body, _ in subjects:
                    runs[name].append(wrk(url, key, headers, body, 32, self.args.seconds, self.base))
            got = {n: median_of(r) for n, r in runs.items()}
            print(f"\nbody {label}, 32 connections")
            print(f"  {'':24} {'req/s':>9} {'of direct':>10} {'of passed through':>18} {'p50 ms':>8} {'p99 ms':>8} {'non-2xx':>8}")
            for name, *_, other in subjects:
                m = got[name]
                ratio = m["rps"] / got[other]["rps"] if other and got[other]["rps"] and not m["bad"] else None
                print(f"  {name:24} {m['rps']:9.0f} {m['rps'] / max(got['direct']['rps'], 1e-9):10.3f} "
                      f"{'' if ratio is None else '%.2f' % ratio:>18} {m['p50']:8.2f} {m['p99']:8.2f} {m['bad']:8.0f}", flush=True)
            self.note[label] = got

    # --- very many messages ------------------------------------------------------------------------------------------

    def worker_mb(self):
        """Most resident memory that a worker has had since the mark was last taken back."""
        best = 0
        for pid, name in self.stack.pids().items():
            if name.startswith("sallyport-gatew"):
                with open(f"/proc/{pid}/status") as f:
                    best = max(best, int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]))
        return best / 1024

    def reset_peaks(self):
        for pid in self.stack.pids():
            try:
                with open(f"/proc/{pid}/clear_refs", "w") as f:
                    f.write("5")
            except OSError:
                pass

    def many_messages(self, model, count, path):
        frame = ['{"role":"user","content":"q"}', '{"role":"assistant","content":"a"}']
        more = b"" if path.endswith("completions") else b'"max_tokens":100,'
        body = b'{"model":"%s",%s"messages":[' % (model.encode(), more) + ",".join(frame[i % 2] for i in range(count - 1)).encode() + \
            b',{"role":"user","content":"q"}]}'
        waits, stop = [], threading.Event()

        def others():
            small = b'{"model":"gpt-4o","messages":[{"role":"user","content":"q"}]}'
            while not stop.is_set():
                t = time.monotonic()
                request(self.stack.port, "POST", "/v1/chat/completions", small, {"authorization": "Bearer " + self.stack.key,
                                                                                "content-type": "application/json"}, 60)
                waits.append(time.monotonic() - t)
                time.sleep(0.005)
        self.reset_peaks()
        thread = threading.Thread(target=others)
        thread.start()
        took, status = [], None
        for _ in range(3):
            t = time.monotonic()
            status = request(self.stack.port, "POST", path, body, {"authorization": "Bearer " + self.stack.key,
                                                                   "content-type": "application/json"}, 60).status
            took.append(time.monotonic() - t)
        stop.set()
        thread.join()
        print(f"  {model:28} {count:9} {len(body) / 1e6:7.1f} {status:7} {statistics.median(took) * 1000:9.0f} "
              f"{max(waits) * 1000:13.0f} {self.worker_mb():12.0f}", flush=True)
        self.note[f"messages/{model}/{count}"] = {"ms": statistics.median(took) * 1000, "status": status, "others_ms": max(waits) * 1000}

    def bodies(self):
        print("\nvery many messages in one body, three times; the longest that another client waited meanwhile")
        print(f"  {'model':28} {'messages':>9} {'MB':>7} {'status':>7} {'median ms':>9} {'others max ms':>13} {'worker MiB':>12}")
        for model, count, path in ((GPT, 100000, "/v1/chat/completions"), ("anthropic/" + CLAUDE, 100000, "/v1/chat/completions"),
                                   ("bedrock/" + CLAUDE, 100000, "/v1/chat/completions"), ("gemini/" + GEMINI, 100000, "/v1/chat/completions"),
                                   ("bedrock/" + CLAUDE, 100000, "/v1/messages"),
                                   (GPT, 500000, "/v1/chat/completions"), ("anthropic/" + CLAUDE, 500000, "/v1/chat/completions"),
                                   ("bedrock/" + CLAUDE, 500000, "/v1/chat/completions"), ("gemini/" + GEMINI, 500000, "/v1/chat/completions"),
                                   ("bedrock/" + CLAUDE, 500000, "/v1/messages")):
            self.many_messages(model, count, path)

    def stop(self):
        for p in list(self.peers.values()) + [self.up]:
            p.stop()
        self.stack.stop()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("deps")
    ap.add_argument("--seconds", type=int, default=4)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--only", default="")
    ap.add_argument("--no-peers", action="store_true")
    args = ap.parse_args()
    if not shutil.which("nginx"):
        sys.exit("translated routes: nginx is not here, left out")
    base = tempfile.mkdtemp(prefix="sallyport-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp"))
    os.chmod(base, 0o755)
    b = Bench(args, base)
    try:
        b.throughput()
        if not args.only:
            b.bodies()
    finally:
        b.stop()
        with open(f"{args.build}/bench-translated.json", "w") as f:
            json.dump(b.note, f, indent=1)
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
