#!/bin/bash
# Manual pages against the programs: each page parses without complaint, each program and
# each page that a unit names has one, each option of --help is in its page, and the other
# way round. Usage: tests/lint/docs.sh BUILD. Prints TAP. Reads only.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:-build}
n=0
bad=0

# check TEXT FAULTS
check()
{
	n=$((n + 1))
	if [ -n "$2" ]; then
		bad=1
		echo "not ok $n - $1"
		echo "$2" | head -30 | sed 's/^/# /'
	else
		echo "ok $n - $1"
	fi
}

mapfile -t pages < <(find docs -name '*.[1-8]' 2>/dev/null | sort)
if [ ${#pages[@]} = 0 ]; then
	echo "1..0 # SKIP no manual pages"
	exit 0
fi
page_of() { printf '%s\n' "${pages[@]}" | grep -E "/$1\.[1-8]$" | head -n 1; }

check "manual pages parse without complaint" "$(mandoc -T lint -W error "${pages[@]}" 2>&1)"

check "every page that a unit names is there" "$(
	sed -nE 's/^Documentation=//p' systemd/* | tr ' ' '\n' | sort -u | while read -r ref; do
		page=$(sed -E 's/^man:([^(]*)\(([0-9])\)$/\1.\2/' <<<"$ref")
		printf '%s\n' "${pages[@]}" | grep -q "/$page$" || echo "$ref: no $page in docs"
	done
)"

# Options in the help of a program; for sallyport also of its commands.
options()
{
	local help commands
	help=$("$build/$1" --help </dev/null 2>&1)
	echo "$help"
	if [ "$1" = sallyport ]; then
		commands=$({ echo "$help"; "$build/sallyport" audit --help 2>&1; } |
			sed -nE 's/^ +(sallyport )?([a-z]+( [a-z]+)?)  .*/\2/p' | sort -u)
		while read -r command; do
			# shellcheck disable=SC2086
			"$build/sallyport" $command --help </dev/null 2>&1
		done <<<"$commands"
	fi
}
words() { grep -oE -- '--[a-z][a-z0-9-]+' | sort -u; }

programs=(sallyport sallyport-vaultd sallyport-auditd sallyport-gatewayd)
all=$(
	for p in "${programs[@]}"; do if [ -x "$build/$p" ]; then options "$p"; fi; done | words
	# Of systemd's tools and of git's, in examples.
	printf '%s\n' --name --now --help --version --with-key
)
for p in "${programs[@]}"; do
	page=$(page_of "$p")
	if [ -z "$page" ]; then
		check "$p has a manual page" "docs has none"
		continue
	fi
	if [ ! -x "$build/$p" ]; then
		check "$p: options and manual page agree" "$build/$p was not built"
		continue
	fi
	written=$(mandoc -T ascii "$page" | sed 's/.\x08//g' | words)
	check "$p: options and manual page agree" "$(
		comm -23 <(options "$p" | words) <(echo "$written") | grep -vxE -- '--(help|version)' | sed "s,$,: not in $page,"
		comm -13 <(echo "$all" | sort -u) <(echo "$written") | sed "s,$,: in $page but in no help,"
	)"
done
echo "1..$n"
exit $bad
