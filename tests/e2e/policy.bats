#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What policies decide, on real calls: the shipped policies, the stack, and every way to a denied
# object.

setup() {
	load helpers/common
	hf_setup
	ACT=$HF_HELPERS/act NET=$HF_HELPERS/net
}

teardown() {
	hf_teardown
}

# shipped ARGS...: with the policy that ships; nobody is there to answer.
shipped() {
	hf --policy coding-agent --project "$PROJECT" --ask deny -- "$@"
}

repository() {
	git init -q --bare -b main "$PROJECT/remote.git"
	git init -q -b main "$PROJECT/work"
	cd "$PROJECT/work"
	git remote add origin "$PROJECT/remote.git"
	echo one >file
	git add file
	git commit -q -m one
	git push -q origin main
	git commit -q --amend -m other
}

remote_head() {
	git -C "$PROJECT/remote.git" rev-parse main
}

# --- the shipped policies -------------------------------------------------------------------------

@test "coding-agent: an ordinary git push is allowed" {
	skip_without git
	repository
	run shipped git push origin main:refs/heads/topic
	assert_success
	git -C "$PROJECT/remote.git" rev-parse topic
}

@test "coding-agent: git push --force is denied, however it is written" {
	skip_without git
	repository
	local before
	before=$(remote_head)
	for args in "--force origin main" "-f origin main" "origin +main" "origin main --force" "-q --force-with-lease origin main"; do
		# shellcheck disable=SC2086
		run shipped git push $args
		assert_failure
		assert_equal "$args: $(remote_head)" "$args: $before"
	done
	assert_logged '.kind == "tool" and .verdict == "deny" and (.reason | length > 0)'
}

@test "coding-agent: git push --force is denied from sh, a script, env, python and xargs" {
	skip_without git
	repository
	local before
	before=$(remote_head)
	printf '#!/bin/sh\nexec git push --force origin main\n' >push.sh
	chmod +x push.sh
	run shipped sh -c 'git push --force origin main'
	assert_failure
	assert_output --partial "ermission denied"
	run shipped ./push.sh
	assert_failure
	run shipped env A=b git push --force origin main
	assert_failure
	run shipped git -c a.b=c push --force origin main
	assert_failure
	run shipped python3 -c 'import subprocess; subprocess.run(["git", "push", "--force", "origin", "main"])'
	assert_failure
	assert_output --partial PermissionError
	run shipped sh -c 'echo --force origin main | xargs git push'
	assert_failure
	run shipped "$(command -v git)" push --force origin main
	assert_failure
	assert_equal "$(remote_head)" "$before"
}

@test "coding-agent: a write to /etc is denied" {
	local name=/etc/holdfast-e2e-$$-$RANDOM

	run shipped sh -c 'echo x >"$1"' - "$name"
	assert_failure
	assert_output --partial "ermission denied"
	assert_file_not_exist "$name"
	run shipped python3 -c 'import sys; open(sys.argv[1], "w")' "$name"
	assert_failure
	assert_output --partial "PermissionError: [Errno 13]"
	assert_file_not_exist "$name"
	assert_logged '.kind == "path" and .op == "create" and .verdict == "deny" and (.object | startswith("/etc/holdfast-e2e"))'
}

@test "coding-agent: private keys are not read" {
	mkdir "$HOME/.ssh" "$HOME/.aws"
	echo the-private-key >"$HOME/.ssh/id_rsa"
	echo the-secret >"$HOME/.aws/credentials"
	run shipped cat "$HOME/.ssh/id_rsa"
	assert_equal "$status" 1
	assert_output --partial "Permission denied"
	refute_output --partial the-private-key
	run shipped cat "$HOME/.aws/credentials"
	assert_failure
	refute_output --partial the-secret
	run shipped sh -c 'cd ~/.ssh && cat id_rsa'
	assert_failure
	refute_output --partial the-private-key
	ln -s "$HOME/.ssh/id_rsa" link
	run shipped cat link
	assert_failure
	refute_output --partial the-private-key
	assert_logged ".verdict == \"deny\" and .op == \"read\" and .object == \"$HOME/.ssh/id_rsa\""
}

