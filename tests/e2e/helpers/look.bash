# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests of what connections say: a network of its own (look_world.bash), and sessions in it. Loaded by verify*.bats.

load helpers/world

look_setup() {
	world_setup look_world.bash openssl
}

# policy_verified: what is below good.example, by any port, if that is whom it says it is for.
policy_verified() {
	policy names <<-EOF
		default: {tool: allow, path: allow, network: deny, unix: allow, resolve: allow}
		rules:
		  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}
		  - {name: good, match: {domain: [good.example, "*.good.example"], verify: sni}, action: allow}
	EOF
}

client() {
	hf_world /usr/bin/python3 "$HELPERS/look_client.py" "$T" "$@"
}
