# SPDX-License-Identifier: Apache-2.0
"""A stack plus a scripted provider of the test's own, credentials for it with keys the test knows, and a hostile gateway."""

import json
import secrets
import time

from hostile import Gateway, Sealer, http_complete
from sp_proto import NUM
from stack import Stack
from upstream import Certs, Upstream, ok_chat

CHAT = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


def field(record, name):
    """A field of an audit record as `audit tail --json` prints it, attributes included."""
    if name in record:
        return record[name]
    for box in ("attrs", "num", "text"):
        if isinstance(record.get(box), dict) and name in record[box]:
            return record[box][name]
    return None


class Arena(Stack):
    def start(self, wait=30.0):
        super().start(wait)
        self.certs = Certs(self.dir)
        self.behave = ok_chat
        self.up = Upstream(*self.certs.issue("localhost"), behave=lambda r, send: self.behave(r, send))
        self.secret = "sk-attack-" + secrets.token_hex(20)
        self.cred = self.put("attack", self.secret)
        self.vkey = self.issue("attack", ["attack"])
        return self

    def stop(self):
        if getattr(self, "up", None):
            self.up.stop()
        return super().stop()

    def put(self, name, secret, port=None, **more):
        f = dict(name=name, expect_version=0, provider=NUM["PROVIDER_OPENAI_COMPATIBLE"], auth=NUM["AUTH_BEARER"],
                 host="localhost", port=port or self.up.port, secret=secret, ca_pem=self.certs.pem(),
                 workspace="attack", enabled=True)
        f.update(more)
        r = self.admin("CREDENTIAL_PUT", **f)
        if r[-1][0] != "DONE":
            raise RuntimeError("CREDENTIAL_PUT %s: %r" % (name, r))
        return name

    def issue(self, name, credentials, models=(), workspace="attack", rate=0):
        r = self.admin("VKEY_ISSUE", name=name, workspace=workspace, rate_per_minute=rate,
                       credential=[dict(name=c) for c in credentials], model=[dict(name=m) for m in models])
        if r[-1][0] != "VKEY_ISSUED":
            raise RuntimeError("VKEY_ISSUE %s: %r" % (name, r))
        return r[-1][2]["key"]

    # --- a request through the hostile gateway ------------------------------------------------------------------

    def lane(self, g, vkey=None, operation="OP_OPENAI_CHAT", model="m", port=None, lane=1, ready=True):
        """(request id, plan, sealer, lane): authorized, with a lane that is verified unless ready is False."""
        name, id_, plan = g.authorize(vkey or self.vkey, operation, model)
        assert name == "PLAN", plan
        s = g.open_sealer(plan["attempt"][0]["credential"])
        assert isinstance(s, Sealer), s
        ln = s.open(lane, port or self.up.port)
        if ready:
            assert s.pump(lambda: ln.ready or ln.closed), "no LANE_READY"
            assert ln.ready, ln.closed
        return id_, plan, s, ln

    def good(self, g=None, body=CHAT, **use):
        """One whole request by the hostile gateway's own hands; the request as the provider saw it."""
        own = g is None
        g = g or Gateway(self)
        try:
            id_, plan, s, ln = self.lane(g, operation=use.get("operation", "OP_OPENAI_CHAT"))
            n = len(self.up.requests)
            f = g.use(id_, plan, s.number, ln.id, body, **use)
            assert f[0] == "GO", f
            s.body(ln, body)
            assert s.pump(lambda: http_complete(ln.plain) or ln.closed), "no answer"
            assert http_complete(ln.plain), (ln.closed, ln.plain[:200])
            return self.up.requests[n]
        finally:
            if own:
                g.close()

    def serves(self):
        """The real gateway serves a good request now (ten seconds are given for a restart or a reconnect)."""
        last, end = None, time.monotonic() + 10
        while time.monotonic() < end:
            try:
                last = self.chat()
                if last.status == 200:
                    return True
            except Exception as e:  # noqa: BLE001: any failure is an answer here
                last = e
            time.sleep(0.1)
        print("# not served: %r" % last)
        return False

    # --- audit -----------------------------------------------------------------------------------------------

    def mark(self):
        """Sequence number of the newest audit record."""
        r = self.ctl("audit", "tail", "--json", "--lines", "1")
        return json.loads(r.stdout.decode().splitlines()[-1])["seq"]

    def audited(self, event, since, timeout=3.0, least=1, **want):
        """Records of this event after `since` whose fields contain these texts; waits for `least` of them."""
        def match(r):
            return field(r, "seq") > since and field(r, "event") == event and all(
                str(v) in str(field(r, k)) for k, v in want.items())
        return self.wait_audit(match, timeout, since + 1, least)
