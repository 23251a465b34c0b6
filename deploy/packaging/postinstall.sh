#!/bin/sh
# Nothing is enabled or started: systemctl enable --now tlslift is the owner's.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # A running one is replaced by the new version, and finishes what it has.
  pid=$(systemctl show --property=MainPID --value tlslift.service)
  if [ "${pid:-0}" -gt 1 ]; then
    kill -USR2 "$pid"
  fi
fi
