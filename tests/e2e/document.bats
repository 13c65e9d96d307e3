#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Native documents: what they are made of, whom they apply to, and how a broken one is refused.
# shellcheck disable=SC2016 # ${x} is a variable of a policy, or of a shell that is started

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

# refused POSITION WORDS: $T/bad.yaml is refused with one line that begins with the file and POSITION
# and has WORDS, within seconds.
refused() {
	local rc=0

	timeout 20 "$HOLDFAST" policy check "$T/bad.yaml" >"$T/out" 2>"$T/err" || rc=$?
	echo "expected ':$1: ...$2...', found: $(head -c 2000 "$T/err")"
	assert_equal "$rc" 1
	assert_equal "$(wc -l <"$T/err")" 1
	grep -qF -- "holdfast: $T/bad.yaml${1:+:$1}: " "$T/err"
	grep -qF -- "$2" "$T/err"
}

# bad POSITION WORDS <<EOF: writes the document, too.
bad() {
	cat >"$T/bad.yaml"
	refused "$@"
}

@test "YAML beyond text, lists and maps is refused: aliases, anchors, tags, merge keys, second documents" {
	printf 'version: 1\nname: t\ndefault: *x\n' | bad 3:10 aliases
	printf 'version: 1\nname: t\ndefault: &x deny\n' | bad 3:10 anchors
	printf 'version: 1\nname: t\ndefault: !!str deny\n' | bad 3:10 tags
	printf 'version: 1\nname: t\n<<: {default: deny}\n' | bad 3:1 "unknown key '<<'"
	printf 'version: 1\nname: t\ndefault: deny\n---\na: b\n' | bad 4:1 "one file holds one policy"
}

@test "a key that stands twice is refused, wherever it is" {
	printf 'version: 1\nname: t\ndefault: deny\nname: u\n' | bad 4:1 twice
	printf 'version: 1\nname: t\ndefault: {read: deny, read: allow}\n' | bad 3:23 twice
	printf 'version: 1\nname: t\nvars: {a: b, a: c}\ndefault: deny\n' | bad 3:14 twice
	printf 'version: 1\nname: t\nrules: [{name: r, match: {tool: x, tool: y}, action: deny}]\n' |
		bad 3:36 twice
	printf 'version: 1\nname: t\nrules: [{name: r, match: {tool: x}, action: deny, examples: {match: [{kind: exec, argv: [x], argv: [x]}]}}]\n' |
		bad 3:94 twice
}

@test "a mistyped key is refused with the nearest one" {
	printf 'version: 1\nname: t\nbudgit: {max_execs: 1}\n' | bad 3:1 "did you mean 'budget'?"
	printf 'version: 1\nname: t\nbudget: {max_exec: 1}\n' | bad 3:10 "did you mean 'max_execs'?"
	printf 'version: 1\nname: t\nrules: [{name: r, mach: {tool: x}, action: deny}]\n' |
		bad 3:19 "did you mean 'match'?"
	printf 'version: 1\nname: t\nvars: {registry: x}\nrules: [{name: r, match: {tool: "${regsitry}"}, action: deny}]\n' |
		bad 4:33 "did you mean '\${registry}'?"
}

@test "wrong types are refused with what was expected" {
	printf 'version: 1\nname: t\nrules: {tool: x}\n' | bad 3:8 "must be a list of maps"
	printf 'version: 1\nname: t\ndefault: deny\nbudget: 5\n' | bad 4:9 "must be a map such as {max_spend"
	printf 'version: 1\nname: t\ndefault: deny\nlog_reads: 1\n' | bad 4:12 "true or false"
	printf 'version: 1\nname: t\nrules: [{name: r, match: [tool], action: deny}]\n' | bad 3:26 "must be a map"
	printf 'version: 1\nname: yes\ndefault: deny\n' | bad 2:7 "quote it"
}

@test "empty documents are refused" {
	printf '' | bad 1:1 "begins with 'version: 1'"
	printf '# a comment\n\n' | bad 1:1 "begins with 'version: 1'"
	printf '{}\n' | bad 1:1 "begins with 'version: 1'"
	printf 'version: 1\nname: t\n' | bad 1:1 "neither 'default' nor 'rules'"
}

