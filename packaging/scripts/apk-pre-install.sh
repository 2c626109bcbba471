#!/bin/sh
# The user that the service runs as, unless it is there.
addgroup -S wsbridge 2>/dev/null
adduser -S -D -H -h /var/lib/wsbridge -s /sbin/nologin -G wsbridge -g wsbridge wsbridge 2>/dev/null
exit 0
