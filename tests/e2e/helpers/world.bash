# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests of names and of what connections say: a network of its own, made by a script (names_world.bash,
# look_world.bash), and sessions in it. Loaded by names.bash and look.bash.

SPACES=(-n -m)
if ((EUID)); then
	SPACES=(-U -r -n -m)
fi

# world_setup SCRIPT TOOL...: SCRIPT is below helpers/.
world_setup() {
	hf_setup
	WORLD=$HELPERS/$1
	skip_without dnsmasq unshare ip curl "${@:2}"
	unshare "${SPACES[@]}" true || skip "no network namespace can be had"
}

# world COMMAND...: in a network of its own.
world() {
	unshare "${SPACES[@]}" "$WORLD" "$T" "$@"
}

hf_world() {
	world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$@"
}

# Where no namespace can be made for the helpers, as in most containers.
hf_contained() {
	world "$HF_HELPERS/with" -u "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$@"
}
