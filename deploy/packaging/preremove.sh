#!/bin/sh
# $1: deb "remove" or "upgrade"; rpm 0 (the last one goes) or 1 (an upgrade).
set -e
if [ -d /run/systemd/system ] && { [ "$1" = remove ] || [ "$1" = 0 ]; }; then
  systemctl disable --now tlslift.service tlslift.socket
fi
