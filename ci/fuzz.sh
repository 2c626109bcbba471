#!/bin/sh
# ci/fuzz.sh TIME PACKAGE...: runs every fuzz target of the packages for TIME,
# which is what go test -fuzztime takes: 5000x, 3s. What it finds stays in the
# package's testdata/fuzz, where go test reads it from then on; the rest is still
# run, and the end is a failure.
set -eu

time=$1
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

go test -list '^Fuzz' "$@" >"$dir/listed"
awk '
	/^Fuzz/ { targets[n++] = $1 }
	/^ok/ { for (i = 0; i < n; i++) if (!seen[$2, targets[i]]++) print $2, targets[i]; n = 0 }
' "$dir/listed" >"$dir/targets" # a package may run its tests, and list them, twice
all=$(wc -l <"$dir/targets")

# late is whether all that went wrong is the end of the time (go.dev/issue/75804).
late() {
	grep -q 'context deadline exceeded' "$1" && ! grep -q -e 'Failing input' -e 'panic' -e '_test.go:' "$1"
}

n=0
while read -r package target; do
	n=$((n + 1))
	echo "$n/$all $package $target"
	if go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null >"$dir/said" 2>&1; then
		grep '^fuzz: elapsed' "$dir/said" | tail -n 1
	elif ! late "$dir/said"; then
		cat "$dir/said"
		echo "$package $target" >>"$dir/found"
	fi
done <"$dir/targets"

[ ! -e "$dir/found" ] || { echo 'fuzz: findings in:'; cat "$dir/found"; exit 1; }
