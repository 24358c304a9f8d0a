#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Credentials, virtual keys and apply against a running stack; and that no command
# leaves a secret in its output or in the stack's files.
. "$(dirname "$0")/cli_lib.sh"
trap finish EXIT
D=$WORK/s
S="$SP --dir $D"
port=$(free_port)
is "a stack starts" start_up --demo --dir "$D" --listen "127.0.0.1:$port"
[ $failed = 0 ] || finish

one=sk-first-canary-7c1e0d9a4455aa
two=sk-second-canary-7c1e0d9a4455bb
# The hosts of these are not there: nothing is tried.
add() { printf '%s\n' "$1" | "$SP" --dir "$D" credential "${@:2}" --no-test; }

is "add" run 0 add $one add main --provider openai --model 'gpt-*' --operation chat --rate 60/min
is "it says the version" out 'main added (version 1)'
is "add again is refused" run 1 add $one add main --provider openai
is "and points at rotate" err 'credential rotate main'
is "before it asks for a key" bash -c "$S credential add main --provider openai </dev/null 2>&1 | grep -q 'rotate main'"
is "a Bedrock API key beside an access key id is refused" run 1 add ABSK$(printf 'x%.0s' $(seq 80)) add wrong --provider bedrock --region us-east-1 --access-key-id AKIAIOSFODNN7EXAMPLE
is "and it says how to add it" err 'leave --access-key-id away'

is "show" run 0 $S credential show main
is "the host is the provider's own" out 'api.openai.com:443'
is "the model list is there" out 'gpt-\*'
is "the secret is not shown" lacks $one "$WORK/out"
is "list --json is JSON" bash -c "$S credential list --json | python3 -c 'import json,sys; c = {x[\"name\"]: x for x in json.load(sys.stdin)}; assert c[\"main\"][\"rate_per_minute\"] == 60 and c[\"main\"][\"operations\"] == [\"chat\"]'"
is "rotate with the same key changes nothing" run 0 add $one rotate main
is "and says so" out unchanged
is "rotate" run 0 add $two rotate main
is "the version counts" out 'version 2'
is "rotation keeps the settings" bash -c "$S credential show main | grep -q 'gpt-\*' && $S credential show main | grep -q '60/min'"
is "an empty key: exit 1" run 1 add '' rotate main
is "rotate of nothing: exit 1" run 1 add $one rotate nothing
is "disable" run 0 $S credential disable main
is "it shows" bash -c "$S credential show main | grep -q disabled"
is "enable" run 0 $S credential enable main
is "own host and port" run 0 add $one add corp --provider openai-compatible --host llm.corp.example:8443 --ca "$D/tls/ca.pem"
is "with own CA" bash -c "$S credential show corp | grep -q '8443 (own CA)'"
is "rotation keeps host and CA" bash -c "printf '%s\n' $two | $S credential rotate corp --no-test && $S credential show corp | grep -q 'example:8443 (own CA)'"
is "a private key as CA is refused" run 1 add $one add x --provider openai --ca "$D/tls/server.key"
is "bedrock with a session token on line two" bash -c "printf 'wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY\nTOKEN-canary-1\n' | $S credential add aws --no-test --provider bedrock --region us-east-1 --access-key-id ASIAIOSFODNN7EXAMPLE"
is "it has the token" bash -c "$S credential show aws | grep -q 'with session token'"
is "remove" run 0 $S credential remove aws
is "remove again: exit 1" run 1 $S credential remove aws

is "vkey issue" run 0 $S vkey issue team --credential main --rate 5/min
key=$(cat "$WORK/out")
is "prints the key alone" test "${key:0:3}" = sp-
is "list does not" bash -c "! $S vkey list --json | grep -q -- $key"
is "a second of that name: exit 1" run 1 $S vkey issue team
is "an unknown credential: exit 1" run 1 $S vkey issue other --credential nothing
is "revoke" run 0 $S vkey revoke team
is "the name is free again" run 0 $S vkey issue team --credential main

cat >"$WORK/team.yaml" <<END
credentials:
  - name: applied
    provider: anthropic
    secret_file: applied.key
    models: ["claude-*"]
virtual_keys:
  - name: applied-team
    credentials: [applied]
    key_file: team.key
END
echo sk-ant-third-canary-7c1e0d9a44 >"$WORK/applied.key"
is "apply --check sends nothing" bash -c "$S apply --check -f $WORK/team.yaml && ! $S credential list | grep -q applied"
is "apply" run 0 $S apply -f "$WORK/team.yaml"
is "adds" out 'credential applied: added'
is "writes the new key for its owner alone" test "$(stat -c %a "$WORK/team.key")" = 600
is "the new key is not printed" lacks "$(cat "$WORK/team.key")" "$WORK/out"
is "apply again" run 0 $S apply -f "$WORK/team.yaml"
is "changes nothing" test "$(grep -c unchanged "$WORK/out")" = 2
sed -i 's/claude-/claude-sonnet-/' "$WORK/team.yaml"
is "a changed setting" run 0 $S apply -f "$WORK/team.yaml"
is "is an update" out 'applied: updated (version 2)'
echo sk-ant-other-canary-7c1e0d9a44 >"$WORK/applied.key"
is "a changed secret" run 0 $S apply -f "$WORK/team.yaml"
is "is an update too" out 'applied: updated (version 3)'
printf '  - name: broken\n    credentials: [nowhere]\n' >>"$WORK/team.yaml"
sed -i 's/claude-sonnet-/claude-/' "$WORK/team.yaml"
is "one fault" run 1 $S apply -f "$WORK/team.yaml"
is "is told with its line" err 'team.yaml:10:'
is "and nothing was sent" bash -c "$S credential show applied | grep -q 'claude-sonnet'"

# At a terminal: asks, shows nothing, and gives the terminal its echo back, also after Ctrl-C.
cat >"$WORK/prompt.py" <<'END'
import os, pty, sys, termios, time
def talk(name, typed):
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(sys.argv[1], [sys.argv[1], "--dir", sys.argv[2], "credential", "add", name, "--provider", "openai", "--no-test"])
    seen = b""
    while b"not shown" not in seen:
        seen += os.read(fd, 1000)
    end = time.time() + 5
    while termios.tcgetattr(fd)[3] & termios.ECHO and time.time() < end:
        time.sleep(0.01)
    os.write(fd, typed)
    try:
        while more := os.read(fd, 1000):
            seen += more
    except OSError:
        pass
    try:
        echo = termios.tcgetattr(fd)[3] & termios.ECHO
    except termios.error:
        echo = 1
    return seen, os.waitpid(pid, 0)[1], echo
seen, status, echo = talk("typed", b"sk-typed-canary-7c1e0d9a44\n")
assert status == 0 and b"canary" not in seen and b"typed added" in seen and echo, (seen, status)
seen, status, echo = talk("cancelled", b"sk-half\x03")
assert os.WIFSIGNALED(status) and b"half" not in seen and echo, (seen, status)
END
is "a typed key is not shown" run 0 python3 "$WORK/prompt.py" "$SP" "$D"
is "and stored" run 0 $S credential show typed
is "a cancelled one is not" run 1 $S credential show cancelled

is "every change is in the trail" bash -c "for e in added rotated enabled disabled removed; do $S audit export --format json | grep -q credential.\$e || exit 1; done"
is "no secret is in the stack's directory" lacks canary "$D"
is "status says whole" run 0 $S status
finish
