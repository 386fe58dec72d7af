#!/bin/sh
# Generates into a copy of the tree's specs and compares with gen/: nothing in the working tree is touched.
set -eu
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R gen "$copy/gen"
for s in contract billing; do
	go tool ogen -loglevel error -config specs/ogen.yml -target "$copy/gen/${s}api" -package "${s}api" -clean "specs/$s/openapi.yaml"
done
if ! diff -r gen "$copy/gen" >"$copy/diff"; then
	echo "gen/ is not what specs/ generate; run make generate and commit the result:" >&2
	head -n 20 "$copy/diff" >&2
	exit 1
fi
