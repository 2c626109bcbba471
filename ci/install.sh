#!/bin/sh
# Installs what the tests need and is not there yet: Debian packages, and the
# npm packages of e2e/. Where it may not (SKIP_INSTALL is set, not root, not
# Debian) it says so and goes on: a test that misses something says so itself.
set -eu
cd "$(dirname "$0")/.."

packages='buildah busybox-static caddy chromium curl haproxy iproute2
libprotocol-websocket-perl man-db mandoc mosquitto mosquitto-clients nginx-light
novnc openssh-client openssh-server openssl procps python3-autobahn
python3-websocket python3-websockets redis-server rpm shellcheck sslscan
systemd testssl.sh tigervnc-standalone-server tshark websockify x11-xserver-utils xterm'

# have is whether a program is there, wherever it came from.
have() { command -v "$1" >/dev/null; }

missing() {
	for p in $packages; do
		dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || echo "$p"
	done
	have gcc || echo gcc libc6-dev
	have node || echo nodejs
	have npm || echo npm
}

debian() {
	wanted=$(missing | tr '\n' ' ')
	[ -n "$wanted" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "install: not root; missing: $wanted"
		return 0
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -o Acquire::Retries=3 update -q
	# shellcheck disable=SC2086 # a list of packages
	apt-get -o Acquire::Retries=3 install -q -y --no-install-recommends $wanted
}

# npm keeps a copy of the lock file beside what it installed by it.
npm_packages() (
	cd e2e
	cmp -s package-lock.json node_modules/.installed-lock && return
	npm ci --ignore-scripts --no-audit --no-fund
	cp package-lock.json node_modules/.installed-lock
)

if [ -n "${SKIP_INSTALL:-}" ]; then
	echo 'install: skipped, as SKIP_INSTALL says'
	exit
fi
if have apt-get; then debian; else echo 'install: not Debian; no packages installed'; fi
if have npm; then npm_packages; else echo 'install: no npm; no npm packages installed'; fi
