#!/usr/bin/env bash
# Shows on a real systemd that the shipped units work: a container boots this machine's
# own system under an overlay that is thrown away, without a network, and tlslift runs
# in it as installed. Root, Linux, systemd-nspawn (package systemd-container, which is
# installed where apt is there).
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C

die() {
  printf 'test/systemd: %s\n' "$*" >&2
  exit 1
}
[ "$(id -u)" -eq 0 ] || die 'root is needed, for a container'
if ! command -v systemd-nspawn >/dev/null || ! command -v dbus-daemon >/dev/null; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd-container dbus >/dev/null ||
    die 'install systemd-container and dbus'
fi

work=$(mktemp -d)
container=
clean_up() {
  [ -z "$container" ] || kill "$container" 2>/dev/null || true
  [ -z "$container" ] || wait "$container" 2>/dev/null || true
  umount "$work/root/tmp" "$work/root/run" "$work/root" "$work" 2>/dev/null || true
  rmdir "$work" 2>/dev/null || true
}
trap clean_up EXIT

make build >/dev/null
mount -t tmpfs -o size=1g,mode=755 tlslift-test "$work"
root=$work/root
mkdir "$work/upper" "$work/scratch" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/scratch" tlslift-test "$root"

# Nothing of what this machine runs is to start, only what every system has.
rm -rf "$root/etc/systemd/system" "$root/etc/machine-id"
mkdir -p "$root/etc/systemd/system" "$root/proc" "$root/sys" "$root/dev"
for dir in tmp run; do mount -t tmpfs -o mode=755 tlslift-test "$root/$dir"; done # others write to this machine's own meanwhile
rm -f "$root"/etc/rc[0-9S].d/*
: >"$root/etc/machine-id"
for unit in systemd-firstboot systemd-udevd systemd-modules-load systemd-networkd systemd-resolved systemd-timesyncd; do
  ln -s /dev/null "$root/etc/systemd/system/$unit.service"
done
ln -s /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
rm -rf "$root/lib/systemd/system/multi-user.target.wants" "$root/usr/lib/systemd/system/multi-user.target.wants"

install -D -m 0755 "${BIN:-bin}/tlslift" "$root/usr/bin/tlslift"
install -D -m 0644 deploy/packaging/tlslift.yaml "$root/etc/tlslift/tlslift.yaml"
printf 'state: {file: /var/lib/tlslift/ledger.json}\n' >>"$root/etc/tlslift/tlslift.yaml"
install -m 0644 deploy/systemd/tlslift.service deploy/systemd/tlslift.socket "$root/etc/systemd/system/"
systemctl --root="$root" --quiet enable tlslift.service tlslift.socket

systemd-nspawn --register=no --keep-unit --quiet --link-journal=no --private-network --boot --console=pipe -D "$root" \
  </dev/null >"$work/console" 2>&1 &
container=$!
init=
for _ in $(seq 100); do
  init=$(pgrep -P "$container" -x systemd || true)
  [ -z "$init" ] || break
  sleep 0.2
done
[ -n "$init" ] || die "the container does not start: $(cat "$work/console")"
inside() { nsenter -t "$init" -a "$@"; }
for _ in $(seq 150); do
  case $(inside systemctl is-system-running 2>/dev/null || true) in running | degraded) break ;; esac
  sleep 0.2
done

passed=0 failed=0
# show WHAT COMMAND...: the command's success is the proof.
show() {
  local what=$1 out
  shift
  if out=$("$@" 2>&1); then
    passed=$((passed + 1))
    printf 'ok    %s\n' "$what"
  else
    failed=$((failed + 1))
    printf 'FAIL  %s\n%s\n' "$what" "$out"
  fi
}
property() { inside systemctl show "${2:-tlslift.service}" -p "$1" --value; }
call() { inside curl -s -m 10 -o /dev/null -w '%{http_code} ' -x "http://127.0.0.1:${1:-3128}" http://check.tlslift.test/; }
is() {
  printf '%s, want %s\n' "$1" "$2"
  [ "$1" = "$2" ]
}
# until_true COMMAND...: within half a minute.
until_true() {
  for _ in $(seq 150); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.2
  done
  "$@"
}

runs_as_nobody_else() {
  local uid
  uid=$(inside ps -o uid= -p "$(property MainPID)" | tr -d ' ')
  echo "uid $uid"
  [ "$uid" -ge 61184 ] && [ "$uid" -le 65519 ]
}
started() { [ "$(property ActiveState)-$(property Type)" = active-notify ]; }
restart_loses_no_call() {
  local calls
  calls=$(mktemp)
  for _ in $(seq 40); do
    call
    sleep 0.05
  done >"$calls" &
  local caller=$!
  sleep 0.5
  inside systemctl restart tlslift.service
  wait "$caller"
  is "$(grep -o '200' "$calls" | wc -l)" 40
}
upgrade_loses_no_call() {
  local calls before
  calls=$(mktemp)
  before=$(property MainPID)
  for _ in $(seq 40); do
    call
    sleep 0.05
  done >"$calls" &
  local caller=$!
  sleep 0.5
  inside kill -USR2 "$before"
  wait "$caller"
  until_true another_pid "$before" || return 1
  until_true inside test ! -d "/proc/$before" || return 1
  is "$(grep -o '200' "$calls" | wc -l)" 40 && is "$(property ActiveState)-$(property NRestarts)" active-0
}
comes_back_when_killed() {
  local before
  before=$(property MainPID)
  inside kill -KILL "$before"
  until_true another_pid "$before" && is "$(property NRestarts)" 1
}
another_pid() { [ "$(property MainPID)" != "$1" ] && [ "$(property ActiveState)" = active ]; }
reloads() {
  inside systemctl reload tlslift.service && until_true said 'reloaded'
}
said() { inside journalctl -u tlslift.service -o cat | grep -q "\"msg\":\"$1\""; }
exposure() { inside systemd-analyze security --no-pager tlslift.service | sed -n 's/.*exposure level for tlslift.service: \([0-9.]*\).*/\1/p'; }
low() { awk -v score="$1" 'BEGIN { exit !(score != "" && score <= 2) }'; }
# As docs/hosts.md has it: a socket more, first without a listen, then with it.
socket_ports() {
  install -d "$root/etc/systemd/system/tlslift.socket.d"
  printf '[Socket]\nListenStream=127.0.0.1:80\n' >"$root/etc/systemd/system/tlslift.socket.d/ports.conf"
  inside systemctl stop tlslift.service tlslift.socket
  inside systemctl daemon-reload
  inside systemctl start tlslift.socket
  if inside systemctl start tlslift.service; then
    echo 'it started although nobody would answer on port 80'
    return 1
  fi
  inside journalctl -u tlslift.service -o cat | grep -F 'opened 127.0.0.1:80, which is no listen' || return 1
  printf 'listen: [{address: "127.0.0.1:3128"}, {address: "127.0.0.1:80"}]\n' >>"$root/etc/tlslift/tlslift.yaml"
  inside systemctl stop tlslift.service
  inside systemctl reset-failed tlslift.service tlslift.socket
  inside systemctl start tlslift.socket
  inside systemctl start tlslift.service
  is "$(call 80)$(call)" '200 200 ' && runs_as_nobody_else
}
low_ports() {
  inside systemctl stop tlslift.service tlslift.socket
  inside systemctl --quiet disable tlslift.socket
  install -D -m 0644 deploy/systemd/low-ports.conf "$root/etc/systemd/system/tlslift.service.d/low-ports.conf"
  sed -i 's/^listen:.*/listen: [{address: "127.0.0.1:80"}]/' "$root/etc/tlslift/tlslift.yaml"
  inside systemctl daemon-reload
  inside systemctl start tlslift.service
  is "$(call 80)" '200 ' && runs_as_nobody_else
}
stops() {
  inside systemctl stop tlslift.service && is "$(property Result)" success && until_true said stopped
}

show 'it starts with the system, and says when it is ready' until_true started
show 'it runs as a user that exists only while it runs (DynamicUser)' runs_as_nobody_else
show 'it answers on the port that systemd opened' is "$(call)" '200 '
show 'its ledger is in its state directory, for nobody else to read' is "$(inside stat -Lc %a /var/lib/tlslift)" 700
show '... and is there' until_true inside test -f /var/lib/tlslift/ledger.json
show 'systemctl reload' reloads
show 'systemctl restart: 40 of 40 calls are answered' restart_loses_no_call
show 'SIGUSR2: 40 of 40 calls are answered, the unit stays up' upgrade_loses_no_call
show 'killed, it comes back' comes_back_when_killed
score=$(exposure)
show "systemd-analyze security: $score, of which 10 is the worst" low "$score"
show 'port 80 by tlslift.socket; a socket that no listen names is refused' socket_ports
show 'port 80 by low-ports.conf, without root' low_ports
show 'systemctl stop drains and succeeds' stops

printf '\n%d checks passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
