#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Throughput, latency and memory of Sallyport, everything on (isolation, durable
audit, TLS upstream), beside a direct TLS connection to the same provider and the
peers of the same run. Load by wrk; rounds are interleaved so that a drifting
machine moves all subjects alike; medians and ratios are printed, nothing is judged.

  bench.py BUILD DEPS [--seconds N] [--rounds N] [--only NAME,NAME] [--quick]
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from stack import free_port  # noqa: E402


def wait_port(port, seconds, proc):
    end = time.time() + seconds
    while time.time() < end and proc.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


class Stack:
    """The Sallyport demo stack: also gives the provider's port, key and CA."""

    def __init__(self, build, base):
        self.dir = os.path.join(base, "stack")
        self.port = free_port()
        t = time.time()
        self.proc = subprocess.Popen(
            [f"{build}/sallyport", "up", "--demo", "--dir", self.dir, "--listen", f"127.0.0.1:{self.port}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.proc.stdout:
            if line.startswith("ready"):
                self.ready_line = line.strip()
                break
        else:
            sys.exit("the demo stack did not start")
        self.ready_s = time.time() - t
        env = dict(l.strip().removeprefix("export ").split("=", 1) for l in open(f"{self.dir}/demo.env") if "=" in l)
        self.key = env["SALLYPORT_KEY"]
        items = json.loads(subprocess.check_output([f"{build}/sallyport", "--dir", self.dir, "credential", "list", "--json"]))
        items = items.get("credentials", items) if isinstance(items, dict) else items
        openai = next(c for c in items if c["provider"].startswith("openai"))
        self.provider_port = int(openai["port"])
        self.provider_host = openai["host"]
        self.provider_key = next(l.split()[1] for l in open(f"{self.dir}/provider.keys") if l.startswith("openai"))
        self.ca = f"{self.dir}/tls/ca.pem"

    def pids(self):
        """pid -> name of all processes of the stack but the demo provider and the supervisor."""
        parents = {}
        for p in filter(str.isdigit, os.listdir("/proc")):
            try:
                stat = open(f"/proc/{p}/stat").read()
                name = stat[stat.index("(") + 1:stat.rindex(")")]
                parents[int(p)] = (int(stat[stat.rindex(")") + 2:].split()[1]), name)
            except OSError:
                pass
        mine, grew = {self.proc.pid}, True
        while grew:
            more = {p for p, (pp, _) in parents.items() if pp in mine} - mine
            mine |= more
            grew = bool(more)
        names = {p: parents[p][1] for p in mine if p in parents and p != self.proc.pid}
        return {p: n for p, n in names.items() if "provider" not in open(f"/proc/{p}/cmdline").read()}

    def memory_kb(self):
        """(sum of RSS, sum of PSS) over the stack."""
        rss = pss = 0
        for p in self.pids():
            for line in open(f"/proc/{p}/smaps_rollup"):
                if line.startswith("Rss:"):
                    rss += int(line.split()[1])
                if line.startswith("Pss:"):
                    pss += int(line.split()[1])
        return rss, pss

    def stop(self):
        self.proc.send_signal(signal.SIGINT)
        self.proc.wait(20)


class Peer:
    def __init__(self, name, argv, port, key, headers=(), env=None, seconds=60, cwd=None):
        self.name, self.port, self.key, self.headers = name, port, key, list(headers)
        self.log = open(os.path.join(cwd or "/tmp", f"{name}.log"), "w")
        self.proc = subprocess.Popen(argv, stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})}, cwd=cwd,
                                     start_new_session=True)
        self.up = wait_port(port, seconds, self.proc) and self.proc.poll() is None

    def stop(self):
        try:
            os.killpg(self.proc.pid, signal.SIGTERM)
            self.proc.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.proc.pid, signal.SIGKILL)


def nginx(base, stack):
    if not shutil.which("nginx"):
        return None
    port, d = free_port(), os.path.join(base, "nginx")
    os.makedirs(d)
    open(f"{d}/nginx.conf", "w").write(f"""
daemon off; worker_processes auto; pid {d}/pid; error_log {d}/error.log;
events {{ worker_connections 20000; }}
http {{ access_log {d}/access.log; client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f;
 uwsgi_temp_path {d}/u; scgi_temp_path {d}/s; keepalive_requests 100000; client_max_body_size 64m;
 upstream provider {{ server 127.0.0.1:{stack.provider_port}; keepalive 256; }}
 server {{ listen 127.0.0.1:{port} reuseport backlog=4096; location / {{ proxy_pass https://provider; proxy_http_version 1.1;
  proxy_set_header Connection ""; proxy_set_header Host {stack.provider_host}; proxy_set_header Authorization "Bearer {stack.provider_key}";
  proxy_ssl_server_name on; proxy_ssl_name {stack.provider_host}; proxy_ssl_verify on; proxy_ssl_trusted_certificate {stack.ca};
  proxy_buffering off; }} }} }}""")
    return Peer("nginx", ["nginx", "-c", f"{d}/nginx.conf", "-p", d], port, "unused", cwd=d)


