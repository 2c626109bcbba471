#!/bin/sh
# ci/scan.sh: testssl.sh and sslscan look at bin/wsbridge as it serves TLS by
# default, HTTP/2 with it, with a certificate of either kind. What they find above
# LOW fails, but for what no certificate made here can have:
#   cert_chain_of_trust   it is signed by itself
#   cert_revocation       so nobody could revoke it
# and WARN of what the scanner itself cannot do.
set -eu
cd "$(dirname "$0")/.."

for p in testssl sslscan openssl; do
	command -v $p >/dev/null && continue
	echo "scan: $p is missing: make install as root brings it"
	[ "${CI:-}" != true ]
	exit
done
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT

# serve starts a bridge with a key of the given kind, and sets pid and at.
serve() {
	# shellcheck disable=SC2086 # a list of options
	openssl req -x509 -newkey $1 -nodes -days 90 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1,DNS:localhost \
		-keyout "$dir/key" -out "$dir/cert" 2>/dev/null
	bin/wsbridge --cert "$dir/cert" --key "$dir/key" 127.0.0.1:0 127.0.0.1:9 >"$dir/log" 2>&1 &
	pid=$!
	for _ in $(seq 300); do
		at=$(sed -n 's/.*Listen on //p' "$dir/log")
		[ -z "$at" ] || return 0
		sleep 0.1
	done
	cat "$dir/log"
	return 1
}

# testssl's columns: id, address, port, severity, finding
judge() {
	awk -F '","' '
		NR > 1 { n++ }
		$1 == "\"ALPN_HTTP2" && $5 ~ /h2/ { h2 = 1 }
		$1 == "\"TLS1_3" && $4 == "OK" { tls13 = 1 }
		$1 ~ /^"cert_(chain_of_trust|revocation)/ { next }
		$4 ~ /^(MEDIUM|HIGH|CRITICAL|FATAL)$/ { print "scan: " $0; bad = 1 }
		END {
			if (n < 40 || !h2 || !tls13) { print "scan: testssl looked at less than it should: " n + 0 " things"; bad = 1 }
			exit bad
		}' "$1"
}

for kind in 'ec -pkeyopt ec_paramgen_curve:prime256v1' rsa:2048; do
	serve "$kind"
	testssl --quiet --color 0 --warnings off --ip one --fast -U -p -s -S -P --csvfile "$dir/csv" "$at" >"$dir/testssl" 2>&1 || true
	judge "$dir/csv" || { cat "$dir/testssl"; exit 1; }
	sslscan --no-colour "$at" >"$dir/sslscan"
	if grep -E '^(SSLv|TLSv1\.[01]).*enabled|[^t] vulnerable|Accepted.* (SSLv3|TLSv1\.[01] )|RC4|DES-CBC|EXP-|NULL|Insecure|renegotiation supported' "$dir/sslscan" ||
		! grep -q '^TLSv1.3 *enabled' "$dir/sslscan"; then
		cat "$dir/sslscan"
		exit 1
	fi
	kill "$pid"
	wait "$pid" || true
	pid=
	rm "$dir/csv"
	echo "scan: nothing above LOW with ${kind%% *}"
done