@test "coding-agent: the project is the agent's to change" {
	run shipped sh -c 'mkdir d && echo a >d/f && mv d/f d/g && ln -s g d/l && chmod 600 d/g && cat d/l && rm -r d && echo done'
	assert_success
	assert_output $'a\ndone'
	refute_logged '.verdict == "deny"'
}

@test "coding-agent: writes outside the project and scratch directories are not silently allowed" {
	# Not below $T, which is in a scratch directory. Root could write there.
	local name=/opt/holdfast-e2e-$$-$RANDOM

	run shipped sh -c 'echo x >"$1"' - "$name"
	assert_failure
	assert_file_not_exist "$name"
	assert_logged ".would_have == \"ask\" and .verdict == \"deny\" and .object == \"$name\""
}

@test "the default policy is coding-agent" {
	run hf -- true
	assert_success
	assert_logged '.event == "session_start" and (tostring | contains("coding-agent"))'
}

@test "read-only: nothing is changed, anything that is not secret is read" {
	echo text >file
	run hf --policy read-only --ask deny -- cat file
	assert_success
	assert_output text
	run hf --policy read-only --ask deny -- sh -c 'echo x >made; rm file; mkdir d; mv file other; chmod 600 file; ln file link; : >>file'
	assert_failure
	assert_equal "$(ls)" file
	assert_equal "$(cat file)" text
	assert_equal "$(stat -c %a file)" 644
}

@test "audit-only: refuses nothing, and records" {
	mkdir "$HOME/.ssh"
	echo the-private-key >"$HOME/.ssh/id_rsa"
	run hf --policy audit-only -- sh -c 'cat ~/.ssh/id_rsa; echo x >"$1"' - "$T/made"
	assert_success
	assert_output the-private-key
	assert_file_exist "$T/made"
	assert_logged ".op == \"read\" and .object == \"$HOME/.ssh/id_rsa\" and .mode == \"audit\""
	refute_logged '.verdict == "deny"'
}

need_own_network() {
	skip_without curl ip unshare
	((EUID == 0)) || unshare -Urn true 2>/dev/null || skip "user namespaces are not permitted here"
	export T LOG HOLDFAST PROJECT NET POLICY=${POLICY:-}
}

# In a network of its own, with a server and an address outside; runs the script $1.
in_own_network() {
	local flags=-n

	((EUID == 0)) || flags=-Urn
	unshare "$flags" bash -euc '
		ip link set lo up
		ip addr add 198.51.100.1/32 dev lo
		cat >"$T/server.py" <<-"END"
			import http.server, os, sys, threading
			class Handler(http.server.SimpleHTTPRequestHandler):
			    def do_GET(self):
			        self.send_response(200); self.end_headers(); self.wfile.write(b"answer\n")
			    def log_message(self, *a): pass
			s = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
			with open(sys.argv[1] + ".tmp", "w") as f: f.write(str(s.server_port))
			os.rename(sys.argv[1] + ".tmp", sys.argv[1])
			s.serve_forever()
		END
		python3 "$T/server.py" "$T/port" </dev/null >/dev/null 2>&1 3>&- 4>&- &
		server=$!
		trap "kill $server" EXIT
		for ((i = 0; i < 500; i++)); do
			[[ -e $T/port ]] && break
			read -rt 0.02 _ <><(:) || true
		done
		export PORT
		PORT=$(cat "$T/port")
		rm "$T/port"
		bash -uc "$1"
	' - "$1"
}

