#!/bin/bash
# Prints the path of a Debian 12 tree with systemd and our runtime libraries, made once with
# debootstrap and kept in /var/tmp under the hash of what it is made of. Needs root.
set -eu
packages=systemd,systemd-sysv,dbus,libevent-2.1-7,libevent-openssl-2.1-7,libssl3,libsodium23
packages+=,libmsgpackc2,liblmdb0,libseccomp2,libjansson4,libcyaml1,libsystemd0,ca-certificates
packages+=,curl,openssl,procps,strace
suite=bookworm
key=$(echo "$suite $packages" | sha256sum | cut -c1-16)
tree=/var/tmp/sallyport-tree-$key

if [ ! -e "$tree/etc/debian_version" ]; then
	exec 9>"$tree.lock"
	flock 9
fi
if [ ! -e "$tree/etc/debian_version" ]; then
	# Wherever this machine's own Debian packages come from.
	mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
	if [ -z "$mirror" ]; then
		echo "no package lists of Debian $suite here: run apt-get update" >&2
		exit 1
	fi
	rm -rf "$tree.part"
	if ! debootstrap --variant=minbase --include="$packages" "$suite" "$tree.part" "$mirror" >"$tree.log" 2>&1; then
		tail -20 "$tree.log" >&2
		rm -rf "$tree.part"
		exit 1
	fi
	rm -rf "$tree.part/var/cache/apt/archives" "$tree.part/var/lib/apt/lists"
	mkdir -p "$tree.part/var/cache/apt/archives/partial" "$tree.part/var/lib/apt/lists/partial"
	mv "$tree.part" "$tree"
fi
echo "$tree"
