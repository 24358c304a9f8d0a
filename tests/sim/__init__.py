# SPDX-License-Identifier: Apache-2.0
"""Simulators of all providers and token endpoints, for tests: one TLS port, the real host names, authentication checked
for real, requests judged by the providers' own rules, and misbehaviour on demand.

    with Sim(dir) as sim:
        sim.port, sim.ca            # where it listens; the CA to trust
        sim.world.openai_key        # what it accepts
        sim.world.order("openai", "500")
        sim.connect_to()            # lines "host:443=127.0.0.1:port", one per host

What each simulator refuses comes from the vendors' references; nothing here shares code with the product.
"""

import email.utils
import json
import os
import subprocess
import threading
import traceback

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sim import anthropic_api, aws, bedrock, gemini, google, openai_api
from sim.server import Answer, Front, Refused
from sim.world import World

AWS_REGIONS = ["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-northeast-1"]
GOOGLE_REGIONS = ["us-central1", "europe-west1"]

MODES = ("slow", "400", "403", "404", "500", "503", "529", "429", "quota", "expired", "html", "array", "wrong-type", "truncate", "stream-error",
         "crlf", "huge-line", "bytewise", "close")


def hosts(world):
    out = ["api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "aiplatform.googleapis.com",
           "oauth2.googleapis.com", world.azure_resource + ".openai.azure.com"]
    for r in AWS_REGIONS:
        out += ["bedrock-runtime.%s.amazonaws.com" % r, "sts.%s.amazonaws.com" % r]
    return out + ["%s-aiplatform.googleapis.com" % r for r in GOOGLE_REGIONS]


def route(host):
    for suffix, fn in (("api.openai.com", openai_api.serve), (".openai.azure.com", openai_api.azure),
                       ("api.anthropic.com", anthropic_api.serve), ("generativelanguage.googleapis.com", gemini.studio),
                       ("oauth2.googleapis.com", google.token), ("aiplatform.googleapis.com", gemini.vertex)):
        if host.endswith(suffix):
            return fn
    return aws.sts if host.startswith("sts.") else bedrock.serve


class Sim:
    def __init__(self, dir):
        self.dir = dir
        self.world = World()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.world.google_pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                  serialization.NoEncryption()).decode()
        self.world.google_public = key.public_key()
        self.ca, cert, cert_key = self._certificates(hosts(self.world))
        self.stopping = threading.Event()
        self.front = Front(cert, cert_key, self.handle, self.stopping)
        self.port = self.front.port

    def _certificates(self, names):
        def path(n):
            return os.path.join(self.dir, n)

        def openssl(*args):
            subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *curve, "-days", "30", "-subj", "/CN=simulator test CA", "-addext",
                "keyUsage=critical,keyCertSign,cRLSign", "-keyout", path("sim-ca.key"), "-out", path("sim-ca.pem"))
        with open(path("sim.ext"), "w") as f:
            f.write("subjectAltName=%s\nextendedKeyUsage=serverAuth\nauthorityKeyIdentifier=keyid\n" % ",".join(
                "DNS:" + n for n in names))
        openssl("req", *curve, "-subj", "/CN=simulators", "-keyout", path("sim.key"), "-out", path("sim.csr"))
        openssl("x509", "-req", "-in", path("sim.csr"), "-CA", path("sim-ca.pem"), "-CAkey", path("sim-ca.key"),
                "-CAcreateserial", "-days", "30", "-extfile", path("sim.ext"), "-out", path("sim.pem"))
        return path("sim-ca.pem"), path("sim.pem"), path("sim.key")

    def ca_pem(self):
        with open(self.ca) as f:
            return f.read()

    def connect_to(self):
        return ["%s:443=127.0.0.1:%d" % (h, self.port) for h in hosts(self.world)]

    def handle(self, request):
        with self.world.lock:
            self.world.requests.append(request)
        mode = self.world.take(request.host)
        try:
            early = self.world.scripted(request.host) or (_instead(mode, request) if mode else None)
            answer = early or route(request.host)(self.world, request)
        except Refused as e:
            text = isinstance(e.body, bytes)
            answer = Answer(e.status, e.body if text else json.dumps(e.body).encode(), "text/plain" if text else "application/json",
                            e.headers)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            # A body whose shape no rule named: every provider answers 400, and the test sees where.
            answer = Answer(400, json.dumps({"error": {"message": "malformed: " + traceback.format_exc()[-300:], "code": 400,
                                                       "type": "invalid_request_error", "status": "INVALID_ARGUMENT"},
                                             "type": "error", "message": "malformed"}).encode())
        if mode and early is None and answer.status == 200:
            _spoil(mode, answer)
        answer.headers = list(answer.headers) + [("date", email.utils.formatdate(self.world.now(), usegmt=True))]
        return answer

    def stop(self):
        self.stopping.set()
        self.front.stop()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.stop()


