#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The processes that answer a session's questions to the DNS: where they can listen, and what becomes of the
# session when they cannot, or end.

setup() {
	load helpers/common
	load helpers/names
	names_setup
	policy_names </dev/null
}

teardown() {
	hf_teardown
}

@test "where no namespace can be had, questions are led to loopback" {
	run hf_contained curl -sS -m 10 http://good.example/x
	assert_success
	assert_output hello
	session_ended
	log_has '.op == "resolve" and .object == "good.example" and .rule == "good" and (.exe | endswith("/curl")) and .layer == "dns"'
	log_has '.op == "connect" and .object == "198.51.100.1:80" and .domains == ["good.example"] and .rule == "good"'
	run hf_contained curl -sS -m 10 http://secret.evil.example/x
	assert_failure 6
	run grep evil "$T/dnsmasq.log"
	assert_failure
	run hf_contained /usr/bin/python3 "$HELPERS/questions.py" led
	assert_success
	assert_output "connected True
unconnected True
mapped True
six True
stream 0"
}

@test "with neither a namespace nor a place to listen nothing is run, unless policies only advise" {
	run world "$HF_HELPERS/with" -u -l "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- echo ran
	assert_failure 125
	assert_output --partial "names cannot be learned here (neither a network namespace nor loopback can be had"
	assert_output --partial "nothing was run"
	refute_line ran
	# It goes on, to fail at something else that needs listen(2).
	run world "$HF_HELPERS/with" -u -l "$HOLDFAST" run --log "$LOG" --mode audit --policy "$POLICY" -- echo ran
	assert_output --partial "warning: the names of connections cannot be learned here"
	refute_output --partial "nothing was run"
}

@test "without any network a resolver's ordinary error, wherever the questions are led" {
	local place

	for place in "" -u; do
		# shellcheck disable=SC2086
		run unshare "${SPACES[@]}" "$HF_HELPERS/with" $place "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$HF_HELPERS/lookup" good.example
		assert_failure
		assert_output --partial "Temporary failure in name resolution"
	done
}

# life PROCESS...: the session asks, then the PROCESS of the helper is killed, and it asks again.
life() {
	cat >"$T/life" <<-'EOF'
		"$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- bash -c '
			curl -sS -m 10 http://good.example/x && touch "$T/one"
			until [[ -e $T/killed ]]; do sleep 0.05; done
			for ((i = 0; i < 50; i++)); do
				"$HF_HELPERS/lookup" alias.good.example && exit 0
				[[ $1 == holdfast-dns ]] || exit 3
				sleep 0.1
			done' - "$1" &
		until [[ -e $T/one ]]; do sleep 0.05; done
		minder=$(pgrep -P $! -x holdfast-names)
		case $1 in
		holdfast-names) kill -KILL "$minder" ;;
		*) kill -KILL "$(pgrep -P "$minder" -x "$1")" ;;
		esac
		# A session that ended at once might not have seen it.
		for ((i = 0; i < 400; i++)); do
			! grep -q "answer[s]* questions to the DNS ended" "$LOG" || break
			sleep 0.05
		done
		touch "$T/killed"
		wait $!
		echo "status $?"
	EOF
	export T LOG POLICY HF_HELPERS
	run world timeout 60 bash "$T/life" "$1"
}

@test "a resolver that is killed is started again, and the log says so" {
	life holdfast-dns
	assert_line hello
	assert_line 198.51.100.1
	assert_line "status 0"
	log_has '.event == "notice" and (.note | startswith("The process that answers questions to the DNS ended. It was started again"))'
}

@test "when the helper has gone for good the session goes on, without names, and the log says so" {
	local who

	for who in holdfast-names holdfast-net; do
		rm -f "$T/one" "$T/killed" "$LOG"
		life "$who"
		assert_line hello
		assert_output --regexp "Temporary failure in name resolution|Name or service not known"
		assert_line "status 3"
		log_has '.event == "notice" and (.note | startswith("The processes that answer questions to the DNS ended."))'
	done
}

@test "an agent does not reach its helper: no signal, no memory, no socket of it" {
	skip_without ps
	cat >"$T/reach" <<-'EOF'
		parent() { ps -o ppid= -p "$1" | tr -d ' '; }
		pid=$(pgrep -P "$(parent "$(parent "$PPID")")" -x holdfast-names)
		[[ $1 == holdfast-names ]] || pid=$(pgrep -P "$pid" -x "$1")
		echo "found ${pid:+one}"
		kill -TERM "$pid" 2>/dev/null || echo "no signal"
		cat "/proc/$pid/mem" 2>/dev/null | head -c 1 | grep -q . || echo "no memory"
		readlink "/proc/$pid/fd/"* 2>/dev/null | grep -q . || echo "no descriptors"
	EOF
	for who in holdfast-names holdfast-net holdfast-dns; do
		run hf_world bash "$T/reach" "$who"
		assert_output "found one
no signal
no memory
no descriptors"
	done
}
