#!/bin/bash
# House rules that a script can judge: banned functions, leftover marks, file and function
# length, file heads, what a file exports, include direction, own header first.
# Usage: tests/lint/checksrc.sh BUILD. Prints TAP. Reads only.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:-build}
n=0
bad=0
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# result TEXT: one TAP line; the faults found are in $out/faults.
result()
{
	n=$((n + 1))
	if [ -s "$out/faults" ]; then
		bad=1
		echo "not ok $n - $1"
		sed 's/^/# /' "$out/faults" | head -60
	else
		echo "ok $n - $1"
	fi
	: >"$out/faults"
}
: >"$out/faults"

product=(common proto dialect vaultd auditd gatewayd ctl)
mapfile -t sources < <(find "${product[@]}" -name '*.[ch]' | sort)
mapfile -t tests < <(find tests -name '*.[ch]' -not -path '*/corpus/*' | sort)
mapfile -t texts < <(find "${product[@]}" tests systemd mk docs Makefile ./*.md .ci -type f \
	-not -path '*/corpus/*' -not -path '*/vectors/*' 2>/dev/null | grep -Ev '\.(bin|der|pem|png)$' | sort)

# Code without comments and string contents, with its line numbers.
bare()
{
	sed -E -e 's,\\["\\],,g' -e 's,"[^"]*","",g' -e 's,//.*$,,' "$1"
}

banned='strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|system|popen|alloca|strtok|mktemp|tmpnam'
# Tests may run commands and trust their own arguments.
banned_in_tests='strcpy|strcat|sprintf|vsprintf|gets|alloca|strtok|mktemp|tmpnam'
for f in "${sources[@]}"; do
	bare "$f" | grep -nE "(^|[^a-zA-Z0-9_.>])($banned)[[:space:]]*\(" | sed "s,^,$f:," >>"$out/faults"
done
for f in "${tests[@]}"; do
	bare "$f" | grep -nE "(^|[^a-zA-Z0-9_.>])($banned_in_tests)[[:space:]]*\(" | sed "s,^,$f:," >>"$out/faults"
done
result "no banned function ($banned)"

marks='TO''DO|FIX''ME|X''XX|HA''CK'
grep -nIwE "$marks" "${texts[@]}" >>"$out/faults"
result "no leftover marks"

for f in "${sources[@]}" "${tests[@]}"; do
	lines=$(wc -l <"$f")
	if [ "$lines" -gt 600 ]; then echo "$f: $lines lines, at most 600" >>"$out/faults"; fi
done
result "no file above 600 lines"

ctags -x --c-kinds=f --fields=+ne --_xformat='%N %F %n %{end}' "${sources[@]}" "${tests[@]}" |
	awk '$4 - $3 + 1 > 100 { print $2 ":" $3 ": " $1 " has " $4 - $3 + 1 " lines, at most 100" }' >>"$out/faults"
result "no function above 100 lines"

# The purpose comment follows the licence; a test names its links first.
for f in "${sources[@]}" "${tests[@]}"; do
	head -n 3 "$f" | grep -v '^// links:' >"$out/head"
	sed -n 1p "$out/head" | grep -qx '// SPDX-License-Identifier: Apache-2.0' ||
		echo "$f: does not begin with the SPDX line" >>"$out/faults"
	sed -n 2p "$out/head" | grep -q '^// [^ ]' || echo "$f: no purpose comment under the SPDX line" >>"$out/faults"
done
result "each file begins with SPDX and its purpose"

# prefix STEM: what the names that dir/foo.c exports begin with: foo, or for foo_bar.c its
# first word, in the singular. secmem owns the secret type, mp the view type, dialect.h
# is what all of dialect/ shows outside, and ctl's files have one command_* table each.
prefix()
{
	local first
	first=$(basename "$1")
	first=${first%%_*}
	first=${first%s}
	case $1 in
	common/secmem) first+='|secret' ;;
	common/mp) first+='|view' ;;
	dialect/*) first+='|dialect_' ;;
	ctl/*) first+='|command_' ;;
	esac
	echo "$first"
}
for f in "${sources[@]}"; do
	case $f in *.h) continue ;; esac
	stem=${f%.c}
	if [ ! -e "$build/$stem.o" ]; then continue; fi
	nm --extern-only --defined-only "$build/$stem.o" | awk 'NF == 3 { print $3 }' |
		grep -vE "^(main$|_?_(asan|ubsan|odr_asan|lsan)|$(prefix "$stem"))" |
		sed "s,^,$f exports ," >>"$out/faults"
done
result "foo.c exports only names that begin with foo"

# allowed FOLDER: whose headers its files may include.
allowed()
{
	case $1 in
	common) echo 'common' ;;
	proto) echo 'common|proto' ;;
	dialect) echo 'common|proto|dialect' ;;
	gatewayd) echo 'common|proto|dialect|gatewayd' ;;
	ctl) echo 'common|proto|ctl|auditd' ;;
	*) echo "common|proto|$1" ;;
	esac
}
for f in "${sources[@]}"; do
	dir=${f%%/*}
	grep -nE '^#include "' "$f" | grep -vE "\"(($(allowed "$dir"))/[a-z0-9_]+\.h|policies\.h|catalogue_builtin\.h)\"" |
		sed "s,^,$f:," >>"$out/faults"
done
grep -nE '^#include "auditd/' ctl/*.[ch] 2>/dev/null | grep -vE '"auditd/(record|chain|verify|store)\.h"' >>"$out/faults"
result "includes go one way: common, proto, dialect for the gateway, then the daemons, each alone"

for f in "${sources[@]}"; do
	case $f in *.h) continue ;; esac
	if [ ! -e "${f%.c}.h" ]; then continue; fi
	first=$(grep -m 1 '^#include' "$f")
	if [ "$first" != "#include \"${f%.c}.h\"" ]; then
		echo "$f: its own header is not its first include" >>"$out/faults"
	fi
done
result "each file includes its own header first"

# Debian 12 has clang-format 14; another version would have other opinions.
if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
	clang-format --dry-run -Werror "${sources[@]}" "${tests[@]}" 2>&1 | grep -E 'error:' >>"$out/faults"
	result "the layout is that of .clang-format"
else
	n=$((n + 1))
	echo "ok $n - # SKIP layout: clang-format 14 is not here"
fi

echo "1..$n"
exit $bad
