#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `policy import`: what another agent's policy says is what the imported one decides, on actions;
# what has no equivalent is said.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

# import AGENT FILE: into $T/imported.yaml, the summary into $T/summary.
import() {
	"$HOLDFAST" policy import "$1" "$2" >"$T/imported.yaml" 2>"$T/summary" || {
		cat "$T/summary"
		return 1
	}
}

# verdict JSON: what the imported policy says of it.
verdict() {
	"$HOLDFAST" policy eval -p "$T/imported.yaml" <<<"$1" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["verdict"])'
}

# decides VERDICT COMMAND ARGS...
decides() {
	local want=$1 action
	shift
	action=$(python3 -c 'import json, sys; print(json.dumps({"kind": "exec", "argv": sys.argv[1:]}))' "$@")
	run verdict "$action"
	assert_output "$want"
}

# decides_path VERDICT OP PATH
decides_path() {
	run verdict "{\"kind\": \"path\", \"op\": \"$2\", \"path\": \"$3\"}"
	assert_output "$1"
}

decides_host() {
	run verdict "{\"kind\": \"connect\", \"address\": \"192.0.2.1\", \"port\": 443, \"domain\": \"$2\"}"
	assert_output "$1"
}

@test "claude: deny before ask before allow, whatever the order in the file" {
	cat >settings.json <<-'END'
		{"permissions": {
		  "allow": ["Bash(npm run lint)", "Bash(npm run test:*)", "Bash(git:*)", "Edit(/src/**/*.ts)",
		            "WebFetch(domain:docs.python.org)"],
		  "ask": ["Bash(git push:*)"],
		  "deny": ["Bash(git push --force:*)", "Bash(curl *)", "Read(./.env)", "Read(//etc/shadow)", "Edit(*.pem)"]
		}}
	END
	import claude settings.json
	decides allow npm run lint
	decides allow npm run test --watch
	decides allow git status
	decides ask git push origin main
	decides deny git push --force origin
	decides deny curl -s http://192.0.2.1
	decides deny /usr/bin/curl x
	decides allow curlew
	decides_path deny read "$PROJECT/.env"
	decides_path deny read /etc/shadow
	decides_path allow read "$PROJECT/other"
	decides_path allow write "$PROJECT/src/a/b.ts"
	decides_path ask write "$PROJECT/src/a/b.js"
	decides_path deny write "$PROJECT/deep/down/key.pem"
	decides_host allow docs.python.org
	decides_host ask docs.python.org.evil.example
}

@test "claude: an exact command is exact" {
	echo '{"permissions": {"deny": ["Bash(npm run build)", "Bash(git * main)"]}}' >settings.json
	import claude settings.json
	decides deny npm run build
	decides allow npm run build2
	decides allow npm run build --fast
	decides deny git push origin main
	decides allow git push origin maintenance
}

@test "claude: sandbox lists, modes and directories" {
	cat >settings.json <<-'END'
		{"permissions": {"defaultMode": "acceptEdits", "additionalDirectories": ["/srv/other"]},
		 "sandbox": {"filesystem": {"denyRead": ["~/.aws"], "denyWrite": ["/srv/other/kept"]},
		             "network": {"allowedDomains": ["*.npmjs.org"], "deniedDomains": ["evil.npmjs.org"]}}}
	END
	import claude settings.json
	decides_path allow write "$PROJECT/x"
	decides_path allow write /srv/other/x
	decides_path deny write /srv/other/kept/x
	decides_path ask write /srv/elsewhere
	decides_path deny read "$HOME/.aws/credentials"
	decides_host allow registry.npmjs.org
	decides_host deny evil.npmjs.org
	decides_host ask npmjs.org
}

@test "claude: what has no equivalent is a note, and an allow never grows wider" {
	echo '{"env": {}, "permissions": {"deny": ["Bash"], "allow": ["Agent(x)", "mcp__github__list", "Read(../a)"], "defaultMode": "auto"}}' >settings.json
	import claude settings.json
	run cat "$T/imported.yaml"
	assert_line --regexp '^# note: env: '
	assert_line --regexp '^# note: Bash: '
	assert_line --regexp '^# note: Agent\(x\): '
	assert_line --regexp '^# note: mcp__github__list: '
	assert_line --regexp '^# note: .*\.\./a: '
	assert_line --regexp '^# note: permissions.defaultMode: '
	refute_line --regexp 'tool: "Agent"'
	run cat "$T/summary"
	assert_output "holdfast: 1 rules, 7 notes"
}

