#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Ways round rules on names: calls that are easily overlooked, names that lead inside, servers that lie.

setup() {
	load helpers/common
	load helpers/names
	names_setup
	policy_names <<EOF
  - {name: dns, match: {port: 53}, action: allow, priority: 200}
EOF
}

teardown() {
	hf_teardown
}

liar() {
	touch "$T/liar"
}

@test "every call that can ask is answered by the helper, and what is refused stays refused" {
	run hf_world "$HF_HELPERS/dnscalls"
	assert_success
	assert_output "without a family: rcode 3
IPv4 on IPv6: rcode 3
connected IPv4 on IPv6: rcode 3
batch: 1 went
its first: rcode 3
the rest: Permission denied
connected: rcode 3
dissolved: Permission denied
reconnected: Permission denied
asked again: rcode 3
fast open: an answer
elsewhere: Permission denied"
	run grep evil "$T/dnsmasq.log"
	assert_failure
}

@test "the same where questions are led to loopback" {
	run world "$HF_HELPERS/with" -u "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$HF_HELPERS/dnscalls"
	refute_output --partial "rcode 0"
	refute_output --partial "to another address"
	assert_line "elsewhere: Permission denied"
	run grep evil "$T/dnsmasq.log"
	assert_failure
}

@test "upper and lower case, dots and bytes of names are no other names" {
	run hf_world /usr/bin/python3 "$HELPERS/questions.py" spelled
	assert_success
	assert_output "sEcReT.EvIl.eXaMpLe 3
secret.EVIL.example 3
dot in a label 4
NUL in a label 4
blank in a label 4
two questions 1
two in one segment 3 3
byte by byte 3"
	run grep -i evil "$T/dnsmasq.log"
	assert_failure
}

@test "a name does not lead to an inner address in whatever clothes" {
	liar
	for name in private mapped nat; do
		run hf_world /usr/bin/python3 -c 'import socket, sys
a = socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM)[0]
s = socket.socket(a[0])
s.settimeout(1)
try:
    s.connect(a[4])
    print("reached")
except PermissionError:
    print("refused")' "$name.good.example"
		assert_output refused
		session_ended
		log_has ".op == \"connect\" and .verdict == \"deny\" and .domains == [\"$name.good.example\"]"
	done
}

@test "lying servers: an answer that is none is not believed, and a right one after it is" {
	liar
	run hf_world /usr/bin/python3 "$HELPERS/questions.py" lies
	assert_success
	assert_output "good 0 198.51.100.1
guess 0 198.51.100.1
question 0 198.51.100.1
question2 0 198.51.100.1
short 2
head 2
loop 2
cnameloop 0
count 2
size 2
five 2
rest 2
many 2
stranger 0
by TCP 2
good 0 198.51.100.1"
	session_ended
	# Only the records of the name count: 6.6.6.6 was never learned.
	run hf_world bash -c '/usr/bin/python3 "$1" stranger >/dev/null; curl -sS -m 2 http://6.6.6.6/' - "$HELPERS/questions.py"
	assert_failure 7
}

@test "a server that changes under the session is asked from then on" {
	liar
	run hf_world bash -c '
		/usr/bin/python3 "$1" good
		echo "nameserver 203.0.113.54" >"$2/resolv.conf"
		/usr/bin/python3 "$1" good' - "$HELPERS/questions.py" "$T"
	assert_output "good 0
good 0"
	assert_equal "$(cat "$T/liar.log")" "good 203.0.113.53
good 203.0.113.54"
}

@test "servers that are dead or silent delay nobody else, and end in an ordinary error" {
	liar
	run hf_world /usr/bin/python3 "$HELPERS/questions.py" silent
	assert_success
	assert_output "good while 40 wait: 0
silent: 2"
}
