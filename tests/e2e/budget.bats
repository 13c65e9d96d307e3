#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Budgets, with real processes: what reaching one does, reported spend, accounts.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

# budget NAME TEXT [RULES]: a policy that allows everything, within the budget TEXT. $POLICY.
budget() {
	policy "$1" <<-END
		log_reads: true
		default: {tool: allow, read: allow, write: allow, network: allow}
		budget: $2
		${3:+rules: $3}
	END
}

session_of() {
	head -n 1 "$1" | jq -r .session
}

# spend_end FILTER: of the session's last record.
spend_end() {
	jq -c "select(.event == \"session_end\") | .counts.spend | $1" "$LOG"
}

@test "max_execs denies the exec after the last, and nothing else" {
	budget few '{max_execs: 3}'
	# shellcheck disable=SC2016 # the command's own variables
	run hf --policy "$POLICY" -- bash -c 'for i in 1 2 3; do env true; echo "$i $?" >>out; done; echo builtin; cat out'
	# bash, env and true are three.
	assert_output --partial "builtin"
	assert_equal "$(cat out)" $'1 0\n2 126\n3 126'
	assert_logged '.verdict == "deny" and .rule == "budget" and .policy == "few" and .reason == "budget: max_execs 3 reached" and .errno == "EACCES"'
}

@test "max_connects counts connections to addresses, not unix sockets" {
	budget few '{max_connects: 2}'
	cat >go.py <<-'END'
		import os, socket
		for i in range(3):
		    s = socket.socket(socket.AF_UNIX)
		    try:
		        s.connect("/nonexistent/socket")
		    except FileNotFoundError:
		        print("unix")
		server = socket.create_server(("127.0.0.1", 0))
		for i in range(3):
		    try:
		        socket.create_connection(server.getsockname())
		        print("connected")
		    except PermissionError:
		        print("denied")
		d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		try:
		    d.sendto(b"x", server.getsockname())
		except PermissionError:
		    print("datagram denied")
	END
	run hf --policy "$POLICY" -- python3 go.py
	assert_success
	assert_output $'unix\nunix\nunix\nconnected\nconnected\ndenied\ndatagram denied'
	assert_logged '.reason == "budget: max_connects 2 reached"'
}

@test "max_seconds denies everything from then on" {
	budget brief '{max_seconds: 1}'
	# shellcheck disable=SC2016
	run hf --policy "$POLICY" -- bash -c 'cat /dev/null && echo early; until ! cat /dev/null 2>&-; do read -t 0.05 <><(:); done; echo late'
	assert_success
	assert_output $'early\nlate'
	assert_logged '.verdict == "deny" and .reason == "budget: max_seconds 1 reached"'
}

@test "on_limit: stop ends the session with 124, at the deadline and with no action" {
	budget brief '{max_seconds: 1, on_limit: stop}'
	run hf --policy "$POLICY" -- sleep 60
	assert_equal "$status" 124
	assert_output --partial "the session was ended: budget: max_seconds 1 reached"
	assert_logged '.event == "session_end" and .ended == "budget: max_seconds 1 reached" and .exit == null'
}

@test "on_limit: stop ends the whole tree at the exec too many" {
	budget few '{max_execs: 2, on_limit: stop}'
	# shellcheck disable=SC2016
	run hf --policy "$POLICY" -- bash -c 'sleep 60 & echo $! >pid; until [[ -e /proc/$!/exe && $(readlink /proc/$!/exe) ]]; do :; done; ls; echo alive >after; sleep 60'
	assert_equal "$status" 124
	assert_not_exists after
	run kill -0 "$(cat pid)"
	assert_failure
	assert_logged '.event == "notice" and (.note | contains("max_execs 2 reached"))'
}

@test "a command that the budget does not even let start ends with 124" {
	mkdir -p "$XDG_STATE_HOME/holdfast/accounts"
	run "$HOLDFAST" spend 2 --account broke
	assert_success
	budget broke '{max_spend: 1, account: broke, on_limit: stop}'
	run hf --policy "$POLICY" -- true
	assert_equal "$status" 124
}

