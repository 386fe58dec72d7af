#!/bin/sh
# Generates the HTTP code of both services into a folder, from the OpenAPI documents: ogen reads what
# tools/ogeninput derives from them. make generate and checkhttp.sh call it.
set -eu
target=$1
cd "$(dirname "$0")/.."
derived=$(mktemp -d)
trap 'rm -rf "$derived"' EXIT
for s in contract billing; do
	go run ./tools/ogeninput "specs/$s/openapi.yaml" "$derived/$s.yaml"
	go tool ogen -loglevel error -config specs/ogen.yml -target "$target/${s}api" -package "${s}api" -clean "$derived/$s.yaml"
done