def haproxy(base, stack):
    if not shutil.which("haproxy"):
        return None
    port, d = free_port(), os.path.join(base, "haproxy")
    os.makedirs(d)
    open(f"{d}/haproxy.cfg", "w").write(f"""
global
 maxconn 9000
defaults
 mode http
 timeout connect 5s
 timeout client 600s
 timeout server 600s
frontend f
 bind 127.0.0.1:{port}
 default_backend b
backend b
 http-reuse always
 http-request set-header authorization "Bearer {stack.provider_key}"
 http-request set-header host {stack.provider_host}
 server s 127.0.0.1:{stack.provider_port} ssl verify required ca-file {stack.ca} sni str({stack.provider_host}) verifyhost {stack.provider_host}
""")
    return Peer("haproxy", ["haproxy", "-f", f"{d}/haproxy.cfg"], port, "unused", cwd=d)


def portkey(base, stack, deps):
    root = os.path.abspath(f"{deps}/node_modules/@portkey-ai/gateway")
    if not os.path.isdir(root):
        return None
    port = free_port()
    start = next((p for p in (f"{root}/build/start-server.js", f"{root}/build/start-server.mjs") if os.path.exists(p)), None)
    if start is None:
        return None
    return Peer("portkey", ["node", start, f"--port={port}", "--headless"], port, stack.provider_key,
                headers=["x-portkey-provider: openai", f"x-portkey-custom-host: https://localhost:{stack.provider_port}/v1"],
                env={"NODE_EXTRA_CA_CERTS": stack.ca, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "localhost,127.0.0.1"}, cwd=base)


def litellm(base, stack, deps):
    exe = os.path.abspath(f"{deps}/litellm/bin/litellm")
    if not os.path.exists(exe):
        return None
    port, d, master = free_port(), os.path.join(base, "litellm"), "sk-bench-0123456789abcdef0123456789abcdef"
    os.makedirs(d)
    open(f"{d}/config.yaml", "w").write(f"""
model_list:
  - model_name: demo
    litellm_params: {{model: openai/demo, api_base: "https://localhost:{stack.provider_port}/v1", api_key: "{stack.provider_key}"}}
litellm_settings: {{set_verbose: false}}
general_settings: {{master_key: "{master}"}}
""")
    bundle = f"{d}/ca.pem"
    open(bundle, "w").write(open(stack.ca).read())
    return Peer("litellm", [exe, "--config", f"{d}/config.yaml", "--port", str(port), "--host", "127.0.0.1", "--num_workers", "2"], port,
                master, env={"SSL_CERT_FILE": bundle, "REQUESTS_CA_BUNDLE": bundle, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                               "LITELLM_LOG": "ERROR"}, seconds=120, cwd=d)


def wrk(url, key, headers, body, conns, seconds, base):
    script = os.path.join(base, "req.lua")
    lua_headers = "".join(f'wrk.headers["{h.split(": ")[0]}"] = "{h.split(": ", 1)[1]}"\n' for h in headers)
    open(script, "w").write(f"""wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
{lua_headers}local f = io.open("{body}", "rb")
wrk.body = f:read("*all")
f:close()
""")
    out = subprocess.run(["wrk", "-t1", f"-c{conns}", f"-d{seconds}s", "--timeout", "20s", "--latency", "-s", script, url],
                         capture_output=True, text=True).stdout
    rps = float((re.search(r"Requests/sec:\s+([\d.]+)", out) or [0, "0"])[1])
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    lat = {p: float(v) * unit[u] for p, v, u in re.findall(r"\s(50|99)%\s+([\d.]+)(us|ms|s)\b", out)}
    m = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return {"rps": rps, "p50": lat.get("50", 0), "p99": lat.get("99", 0), "bad": int(m[1]) if m else 0}


def median_of(runs):
    return {k: statistics.median(r[k] for r in runs) for k in runs[0]}


def streams(build, kind, port, key, count, model, seconds):
    out = subprocess.run([f"{build}/bench-streams", kind, "127.0.0.1", str(port), key, str(count), model, str(seconds)],
                         capture_output=True, text=True).stdout
    return json.loads(out) if out else {}


