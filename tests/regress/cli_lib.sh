# SPDX-License-Identifier: Apache-2.0
# What the cli_*.sh tests share: TAP lines, a private stack, a free port.
# Sourced, with the build directory as first argument of the test.
set -u
BUILD=$(cd "${1:-${SALLYPORT_BUILD:-build}}" && pwd)
WORK=$(mktemp -d "${TMPDIR:-/tmp}/cli.XXXXXX")
chmod 711 "$WORK"
SP=$BUILD/sallyport
n=0
failed=0
up_pid=

# is TEXT COMMAND...: one test, passed when the command succeeds.
is()
{
	local text=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $text"
	else
		failed=$((failed + 1))
		echo "not ok $n - $text"
		sed 's/^/# /' "$WORK/out" "$WORK/err" 2>/dev/null | tail -20
	fi
}

# run CODE COMMAND...: true when it exits with CODE; output in $WORK/out and $WORK/err.
run()
{
	local want=$1 got=0
	shift
	"$@" >"$WORK/out" 2>"$WORK/err" || got=$?
	[ "$got" = "$want" ] || { echo "# exit $got, wanted $want: $*"; return 1; }
}

out() { grep -q -- "$1" "$WORK/out"; }
err() { grep -q -- "$1" "$WORK/err"; }
lacks() { ! grep -rqF --exclude=provider.keys -- "$1" "${@:2}"; }

free_port()
{
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_up ARGS...: starts `sallyport up` and waits for its ready line (in $WORK/up.out).
start_up()
{
	: >"$WORK/up.out"
	setsid "$SP" up "$@" >"$WORK/up.out" 2>"$WORK/up.err" & # a group of its own, as at a terminal
	up_pid=$!
	for _ in $(seq 300); do
		grep -q '^ready ' "$WORK/up.out" && return 0
		kill -0 $up_pid 2>/dev/null || break
		sleep 0.1
	done
	sed 's/^/# /' "$WORK/up.err" | tail -20
	return 1
}

# stop_up: ends it; true when it exits with 0.
stop_up()
{
	local code=0
	[ -n "$up_pid" ] || return 1
	kill -TERM "$up_pid" 2>/dev/null
	wait "$up_pid" || code=$?
	up_pid=
	[ $code = 0 ]
}

# until_true COMMAND...: tries for ten seconds.
until_true()
{
	for _ in $(seq 100); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

finish()
{
	trap - EXIT
	[ -z "$up_pid" ] || stop_up
	rm -rf "$WORK"
	echo "1..$n"
	exit $((failed != 0 || n == 0))
}
