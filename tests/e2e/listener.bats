#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Rules on who listens on a unix socket: `listener`, `listener_user`.

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	ABSTRACT=@hf-listener-$$
	PYTHON=$(readlink -f /usr/bin/python3)
	CALL=(/usr/bin/python3 "$HELPERS/listener.py" call)
}

teardown() {
	end_held
	hf_teardown
}

# serve SOCKET COMMAND...: a server that the session did not start.
serve() {
	local name=$1 seen=$T/seen-${1##*[/@]}

	"${@:2}" /usr/bin/python3 "$HELPERS/listener.py" serve "$name" >"$seen" 2>&1 3>&- &
	started $!
	wait_for grep -q ready "$seen"
}

policy_listener() {
	policy listener < <(
		echo "denials: {on_limit: none}"
		echo "default: {tool: allow, path: allow, network: deny}"
		echo "rules:"
		cat
	)
}

@test "a socket is let through or denied by who listens on it" {
	serve "$T/own" env
	serve "$ABSTRACT" env
	policy_listener <<EOF
  - {name: other program, match: {path: "$T/own", listener: [other, "/opt/**"]}, action: allow}
  - {name: own, match: {path: ["$T/own"], listener: "$PYTHON", listener_user: self}, action: allow}
  - {name: not own, match: {path: "$ABSTRACT", listener_user: self}, action: deny}
  - {name: any, match: {path: "$ABSTRACT"}, action: allow}
EOF
	run hf --policy "$POLICY" -- "${CALL[@]}" "$T/own" "$ABSTRACT"
	assert_success
	assert_output "hello
EACCES"
	session_ended
	log_has '.op == "connect" and .rule == "own" and .object == "unix:'"$T/own"'" and .listener == "uid '"$EUID (self) $PYTHON"'" and .result == "performed"'
	log_has '.op == "connect" and .rule == "not own" and .listener == "uid '"$EUID (self) $PYTHON"'" and .result == "refused"'
	# A connection that was denied was made, and said nothing.
	wait_for grep -q nothing "$T/seen-${ABSTRACT#@}"
	refute grep -q hello "$T/seen-${ABSTRACT#@}"
	assert_equal "$(grep -c . "$T/seen-own")" 2
	run "$HOLDFAST" replay --policy "$POLICY" --expect same "$LOG"
	assert_success
}

@test "another user's socket is another user's" {
	skip_unless_root
	skip_without setpriv
	let_others_in
	mkdir -m 777 "$T/d"
	cp "$HELPERS/listener.py" "$T/d"
	serve "$T/own" env
	HELPERS=$T/d serve "$T/d/other" setpriv --reuid=65534 --regid=65534 --clear-groups
	policy_listener <<EOF
  - {name: root, match: {path: "$T/**", listener_user: root}, action: allow}
  - {name: nobody, match: {path: "$T/**", listener_user: 65534}, action: deny}
EOF
	run hf --policy "$POLICY" -- "${CALL[@]}" "$T/own" "$T/d/other"
	assert_output "hello
EACCES"
	session_ended
	log_has '.rule == "nobody" and (.listener | startswith("uid 65534 /"))'
}

@test "nobody is met where that does not matter, and nobody there is the kernel's own error" {
	serve "$T/own" env
	serve "$T/free" env
	/usr/bin/python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$T/dead')"
	policy_listener <<EOF
  - {name: never, match: {path: "$T/own"}, action: deny}
  - {name: free, match: {path: "$T/free"}, action: allow}
  - {name: own, match: {path: ["$T/own", "$T/dead", "$T/none"], listener_user: self}, action: allow}
EOF
	run hf --policy "$POLICY" -- "${CALL[@]}" "$T/own" "$T/free" "$T/dead" "$T/none"
	assert_output "EACCES
hello
ECONNREFUSED
ENOENT"
	session_ended
	assert_equal "$(cat "$T/seen-own")" ready
	log_has '.rule == "free" and (has("listener") | not)'
	log_has '.rule == "own" and .object == "unix:'"$T/dead"'" and (has("listener") | not)'
}

@test "a program that has ended is unknown: what it left behind is not let through" {
	cat >"$T/leave.py" <<EOF
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("$T/left")
s.listen()
if os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
s.accept()[0].recv(1)
EOF
	/usr/bin/python3 "$T/leave.py" >"$T/pid" 3>&-
	wait_for test -s "$T/pid"
	started "$(cat "$T/pid")"
	policy_listener <<EOF
  - {name: own, match: {path: "$T/**", listener: "$PYTHON"}, action: allow}
EOF
	run hf --policy "$POLICY" -- "${CALL[@]}" "$T/left"
	assert_output EACCES
	session_ended
	log_has '.op == "connect" and .verdict == "deny" and .listener == "uid '"$EUID"' (self)"'
}

@test "who is asked sees who listens, and a yes is one to that" {
	serve "$T/own" env
	policy_listener <<EOF
  - {name: own, match: {path: "$T/own", listener_user: self}, action: ask}
EOF
	run_held --ask queue -- "${CALL[@]}" "$T/own"
	wait_held 1
	assert_equal "$(held_json | jq -r .listener)" "uid $EUID (self) $PYTHON"
	run "$HOLDFAST" held "$(held_json | jq -r .session)"
	assert_output --partial "listens  uid $EUID (self) $PYTHON"
	run "$HOLDFAST" approve "$(held_ids)"
	assert_success
	finished 0
	assert_equal "$(cat "$T/out")" hello
	log_has '.op == "connect" and .verdict == "allow" and .result == "performed" and (.listener | startswith("uid '"$EUID"' "))'
}

@test "another who listens by the time of the yes is not the one who was approved" {
	serve "$ABSTRACT" env
	policy_listener <<EOF
  - {name: own, match: {path: "$ABSTRACT", listener_user: self}, action: ask}
EOF
	run_held --ask queue -- "${CALL[@]}" "$ABSTRACT"
	wait_held 1
	kill -KILL "${HF_PIDS[0]}"
	wait_for is_gone "${HF_PIDS[0]}"
	cp "$PYTHON" "$T/mine"
	"$T/mine" "$HELPERS/listener.py" serve "$ABSTRACT" >"$T/seen-mine" 2>&1 3>&- &
	started $!
	wait_for grep -q ready "$T/seen-mine"
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
	assert_equal "$(cat "$T/out")" EACCES
	assert_logged '.reason == "changed-while-held"'
	refute grep -q hello "$T/seen-mine"
}

@test "a thread that writes all the time gets nothing through before the verdict" {
	serve "$T/own" env
	policy_listener <<EOF
  - {name: own, match: {path: "$T/own", listener_user: self}, action: deny}
  - {name: any, match: {path: "$T/own"}, action: allow}
EOF
	run hf --policy "$POLICY" -- /usr/bin/python3 "$HELPERS/listener.py" race "$T/own" "${RACE_ROUNDS:-100}"
	assert_success
	assert_output ""
	wait_for grep -q nothing "$T/seen-own"
	refute grep -q leak "$T/seen-own"
}

@test "calls have the results that they have natively where all are met" {
	policy_listener <<EOF
  - {name: met, match: {path: "**", listener_user: self}, action: allow}
  - {name: rest, match: {protocol: [tcp, udp, unix, other]}, action: allow}
EOF
	mkdir "$T/native" "$T/supervised"
	(cd "$T/native" && "$HF_HELPERS/nettable") >"$T/out-native"
	(cd "$T/supervised" && hf --policy "$POLICY" -- "$HF_HELPERS/nettable") >"$T/out-supervised"
	diff "$T/out-native" "$T/out-supervised"
	session_ended
	log_has '.op == "connect" and .rule == "met" and .listener'
}
