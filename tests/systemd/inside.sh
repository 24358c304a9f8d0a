#!/bin/bash
# Runs in the container as root under its systemd: installs, starts, uses, kills, restarts.
# Prints TAP to its standard output. Needs /stage (what `make install` made).
set -u
n=0
key=
CANARY=sk-canary-$(head -c 24 /dev/urandom | base64 | tr -dc a-zA-Z0-9)
units=(sallyport-vaultd sallyport-auditd sallyport-gatewayd)

# check TEXT COMMAND...: one test; its output shows when it fails.
check()
{
	local text=$1 out
	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n - $text"
	else
		echo "not ok $n - $text"
		echo "${out:-no output}" | tail -n 20 | sed 's/^/# /'
	fi
}

# until_true SECONDS COMMAND...
until_true()
{
	local end=$(($(date +%s%N) / 1000000 + $1 * 1000))
	shift
	until "$@"; do
		if [ $(($(date +%s%N) / 1000000)) -gt $end ]; then return 1; fi
		sleep 0.05
	done
}

pid_of() { systemctl show --value -p MainPID "$1.service"; }

ask()
{
	local status
	status=$(curl -s -m 10 -o /tmp/answer -w '%{http_code}' http://127.0.0.1:8080/v1/chat/completions \
		-H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
		-d '{"model":"echo","messages":[{"role":"user","content":"through every door"}]}')
	if [ "$status" = 200 ] && grep -q 'through every door' /tmp/answer; then return 0; fi
	echo "status $status: $(head -c 400 /tmp/answer)"
	return 1
}
ask_quietly() { ask >/dev/null 2>&1; }

install_files()
{
	cp -a --no-preserve=ownership /stage/. /
	systemd-sysusers && systemd-tmpfiles --create sallyport.conf && systemctl daemon-reload
}

users_exist()
{
	local u
	for u in sallyport-vault sallyport-audit sallyport-gw sallyport-siem; do
		id "$u" || return 1
		getent passwd "$u" | grep -q ':/usr/sbin/nologin$' || return 1
	done
}

fails_without_key()
{
	if timeout 20 systemctl start sallyport-vaultd.service; then return 1; fi
	systemctl status sallyport-vaultd.service 2>&1 | grep -q 'store-key.cred'
}

make_key()
{
	head -c 32 /dev/urandom | base64 | systemd-creds encrypt --name=store-key - /etc/sallyport/store-key.cred &&
		[ "$(stat -c %a /etc/sallyport/store-key.cred)" != 644 ] || chmod 600 /etc/sallyport/store-key.cred
}

start_all()
{
	timeout 60 systemctl start sallyport.target || return 1
	local u
	for u in "${units[@]}"; do
		if ! until_true 20 systemctl -q is-active "$u.service"; then
			systemctl status --no-pager -n 15 "$u.service"
			return 1
		fi
	done
}

audit_connected() { sallyport status --json 2>/dev/null | grep -Eq '"audit_connected": *true'; }

# The provider in the container: TLS on loopback, with a certificate for the name that the
# credential is bound to.
start_provider()
{
	mkdir -p /tmp/p && cd /tmp/p || return 1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
		-subj /CN=provider.test -addext subjectAltName=DNS:provider.test 2>/dev/null
	echo "openai $CANARY" >keys
	chmod 755 . && chmod 644 key.pem keys
	systemd-run -q --unit=test-provider /usr/lib/sallyport/sallyport-demo-provider --keys /tmp/p/keys \
		--cert /tmp/p/cert.pem --key /tmp/p/key.pem --listen 127.0.0.1:9443 --run-as 65534:65534
	# The gateway finds it by its configuration, not by DNS.
	printf 'resolve:\n  - host: provider.test\n    address: 127.0.0.1\n' >>/etc/sallyport/sallyport.yaml
	cd / || return 1
}

# The test of the sockets pushed auditd off its own for a moment: it dials again.
put_credential()
{
	echo "$CANARY" | sallyport credential add main --no-test --provider openai --host provider.test:9443 --ca /tmp/p/cert.pem
}
add_credential()
{
	until_true 10 audit_connected
	until_true 5 put_credential && key=$(sallyport vkey issue team --credential main) && [ -n "$key" ]
}

