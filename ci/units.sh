#!/bin/sh
# ci/units.sh: systemd's own opinion of the units and their drop-ins: nothing to
# complain of, and an exposure that is within bounds. Needs bin/wsbridge.
set -eu
cd "$(dirname "$0")/.."

if ! command -v systemd-analyze >/dev/null; then
	if [ "${CI:-}" = true ]; then
		echo 'systemd-analyze is missing, and CI leaves nothing out'
		exit 1
	fi
	mkdir -p bin
	echo 'the units: no systemd-analyze' >>bin/left-out
	exit 0
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
export SYSTEMD_UNIT_PATH="$dir:"
version=$(systemd-analyze --version | awk 'NR == 1 { print int($2) }')

# lay UNIT [DROP-IN]: the units in a place of their own, with a program that is
# there, and UNIT with one drop-in.
lay() {
	rm -rf "${dir:?}"/*
	for f in packaging/systemd/wsbridge*; do
		here <"$f" >"$dir/${f##*/}"
	done
	[ "$#" -ge 2 ] || return 0
	mkdir "$dir/$1.d"
	here <"packaging/systemd/$2" >"$dir/$1.d/$2"
}

here() { sed "s|/usr/bin/wsbridge|$PWD/bin/wsbridge|; s|/usr/bin/busybox|/bin/true|"; }

# verify UNIT: whatever systemd says is a complaint. The manual's pages are
# looked for where they are installed, by ci/packages.sh.
verify() {
	said=$(systemd-analyze verify --man=no "$1" 2>&1) || true
	[ -z "$said" ] || { printf '%s\n' "$said"; exit 1; }
}

# judge BOUND UNIT [DROP-IN]: 20 is an exposure of 2.0.
judge() {
	bound=$1
	shift
	lay "$@"
	verify "$dir/$1"
	said=$(systemd-analyze security --offline=true --no-pager --threshold="$bound" "$1" 2>&1) ||
		{ printf '%s\n' "$said"; exit 1; }
	echo "$*: $(printf '%s\n' "$said" | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/exposure \1/p')"
}

judge 20 wsbridge.service
judge 20 wsbridge@one.service
judge 20 wsbridge.service low-ports.conf
judge 30 wsbridge@one.service wrap.conf
[ "$version" -lt 253 ] || judge 20 wsbridge.service notify-reload.conf
lay
verify "$dir/wsbridge.socket"
