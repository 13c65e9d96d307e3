#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `holdfast learn`: a command runs under what was learned from it without a question and without a
# refusal, though its processes and temporary files have other names; what was not seen is denied.

bats_require_minimum_version 1.5.0

setup() {
	load helpers/common
	hf_setup
	POLICY=$T/learned.yaml
}

teardown() {
	hf_teardown
}

# learn OPTIONS... -- COMMAND...
learn() {
	rm -f "$POLICY"
	"$HOLDFAST" learn -o "$POLICY" "$@" >"$T/learn.out" 2>"$T/learn.err" || {
		cat "$T/learn.out" "$T/learn.err"
		return 1
	}
}

# runs COMMAND...: under the learned policy, and nothing of it is refused or asked.
runs() {
	rm -f "$LOG"
	run "$HOLDFAST" run --policy "$POLICY" --log "$LOG" -- "$@"
	local answer=$output got=$status
	run python3 -c '
import json, sys
for line in open(sys.argv[1]):
    r = json.loads(line)
    if r["event"] in ("action", "held") and r["verdict"] not in ("allow", "flag"):
        print(r["verdict"], r["op"], r["object"], r.get("argv"), r.get("rule"))' "$LOG"
	assert_output ""
	assert_equal "$got: $answer" "0: ${expected-$answer}"
}

# is_denied COMMAND...: what was not learned.
is_denied() {
	run "$HOLDFAST" run --policy "$POLICY" --ask deny --log "$T/denied.jsonl" -- "$@"
	assert_failure
}

# verdict JSON: of the learned policy.
verdict() {
	"$HOLDFAST" policy eval -p "$POLICY" <<<"$1" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["verdict"])'
}

@test "git init, commits and a clone, twice, with other objects" {
	skip_without git
	cat >work.sh <<-'END'
		rm -rf r c
		git init -q r && cd r
		for i in 1 2 3; do
			date +%N >f$i && git add f$i && GIT_COMMITTER_DATE="@$(date +%s) +0000" git commit -qm "m $RANDOM" || exit 1
		done
		cd .. && git clone -q "file://$PWD/r" c && ls c
	END
	learn -- bash work.sh
	expected=$'f1\nf2\nf3' runs bash work.sh
	# The program by its place, with the subcommands that were seen.
	run grep -F 'argv: ["/usr/bin/git", ["add", "clone", "commit", "init"]]' "$POLICY"
	assert_success
	is_denied git -C r push origin
	is_denied git -C r log
	is_denied git log
	is_denied touch elsewhere
}

@test "a build in C with two jobs" {
	skip_without make
	skip_without cc
	for i in 1 2 3 4 5 6; do echo "int f$i(void){return $i;}" >m$i.c; done
	echo 'int main(void){return 0;}' >main.c
	# shellcheck disable=SC2016 # make's own
	printf '%s\n' 'O := m1.o m2.o m3.o m4.o m5.o m6.o main.o' 'all: prog' 'prog: $(O)' $'\tcc -o $@ $(O)' \
		'%.o: %.c' $'\tcc -O1 -c $<' 'clean:' $'\trm -f *.o prog' >Makefile
	learn -- sh -c 'make -s clean; make -s -j2 && ./prog'
	runs sh -c 'make -s clean; make -s -j2 && ./prog'
	run grep -c 'cc\*\.s' "$POLICY"
	assert_output 1
	is_denied cp main.c "$T/stolen.c"
	is_denied curl http://127.0.0.1:9/
}

@test "python's unittest with subprocesses and temporary files" {
	cat >test_it.py <<-'END'
		import os, subprocess, sys, tempfile, unittest

		class Test(unittest.TestCase):
		    def test_subprocess(self):
		        out = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True)
		        self.assertEqual(out.stdout, "42\n")

		    def test_files(self):
		        with tempfile.TemporaryDirectory() as d:
		            for i in range(5):
		                with open(os.path.join(d, f"file{os.getpid()}.{i}"), "w") as f:
		                    f.write("x")
		        with tempfile.NamedTemporaryFile("w+", suffix=f".{os.getpid()}") as f:
		            f.write("y")
	END
	learn -- python3 -m unittest -q test_it
	for _ in 1 2 3; do
		runs python3 -m unittest -q test_it
	done
	is_denied python3 -c 'open("other.txt", "w")'
	is_denied python3 -c 'import socket; socket.socket().connect(("127.0.0.1", 9))'
}