@test "max_bytes_written is what reaches storage, whoever wrote it" {
	df --output=fstype "$T" | grep -qx tmpfs && skip "$T is a tmpfs, which has no storage"
	budget small '{max_bytes_written: 1M, on_limit: stop}'
	local how

	# Many short processes, each far below the limit; what they wrote counts after they have gone,
	# to their parent or, orphaned, to the supervisor.
	# shellcheck disable=SC2016
	for how in 'head -c 65536 /dev/zero >f$i' '(head -c 65536 /dev/zero >f$i &)'; do
		rm -f "$LOG"
		run hf --policy "$POLICY" -- bash -c "for i in {1..200}; do $how; read -t 0.05 <><(:); done; echo all"
		assert_equal "$status" 124
		refute_output --partial "all"
		assert_logged '.event == "session_end" and (.ended | startswith("budget: max_bytes_written 1048576 reached"))'
	done
}

@test "max_bytes_written does not count pipes, and denies changes after it" {
	df --output=fstype "$T" | grep -qx tmpfs && skip "$T is a tmpfs, which has no storage"
	budget small '{max_bytes_written: 2M}'
	# Devices are no storage: what is done with /dev/null goes on.
	# shellcheck disable=SC2016
	run hf --policy "$POLICY" -- bash -c 'head -c 20M /dev/zero | cat | cat >/dev/null; echo x >one && echo first
		head -c 3M /dev/zero >big; until ! : 2>/dev/null >more; do read -t 0.05 <><(:); done
		echo y >/dev/null && /bin/true 2>>/dev/null && cat one'
	assert_success
	assert_output --partial $'first\n'
	assert_line --index -1 x
	assert_logged '.verdict == "deny" and (.op == "create" or .op == "write") and (.reason // "" | startswith("budget: max_bytes_written 2097152 reached"))'
}

@test "a rate denies what comes too fast" {
	budget slow '{rate: {per: minute, execs: 5}}'
	# shellcheck disable=SC2016
	run hf --policy "$POLICY" -- bash -c 'for i in {1..8}; do /bin/true && echo $i; done'
	assert_output --partial $'1\n2\n3\n4\n'
	refute_line 5
	assert_logged '.reason == "budget: rate of 5 execs per minute reached"'
}

@test "the loop guard denies the same command again and again, not another" {
	budget loop '{loop: {repeats: 3, window: 60}}'
	# shellcheck disable=SC2016
	run hf --policy "$POLICY" -- bash -c 'for i in 1 2 3 4; do /bin/echo same; /bin/echo $i; done'
	assert_equal "$(grep -c same <<<"$output")" 2
	for i in 1 2 3 4; do assert_line "$i"; done
	assert_logged '.reason == "budget: loop guard: the same action 3 times within 60 s" and .argv[1] == "same"'
}

@test "a rule's cost is charged, and the soft limit flags once" {
	budget paid '{max_spend: 1, soft_limit: 0.5}' '[{name: dear, match: {tool: ls}, action: allow, cost: 0.3}]'
	# shellcheck disable=SC2016
	run hf --policy "$POLICY" -- bash -c 'for i in 1 2 3 4; do ls /dev/null; done'
	assert_equal "$(grep -c ^/dev/null$ <<<"$output")" 3
	assert_equal "$(log_count '.verdict == "flag"')" 1
	assert_logged '.verdict == "flag" and .rule == "budget" and .cost == 0.3 and .spent == 0.6'
	assert_logged '.verdict == "deny" and (.reason | startswith("budget: max_spend 1.00 reached"))'
	assert_equal "$(spend_end .reports)" 0
	spend_end '.spent > 0.89 and .spent < 0.91' | grep -qx true
}

