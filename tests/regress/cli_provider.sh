#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demo provider alone: that it really checks keys, and does what a model's name asks.
. "$(dirname "$0")/cli_lib.sh"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$WORK/key.pem" -out "$WORK/cert.pem" 2>/dev/null
printf 'openai sk-one-aaaaaaaa\nopenai sk-two-bbbbbbbb\nanthropic sk-ant-cccccccc\nbedrock AKIAEXAMPLEEXAMPLE0 secretsecretsecret us-east-1\n' >"$WORK/keys"
chmod 644 "$WORK/key.pem" "$WORK/keys"
as=
[ "$(id -u)" != 0 ] || as="--run-as 64104:64104"
# shellcheck disable=SC2086
"$BUILD/sallyport-demo-provider" --keys "$WORK/keys" --cert "$WORK/cert.pem" --key "$WORK/key.pem" $as >"$WORK/port" &
provider=$!
trap 'kill $provider 2>/dev/null; finish' EXIT
until_true grep -q listening "$WORK/port"
U=https://localhost:$(sed 's/.*://' "$WORK/port")

c() { curl -sS -m 10 --cacert "$WORK/cert.pem" "$@" >"$WORK/out" 2>"$WORK/err"; }
# chat MODEL STREAM [CURL ARGS...]
chat() { c "${@:3}" "$U/v1/chat/completions" -H 'Authorization: Bearer sk-two-bbbbbbbb' -d "{\"model\":\"$1\",\"stream\":$2,\"messages\":[{\"role\":\"user\",\"content\":\"one two three four\"}]}"; }
status() { c -o /dev/null -w '%{http_code}' "${@:2}" && [ "$(cat "$WORK/out")" = "$1" ]; }

is "a right key" chat gpt false
is "echoes the user" out 'You said: one two three four'
is "another key of the file" status 200 "$U/v1/models" -H 'Authorization: Bearer sk-one-aaaaaaaa'
is "a wrong key: 401" status 401 "$U/v1/models" -H 'Authorization: Bearer sk-one-aaaaaaab'
is "no key: 401" status 401 "$U/v1/models"
is "two Authorization lines: 401" status 401 "$U/v1/models" -H 'Authorization: Bearer sk-one-aaaaaaaa' -H 'authorization: Bearer sk-two-bbbbbbbb'
is "another provider's key: 401" status 401 "$U/v1/models" -H 'Authorization: Bearer sk-ant-cccccccc'
is "anthropic" status 200 "$U/v1/models" -H 'x-api-key: sk-ant-cccccccc' -H 'anthropic-version: 2023-06-01'
is "anthropic without version: 400" status 400 "$U/v1/models" -H 'x-api-key: sk-ant-cccccccc'
is "anthropic, wrong key: 401" status 401 "$U/v1/models" -H 'x-api-key: sk-one-aaaaaaaa' -H 'anthropic-version: 2023-06-01'
B=$U/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse
ask='{"messages":[{"role":"user","content":[{"text":"hello"}]}]}'
is "a right AWS signature, made by curl" status 200 --aws-sigv4 aws:amz:us-east-1:bedrock -u AKIAEXAMPLEEXAMPLE0:secretsecretsecret \
	"$U/model/anthropic.x/converse" -H 'Content-Type: application/json' -d "$ask"
is "a wrong AWS secret: 403" status 403 --aws-sigv4 aws:amz:us-east-1:bedrock -u AKIAEXAMPLEEXAMPLE0:secretsecretsecreT \
	"$U/model/anthropic.x/converse" -H 'Content-Type: application/json' -d "$ask"
is "another region: 403" status 403 --aws-sigv4 aws:amz:eu-west-1:bedrock -u AKIAEXAMPLEEXAMPLE0:secretsecretsecret \
	"$U/model/anthropic.x/converse" -H 'Content-Type: application/json' -d "$ask"
is "no signature: 403" status 403 "$B" -d "$ask"

is "a stream ends with its marker" chat gpt true
is "with [DONE]" out '\[DONE\]'
is "count-500" chat count-500 true
is "has 500 events of content" test "$(grep -c '"content":"abcde"' "$WORK/out")" = 500
is "bytes-300000" chat bytes-300000 false
is "is about that large" test "$(wc -c <"$WORK/out")" -gt 300000
is "status-429" bash -c "true" && chat status-429 false -i
is "is a 429 with retry-after and OpenAI's shape" bash -c "grep -qi 'HTTP/1.1 429' $WORK/out && grep -qi retry-after $WORK/out && grep -q rate_limit_exceeded $WORK/out"
chat echo-headers true -i
is "echo-headers: in a header, an event and a trailer" bash -c "grep -qi '^x-echo-authorization: Bearer sk-two' $WORK/out && grep -q 'data: .*sk-two-bbbbbbbb' $WORK/out && grep -qi '^x-echo-trailer-authorization: Bearer sk-two' $WORK/out"
chat echo-split-3 false --raw
is "echo-split-3: chunks of three bytes" test "$(tr -d '\r' <"$WORK/out" | grep -c '^3$')" -gt 100
chat drip-9 true
is "drip-9 arrives whole" out '\[DONE\]'
started=$(date +%s%N)
chat slow-100 true
is "slow-100 takes its time" test $((($(date +%s%N) - started) / 1000000)) -ge 500
for m in truncate truncate-tls; do
	for s in true false; do
		chat $m $s
		is "$m, stream $s: curl sees the cut" err 'curl: (18)\|curl: (56)'
	done
done
is "truncate-marker is complete HTTP" chat truncate-marker true
is "without [DONE]" lacks DONE "$WORK/out"
chat stream-error true
is "stream-error has an error event" out 'server_error'
chat hang false -m 0.5
is "hang does not answer" err 'curl: (28)'
is "keep-alive: three requests, one connection" bash -c "curl -sS -v --cacert $WORK/cert.pem $U/v1/models $U/v1/models $U/v1/models 2>&1 | grep -c 'Re-using existing connection' | grep -qx 2"
is "Expect: 100-continue is answered" c -H 'Expect: 100-continue' --expect100-timeout 20 "$U/v1/chat/completions" -H 'Authorization: Bearer sk-two-bbbbbbbb' -d '{"model":"m"}'
kill -TERM $provider
is "SIGTERM ends it with 0" wait $provider
finish
