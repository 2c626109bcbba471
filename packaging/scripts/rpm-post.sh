#!/bin/sh
# As the Debian package's. $1 is how many of this package there are now.
set -e

systemd-sysusers wsbridge.conf
chgrp wsbridge /etc/wsbridge /etc/wsbridge/wsbridge.yaml
if [ ! -e /usr/bin/websockify ] || [ -L /usr/bin/websockify ]; then
	update-alternatives --install /usr/bin/websockify websockify /usr/bin/wsbridge 30
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