@test "spend from inside is counted, recorded and limited" {
	budget paid '{max_spend: 1}'
	run hf --policy "$POLICY" -- bash -c '"$0" spend "\$0.25" --source llm; "$0" spend 0.5 --json; "$0" spend 0.5; echo "status $?"' "$HOLDFAST"
	assert_success
	assert_line "spent 0.25, 0.75 remaining"
	jq -e '.spent == 0.75 and .remaining == 0.25 and .exceeded == false' <<<"${lines[1]}"
	assert_line "spent 1.25, 0 remaining"
	assert_line "holdfast: budget: max_spend 1.00 exceeded: 1.25 is spent"
	assert_line "status 1"
	assert_logged '.kind == "spend" and .op == "spend" and .object == "llm" and .cost == 0.25 and .spent == 0.25 and .verdict == "allow"'
	assert_logged '.kind == "spend" and .cost == 0.5 and .spent == 1.25 and .verdict == "deny"'
	assert_equal "$(spend_end '[.spent, .reported, .reports, .remaining]')" '[1.25,1.25,3,0]'
}

@test "spend reaches its socket although the policy denies the network" {
	policy shut <<-END
		default: {tool: allow, read: allow, write: deny, network: deny}
		budget: {max_spend: 1}
	END
	run hf --policy "$POLICY" -- "$HOLDFAST" spend 0.25
	assert_success
	assert_output "spent 0.25, 0.75 remaining"
}

@test "spend from outside, by the session's name" {
	budget paid '{max_spend: 1}'
	mkfifo "$T/go"
	hf --policy "$POLICY" -- cat "$T/go" 3>&- 4>&- &
	started $!
	wait_for test -s "$LOG"
	wait_for eval "log_select '.op == \"exec\"' | grep -q cat"
	run "$HOLDFAST" spend 0.75 --source api --session "$(session_of "$LOG")" --json
	assert_success
	jq -e '.spent == 0.75 and .remaining == 0.25' <<<"$output"
	run "$HOLDFAST" spend 0.75 --session "$(session_of "$LOG")"
	assert_failure 1
	: >"$T/go"
	wait $!
	assert_logged '.kind == "spend" and .object == "api" and (.note | startswith("Reported from outside by "))'
}

@test "amounts that are none are refused" {
	local amount

	for amount in nan inf -1 1,5 "" five 1e999 "5 USD"; do
		run "$HOLDFAST" spend --account x -- "$amount"
		assert_failure 2
		assert_output --regexp "amount|spent"
	done
	for amount in '$$5' 1e1 ' 1_0 ' -0; do
		run "$HOLDFAST" spend --account x -- "$amount"
		assert_success
	done
	assert_output "spent 25"
}

@test "the spend socket takes nothing but reports, and not from outside" {
	budget paid '{max_spend: 1}'
	cat >hostile.py <<-'END'
		import json, os, socket
		def call(*packets):
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.settimeout(20)
		    s.connect(os.environ["HOLDFAST_SPEND"])
		    replies = [s.recv(65536)]
		    for p in packets:
		        try:
		            s.send(p)
		            replies.append(s.recv(65536))
		        except OSError as e:
		            return type(e).__name__
		    return json.loads(replies[-1] or b'{}').get("error", "ok" if replies[-1] else "closed")
		def spend(**keys):
		    return json.dumps({"v": 1, "op": "spend", **keys}).encode()
		print(call(b'{"v":1,"op":"status"}'))
		print(call(b'{"v":1,"op":"approve","id":"abcdefgh"}'))
		print(call(b'{"v":1,"op":"held","after":0}'))
		print(call(spend(amount=-1)))
		print(call(b'{"v":1,"op":"spend","amount":NaN}'), call(b'{"v":1,"op":"spend","amount":1e999}'))
		print(call(spend(amount="1")), call(spend()), call(spend(amount=0, source=5)), call(spend(amount=0, x=1)))
		print(call(spend(amount=0, source="s" * 129)), call(spend(amount=0, source="s" * 128)))
		print(call(b"\xff" * 100), call(b"[" * 60000), call(b"{}" + b" " * 70000) in ("malformed", "OSError"))
		print(call(spend(amount=0, source="\x1b[2J\n\\xff")))
		for path in (os.environ["HOLDFAST_SPEND"], os.environ["HOLDFAST_SPEND"] + ".x"):
		    try:
		        os.rename(path, path + "y") if path.endswith("spend") else open(path, "w")
		        print("changed")
		    except PermissionError:
		        print("protected")
		control = os.environ["HOLDFAST_SPEND"].replace(".spend", ".sock")
		try:
		    socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(control)
		    print("reached the control socket")
		except PermissionError:
		    print("no control socket")
		flood = [call(*[spend(amount=0.001)] * 100) for _ in range(2)]
		print(flood)
	END
	run hf --policy "$POLICY" -- python3 hostile.py
	assert_success
	assert_line --index 0 unknown-op
	assert_line --index 1 unknown-op
	assert_line --index 2 unknown-op
	assert_line --index 3 malformed
	assert_line --index 4 "malformed malformed"
	assert_line --index 5 "malformed malformed malformed malformed"
	assert_line --index 6 "malformed ok"
	assert_line --index 7 "malformed malformed True"
	assert_line --index 8 ok
	assert_line --index 9 protected
	assert_line --index 10 protected
	assert_line --index 11 "no control socket"
	assert_line --index 12 "['busy', 'busy']"
	assert [ "$(log_count '.kind == "spend"')" -lt 70 ]
}

