#!/bin/sh
# ci/cross.sh OS/ARCH: builds every package for another platform.
set -eu

echo "go build for $1"
GOOS=${1%/*} GOARCH=${1#*/} CGO_ENABLED=0 go build ./...
