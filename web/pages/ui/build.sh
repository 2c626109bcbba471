#!/bin/sh
# web/pages/ui/build.sh: builds the pages into web/pages/dist, from where go
# build embeds them. Installs what package-lock.json names first, if need be.
set -eu
cd "$(dirname "$0")"

# npm keeps a copy of the lock file beside what it installed by it.
if ! cmp -s package-lock.json node_modules/.installed-lock; then
	npm ci --ignore-scripts --no-audit --no-fund
	cp package-lock.json node_modules/.installed-lock
fi
node build.mjs
