#!/bin/sh
# Says at the end of make test what was left out, and why.
set -eu

if [ -s bin/left-out ]; then
	echo 'Passed, but for what was left out:'
	sed 's/^/  /' bin/left-out
else
	echo 'Passed; nothing was left out.'
fi
