#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command without a service: help that teaches, errors that name the fix, exit codes.
. "$(dirname "$0")/cli_lib.sh"
unset SALLYPORT_DIR

is "no words: the overview, exit 2" run 2 "$SP"
is "help: the overview, exit 0" run 0 "$SP" help
commands=$(sed -n 's/^  \(\(up\|status\|apply\|credential [a-z]*\|vkey [a-z]*\|catalog [a-z]*\|issuer [a-z]*\)\)  .*/\1/p' "$WORK/out")
is "the overview lists the commands" test "$(echo "$commands" | wc -l)" = 21
all_teach=0
while read -r c; do
	# shellcheck disable=SC2086
	run 0 "$SP" help $c && out '^usage: ' && out '^example:' || all_teach=1
	# shellcheck disable=SC2086
	run 0 "$SP" $c --help && out '^example:' || all_teach=1
done <<<"$commands"
is "each has a purpose, usage and example" test $all_teach = 0
is "version" run 0 "$SP" version
is "version is printed" out '^sallyport [0-9]'

is "an unknown command: exit 2" run 2 "$SP" frobnicate
is "and a hint" err 'try: sallyport help'
for typed in credentials cred catalogue issuers; do
	is "$typed: exit 2" run 2 "$SP" $typed list
	is "$typed: what was meant" err "did you mean: sallyport ${typed:0:3}"
done
is "half a command lists the rest" run 2 "$SP" credential
is "with add among it" err 'credential add'
is "an unknown option: exit 2" run 2 "$SP" status --loud
is "a missing name: exit 2" run 2 "$SP" credential show
is "a word too many: exit 2" run 2 "$SP" status now
is "an option without its value: exit 2" run 2 "$SP" credential add x --provider
for o in --secret --key --api-key --token --password --secret-access-key --session-token; do
	is "$o is refused" run 2 "$SP" credential add x --provider openai $o sk-visible-to-all
	is "$o: it says why and what to do" err 'standard input'
	is "$o: the value is not repeated" lacks sk-visible "$WORK/err"
done

is "no service: exit 1" run 1 "$SP" --dir "$WORK/none" status
is "it names the socket and what to try" err "$WORK/none/run/admin.sock.*try: sallyport up"
is "--dir works behind the command too" run 1 "$SP" status --dir "$WORK/none"
is "SALLYPORT_DIR works" env SALLYPORT_DIR="$WORK/other" bash -c "'$SP' status 2>&1 | grep -q $WORK/other/run"
is "the installed place without either" bash -c "'$SP' status 2>&1 | grep -q /run/sallyport/admin.sock"

is "a bad provider: exit 2" run 2 "$SP" credential add x --provider acme
is "it lists the providers" err 'openai-compatible'
is "bedrock without region: exit 2" run 2 "$SP" credential add x --provider bedrock --access-key-id AKIAIOSFODNN7EXAMPLE
is "it gives an example" err 'us-east-1'
is "a URL as host: exit 2" run 2 "$SP" credential add x --provider openai --host https://a.example/v1
is "it says to write the name alone" err 'without https://'
is "a bad rate: exit 2" run 2 "$SP" vkey issue t --rate fast
is "it says how a rate looks" err '600/min'
is "up: a bad address: exit 2" run 2 timeout 20 "$SP" up --demo --dir "$WORK/d" --listen nowhere
is "up: bad workers: exit 2" run 2 timeout 20 "$SP" up --demo --dir "$WORK/d" --workers 0
is "up: a directory of somebody else: exit 1" run 1 timeout 20 "$SP" up --demo --dir /proc --listen 127.0.0.1:0

is "a service account's file says which provider: exit 1" run 1 "$SP" credential add x --service-account-file /nonexistent
is "and that it cannot be read" err '/nonexistent: No such file'
is "no JSON at all: exit 1" bash -c "echo AIzaNoJson | '$SP' credential add x --provider vertex 2>'$WORK/err'; [ \$? = 1 ]"
is "it says to give the whole file" err 'no JSON .*give the file whole'
is "and not what was in it" lacks AIzaNoJson "$WORK/err"
is "up with an AWS file of another provider: exit 2" run 2 timeout 20 "$SP" up --provider gemini --aws-json x --dir "$WORK/d" --listen 127.0.0.1:0
is "a role without a key: exit 2" run 2 "$SP" credential add x --provider bedrock --region us-east-1 --role-arn arn:aws:iam::123456789012:role/r
is "it names both ways on" err 'access key id.*subject'
printf 'credentials:\n  - name: a\n    provider: openai\n    secret: sk-in-the-file\n' >"$WORK/bad.yaml"
is "apply: a secret in the YAML: exit 1" run 1 "$SP" apply -f "$WORK/bad.yaml"
is "with file and line" err "bad.yaml:4:"
is "and the remedy" err 'secret_file'
is "without the secret" lacks sk-in-the-file "$WORK/err"
is "apply without a file: exit 2" run 2 "$SP" apply
is "a full disk is noticed" run 1 bash -c "'$SP' help >/dev/full"
finish
