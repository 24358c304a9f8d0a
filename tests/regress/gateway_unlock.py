#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opening the vault by a passphrase on standard input and by a systemd credential: what was stored survives a restart,
and every wrong way in ends with a word on what to do, a status that is not 0, and a store that was not touched."""

import hashlib
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from gateway_lib import wait_for  # noqa: E402

import memscan  # noqa: E402
import stack  # noqa: E402
import tap  # noqa: E402
from hostile import Gateway  # noqa: E402
from tap import case  # noqa: E402
from vault import Admin, Audit, Vault  # noqa: E402

BUILD = stack.build_dir()
PASS = memscan.canary("a passphrase with spaces and \u00e4 ")


def digest(v):
    with open(os.path.join(v.state, "store.mdb"), "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Life:
    """A vault with one credential and one key in it, and the audit log's end, as auditd would remember it."""

    def __init__(self, dirs, unlock, stdin=None, env=None):
        self.v = Vault(BUILD, dir=tempfile.mkdtemp(dir=dirs), unlock=unlock, stdin=stdin)
        os.chmod(self.v.dir, 0o755)
        self.env, self.seq, self.key = env, 0, None

    def up(self):
        started = self.v.start(env=self.env, wait=20)
        assert started, self.v.log()
        self.audit = Audit(self.v, head_seq=self.seq, head=self.seq.to_bytes(32, "big") if self.seq else b"\0" * 32)
        self.audit.wait("VAULT_START")

    def fill(self):
        a = Admin(self.v)
        a.done("CREDENTIAL_PUT", **a.put("main"))
        self.key = a.issue("app", credential=["main"])["key"]
        a.close()

    def check(self):
        """The stored key and credential serve: a plan is made, and a sealer for it."""
        a = Admin(self.v)
        assert [c["name"] for c in a.list("CREDENTIAL")] == ["main"] and [k["name"] for k in a.list("VKEY")] == ["app"]
        a.close()
        with Gateway(self.v) as g:
            name, _, plan = g.authorize(self.key, model="gpt-4o")
            assert name == "PLAN", plan
            s = g.open_sealer(plan["attempt"][0]["credential"])
            assert not isinstance(s, dict), s

    def down(self):
        self.audit.close()
        self.seq = self.audit.seq
        assert self.v.stop() == 0, self.v.log()[-800:]

    def refused(self, text, words, unlock=None, stdin=None, env=None, **start):
        """A start that must fail: what it says, its status, and the store as it was."""
        with case(text):
            v = Vault(BUILD, dir=tempfile.mkdtemp(dir=os.path.dirname(self.v.dir)), unlock=unlock or self.v.unlock, stdin=stdin)
            os.chmod(v.dir, 0o755)
            v.state = self.v.state
            before = digest(v), sorted(os.listdir(v.state))
            started = v.start(env=env if env is not None else self.env, **start)
            status, log = v.stop(), v.log()
            assert not started, "it started"
            assert status not in (0, None) and status > 0, status
            for w in words:
                assert w in log, (w, log[-700:])
            assert (digest(v), sorted(os.listdir(v.state))) == before, "the store was changed"
            assert "assert" not in log.lower() and "BUG" not in log, log[-700:]
            shutil.rmtree(v.dir)


def secret_in_memory(v, keys):
    if os.geteuid() != 0 or stack.MEMORY_FACTOR > 1:
        return tap.skip("memory of other processes: needs root, and no sanitizer")
    with case("the passphrase is in no readable memory, environment or argument of the vault's processes"):
        scanner = memscan.Scanner(keys)
        table = stack.process_table()
        pids = [v.proc.pid] + [p.pid for p in table.values() if p.ppid == v.proc.pid]
        assert len(pids) >= 2, pids
        for pid in pids:
            hits, read, _ = scanner.process(pid)
            assert read > 100000 and not hits, (pid, hits[:3])
        assert not scanner.tree(v.dir)[0]


def passphrase(dirs):
    life = Life(dirs, "passphrase", (PASS + "\n").encode())
    with case("passphrase: a new store is made, a credential and a key are put in"):
        life.up()
        life.fill()
        life.check()
    secret_in_memory(life.v, [PASS])
    with case("passphrase: after a restart all of it is there and serves"):
        life.down()
        life.up()
        life.check()
        life.down()
    with case("passphrase: its line may end with the end of the input as well"):
        life.v.stdin = PASS.encode()
        life.up()
        life.check()
        life.down()
    for text, given in (("a wrong passphrase", PASS[:-1] + "!"), ("one character less", PASS[:-1]),
                        ("one more", PASS + "x"), ("another case", PASS.swapcase()), ("an empty one", "")):
        life.refused("passphrase: %s is refused, nothing changed" % text, ["this is not the key", "nothing was changed"],
                     stdin=(given + "\n").encode())
    life.refused("passphrase: no input at all", ["--unlock passphrase"], stdin=b"")
    life.refused("passphrase: one of 5,000 bytes", ["longer than 4096"], stdin=b"p" * 5000 + b"\n")
    key = os.path.join(dirs, "some.key")
    with open(key, "w") as f:
        f.write("ab" * 32 + "\n")
    os.chmod(key, 0o600)
    life.refused("passphrase's store with a key file: the message names the right way", ["made with a passphrase", "--unlock"],
                 unlock="keyfile:" + key)
    life.refused("an unknown way to unlock: the message lists them", ["keyfile:PATH", "credential:NAME", "passphrase"], unlock="tpm:1")
    with case("passphrase: after all these attempts the right one opens the store, and all of it serves"):
        life.up()
        life.check()
        life.down()
    for text, given, word in (("11 characters", "elevenchars", "at least 12"), ("empty", "", "at least 12")):
        with case("passphrase: a new store is not made with a weak one (%s); the next try with a good one works" % text):
            weak = Life(dirs, "passphrase", (given + "\n").encode())
            assert not weak.v.start() and weak.v.stop() > 0 and word in weak.v.log(), weak.v.log()
            weak.v.stdin = b"now a good passphrase\n"
            weak.up()
            weak.down()


