# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests of names: a network of its own (names_world.bash), and sessions in it. Loaded by names*.bats.

SPACES=(-n -m)
if ((EUID)); then
	SPACES=(-U -r -n -m)
fi

names_setup() {
	hf_setup
	skip_without dnsmasq unshare ip curl
	unshare "${SPACES[@]}" true || skip "no network namespace can be had"
}

# policy_names <<EOF: what most tests of names go by: what is below good.example, by port 80, and nothing of
# evil.example. The rules of stdin come before that of good.example.
policy_names() {
	policy names < <(
		echo "default: {tool: allow, path: allow, network: deny, unix: allow}"
		echo "rules:"
		echo "  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}"
		echo "  - {name: never, match: {domain: ['*.evil.example']}, action: deny}"
		cat
		echo "  - {name: good, match: {domain: [good.example, '*.good.example'], port: [80]}, action: allow}"
	)
}

# world COMMAND...: in a network of its own.
world() {
	unshare "${SPACES[@]}" "$HELPERS/names_world.bash" "$T" "$@"
}

hf_world() {
	world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$@"
}
