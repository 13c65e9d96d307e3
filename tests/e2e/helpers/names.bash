# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests of names: a network of its own (names_world.bash), and sessions in it. Loaded by names*.bats.

load helpers/world

names_setup() {
	world_setup names_world.bash
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
