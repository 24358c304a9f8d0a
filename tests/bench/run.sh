#!/bin/bash
# Builds the stream load generator, installs the peers that can be installed, and
# runs bench.py and translated.py. Nothing here judges: it prints figures, medians and ratios.
set -eu
build=${1:-build}
cd "$(dirname "$0")/../.."
cc -std=c17 -O2 -D_GNU_SOURCE tests/bench/streams.c -lssl -lcrypto -o "$build/bench-streams"
cc -std=c17 -O2 -D_GNU_SOURCE tests/bench/fsync.c -o "$build/bench-fsync"
deps=$build/deps/bench
mkdir -p "$deps"
if [ ! -x "$deps/litellm/bin/litellm" ]; then
	python3 -m venv "$deps/litellm" && "$deps/litellm/bin/pip" -q install 'litellm[proxy]' ||
		echo "LiteLLM could not be installed: left out"
fi
if [ ! -d "$deps/node_modules/@portkey-ai/gateway" ]; then
	npm --prefix "$deps" --silent install @portkey-ai/gateway >"$deps/npm.log" 2>&1 ||
		echo "Portkey could not be installed: left out"
fi
echo "durable audit records against raw flushes"
bash tests/bench/audit_rate.sh "$build" 2 || echo "audit rate: failed"
python3 tests/bench/bench.py "$build" "$deps" "${@:2}"
echo
echo "translated routes"
python3 tests/bench/translated.py "$build" "$deps"
