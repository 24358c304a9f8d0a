#!/bin/bash
# What the linker proves: no TLS in the vault core, no store in the sealer, neither store nor
# chain in the gateway; every program hardened. Usage: tests/lint/link.sh BUILD. Prints TAP.
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
		echo "$2" | head -10 | sed 's/^/# /'
	else
		echo "ok $n - $1"
	fi
}

# symbols PROGRAM REGEX: symbols, defined or wanted, that must not be there.
symbols()
{
	if [ ! -x "$build/$1" ]; then
		echo "$build/$1 was not built"
		return
	fi
	{ nm "$build/$1"; nm -D "$build/$1"; } | awk '{ print $NF }' | sed 's/@.*//' | sort -u | grep -E "$2"
}

# needs PROGRAM REGEX: libraries that it must not load.
needs()
{
	if [ ! -x "$build/$1" ]; then
		echo "$build/$1 was not built"
		return
	fi
	readelf -d "$build/$1" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' | grep -E "$2"
}

check "the vault core has no TLS, no X.509, no JSON, no YAML symbol" \
	"$(symbols sallyport-vaultd '^(SSL_|TLS_|X509_|BIO_|PEM_|d2i_|ASN1_|OSSL_DECODER|json_|cyaml_|yaml_|http_parse)')"
check "the vault core loads no TLS library" "$(needs sallyport-vaultd 'libssl|libjansson|libcyaml|libcurl')"
check "the sealer has no store symbol" "$(symbols sallyport-sealer '^(mdb_|store_|vault_|cred_|policy_check)')"
check "the sealer loads no store library" "$(needs sallyport-sealer 'liblmdb')"
check "the gateway has no store, no chain and no sealing symbol" \
	"$(symbols sallyport-gatewayd '^(mdb_|chain_|crypto_aead_|crypto_pwhash)')"
check "auditd has no TLS, no JSON, no YAML, no DNS" "$(symbols sallyport-auditd '^(SSL_|evdns_|json_|cyaml_|http_parse)')"

for p in sallyport-vaultd sallyport-sealer sallyport-auditd sallyport-gatewayd sallyport; do
	faults=
	if [ ! -x "$build/$p" ]; then
		check "$p is hardened" "$build/$p was not built"
		continue
	fi
	head=$(readelf -hldW "$build/$p")
	grep -q 'Type: *DYN' <<<"$head" || faults+="not position independent"$'\n'
	grep -q 'GNU_RELRO' <<<"$head" || faults+="no RELRO"$'\n'
	grep -qE 'BIND_NOW|FLAGS_1.* NOW' <<<"$head" || faults+="lazy binding"$'\n'
	grep -E 'GNU_STACK' <<<"$head" | grep -q 'RWE' && faults+="executable stack"$'\n'
	nm -D "$build/$p" | grep -q '__stack_chk_fail' || faults+="no stack protector"$'\n'
	grep -qE 'RUNPATH|RPATH' <<<"$head" && faults+="has a run path"$'\n'
	check "$p is hardened" "$faults"
done

echo "1..$n"
exit $bad
