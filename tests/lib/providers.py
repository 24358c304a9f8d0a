# SPDX-License-Identifier: Apache-2.0
"""A stack whose credentials are for the providers' real hosts, which connect_to leads to the simulators (tests/sim): the
gateway and the vault behave as in production, names and certificates included.
"""

import json
import os
import signal
import sys
import time

from stack import ROOT, Stack, request

sys.path.insert(0, os.path.join(ROOT, "tests"))

from sim import Sim  # noqa: E402
from sp_proto import NUM  # noqa: E402


class ProviderStack(Stack):
    def start(self, wait=30.0):
        self.sim = Sim(self.dir)
        os.chmod(self.sim.ca, 0o644)
        super().start(wait)
        for item in json.loads(self.ctl("credential", "list", "--json").stdout):
            self.ctl("credential", "remove", item["name"])
        self._connect_to()
        w = self.sim.world
        self.add("openai", "openai", w.openai_key)
        self.add("anthropic", "anthropic", w.anthropic_key)
        self.add("bedrock", "bedrock", w.aws_long.secret, "--region", "us-east-1", "--access-key-id", w.aws_long.access_key_id,
                 "--auth", "sigv4")
        return self

    def add(self, name, provider, secret, *more):
        self.ctl("credential", "add", name, "--provider", provider, "--ca", self.sim.ca, "--no-test", *more,
                 input=secret.encode() + b"\n\n")

    def add_vertex(self, name="vertex", auth="GOOGLE_TOKEN", region="us-central1", workspace="default"):
        j = self.sim.world.google_json()
        setting = [dict(id=NUM["SETTING_" + k], value=j[v]) for k, v in (
            ("PROJECT", "project_id"), ("CLIENT_EMAIL", "client_email"), ("PRIVATE_KEY_ID", "private_key_id"))]
        r = self.admin("CREDENTIAL_PUT", name=name, expect_version=0, provider=NUM["PROVIDER_VERTEX"], auth=NUM["AUTH_" + auth],
                       region=region, secret="".join(x for x in j["private_key"].splitlines() if "-----" not in x),
                       ca_pem=self.sim.ca_pem(), workspace=workspace, enabled=True, setting=setting)
        if r[-1][0] != "DONE":
            raise RuntimeError(repr(r))

    def _connect_to(self):
        """`up` wrote the configuration and starts the gateway again with whatever the file then says."""
        with open(os.path.join(self.dir, "sallyport.yaml"), "a") as f:
            f.write("connect_to:\n" + "".join("  - \"%s\"\n" % x for x in self.sim.connect_to()))
        old = self.pid("master")
        os.kill(old, signal.SIGTERM)
        end = time.monotonic() + 15
        while time.monotonic() < end:
            masters = self.pids().get("master", [])
            try:
                if masters and old not in masters and request(self.port, "GET", "/healthz", None, {}, 2).status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError("the gateway did not come back\n" + self.logs())

    def stop(self):
        status = super().stop()
        self.sim.stop()
        return status
