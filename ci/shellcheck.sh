#!/bin/sh
# Checks the scripts, where shellcheck is there.
set -eu

mkdir -p bin
if command -v shellcheck >/dev/null; then
	shellcheck .ci/run ci/*.sh web/pages/ui/build.sh packaging/scripts/*.sh
elif [ "${CI:-}" = true ]; then
	echo 'shellcheck is missing, and CI leaves nothing out'
	exit 1
else
	echo 'shellcheck: not installed' >>bin/left-out
fi
