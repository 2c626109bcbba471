#!/bin/sh
# ci/container.sh: lays out dist/container, which packaging/Containerfile is made
# of, from what ci/dist.sh built; and tries it as an orchestrator would run it:
# user 65532, root read-only. Where buildah is at hand, what it built of the
# Containerfile is tried; else, what was laid out.
set -eu
cd "$(dirname "$0")/.."

version=$(ci/version.sh)
layout=dist/container
cas=/etc/ssl/certs/ca-certificates.crt

rm -rf "$layout"
mkdir -p "$layout/root/etc/ssl/certs" "$layout/root/etc/wsbridge" "$layout/state"
touch "$layout/state/.keep"
echo 'wsbridge:x:65532:65532:wsbridge:/var/lib/wsbridge:/none' >"$layout/root/etc/passwd"
echo 'wsbridge:x:65532:' >"$layout/root/etc/group"
# Those who are trusted are as old as the image: mount newer ones over it.
if [ -s "$cas" ]; then cp "$cas" "$layout/root$cas"; else echo "container: no $cas to take along"; fi
for arch in amd64 arm64; do
	stage=dist/stage/wsbridge-$version-linux-$arch
	[ -d "$stage" ] || continue
	mkdir -p "$layout/$arch/usr/bin" "$layout/$arch/usr/share/doc/wsbridge"
	cp "$stage/wsbridge" "$layout/$arch/usr/bin"
	cp "$stage/LICENSE" "$stage/LICENSES-OF-OTHERS.txt" "$stage/bom.cdx.json" "$layout/$arch/usr/share/doc/wsbridge"
done

case $(uname -m) in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) arch=none ;;
esac
if [ "$(id -u)" != 0 ] || [ ! -d "$layout/$arch" ]; then
	[ "${CI:-}" != true ] || exit 1
	mkdir -p bin
	echo 'the container: not root, or not built for this machine' >>bin/left-out
	exit 0
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
image=$dir/image
export dir image

# builds the image into a store of its own, and lays it out again. In docker's
# format, for only that has health checks.
build() {
	store="buildah --root $dir/store --runroot $dir/run --storage-driver vfs"
	$store build --quiet --isolation chroot --format docker --build-arg TARGETARCH="$arch" \
		-f packaging/Containerfile -t "wsbridge:$version" . >/dev/null
	container=$($store from "wsbridge:$version")
	config=$($store inspect --format '{{.Docker.Config.User}} {{.Docker.Config.Healthcheck.Test}}' "$container")
	if [ "$config" != '65532:65532 [CMD /usr/bin/wsbridge health]' ]; then
		echo "container: the image's user and health check are: $config"
		exit 1
	fi
	cp -a "$($store mount "$container")" "$image"
}

if command -v buildah >/dev/null; then
	build
else
	[ "${CI:-}" != true ] || exit 1
	mkdir -p bin
	echo 'the Containerfile: no buildah' >>bin/left-out
	mkdir -p "$image/var/lib/wsbridge"
	cp -R "$layout/root/." "$layout/$arch/." "$image"
	chown 65532:65532 "$image/var/lib/wsbridge"
fi
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --ipc --uts --fork --kill-child sh -euc '
	fail() { echo "container: $*: $(cat "$dir/log")" >&2; exit 1; }
	mount --bind "$image" "$image"
	mount -o remount,bind,ro "$image"
	mount -t proc proc /proc
	busybox ip link set lo up
	inside="env -i PATH=$PATH WSBRIDGE_ADMIN=127.0.0.1:9090 chroot --userspec=65532:65532 $image /usr/bin/wsbridge"

	busybox nc -ll -p 5900 -e cat & echo=$!
	$inside 6080 127.0.0.1:5900 2>"$dir/log" & bridge=$!
	tries=0
	until $inside health >"$dir/health" 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || fail "not healthy: $(cat "$dir/health")"
		sleep 0.1
	done
	said=$( (echo hello; sleep 1) | $inside connect ws://127.0.0.1:6080/ 2>>"$dir/log") || true
	[ "$said" = hello ] || fail "the session said \"$said\""
	grep -q "^Uid:.65532.65532.65532.65532" /proc/$bridge/status || fail "runs as another user"
	kill $bridge
	wait $bridge || fail "did not end well"
	! $inside health >/dev/null 2>&1 || fail "healthy after its end"
	kill $echo
'
echo "container: $(du -sh "$layout/$arch" | cut -f1), healthy, a session, and a good end"