@test "what is not UTF-8, or shows other than it reads, is refused" {
	printf 'version: 1\nname: t\n# \xff\n' | bad 3:3 "not valid UTF-8"
	printf 'version: 1\nname: t\n# \xe2\x80\xae\n' | bad 3:3 bidirectional
	printf 'version: 1\nname: t\n# \x1b[2K\n' | bad 3:3 "control character"
	printf 'version: 1\nname: t\n# \0\n' | bad 3:3 "NUL byte"
	head -c 100000 /dev/urandom >"$T/bad.yaml"
	run timeout 20 "$HOLDFAST" policy check "$T/bad.yaml"
	assert_failure 1
}

@test "bombs are refused at once: 100 MB, depth, a million values, variables of variables" {
	truncate -s 100M "$T/bad.yaml"
	refused "" "larger than 16 MiB"
	{
		printf 'version: 1\nname: t\ndefault: '
		head -c 1000000 /dev/zero | tr '\0' '['
	} | bad 3:41 "nested too deeply"
	{
		printf 'version: 1\nname: t\ndefault: deny\ngrant: ['
		yes bpf, | head -n 3000000 | tr -d '\n'
	} >"$T/bad.yaml"
	run timeout 20 "$HOLDFAST" policy check "$T/bad.yaml"
	assert_failure 1
	{
		printf 'version: 1\nname: t\nvars:\n  a0: %s\n' "$(head -c 4000 /dev/zero | tr '\0' x)"
		printf 'rules:\n- name: r\n  action: deny\n  match:\n    tool:\n'
		yes '    - "${a0}"' | head -n 100000
	} >"$T/bad.yaml"
	run timeout 20 "$HOLDFAST" policy check "$T/bad.yaml"
	assert_failure 1
	assert_output --partial "the variables make this policy larger than 16 MiB"
	{
		printf 'version: 1\nname: t\nvars:\n  a0: xxxxxxxxxxxxxxxx\n'
		for i in $(seq 1 60); do printf '  a%d: "${a%d}${a%d}"\n' "$i" $((i - 1)) $((i - 1)); done
	} | bad 13:7 "at most 4096 bytes"
}

@test "a rule that can never match is refused" {
	local match
	for match in '{path: /x, port: 1}' '{op: exec, path: /x}' '{protocol: unix, port: 1}' \
		'{args_pattern: x, path: /y}' '{path: /x, protocol: tcp}'; do
		printf 'version: 1\nname: t\nrules:\n- name: r\n  action: deny\n  match: %s\n' "$match" | bad 6:10 ""
	done
	printf 'version: 1\nname: t\nrules:\n- {name: r, action: deny, match: {path: /a/../b}}\n' | bad 4:41 "never occur"
}

@test "files that include each other are refused with the chain" {
	printf 'version: 1\nname: t\ndefault: deny\ninclude: one.yaml\n' >"$T/bad.yaml"
	mkdir "$T/sub"
	printf 'include: sub/two.yaml\n' >"$T/one.yaml"
	printf 'include: ../one.yaml\n' >"$T/sub/two.yaml"
	run timeout 20 "$HOLDFAST" policy check "$T/bad.yaml"
	assert_failure 1
	assert_output "holdfast: $T/sub/two.yaml:1:10: these files name each other in a loop; take one out: bad.yaml -> one.yaml -> sub/two.yaml -> one.yaml"
	printf 'include: none.yaml\n' >"$T/one.yaml"
	run timeout 20 "$HOLDFAST" policy check "$T/bad.yaml"
	assert_failure 1
	assert_output "holdfast: $T/one.yaml:1:10: cannot read '$T/none.yaml': No such file or directory"
	ln -s /dev/zero "$T/none.yaml"
	run timeout 20 "$HOLDFAST" policy check "$T/bad.yaml"
	assert_failure 1
	assert_output --partial "not a regular file"
}

@test "a failing example is refused, and nothing runs" {
	policy ex <<-'END'
		default: allow
		rules:
		  - name: push
		    match: {tool: git, args_pattern: '\bpush\b.*--force'}
		    action: deny
		    examples: {match: [git push --force, git push -f]}
	END
	run timeout 20 "$HOLDFAST" policy check "$POLICY"
	assert_failure 1
	assert_output "holdfast: $POLICY:8:42: 'push' does not match this example: no rule matches it, so 'default' decides it"
	run hf --policy "$POLICY" -- touch "$T/ran"
	assert_failure 125
	assert_file_not_exist "$T/ran"
}

