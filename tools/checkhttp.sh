#!/bin/sh
# Checks that the HTTP code under gen/ is what the OpenAPI documents generate: it generates into
# another folder and compares, because ogen has no such check.
set -eu
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
sh tools/generatehttp.sh "$copy/gen"
for s in contract billing; do
	diff -r "gen/${s}api" "$copy/gen/${s}api" >>"$copy/diff" || stale=1
done
if [ "${stale:-0}" = 1 ]; then
	echo "gen/ is not what specs/ generate; run make generate and commit the result:" >&2
	head -n 20 "$copy/diff" >&2
	exit 1
fi
