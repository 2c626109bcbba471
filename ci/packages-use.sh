#!/bin/sh
# ci/packages-use.sh: what ci/packages-test.sh runs inside of its copy of the
# machine, beside the packages.
set -eu
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
unset MANPATH MANPAGER

fail() {
	echo "packages: $*" >&2
	exit 1
}

# files of the system, but for what every installation changes. Elsewhere the
# machine goes on living below this copy.
files() {
	find /etc /opt /srv /usr /var -xdev \( -path /usr/local -o -path /var/tmp -o -path /var/cache -o -path /var/log \
		-o -path '/var/lib/[dr]p*' -o -path /var/lib/apt \) -prune -o -print | sort
}

# left DESCRIPTION: nothing but the user may be there that was not before.
left() {
	files >after
	new=$(comm -13 before after | grep -vxE '/etc/(passwd|group|shadow|gshadow)-' || true)
	[ -z "$new" ] || fail "$1 left behind: $new"
	[ -z "$(comm -23 before after)" ] || fail "$1 took away: $(comm -23 before after)"
}

# waits COMMAND...: until it succeeds, for ten seconds.
waits() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "waited in vain for: $*"
		sleep 0.1
	done
}

# listens HEX-PORT
listens() { cat /proc/net/tcp /proc/net/tcp6 | grep -q ":$1 [0-9A-F:]* 0A"; }

# session: the service as its unit starts it, between a client and an echo.
session() {
	busybox nc -ll -p 5900 -e cat &
	target=$!
	setpriv --reuid wsbridge --regid wsbridge --clear-groups \
		/usr/bin/wsbridge --config /etc/wsbridge/wsbridge.yaml 2>service.log &
	service=$!
	waits listens 170C
	waits listens 17C0
	said=$( (echo hello; sleep 1) | wsbridge connect ws://127.0.0.1:6080/ 2>client.log) || true
	[ "$said" = hello ] || { cat service.log client.log; fail "the session said '$said'"; }
	kill "$service"
	wait "$service" || fail "the service did not end well: $(cat service.log)"
	kill "$target"
	wait "$target" 2>/dev/null || true
}

# used: everything that the package brings is where it is looked for.
used() {
	wsbridge --version
	case $(man -w wsbridge) in /usr/share/man/man1/wsbridge.1.gz) ;; *) fail 'no manual' ;; esac
	man -P cat wsbridge 2>man.log | grep -q 'put any TCP service in a browser' || fail 'the manual cannot be read'
	bash -euc '. /usr/share/bash-completion/completions/wsbridge && complete -p wsbridge' >/dev/null
	offered=$(bash -c '. /usr/share/bash-completion/completions/wsbridge
		COMP_WORDS=(wsbridge ver) COMP_CWORD=1 COMP_LINE="wsbridge ver" COMP_POINT=12
		_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}") cword=1 cur=ver prev=wsbridge; }
		__start_wsbridge; echo "${COMPREPLY[@]}"' 2>/dev/null)
	case $offered in version*) ;; *) fail "bash completes 'ver' to '$offered'" ;; esac
	grep -q '^#compdef wsbridge' "$1/_wsbridge" || fail 'no completion for zsh'
	[ -s /usr/share/fish/vendor_completions.d/wsbridge.fish ] || fail 'no completion for fish'
	[ -s /usr/share/doc/wsbridge/bom.cdx.json ] || fail 'no bill of materials'
	case $(getent passwd wsbridge) in *:/var/lib/wsbridge:*/nologin) ;; *) fail 'no user wsbridge' ;; esac
	[ "$(stat -c %a:%U:%G /etc/wsbridge/wsbridge.yaml)" = 640:root:wsbridge ] || fail 'the configuration is not for the service alone'
	said=$(systemd-analyze verify "$2"/wsbridge.service "$2"/wsbridge@one.service "$2"/wsbridge.socket 2>&1 |
		grep -i wsbridge) || true
	[ -z "$said" ] || fail "systemd says: $said"
}

busybox ip link set lo up

echo '# the deb beside the real websockify'
files >before
dpkg -i wsbridge_*.deb >dpkg.log 2>&1 || { cat dpkg.log; fail 'not installed'; }
[ ! -L /usr/bin/websockify ] || fail 'the real websockify was replaced'
dpkg -P wsbridge >>dpkg.log 2>&1 || { cat dpkg.log; fail 'not purged'; }
left 'the deb'

echo '# the deb in its place'
dpkg -r --force-depends websockify python3-websockify >dpkg.log 2>&1 || true
files >before
dpkg -i wsbridge_*.deb >dpkg.log 2>&1 || { cat dpkg.log; fail 'not installed'; }
used /usr/share/zsh/vendor-completions /lib/systemd/system
[ "$(readlink -f /usr/bin/websockify)" = /usr/bin/wsbridge ] || fail 'websockify is not wsbridge'
websockify --version | grep -q '^wsbridge ' || fail 'websockify does not run'
session

echo '# what the administrator wrote stays'
sed -i 's/^#pages: true/pages: true/' /etc/wsbridge/wsbridge.yaml
dpkg -i wsbridge_*.deb >dpkg.log 2>&1 || { cat dpkg.log; fail 'not installed again'; }
grep -q '^pages: true' /etc/wsbridge/wsbridge.yaml || fail 'the configuration was replaced'
session
dpkg -r wsbridge >dpkg.log 2>&1 || { cat dpkg.log; fail 'not removed'; }
[ ! -e /usr/bin/wsbridge ] || fail 'the program was left'
[ ! -L /usr/bin/websockify ] || fail 'the name websockify was left'
grep -q '^pages: true' /etc/wsbridge/wsbridge.yaml || fail 'the configuration was removed too early'
dpkg -P wsbridge >dpkg.log 2>&1 || { cat dpkg.log; fail 'not purged'; }
left 'the deb'

echo '# the rpm'
rpm --initdb
files >before
rpm -i --nodeps wsbridge-*.rpm >rpm.log 2>&1 || { cat rpm.log; fail 'not installed'; }
used /usr/share/zsh/site-functions /usr/lib/systemd/system
rpm -V --nodeps --nogroup wsbridge || fail 'rpm finds files changed'
rpm -qpc wsbridge-*.rpm | grep -qx /etc/wsbridge/wsbridge.yaml || fail 'the configuration is no configuration to rpm'
session
rpm -e wsbridge >rpm.log 2>&1 || { cat rpm.log; fail 'not removed'; }
rm -rf /var/lib/wsbridge
rmdir -p --ignore-fail-on-non-empty /usr/share/zsh/site-functions /usr/share/fish/vendor_completions.d /usr/share/licenses # of other packages, there
left 'the rpm'

echo '# the apk, unpacked'
mkdir apk
tar -xzf wsbridge_*.apk -C apk --warning=no-unknown-keyword
for file in etc/init.d/wsbridge etc/wsbridge/wsbridge.yaml usr/share/man/man1/wsbridge.1.gz usr/share/licenses/wsbridge/LICENSE .PKGINFO .pre-install .post-install .pre-deinstall; do
	[ -s "apk/$file" ] || fail "the apk has no $file"
done
grep -qx 'pkgname = wsbridge' apk/.PKGINFO || fail 'the apk has another name'
apk/usr/bin/wsbridge --version
echo '# all well'