@test "included and extended rules decide, and the record names their file" {
	policy base <<-'END'
		default: {tool: allow, read: allow, write: allow, network: deny, unix: allow}
		rules:
		  - {name: id, match: {tool: id}, action: deny}
		  - {name: ls, match: {tool: ls}, action: deny}
	END
	printf 'vars: {secret: "${project}/secret"}\nrules:\n- {name: secret, match: {path: "${secret}"}, action: deny}\n' >"$T/part.yaml"
	policy child <<-'END'
		extends: base.yaml
		include: [part.yaml]
		rules:
		  - {name: id, match: {tool: id}, action: allow}
	END
	echo x >secret
	run hf --policy "$POLICY" -- sh -c 'id >/dev/null && ! ls 2>/dev/null && ! cat secret 2>/dev/null'
	assert_success
	assert [ "$(log_count '.rule == "ls" and .verdict == "deny"')" -ge 1 ]
	assert [ "$(log_count '.rule == "secret" and .verdict == "deny"')" -ge 1 ]
	assert [ "$(log_count '.rule == "id" and .verdict == "allow"')" -ge 1 ]
	# SHA-256 of the SHA-256s of the three files, in their order.
	local hash
	hash=$(sha256sum "$POLICY" "$T/part.yaml" "$T/base.yaml" | cut -c -64 | tr -d '\n' |
		python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' | sha256sum)
	assert_equal "$(jq -r 'select(.policies) | .policies[0].sha256' "$LOG")" "${hash%% *}"
}

@test "files that a policy includes or extends are protected like itself" {
	local file

	policy base <<<"default: allow"
	printf 'vars: {a: b}\n' >"$T/part.yaml"
	policy child < <(printf 'extends: base.yaml\ninclude: part.yaml\n')
	for file in child base part; do
		cp "$T/$file.yaml" "$T/$file.before"
		run hf --policy "$POLICY" -- sh -c 'echo "#" >>"$1"' - "$T/$file.yaml"
		assert_failure
		cmp "$T/$file.yaml" "$T/$file.before"
	done
}

@test "a policy is for the agents, tags and tiers that it names" {
	policy some < <(printf 'default: allow\napplies_to: {agents: ["claude*"], tags: [ci, night], tiers: prod}\n')
	run hf --policy "$POLICY" --name claude-code --tag night --tag x --tier prod -- true
	assert_success
	run hf --policy "$POLICY" --name claude-code --tag x --tier prod -- touch "$T/ran"
	assert_failure 125
	assert_output --partial "no policy applies to this session (agent 'claude-code', tags x, tier prod)"
	assert_file_not_exist "$T/ran"
	: >"$LOG"
	run hf --policy "$POLICY" --policy audit-only --name codex -- true
	assert_success
	assert_equal "$(jq -c 'select(.policies) | [.policies[] | [.name, .applies]]' "$LOG")" \
		'[["audit-only",null],["some",false]]'
}

@test "bad values of --tag, --tier, --language and --default" {
	local bad

	for bad in "--tag=a b" "--tag=" "--tier=x/y" "--language=rego" "--default=flag" "--default=maybe"; do
		run timeout 20 "$HOLDFAST" run --policy audit-only "$bad" -- touch "$T/ran"
		assert_failure 125
		assert_output --partial "${bad%%=*}"
		assert_equal "${#lines[@]}" 1
		assert_file_not_exist "$T/ran"
	done
	run timeout 20 "$HOLDFAST" run --help
	for bad in --tag --tier --language --default; do
		assert_output --partial "$bad"
	done
}

@test "a policy of one's own may extend the shipped one of the same name" {
	mkdir -p "$XDG_CONFIG_HOME/holdfast/policies"
	printf 'version: 1\nname: mine\nextends: coding-agent\nrules:\n- {name: no-id, match: {tool: id}, action: deny}\n' \
		>"$XDG_CONFIG_HOME/holdfast/policies/coding-agent.yaml"
	run hf -- sh -c 'id'
	assert_failure 126
	assert_equal "$(jq -r 'select(.policies) | .policies[0].name' "$LOG")" mine
	assert_equal "$(log_select '.rule == "no-id"' | jq -r .policy | sort -u)" mine
	run timeout 20 "$HOLDFAST" policy check --home /home/u --project /home/u/p coding-agent
	assert_success
	assert_output --regexp '^mine: ok, [0-9]+ rules$'
}