sockets_are_private()
{
	local got want
	got=$(cd /run/sallyport && stat -c '%n %a %U:%G' ./*.sock | sort)
	want='./admin.sock 600 root:root
./audit.sock 660 root:sallyport-audit
./events.sock 660 root:sallyport-gw
./gateway.sock 660 root:sallyport-gw
./query.sock 600 root:root'
	echo "$got"
	[ "$got" = "$want" ]
}

# can_connect USER SOCKET
can_connect()
{
	runuser -u "$1" -- curl -s -m 2 --unix-socket "/run/sallyport/$2.sock" http://x/ >/dev/null 2>&1
	[ $? != 7 ]
}

only_the_right_user_connects()
{
	local u s
	can_connect sallyport-gw gateway && can_connect sallyport-gw events && can_connect sallyport-audit audit || return 1
	for s in gateway audit admin events query; do
		for u in nobody sallyport-siem; do
			if can_connect $u $s; then
				echo "$u reached $s"
				return 1
			fi
		done
	done
	for s in admin audit query; do
		if can_connect sallyport-gw $s; then
			echo "the gateway's user reached $s"
			return 1
		fi
	done
}

# Every process of the units: its own user, no capability, no new privileges, filtered.
processes_are_confined()
{
	local u pid owner seen=0
	for u in "${units[@]}"; do
		case $u in
		*vaultd) owner=sallyport-vault ;;
		*auditd) owner=sallyport-audit ;;
		*) owner=sallyport-gw ;;
		esac
		for pid in $(cat "/sys/fs/cgroup/systemd/system.slice/$u.service/cgroup.procs" 2>/dev/null ||
			cat "/sys/fs/cgroup/system.slice/$u.service/cgroup.procs"); do
			seen=$((seen + 1))
			[ "$(stat -c %U "/proc/$pid")" = $owner ] || [ "$(ps -o user:32= -p "$pid")" = $owner ] ||
				{ echo "$u process $pid runs as $(ps -o user:32= -p "$pid")"; return 1; }
			if ! grep -q '^CapPrm:[[:space:]]*0*$' "/proc/$pid/status" ||
				! grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$pid/status" ||
				! grep -q '^Seccomp:[[:space:]]*2' "/proc/$pid/status"; then
				echo "$u process $pid ($(cat "/proc/$pid/comm")):"
				grep -E '^(Cap|NoNew|Seccomp)' "/proc/$pid/status"
				return 1
			fi
		done
	done
	echo "$seen processes"
	[ $seen -ge 6 ]
}

no_network()
{
	local u host
	host=$(readlink /proc/1/ns/net)
	for u in sallyport-vaultd sallyport-auditd; do
		if [ "$(readlink "/proc/$(pid_of $u)/ns/net")" = "$host" ]; then
			echo "$u shares the network of the host"
			return 1
		fi
	done
}

# survives UNIT: killed for good, it comes back by itself and the next request works.
survives()
{
	local old
	old=$(pid_of "$1")
	[ "$old" -gt 1 ] || { echo "$1 does not run"; return 1; }
	kill -KILL "$old"
	until_true 10 eval "[ \"\$(pid_of $1)\" != $old ] && systemctl -q is-active $1.service" || return 1
	until_true 10 ask_quietly || ask
}

survives_sealer_kill()
{
	local pids
	pids=$(pgrep -u sallyport-vault -x sallyport-seale) || return 1
	kill -KILL $pids
	until_true 10 ask_quietly || ask
}

# audit_denies: without auditd no key is used, and the client is told to come again.
audit_down_denies()
{
	systemctl stop sallyport-auditd.service sallyport-auditd-events.socket sallyport-auditd-query.socket
	local status
	status=$(curl -s -m 10 -o /tmp/answer -w '%{http_code}' http://127.0.0.1:8080/v1/chat/completions \
		-H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
		-d '{"model":"echo","messages":[{"role":"user","content":"hi"}]}')
	systemctl start sallyport-auditd-events.socket sallyport-auditd-query.socket sallyport-auditd.service || return 1
	echo "status $status: $(head -c 300 /tmp/answer)"
	[ "$status" = 503 ] && until_true 10 ask_quietly
}

score()
{
	local got
	got=$(systemd-analyze security --no-pager "$1.service" | sed -nE 's/.*Overall exposure level.*: ([0-9.]+) .*/\1/p')
	echo "exposure of $1: $got, ceiling $2"
	[ -n "$got" ] && awk -v a="$got" -v b="$2" 'BEGIN { exit !(a <= b) }'
}

trail_verifies()
{
	sallyport audit verify
	local status=$?
	# 2: unbroken, but no anchor outside was given.
	[ $status = 0 ] || [ $status = 2 ]
}

trail_has_use()
{
	sallyport audit tail --json --lines 10000 >/tmp/trail || return 1
	grep -q 'key.intent' /tmp/trail && grep -q 'key.complete' /tmp/trail && grep -q 'credential.added' /tmp/trail
}

secret_is_nowhere()
{
	local pid
	if journalctl --no-pager -o cat | grep -q -- "$CANARY"; then
		echo "the journal has the key"
		return 1
	fi
	if grep -rlF -- "$CANARY" /var/lib/sallyport /etc/sallyport /run/sallyport; then return 1; fi
	for pid in $(pgrep -f /usr/lib/sallyport/sallyport-); do
		case $(tr '\0' ' ' <"/proc/$pid/cmdline") in *demo-provider*) continue ;; esac
		if grep -qaF -- "$CANARY" "/proc/$pid/environ" "/proc/$pid/cmdline"; then
			echo "process $pid has the key in environment or arguments"
			return 1
		fi
	done
}

