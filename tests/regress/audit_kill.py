#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL in the middle of load, again and again: whatever was acknowledged is there afterwards,
under the same number and hash, and the log verifies."""
import hashlib, random, threading
from lib_audit import *

ROUNDS = 20


def load(a, acked, stop):
    """Intents without a pause, and the completion of each, until the daemon dies."""
    try:
        v, _ = a.vault()
        g, _ = a.gateway()
        n = 0
        while not stop.is_set():
            burst = random.randrange(1, 12)
            v.s.sendall(b"".join(frame(APPEND, n + i, append(INTENT, key="k", use=n + i)) for i in range(burst)))
            seqs = []
            for _ in range(burst):
                kind, seq, leaf = v.answer()
                assert kind == "ack"
                acked[seq] = leaf
                seqs.append(seq)
            n += burst
            g.s.sendall(b"".join(frame(APPEND, s, append(COMPLETE, ref=s)) for s in seqs))
            for _ in seqs:
                kind, seq, leaf = g.answer()
                assert kind == "ack"
                if seq:
                    acked[seq] = leaf
    except (Closed, BrokenPipeError, ConnectionResetError):
        pass


def acked_records_survive():
    a = Auditd(flags=["--segment-records", "500"])
    acked = {}
    try:
        for n in range(ROUNDS):
            a.start()
            stop = threading.Event()
            t = threading.Thread(target=load, args=(a, acked, stop))
            t.start()
            time.sleep(random.uniform(0.02, 0.15))
            a.stop(signal.SIGKILL)
            stop.set()
            t.join()
        assert len(acked) > 200, len(acked)
        r = a.verify()
        assert r.returncode == 2, r
        a.start()
        path = a.export()
        sys.path.insert(0, os.path.dirname(VERIFIER))
        import verify_audit
        records, head = verify_audit.parse(open(path, "rb").read())
        for seq, leaf in acked.items():
            assert hashlib.sha256(b"\x00" + records[seq]).digest() == leaf, seq
        leaves, state = verify_audit.check(records, head, acked)
        starts = sum(verify_audit.decode(b)["event"] == 2 for b in records)
        assert starts == ROUNDS + 1, starts
        assert not state["open"], "an intent without completion and without intent.orphan"
        print("# %d records, %d acknowledged, %d orphans" % (len(leaves), len(acked), state["count"]["orphans"]))
    finally:
        a.close()


if __name__ == "__main__":
    main([acked_records_survive])
