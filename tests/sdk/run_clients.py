#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The five minutes of a new user, for each provider: `sallyport up --provider X` with the provider's key as it is handed
out, then the official SDKs with nothing but the variables of DIR/clients.env: no argument of any client names this gateway.
"""

import json
import os
import subprocess
import sys
import time

import sdk
from sdk import case
from providers import ProviderStack

HAIKU = "claude-haiku-4-5"
FLASH = "gemini-2.5-flash"

# What a program of the user does; prints the answer's text.
PROGRAMS = {
    "openai": "import openai\n"
              "print(openai.OpenAI().chat.completions.create(model=M, messages=[{'role': 'user', 'content': 'hi'}])"
              ".choices[0].message.content)",
    "azure": "import openai\n"
             "print(openai.AzureOpenAI().chat.completions.create(model=M, messages=[{'role': 'user', 'content': 'hi'}])"
             ".choices[0].message.content)",
    "anthropic": "import anthropic\n"
                 "print(anthropic.Anthropic().messages.create(model=M, max_tokens=50, messages=[{'role': 'user', 'content':"
                 " 'hi'}]).content[-1].text)",
    "anthropic-bedrock": "import anthropic\n"
                         "print(anthropic.AnthropicBedrock().messages.create(model='us.anthropic.claude-haiku-4-5-20251001-v1:0',"
                         " max_tokens=50, messages=[{'role': 'user', 'content': 'hi'}]).content[-1].text)",
    "anthropic-vertex": "import os, anthropic\n"
                        "print(anthropic.AnthropicVertex(access_token=os.environ['SALLYPORT_KEY']).messages.create("
                        "model='claude-haiku-4-5@20251001', max_tokens=50, messages=[{'role': 'user', 'content': 'hi'}])"
                        ".content[-1].text)",
    "boto3": "import boto3\n"
             "r = boto3.client('bedrock-runtime').converse(modelId=M, messages=[{'role': 'user', 'content': [{'text': 'hi'}]}])\n"
             "print(r['output']['message']['content'][-1]['text'])",
    "genai": "from google import genai\n"
             "c = genai.Client()\n"
             "print(c.models.generate_content(model=M, contents='hi').text)",
}


class Up(ProviderStack):
    """`sallyport up` with these options, and this on standard input; then led to the simulators."""

    def up(self, options, text):
        # `up` gets a key that the simulator knows, so the simulator is there first.
        self.out = open(os.path.join(self.dir, "up.log"), "ab")
        self.proc = subprocess.Popen(
            [os.path.join(self.build, "sallyport"), "up", "--dir", self.dir, "--listen", "127.0.0.1:%d" % self.port,
             "--ca", self.sim.ca, *options],
            stdin=subprocess.PIPE, stdout=self.out, stderr=subprocess.STDOUT, start_new_session=True)
        self.proc.stdin.write(text.encode())
        self.proc.stdin.close()
        end = time.monotonic() + 30
        while "ready http" not in self.said():
            if self.proc.poll() is not None or time.monotonic() > end:
                raise RuntimeError("up is not ready\n" + self.logs())
            time.sleep(0.05)
        time.sleep(0.2 if "--no-test" in options else 1)
        self.tried = "does not work (server)" in self.said() and "fix: " in self.said()
        self._connect_to()
        return self

    def said(self):
        with open(os.path.join(self.dir, "up.log")) as f:
            return f.read()

    def run(self, name, model):
        """One program of the user, in a shell that read the file and nothing else."""
        clean = {"PATH": os.environ["PATH"], "HOME": self.dir, "PYTHONDONTWRITEBYTECODE": "1"}
        r = subprocess.run(["/bin/sh", "-c", '. "$0/clients.env" && exec "$@"', self.dir, sys.executable, "-c",
                            "M = %r\n%s" % (model, PROGRAMS[name])], env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=60)
        text = r.stdout.decode().strip()
        assert text == "You said: hi", (text, r.stderr.decode()[-600:])


def kinds(w):
    """Provider: options, standard input, the clients and models to try."""
    return [
        ("openai", [], w.openai_key + "\n", [("openai", "gpt-4o-mini")]),
        ("anthropic", [], w.anthropic_key + "\n", [("anthropic", HAIKU), ("openai", HAIKU)]),
        ("bedrock", ["--region", "us-east-1", "--access-key-id", w.aws_long.access_key_id], w.aws_long.secret + "\n\n",
         [("boto3", HAIKU), ("anthropic", HAIKU), ("anthropic-bedrock", ""), ("openai", HAIKU)]),
        ("bedrock", ["--region", "us-east-1", "--aws-json", "-"],
         json.dumps({"AccessKey": {"AccessKeyId": w.aws_long.access_key_id, "SecretAccessKey": w.aws_long.secret}}),
         [("boto3", HAIKU)]),
        ("bedrock", ["--region", "us-east-1"], w.bedrock_long + "\n", [("boto3", HAIKU)]),
        ("gemini", [], w.gemini_key + "\n", [("genai", FLASH), ("openai", FLASH)]),
        ("azure", ["--host", w.azure_resource + ".openai.azure.com", "--deployment", "gpt-4o-mini=chat-dep"],
         w.azure_key + "\n", [("azure", "gpt-4o-mini")]),
        ("vertex", ["--region", "us-central1"], json.dumps(w.google_json()),
         [("genai", FLASH), ("openai", FLASH), ("anthropic", HAIKU), ("anthropic-vertex", "")]),
    ]


def main():
    from sim import Sim
    count = None
    n = 0
    while count is None or n < count:
        s = Up()
        try:
            s.sim = Sim(s.dir)
            os.chmod(s.sim.ca, 0o644)
            all_kinds = kinds(s.sim.world)
            count = len(all_kinds)
            provider, options, text, clients = all_kinds[n]
            what = " ".join([provider] + [x for x in options if x.startswith("--")])
            with case(what + ": up"):
                # Before it is led to the simulators, `up` cannot reach the provider, and says so where it is asked to.
                quiet = [] if provider == "openai" else ["--no-test"]
                s.up(["--provider", provider, *options, *quiet], text)
                assert s.tried == (provider == "openai"), s.said()
            for name, model in clients:
                with case("%s: client %s with the variables alone" % (what, name)):
                    s.run(name, model)
            with case(what + ": no secret was told"):
                secrets = [w for w in text.split() if len(w) > 20] + [s.sim.world.google_pem[100:140]]
                assert not any(x in s.said() + s.logs() for x in secrets)
        finally:
            s.stop()
            s.remove()
        n += 1
    sdk.done()


main()
