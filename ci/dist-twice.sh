#!/bin/sh
# ci/dist-twice.sh: builds what is in dist/ for this machine once more, of a copy
# of the sources in another folder, and holds the checksums against each other.
# For after ci/dist.sh and ci/packages.sh.
set -eu
cd "$(dirname "$0")/.."

VERSION=$(ci/version.sh)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export VERSION SOURCE_DATE_EPOCH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM

git ls-files -z --cached --others --exclude-standard |
	tar -cf - --null -T - web/pages/dist | tar -xf - -C "$dir"
(cd "$dir" && umask 027 && ci/dist.sh "linux/$(go env GOARCH)" && ci/packages.sh) >"$dir.log" 2>&1 || { cat "$dir.log"; exit 1; }
rm -f "$dir.log"

while read -r sum file; do
	grep -qx "$sum  $file" dist/SHA256SUMS || { echo "two builds of $file differ"; exit 1; }
done <"$dir/dist/SHA256SUMS"
echo "$(wc -l <"$dir/dist/SHA256SUMS") files are the same when built again"
