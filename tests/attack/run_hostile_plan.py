#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""K17: a compromised gateway and plans whose attempts are of another API, model or place than the client asked for: what was
planned is what can be used, and only as long as the credential, the catalogue and the clock still say so.
"""

import os
import shutil
import time

import tap
from arena import CHAT, Arena
from hostile import Closed, Gateway, http_complete
from sp_proto import NUM
from stack import ROOT
from tap import case

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "ATTACKKEY1"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
BODY = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'
ARN = "arn:aws:bedrock:eu-central-1:123456789012:"
# What must not leave the EU, in all the ways that a gateway might write it.
LEAVES = ["global." + HAIKU, "us." + HAIKU, "Global." + HAIKU, "GLOBAL." + HAIKU, "bedrock/global." + HAIKU, "bedrock/bedrock/global." + HAIKU,
          "mars." + HAIKU, "eu.global." + HAIKU, "global.eu." + HAIKU, "eu/global." + HAIKU, "%67lobal." + HAIKU, "global%2E" + HAIKU,
          ".global." + HAIKU, "eu..global." + HAIKU, "g." + HAIKU, "anthropic/global." + HAIKU, "us-gov." + HAIKU, "apac." + HAIKU,
          "eu.anthropic.claude-unheard-of", ARN + "inference-profile/global." + HAIKU, ARN + "inference-profile/us." + HAIKU,
          ARN + "application-inference-profile/abcdef", ARN + "prompt-router/x", ARN + "prompt/ABC:1", ARN + "x:inference-profile/eu." + HAIKU
          + "/../global." + HAIKU, ARN.replace("eu-central-1", "us-east-1") + "foundation-model/" + HAIKU, ARN + "default-prompt-router/eu.x",
          ARN + "foundation-model/x:inference-profile/global." + HAIKU, ARN + "inference-profile/global." + HAIKU + ":inference-profile/eu." + HAIKU]
STAYS = ["claude-haiku-4-5", HAIKU, "eu." + HAIKU, "bedrock/eu." + HAIKU, ARN + "inference-profile/eu." + HAIKU,
         ARN + "foundation-model/" + HAIKU]


def bedrock(a, name, profile="geo", **more):
    setting = [dict(id=NUM["SETTING_PROFILE"], value=profile)] if profile else []
    setting += [dict(id=NUM["SETTING_" + k.upper()], value=v) for k, v in sorted(more.pop("settings", {}).items())]
    a.put(name, SECRET, provider=NUM["PROVIDER_BEDROCK"], auth=NUM["AUTH_SIGV4"], region="eu-central-1",
          access_key_id="AKIAATTACKATTACK0001", setting=sorted(setting, key=lambda s: s["id"]), **more)
    return a.issue(name, [name])


def use(a, g, key, operation=None, meddle=None, **fields):
    """Plans a chat for Haiku; then `meddle`; then the USE, as planned or with another operation. The answer; 'sent' if it went out."""
    id_, plan, s, ln = a.lane(g, key, model="claude-haiku-4-5")
    n = len(a.up.requests)
    at = plan["attempt"][0]
    assert at["operation"] == NUM["OP_BEDROCK_CONVERSE"] and at["model"] == "eu." + HAIKU, at
    if meddle is not None:
        meddle()
    f = g.use(id_, plan, s.number, ln.id, BODY, operation=operation or "OP_BEDROCK_CONVERSE", **fields)
    if f[0] == "GO":
        s.body(ln, BODY)
        assert s.pump(lambda: http_complete(ln.plain) or ln.closed)
    else:
        time.sleep(0.05)
        assert len(a.up.requests) == n, a.up.requests[n].line
    return f


def denied(f, *codes):
    assert f[0] == "DENY" and f[2]["code"] in codes, f


def operations(a, key):
    with case("K17 control: a chat planned for Converse is sent there, for the model of the plan"):
        with Gateway(a) as g:
            n = len(a.up.requests)
            assert use(a, g, key)[0] == "GO"
            assert a.up.requests[n].line == "POST /model/eu.%s/converse HTTP/1.1" % HAIKU.replace(":", "%3A"), a.up.requests[n].line
    for op in sorted(n for n in NUM if n.startswith("OP_") and n != "OP_BEDROCK_CONVERSE"):
        with case("K17 a plan for Converse does not serve %s" % op):
            with Gateway(a) as g:
                denied(use(a, g, key, op), "operation_not_allowed")
    with case("K17 nor an operation that does not exist: the gateway's channel ends"):
        with Gateway(a) as g:
            try:
                raise AssertionError(use(a, g, key, 0x7fff))
            except Closed:
                pass
    with case("K17 nor the next attempt, or this one again, whatever the gateway says of the last one"):
        for fields in (dict(attempt=1), dict(attempt=1, previous_class=NUM["CLASS_EXPIRED"], previous_status=403),
                       dict(attempt=1, previous_class=NUM["CLASS_OVERLOAD"], previous_status=529)):
            with Gateway(a) as g:
                denied(use(a, g, key, **fields), "no_plan")
        with Gateway(a) as g:
            id_, plan, s, ln = a.lane(g, key, model="claude-haiku-4-5")
            assert g.use(id_, plan, s.number, ln.id, BODY, operation="OP_BEDROCK_CONVERSE")[0] == "GO"
            s.body(ln, BODY)
            assert s.pump(lambda: http_complete(ln.plain) or ln.closed)
            for status in (0, 403, 500):
                denied(g.use(id_, plan, s.number, ln.id, BODY, operation="OP_BEDROCK_CONVERSE", attempt=0,
                             previous_class=NUM["CLASS_EXPIRED"], previous_status=status), "no_plan")


def places(a, key):
    with Gateway(a) as g:
        for op in ("OP_BEDROCK_CONVERSE", "OP_BEDROCK_INVOKE_STREAM", "OP_OPENAI_CHAT", "OP_ANTHROPIC_MESSAGES"):
            with case("K17 a credential that keeps to the EU is not planned for a model that leaves it (%s)" % op):
                for model in LEAVES:
                    name, _, m = g.authorize(key, op, model)
                    assert name == "DENY", (model, m["attempt"][0]["model"])
        with case("K17 control: it is planned for what stays there"):
            for model in STAYS:
                name, _, m = g.authorize(key, "OP_BEDROCK_CONVERSE", model)
                assert name == "PLAN" and ("eu." + HAIKU in m["attempt"][0]["model"] or "foundation-model" in model), (model, m)


def meddling(a):
    key = bedrock(a, "moved")
    with case("K17 a credential that was bound to the region after the plan is not used for the profile"):
        def bind():
            a.admin("CREDENTIAL_PUT", name="moved", expect_version=1, provider=NUM["PROVIDER_BEDROCK"], enabled=True, workspace="attack",
                    setting=[dict(id=NUM["SETTING_PROFILE"], value="none")])
        with Gateway(a) as g:
            denied(use(a, g, key, meddle=bind), "no_inference_profile", "no_plan", "lane_mismatch")
    ends = time.time() + 3
    key = bedrock(a, "ending", settings={"expires": "%d" % ends})
    with case("K17 a credential that came to its end after the plan is not used"):
        with Gateway(a) as g:
            denied(use(a, g, key, meddle=lambda: time.sleep(max(0, ends + 1.1 - time.time()))), "credential_expired")
    files = os.path.join(a.dir, "catalogue")
    shutil.copytree(os.path.join(ROOT, "catalogue"), files, ignore=shutil.ignore_patterns("*.c"))
    paths = sorted(os.path.join(files, f) for f in os.listdir(files))
    path = os.path.join(files, "models-bedrock.yaml")
    with open(path) as f:
        text = f.read()

    def apply(changed):
        with open(path, "w") as f:
            f.write(changed)
        a.ctl("catalog", "apply", *paths)
    key = bedrock(a, "renamed")
    with case("K17 a catalogue in which the model is another one by now makes the plan void"):
        with Gateway(a) as g:
            denied(use(a, g, key, meddle=lambda: apply(text.replace(HAIKU, SONNET))), "no_plan")
    with case("K17 and the one before it is in force again when it is applied again"):
        apply(text)
        with Gateway(a) as g:
            assert use(a, g, key)[0] == "GO"


def main():
    with Arena() as a:
        key = bedrock(a, "eu")
        operations(a, key)
        places(a, key)
        meddling(a)
        with case("K17 the refusals are in the audit log"):
            assert a.audited("key.denied", 0, error_code="operation_not_allowed")
            assert a.audited("key.denied", 0, error_code="no_inference_profile")
        tap.ok(a.good().line == "POST /v1/chat/completions HTTP/1.1", "K17 another credential serves as before", CHAT)
        tap.ok(a.serves(), "K17 the service still serves")
    tap.done()


main()
