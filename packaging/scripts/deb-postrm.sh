#!/bin/sh
# Purged are the configuration and what the service kept. The user stays, with
# no way to log in: its number must not become somebody else's, who would then
# own recordings that lie elsewhere.
set -e

if [ "$1" = purge ]; then
	rm -rf /var/lib/wsbridge
	rm -f /etc/systemd/system/multi-user.target.wants/wsbridge.service \
		/etc/systemd/system/sockets.target.wants/wsbridge.socket
	rmdir --ignore-fail-on-non-empty /etc/wsbridge 2>/dev/null || true
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
