#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signs 10,000 random requests with the vault's own code and with botocore, and compares every byte
of Authorization and of each signed header: Bedrock heads as they go on the wire, STS GetSessionToken,
and requests of any shape (STS forms, control plane queries). SEED=N repeats a run. Argument: the build.
May touch: a temporary folder."""

import datetime
import glob
import hashlib
import os
import random
import string
import struct
import subprocess
import sys
import tempfile

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode, percent_encode_sequence

import tap

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build"))
WARN = "-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror".split()
COUNT = {"use": 6000, "session": 1000, "role": 1000, "identity": 500, "plain": 2000}
VISIBLE = "".join(chr(c) for c in range(0x21, 0x7f))
LOWER = string.ascii_lowercase
MODELS = [
    "anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-pro-v1:0",
    "global.anthropic.claude-opus-4-6-v1", "cohere.embed-v4:0", "openai.gpt-oss-120b-1:0", "a", "~", "a/b c".replace(" ", "+"),
]
# Operation number and the last part of its path (proto/ids.h, Bedrock Runtime service model).
OPERATIONS = {9: "converse", 10: "converse-stream", 11: "invoke", 12: "invoke-with-response-stream"}
CONTENT_TYPE, ACCEPT = 1, 2
HEADERS = {6: "x-amzn-bedrock-accept", 7: "x-amzn-bedrock-trace", 8: "x-amzn-bedrock-guardrailidentifier",
           9: "x-amzn-bedrock-guardrailversion", 10: "x-amzn-bedrock-performanceconfig-latency",
           11: "x-amzn-bedrock-service-tier"}


class Signer:
    """The program built from the vault's objects."""

    def __init__(self, folder):
        names = [f for f in glob.glob(TOP + "/vaultd/*.c") if not os.path.basename(f).startswith(("sealer_", "zygote_", "main"))]
        objects = [BUILD + "/vaultd/" + os.path.basename(f)[:-2] + ".o" for f in names]
        libs = [BUILD + "/libproto.a", BUILD + "/libcommon.a"]
        sanitized = b"__asan_" in subprocess.run(["nm", libs[1]], capture_output=True).stdout
        flags = ["-fsanitize=address,undefined"] if sanitized else []
        subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-O1", "-g", "-D_GNU_SOURCE", *WARN, *flags, "-I" + TOP,
                        "-I" + BUILD + "/gen", TOP + "/tests/regress/sign_many.c", *objects, *libs, "-llmdb", "-lcrypto",
                        "-lsodium", "-lmsgpackc", "-lseccomp", "-levent", "-lsystemd", "-o", folder + "/sign"], check=True)
        self.child = subprocess.Popen([folder + "/sign"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, *fields):
        data = b"".join(struct.pack(">I", len(f)) + f for f in (x if isinstance(x, bytes) else str(x).encode() for x in fields))
        self.child.stdin.write(struct.pack(">I", len(data)) + data)
        self.child.stdin.flush()
        (size,) = struct.unpack(">I", self.read(4))
        data, out = self.read(size), []
        while data:
            (n,) = struct.unpack(">I", data[:4])
            out.append(data[4:4 + n])
            data = data[4 + n:]
        return out

    def read(self, n):
        data = self.child.stdout.read(n)
        if len(data) != n:
            raise EOFError("the signer ended: %s" % self.child.wait())
        return data

    def close(self):
        self.child.stdin.close()
        return self.child.wait(10)


def text(r, alphabet, low, high):
    return "".join(r.choices(alphabet, k=r.randint(low, high)))


class Case:
    """What every request has: who signs, where and when."""

    def __init__(self, r):
        self.akid = r.choice(["AKIA", "ASIA"]) + text(r, string.ascii_uppercase + "234567", 12, 124)
        self.secret = text(r, string.ascii_letters + string.digits + "/+", 1, 300 if r.random() < 0.1 else 40)
        self.token = "" if r.random() < 0.5 else text(r, string.ascii_letters + string.digits + "/+=", 1, 2000)
        self.region = text(r, LOWER, 2, 2) + "".join("-" + text(r, LOWER, 1, 6) for _ in range(r.randint(1, 2))) + "-%d" % r.randint(0, 99)
        if r.random() < 0.3:
            self.region = r.choice(["us-east-1", "eu-central-2", "ap-southeast-4", "us-gov-west-1", "cn-north-1"])
        # Around the turn of a day, a year and a leap day as often as anywhere else.
        edge = r.choice([951782400, 951868800, 1709164800, 1735689600, 4107542400 - 1, r.randrange(1 << 32)])
        self.time = max(0, edge + r.choice([-1, 0, 1, r.randrange(-90000, 90000)]))

    def botocore(self, method, url, headers, body, service, token):
        """The headers that botocore sends, in lower case."""
        now = datetime.datetime.fromtimestamp(self.time, datetime.timezone.utc)
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: now
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        signer = botocore.auth.SigV4Auth(Credentials(self.akid, self.secret, token or None), service, self.region)
        signer.add_auth(request)
        out = {k.lower(): v for k, v in request.headers.items()}
        out["host"] = botocore.auth._host_from_url(url)
        return out


def model(r):
    kind = r.random()
    if kind < 0.3:
        return r.choice(MODELS)
    if kind < 0.6:
        what = r.choice(["application-inference-profile", "inference-profile", "provisioned-model", "foundation-model", "imported-model"])
        return "arn:aws:bedrock:%s:%012d:%s/%s" % (r.choice(["us-east-1", "eu-west-3"]), r.randrange(10**12), what, text(r, VISIBLE.replace("/", ""), 3, 60))
    while True:
        m = text(r, VISIBLE, 1, 300 if r.random() < 0.1 else 30)
        if not {".", ".."} & set(m.split("/")):
            return m


def value(r):
    """A header value of the accepted grammar: visible, with runs of spaces inside."""
    return text(r, VISIBLE, 1, 8) + text(r, VISIBLE + " " * 20, 0, 60) + text(r, VISIBLE, 1, 1)


def body(r):
    return r.randbytes(r.choice([0, 1, 2, 102, r.randrange(5000), r.randrange(200000) if r.random() < 0.02 else 7]))


def parse_head(head):
    lines = head.decode("ascii").split("\r\n")
    assert lines[-2:] == ["", ""], "the head has no end"
    fields = [line.split(": ", 1) for line in lines[1:-2]]
    names = [f[0] for f in fields]
    assert len(set(names)) == len(names), "a header is there twice"
    return lines[0], dict(fields)


def compare(want, got, signed):
    for name in ["authorization"] + signed:
        assert got.get(name) == want.get(name), "%s\n ours     %r\n botocore %r" % (name, got.get(name), want.get(name))


def names_signed(headers):
    return headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")


def one_use(r, sign):
    c = Case(r)
    op, m, data = r.choice(list(OPERATIONS)), model(r), body(r)
    host = "bedrock-runtime.%s.amazonaws.com" % c.region if r.random() < 0.7 else "vpce-%s.bedrock.example" % text(r, LOWER + "0123456789", 1, 30)
    port = 443 if r.random() < 0.8 else r.choice([8443, 80, 1, 65535])
    extra = r.sample(sorted(HEADERS), r.randint(0, len(HEADERS))) if op >= 11 else []
    wire = [(i, value(r)) for i in extra]
    headers = [(HEADERS[i], v) for i, v in wire]
    kind = "application/json"
    if r.random() < 0.5:
        kind = value(r)
        wire.append((CONTENT_TYPE, kind))
    if r.random() < 0.5:
        wire.append((ACCEPT, value(r)))
    r.shuffle(wire)
    head, _ = sign("use", c.akid, c.secret, c.token, c.region, host, port, c.time, op, m, data, *[x for w in wire for x in w])
    path = "/model/%s/%s" % (percent_encode(m), OPERATIONS[op])
    digest = hashlib.sha256(data).hexdigest()
    headers += [("content-type", kind), ("x-amz-content-sha256", digest)]
    want = c.botocore("POST", "https://%s%s%s" % (host, "" if port == 443 else ":%d" % port, path), headers, data, "bedrock", c.token)
    line, got = parse_head(head)
    assert line == "POST %s HTTP/1.1" % path, line
    assert got["content-length"] == str(len(data))
    compare(want, got, names_signed(want))


def one_session(r, sign):
    c = Case(r)
    duration = r.randint(900, 129600)
    head, form = sign("session", c.akid, c.secret, c.region, c.time, duration)
    fields = [("Action", "GetSessionToken"), ("DurationSeconds", str(duration)), ("Version", "2011-06-15")]
    check_sts(c, head, form, fields)


def one_role(r, sign):
    c = Case(r)
    duration = r.randint(900, 43200)
    arn = "arn:aws:iam::%012d:role/%s" % (r.randrange(10 ** 12), text(r, "abcXYZ019_+=,.@-/", 1, 400))
    name, external = text(r, "abcXYZ019_+=,.@-", 2, 64), text(r, "abcXYZ019_+=,.@:/-", 2, 1224) if r.random() < 0.7 else ""
    head, form = sign("role", c.akid, c.secret, c.region, c.time, duration, arn, name, external)
    fields = [("Action", "AssumeRole"), ("DurationSeconds", str(duration))] + [("ExternalId", external)] * bool(external)
    check_sts(c, head, form, fields + [("RoleArn", arn), ("RoleSessionName", name), ("Version", "2011-06-15")])


def one_identity(r, sign):
    c = Case(r)
    head, form = sign("identity", c.akid, c.secret, c.region, c.time, 0, c.token)
    check_sts(c, head, form, [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")], c.token)


def check_sts(c, head, form, fields, token=""):
    assert form.decode() == percent_encode_sequence(fields), form
    host = "sts.%s.amazonaws.com%s" % (c.region, ".cn" if c.region.startswith("cn-") else "")
    want = c.botocore("POST", "https://%s/" % host, [("content-type", "application/x-www-form-urlencoded; charset=utf-8")], form, "sts", token)
    line, got = parse_head(head)
    assert line == "POST / HTTP/1.1" and got["content-length"] == str(len(form)), line
    compare(want, got, names_signed(want))


def segment(r):
    return r.choice([".", "..", "", percent_encode(text(r, VISIBLE + " \u00e9\u4e2d\U0001f512", 1, 12)), text(r, LOWER, 1, 5)])


def one_plain(r, sign):
    c = Case(r)
    if r.random() < 0.5:
        service, method, path, query = "sts", "POST", "/", ""
        names = ["RoleArn", "RoleSessionName", "ExternalId", "Policy", "WebIdentityToken", "Tags.member.1.Key"]
        form = [("Action", r.choice(["AssumeRole", "GetSessionToken", "GetCallerIdentity"])), ("Version", "2011-06-15")]
        form += [(n, text(r, VISIBLE + " \r\n\u00e9\u20ac", 0, 200)) for n in r.sample(names, r.randint(0, 6))]
        data = percent_encode_sequence(form).encode()
        headers = [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
    else:
        service, method = r.choice(["bedrock", "bedrock-mantle", "sts"]), r.choice(["GET", "DELETE", "PUT"])
        path = "/" + "/".join([segment(r) for _ in range(r.randint(0, 5))] + [text(r, LOWER, 1, 9)]) + r.choice(["", "/"])
        pairs = [(text(r, VISIBLE + " \u00e9", 1, 5), text(r, VISIBLE + " \u00e9", 0, 9)) for _ in range(r.randint(0, 8))]
        pairs += r.sample(pairs, min(2, len(pairs)))
        query, data = percent_encode_sequence(pairs), b""
        headers = [("X-Amz-%s" % text(r, string.ascii_letters, 1, 9), "  " + value(r) + "\t ") for _ in range(r.randint(0, 4))]
    host = "%s.%s.amazonaws.com" % (service, c.region)
    headers = list({k.lower(): (k, v) for k, v in headers}.values())
    want = c.botocore(method, "https://%s%s%s" % (host, path, "?" + query if query else ""), headers, data, service, c.token)
    sent = headers + [("Host", host)] + ([("X-Amz-Security-Token", c.token)] if c.token else [])
    r.shuffle(sent)
    names, signature = sign("plain", c.akid, c.secret, c.region, service, c.time, method, path, query, data, *[x for h in sent for x in h])
    scope = "/".join([c.akid, want["x-amz-date"][:8], c.region, service, "aws4_request"])
    ours = "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s" % (scope, names.decode(), signature.decode())
    compare(want, {"authorization": ours}, [])


def run(kind, one, sign, seed):
    """The number of requests that agree; stops at the first that does not."""
    for i in range(COUNT[kind]):
        try:
            one(random.Random("%s %s %d" % (seed, kind, i)), sign)
        except (AssertionError, EOFError) as e:
            tap.note("seed %s, %s number %d: %s" % (seed, kind, i, e))
            return i
    return COUNT[kind]


def main():
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(1 << 32))
    tap.note("SEED=" + seed)
    with tempfile.TemporaryDirectory() as folder:
        sign = Signer(folder)
        for kind, one, what in (("use", one_use, "Bedrock heads"), ("session", one_session, "STS GetSessionToken requests"),
                                ("role", one_role, "STS AssumeRole requests"),
                                ("identity", one_identity, "STS GetCallerIdentity requests"),
                                ("plain", one_plain, "STS forms and requests with queries")):
            good = run(kind, one, sign, seed)
            tap.ok(good == COUNT[kind], "%d random %s are signed as botocore signs them" % (COUNT[kind], what))
            if good != COUNT[kind]:
                sign.close()
                sign = Signer(folder)
        tap.ok(sign.close() == 0, "the signer ends well")
    tap.done()


if __name__ == "__main__":
    main()
