#!/bin/bash
# Turns <dir>/<role>.policy files into C string constants policy_<role>[].
set -eu
out=$1
shift
{
	echo '// Generated from the .policy files beside the code.'
	for f in "$@"; do echo "extern const char policy_$(basename "$f" .policy)[];"; done
} >"$out/policies.h"
{
	echo '#include "policies.h"'
	for f in "$@"; do
		echo "const char policy_$(basename "$f" .policy)[] ="
		sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/    "&\\n"/' "$f"
		echo '    "";'
	done
} >"$out/policies.c"