@test "codex: the strictest of the rules that match, with their examples" {
	cat >default.rules <<-'END'
		# Rules of a team.
		prefix_rule(
		    pattern = ["git", ["push", "fetch"]],
		    decision = "prompt",
		    justification = "Others share it.",
		    match = [["git", "push", "origin"], "git fetch origin"],
		    not_match = ["git status"],
		)
		prefix_rule(pattern = ["git"])
		prefix_rule(pattern = ["git", "push", "--force"], decision = "forbidden")
		host_executable(name = "git", paths = ["/usr/bin/git"])
		network_rule(host = "api.github.com", protocol = "https", decision = "allow")
	END
	import codex default.rules
	decides allow git status
	decides ask git fetch
	decides deny git push --force x
	decides ask git push origin --force
	decides_host allow api.github.com
	grep -q 'reason: "Others share it."' "$T/imported.yaml"
	grep -q 'not_match:' "$T/imported.yaml"
	grep -q '^# note: host_executable on line 11' "$T/imported.yaml"
}

@test "codex: examples that a stricter rule decides are left out, and that is said" {
	cat >default.rules <<-'END'
		prefix_rule(pattern = ["git"], match = ["git push --force"])
		prefix_rule(pattern = ["git", "push"], decision = "forbidden")
	END
	import codex default.rules
	decides deny git push --force
	run cat "$T/summary"
	assert_output --partial "examples left out"
}

@test "codex: config.toml's sandbox" {
	cat >config.toml <<-'END'
		model = "x"
		sandbox_mode = "workspace-write"
		approval_policy = "never"
		[sandbox_workspace_write]
		writable_roots = ["/srv/shims"]
		exclude_slash_tmp = true
		exclude_tmpdir_env_var = true
	END
	import codex config.toml
	decides_path allow write "$PROJECT/x"
	decides_path deny write "$PROJECT/.git/hooks/pre-commit"
	decides_path allow write /srv/shims/x
	decides_path deny write /srv/x
	decides_path deny write /tmp/x
	decides_host deny example.org
}

@test "gemini: the highest priority first" {
	cat >rules.toml <<-'END'
		[[rule]]
		toolName = "run_shell_command"
		commandPrefix = ["git status", "git push"]
		decision = "allow"
		priority = 100

		[[rule]]
		commandRegex = "git push .*--force"
		decision = "deny"
		priority = 200
		denyMessage = "Never."

		[[rule]]
		toolName = ["write_file", "replace"]
		decision = "deny"
		priority = 10

		[[rule]]
		toolName = "web_fetch"
		modes = ["yolo"]
		decision = "allow"
		priority = 999
	END
	import gemini rules.toml
	decides allow git status
	decides allow git push origin
	decides deny git push origin --force
	decides_path deny write "$PROJECT/x"
	decides_host ask example.org
	grep -q "^# note: line 18: 'modes'" "$T/imported.yaml"
}

@test "what is no such file is refused with its place, and nothing is written" {
	local agent file text want

	while IFS='|' read -r agent file text want; do
		printf '%b' "$text" >"$file"
		run "$HOLDFAST" policy import "$agent" "$file"
		assert_failure 1
		[[ $output == "holdfast: $file:"*"$want"* && ${#lines[@]} == 1 ]] || {
			echo "$agent $file: $output"
			return 1
		}
	done <<-'END'
		claude|a.json|{}|neither 'permissions' nor 'sandbox'
		claude|b.json|{"permissions": {"deny": "Bash"}}|permissions.deny must be a list
		claude|c.json|{"permissions": {"deny": ["Bash (x"]}}|expected Tool or Tool(pattern)
		claude|d.json|{"permissions"|not valid JSON
		codex|a.rules|\n\nprefix_rule(pattern = x + y)|3:24: expected a text
		codex|b.rules|prefix_rule(pattern = ["a"], decision = "maybe")|'decision' must be
		codex|c.rules|# nothing|there is no rule
		codex|d.toml|model = "x"|no 'sandbox_mode'
		codex|e.toml|sandbox_mode = "open"|must be read-only
		gemini|a.toml|[[rule]]\ndecision = "yes"|'decision' must be
		gemini|b.toml|[[rule]]\ndecision = "deny"\npriority = 1000|from 0 to 999
		gemini|c.toml|[[rule]]\nfoo = 1|there is no key 'foo'
		gemini|d.toml|a = 1|there is no [[rule]]
	END
	run "$HOLDFAST" policy import claude "$T/none.json"
	assert_failure 1
	assert_output --partial "No such file"
	run "$HOLDFAST" policy import cursor a.json
	assert_failure 2
	run "$HOLDFAST" policy import claude
	assert_failure 2
}
