#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# names_world.bash DIR COMMAND...: runs COMMAND where DIR is all that there is of a network: a DNS
# server with names of its own (DIR/dnsmasq.log has what it was asked) and a web server at every
# address. DIR/search is added to resolv.conf, DIR/hosts takes the place of /etc/hosts, and where there
# is DIR/liar the servers lie (liar.py). Called in new network and mount namespaces.
set -euo pipefail
dir=$1
shift
ip link set lo up
for address in 203.0.113.53 198.51.100.1 198.51.100.2 198.51.100.3 169.254.169.254; do
	ip address add "$address/32" dev lo
done
ip address add 2001:db8::1/128 dev lo nodad 2>/dev/null || true
mkdir -p "$dir/www"
echo hello >"$dir/www/x"
echo "nameserver 203.0.113.53" >"$dir/resolv.conf"
[[ ! -e $dir/search ]] || cat "$dir/search" >>"$dir/resolv.conf"
[[ ! -e $dir/hosts ]] || mount --bind "$dir/hosts" /etc/hosts
mount --bind "$dir/resolv.conf" /etc/resolv.conf
pids=()
if [[ -e $dir/liar ]]; then
	ip address add 203.0.113.54/32 dev lo
	: >"$dir/liar.log"
	for address in 203.0.113.53 203.0.113.54; do
		python3 "${BASH_SOURCE[0]%/*}/liar.py" "$address" "$dir/liar.log" >/dev/null 2>&1 &
		pids+=($!)
	done
	for ((i = 0; i < 200; i++)); do
		[[ $(ss -Hlun sport = 53 | wc -l) != 2 ]] || break
		sleep 0.05
	done
elif [[ ! -e $dir/no-server ]]; then
	dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts \
		--listen-address=203.0.113.53 --bind-interfaces --local=/example/ --log-queries \
		--log-facility="$dir/dnsmasq.log" \
		--host-record=good.example,198.51.100.1 --host-record=six.good.example,2001:db8::1 \
		--host-record=bad.example,198.51.100.2 --host-record=never.evil.example,198.51.100.2 \
		--cname=fronted.good.example,never.evil.example --cname=alias.good.example,good.example \
		--host-record=first.good.example,198.51.100.3 --host-record=second.other.example,198.51.100.3 \
		--host-record=npm.good.example,198.51.100.1 --host-record=deb.good.example,198.51.100.1 \
		--host-record=git.good.example,198.51.100.1 --srv-host=_http._tcp.deb.good.example,deb.good.example,80 \
		--host-record=home.good.example,127.0.0.1 --host-record=meta.good.example,169.254.169.254 2>/dev/null &
	pids+=($!)
	(cd "$dir/www" && exec python3 -m http.server 80 >/dev/null 2>&1) &
	pids+=($!)
	for ((i = 0; i < 200; i++)); do
		if getent hosts good.example >/dev/null && curl -sf http://198.51.100.1/x >/dev/null; then
			break
		fi
		sleep 0.05
	done
	: >"$dir/dnsmasq.log"
fi
status=0
"$@" || status=$?
for pid in "${pids[@]}"; do
	kill "$pid" || true
done
exit "$status"
