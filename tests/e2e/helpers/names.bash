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

# world COMMAND...: in a network of its own.
world() {
	unshare "${SPACES[@]}" "$HELPERS/names_world.bash" "$T" "$@"
}

hf_world() {
	world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$@"
}
