#!/bin/sh
# ci/packages-test.sh: installs the packages in dist/ into a copy of this
# machine's root that is thrown away, uses them, removes them, and looks at what
# is left. The copy has a network of its own. Needs root, overlayfs and Debian.
set -eu
cd "$(dirname "$0")/.."

case $(uname -m) in
x86_64) deb=amd64 rpm=x86_64 ;;
aarch64) deb=arm64 rpm=aarch64 ;;
esac

skip() {
	echo "the packages: $1"
	[ "${CI:-}" != true ] || exit 1
	mkdir -p bin
	echo "the packages: $1" >>bin/left-out
	exit 0
}

[ "$(id -u)" = 0 ] || skip 'not root'
grep -qw overlay /proc/filesystems || skip 'no overlayfs'
for tool in dpkg rpm systemd-analyze man busybox; do
	command -v "$tool" >/dev/null || skip "no $tool"
done

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
export dir
cp ci/packages-use.sh dist/wsbridge_*_"$deb".deb dist/wsbridge-*."$rpm".rpm dist/wsbridge_*_"$rpm".apk "$dir"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --ipc --uts --fork --kill-child sh -euc '
	mkdir "$dir/disk"
	mount -t tmpfs tmpfs "$dir/disk"
	mkdir "$dir/disk/upper" "$dir/disk/work" "$dir/disk/root"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/disk/upper,workdir=$dir/disk/work" "$dir/disk/root"
	cd "$dir/disk/root"
	mount -t proc proc proc
	mount --rbind /dev dev
	mount -t tmpfs tmpfs tmp
	mount -t tmpfs tmpfs run
	mkdir tmp/packages
	cp "$dir"/*wsbridge?* "$dir/packages-use.sh" tmp/packages
	exec chroot . /tmp/packages/packages-use.sh
'
