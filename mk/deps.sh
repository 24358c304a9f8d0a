#!/bin/bash
# Installs what is missing: mk/deps.sh [build|check|bench]. Each level includes the ones
# before it. With everything there it asks nobody anything, so it is instant and works
# offline. Debian packages need root; without it the line to run is printed.
# May touch: the system's packages, build/deps.
set -eu
cd "$(dirname "$0")/.."
level=${1:-build}
deps=build/deps

want=(gcc make pkg-config libevent-dev libssl-dev libsodium-dev libmsgpack-dev liblmdb-dev
	libseccomp-dev libjansson-dev libcyaml-dev libsystemd-dev libnghttp2-dev)
check=(libcmocka-dev clang clang-format universal-ctags binutils curl strace procps openssl
	systemd systemd-container debootstrap mandoc)
bench=(nginx haproxy wrk)

case $level in
build) ;;
check | bench) want+=("${check[@]}") ;;
*)
	echo "usage: mk/deps.sh [build|check|bench]" >&2
	exit 2
	;;
esac
if [ "$level" = bench ]; then want+=("${bench[@]}"); fi

# Python and Node count as there when they work, whoever installed them.
if [ "$level" != build ]; then
	if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then want+=(python3 python3-venv); fi
	if ! command -v node >/dev/null; then want+=(nodejs); fi
	if ! command -v npm >/dev/null; then want+=(npm); fi
fi

missing=()
have=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${want[@]}" 2>/dev/null | sed -n 's/^ii *//p' || true)
for p in "${want[@]}"; do
	grep -qx -- "$p" <<<"$have" || missing+=("$p")
done

if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "Missing Debian packages. As root, run:" >&2
		echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	echo "  APT ${missing[*]}"
	log=$(mktemp)
	# RUNLEVEL=1 keeps a freshly installed server from being started.
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y \
		--no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"; } >"$log" 2>&1; then
		tail -20 "$log" >&2
		echo "apt-get could not install: ${missing[*]} (whole log: $log)" >&2
		exit 1
	fi
	rm -f "$log"
fi
if [ "$level" = build ]; then exit 0; fi

# The SDKs, into build/deps, each under a stamp that holds what it was made from.
pip_stamp=$(cat tests/sdk/requirements.txt tests/sdk/requirements-older.txt; python3 --version)
if [ "$(cat $deps/venv/stamp 2>/dev/null)" != "$pip_stamp" ]; then
	echo "  PIP tests/sdk/requirements.txt"
	rm -rf $deps/venv
	python3 -m venv $deps/venv
	$deps/venv/bin/pip install -q --disable-pip-version-check -r tests/sdk/requirements.txt
	$deps/venv/bin/pip install -q --disable-pip-version-check --target $deps/venv/older \
		-r tests/sdk/requirements-older.txt
	echo "$pip_stamp" >$deps/venv/stamp
fi
# The newest SDKs want a newer Node than Debian's: then a pinned one from the registry, for the tests alone.
node_pin=22.23.3
if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 22 ] &&
	[ "$($deps/node22/bin/node --version 2>/dev/null)" != "v$node_pin" ]; then
	case $(uname -m) in
	aarch64) arch=arm64 ;;
	*) arch=x64 ;;
	esac
	echo "  NPM node $node_pin"
	rm -rf $deps/node22
	mkdir -p $deps/node22
	npm install --prefix $deps/node22 --no-audit --no-fund --no-save --no-package-lock \
		--ignore-scripts --silent "node-linux-$arch@$node_pin"
	ln -s "node_modules/node-linux-$arch/bin" $deps/node22/bin
	$deps/node22/bin/node --version >/dev/null
fi
npm_stamp=$(cat tests/sdk/package.json; node --version)
if [ "$(cat $deps/node/stamp 2>/dev/null)" != "$npm_stamp" ]; then
	echo "  NPM tests/sdk/package.json"
	rm -rf $deps/node
	mkdir -p $deps/node
	cp tests/sdk/package.json $deps/node/
	npm install --prefix $deps/node --no-audit --no-fund --no-package-lock \
		--ignore-scripts --silent
	echo "$npm_stamp" >$deps/node/stamp
fi
