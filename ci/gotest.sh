#!/bin/sh
# ci/gotest.sh NAME ARG...: runs go test -v ARG..., and shows of it what went
# wrong and go test's closing lines; all of it is in bin/NAME.log. Skipped tests
# and their reasons are added to bin/left-out; with CI=true they fail.
set -eu

log=bin/$1.log
shift
mkdir -p bin
rm -f "$log.failed" "$log.skipped"
{ go test -v "$@" 2>&1 || touch "$log.failed"; } | tee "$log" |
	awk -v skipped="$log.skipped" -f ci/gotest.awk

if [ -e "$log.skipped" ]; then
	cat "$log.skipped" >>bin/left-out
	if [ "${CI:-}" = true ]; then
		echo 'tests were skipped, and CI leaves nothing out:'
		cat "$log.skipped"
		exit 1
	fi
fi
[ ! -e "$log.failed" ]
