#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Policies written for agent frameworks decide what real processes do.

setup() {
	load helpers/common
	hf_setup
	SAFE_CODING=$REPO/policies/templates/safe_coding.yaml
}

teardown() {
	hf_teardown
}

# A repository in $PROJECT whose history differs from that of its remote, so that only force would do.
make_repository() {
	git init -q --bare "$T/remote.git"
	git init -q -b main .
	git commit -q --allow-empty -m one
	git remote add origin "$T/remote.git"
	git push -q origin main
	git commit -q --amend --allow-empty -m other
	REMOTE=$(git -C "$T/remote.git" rev-parse main)
}

assert_remote_unchanged() {
	assert_equal "$(git -C "$T/remote.git" rev-parse main)" "$REMOTE"
	assert_logged '.kind == "tool" and .verdict == "deny" and .policy == "safe_coding" and (.rule | IN("no-destructive-git", "no-force-push-main"))'
}

make_secret() {
	mkdir "$HOME/.aws"
	echo "a decoy" >"$HOME/.aws/credentials"
}

@test "safe_coding stops git push --force, run directly" {
	make_repository
	run hf --policy "$SAFE_CODING" -- git push --force origin main
	assert_failure 126
	assert_output --partial "safe_coding"
	assert_remote_unchanged
}

@test "safe_coding stops git push --force, run by sh -c" {
	make_repository
	run hf --policy "$SAFE_CODING" -- sh -c 'git push --force origin main'
	assert_failure
	assert_remote_unchanged
}

@test "safe_coding stops git push --force, put together by a shell" {
	make_repository
	# shellcheck disable=SC2016
	run hf --policy "$SAFE_CODING" -- sh -c 'f=--force; git push "$f" origin main'
	assert_failure 126
	assert_remote_unchanged
}

@test "safe_coding stops git push --force, run by a script" {
	make_repository
	printf '#!/bin/sh\ngit push --force origin main\n' >push.sh
	chmod +x push.sh
	run hf --policy "$SAFE_CODING" -- ./push.sh
	assert_failure 126
	assert_remote_unchanged
}

@test "safe_coding stops git push --force, run by python's subprocess" {
	make_repository
	cat >push.py <<-'END'
		import subprocess
		try:
		    subprocess.run(["git", "push", "--force", "origin", "main"], check=True)
		except PermissionError:
		    print("refused")
	END
	run hf --policy "$SAFE_CODING" -- python3 push.py
	assert_success
	assert_output refused
	assert_remote_unchanged
}

@test "safe_coding lets an ordinary push through" {
	make_repository
	run hf --policy "$SAFE_CODING" -- git push -q origin main:topic
	assert_success
	assert_equal "$(git -C "$T/remote.git" rev-parse topic)" "$(git rev-parse main)"
	assert_equal "$(log_count '.verdict == "deny" or .verdict == "ask"')" 0
}

@test "safe_coding holds cat ~/.aws/credentials until somebody answers" {
	local answer pid

	make_secret
	for answer in deny approve; do
		rm -f "$LOG" "$T/out"
		hf --policy "$SAFE_CODING" -- cat "$HOME/.aws/credentials" >"$T/out" 2>"$T/err" 3>&- 4>&- &
		pid=$!
		started "$pid"
		wait_for eval "log_select '.event == \"held\"' | grep -q credentials"
		assert_equal "$(cat "$T/out")" ""
		assert_logged '.event == "held" and .rule == "no-credential-access" and .policy == "safe_coding"'
		# The command line is one action, the file that it opens another.
		while kill -0 "$pid" 2>/dev/null; do
			"$HOLDFAST" held --json | jq -r .id | xargs -r -n 1 "$HOLDFAST" "$answer" >/dev/null 2>&1 || true
			read -rt 0.05 _ <><(:) || true
		done
		if [[ $answer == deny ]]; then
			assert_equal "$(cat "$T/out")" ""
		else
			assert_equal "$(cat "$T/out")" "a decoy"
		fi
	done
}

