#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What an agent calls its files, programs and arguments, on each surface where somebody answers:
# nothing of it reaches a terminal, is hidden, or passes for something else. And prompt bugs that
# others have paid for (Claude Code's change log); where each is a test:
#
#   padding, tabs and invisible characters hid a part      here: each surface shows each byte
#   a click that focused the window answered               page/browser.mjs: half a second after a change
#   a key in the comment field approved                    watch.bats: d denies, with a reason that was typed
#   a prompt was answered with the input of the last       watch.bats, hold.bats, tmux.bats: typed before, drawn
#   masking hid paths from the approver                    here: the object is shown whole beside the arguments
#   what was granted differed from its words               unit/test_grants.c, grants.bats: one function for both
#   a grant although not all was shown                     here, watch.bats: truncated is answered once only
#   the scope of a grant was unclear                       grants.bats: covers, in words, before and after
#   compound commands slipped past ask rules               here: each program of a compound command is asked about
#   redirection and [[ ]] slipped past                     here: a redirection is an open, and asked about
#   "always" stored the whole pipeline                     grants.bats: an exact grant is a digest of one action
#   denies were dropped for background agents              here: a deny reaches a background child

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	mkdir "$T/ask"
	policy_open asking <<-END
		  - {name: ask-files, match: {path: ["$T/ask/**"]}, action: ask}
		  - {name: ask-true, match: {tool: "true"}, action: ask}
	END
	# Escapes that retitle, clear and colour; C1; tabs; bidirectional and invisible characters; bad UTF-8.
	HOSTILE=$'x\e]0;owned\a\e[2J\e[31m\r\tpad\u202egpj.\u2066\u200b\u00a0\xff\x9b31m\n> allow? y'
}

teardown() {
	end_held
	hf_teardown
}

# clean FILE: printable ASCII and newlines only.
clean() {
	run env LC_ALL=C grep -c -P '[^\x20-\x7e]' "$1"
	assert_output 0
}

# says FILE: what was hostile is there, escaped.
says() {
	local part
	for part in owned '\[2J' '\[31m' pad '202e|xe2.{1,2}x80.{1,2}xae' '2066|xe2.{1,2}x81.{1,2}xa6' '200b|xe2.{1,2}x80.{1,2}x8b' 'allow\? y'; do
		grep -Eqi -- "$part" "$1" || {
			echo "no '$part' in:"
			cat "$1"
			return 1
		}
	done
}

@test "held, held ID, held --json, approve and why" {
	run_held --ask queue --name "agent$HOSTILE" -- /usr/bin/true "$HOSTILE"
	wait_held 1
	"$HOLDFAST" held >"$T/held"
	"$HOLDFAST" held "$(held_ids)" >"$T/one"
	"$HOLDFAST" held --json >"$T/json"
	for file in held one json; do
		clean "$T/$file"
		says "$T/$file"
	done
	jq -e . "$T/json" >/dev/null
	run "$HOLDFAST" deny "$(held_ids)" --reason "$HOSTILE"
	assert_success
	finished 126
	"$HOLDFAST" why --last "$LOG" >"$T/why"
	clean "$T/why"
	clean "$T/err"
}

@test "a program that answers gets pure ASCII, and the bytes as they were" {
	printf '%s\n' '#!/bin/sh' "cat >'$T/question'" 'echo "{\"answer\":\"allow\"}"' >"$T/bot"
	chmod 755 "$T/bot"
	hf --policy "$POLICY" --ask "command:$T/bot" -- /usr/bin/true "$HOSTILE"
	clean "$T/question"
	says "$T/question"
	assert_equal "$(jq -r '.argv | length' "$T/question")" 2
}

@test "a program that answers is told that a command line of 2 MB is not all there" {
	local long

	printf '%s\n' '#!/bin/sh' "cat >'$T/question'" 'echo "{\"answer\":\"allow\"}"' >"$T/bot"
	chmod 755 "$T/bot"
	printf -v long '%110000s' x
	hf --policy "$POLICY" --ask "command:$T/bot" -- /usr/bin/true "$long" "$long" "$long" "$long" "$long" "$long" "$long" \
		"$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" end
	assert_equal "$(jq -c '[.truncated, .argc]' "$T/question")" '[true,19]'
	assert [ "$(stat -c %s "$T/question")" -le 65536 ]
}

@test "the terminal's own prompt, with a command line of 2 MB too" {
	skip_without tmux
	export TERM=screen
	printf '%s' "$HOSTILE" >"$T/hostile"
	cat >"$T/agent" <<-'END'
		/usr/bin/true "$(cat "$1")"
		b=$(head -c 120000 /dev/zero | tr "\0" b); set --; i=0
		while [ $i -lt 16 ]; do set -- "$@" "$b"; i=$((i + 1)); done
		exec /usr/bin/true "$@" end-of-it
	END
	tm_start "'$HOLDFAST' run --policy '$POLICY' --log '$LOG' --ask terminal -- sh '$T/agent' '$T/hostile'"
	wait_held 1
	tm_wait '\[y/N\]'
	tm_screen >"$T/screen"
	assert_equal "$(tm display-message -p '#{pane_title}' | grep -c owned)" 0
	tr -d '\n' <"$T/screen" >"$T/line"
	says "$T/line"
	"$HOLDFAST" approve "$(held_ids)"
	tm_wait 'NOT ALL OF IT IS SHOWN: it has 18 arguments'
	assert_equal "$(held_json | jq -c '[.truncated, .argc, .answers]')" '[true,18,[]]'
	"$HOLDFAST" approve "$(held_ids)"
	tm_wait '^STATUS=0$'
}

@test "each program of a compound command, and a redirection, is asked about by itself" {
	run_held --ask queue -- bash -c '[[ -z $(/usr/bin/true one) ]] && /usr/bin/true two | /usr/bin/true three; : >"$0/four"; (/usr/bin/true five) & wait; exit 0' "$T/ask"
	local asked=() id
	until [[ -e $T/status ]]; do
		wait_for eval '[[ -n $(held_ids) || -e $T/status ]]'
		for id in $(held_ids); do
			asked+=("$(held_json | jq -r "select(.id == \"$id\") | .argv[-1]? // .object")")
			"$HOLDFAST" deny "$id" >/dev/null
		done
	done
	finished 0
	assert_equal "$(printf '%s\n' "${asked[@]##*/}" | sort | tr '\n' ' ')" "five four one three two "
	assert_not_exists "$T/ask/four"
	assert_equal "$(log_count '.verdict == "deny" and .held and .event == "action"')" 5
}

@test "the page's own data is pure ASCII, and a held process uses no CPU" {
	run_held --ask queue -- /usr/bin/true "$HOSTILE"
	wait_held 1
	"$HOLDFAST" page >"$T/links" 2>"$T/page.err" </dev/null 3>&- 4>&- &
	started $!
	wait_for grep -q login "$T/links"
	timeout 60 python3 - "$HELPERS" "$(tail -n 1 "$T/links")" >"$T/api" <<-'END'
		import sys
		sys.path.insert(0, sys.argv[1])
		import page
		p = page.Page(sys.argv[2])
		p.enter()
		print(p.ask("GET", p.base + "api/held", {"Cookie": p.cookie})[2].decode("ascii"))
	END
	clean "$T/api"
	says "$T/api"
	# Ticks of the held process, in user space and the kernel, over a while.
	ticks() { sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f12,13; }
	pid=$(held_json | jq -r .pid)
	before=$(ticks "$pid")
	read -rt 0.5 _ <><(:) || true
	assert_equal "$(ticks "$pid")" "$before"
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
}
