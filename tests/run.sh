#!/bin/bash
# Runs every test of a build: tests/run.sh BUILD. One line per program, with the tail of its
# log when it fails; the last line is "N passed, N failed", and the exit status follows it.
# A program that prints cmocka or TAP results is counted test by test, others as one.
#   SALLYPORT_TESTS=REGEX          only the programs whose name (kind/name) matches
#   SALLYPORT_TEST_TIMEOUT=600     seconds that one program may take
#   SALLYPORT_TEST_LOGS=DIR        where the logs go (default BUILD/test-logs)
# Each program runs in the top folder with BUILD set, and its own TMPDIR, removed afterwards.
# May touch: BUILD/test-logs, a folder in /tmp, processes that it started.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${1:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
export BUILD SALLYPORT_BUILD=$BUILD
logs=${SALLYPORT_TEST_LOGS:-$BUILD/test-logs}
limit=${SALLYPORT_TEST_TIMEOUT:-600}
pattern=${SALLYPORT_TESTS:-.}
mkdir -p "$logs"

export PATH="$PWD/build/deps/node22/bin:$PWD/build/deps/venv/bin:$PATH"
export NODE_PATH="$PWD/build/deps/node/node_modules"
export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH="$PWD/tests/lib${PYTHONPATH:+:$PYTHONPATH}"
# A leak check at exit needs ptrace, which no sandbox allows: only the unit tests and the
# replays, which run outside one, look for leaks.
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
asan=${ASAN_OPTIONS:-abort_on_error=1}
asan_leaks="$asan:detect_leaks=1"
asan_plain="$asan:detect_leaks=0"

passed=0
failed=0
skipped=0
failures=()

# count LOG STATUS: sets ok, bad and skip from what the program printed.
count()
{
	ok=$(grep -acE '^\[       OK \]|^ok [0-9]' "$1")
	bad=$({ sed -nE 's/^\[  FAILED  \] ([^ ]+)$/\1/p' "$1"; grep -aE '^not ok [0-9]' "$1"; } | sort -u | wc -l)
	skip=$(grep -acE '^\[  SKIPPED \] [^ ]+$|^ok [0-9].*# SKIP|^1\.\.0 # SKIP' "$1")
	local taps
	taps=$(grep -acE '^ok [0-9].*# SKIP' "$1")
	ok=$((ok - taps))
	# A plan says how many results must have come.
	local plan seen
	plan=$(sed -nE 's/^1\.\.([0-9]+).*$/\1/p' "$1" | tail -1)
	seen=$(grep -acE '^(not )?ok [0-9]' "$1")
	if [ -n "$plan" ] && [ "$plan" != "$seen" ]; then
		echo "planned $plan results, printed $seen" >>"$1"
		bad=$((bad + 1))
	fi
	if [ "$2" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
	if [ "$2" = 0 ] && [ "$ok" = 0 ] && [ "$bad" = 0 ] && [ "$skip" = 0 ]; then ok=1; fi
}

# run NAME COMMAND...: one test program.
run()
{
	local name=$1 log started status pid
	shift
	[[ $name =~ $pattern ]] || return 0
	log=$logs/${name//\//-}.log
	started=$EPOCHREALTIME
	TMPDIR=$(mktemp -d /tmp/spt.XXXXXX)
	export TMPDIR
	chmod 711 "$TMPDIR"
	# timeout leads a process group of its own: whatever the test leaves behind goes with it.
	timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null &
	pid=$!
	wait $pid
	status=$?
	kill -KILL -- -$pid 2>/dev/null
	rm -rf "$TMPDIR"
	if [ $status = 124 ] || [ $status = 137 ]; then echo "timed out or killed after at most $limit s" >>"$log"; fi
	count "$log" $status
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + skip))
	local ms=$(((${EPOCHREALTIME/./} - ${started/./}) / 1000)) detail=
	if [ $((ok + bad + skip)) -gt 1 ]; then detail=", $((ok + bad)) tests"; fi
	if [ "$skip" -gt 0 ]; then detail="$detail, $skip skipped"; fi
	local secs=$((ms / 1000)).$((ms % 1000 / 100))
	if [ "$bad" = 0 ]; then
		echo "ok $name ($secs s$detail)"
	else
		failures+=("$name")
		echo "FAIL $name ($secs s$detail, $bad failed, exit $status), log $log:"
		{
			grep -aE '^not ok |^\[  FAILED  \]' "$log" | head -20
			tail -n 30 "$log"
		} | sed 's/^/    /'
	fi
}

# need NAME FILE: a test whose program was not built has failed.
need()
{
	if [ -x "$2" ]; then return 0; fi
	if [[ $1 =~ $pattern ]]; then
		failed=$((failed + 1))
		failures+=("$1")
		echo "FAIL $1: $2 was not built"
	fi
	return 1
}

export ASAN_OPTIONS=$asan_leaks
for src in tests/unit/test_*.c; do
	[ -e "$src" ] || continue
	name=$(basename "$src" .c)
	need "unit/$name" "$BUILD/tests/$name" && run "unit/$name" "$BUILD/tests/$name"
done
for src in tests/fuzz/fuzz_*.c; do
	[ -e "$src" ] || continue
	name=$(basename "$src" .c)
	need "replay/$name" "$BUILD/replay/$name" &&
		run "replay/$name" "$BUILD/replay/$name" "tests/fuzz/corpus/${name#fuzz_}"
done

export ASAN_OPTIONS=$asan_plain
for kind in lint regress attack sdk; do
	case $kind in
	lint | regress) files=(tests/$kind/*.sh tests/$kind/*.py) ;;
	*) files=(tests/$kind/run_*.sh tests/$kind/run_*.py) ;;
	esac
	for f in "${files[@]}"; do
		name=$kind/$(basename "${f%.*}")
		# Files that are not executable are parts of other tests, and do not say how to
		# run them; one that says so was meant to run.
		if [ -x "$f" ]; then
			run "$name" "$f" "$BUILD"
		elif [[ $name =~ $pattern ]] && [ -e "$f" ] && [ "$(head -c 2 "$f")" = '#!' ]; then
			failed=$((failed + 1))
			failures+=("$name")
			echo "FAIL $name: $f is not executable"
		fi
	done
done
# The units are the same for every build; sanitizers need more than the units give.
if [ "$(basename "$BUILD")" = build ]; then run systemd/run tests/systemd/run.sh "$BUILD"; fi

if [ ${#failures[@]} -gt 0 ]; then
	echo
	echo "failed: ${failures[*]}"
fi
if [ $skipped -gt 0 ]; then echo "$skipped skipped"; fi
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