@test "safe_coding holds the file also for who does not say cat" {
	make_secret
	run hf --policy "$SAFE_CODING" --ask deny -- python3 -c 'import os; print(open(os.path.expanduser("~/.aws/" + "creden" + "tials")).read())'
	assert_failure
	refute_output --partial decoy
	assert_logged '.kind == "path" and .op == "read" and .rule == "no-credential-access" and .would_have == "ask"'
}

@test "an AgentPolicy file that blocks curl stops curl" {
	skip_without curl
	printf 'tools:\n  block: [curl]\n' >"$T/agent.yaml"
	run hf --policy "$T/agent.yaml" -- sh -c 'curl --version; echo "status $?"; ls / >/dev/null && echo listed'
	assert_success
	assert_line "status 126"
	assert_line listed
	assert_logged ".verdict == \"deny\" and .reason == \"Tool 'curl' denied by tools.block policy\""
}

@test "an AgentPolicy file's budget is a budget" {
	printf 'budget: {max_spend: "$0.50"}\n' >"$T/agent.yaml"
	run hf --policy "$T/agent.yaml" -- sh -c '"$0" spend 0.5; "$0" spend 0.25; ls / || echo refused' "$HOLDFAST"
	assert_success
	assert_line "spent 0.5, 0 remaining"
	assert_line "spent 0.75, 0 remaining"
	assert_line refused
}

@test "of two languages the strictest verdict counts" {
	make_secret
	policy own <<-END
		log_reads: true
		default: {tool: allow, read: allow, write: allow, network: allow}
		rules:
		  - {name: no-ls, match: {tool: ls}, action: deny}
		  - {name: no-aws, match: {path: ["$HOME/.aws/**"]}, action: deny}
	END
	run hf --policy "$SAFE_CODING" --policy "$POLICY" --ask allow -- \
		sh -c 'cat "$HOME/.aws/credentials"; git push --force; ls; echo still here'
	assert_failure 126 # its own text names the push
	run hf --policy "$SAFE_CODING" --policy "$POLICY" --ask allow -- \
		sh -c 'cat "$HOME"/.aws/cred*; ls; echo still here'
	assert_success
	assert_line "still here"
	refute_output --partial decoy
	assert_logged '.verdict == "deny" and .rule == "no-aws" and .policy == "own"'
	assert_logged '.verdict == "deny" and .rule == "no-ls"'
}

# Every decision of a session, as an action for `policy eval`: one answer for both.
@test "policy eval says of the same actions what was decided on them" {
	local policy

	make_repository
	make_secret
	printf 'tools: {block: [curl, file_write]}\nnetwork: {block: ["127.0.0.1:9"]}\n' >"$T/agent.yaml"
	cat >"$T/work.sh" <<-'END'
		git status; git push --force origin main; git clean -fd; curl --version
		cat ~/.aws/credentials; rm -rf x; echo x >/etc/hf-nonexistent/x; echo y >y; mkdir d; rm y
		exec 3<>/dev/tcp/127.0.0.1/9
	END
	for policy in "$SAFE_CODING" "$T/agent.yaml"; do
		rm -f "$LOG"
		run hf --policy "$policy" --mode audit -- bash "$T/work.sh"
		log_select '.event == "action" and .policy != "builtin" and .interpreter == null and (.kind == "tool" or .kind == "path") and (.op | IN("rename", "link") | not)' >"$T/records"
		echo "$policy: $(wc -l <"$T/records") actions; $output"
		assert [ "$(wc -l <"$T/records")" -gt 10 ]
		grep -q '"would_have":"deny"' "$T/records"
		jq -c 'if .kind == "tool" then {kind: "exec", argv, path: .object, cwd} else {kind: "path", op, path: .object} end' \
			<"$T/records" >"$T/actions"
		"$HOLDFAST" policy eval -p "$policy" --batch <"$T/actions" >"$T/answers"
		# A record has no rule where no rule speaks.
		diff <(jq -c 'if .would_have == "allow" then "allow" else [.would_have, .rule, .reason] end' "$T/records") \
			<(jq -c 'if .verdict == "allow" then "allow" else [.verdict, .rule, .reason] end' "$T/answers")
	done
}
