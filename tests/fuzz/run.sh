#!/bin/bash
# Fuzzes every target with libFuzzer, ASan and UBSan, for the given seconds each.
# New inputs are kept under build-fuzz/; a crash is left there too and fails the run.
# TARGETS="a b" fuzzes only these.
set -eu
seconds=${1:-60}
cd "$(dirname "$0")/../.."
make --no-print-directory build/policies.o build/catalogue_builtin.o >/dev/null
mkdir -p build-fuzz
failed=0
for src in tests/fuzz/fuzz_*.c; do
	name=$(basename "$src" .c)
	name=${name#fuzz_}
	if [ -n "${TARGETS:-}" ] && ! grep -qw -- "$name" <<<"$TARGETS"; then continue; fi
	folders=$(sed -n '1s,^// links:,,p' "$src")
	files=$(for d in common proto $folders; do ls "$d"/*.c; done | sort -u | grep -v 'main\.c$')
	# shellcheck disable=SC2086
	clang -std=c17 -g -O1 -D_GNU_SOURCE -DSALLYPORT_VERSION='"fuzz"' -I. -Ibuild/gen -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined "$src" $files build/gen/policies.c build/gen/catalogue_builtin.c -o "build-fuzz/$name" \
		-lssl -lcrypto -llmdb -lsodium -lmsgpackc -lseccomp -levent_openssl -levent -lsystemd -ljansson -lcyaml -lnghttp2
	mkdir -p "build-fuzz/corpus/$name"
	echo "== $name"
	(cd build-fuzz && "./$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$name-" "corpus/$name" "../tests/fuzz/corpus/$name") >"build-fuzz/$name.log" 2>&1 || {
		echo "CRASH in $name: build-fuzz/$name.log"
		failed=1
	}
	grep -E 'stat::(number_of_executed_units|new_units_added)' "build-fuzz/$name.log" || true
done
exit $failed
