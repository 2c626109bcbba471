#!/bin/sh
# ci/fuzz.sh TIME PACKAGE...: runs every fuzz target of the packages for TIME,
# which is what go test -fuzztime takes: 5000x, 3s.
set -eu

time=$1
shift
listed=$(go test -list '^Fuzz' "$@")
printf '%s\n' "$listed" | awk '
	/^Fuzz/ { targets[n++] = $1 }
	/^ok/ { for (i = 0; i < n; i++) print $2, targets[i]; n = 0 }
' | while read -r package target; do
	echo "$package $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null
done
