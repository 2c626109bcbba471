#!/bin/sh
# ci/packages.sh: makes deb, rpm and apk packages of the Linux folders that
# ci/dist.sh has laid out in dist/stage, and the checksums anew.
set -eu
umask 022
cd "$(dirname "$0")/.."

NFPM=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.44.2 # the last one that needs no module from outside of the proxy

VERSION=$(ci/version.sh)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export VERSION SOURCE_DATE_EPOCH STAGE ARCH ZSH

GOBIN=$PWD/dist/tools go install "$NFPM"
rm -rf dist/scripts
cp -R packaging/scripts dist/scripts
touch -d "@$SOURCE_DATE_EPOCH" dist/scripts/* # an apk tells it

# prepare adds what packages alone have: the manual made small, and the licences
# in one file.
prepare() {
	for page in "$STAGE"/man/*.[1-9]; do
		section=$STAGE/share/man/man${page##*.}
		mkdir -p "$section"
		gzip -9n <"$page" >"$section/${page##*/}.gz"
	done
	chmod -R u=rwX,go=rX "$STAGE"
	cat "$STAGE/LICENSE" "$STAGE/LICENSES-OF-OTHERS.txt" >"$STAGE/share/copyright"
	find "$STAGE" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
}

for STAGE in dist/stage/wsbridge-"$VERSION"-linux-*; do
	case $STAGE in
	*-amd64) ARCH=amd64 ;;
	*-arm64) ARCH=arm64 ;;
	*-armv7) ARCH=arm7 ;;
	esac
	prepare
	for kind in deb rpm apk; do
		ZSH=/usr/share/zsh/site-functions
		[ "$kind" != deb ] || ZSH=/usr/share/zsh/vendor-completions
		dist/tools/nfpm package --config packaging/nfpm.yaml --packager "$kind" --target dist/
	done
done
(cd dist && sha256sum wsbridge[-_]* >SHA256SUMS)
