#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Held actions as notifications of the desktop, answered by its buttons, by a service that the test has.
# shellcheck disable=SC2030,SC2031 # each test has its own LOG

setup() {
	load helpers/common
	load helpers/held
	load helpers/broker
	hf_setup
	broker_files
	broker_config <<<'notify: true'
}

teardown() {
	broker_end
	end_held
	hf_teardown
}

shows() {
	[[ $(notified_count '.event == "notify"') == "$1" ]]
}

closed() {
	[[ $(notified_count '.event == "close"') -ge $1 ]]
}

@test "a held action is shown with what it is, and its button lets it go on" {
	bus_start
	desktop_start
	broker_run
	run_held --name 'a<b>c' -- cat "$T/ask/file1"
	wait_for notified '.event == "notify"'
	run jq -r 'select(.event == "notify") | .summary, (.actions | join(" ")), .timeout' "$T/notified"
	assert_output "a<b>c asks: read
allow Allow once deny Deny
0"
	run jq -r 'select(.event == "notify") | .body' "$T/notified"
	assert_line --partial "object   $T/ask/file1"
	assert_line --partial "reason   Somebody should look."
	assert_line --partial "agent    a&lt;b&gt;c"
	click 1 allow
	finished 0
	assert_equal "$(cat "$T/out")" asked-for\ 1
	assert_logged '.event == "action" and .verdict == "allow" and (.approver | test("^.* [(]pid [0-9]+.*[)] via desktop$"))'
}

@test "a click in the first moment, and one on the text, are no answers" {
	bus_start
	desktop_start --eager
	broker_run
	run_held -- cat "$T/ask/file1"
	wait_for shows 2 # it is shown again
	click 2 default
	wait_held 1
	# Dismissed: it is answered elsewhere, and not shown a third time.
	echo "2 dismiss" >"$T/click"
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
	assert_equal "$(notified_count '.event == "notify"')" 2
}

@test "Deny refuses" {
	bus_start
	desktop_start
	broker_run
	run_held -- cat "$T/ask/file1"
	wait_for shows 1
	click 1 deny
	finished 1
	assert_logged '.event == "action" and .verdict == "deny" and (.approver | endswith(" via desktop"))'
}

@test "what was answered elsewhere is taken away; four of a session are shown, the others when there is room" {
	bus_start
	desktop_start
	broker_run
	# shellcheck disable=SC2016
	run_held -- bash -c 'for f in "$@"; do cat "$f" & done; wait' _ "$T"/ask/file?
	wait_held 7
	wait_for shows 4
	first=$(jq -r 'select(.event == "notify" and .number == 1) | .body' "$T/notified" | head -n 1 | cut -c 1-8)
	"$HOLDFAST" approve "$first"
	wait_for notified '.event == "close" and .number == 1'
	wait_for shows 5
	# shellcheck disable=SC2046 # several ids
	"$HOLDFAST" approve $(held_ids)
	finished 0
	wait_for closed 5
}

@test "without a service, or without a bus, it says so once and goes on; with one it shows what waits" {
	unset DBUS_SESSION_BUS_ADDRESS
	broker_run
	run_held -- cat "$T/ask/file1"
	wait_for broker_says '.problems | any(test("no notifications: there is no session bus"))'
	broker_end
	bus_start
	broker_run
	wait_for broker_says '.problems | any(test("no notification service is running"))'
	wait_held 1
	desktop_start
	wait_for shows 1
	click 1 allow
	finished 0
	assert_equal "$(grep -c 'no notification service is running' "$T/broker.err")" 1
}

@test "a service without buttons shows how to answer; its text is no markup" {
	bus_start
	desktop_start --plain
	broker_run
	run_held --name '<b>bold</b>' -- cat "$T/ask/file1"
	wait_for shows 1
	run jq -r 'select(.event == "notify") | .body' "$T/notified"
	assert_line --partial "<b>bold</b>"
	assert_line "To answer: holdfast approve $(held_ids), or deny"
	assert_equal "$(jq -c 'select(.event == "notify") | .actions' "$T/notified")" "[]"
}

@test "a broker that is killed takes its notifications back, and the next shows them again" {
	bus_start
	desktop_start
	broker_run
	run_held -- cat "$T/ask/file1"
	wait_for shows 1
	kill -KILL "$BROKER"
	wait_for notified '.event == "close" and .number == 1'
	broker_run
	wait_for shows 2
	# And so does one that ends.
	broker_end
	wait_for notified '.event == "close" and .number == 2'
	broker_run
	wait_for shows 3
	click 3 allow
	finished 0
}

@test "terminal escapes and text that runs backwards are shown as what they are" {
	bus_start
	desktop_start
	broker_run
	name=$(printf '%s/ask/\033[2J\u202egpj.exe' "$T")
	echo x >"$name"
	run_held -- cat "$name"
	wait_for shows 1
	run jq -r 'select(.event == "notify") | .body' "$T/notified"
	assert_line --partial 'ask/\x1b[2J\u{202e}gpj.exe'
}

@test "an agent that takes the service's name on the bus gets nothing to show, and answers nothing" {
	bus_start
	broker_run
	run_held -- /usr/bin/python3 "$HELPERS/desktop.py" "$T"
	wait_for grep -q ready "$T/notified"
	agent_log=$LOG
	LOG=$T/other.jsonl
	mv "$T/launcher" "$T/launcher.agent"
	run_held -- cat "$T/ask/file1"
	wait_held 1
	wait_for broker_says '.problems | any(test("the notification service is not trusted: it is a process of a session"))'
	assert_equal "$(notified_count '.event == "notify"')" 0
	# It sends the signal all the same, to everybody.
	for n in 1 2 3; do echo "$n allow" >"$T/click"; done
	assert_logged '.event == "notice" and (.note | test("tried to pass for the notification service and was refused"))'
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	kill -KILL "$(cat "$T/launcher.agent")"
	LOG=$agent_log
}

@test "an agent that puts a bus of its own where the user's would be is not believed" {
	skip_without dbus-daemon
	bus_config
	export DBUS_SESSION_BUS_ADDRESS=unix:path=$T/bus
	broker_run
	run_held -- dbus-daemon --config-file="$T/bus.conf" --nofork --nopidfile
	wait_for test -S "$T/bus"
	mv "$T/launcher" "$T/launcher.agent"
	agent_log=$LOG
	LOG=$T/other.jsonl
	run_held -- cat "$T/ask/file1"
	wait_for broker_says '.problems | any(test("the session bus is not trusted: it is a process of a session"))'
	assert_logged '.event == "notice" and (.note | test("tried to pass for the session bus and was refused"))'
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	kill -KILL "$(cat "$T/launcher.agent")"
	LOG=$agent_log
}
