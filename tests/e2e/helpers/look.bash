# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests of what connections say: a network of its own (look_world.bash), and sessions in it. Loaded by verify*.bats.

SPACES=(-n -m)
if ((EUID)); then
	SPACES=(-U -r -n -m)
fi

look_setup() {
	hf_setup
	skip_without dnsmasq unshare ip curl openssl
	unshare "${SPACES[@]}" true || skip "no network namespace can be had"
}

# world COMMAND...: in a network of its own.
world() {
	unshare "${SPACES[@]}" "$HELPERS/look_world.bash" "$T" "$@"
}

hf_world() {
	world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$@"
}

client() {
	hf_world /usr/bin/python3 "$HELPERS/look_client.py" "$T" "$@"
}