# By names of eight letters, digits and underscores. A part of one may look random by itself, or like a prefix.
@test "how python looks for a directory of temporary files" {
	local name probe='import os, sys; f = os.path.join(os.environ["TMPDIR"], sys.argv[1]); os.close(os.open(f, os.O_RDWR | os.O_CREAT | os.O_EXCL)); os.unlink(f)'
	export TMPDIR=$T/tmp
	mkdir "$TMPDIR"
	for name in y_eu8m67 1p5s881_ ccstjtuj tqp93941 wordlike; do
		learn -- python3 -c "$probe" "$name"
		for other in zq4f_0da seconded; do
			runs python3 -c "$probe" "$other"
		done
	done
	is_denied python3 -c "$probe" other.txt
}

@test "node, tar" {
	mkdir src && for i in $(seq 12); do echo "$i" >"src/f$i.txt"; done
	learn -- sh -c 'tar czf out.tgz src; mkdir -p t; tar xzf out.tgz -C t; rm -r t out.tgz'
	runs sh -c 'tar czf out.tgz src; mkdir -p t; tar xzf out.tgz -C t; rm -r t out.tgz'
	is_denied tar cf "$T/elsewhere.tar" src
	skip_without node
	cat >work.js <<-'END'
		const fs = require("fs"), os = require("os"), path = require("path");
		const d = fs.mkdtempSync(path.join(os.tmpdir(), "work-"));
		for (let i = 0; i < 3; i++) fs.writeFileSync(path.join(d, "f" + i), "x");
		fs.rmSync(d, {recursive: true});
		console.log(require("child_process").execFileSync("/bin/echo", ["done"]).toString().trim());
	END
	learn -- node work.js
	for _ in 1 2 3; do
		expected=done runs node work.js
	done
	is_denied node -e 'require("fs").writeFileSync("x", "")'
}

@test "a secret that was read is in no allow, and a tree around it has a deny before it" {
	mkdir -m 0700 "$HOME/.ssh"
	echo decoy >"$HOME/.ssh/id_rsa"
	for i in $(seq 20); do echo "$i" >"f$i"; done
	echo "TOKEN=decoy" >.env
	learn -- sh -c "cat f* .env; cat '$HOME/.ssh/id_rsa'"
	run cat "$T/learn.err"
	assert_output --partial "2 paths are secrets by their names"
	assert_equal "$(verdict "{\"kind\": \"path\", \"op\": \"read\", \"path\": \"$HOME/.ssh/id_rsa\"}")" deny
	assert_equal "$(verdict "{\"kind\": \"path\", \"op\": \"read\", \"path\": \"$PROJECT/.env\"}")" deny
	assert_equal "$(verdict "{\"kind\": \"path\", \"op\": \"read\", \"path\": \"$PROJECT/sub/.env\"}")" deny
	assert_equal "$(verdict "{\"kind\": \"path\", \"op\": \"read\", \"path\": \"$PROJECT/f7\"}")" allow
	run "$HOLDFAST" policy check "$POLICY"
	refute_output --partial secrets-readable
	# Allowed by hand, as the comment says.
	sed -i -E '/^#  - name: used-secret-/,/^#    action/s/^#//' "$POLICY"
	assert_equal "$(verdict "{\"kind\": \"path\", \"op\": \"read\", \"path\": \"$HOME/.ssh/id_rsa\"}")" allow
}

@test "from a log, and --merge: only what the other policy would not allow" {
	"$HOLDFAST" run --policy audit-only --log "$LOG" -- sh -c 'echo x >made; cat made; mkdir -p deep/er'
	learn --from "$LOG" --name from-log
	run "$HOLDFAST" policy show "$POLICY"
	assert_success
	assert_output --partial from-log
	cat >base.yaml <<-'END'
		version: 1
		name: base
		default: {tool: allow, read: allow}
	END
	learn --from "$LOG" --merge ./base.yaml
	run grep -c 'argv:\|tool:\|op: \[read\]' "$POLICY"
	assert_output 0
	run grep -F '${project}/made' "$POLICY"
	assert_success
	expected=x runs sh -c 'echo x >made; cat made; mkdir -p deep/er'
	is_denied sh -c 'echo x >other'
}

