#!/bin/sh
# ci/version.sh: the version that is built: VERSION, or the tag of the commit
# without its v, or a version before the first, counted in commits.
set -eu
cd "$(dirname "$0")/.."

if [ -n "${VERSION:-}" ]; then
	echo "${VERSION#v}"
elif tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
	echo "${tag#v}"
else
	echo "0.0.0-pre$(git rev-list --count HEAD)"
fi