def give(path, text):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o600)


def credential(dirs):
    box = os.path.join(dirs, "credentials")
    os.mkdir(box)
    env = {"CREDENTIALS_DIRECTORY": box}
    key = memscan.canary("k" * 20)
    give(os.path.join(box, "vault.key"), key + "\n")
    life = Life(dirs, "credential:vault.key", env=env)
    with case("credential: a new store is made, a credential and a key are put in"):
        life.up()
        life.fill()
        life.check()
    secret_in_memory(life.v, [key])
    with case("credential: after a restart all of it is there and serves"):
        life.down()
        life.up()
        life.check()
        life.down()
    with case("credential: the same bytes without the newline, and as a key file, open the store too"):
        give(os.path.join(box, "vault.key"), key)
        life.up()
        life.down()
        twin = os.path.join(dirs, "moved.key")
        give(twin, key + "\n")
        life.v.unlock = "keyfile:" + twin
        life.up()
        life.check()
        life.down()
        life.v.unlock = "credential:vault.key"
    life.refused("credential: no CREDENTIALS_DIRECTORY: the message names the unit's line", ["CREDENTIALS_DIRECTORY", "LoadCredentialEncrypted="], env={})
    life.refused("credential: a name that is not there: the same", ["cannot open the credential other.key", "LoadCredentialEncrypted=other.key"],
                 unlock="credential:other.key")
    life.refused("credential: a path instead of a name", ["needs a name"], unlock="credential:../some.key")
    for text, content, words in (("another key", memscan.canary("o" * 20), ["this is not the key", "nothing was changed"]),
                                 ("an empty file", "", ["shorter than 32"]), ("a short one", "abc\n", ["shorter than 32"]),
                                 ("64 KiB", "x" * 65536, ["more than 4096 bytes"])):
        give(os.path.join(box, "vault.key"), content)
        life.refused("credential: %s is refused, nothing changed" % text, words)
    give(os.path.join(box, "vault.key"), key)
    with case("credential: after all these attempts the right one opens the store, and all of it serves"):
        life.up()
        life.check()
        life.down()


def keyfile(dirs):
    path = os.path.join(dirs, "made.key")
    life = Life(dirs, "keyfile:" + path)
    with case("keyfile: the first start makes it, mode 600, and says to keep a copy"):
        life.up()
        life.fill()
        assert os.stat(path).st_mode & 0o777 == 0o600 and "keep a copy" in life.v.log()
        life.check()
        life.down()
    with open(path) as f:
        good = f.read()
    with case("keyfile: after a restart all of it is there and serves"):
        life.up()
        life.check()
        life.down()
    give(path, "0" * 64 + "\n")
    life.refused("keyfile: another file in its place is refused, nothing changed", ["this is not the key", "move the store away"])
    give(path, good[:20])
    life.refused("keyfile: a cut file", ["shorter than 32"])
    give(path, good)
    os.chmod(path, 0o640)
    life.refused("keyfile: one that others can read", ["chmod 600 " + path])
    os.unlink(path)
    life.refused("keyfile: lost: it is not made anew over an existing store", ["bring back the file"])
    with case("keyfile: none was made"):
        assert not os.path.exists(path)
    give(path, good)
    with case("keyfile: after all these attempts the right one opens the store, and all of it serves"):
        life.up()
        life.check()
        life.down()


def main():
    dirs = tempfile.mkdtemp(prefix="sallyport-unlock-")
    os.chmod(dirs, 0o755)
    try:
        for part in (passphrase, credential, keyfile):
            try:
                part(dirs)
            except Exception as e:  # noqa: BLE001: the next part still runs
                tap.ok(False, "%s ran to its end" % part.__name__, repr(e))
        with case("nothing of these vaults runs any more"):
            assert wait_for(lambda: not any(dirs in c for c in commands()), 3.0)
    finally:
        shutil.rmtree(dirs, ignore_errors=True)
    tap.done()


def commands():
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % name) as f:
                c = f.read()
                if "sallyport-" in c and name.isdigit() and int(name) != os.getpid():
                    yield c
        except (OSError, UnicodeDecodeError):
            pass


main()
