#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `policy check`: errors and lint, each finding with its code and its line; and no false alarm where a
# rule does decide something.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

# document: a policy from the rules on standard input, secrets closed so that only they can be odd.
document() {
	{
		echo 'version: 1'
		echo 'name: t'
		echo 'default: {tool: allow, read: deny, write: ask, network: ask, unix: allow}'
		echo 'rules:'
		cat
	} >t.yaml
}

# findings: "LINE CODE" of each, the lines counted from the first rule.
findings() {
	"$HOLDFAST" policy check --json "${1:-t.yaml}" 2>&1 | python3 -c '
import json, sys
for f in json.load(sys.stdin)["findings"]:
    print(f["line"] - 4, f["code"])'
}

@test "a rule that another matches wholly is shadowed" {
	document <<-'END'
		- {name: tree, match: {path: "/srv/**"}, action: deny}
		- {name: leaf, match: {path: ["/srv/a", "/srv/b/**", "/srv/*/c"], op: read}, action: deny}
		- {name: net, match: {cidr: 10.0.0.0/8}, action: ask}
		- {name: sub, match: {cidr: 10.1.0.0/16, port: 443, protocol: tcp}, action: ask}
		- {name: hosts, match: {domain: "*.example.org"}, action: ask}
		- {name: below, match: {domain: ["a.example.org", "*.b.example.org"]}, action: ask}
		- {name: tools, match: {tool: ["~^py", "g*"]}, action: ask}
		- {name: python, match: {tool: [python3, gcc], args_pattern: -x}, action: deny}
		- {name: push, match: {argv: [hg, [push, pull]]}, action: deny}
		- {name: push-force, match: {argv: [hg, push, --force]}, action: deny}
	END
	run findings
	assert_output "2 shadowed-rule
4 shadowed-rule
6 shadowed-rule
8 shadowed-rule
10 shadowed-rule"
}

@test "a rule that several match together is unreachable" {
	document <<-'END'
		- {name: r, match: {path: "/x/**", op: read}, action: deny}
		- {name: c, match: {path: "/x/**", op: change}, action: deny}
		- {name: rc, match: {path: "/x/y/**", op: [read, write]}, action: deny}
		- {name: a, match: {tool: a}, action: deny}
		- {name: b, match: {tool: b}, action: deny}
		- {name: ab, match: {tool: [a, b]}, action: deny}
	END
	run findings
	assert_output "3 unreachable-rule
6 unreachable-rule"
}

@test "an allow before the deny that it swallows" {
	document <<-'END'
		- {name: git, match: {tool: git}, action: allow}
		- {name: no-push, match: {argv: [git, push]}, action: deny}
		- {name: all, match: {tool: exec}, action: allow}
		- {name: no-dd, match: {tool: dd}, action: ask}
		- {name: late, match: {path: "/z/**"}, action: allow, priority: 50}
		- {name: no-z, match: {path: "/z/secret"}, action: deny}
	END
	run findings
	assert_output "2 allow-before-deny
4 allow-before-deny
6 allow-before-deny"
}

@test "no false alarm: rules that decide something" {
	document <<-'END'
		- {name: one, match: {path: "/a/b"}, action: deny}
		- {name: tree, match: {path: "/a/**"}, action: allow}
		- {name: sibling, match: {path: "/a.b/**"}, action: deny}
		- {name: read, match: {path: "/c/**", op: read}, action: allow}
		- {name: write, match: {path: "/c/**"}, action: deny}
		- {name: args, match: {tool: git, args_pattern: x}, action: allow}
		- {name: git, match: {tool: git}, action: deny}
		- {name: hours, match: {tool: make, time: "09:00-17:00"}, action: allow}
		- {name: make, match: {tool: make}, action: deny}
		- {name: unless, match: {tool: rm}, unless: {cwd: "/tmp/**"}, action: deny}
		- {name: rm, match: {tool: rm}, action: ask}
		- {name: port, match: {domain: x.org, port: 443}, action: allow}
		- {name: host, match: {domain: x.org}, action: deny}
		- {name: exact, match: {domain: y.org}, action: allow}
		- {name: below, match: {domain: "*.y.org"}, action: deny}
		- {name: one-net, match: {cidr: 10.1.0.0/16}, action: allow}
		- {name: net, match: {cidr: 10.0.0.0/8}, action: deny}
		- {name: tcp, match: {port: 1-99, protocol: tcp}, action: allow}
		- {name: any, match: {port: 1-99}, action: deny}
		- {name: long, match: {argv: [svn, commit, -m]}, action: allow}
		- {name: short, match: {argv: [svn, commit]}, action: deny}
		- {name: glob, match: {path: "/g/*/x"}, action: allow}
		- {name: deep, match: {path: "/g/**/x"}, action: deny}
	END
	run findings
	assert_output ""
}