@test "network: loopback is allowed, an address outside is not" {
	need_own_network
	local p
	for p in coding-agent no-network; do
		run in_own_network '
			set -e
			curl -s -m 10 "http://198.51.100.1:$PORT/"
			run() { timeout 60 "$HOLDFAST" run --policy '"$p"' --project "$PROJECT" --ask deny --log "$LOG" -- "$@"; }
			for a in connect connect-udp sendto sendmsg sendmmsg fastopen; do
				echo "$a $(run "$NET" "$a" 198.51.100.1 "$PORT" || true)"
			done
			run curl -s -m 10 "http://198.51.100.1:$PORT/" && echo reached || echo "curl $?"
			run python3 -c "import socket, sys; socket.create_connection((\"198.51.100.1\", int(sys.argv[1])))" "$PORT" 2>&1 | tail -n 1
		'
		assert_success
		assert_line --index 0 answer
		assert_line "connect EACCES"
		assert_line "connect-udp EACCES"
		assert_line "sendto EACCES"
		assert_line "sendmsg EACCES"
		assert_line "fastopen EACCES"
		assert_line "sendmmsg EACCES"
		assert_line "curl 7"
		assert_line "PermissionError: [Errno 13] Permission denied"
		refute_line reached
		assert_logged '.kind == "network" and .op == "connect" and .verdict == "deny" and (.object | startswith("198.51.100.1:"))'
	done
	run in_own_network '
		"$HOLDFAST" run --policy coding-agent --project "$PROJECT" --ask deny --log "$LOG" -- curl -s -m 10 "http://127.0.0.1:$PORT/"'
	assert_success
	assert_output answer
}

@test "network: an address outside is held until somebody answers" {
	need_own_network
	run in_own_network '
		"$HOLDFAST" run --policy coding-agent --project "$PROJECT" --ask queue --ask-timeout 60 --log "$LOG" -- curl -s -m 50 "http://198.51.100.1:$PORT/" 3>&- &
		session=$!
		for ((i = 0; i < 500; i++)); do
			id=$(jq -r "select(.event == \"held\") | .held" "$LOG" 2>/dev/null)
			[[ -n $id ]] && break
			read -rt 0.02 _ <><(:) || true
		done
		"$HOLDFAST" approve "$id"
		wait "$session"
		echo "curl $?"'
	assert_line answer
	assert_line "curl 0"
}

@test "network: rules by cidr, port and protocol" {
	policy_open net <<-'END'
		  - {name: no-net, match: {cidr: ["198.51.100.0/24"]}, action: deny}
		  - {name: no-port, match: {port: [4444]}, action: deny}
		  - {name: no-udp, match: {protocol: [udp]}, action: deny}
	END
	need_own_network
	run in_own_network '
		run() { echo "$* $(timeout 60 "$HOLDFAST" run --policy "$POLICY" --log "$LOG" -- "$NET" "$@")"; }
		run connect 198.51.100.1 "$PORT" | sed "s/$PORT/PORT/"
		run connect 127.0.0.1 "$PORT" | sed "s/$PORT/PORT/"
		run connect 127.0.0.1 4444
		run connect ::ffff:198.51.100.1 "$PORT" | sed "s/$PORT/PORT/"
		run sendto 127.0.0.1 9
		run connect ::1 4445
		run bind 127.0.0.1 4444'
	assert_line "connect 198.51.100.1 PORT EACCES"
	assert_line "connect 127.0.0.1 PORT OK"
	assert_line "connect 127.0.0.1 4444 EACCES"
	assert_line "connect ::ffff:198.51.100.1 PORT EACCES"
	assert_line "sendto 127.0.0.1 9 EACCES"
	assert_line "connect ::1 4445 ECONNREFUSED"
}

# --- the stack and the modes ----------------------------------------------------------------------

@test "the strictest of several policies wins, in either order" {
	echo text >file
	policy_open wide </dev/null
	local wide=$POLICY
	policy_open narrow <<-END
		  - {name: no-file, match: {path: ["$PROJECT/file"]}, action: deny, reason: Keep out.}
	END
	run hf --policy "$wide" --policy "$POLICY" -- cat file
	assert_failure
	run hf --policy "$POLICY" --policy "$wide" -- cat file
	assert_failure
	run hf --policy "$wide" -- cat file
	assert_success
	assert_logged '.verdict == "deny" and .policy == "narrow" and .rule == "no-file" and .reason == "Keep out."'
}

@test "within a policy the first match decides, by priority, then by order" {
	echo text >file
	policy_open first <<-END
		  - {name: allow-it, match: {path: ["$PROJECT/file"]}, action: allow}
		  - {name: deny-it, match: {path: ["$PROJECT/**"]}, action: deny}
	END
	run hf --policy "$POLICY" -- cat file
	assert_success
	policy_open priority <<-END
		  - {name: allow-it, match: {path: ["$PROJECT/file"]}, action: allow}
		  - {name: deny-it, priority: 10, match: {path: ["$PROJECT/**"]}, action: deny}
	END
	run hf --policy "$POLICY" -- cat file
	assert_failure
}

