#!/bin/sh
# Builds the ACME server that e2e's stories of certificates talk to, and its
# name server, into bin/tools/.
set -eu
cd "$(dirname "$0")/.."

version=v2.10.1
for tool in pebble pebble-challtestsrv; do
	[ -x "bin/tools/$tool" ] || GOBIN="$PWD/bin/tools" go install "github.com/letsencrypt/pebble/v2/cmd/$tool@$version"
done