@test "the spend socket refuses a process that is not of the session" {
	budget paid '{max_spend: 1}'
	mkfifo "$T/go"
	hf --policy "$POLICY" -- bash -c "echo \"\$HOLDFAST_SPEND\" >where; cat '$T/go'" 3>&- 4>&- &
	started $!
	wait_for test -s where
	HOLDFAST_SPEND=$(cat where) run "$HOLDFAST" spend 0.5
	assert_failure 1
	assert_output --partial "only a process of the session"
	: >"$T/go"
	wait $!
	assert_logged '.event == "notice" and (.note | contains("spend socket"))'
	assert_equal "$(spend_end .spent)" 0
}

@test "two sessions on one account lose nothing, and share what there is" {
	local i pids=()

	budget team '{max_spend: 100, account: team}' '[{name: dear, match: {tool: "true"}, action: allow, cost: 0.125}]'
	for i in 1 2; do
		"$HOLDFAST" run --policy "$POLICY" --log "$T/log$i.jsonl" -- bash -c \
			'for i in {1..20}; do env true; "$0" spend 0.25 >/dev/null || exit; done' "$HOLDFAST" 3>&- 4>&- &
		pids+=($!)
		started $!
	done
	for i in {1..20}; do
		"$HOLDFAST" spend 0.5 --account team >/dev/null
	done
	wait "${pids[0]}"
	wait "${pids[1]}"
	# 2 * 20 * (0.125 + 0.25) + 20 * 0.5
	run "$HOLDFAST" spend 0 --account team
	assert_output "spent 25"
	assert_equal "$(stat -c %a "$XDG_STATE_HOME/holdfast/accounts/team.json")" 600
	# The next one begins where they left off.
	budget team '{max_spend: 25, account: team}'
	run hf --policy "$POLICY" -- "$HOLDFAST" spend 0.25
	assert_failure 1
	assert_line "spent 0.25, 0 remaining"
}

@test "an agent cannot change its account" {
	budget team '{max_spend: 1, account: team}'
	run hf --policy "$POLICY" -- bash -c '"$0" spend 0.5; rm -f "$1"/*; mv "$1" "$1.x"; echo "{}" >"$1/team.json"; "$0" spend 0' \
		"$HOLDFAST" "$XDG_STATE_HOME/holdfast/accounts"
	assert_line "spent 0.5, 0.5 remaining"
	assert_equal "$(jq .spent "$XDG_STATE_HOME/holdfast/accounts/team.json")" 0.5
	assert_logged '.rule == "own-files" and .verdict == "deny"'
}

@test "a damaged account is refused, with what to do" {
	mkdir -p "$XDG_STATE_HOME/holdfast/accounts"
	echo '{"v":1,"spent":-5}' >"$XDG_STATE_HOME/holdfast/accounts/team.json"
	budget team '{max_spend: 1, account: team}'
	run hf --policy "$POLICY" -- true
	assert_equal "$status" 125
	assert_output --partial "team.json"
	assert_output --partial "remove the file"
}

