#!/bin/bash
# The units under a real systemd: boots a Debian 12 container with what `make install` puts
# there, and runs inside.sh in it. Usage: tests/systemd/run.sh BUILD. Prints TAP. Needs root.
# May touch: /var/tmp/sallyport-tree-*, a folder in TMPDIR, one container without network.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:-build}
if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP a container needs root"
	exit 0
fi
tree=$(tests/systemd/tree.sh) || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/stage" "$work/result"
make --no-print-directory install-files BUILD="$build" DESTDIR="$work/stage" PREFIX=/usr >"$work/install.log" 2>&1 ||
	{
		tail -20 "$work/install.log"
		exit 1
	}

# Containers of one machine share a control group here, where one's units would be taken for
# the other's: one at a time.
exec 9>"$tree.lock"
flock -w 300 9 || exit 1
# A container's default filter leaves out what a host has: locked and secret memory, Landlock.
calls='@memlock memfd_secret landlock_create_ruleset landlock_add_rule landlock_restrict_self'
timeout -k 5 240 systemd-nspawn --quiet --directory="$tree" --volatile=overlay --boot --register=no \
	--keep-unit --private-network --system-call-filter="$calls" --machine="sallyport-test-$$" --console=pipe \
	--bind-ro="$work/stage:/stage" --bind-ro="$PWD/tests/systemd:/test" --bind="$work/result:/result" \
	--bind-ro="$PWD/tests/systemd/inside.service:/etc/systemd/system/sallyport-test.service" \
	-- systemd.wants=sallyport-test.service systemd.log_level=info </dev/null >"$work/nspawn.log" 2>&1 9>&-
status=$?
cat "$work/result/log" 2>/dev/null
if ! grep -qE '^1\.\.[0-9]+$' "$work/result/log" 2>/dev/null; then
	echo "the container ended early, status $status:"
	tail -30 "$work/nspawn.log"
	exit 1
fi
! grep -q '^not ok' "$work/result/log"
