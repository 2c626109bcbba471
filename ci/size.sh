#!/bin/sh
# ci/size.sh: the binary as it is shipped is not larger than it should be. When
# it suddenly is, something has made the linker keep every method of every type:
#   go build -ldflags=-dumpdep ./cmd/wsbridge 2>&1 | grep 'ReflectMethod>$'
set -eu
cd "$(dirname "$0")/.."

most=20000000 # 20 MB
file=$(mktemp)
trap 'rm -f "$file"' EXIT INT TERM
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags '-s -w' -o "$file" ./cmd/wsbridge
size=$(wc -c <"$file")
echo "the binary has $size bytes"
[ "$size" -le "$most" ] || { echo "that is more than $most"; exit 1; }
