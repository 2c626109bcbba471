#!/bin/sh
# The service may read its configuration.
chgrp wsbridge /etc/wsbridge /etc/wsbridge/wsbridge.yaml
