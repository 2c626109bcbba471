#!/bin/sh
# ci/licences.sh: lists the licence of all that is in the binary, from the texts
# of their own, and fails on a copyleft one, and on one that is not known.
set -eu
cd "$(dirname "$0")/.."

# What is taken all the same, and why:
# noVNC is under the MPL 2.0, which asks for the source of its own files alone; they
#   are unchanged, and what is in the binary names them and their version.
# psx may be had under a BSD licence or the GPL, whichever one likes: BSD it is.
taken='@novnc/novnc kernel.org/pub/linux/libs/security/libcap/psx'

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
CGO_ENABLED=0 go build -trimpath -o "$dir/wsbridge" ./cmd/wsbridge
go run ./packaging/bom "$dir/wsbridge" 0 "$dir/bom.json" "$dir/texts"

# A part begins with a rule, and a line with its name, version and licence. Two
# licences in one text are both read, but only the first is in that line.
awk -v taken="$taken" '
	/^-+$/ && length($0) == 72 { getline; name = $1; licence = $3; gsub(/[()]/, "", licence); n++; print licence "\t" $1 " " $2; judge(); next }
	tolower($0) ~ /gnu (lesser |affero )?general public licen|mozilla public licen/ { refuse("its text speaks of a copyleft licence") }
	END { exit bad || n != parts }

	function judge() { if (licence !~ /^(Apache-2\.0|BSD-2-Clause|BSD-3-Clause|ISC|MIT)$/) refuse(licence " is not among the permissive ones") }
	function refuse(why) {
		if (index(" " taken " ", " " name " ") || name in refused) return
		refused[name]; bad = 1
		print "licences: " name ": " why >"/dev/stderr"
	}
' parts="$(grep -c '"type": "library"' "$dir/bom.json")" "$dir/texts"
