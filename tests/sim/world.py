# SPDX-License-Identifier: Apache-2.0
"""What all simulators share: the clock (which a test can shift), the credentials that exist, what was issued, what was
asked, and the misbehaviour that a test ordered.
"""

import base64
import copy
import hashlib
import json
import secrets
import threading
import time

from sim.server import Answer


def token(n=24):
    return base64.b32encode(secrets.token_bytes(n)).decode().rstrip("=")


class AwsKey:
    """One AWS key pair: long-term (AKIA) or temporary (ASIA, with a session token and an end)."""

    def __init__(self, access_key_id, secret, session=None, expires=None, source=""):
        self.access_key_id, self.secret, self.session, self.expires = access_key_id, secret, session, expires
        self.source = source    # the STS action that issued it, or ""


class World:
    def __init__(self):
        self.lock = threading.RLock()
        self.shift = 0              # seconds that the providers' clock runs ahead of ours
        self.requests = []          # every Request, in order of arrival
        self.orders = []            # [host prefix, mode, times]
        self.scripts = []           # [host prefix, Answer, times]
        self.openai_key = "sk-proj-" + token()
        self.anthropic_key = "sk-ant-api03-" + token()
        self.gemini_key = "AIza" + secrets.token_urlsafe(27)[:35]
        self.azure_key = secrets.token_hex(16)
        self.azure_resource = "sim-resource"
        self.azure_deployments = {"chat-dep": "gpt-4o-mini", "embed-dep": "text-embedding-3-small"}
        self.aws = {}
        self.aws_long = self.add_aws()
        self.bedrock_long = "ABSK" + base64.b64encode(secrets.token_bytes(60)).decode()
        self.bedrock_short = None   # (key, region, expires), see bedrock.short_key
        self.role = "arn:aws:iam::123456789012:role/sim-bedrock"
        self.external_id = "sim-external-" + token(6)
        self.token_life = 3600      # seconds that issued credentials live, when the caller asks for more
        self.issuer = None          # (issuer URL, JWKS dictionary) of the registered OIDC provider
        self.subjects = "scoped_principal:"     # the trust policy: how sub must begin
        self.identities = []        # (token, its claims) of web identities that were verified
        self.google_project = "sim-project"
        self.google_email = "sim@sim-project.iam.gserviceaccount.com"
        self.google_key_id = secrets.token_hex(20)
        self.google_public = self.google_pem = None
        self.google_tokens = {}     # access token -> end of life

    def now(self):
        return time.time() + self.shift

    def add_aws(self, prefix="AKIA", session=None, expires=None, source=""):
        key = AwsKey(prefix + token(20)[:16], base64.b64encode(secrets.token_bytes(30)).decode(), session, expires, source)
        with self.lock:
            self.aws[key.access_key_id] = key
        return key

    def issue_aws(self, seconds, source):
        """Temporary credentials, their session token long and full of characters that need care."""
        session = "FwoGZXIvYXdz" + base64.b64encode(secrets.token_bytes(700)).decode()
        return self.add_aws("ASIA", session, self.now() + min(seconds, self.token_life), source)

    @staticmethod
    def new_google_token():
        return "ya29." + secrets.token_urlsafe(300)

    def google_json(self):
        """The service-account file. Its token_uri must not be followed."""
        return {"type": "service_account", "project_id": self.google_project, "private_key_id": self.google_key_id,
                "private_key": self.google_pem, "client_email": self.google_email, "client_id": "1234567890",
                "auth_uri": "https://accounts.google.com/o/oauth2/auth",
                "token_uri": "https://oauth2.googleapis.com/token", "universe_domain": "googleapis.com"}

    # --- orders to misbehave -------------------------------------------------------------------------------------

    def order(self, host, mode, times=1):
        """The next `times` answers of hosts that contain `host` misbehave; modes are in sim.MODES."""
        with self.lock:
            self.orders.append([host, mode, times])

    def take(self, host):
        with self.lock:
            for o in self.orders:
                if o[0] in host:
                    o[2] -= 1
                    if o[2] <= 0:
                        self.orders.remove(o)
                    return o[1]
        return None

    def say(self, host, status, body, headers=(), content_type="application/json", times=1):
        """The next `times` answers of hosts that contain `host` are this one, word for word."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.lock:
            self.scripts.append([host, Answer(status, text, content_type, headers), times])

    def scripted(self, host):
        with self.lock:
            for o in self.scripts:
                if o[0] in host:
                    o[2] -= 1
                    if o[2] <= 0:
                        self.scripts.remove(o)
                    return copy.copy(o[1])
        return None

    def asked(self, host):
        """The requests so far to hosts that contain `host`."""
        with self.lock:
            return [r for r in self.requests if host in r.host]

    def signature(self, text):
        """What a thinking block is signed with: only text that a simulator gave verifies later."""
        return base64.b64encode(hashlib.sha256(b"thinking" + self.openai_key.encode() + text.encode()).digest()).decode()
