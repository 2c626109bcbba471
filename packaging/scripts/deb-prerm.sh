#!/bin/sh
# Before the files go: nothing runs them any more.
set -e

if [ "$1" = remove ]; then
	if [ -d /run/systemd/system ]; then
		systemctl disable --now wsbridge.service wsbridge.socket
		systemctl stop 'wsbridge@*.service'
	fi
	update-alternatives --remove websockify /usr/bin/wsbridge
fi