@test "links in patterns, unless the same rule names what they lead to" {
	mkdir real
	ln -s real link
	document <<-END
		- {name: link, match: {path: "$PROJECT/link/**"}, action: deny}
		- {name: both, match: {path: ["$PROJECT/link/x", "$PROJECT/real/**"]}, action: deny}
		- {name: self, match: {path: "/proc/self/mem"}, action: deny}
		- {name: new, match: {path: "$PROJECT/not-there-yet/**"}, action: deny}
	END
	run findings
	assert_output "1 pattern-never-matches
3 pattern-never-matches"
}

@test "expressions that an agent can make slow" {
	document <<-'END'
		- {name: nested, match: {tool: a, args_pattern: '(a+)+$'}, action: deny}
		- {name: tool, match: {tool: '~^(x|x)*y'}, action: deny}
		- {name: fine, match: {tool: b, args_pattern: '^git\s+push\b.*--force'}, action: deny}
		- {name: in-unless, match: {tool: c}, unless: {args_pattern: '(\w+\s?)+$'}, action: deny}
	END
	run findings
	assert_output "1 redos
2 redos
4 redos"
}

# lint_of: findings of the document on standard input, without what only says that secrets are readable.
lint_of() {
	cat >t.yaml
	"$HOLDFAST" policy check --json t.yaml | python3 -c '
import json, sys
for f in json.load(sys.stdin)["findings"]:
    if f["code"] != "secrets-readable":
        print(f["line"], f["code"])'
}

@test "the dialects are linted too" {
	run lint_of <<-'END'
		policies:
		  - {name: all, action: approve, match: {tool: "~bash|sh"}}
		  - {name: rm, action: deny, match: {tool: bash, args_pattern: 'rm\s+-rf'}}
		  - {name: slow, action: deny, match: {tool: x, args_pattern: '(a+)+$'}}
		  - {name: etc, action: deny, match: {tool: "file_*", path_patterns: ["/etc/*"]}}
		  - {name: passwd, action: deny, match: {tool: file_write, path_patterns: [/etc/passwd]}}
		  - {name: other, action: deny, match: {tool: file_write, path_patterns: ["/srv/*"]}}
		  - {name: first, action: deny, priority: 5, match: {tool: bash}}
	END
	assert_output "3 shadowed-rule
6 shadowed-rule
4 redos"
	run lint_of <<-'END'
		tools: {allow: [a, b], block: [c]}
		network: {allow: ["https://x.org", ok.org]}
		approval:
		  require_for:
		    - {tool: a}
		    - {tool: a, cost_gt: 5}
		    - {tool: c}
		    - {cost_gt: 1}
		    - {cost_gt: 0.5}
	END
	assert_output "6 shadowed-rule
2 pattern-never-matches
7 pattern-never-matches"
	run lint_of <<-'END'
		name: m
		version: "1.0"
		appliesTo: {trustTiers: [verified]}
		rules:
		  - {effect: allow, actions: ["read:*"], conditions: {sandbox: true}}
		  - {effect: deny, actions: ["read:x"]}
		  - {effect: allow, actions: ["write:*", "delete:tmp"]}
		  - {effect: deny, actions: ["write:secrets", "delete:tmp"]}
		  - {effect: deny, actions: ["write:x", "delete:x"]}
		defaultEffect: deny
	END
	assert_output "8 allow-before-deny"
}