@test "--merge: what a rule of the base denies stays denied, and that is said" {
	"$HOLDFAST" run --policy audit-only --log "$LOG" -- sh -c 'echo x >kept; echo x >made'
	cat >base.yaml <<-END
		version: 1
		name: base
		default: {tool: allow, read: allow}
		rules:
		- {name: kept, match: {path: "$PROJECT/kept"}, action: deny}
	END
	learn --from "$LOG" --merge ./base.yaml
	run cat "$T/learn.err"
	assert_output --partial "rules of './base.yaml' deny some of what was done, and go on denying it"
	is_denied sh -c 'echo x >kept'
	runs sh -c 'echo x >made'
}

@test "--strict: a shell only with the very text that it ran" {
	learn --strict -- sh -c 'echo hello >out'
	runs sh -c 'echo hello >out'
	is_denied sh -c 'echo other >out'
	learn -- sh -c 'echo hello >out'
	runs sh -c 'echo other >out'
}

@test "--default ask" {
	learn --default ask -- true
	assert_equal "$(verdict '{"kind": "exec", "argv": ["/usr/bin/id"]}')" ask
}

@test "a hostile log: names with newlines and YAML, ten thousand files, a hundred thousand processes" {
	python3 - "$LOG" "$PROJECT" <<-'END'
		import json, sys
		log, project = sys.argv[1:]
		base = {"v": 1, "session": "20260101T000000-aaaaaa", "agent": "x", "time": "2026-01-01T00:00:00.000000000Z"}
		seq = 0
		out = open(log, "w")
		def put(**keys):
		    global seq
		    seq += 1
		    out.write(json.dumps({**base, "seq": seq, **keys}) + "\n")
		put(event="session_start", command=["x", "\n# rules: \n- a: b\u001b[2J"], cwd=project)
		def act(kind, op, object, pid=7, **more):
		    put(event="action", kind=kind, op=op, object=object, pid=pid, tid=pid, ppid=1, verdict="allow",
		        would_have="allow", policy="p", rule=None, syscall="openat", argv=more.pop("argv", None), **more)
		for name in ["a\nb", "x: y", "- z", "#c", "'q'\"", "{a,b}*?[x]", "\u202etxt", "\u001b]0;t\u0007", "\\xff\\xfe", "${home}", "~", "a\\b", "é", "a" * 255]:
		    act("path", "create", project + "/" + name)
		    act("path", "read", "/opt/" + name)
		    act("tool", "exec", "/opt/bin/" + name, argv=[name, name, "--" + name])
		    act("tool", "exec", "/usr/bin/git", argv=["git", name])
		    act("network", "connect", "unix:/run/" + name)
		    act("network", "connect", "unix:@" + name)
		    act("network", "connect", name)
		for i in range(10000):
		    act("path", "create", f"/srv/d{i % 100}/e{i}/f{i}")
		    act("network", "connect", f"10.{i // 250}.{i % 250}.1:{i + 1}")
		for i in range(100000):
		    act("tool", "exec", f"/opt/p{i % 3000}/x", pid=i + 10, argv=["x", f"w{i}"])
	END
	learn --from "$LOG"
	run cat "$T/learn.err"
	assert_output --partial "300 rules"
	run "$HOLDFAST" policy check "$POLICY"
	refute_output --partial error
	run grep -c . "$POLICY"
	((output < 6000))
	run env LC_ALL=C grep -P '[^\x20-\x7e]' "$POLICY"
	assert_output ""
	assert_equal "$(verdict "{\"kind\": \"path\", \"op\": \"write\", \"path\": \"$PROJECT/x: y\"}")" allow
	assert_equal "$(verdict '{"kind": "path", "op": "read", "path": "/etc/shadow"}')" deny
	learn --from "$LOG" --max-rules 20
	run cat "$T/learn.err"
	assert_output --partial "20 rules"
}

@test "wrong usage, and what cannot be read" {
	run "$HOLDFAST" learn
	assert_equal "$status" 2
	run "$HOLDFAST" learn --default allow -- true
	assert_equal "$status" 2
	assert_output --partial "expected deny or ask"
	run "$HOLDFAST" learn --from nowhere.jsonl
	assert_equal "$status" 1
	run -127 "$HOLDFAST" learn -- no-such-command

	: >there
	run "$HOLDFAST" learn -o there -- true
	assert_equal "$status" 2
	assert_output --partial "is there already"
	run "$HOLDFAST" learn -- sh -c 'exit 3'
	assert_equal "$status" 0
	assert_output --partial "ended with status 3"
	run "$HOLDFAST" learn -- sh -c 'exit 127'
	assert_equal "$status" 0
}
