#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compares our HTTP parser with Node's over a table of shapes and their mutations. May
# touch: a temporary folder.
set -eu
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
${CC:-gcc} -std=c17 -O1 -g -D_GNU_SOURCE -I. tests/regress/http_vs_node.c \
	common/http_parse.c common/http_head.c common/base.c common/mp.c -lmsgpackc -o "$tmp/ours"
node tests/regress/http_vs_node.js "$tmp/ours"
