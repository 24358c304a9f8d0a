#!/bin/bash
# The test runner itself: that it counts, that a crash, a hang, a missing program and a
# short plan are failures, and that its last line and exit status tell. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
n=0
bad=0
mkdir -p "$work/tests/unit" "$work/tests/regress" "$work/tests/lint" "$work/b/tests"
cp tests/run.sh "$work/tests/"

# program PATH LINE...: a script of these lines.
program()
{
	local path=$work/$1
	shift
	printf '%s\n' '#!/bin/bash' "$@" >"$path"
	chmod +x "$path"
}

# verdict TEXT STATUS
verdict()
{
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - $1"
	else
		bad=1
		echo "not ok $n - $1"
	fi
}

# expect TEXT LAST-LINE STATUS PATTERN
expect()
{
	local out status
	out=$(SALLYPORT_TESTS=$4 SALLYPORT_TEST_TIMEOUT=1 bash "$work/tests/run.sh" "$work/b" 2>&1)
	status=$?
	[ "$(tail -n 1 <<<"$out")" = "$2" ] && [ $((status != 0)) = "$3" ]
	status=$?
	verdict "$1" $status
	if [ $status != 0 ]; then sed 's/^/# /' <<<"$out"; fi
}

touch "$work/tests/unit/test_missing.c" "$work/tests/unit/test_cmocka.c"
program b/tests/test_cmocka "echo '[       OK ] a'" "echo '[  FAILED  ] b'" \
	"echo '[  FAILED  ] 1 test(s), listed below:' >&2" "echo '[  FAILED  ] b' >&2" 'exit 1'
program tests/regress/good.sh "printf 'ok 1 - a\nok 2 - b\nok 3 - # SKIP not here\n1..3\n'"
program tests/regress/plain.sh 'echo fine'
program tests/regress/mixed.sh "printf 'ok 1 - a\nnot ok 2 - b\nnot ok 3 - c\n1..3\n'" 'exit 1'
program tests/regress/short.sh "printf '1..3\nok 1 - a\n'"
program tests/regress/crash.sh "echo 'ok 1 - a'" 'kill -SEGV $$'
program tests/regress/hang.sh 'sleep 30 &' 'echo $! >"$BUILD/child"' 'sleep 30'
echo 'not executable' >"$work/tests/regress/part.sh"
printf '#!/bin/bash\necho fine\n' >"$work/tests/regress/forgotten.sh"

expect "TAP is counted, skipped tests apart" "2 passed, 0 failed" 0 regress/good
expect "a plain program counts as one" "1 passed, 0 failed" 0 regress/plain
expect "cmocka is counted test by test" "1 passed, 1 failed" 1 unit/test_cmocka
expect "failed TAP lines are failures" "1 passed, 2 failed" 1 regress/mixed
expect "fewer results than planned is a failure" "1 passed, 1 failed" 1 regress/short
expect "a crash after a passed test is a failure" "1 passed, 1 failed" 1 regress/crash
expect "a hang is a failure" "0 passed, 1 failed" 1 regress/hang
# Gone, or dead and only waiting for init.
! grep -q '^State:[[:space:]]*[RSDTtI]' "/proc/$(cat "$work/b/child")/status" 2>/dev/null
verdict "what a test leaves running is ended" $?
expect "a program that was not built is a failure" "0 passed, 1 failed" 1 unit/test_missing
expect "a test that is not executable is a failure" "0 passed, 1 failed" 1 regress/forgotten
expect "nothing to run is not a success" "0 passed, 0 failed" 1 no-such-test
echo "1..$n"
exit $bad
