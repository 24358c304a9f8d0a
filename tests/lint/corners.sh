#!/bin/bash
# docs/corner-cases.md names all fifty cases, and tests that exist. Prints TAP. Reads only.
set -u
cd "$(dirname "$0")/../.." || exit 2
page=docs/corner-cases.md
faults=$(
	for i in $(seq 50); do
		grep -q "^| $i | .* | .*[a-z].* |$" $page || echo "no case $i"
	done
	sed -n 's/^| [0-9]* | .* | \(.*\) |$/\1/p' $page | grep -oE '`[^`]+`' | tr -d '`' | sort -u | while read -r ref; do
		case $ref in
		golden/* | unit/*.c | regress/* | attack/* | sdk/*) [ -e "tests/$ref" ] || echo "no tests/$ref" ;;
		unit/*:*)
			file=tests/${ref%%:*}.c
			grep -qE "^${ref##*:}\(|unit_test[a-z_]*\(${ref##*:}[,)]|\<${ref##*:}\>" "$file" 2>/dev/null || echo "no $ref"
			;;
		*/*.[ch]) [ -e "$ref" ] || echo "no $ref" ;;
		*) echo "what is $ref?" ;;
		esac
	done
)
if [ -n "$faults" ]; then
	echo "not ok 1 - the corner cases name tests that exist"
	sed 's/^/# /' <<<"$faults"
	echo 1..1
	exit 1
fi
echo "ok 1 - the corner cases name tests that exist"
echo 1..1
