#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Network calls are made on the agent's behalf: with the same results as natively, and race-free.

setup() {
	load helpers/common
	hf_setup
	# Ports that no other run of this file uses.
	ALLOWED=$((20000 + $$ % 5000 * 2))
	DENIED=$((ALLOWED + 1))
	ROUNDS=${RACE_ROUNDS:-2000}
	mkdir "$T/d"
}

teardown() {
	hf_teardown
}

# Something of the network can be refused, so nothing of it is left to the kernel.
policy_network() {
	policy_open network <<EOF
  - {name: a port, match: {port: [$DENIED], protocol: udp, op: [connect, send]}, action: deny}
  - {name: a socket, match: {path: ["$T/d/evil/s"], op: [connect, send]}, action: deny}
  - {name: a file, match: {path: ["$T/d/evil/b"], op: [create, bind]}, action: deny}
EOF
}

# table COMMAND...: what nettable prints in a directory of its own.
table() {
	rm -rf "$T/d/table"
	mkdir "$T/d/table"
	(cd "$T/d/table" && "$@" "$HF_HELPERS/nettable")
}

@test "140 calls have the results that they have natively" {
	policy_network
	table env >"$T/native"
	table hf --policy "$POLICY" -- >"$T/supervised"
	diff "$T/native" "$T/supervised"
	(($(wc -l <"$T/native") >= 140))
	session_ended
	log_has '.op == "connect" and .result == "performed"'
	log_has '.op == "bind" and .result == "performed"'
	log_has '.op == "listen" and .result == "performed"'
	log_has '.op == "send" and .result == "performed"'
}

@test "and where nothing of the network can be refused" {
	policy free <<EOF
default: {tool: allow, read: allow, write: allow, network: allow}
rules:
  - {name: a file, match: {path: ["$T/none"], op: [write]}, action: deny}
EOF
	table env >"$T/native"
	table hf --policy "$POLICY" -- >"$T/supervised"
	diff "$T/native" "$T/supervised"
	session_ended
	log_has '.op == "connect" and (.object | startswith("127.")) and .result == "performed"'
	# A server sees the agent as its peer.
	log_has '.op == "connect" and (.object | startswith("unix:")) and .result == "continued"'
}

@test "an agent that gave up root is nobody to a unix socket's server" {
	local python=/usr/bin/python3

	skip_unless_root
	skip_without setpriv "$python"
	policy_network
	let_others_in
	cp "$HELPERS/peer.py" "$T/d/peer.py"
	chmod 755 "$T/d" "$T/d/peer.py"
	"$python" "$T/d/peer.py" serve "$T/d/s" >"$T/seen" &
	started $!
	wait_for test -S "$T/d/s"
	run hf --policy "$POLICY" -- setpriv --reuid=65534 --regid=65534 --groups=65534 \
		"$python" "$T/d/peer.py" call "$T/d/s"
	assert_output "EPERM"
	wait_for grep -q end "$T/seen"
	run cat "$T/seen"
	assert_output "SO_PEERCRED 65534 65534
b'x' SCM_CREDENTIALS 65534 65534
b'y' SCM_CREDENTIALS 65534 65534
end"
}

# The attack of MODE works natively; its second thread may take a while to get going.
wins_natively() {
	rm -rf "$T/d"
	mkdir -p "$T/d/good" "$T/d/evil"
	! "$HF_HELPERS/netrace" "$1" 5000 "$T/d" "$ALLOWED" "$DENIED" | grep "evil=0 "
}

# race MODE: it does so, and not once in a session.
race() {
	wait_for wins_natively "$1"
	rm -rf "$T/d"
	mkdir -p "$T/d/good" "$T/d/evil"
	policy_network
	run hf --policy "$POLICY" -- "$HF_HELPERS/netrace" "$1" "$ROUNDS" "$T/d" "$ALLOWED" "$DENIED"
	assert_success
	assert_output --partial "evil=0 "
	refute_output --partial "good=0 "
}

@test "race: the address of a connect" {
	race connect-address
}

@test "race: the descriptor of a connect" {
	race connect-fd
}

@test "race: the address of a sendto" {
	race sendto-address
}

@test "race: a name that a nameless sendmsg gets" {
	race sendmsg-name
}

@test "race: a name of a sendmmsg" {
	race sendmmsg-name
}

@test "race: the path of a unix socket" {
	race unix-path
}

@test "race: a link on the way to a unix socket" {
	race unix-link
}

@test "race: the path of a datagram" {
	race unix-sendto
}

@test "race: the path of a bind" {
	race bind-path
}

@test "race: a link on the way of a bind" {
	race bind-link
}

@test "connections that are accepted are counted where a policy says so" {
	local several one

	policy counted <<EOF
log: {accepts: true}
default: {tool: allow, path: allow, network: allow}
rules:
  - {name: a port, match: {port: [$DENIED], op: [connect]}, action: deny}
EOF
	run hf --policy "$POLICY" -- /usr/bin/python3 "$HELPERS/accepts.py" "$T/d/s"
	assert_success
	read -r several one <<<"$output"
	session_ended
	log_has '.event == "session_end" and (.accepted | length) == 3'
	log_has '.event == "session_end" and .accepted[0] == {address: "127.0.0.1:'"$several"'", accepted: 3}'
	# Of a wait whose thread has ended since, nobody knows, unless somebody was there before it.
	log_has '.event == "session_end" and .accepted[1].address == "127.0.0.1:'"$one"'" and .accepted[1].accepted + .accepted[1].unknown == 1'
	log_has '.event == "session_end" and .accepted[2] == {address: "unix:'"$T/d/s"'", accepted: 2}'
	run "$HOLDFAST" report "$LOG"
	assert_line "accepted  3 at 127.0.0.1:$several"
	assert_line "accepted  2 at unix:$T/d/s"
	run "$HOLDFAST" report --json "$LOG"
	assert_equal "$(jq -c '.accepted[2].accepted' <<<"$output")" 2
}

@test "and are not looked at where none does" {
	policy_network
	run hf --policy "$POLICY" -- /usr/bin/python3 "$HELPERS/accepts.py" "$T/d/s"
	assert_success
	session_ended
	log_has '.event == "session_end" and (has("accepted") | not)'
}