def throughput(args, base, subjects, note):
    sizes = [("1KiB", 1024)] if args.quick else [("1KiB", 1024), ("16KiB", 16384), ("1MiB", 1 << 20)]
    for label, size in sizes:
        body = os.path.join(base, f"body-{size}.json")
        frame = '{"model":"demo","messages":[{"role":"user","content":"%s"}]}'
        open(body, "w").write(frame % ("x" * (size - len(frame) + 2)))
        for conns in ([1, 32, 256] if size == 1024 else [32]):
            runs = {s[0]: [] for s in subjects}
            for _ in range(args.rounds):
                for name, scheme, port, key, headers in subjects:
                    r = wrk(f"{scheme}://127.0.0.1:{port}/v1/chat/completions", key, headers, body, conns, args.seconds, base)
                    runs[name].append(r)
            direct = median_of(runs["direct"])
            print(f"\nbody {label}, {conns} connection{'s' if conns > 1 else ''}")
            print(f"  {'':10} {'req/s':>9} {'of direct':>10} {'p50 ms':>8} {'p99 ms':>8} {'added p50':>10} {'added p99':>10} {'non-2xx':>8}")
            for name in runs:
                m = median_of(runs[name])
                ratio = m["rps"] / direct["rps"] if direct["rps"] else 0
                print(f"  {name:10} {m['rps']:9.0f} {ratio:10.3f} {m['p50']:8.2f} {m['p99']:8.2f} "
                      f"{m['p50'] - direct['p50']:10.2f} {m['p99'] - direct['p99']:10.2f} {m['bad']:8.0f}")
            note[f"{label}/{conns}"] = {n: median_of(runs[n]) for n in runs}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("deps")
    ap.add_argument("--seconds", type=int, default=4)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--only", default="")
    ap.add_argument("--quick", action="store_true")
    args = ap.parse_args()
    base = tempfile.mkdtemp(prefix="sallyport-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp"))
    os.chmod(base, 0o755)
    want = set(filter(None, args.only.split(",")))
    note = {}
    stack = Stack(args.build, base)
    peers = [p for p in (make() for make in (
        lambda: nginx(base, stack) if not want or "nginx" in want else None,
        lambda: haproxy(base, stack) if not want or "haproxy" in want else None,
        lambda: portkey(base, stack, args.deps) if not want or "portkey" in want else None,
        lambda: litellm(base, stack, args.deps) if not want or "litellm" in want else None)) if p]
    try:
        print(f"machine: {os.cpu_count()} cores, kernel {os.uname().release}; load generator, provider and subject share it")
        print(f"{stack.ready_line}   (whole command to ready: {stack.ready_s * 1000:.0f} ms)")
        rss, pss = stack.memory_kb()
        print(f"idle memory: {rss / 1024:.1f} MiB RSS, {pss / 1024:.1f} MiB PSS over {len(stack.pids())} processes")
        flush = json.loads(subprocess.check_output([f"{args.build}/bench-fsync", f"{stack.dir}/flush.tmp"]))
        print(f"disk: {flush['flushes_per_s']:.0f} fdatasync/s, p50 {flush['p50_us'] / 1000:.2f} ms each (an audit commit is two)")
        subjects = [("direct", "https", stack.provider_port, stack.provider_key, [])]
        subjects += [(p.name, "http", p.port, p.key, p.headers) for p in peers if p.up]
        for p in peers:
            if not p.up:
                print(f"{p.name}: did not start, left out")
        subjects.append(("sallyport", "http", stack.port, stack.key, []))
        throughput(args, base, subjects, note)

        print("\nstreams: 200 events each, 5 ms apart; age of an event when the client has it")
        print(f"  {'':10} {'streams':>8} {'first byte p50/p99 ms':>22} {'event p50/p99 ms':>18} {'events':>8} {'failed':>7}")
        for count in (1, 32):
            for name, scheme, port, key, headers in subjects:
                if headers or name == "litellm":
                    continue
                r = streams(args.build, "tls" if scheme == "https" else "plain", port, key, count, "stamp-200-5", 20)
                if r:
                    note[f"streams/{count}/{name}"] = r
                    print(f"  {name:10} {count:8} {r['first_byte_p50_us'] / 1000:10.2f} /{r['first_byte_p99_us'] / 1000:9.2f} "
                          f"{r['event_p50_us'] / 1000:9.2f} /{r['event_p99_us'] / 1000:7.2f} {r['events']:8} {r['failed']:7}")
        if not args.quick:
            for count in (1000, 10000):
                before = stack.memory_kb()
                p = subprocess.Popen([f"{args.build}/bench-streams", "plain", "127.0.0.1", str(stack.port), stack.key, str(count),
                                      "stamp-2-60000", "45", "500"], stdout=subprocess.PIPE, text=True)
                time.sleep(36)
                during = stack.memory_kb()
                r = json.loads(p.communicate()[0])
                per = (during[1] - before[1]) / max(r["open"], 1)
                print(f"\n{count} open streams: {r['open']} open, {r['failed']} failed; {during[0] / 1024:.0f} MiB RSS, "
                      f"{during[1] / 1024:.0f} MiB PSS; {per:.1f} KB PSS a stream")
                note[f"open/{count}"] = {**r, "kb_per_stream": per}
                time.sleep(3)
    finally:
        for p in peers:
            p.stop()
        stack.stop()
        json.dump(note, open(f"{args.build}/bench.json", "w"), indent=1)
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
