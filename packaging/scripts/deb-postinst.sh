#!/bin/sh
# Makes the user, shows it the configuration, takes websockify's place where
# that is free, and starts the new version of what ran. Nothing is started that
# did not run: the configuration has to be written first.
set -e

if [ "$1" = configure ]; then
	systemd-sysusers wsbridge.conf
	chgrp wsbridge /etc/wsbridge
	[ ! -e /etc/wsbridge/wsbridge.yaml ] || chgrp wsbridge /etc/wsbridge/wsbridge.yaml
	if [ ! -e /usr/bin/websockify ] || [ -L /usr/bin/websockify ]; then
		update-alternatives --install /usr/bin/websockify websockify /usr/bin/wsbridge 30 \
			--slave /usr/share/man/man1/websockify.1.gz websockify.1.gz /usr/share/man/man1/wsbridge.1.gz
	fi
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		[ -z "$2" ] || systemctl try-restart 'wsbridge.service' 'wsbridge@*.service'
	fi
fi
