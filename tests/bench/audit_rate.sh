#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Durable audit records a second beside the disk's own flush rate, then the speed of both
# verifiers on the log that this made: tests/bench/audit_rate.sh [BUILD [SECONDS [DIR]]]
set -eu
build=$(realpath "${1:-build}")
seconds=${2:-2}
cd "$(dirname "$0")/../.."
base=${3:-$build}
dir=$(mktemp -d "$base/audit-rate-XXXXXX")
trap 'rm -rf "$dir"' EXIT
cc -std=c17 -O2 -D_GNU_SOURCE tests/bench/fsync.c -o "$build/bench-fsync"
cc -std=c17 -O2 -D_GNU_SOURCE -I. tests/bench/audit_rate.c "$build/libproto.a" "$build/libcommon.a" \
	-lsodium -lmsgpackc -lsystemd -o "$build/bench-audit"
"$build/bench-fsync" "$dir/raw"
"$build/bench-audit" "$build" "$dir" "$seconds"
du -sk --apparent-size "$dir/log"
time "$build/sallyport" audit verify --path "$dir/log" || [ $? = 2 ]
