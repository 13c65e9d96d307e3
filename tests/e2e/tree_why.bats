#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The process tree, and the story of one decision.

setup() {
	load helpers/common
	hf_setup
	policy_open open <<-END
		  - {name: other, match: {path: [/nonexistent/**]}, action: deny}

		  - name: no-file
		    # as it says
		    match: {path: ["$T/denied"]}
		    action: deny
		    reason: Not for agents.
		    suggest: Ask for it.

		  - {name: hold-mkdir, match: {op: mkdir}, action: ask, reason: Why a directory?}
	END
	echo secret >"$T/denied"
}

teardown() {
	hf_teardown
}

session() {
	run hf --policy "$POLICY" -- sh -c 'cat "$1"; for i in 1 2 3; do env true; done; sh -c "cat \"\$0\"; true" "$1"; true' - "$T/denied"
	session_ended
}

@test "tree shows who started whom, what was denied, and joins what is alike" {
	session
	run "$HOLDFAST" tree "$LOG"
	assert_success
	assert_line --regexp "^[0-9]+ sh -c .*actions, tool 1"
	assert_line --regexp "^├─ [0-9]+ cat $T/denied  .*\(deny 1\)"
	assert_line --regexp "^│       denied read $T/denied  rule 'no-file': Not for agents\.  #[0-9]+"
	assert_line --regexp "^├─ [0-9]+ true  ×3"
	assert_line --regexp "^└─ [0-9]+ sh -c .cat"
	assert_line --regexp "^   └─ [0-9]+ cat $T/denied  "
	# Where the terminal has no such characters: plain ones.
	LC_ALL=C run "$HOLDFAST" tree "$LOG"
	assert_line --regexp "^\|- [0-9]+ true  x3"
	refute_output --partial "├"
}

@test "tree --json counts every action once, parents stand before their children" {
	session
	"$HOLDFAST" tree --json "$LOG" >"$T/tree.json"
	assert_equal "$(jq '[.list[].total] | add' "$T/tree.json")" "$(log_count '.event == "action"')"
	run jq -e '.v == 1 and .unlisted == 0 and .list[0].depth == 0 and .list[0].parent == null
		and ([.list as $l | range(1; $l | length) | . as $i | $l[$i] | .parent as $p | .ppid as $pp
			| [$l[0:$i][] | select(.id == $p and .pid == $pp)] | length == 1] | all)' "$T/tree.json"
	assert_output true
}

@test "a pid that is used again is another process" {
	python3 - >"$LOG" <<-'END'
		import json
		seq = 0
		def record(pid, ppid, exe, op="read", object="/f", **more):
		    global seq
		    seq += 1
		    print(json.dumps(dict(dict(v=1, seq=seq, time="2026-11-21T05:00:00Z", session="s", agent="a", event="action",
		        pid=pid, tid=pid, ppid=ppid, exe=exe, kind="tool" if op == "exec" else "path", op=op, object=object,
		        argv=[object] if op == "exec" else None, verdict="allow", would_have="allow"), **more)))
		print(json.dumps(dict(v=1, seq=0, time="2026-11-21T05:00:00Z", event="session_start", session="s", agent="a",
		                      command=["sh"], pid=10, supervisor=9)))
		record(10, 9, "/bin/sh")
		record(11, 10, "/bin/sh", "exec", "/bin/one")
		record(11, 10, "/bin/one")
		record(11, 10, "/bin/sh", "exec", "/bin/two")   # the same pid and parent: sh has forked again
		record(11, 10, "/bin/two")
		record(12, 11, "/bin/two", "exec", "/bin/three")  # a child of the second
		record(12, 10, "/bin/three")                      # an orphan stays what it is
		record(11, 12, "/bin/three")                      # once more, of another parent
		record(13, 10, "/bin/sh")
		record(14, 10, "/bin/sh")
		record(13, 14, "/bin/sh")                         # the same program of another parent
	END
	run "$HOLDFAST" tree "$LOG"
	assert_success
	assert_line --index 1 --regexp "^├─ 11 /bin/one  2 actions"
	assert_line --index 2 --regexp "^├─ 11 /bin/two  2 actions"
	assert_line --index 3 --regexp "^│  └─ 12 /bin/three  2 actions"
	assert_line --index 4 --regexp "^│     └─ 11 /bin/three .started no program.  1 action"
	assert_line --index 5 --regexp "^├─ 13 /bin/sh .started no program.  1 action"
	assert_line --index 6 --regexp "^└─ 14 /bin/sh .started no program.  1 action"
	assert_line --index 7 --regexp "^   └─ 13 /bin/sh .started no program.  1 action"
}

# A log with the kernel's own account, which comes behind what the processes did meanwhile.
told_log() {
	python3 - >"$LOG" <<-'END'
		import json
		seq = 0
		def line(second, event, **more):
		    global seq
		    print(json.dumps(dict(v=1, seq=seq, time=f"2026-11-21T05:00:{second:02}.000000000Z", event=event, session="s", agent="a", **more)))
		    seq += 1
		def record(second, pid, ppid, exe, op="read", object="/f", verdict="allow"):
		    line(second, "action", pid=pid, tid=pid, ppid=ppid, exe=exe, kind="tool" if op == "exec" else "path", op=op, object=object,
		         argv=[object] if op == "exec" else None, verdict=verdict, would_have=verdict)
		def told(second, what, pid, ppid, **more):
		    return dict(dict(time=f"2026-11-21T05:00:{second:02}.000000000Z", what=what, pid=pid, ppid=ppid, comm="c"), **more)
		line(1, "session_start", command=["sh"], pid=10, supervisor=9)
		record(2, 10, 9, "/bin/sh")
		record(5, 12, 9, "/bin/sh", "exec", "/bin/orphan")   # whoever started it has gone
		record(6, 12, 9, "/bin/orphan", object="/secret", verdict="deny")
		record(7, 13, 10, "/bin/sh")
		line(8, "processes", list=[
		    told(1, "fork", 10, 9), told(3, "fork", 11, 10), told(4, "fork", 12, 11), told(4, "exit", 11, 10, exit=0, comm="sub\x1b"),
		    told(6, "exit", 12, 9, exit=3), told(6, "fork", 13, 10), told(7, "exit", 13, 10, signal=9)])
		record(9, 14, 9, "/bin/sh")                          # from here on it is known beforehand
		line(9, "processes", list=[told(8, "fork", 14, 10)])
		record(10, 14, 9, "/bin/sh")
		line(10, "processes", list=[told(10, "exit", 14, 9, exit=0), told(10, "exit", 10, 9, exit=0)])
	END
}

@test "where the kernel told who started whom, the tree is as it said, and shows how they ended" {
	told_log
	run "$HOLDFAST" tree "$LOG"
	assert_success
	assert_line --index 0 --regexp "^10 /bin/sh .started no program.  1 action, path 1$"
	assert_line --index 1 --regexp "^├─ 13 /bin/sh .started no program.  1 action, path 1  ended by signal 9$"
	assert_line --index 2 --regexp "^├─ 14 /bin/sh .started no program.  2 actions, path 2$"
	assert_line --index 3 --regexp "^└─ 11 sub.x1b .no record of its own.$"
	assert_line --index 4 --regexp "^   └─ 12 /bin/orphan  2 actions, tool 1, path 1 .deny 1.  exit status 3$"
	run "$HOLDFAST" tree --json "$LOG"
	assert_equal "$(jq -c '[.list[] | [.pid, .ppid, .began[17:19], .ended[17:19], .exit, .signal]]' <<<"$output")" \
		'[[10,9,"01","10",0,null],[13,10,"06","07",null,9],[14,9,"08","10",0,null],[11,10,"03","04",0,null],[12,9,"04","06",3,null]]'
	assert_equal "$(jq -c '[.list[] | .comm]' <<<"$output")" '["c","c","c","sub\u001b","c"]'
}

@test "why has the ancestry that the kernel told, also where it stands behind the record" {
	told_log
	run "$HOLDFAST" why --last --json "$LOG"
	assert_success
	assert_equal "$(jq -c '[.ancestry[] | [.pid, .exe]]' <<<"$output")" '[[12,"/bin/orphan"],[11,null],[10,"/bin/sh"]]'
	run "$HOLDFAST" why --last "$LOG"
	assert_line --regexp "^  started by  11  sub.x1b .no record of its own.$"
}

@test "why --last: the record, the ancestry, the rule with its line and text, what was before" {
	session
	run "$HOLDFAST" why --last "$LOG"
	assert_success
	assert_line "deny: path read $T/denied"
	assert_line --regexp "^  process     [0-9]+  cat $T/denied  \["
	assert_line --regexp "^  started by  [0-9]+  sh -c .cat"
	assert_line "  decided by  rule 'no-file' of 'open', $POLICY:$(grep -n 'name: no-file' "$POLICY" | cut -d: -f1)"
	assert_line "  reason      Not for agents."
	assert_line "  instead     Ask for it."
	assert_line "    - name: no-file"
	assert_line "      suggest: Ask for it."
	refute_line --partial "hold-mkdir, match"
	assert_line --regexp "^  the same    2 times in this session, 1 of them before"
	assert_line "before it, the same process"
}

@test "why SEQ, and a policy that has changed since" {
	session
	local seq
	seq=$(jq 'select(.rule == "no-file") | .seq' "$LOG" | head -n 1)
	echo "# changed" >>"$POLICY"
	run "$HOLDFAST" why "$seq" --json "$LOG"
	assert_success
	run jq -e --argjson seq "$seq" '.record.seq == $seq and .source.state == "changed" and .source.text == []
		and .ancestry[0].pid == .record.pid and .same.before == 0 and .policy.name == "open"
		and ([.before[].pid] | all(. == $pid)) ' --argjson pid "$(jq "select(.seq == $seq) | .pid" "$LOG")" <<<"$output"
	assert_output true
	run "$HOLDFAST" why "$seq" "$LOG"
	assert_output --partial "has changed since the session began"
	rm "$POLICY"
	run "$HOLDFAST" why "$seq" "$LOG"
	assert_success
	assert_output --partial "cannot be read as a policy"
}

@test "why ID tells of a hold and its answer" {
	run hf --policy "$POLICY" --ask queue --ask-timeout 1 -- mkdir d
	session_ended
	local id
	id=$(jq -r 'select(.event == "held") | .held' "$LOG")
	run "$HOLDFAST" why "$id" "$LOG"
	assert_success
	assert_line --regexp "^deny: path mkdir .*/d$"
	assert_line --regexp "^held as $id \(record [0-9]+\)"
	assert_line --regexp "^  answer      nobody answered in time after"
	assert_line "  asked for   Why a directory?"
}

@test "why says what it cannot find, and takes no wrong words" {
	session
	run "$HOLDFAST" why 999999 "$LOG"
	assert_failure 1
	assert_output --partial "no decision with the number 999999"
	run "$HOLDFAST" why nosuchid "$LOG"
	assert_failure 1
	assert_output --partial "no hold 'nosuchid'"
	run "$HOLDFAST" why
	assert_failure 2
	run "$HOLDFAST" why 0 "$LOG"
	assert_failure 2
	run "$HOLDFAST" why --last a b
	assert_failure 2
	run "$HOLDFAST" tree a b
	assert_failure 2
}