@test "--mode audit refuses nothing and says what it would have done" {
	echo text >file
	policy_open strict <<-END
		  - {name: no-file, match: {path: ["$PROJECT/file"]}, action: deny}
		  - {name: no-ls, match: {tool: ls}, action: deny}
		  - {name: ask-mkdir, match: {path: ["$PROJECT/**"], op: [mkdir]}, action: ask}
	END
	run hf --policy "$POLICY" --mode audit -- sh -c 'cat file; ls >/dev/null; mkdir d; ls -d d'
	assert_success
	assert_output $'text\nd'
	assert_logged '.mode == "audit" and .verdict == "allow" and .would_have == "deny" and .rule == "no-file"'
	assert_logged '.would_have == "deny" and .rule == "no-ls"'
	assert_logged '.would_have == "ask" and .rule == "ask-mkdir"'
	refute_logged '.verdict == "deny" or .verdict == "ask"'
}

@test "a policy with mode audit only advises beside one that enforces" {
	echo text >file
	policy advisor < <(
		echo "mode: audit"
		echo "default: {tool: allow, read: allow, write: allow, network: allow}"
		echo "rules:"
		echo "  - {name: no-file, match: {path: [\"$PROJECT/file\"]}, action: deny}"
	)
	local advisor=$POLICY
	policy_open wide </dev/null
	run hf --policy "$advisor" --policy "$POLICY" -- cat file
	assert_success
	assert_logged '.would_have == "deny" and .verdict == "allow" and .object == "'"$PROJECT/file"'"'
}

@test "flag allows, and is recorded as flag" {
	echo text >file
	policy_open flags <<-END
		  - {name: watch, match: {path: ["$PROJECT/file"]}, action: flag, reason: Look at this later.}
	END
	run hf --policy "$POLICY" -- cat file
	assert_success
	assert_output text
	assert_logged '.verdict == "flag" and .rule == "watch" and .op == "read"'
}

@test "rules by op: what is not named is left to the default" {
	echo text >file
	policy_open ops <<-END
		  - {name: keep, match: {path: ["$PROJECT/file"], op: [delete, rename, truncate]}, action: deny}
	END
	run hf --policy "$POLICY" -- sh -c 'cat file; echo more >>file; rm -f file; mv file other; : >file'
	assert_failure
	assert_equal "$(cat file)" $'text\nmore'
}

# --- every way to a denied object -----------------------------------------------------------------

secret_policy() {
	mkdir "$T/secret" "$T/secret/dir" "$T/open"
	echo the-secret >"$T/secret/key"
	echo bait >"$T/open/bait"
	ln -s "$T/secret/key" "$T/open/symlink"
	ln -s ../secret "$T/open/dirlink"
	ln -s symlink "$T/open/chain"
	policy_open secret <<-END
		  - {name: secret, match: {path: ["$T/secret", "$T/secret/**"]}, action: deny}
	END
}

@test "a denied file cannot be read, by any call, name or process" {
	secret_policy
	local key=$T/secret/key how name
	for how in open openat openat2 openat2-beneath chdir-open chdir-proc-cwd proc-root proc-thread-root proc-pid-root dots \
		proc-fd-dir dev-fd-dir proc-fd-file dev-fd-file \
		"in thread open" "in fork open" "in vfork open" "in clone3 open" "in spawn open" "in daemon open" \
		"in thread proc-thread-root" "in vfork chdir-proc-cwd"; do
		# shellcheck disable=SC2086
		run "$ACT" $how "$key"
		assert_equal "$how natively: $output" "$how natively: the-secret"$'\n'OK
		# shellcheck disable=SC2086
		run hf --policy "$POLICY" -- "$ACT" $how "$key"
		refute_output --partial the-secret
		assert_equal "$how: ${lines[-1]##* }" "$how: EACCES"
	done
	for name in "$T/open/symlink" "$T/open/chain" "$T/open/dirlink/key" "$T/open/../secret/key" "//$key" \
		"/proc/self/root$T/open/symlink" "/proc/self/cwd/../secret/key" "/proc/self/cwd/../open/dirlink/../secret/key"; do
		run hf --policy "$POLICY" -- "$ACT" open "$name"
		assert_equal "$name: $output" "$name: EACCES"
	done
	# And the policy is not simply refusing everything.
	run hf --policy "$POLICY" -- "$ACT" in thread proc-fd-file "$T/open/bait"
	assert_output $'bait\nOK'
}

