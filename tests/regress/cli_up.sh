#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The supervisor: start, second start, restarts, its own sudden death, ports and
# directories that are taken.
. "$(dirname "$0")/cli_lib.sh"
trap finish EXIT
D=$WORK/s
S="$SP --dir $D"
port=$(free_port)

child() { pgrep -P "$up_pid" -f "sallyport-$1" | head -1; }
chat()
{
	# shellcheck disable=SC1091
	. "$D/demo.env"
	curl -sS -m 10 "$SALLYPORT_URL/v1/chat/completions" -H "Authorization: Bearer $SALLYPORT_KEY" \
		-d '{"model":"gpt-5.4-mini","messages":[{"role":"user","content":"hello you"}]}' 2>&1
}
nobody() { ! pgrep -f -- "$1/" >/dev/null; } # no process with this directory in its arguments
answers() { chat | grep -q 'You said: hello you'; }

is "up --demo is ready" start_up --demo --dir "$D" --listen "127.0.0.1:$port"
[ $failed = 0 ] || finish
is "its first line tells the address and the time" bash -c "head -1 $WORK/up.out | grep -Eq '^ready http://127.0.0.1:$port .* in [0-9]+ ms'"
is "a request is answered at once" answers
is "its files are closed to others" bash -c "for f in vault.key provider.keys demo.env tls/server.key; do [ \$(stat -c %a $D/\$f) = 600 ] || exit 1; done"
if [ "$(id -u)" = 0 ]; then
	is "no daemon runs as root" bash -c "! ps -o uid=,args= --ppid $up_pid | grep -v ps | grep -q '^ *0 '"
fi
is "a second up on the directory: exit 1" run 1 timeout 20 "$SP" up --demo --dir "$D" --listen 127.0.0.1:0
is "it names the process" err "process $up_pid"
is "a second up on the port: exit 1" run 1 timeout 20 "$SP" up --demo --dir "$WORK/t" --listen "127.0.0.1:$port"
is "it says to choose another" err '--listen'

for d in vaultd auditd gatewayd demo-provider; do
	pid=$(child $d)
	kill -KILL "$pid"
	is "$d, killed, is started again" until_true bash -c "p=\$(pgrep -P $up_pid -f sallyport-$d | head -1); [ -n \"\$p\" ] && [ \$p != $pid ]"
	is "and requests are answered again" until_true answers
done
is "the deaths were told" grep -q 'died by signal 9' "$WORK/up.err"

key=$(grep KEY "$D/demo.env")
# shellcheck disable=SC1091
. "$D/demo.env"
curl -sS -m 20 "$SALLYPORT_URL/v1/chat/completions" -H "Authorization: Bearer $SALLYPORT_KEY" -d \
	'{"model":"slow-200","stream":true,"messages":[{"role":"user","content":"1 2 3 4"}]}' >"$WORK/slow" 2>&1 &
slow=$!
until_true grep -q You "$WORK/slow"
kill -INT -- -"$up_pid" # what the terminal does
code=0
wait "$up_pid" || code=$?
up_pid=
is "Ctrl-C ends all with status 0" test $code = 0
wait $slow
is "but lets a stream in flight end" grep -q '\[DONE\]' "$WORK/slow"
is "nothing is left" nobody "$D"
is "it starts again" start_up --demo --dir "$D" --listen "127.0.0.1:$port"
is "with the same key" test "$key" = "$(grep KEY "$D/demo.env")"
is "and unchanged credentials" bash -c "$S credential list --json | python3 -c 'import json,sys; assert all(c[\"version\"] == 1 for c in json.load(sys.stdin))'"
is "and answers" answers
kill -KILL "$up_pid"
wait "$up_pid" 2>/dev/null
up_pid=
is "daemons do not outlive a killed supervisor" until_true nobody "$D"
is "and the directory can be used again" start_up --demo --dir "$D" --listen "127.0.0.1:$port" --tls-listen 127.0.0.1:0 --workers 2
is "with TLS" bash -c ". $D/demo.env; curl -sS -m 10 --cacert \$SALLYPORT_CA \$SALLYPORT_TLS_URL/v1/models -H \"Authorization: Bearer \$SALLYPORT_KEY\" | grep -q gpt"
is "stops again" stop_up

mkdir "$WORK/bin"
cp "$BUILD"/sallyport "$BUILD"/sallyport-* "$WORK/bin/"
printf '#!/bin/sh\necho "broken on purpose" >&2\nexit 3\n' >"$WORK/bin/sallyport-auditd"
is "a daemon that cannot start: exit 1" run 1 timeout 20 "$WORK/bin/sallyport" up --demo --dir "$WORK/u" --listen 127.0.0.1:0
is "its status is told" err 'audit ended with status 3'
is "with the last lines of its log" err 'broken on purpose'
is "and nothing is left" nobody "$WORK/u"

is "a real provider instead of the demo's" bash -c "
	printf 'sk-real-canary-77aa66bb55cc\n' | $SP up --provider openai --dir $WORK/r --listen 127.0.0.1:0 >$WORK/r.out 2>&1 &
	pid=\$!
	for i in \$(seq 100); do grep -q '^ready' $WORK/r.out && break; sleep 0.1; done
	$SP --dir $WORK/r credential list | grep -q 'openai *openai *api.openai.com:443'; r=\$?
	kill \$pid; wait \$pid; exit \$r"
is "its key lies nowhere in the directory" lacks sk-real-canary "$WORK/r" "$WORK/r.out"
finish
