#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keys by command against the provider simulators: every form in which clouds hand them out, tried as they are stored,
rotated, and told when they do not work; our OIDC issuer from its name to documents on a web server's disk.
"""

import json
import os
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
try:
    import cryptography  # noqa: F401
    import jwt  # noqa: F401
except ImportError as e:
    import tap
    tap.skip_all("the simulators need %s" % e.name)
import tap
from providers import ProviderStack
from tap import case

HAIKU = "claude-haiku-4-5"


class Shell:
    def __init__(self, s):
        self.s = s

    def __call__(self, *args, text="", code=0, no_ca=False):
        """The command; standard output and error. Every other exit status is a failure."""
        if args[:2] == ("credential", "add") and not no_ca:
            args += ("--ca", self.s.sim.ca)
        r = self.s.ctl(*args, check=False, input=text.encode())
        out, err = r.stdout.decode(), r.stderr.decode()
        assert r.returncode == code, (args, r.returncode, out, err)
        return out, err

    def show(self, name):
        return json.loads(self("credential", "show", name, "--json")[0])

    def file(self, name, text):
        path = os.path.join(self.s.dir, name)
        with open(path, "w") as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        return path


def ask(s, model, path="/v1/chat/completions"):
    r = s.post(path, {"model": model, "messages": [{"role": "user", "content": "hi"}]})
    assert r.status == 200 and b"You said: hi" in r.body, r


def tried(sh, s):
    w = s.sim.world
    with case("a good key works as it is stored"):
        out, err = sh("credential", "add", "k1", "--provider", "openai", text=w.openai_key + "\n")
        assert "k1 added (version 1)" in out and "k1 works: api.openai.com" in out and " ms" in out and not err, (out, err)
    with case("a wrong key: exit 3, the fix, and it stays stored"):
        out, err = sh("credential", "add", "k2", "--provider", "openai", text="sk-proj-" + "w" * 40 + "\n", code=3)
        assert "k2 added" in out and "does not work (auth)" in err and "HTTP 401" in err, (out, err)
        assert "\nfix: " in err and "rotate k2" in err and "stored as it is" in err, err
        assert sh.show("k2")["version"] == 1
    with case("credential test says the same: exit 3"):
        _, err = sh("credential", "test", "k2", code=3)
        assert "does not work (auth)" in err and "fix: " in err and "stays" not in err, err
    with case("and its JSON too"):
        got = json.loads(sh("credential", "test", "k2", "--json", code=3)[0])
        assert got["works"] is False and got["class"] == "auth" and got["status"] == 401 and got["fix"], got
    with case("rotated to a good one it works"):
        out, _ = sh("credential", "rotate", "k2", text=w.openai_key + "\n")
        assert "k2 rotated (version 2)" in out and "k2 works" in out, out
    with case("a model without access"):
        _, err = sh("credential", "test", "k1", "--model", "gpt-nothing", code=3)
        assert "not_found" in err and "gpt-nothing" in err and "fix: " in err, err
    with case("--no-test asks nobody"):
        n = len(w.requests)
        out, _ = sh("credential", "add", "k3", "--provider", "anthropic", "--no-test", text=w.anthropic_key + "\n")
        assert "works" not in out and len(w.requests) == n
    with case("nor does --disabled"):
        out, _ = sh("credential", "add", "k4", "--provider", "anthropic", "--disabled", text=w.anthropic_key + "\n")
        assert "works" not in out and len(w.requests) == n
    with case("a provider that is down is a fault of its own"):
        w.order("api.anthropic.com", "500")
        _, err = sh("credential", "test", "k3", code=3)
        assert "(server)" in err and "500" in err, err
    with case("a name that is not there: exit 1"):
        _, err = sh("credential", "test", "nothing", code=1)
        assert "nothing" in err, err
    with case("each test is in the trail"):
        tested = {r["key_id"] for r in s.audit() if r["event"] == "credential.tested"}
        assert {sh.show(k)["id"] for k in ("k1", "k2", "k3")} <= tested, tested
    for name in ("k1", "k2", "k3", "k4"):
        sh("credential", "remove", name)


def aws(sh, s):
    w = s.sim.world
    key = w.aws_long
    shapes = {
        "aws iam create-access-key": {"AccessKey": {"UserName": "u", "AccessKeyId": key.access_key_id, "Status": "Active",
                                                    "SecretAccessKey": key.secret, "CreateDate": "2026-01-01T00:00:00Z"}},
        "camel case, flat": {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret, "region": "us-east-1"},
        "snake case, nested": {"credentials": {"access_key_id": key.access_key_id, "secret_access_key": key.secret}},
    }
    sh("credential", "remove", "bedrock")
    for what, shape in shapes.items():
        with case("AWS JSON, " + what):
            region = [] if "region" in shape else ["--region", "us-east-1"]
            out, _ = sh("credential", "add", "aws", "--aws-json", "-", *region, text=json.dumps(shape))
            assert "aws works: bedrock-runtime.us-east-1" in out, out
            ask(s, "bedrock/" + HAIKU)
            sh("credential", "remove", "aws")
    with case("AWS JSON, aws sts get-session-token, from a file: with its end"):
        temp = w.issue_aws(3600, "")
        end = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(temp.expires))
        path = sh.file("sts.json", {"Credentials": {"AccessKeyId": temp.access_key_id, "SecretAccessKey": temp.secret,
                                                    "SessionToken": temp.session, "Expiration": end}})
        out, _ = sh("credential", "add", "aws", "--aws-json", path, "--region", "us-east-1")
        assert "works" in out, out
        ask(s, "bedrock/" + HAIKU)
        got = sh.show("aws")
        assert got["has_session_token"] and int(got["settings"]["expires"]) == int(temp.expires), got
        assert "expires          " + end[:19] + "Z" in sh("credential", "show", "aws")[0]
    with case("rotated to the next one, its end included"):
        temp = w.issue_aws(1800, "")
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(temp.expires))
        sh("credential", "rotate", "aws", "--aws-json", "-", text=json.dumps(
            {"AccessKeyId": temp.access_key_id, "SecretAccessKey": temp.secret, "SessionToken": temp.session,
             "Expiration": end}))
        ask(s, "bedrock/" + HAIKU)
        got = sh.show("aws")
        assert got["access_key_id"] == temp.access_key_id and int(got["settings"]["expires"]) == int(temp.expires), got
    with case("rotated to a long-term one it has no end"):
        out, _ = sh("credential", "rotate", "aws", "--aws-json", "-", text=json.dumps(shapes["camel case, flat"]))
        ask(s, "bedrock/" + HAIKU)
        got = sh.show("aws")
        assert "expires" not in got["settings"] and not got["has_session_token"], got
    with case("one that is over is refused, and says how to go on"):
        gone = {"AccessKeyId": temp.access_key_id, "SecretAccessKey": temp.secret, "SessionToken": temp.session,
                "Expiration": "2020-01-01T00:00:00Z"}
        _, err = sh("credential", "rotate", "aws", "--aws-json", "-", text=json.dumps(gone), code=1)
        assert "expired" in err and "cannot be refreshed" in err, err
    for what, text, words in (("no JSON", "AKIA secret", "no JSON"), ("no key", "{}", "no AccessKeyId"),
                              ("half a key", json.dumps({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}), "no SecretAccessKey"),
                              ("nothing", "", "empty")):
        with case("AWS JSON, %s: exit 1" % what):
            _, err = sh("credential", "add", "x", "--aws-json", "-", "--region", "us-east-1", text=text, code=1)
            assert words in err and "sallyport: " in err, err
    with case("AWS JSON belongs to bedrock: exit 2"):
        _, err = sh("credential", "add", "x", "--provider", "openai", "--aws-json", "-", text="{}", code=2)
        assert "belongs to provider bedrock" in err, err
    sh("credential", "remove", "aws")


def google(sh, s):
    w = s.sim.world
    with case("a service account's file"):
        path = sh.file("sa.json", w.google_json())
        out, _ = sh("credential", "add", "vx", "--service-account-file", path, "--region", "us-central1")
        assert "vx works: us-central1-aiplatform" in out, out
        got = sh.show("vx")["settings"]
        assert got["project"] == w.google_project and got["client-email"] == w.google_email, got
        ask(s, "vertex/gemini-2.5-flash")
    with case("rotated with the whole file on standard input"):
        out, _ = sh("credential", "rotate", "vx", text=json.dumps(w.google_json()))
        assert "unchanged" in out or "works" in out, out
    with case("as a self-signed token, with a region of its own in the file"):
        out, _ = sh("credential", "add", "vj", "--auth", "google-jwt", "--provider", "vertex",
                    text=json.dumps(dict(w.google_json(), region="us-central1")))
        assert "vj works" in out and sh.show("vj")["auth"] == "google-jwt", out
    n = len(w.requests)
    for what, change, words in (
            ("another token server", {"token_uri": "https://tokens.evil.example/"}, "not Google's"),
            ("another universe", {"universe_domain": "evil.example"}, "only googleapis.com"),
            ("a file of another type", {"type": "external_account"}, "only the key of a service account"),
            ("a damaged key", {"private_key": "-----BEGIN PRIVATE KEY-----\nMII"}, "no PEM")):
        with case(what + ": exit 1, and nobody is asked"):
            _, err = sh("credential", "add", "x", "--provider", "vertex", "--region", "us-central1",
                        text=json.dumps(dict(w.google_json(), **change)), code=1)
            assert words in err and "MII" not in err, err
            assert len(w.requests) == n
    with case("without a region: exit 2"):
        _, err = sh("credential", "add", "x", "--provider", "vertex", text=json.dumps(w.google_json()), code=2)
        assert "us-central1" in err, err
    for name in ("vx", "vj"):
        sh("credential", "remove", name)


def documents(directory):
    out = {}
    for name in ("openid-configuration", "jwks.json"):
        path = os.path.join(directory, ".well-known", name)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
        with open(path) as f:
            out[name] = f.read()
        json.loads(out[name])
    return out


def issuer(sh, s):
    target = os.path.join(s.dir, "www")
    with case("there is no issuer at first: exit 1, and what to do"):
        _, err = sh("issuer", "show", code=1)
        assert "issuer set https://" in err, err
        _, err = sh("issuer", "export", target, code=1)
        assert "issuer set https://" in err and not os.path.exists(target), err
    for url, words in (("http://a.example", "https"), ("https://a.example/", "slash"), ("a.example", "https"),
                       ("https://a.example?x", "host name"), ("https://a.example:8443", "port")):
        with case("a name that AWS would not take, %s: exit 2" % url):
            _, err = sh("issuer", "set", url, code=2)
            assert words in err, err
    with case("set"):
        out, _ = sh("issuer", "set", "https://id.example.com/gw")
        assert "issuer export" in out and "create-open-id-connect-provider --url https://id.example.com/gw" in out, out
        assert "unchanged" in sh("issuer", "set", "https://id.example.com/gw")[0]
    with case("show: one key, which signs"):
        got = json.loads(sh("issuer", "show", "--json")[0])
        assert got["issuer"] == "https://id.example.com/gw" and [k["state"] for k in got["keys"]] == ["signs"], got
        text, _ = sh("issuer", "show")
        assert "https://id.example.com/gw/.well-known/jwks.json" in text and got["keys"][0]["kid"] in text, text
    with case("export: what the gateway serves, byte for byte"):
        old = os.umask(0o077)   # public they are all the same
        out, _ = sh("issuer", "export", target)
        os.umask(old)
        assert stat.S_IMODE(os.stat(os.path.join(target, ".well-known")).st_mode) == 0o755
        for name, text in documents(target).items():
            served = s.request("GET", "/gw/.well-known/" + name)
            assert served.status == 200 and served.body.decode() == text, (served, text)
            assert name in out, out
        conf = json.loads(documents(target)["openid-configuration"])
        assert conf["issuer"] == "https://id.example.com/gw" and conf["jwks_uri"].endswith("/gw/.well-known/jwks.json"), conf
    with case("rotate: the new key waits, both are published"):
        out, _ = sh("issuer", "rotate")
        assert "new signing key" in out and "signs from" in out, out
        got = json.loads(sh("issuer", "show", "--json")[0])
        assert sorted(k["state"] for k in got["keys"]) == ["signs", "waits"], got
        sh("issuer", "export", target)
        kids = [k["kid"] for k in json.loads(documents(target)["jwks.json"])["keys"]]
        assert sorted(kids) == sorted(k["kid"] for k in got["keys"]), kids
    with case("who reads during an export sees whole documents"):
        stop, faults = threading.Event(), []

        def read():
            while not stop.is_set():
                try:
                    documents(target)
                except Exception as e:  # noqa: BLE001
                    faults.append(repr(e))
        t = threading.Thread(target=read)
        t.start()
        for _ in range(20):
            sh("issuer", "export", target)
        stop.set()
        t.join()
        assert not faults, faults[0]
        assert not [n for n in os.listdir(os.path.join(target, ".well-known")) if n.endswith(".new")]
    with case("a directory that cannot be written: exit 1"):
        _, err = sh("issuer", "export", "/proc/nowhere", code=1)
        assert "/proc/nowhere" in err, err
    with case("the private keys are in no file that was written"):
        text = "".join(documents(target).values())
        assert '"d"' not in text and "PRIVATE" not in text


def main():
    with ProviderStack() as s:
        sh = Shell(s)
        tried(sh, s)
        aws(sh, s)
        google(sh, s)
        issuer(sh, s)
        with case("no secret is in a log or an output file of the stack"):
            w = s.sim.world
            found = subprocess.run(["grep", "-rlF", "-e", w.openai_key, "-e", w.aws_long.secret, "-e", w.google_pem[60:120],
                                    os.path.join(s.dir, "log"), os.path.join(s.dir, "vault"), os.path.join(s.dir, "audit")],
                                   stdout=subprocess.PIPE).stdout
            assert not found, found
    tap.done()


main()