no_swap_no_core()
{
	local u
	for u in "${units[@]}"; do
		[ "$(systemctl show --value -p MemorySwapMax $u.service)" = 0 ] || return 1
		grep -qE '^Max core file size +0 +0 ' "/proc/$(pid_of $u)/limits" || return 1
	done
}

reload_keeps_serving()
{
	local old
	old=$(pid_of sallyport-gatewayd)
	systemctl reload sallyport-gatewayd.service && sleep 0.2 && ask && [ "$(pid_of sallyport-gatewayd)" = "$old" ]
}

stops_cleanly()
{
	local u
	timeout 40 systemctl stop sallyport.target || return 1
	for u in "${units[@]}"; do
		until_true 15 eval "! systemctl -q is-active $u.service" || return 1
		if [ "$(systemctl show --value -p Result $u.service)" != success ]; then
			systemctl status --no-pager -n 10 $u.service
			return 1
		fi
	done
	! pgrep -u sallyport-vault,sallyport-audit,sallyport-gw
}

remembers()
{
	start_all && until_true 15 ask_quietly || ask
}

check "files are in place, users and folders are made" install_files
check "one user for each daemon, none can log in" users_exist
check "the units have no fault" systemd-analyze verify --man=no /usr/lib/systemd/system/sallyport*.service \
	/usr/lib/systemd/system/sallyport*.socket /usr/lib/systemd/system/sallyport.target
check "without the store key the vault does not start, and says what is missing" fails_without_key
check "the store key is made and encrypted for this host" make_key
check "a provider runs beside it" start_provider
check "sallyport.target starts all three daemons" start_all
check "auditd has reached the vault" until_true 10 audit_connected
check "each socket has its mode and group" sockets_are_private
check "a socket opens to its own peer and to nobody else" only_the_right_user_connects
add_credential >/tmp/added 2>&1
check "a credential and a virtual key are added" test -n "$key"
[ -n "$key" ] || sed 's/^/# /' /tmp/added
check "a request is served" until_true 10 ask_quietly
check "a request is answered by the provider through the gateway" ask
check "every process: own user, no capability, no new privileges, filtered" processes_are_confined
check "vault and audit have no network" no_network
check "no swap, no core files" no_swap_no_core
for u in "${units[@]}"; do
	check "$u, killed, comes back and serves" survives $u
done
check "the gateway reloads without a break" reload_keeps_serving
check "sealers, killed, come back and serve" survives_sealer_kill
check "audit stopped: 503 and no use; audit back: served" audit_down_denies
check "the trail shows the use and the change" trail_has_use
check "the trail verifies" trail_verifies
check "the key is in no journal, file, environment or argument" secret_is_nowhere
check "exposure of vaultd is at most 0.5" score sallyport-vaultd 0.5
check "exposure of auditd is at most 0.5" score sallyport-auditd 0.5
check "exposure of gatewayd is at most 1.2" score sallyport-gatewayd 1.2
check "all stops cleanly and in time" stops_cleanly
check "started again it remembers credential and key" remembers
if [ -e /tmp/debug-journal ] || grep -q '^not ok' /result/log; then
	journalctl --no-pager -o short-monotonic -u 'sallyport*' | tail -n 60 | sed 's/^/# /'
fi
echo "1..$n"
