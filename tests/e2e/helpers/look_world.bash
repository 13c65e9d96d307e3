#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# look_world.bash DIR COMMAND...: runs COMMAND where DIR is all that there is of a network: a DNS
# server with names of its own, and at each address a server that says whom it was taken for
# (DIR/seen has every connection and what came by it). DIR/also is one more server, a script of bash that is
# given DIR and makes DIR/also.up. Called in new network and mount namespaces.
set -euo pipefail
dir=$1
shift
here=$(dirname "$0")
ip link set lo up
for address in 203.0.113.53 198.51.100.1 198.51.100.2 198.51.100.3; do
	ip address add "$address/32" dev lo
done
ip address add 2001:db8::1/128 dev lo nodad
echo "nameserver 203.0.113.53" >"$dir/resolv.conf"
mount --bind "$dir/resolv.conf" /etc/resolv.conf
rm -f "$dir/up" "$dir/also.up"
: >"$dir/seen"
dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts \
	--listen-address=203.0.113.53 --bind-interfaces --local=/example/ \
	--host-record=good.example,198.51.100.1 --host-record=api.good.example,198.51.100.1 \
	--host-record=six.good.example,2001:db8::1 --host-record=both.good.example,198.51.100.1,2001:db8::1 \
	--host-record=npm.good.example,198.51.100.1 --host-record=deb.good.example,198.51.100.1 \
	--host-record=evil.example,198.51.100.2 --host-record=first.good.example,198.51.100.3 \
	--host-record=second.other.example,198.51.100.3 >/dev/null 2>&1 &
pids=($!)
python3 "$here/look_server.py" "$dir" >"$dir/server.log" 2>&1 &
pids+=($!)
for ((i = 0; i < 200; i++)); do
	if [[ -e $dir/up ]] && getent hosts good.example >/dev/null; then
		break
	fi
	sleep 0.05
done
if [[ -e $dir/also ]]; then
	setsid bash "$dir/also" "$dir" >"$dir/also.log" 2>&1 &
	also=$!
	for ((i = 0; i < 200; i++)); do
		[[ ! -e $dir/also.up ]] || break
		sleep 0.05
	done
fi
status=0
"$@" || status=$?
for pid in "${pids[@]}"; do
	kill "$pid" || true
done
[[ -z ${also-} ]] || kill -- "-$also" || true
exit "$status"