@test "a denied file cannot be changed, by any call" {
	secret_policy
	local key=$T/secret/key how bait=$T/open/bait
	for how in "open-wronly $key" "open-rdwr $key" "open-trunc $key" "open-create $T/secret/new" "creat $key" "creat $T/secret/new" \
		"openat2-write $key" "openat2-write $T/secret/new" "open-tmpfile $T/secret" "truncate $key" "unlink $key" "unlinkat $key" \
		"rmdir $T/secret/dir" "mkdir $T/secret/new" "mkdirat $T/secret/new" "mknod $T/secret/new" "mknodat $T/secret/new" \
		"rename $key $T/open/got" "renameat $key $T/open/got" "renameat2 $key $T/open/got" "rename $bait $key" "rename $bait $T/secret/new" \
		"exchange $bait $key" "exchange $key $bait" "rename $T/secret $T/open/dir" \
		"link $key $T/open/got" "linkat $key $T/open/got" "link $bait $T/secret/new" "linkat-fd $key $T/open/got" \
		"symlink $bait $T/secret/new" "symlinkat $bait $T/secret/new" \
		"chmod $key" "fchmodat $key" "fchmodat2 $key" "chown $key" "lchown $key" "fchownat $key" \
		"setxattr $key" "removexattr $key" "utimensat $key" "utimes $key" \
		"open-wronly $T/open/symlink" "truncate $T/open/chain" "chmod $T/open/symlink" "unlink $T/open/dirlink/key" "creat $T/open/dirlink/new"; do
		# shellcheck disable=SC2086
		run hf --policy "$POLICY" -- "$ACT" $how
		assert_equal "$how: ${lines[-1]##* }" "$how: EACCES"
	done
	run hf --policy "$POLICY" -- "$NET" bind-unix "$T/secret/sock"
	assert_output EACCES
	assert_equal "$(cat "$key")" the-secret
	assert_equal "$(ls -A "$T/secret")" $'dir\nkey'
	assert_equal "$(ls -A "$T/open")" $'bait\nchain\ndirlink\nsymlink'
}

@test "a symlink inside the allowed tree to a file outside does not launder a write" {
	mkdir "$T/open"
	echo before >"$T/outside"
	ln -s "$T/outside" "$T/open/link"
	ln -s "$T/made" "$T/open/dangling"
	policy narrow < <(
		echo "default: {tool: allow, read: allow, write: deny, network: deny}"
		echo "rules:"
		echo "  - {name: mine, match: {path: [\"$T/open/**\", /dev/**]}, action: allow}"
	)
	run hf --policy "$POLICY" -- sh -c 'echo mine >"$1/own"; echo x >"$1/link"; echo x >"$1/dangling"; cat "$1/own"' - "$T/open"
	assert_output --partial mine
	assert_equal "$(cat "$T/outside")" before
	assert_file_not_exist "$T/made"
}

@test "a denied program cannot be started, by any call or name" {
	local date
	date=$(readlink -f "$(command -v date)")
	ln -s "$date" link
	policy_open tool <<-END
		  - {name: no-date, match: {path: ["$date"], op: [exec]}, action: deny}
	END
	run hf --policy "$POLICY" -- true
	if [[ $status == 125 ]]; then
		policy_open tool <<-END
			  - {name: no-date, match: {tool: date}, action: deny}
		END
	fi
	local how
	for how in "exec $date" "execveat $date" "fexecve $date" "exec-proc-fd $date" "exec $PROJECT/link" "exec /proc/self/root$date" "in vfork exec $date" "in thread exec $date" "in clone3 exec $date" "in daemon exec $date"; do
		# shellcheck disable=SC2086
		run hf --policy "$POLICY" -- "$ACT" $how
		assert_equal "$how: $output" "$how: EACCES"
	done
	run hf --policy "$POLICY" -- sh -c date
	assert_equal "$status" 126
	assert_output --partial "ermission denied"
	run hf --policy "$POLICY" -- python3 -c 'import os; os.posix_spawn("/usr/bin/date", ["date"], {})'
	assert_failure
	assert_output --partial PermissionError
}

