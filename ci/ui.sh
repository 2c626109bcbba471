#!/bin/sh
# Builds the pages that the binary embeds, where npm is there; without them the
# binary says in each page what is missing.
set -eu
cd "$(dirname "$0")/.."

if command -v npm >/dev/null && [ -z "${SKIP_INSTALL:-}" ]; then
	web/pages/ui/build.sh
elif [ "${CI:-}" = true ]; then
	echo 'npm is missing, and CI leaves nothing out'
	exit 1
else
	mkdir -p bin
	echo 'the pages: no npm' >>bin/left-out
fi