@test "audit mode counts and refuses nothing" {
	budget few '{max_execs: 1, max_seconds: 1, on_limit: stop}'
	# shellcheck disable=SC2016
	run hf --policy "$POLICY" --mode audit -- bash -c '/bin/true && /bin/true && echo fine'
	assert_success
	assert_output fine
	assert_logged '.verdict == "allow" and .would_have == "deny" and .reason == "budget: max_execs 1 reached"'
}

@test "on_limit: ask holds, and a yes is counted" {
	budget few '{max_execs: 2, on_limit: ask}'
	run hf --policy "$POLICY" --ask allow -- bash -c '/bin/true; /bin/true && echo through'
	assert_success
	assert_output through
	assert_logged '.approver == "--ask allow" and .reason == "budget: max_execs 2 reached" and .verdict == "allow"'
	rm "$LOG"
	run hf --policy "$POLICY" --ask deny -- bash -c '/bin/true; /bin/true || echo refused'
	assert_line refused
}

# answer_all WORD: approves or denies all that the test's session holds.
answer_all() {
	"$HOLDFAST" held --json "$(session_of "$LOG")" | jq -r .id | xargs -r -n 1 "$HOLDFAST" "$1"
}

two_are_held() {
	[[ $(log_count '.event == "held"') == 2 ]]
}

@test "an approved action is charged, and refused when nothing is left by then" {
	budget paid '{max_spend: 0.6}' '[{name: dear, match: {tool: ls}, action: ask, cost: 0.5}]'
	# shellcheck disable=SC2016
	hf --policy "$POLICY" -- bash -c 'ls /dev/null >>out 2>&1 & ls /dev/null >>out 2>&1 & wait' 3>&- 4>&- &
	started $!
	local pid=$!
	# Both could be paid for when they were asked about.
	wait_for two_are_held
	answer_all approve
	wait "$pid"
	assert_equal "$(grep -c '^/dev/null$' out)" 1
	assert_logged '.verdict == "allow" and .rule == "dear" and .cost == 0.5 and .spent == 0.5 and .approver'
	assert_logged '.verdict == "deny" and .rule == "budget" and .policy == "paid" and (.reason | startswith("budget: max_spend 0.60 reached")) and .approver'
	assert_equal "$(spend_end .spent)" 0.5
}

@test "an approved action that ends the session is not answered before it has ended" {
	budget paid '{max_spend: 0.6, on_limit: stop}' '[{name: dear, match: {tool: ls}, action: ask, cost: 0.5}]'
	# shellcheck disable=SC2016
	hf --policy "$POLICY" -- bash -c 'for i in 1 2; do { ls /dev/null; echo "$?" >after.$i; } & done; wait' >/dev/null 2>&1 3>&- 4>&- &
	started $!
	local pid=$!
	wait_for two_are_held
	answer_all approve
	status=0
	wait "$pid" || status=$?
	assert_equal "$status" 124
	# One was paid for; the shell behind the other learned nothing.
	run cat after.*
	refute_output --partial 126
	assert_logged '.event == "session_end" and (.ended | startswith("budget: max_spend 0.60 reached"))'
}

@test "a rule about the directory holds for files, too" {
	policy dirs <<-END
		default: {tool: allow, read: allow, write: allow, network: allow}
		rules:
		  - {name: not-from-here, match: {cwd: "$T/project/**", op: create}, action: deny}
	END
	mkdir "$T/project/sub" "$T/elsewhere"
	# shellcheck disable=SC2016
	run hf --policy "$POLICY" -- bash -c 'cd sub; : >"$1/one"; cd "$1"; : >two' - "$T/elsewhere"
	assert_not_exists "$T/elsewhere/one"
	assert_exists "$T/elsewhere/two"
	assert_logged ".rule == \"not-from-here\" and .cwd == \"$T/project/sub\""
}
