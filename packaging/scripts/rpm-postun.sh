#!/bin/sh
# The old version's files are gone: start the new one where the old one ran.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	[ "$1" = 0 ] || systemctl try-restart 'wsbridge.service' 'wsbridge@*.service'
fi
