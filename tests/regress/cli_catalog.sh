#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The catalogue by command against a running stack: show, diff, apply; that it survives a
# restart of the vault, reaches the gateway, loses nobody's change, and leaves requests in
# flight alone.
. "$(dirname "$0")/cli_lib.sh"
trap finish EXIT
D=$WORK/s
S="$SP --dir $D"
top=$(cd "$(dirname "$0")/../.." && pwd)
port=$(free_port)
is "a stack starts" start_up --demo --dir "$D" --listen "127.0.0.1:$port"
[ $failed = 0 ] || finish
# shellcheck disable=SC1091
. "$D/demo.env"

is "show" run 0 $S catalog show
is "it is the built-in one" out '^catalogue version 0 (built in), as of 20'
is "with the operations of a provider" out 'operations: generate-content'
is "and its models, with prices" out '^gemini-2.5-flash  *1048576  *65536  *0.3  *2.5 '
is "of one provider" run 0 $S catalog show --provider bedrock
is "no other is there" lacks gemini "$WORK/out"
is "an unknown provider: exit 2" run 2 $S catalog show --provider acme
is "it lists the providers" err 'gemini, azure, vertex'
is "--json is JSON" bash -c "$S catalog show --json | python3 -c 'import json,sys; c = json.load(sys.stdin); assert c[\"version\"] == 0 and len(c[\"models\"]) > 100 and c[\"hosts\"][0][\"host\"]'"

is "--yaml" run 0 $S catalog show --yaml
cp "$WORK/out" "$WORK/c.yaml"
is "what it prints differs in nothing: exit 0" run 0 $S catalog diff "$WORK/c.yaml"
is "and says nothing" test ! -s "$WORK/out"
is "nor do the files of the source" run 0 $S catalog diff "$top"/catalogue/*.yaml
is "applying it changes nothing" run 0 $S catalog apply "$WORK/c.yaml"
is "and says so" out '^catalogue version 0 unchanged'

# A change: one model more, one less, a price.
python3 - "$WORK/c.yaml" "$WORK/new.yaml" <<'END'
import re, sys
text = open(sys.argv[1]).read()
text, n = re.subn(r'  - name: gpt-4o\n    provider: openai\n(    .*\n)*', "", text)
text, m = re.subn(r'(- name: gpt-4.1\n    provider: openai\n    context: )1000000\n', r"\g<1>1000001\n", text)
text, k = re.subn(r"\nmodels:\n", '\nmodels:\n  - name: in-house-1\n    provider: openai\n', text)
assert n == m == k == 1, (n, m, k)
open(sys.argv[2], "w").write(text)
END
is "diff: exit 1" run 1 $S catalog diff "$WORK/new.yaml"
is "what is added" out '^+ model in-house-1 of openai$'
is "what is removed" out '^- model gpt-4o of openai$'
is "what is changed, and how" out '^~ model gpt-4.1 of openai: context 1000000 -> 1000001$'
is "and no more" test "$(wc -l <"$WORK/out")" = 3

body='{"model":"stamp-60-50","stream":true,"messages":[{"role":"user","content":"x"}]}'
post() { curl -sSN -m 20 "$SALLYPORT_URL/v1/chat/completions" -H "Authorization: Bearer $SALLYPORT_KEY" -H 'Content-Type: application/json' -d "$1"; }
post "$body" >"$WORK/stream" 2>&1 &
stream=$!
is "a stream is under way" until_true grep -q data: "$WORK/stream"
is "apply" run 0 $S catalog apply "$WORK/new.yaml"
is "it says what it did" out '^catalogue version 1 is in force: 1 added, 1 removed, 1 changed$'
is "the stream was still under way" bash -c "! grep -q DONE $WORK/stream"
is "and ends whole" wait $stream
is "with all its events" test "$(grep -c '"content":"[0-9]' "$WORK/stream")" = 60
is "and its mark" grep -q 'data: \[DONE\]' "$WORK/stream"
is "show tells who and where from" run 0 $S catalog show
is "in its first line" out "^catalogue version 1, applied 20.*Z by uid $(id -u) from new.yaml, as of"
is "the gateway lists it" until_true bash -c "curl -sS $SALLYPORT_URL/v1/models -H 'Authorization: Bearer $SALLYPORT_KEY' | grep -q in-house-1"
is "it is in the trail" bash -c "$S audit export --format json | grep catalogue.applied | grep -q new.yaml"

# Somebody else's change is not lost.
sed 's/in-house-1/in-house-2/' "$WORK/new.yaml" >"$WORK/late.yaml"
is "made from an older version: exit 1" run 1 $S catalog apply "$WORK/late.yaml"
is "it names both versions and the way on" err 'made from version 0 .* version 1 is in force.*catalog diff'
is "diff says it too" run 1 $S catalog diff "$WORK/late.yaml"
is "on standard error" err 'made from version 0; version 1 is in force'
is "nothing was applied" bash -c "$S catalog show | grep -q 'version 1,'"
sed -i 's/^version: 0$/version: 1/' "$WORK/late.yaml"
is "with the right version" run 0 $S catalog apply "$WORK/late.yaml"
is "it is applied" out '^catalogue version 2 is in force: 1 added, 1 removed, 0 changed$'

# The vault starts again.
vault=$(pgrep -P "$up_pid" -f sallyport-vaultd | head -1)
kill -KILL "$vault"
is "the vault is back" until_true bash -c "$S status 2>/dev/null | grep -q 'up [0-9] s' && $S status"
is "show" run 0 $S catalog show
is "the same version is in force" out '^catalogue version 2, applied '
is "with the same rows" run 0 $S catalog diff "$WORK/late.yaml"
is "the gateway lists it again" until_true bash -c "curl -sS $SALLYPORT_URL/v1/models -H 'Authorization: Bearer $SALLYPORT_KEY' | grep -q in-house-2"

# What is wrong is told with its line, and changes nothing.
sed 's/^    method: GET/    method: PUT/' "$WORK/late.yaml" >"$WORK/bad.yaml"
is "a bad method: exit 1" run 1 $S catalog apply "$WORK/bad.yaml"
is "told with file and line" err 'bad.yaml:[0-9]*: method "PUT": GET or POST'
is "diff: exit 2" run 2 $S catalog diff "$WORK/bad.yaml"
is "a part is not the whole: exit 1" run 1 $S catalog apply "$top/catalogue/models-openai.yaml"
is "it says how to begin" err 'catalog show --yaml >'
is "a file that is not there: exit 1" run 1 $S catalog apply "$WORK/nowhere.yaml"
is "the same file twice: exit 1" run 1 $S catalog apply "$WORK/late.yaml" "$WORK/late.yaml"
is "no file: exit 2" run 2 $S catalog apply
python3 - "$WORK/late.yaml" "$WORK/less.yaml" <<'END'
import re, sys
text = open(sys.argv[1]).read().replace("version: 1\n", "version: 2\n")
text = re.sub(r"  - operation: \S+\n    provider: anthropic\n(    .*\n)*", "", text)
open(sys.argv[2], "w").write(text)
END
is "what a credential lives on cannot go: exit 1" run 1 $S catalog apply "$WORK/less.yaml"
is "it names the credential" err "anthropic-demo"
is "all that left version 2 in force" bash -c "$S catalog show | grep -q 'version 2,'"
is "back to what the package has" run 0 $S catalog apply "$top"/catalogue/*.yaml
is "as a new version" out '^catalogue version 3 is in force'
is "status says whole" run 0 $S status
finish
