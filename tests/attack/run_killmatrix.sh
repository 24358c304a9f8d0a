#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs the kill matrix with the flags of the product. Argument or SALLYPORT_BUILD: the build directory.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-${SALLYPORT_BUILD:-build}}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
warn='-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror'
san=()
if nm "$build/libcommon.a" 2>/dev/null | grep -q __asan_; then
	echo "1..0 # SKIP the filters of a sanitizer build are wider by design"
	exit 0
fi
# shellcheck disable=SC2086
${CC:-cc} -std=c17 -O2 -g -D_GNU_SOURCE $warn "${san[@]}" -I. -I"$build/gen" tests/attack/killmatrix.c \
	"$build/libcommon.a" -lseccomp -lsodium -lmsgpackc -levent -lsystemd -o "$out/killmatrix"
chmod 755 "$out" "$out/killmatrix"
"$out/killmatrix"
