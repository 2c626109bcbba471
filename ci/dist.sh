#!/bin/sh
# ci/dist.sh [OS/ARCH...]: builds the release in dist/: an archive for each
# platform with the binary, manual, completions and examples in it, a bill of
# materials, and the checksums of all. Two builds of a commit by the same Go are
# the same bytes. VERSION= and SOURCE_DATE_EPOCH= are the commit's by default.
set -eu
umask 022
cd "$(dirname "$0")/.."

[ "$#" -gt 0 ] || set -- linux/amd64 linux/arm64 linux/armv7 darwin/amd64 darwin/arm64 windows/amd64

version=$(ci/version.sh)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH CGO_ENABLED=0
stage=dist/stage
tools=dist/tools

# build OS/ARCH OUT: armv7 is what GOARM calls 7. No record of the checkout's
# state is left in the binary: the version says what it is.
build() {
	arch=${1#*/}
	echo "build $1"
	GOOS=${1%/*} GOARCH=${arch%v7} GOARM=7 GOAMD64=v1 GOARM64=v8.0 go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X main.version=$version" -o "$2" ./cmd/wsbridge
}

# common DIR: what goes along with every binary, said by one that runs here.
common() {
	mkdir -p "$1/man" "$1/completions" "$1/docs"
	cp README.md LICENSE CHANGELOG.md config/reference.yaml "$1"
	cp -R docs/*.md docs/recipes "$1/docs"
	cp man/*.[1-9] "$1/man"
	cp -R packaging/systemd "$1"
	cp -R examples "$1"
	"$tools/wsbridge" completion bash >"$1/completions/wsbridge.bash"
	"$tools/wsbridge" completion zsh >"$1/completions/_wsbridge"
	"$tools/wsbridge" completion fish >"$1/completions/wsbridge.fish"
	"$tools/wsbridge" completion powershell >"$1/completions/wsbridge.ps1"
}

# release OS/ARCH: the staged folder stays, for ci/packages.sh.
release() {
	name=wsbridge-$version-$(echo "$1" | tr / -)
	binary=wsbridge archive=$name.tar.gz
	[ "${1%/*}" != windows ] || binary=wsbridge.exe archive=$name.zip
	mkdir -p "$stage/$name"
	cp -R "$stage/common/." "$stage/$name"
	build "$1" "$stage/$name/$binary"
	"$tools/bom" "$stage/$name/$binary" "$version" "dist/$name.cdx.json" "$stage/$name/LICENSES-OF-OTHERS.txt"
	cp "dist/$name.cdx.json" "$stage/$name/bom.cdx.json"
	"$tools/archive" "dist/$archive" "$stage/$name"
}

rm -rf dist
mkdir -p "$stage" "$tools"
build "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" "$tools/wsbridge"
go build -o "$tools/" ./packaging/bom ./packaging/archive
common "$stage/common"
for platform; do release "$platform"; done
(cd dist && sha256sum wsbridge-* >SHA256SUMS)
ls -l dist