# --- misbehaviour ----------------------------------------------------------------------------------------------------

def _error(host, status, kind, message):
    """An error in the shape of the host's provider. kind: (openai, anthropic, aws) names."""
    if "openai" in host:
        return {"error": {"message": message, "type": kind[0], "param": None, "code": kind[0]}}, []
    if "anthropic" in host:
        return {"type": "error", "error": {"type": kind[1], "message": message}, "request_id": "req_sim"}, []
    if "oauth2" in host:
        return {"error": "internal_failure" if status >= 500 else "invalid_grant", "error_description": message}, []
    if "amazonaws" in host:
        return {"message": message}, [("x-amzn-errortype", kind[2]), ("x-amzn-requestid", "sim")]
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}] if status == 429 else []
    return {"error": {"code": status, "message": message, "status": gemini.STATUS.get(status, "INTERNAL"), "details": details}}, []


KINDS = {"400": (400, ("invalid_request_error", "invalid_request_error", "ValidationException"), "That will not do"),
         "403": (403, ("permission_error", "permission_error", "AccessDeniedException"), "Not for you"),
         "404": (404, ("model_not_found", "not_found_error", "ResourceNotFoundException"), "No such model"),
         "500": (500, ("server_error", "api_error", "InternalServerException"), "The server had an error"),
         "503": (503, ("server_is_overloaded", "api_error", "ServiceUnavailableException"), "Overloaded, try later"),
         "529": (529, ("server_is_overloaded", "overloaded_error", "ServiceUnavailableException"), "Overloaded"),
         "429": (429, ("rate_limit_exceeded", "rate_limit_error", "ThrottlingException"), "Too many requests"),
         "quota": (429, ("insufficient_quota", "rate_limit_error", "ThrottlingException"), "You exceeded your current quota"),
         "expired": (403, ("invalid_api_key", "authentication_error", "ExpiredTokenException"),
                     "The security token included in the request is expired")}


def _instead(mode, request):
    """An answer in place of the real one, or None."""
    if mode.startswith("sts:"):     # one of the errors of STS by its name
        return aws.sts_error(*aws.STS_ERRORS[mode[4:]])
    if mode in KINDS:
        status, kind, message = KINDS[mode]
        if request.host.startswith("sts."):
            if mode == "expired" and b"WebIdentity" in request.body:
                status = 400
            return aws.sts_error(status, kind[2], message)
        if mode == "expired" and "google" in request.host:
            status = 401
        body, headers = _error(request.host, status, kind, message)
        if mode == "429":
            headers += [("retry-after", "2")]
        return Answer(status, json.dumps(body).encode(), headers=headers)
    if mode == "html":
        return Answer(503, b"<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>", "text/html")
    if mode == "array":
        body, _ = _error("google", 429, ("", "", ""), "Resource exhausted")
        return Answer(429, json.dumps([body]).encode())
    return None


def _error_piece(answer, host_is_aws):
    if host_is_aws:
        return bedrock.frame("throttlingException", {"message": "Too many tokens"}, "exception")
    return (b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded","code":"server_error"}}'
            b"\n\n")


def _bytes(pieces):
    for p in pieces:
        for i in range(len(p)):
            yield p[i:i + 1]


def _half(pieces):
    pieces = list(pieces)
    return pieces[:max(2, len(pieces) // 2)]


def _spoil(mode, a):
    """Turns a good answer into a bad or an unusual one."""
    events = a.content_type.startswith("application/vnd.amazon")
    if mode == "slow":
        a.slow = 2.0
    elif mode == "wrong-type":
        a.content_type = "text/plain"
    elif mode == "close":
        a.close = True
    elif mode == "truncate":
        a.cut = True
        a.pieces = None if a.pieces is None else _half(a.pieces)
    elif a.pieces is not None:
        if mode == "stream-error":
            a.pieces = _half(a.pieces) + [_error_piece(a, events)]
        elif mode == "bytewise":
            a.pieces = _bytes(a.pieces)
        elif mode == "crlf" and not events:
            a.pieces = [p.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for p in a.pieces]
        elif mode == "huge-line" and not events:
            a.pieces = [b": " + b"x" * 300000 + b"\n\n"] + list(a.pieces)