@test "secrets left readable" {
	cat >t.yaml <<-'END'
		version: 1
		name: t
		default: allow
		rules:
		- {name: most, match: {path: ["~/.ssh/**", "~/.aws/**", "~/.config/**", "~/.gnupg/**", "~/.kube/**", "~/.docker/**", "~/.netrc", "~/.git-credentials", "~/.npmrc"]}, action: deny}
	END
	run "$HOLDFAST" policy check t.yaml
	assert_success
	assert_line --partial 'lets secrets be read: ${project}/.env [secrets-readable]'
	run "$HOLDFAST" policy check --strict t.yaml
	assert_failure 1
	sed -i 's/name: t/&\nmode: audit/' t.yaml
	run findings
	assert_output ""
}

@test "every finding has the column of its rule, in all languages" {
	document <<<'- {name: all, match: {tool: exec}, action: allow}
  # below
-   {name: dd, match: {tool: dd, args_pattern: "(a+)+$"}, action: deny}'
	printf 'policies:\n - {name: a, action: approve}\n -  {name: b, match: {tool: "~(a+)+$"}}\n' >a.yaml
	printf 'tools: {block: [git]}\napproval:\n  require_for:\n    - {tool: git}\n' >p.yaml
	printf 'name: m\nversion: "1"\nappliesTo: {tags: [a]}\nrules:\n -   {effect: allow, actions: ["*"]}\n -  {effect: deny, actions: ["a:b"]}\n' >m.yaml
	run "$HOLDFAST" policy check t.yaml a.yaml p.yaml m.yaml
	assert_line --partial 't.yaml:7:5: '
	assert_line --partial 'a.yaml:3:5: '
	assert_line --partial 'p.yaml:4:7: '
	assert_line --partial 'm.yaml:6:5: '
	run "$HOLDFAST" policy check --json t.yaml a.yaml p.yaml m.yaml
	refute_output --partial '"column":0'
}

@test "an error has its place and a code; the other policies are still looked at" {
	printf 'version: 1\nname: a\ndefualt: deny\n' >bad.yaml
	run "$HOLDFAST" policy check --json bad.yaml read-only
	assert_failure 1
	python3 - "$output" <<-'END'
		import json, sys
		o = json.loads(sys.argv[1])
		assert [p["ok"] for p in o["policies"]] == [False, True], o
		f, = o["findings"]
		assert list(f) == ["file", "line", "column", "severity", "code", "message", "hint"], f
		assert (f["line"], f["column"], f["severity"], f["code"]) == (3, 1, "error", "invalid-policy"), f
		assert f["file"].endswith("/bad.yaml") and "did you mean 'default'?" in f["message"], f
	END
	run "$HOLDFAST" policy check
	assert_failure 2
	run "$HOLDFAST" policy check nowhere
	assert_failure 1
	assert_output --partial "no policy is called 'nowhere'"
}

@test "the policies that ship have no findings" {
	local name

	for name in coding-agent read-only audit-only; do
		# Elsewhere than below /tmp, which is allowed as a whole.
		run "$HOLDFAST" policy check --strict --home /home/u --project /home/u/p "$name"
		assert_success
		assert_output --regexp "^$name: ok, [0-9]+ rules$"
	done
	# It says nothing of files; that is what it is for.
	run findings no-network
	assert_output --regexp '^-3 secrets-readable$'
}

@test "ten thousand rules are compared in seconds" {
	python3 - >t.yaml <<-'END'
		print("version: 1\nname: t\ndefault: deny\nrules:")
		for i in range(10000):
		    print(f"- {{name: r{i}, match: {{path: '/srv/{i}/**', op: read}}, action: allow}}")
		print("- {name: last, match: {path: '/srv/77/x', op: read}, action: deny}")
	END
	run timeout 20 "$HOLDFAST" policy check t.yaml
	assert_success
	assert_line --partial "'last' (deny) never decides: 'r77' on line 82"
}
