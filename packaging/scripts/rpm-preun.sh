#!/bin/sh
# $1 is 0 when no version of the package will be left.
set -e

if [ "$1" = 0 ]; then
	if [ -d /run/systemd/system ]; then
		systemctl disable --now wsbridge.service wsbridge.socket
		systemctl stop 'wsbridge@*.service'
	fi
	update-alternatives --remove websockify /usr/bin/wsbridge
fi