@test "a script shows both the script and its interpreter, and either can be denied" {
	printf '#!/bin/sh\necho ran\n' >script
	chmod +x script
	printf '#!%s/script\n' "$PROJECT" >nested
	chmod +x nested
	local sh
	sh=$(readlink -f /bin/sh)
	policy_open open </dev/null
	run hf --policy "$POLICY" -- ./script an-argument
	assert_success
	assert_output ran
	assert_logged ".kind == \"tool\" and .object == \"$PROJECT/script\" and .interpreter == \"$sh\" and .argv[1] == \"an-argument\""
	policy_open deny-script <<-'END'
		  - {name: no-script, match: {tool: script}, action: deny}
	END
	run hf --policy "$POLICY" -- ./script
	assert_equal "$status" 126
	policy_open deny-interpreter <<-END
		  - {name: no-sh, match: {tool: [sh, ${sh##*/}]}, action: deny}
	END
	run hf --policy "$POLICY" -- ./script
	assert_equal "$status" 126
	run hf --policy "$POLICY" -- ./nested
	assert_equal "$status" 126
}

@test "args_pattern sees the arguments as they are" {
	policy_open args <<-'END'
		  - {name: no-word, match: {tool: echo, args_pattern: 'forbidden'}, action: deny}
	END
	run hf --policy "$POLICY" -- env echo allowed
	assert_success
	run hf --policy "$POLICY" -- env echo a "b forbidden c" d
	assert_failure
	local long
	long=$(head -c 60000 /dev/zero | tr '\0' x)
	run hf --policy "$POLICY" -- env echo "$long" "$long" forbidden
	assert_failure
	run hf --policy "$POLICY" -- env echo $'\xff\nforbidden'
	assert_failure
}

@test "a unix socket is an action by its path" {
	python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); s.accept()' "$T/sock" 3>&- &
	started $!
	wait_for test -S "$T/sock"
	policy_open wide </dev/null
	run hf --policy "$POLICY" -- "$NET" connect-unix "$T/sock"
	assert_output OK
	policy_open unix <<-END
		  - {name: no-sock, match: {path: ["$T/sock"], op: [connect]}, action: deny}
	END
	run hf --policy "$POLICY" -- "$NET" connect-unix "$T/sock"
	assert_output EACCES
	assert_logged '.kind == "network" and .rule == "no-sock"'
}

@test "the errno of a call that fails anyway is the kernel's" {
	policy_open open </dev/null
	local how
	for how in "open $T/none" "open $LOG/x" "unlink $T/none" "rmdir $PROJECT/.." "mkdir $PROJECT" "rename $T/none $T/b" "exec $T/none" "exec $PROJECT" "link $T/none $T/x" "truncate $PROJECT"; do
		# shellcheck disable=SC2086
		run "$ACT" $how
		local native=$output
		# shellcheck disable=SC2086
		run hf --policy "$POLICY" -- "$ACT" $how
		assert_equal "$how: $output" "$how: $native"
	done
	ln -s loop "$PROJECT/loop"
	run hf --policy "$POLICY" -- "$ACT" open "$PROJECT/loop"
	assert_output ELOOP
	run hf --policy "$POLICY" -- "$ACT" open "$(printf 'x%.0s' {1..300})"
	assert_output ENAMETOOLONG
}

@test "a policy that names hosts says so only where names cannot be learned" {
	printf 'version: 1\nname: hosts\ndefault: allow\nrules:\n- {name: x, match: {domain: evil.example}, action: deny}\n' >hosts.yaml
	run hf --policy hosts.yaml -- true
	assert_success
	unshare -Urn true 2>/dev/null || assert_output --partial "the policy 'hosts' names hosts"
	unshare -Urn true 2>/dev/null && assert_output ""
	run hf --policy audit-only -- true
	assert_success
	assert_output ""
}
