#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# holdfast-loader as a service: an ordinary user's session has the BPF layers, and nobody can do with it what he could not do
# to his own children.

USER_ID=64911

setup() {
	load helpers/common
	hf_setup
	[[ -x ${HOLDFAST%/*}/holdfast-loader ]] || skip "this build has no holdfast-loader"
	export HOLDFAST_LOADER_SOCKET=$T/loader.sock
	((EUID == 0)) || return 0
	let_others_in
	mkdir -m 0755 "$T/bin" "$T/bin/policies"
	cp "$HOLDFAST" "${HOLDFAST%/*}/holdfast-loader" "$T/bin/"
	install -m 644 "$HELPERS/layers.py" "$HELPERS/loader_client.py" "$T/"
	install -d -m 0700 -o $USER_ID "$T/u" "$T/u/run"
	P=$T/p.yaml
	cat >"$P" <<-'END'
		version: 1
		name: through
		default: {tool: allow, path: allow, network: deny, unix: allow}
		rules:
		  - {name: here, match: {address: [127.0.0.0/8, "::1"], port: [9, 80], op: [connect, send]}, action: allow}
		  - {name: hole, match: {address: 10.1.2.3}, action: deny, priority: 10}
		  - {name: net, match: {address: [10.1.2.0/24, "2001:db8::/32", "2002::/16", "64:ff9b::/96"]}, action: flag, unless: {port: 81}}
		  - {name: free, match: {op: bind, port: 0}, action: allow}
	END
	chmod 644 "$P"
}

teardown() {
	[[ -z ${SERVICE:-} ]] || kill "$SERVICE" 2>/dev/null || true
	hf_teardown
}

# With the capabilities that its unit leaves it. Skips the test where its programs cannot be loaded.
serve() { # OPTION...
	skip_unless_root "to be the service"
	skip_without setpriv
	setpriv --no-new-privs --bounding-set=-all,+bpf,+perfmon,+net_admin,+dac_override --inh-caps=-all \
		"$T/bin/holdfast-loader" --listen "$HOLDFAST_LOADER_SOCKET" "$@" </dev/null >"$T/service" 2>&1 3>&- 4>&- &
	SERVICE=$!
	started $SERVICE
	wait_for test -S "$HOLDFAST_LOADER_SOCKET"
	# A hello comes when it has tried.
	as_user python3 -I "$T/loader_client.py" crowd 0 </dev/null >/dev/null
	! grep -q 'bpf-net cannot be loaded' "$T/service" || skip "$(cat "$T/service")"
}

as_user() {
	setpriv --reuid="${OTHER_ID:-$USER_ID}" --regid=$USER_ID --clear-groups --inh-caps=-all env -i PATH="$PATH" HOME="$T/u" \
		XDG_RUNTIME_DIR="$T/u/run" HOLDFAST_LOADER_SOCKET="$HOLDFAST_LOADER_SOCKET" LANG=C.UTF-8 "$@"
}

client() {
	as_user timeout 60 python3 -I "$T/loader_client.py" "$@"
}

session() { # LAYERS NAME COMMAND...: a user's session with its log in $T/u/NAME.jsonl
	local layers=$1 name=$2
	shift 2
	(cd "$T/u" && as_user timeout -s KILL 60 "$T/bin/holdfast" run -q --ask deny --layers "$layers" --policy "$P" --log "$T/u/$name.jsonl" -- "$@")
}

# A session that waits, of process $SESSION in the cgroup $GROUP; let_go has it try to connect, and returns when it has ended.
waiting_session() {
	mkfifo "$T/u/fifo"
	chown $USER_ID "$T/u/fifo"
	# shellcheck disable=SC2016 # the session's shell expands it
	session bpf-net a bash -c 'cat /proc/self/cgroup; read -r _ <"$0"; exec 3<>/dev/tcp/192.0.2.1/80' "$T/u/fifo" >"$T/out" 2>&1 3>&- &
	SESSION=$!
	started $SESSION
	wait_for grep -q '^0::.*holdfast-session' "$T/out"
	GROUP=$(sed -n 's/^0:://p' "$T/out")
}

let_go() {
	echo >"$T/u/fifo"
	wait "$SESSION" || true
	assert_equal "$(jq -r 'select(.object == "192.0.2.1:80") | [.verdict, .layer] | join(" ")' "$T/u/a.jsonl")" "deny bpf-net"
}

# Each has a process, for which its cgroup is named. Other tests have cgroups and loaders of their own.
loaders() {
	cat "/proc/$SERVICE/task/$SERVICE/children"
}

cgroups() { # PID...: how many of these loaders' there are
	local mount

	mount=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
	find "$mount" -maxdepth 8 -type d -name 'holdfast-session-*' | sed 's/.*-//' | grep -cxF "$(printf '%s\n' "$@")" || true
}

no_cgroups() { # PID...
	(($(cgroups "$@") == 0))
}

only_a_spare() {
	(($(loaders | wc -w) == 1))
}

# In the maps that hold all sessions' maps there are those of the spare one.
only_a_spare_slot() {
	local tool file id

	tool=$(command -v bpftool || echo /usr/sbin/bpftool)
	[[ -x $tool ]] || return 0
	for file in "/proc/$SERVICE/fdinfo/"*; do
		grep -q '^map_type:[[:space:]]*12$' "$file" || continue
		id=$(sed -n 's/^map_id:[[:space:]]*//p' "$file")
		[[ $(timeout 10 "$tool" -j map dump id "$id" | jq length) == 1 ]] || return 1
	done
}

# A loader whose client has gone takes a moment.
nothing_is_left() { # PID...
	wait_for only_a_spare
	wait_for only_a_spare_slot
	wait_for no_cgroups "$@"
}

@test "without the service an ordinary user is told so, and nothing runs" {
	local run=("$HOLDFAST" run -q --layers bpf-net --policy audit-only --log "$LOG" -- touch "$T/ran")

	((EUID != 0)) || run=(as_user "$T/bin/holdfast" run -q --layers sight --policy "$P" --log "$T/u/l" -- touch "$T/u/ran")
	run "${run[@]}"
	assert_equal "$status" 125
	if ((EUID == 0)); then
		assert_output --partial "needs root, or the service holdfast-loader.socket, which does not listen at $HOLDFAST_LOADER_SOCKET; the command was not run"
	fi
	[[ ! -e $T/ran && ! -e $T/u/ran ]]
}

@test "a loader that ends while the session begins: no session where sight was forced, else the plan has none" {
	skip_unless_root "to be the service"
	python3 -I "$T/loader_client.py" dies >"$T/out" 2>&1 3>&- &
	SERVICE=$!
	wait_for grep -q listens "$T/out"
	run timeout 60 "$HOLDFAST" run -q --layers sight --policy audit-only --log "$T/a.jsonl" -- touch "$T/ran"
	assert_equal "$status" 125
	assert_output --partial "the layer sight was lost while the session began"
	[[ ! -e $T/ran ]]
	timeout 60 "$HOLDFAST" run -q --layers auto,-bpf-net,-bpf-lsm --policy audit-only --log "$T/b.jsonl" -- touch "$T/ran"
	[[ -e $T/ran ]]
	assert_equal "$(jq -r 'select(.event == "session_start") | .layers[] | select(.class == "sight") | .layer + ": " + .why' "$T/b.jsonl")" \
		"none: holdfast-loader ended while the session began"
	assert_equal "$(grep -c "asked to seal" "$T/out")" 2
}

@test "who listens there and is not root is not asked" {
	skip_unless_root "to be two users"
	mkfifo "$T/end"
	HOLDFAST_LOADER_SOCKET=$T/u/fake.sock
	as_user python3 -I "$T/loader_client.py" fake <"$T/end" >"$T/out" 2>&1 3>&- &
	fake=$!
	started $fake
	exec 8>"$T/end"
	wait_for grep -q listens "$T/out"
	run session bpf-net a true
	assert_equal "$status" 125
	assert_output --partial "who listens at $T/u/fake.sock is not root, and not asked"
	exec 8>&-
	wait "$fake"
}

@test "an ordinary user's session: the same verdicts and records as by notification, decided on in the kernel" {
	serve
	for layers in -bpf bpf-net auto; do
		install -d -o $USER_ID "$T/u/$layers"
		(cd "$T/u/$layers" && session "$layers" "log$layers" /usr/bin/python3 -I "$T/layers.py" cases "$T/u/$layers") >"$T/$layers.out"
		jq -c --arg dir "$T/u/$layers" 'select(.event == "action" and .kind == "network") |
			[.op, (.object | sub($dir; "D") | sub("/tmp/h[0-9]{7}"; "H")), .verdict, .policy, .rule, .reason, .exe, (.result == "refused"), .error]' \
			"$T/u/log$layers.jsonl" | sort >"$T/$layers.records"
		diff "$T/-bpf.out" "$T/$layers.out"
		diff "$T/-bpf.records" "$T/$layers.records"
	done
	(($(wc -l <"$T/-bpf.records") > 100))
	assert_equal "$(jq -cs '[.[] | select(.kind == "network" and (.object | test("^10[.]"))) | .layer] | unique' "$T/u/logbpf-net.jsonl")" '["bpf-net","seccomp-notify"]'
	assert_equal "$(jq -r 'select(.event == "session_start") | .layers[] | select(.class == "network") | .layer' "$T/u/logauto.jsonl")" bpf-net
	run session bpf-net bare cat /proc/self/cgroup
	assert_line --regexp '^0::.*/holdfast-session-[0-9]+$'
	nothing_is_left
}

# Of the policies that ship it is the one that lets connections through whose names do not count.
@test "audit-only, as it ships, under an ordinary user: what is connected is recorded as by notification" {
	local layers

	serve
	P=$T/audit-only.yaml
	install -m 644 "$REPO/policies/audit-only.yaml" "$P"
	for layers in -bpf auto; do
		install -d -o $USER_ID "$T/u/$layers"
		(cd "$T/u/$layers" && session "$layers,-sight" "log$layers" sh -c '/usr/bin/python3 -I "$0" cases "$1" && /usr/bin/python3 -I "$0" other' \
			"$T/layers.py" "$T/u/$layers") >"$T/$layers.out"
		jq -c --arg dir "$T/u/$layers" 'select(.event == "action" and .kind == "network") |
			[.op, (.object | sub($dir; "D") | sub("/tmp/h[0-9]{7}"; "H")), .verdict, .would_have, .mode, .policy, .rule, .reason, .exe, .error]' \
			"$T/u/log$layers.jsonl" | sort >"$T/$layers.records"
		diff "$T/-bpf.out" "$T/$layers.out"
		diff "$T/-bpf.records" "$T/$layers.records"
	done
	assert_equal "$(jq -r 'select(.event == "session_start") | .layers[] | select(.class == "network") | .layer' "$T/u/logauto.jsonl")" bpf-net
	assert_equal "$(jq -cs '[.[] | select(.kind == "network" and .op == "connect" and (.object | startswith("unix") | not)) | .layer] | unique' "$T/u/logauto.jsonl")" '["bpf-net"]'
	nothing_is_left
}

@test "hostile messages: each ends its own connection, and no other" {
	serve
	run client messages
	assert_success
	for name in nothing half long version unknown probe "an answer" "seal first" "join first" "no descriptor" "a descriptor too many" twice; do
		assert_line "$name ended"
	done
	for name in "files without a descriptor" "files joined first"; do
		assert_line "$name ended"
	done
	for name in "a pipe" "a file" "not sealed" short "long tables" "out of bounds" "too big" "files of a pipe" "files not sealed" \
		"files too short" "a class too large" "a state too large" "a kind too large" "no states" "more verdicts" "too many cells"; do
		assert_line "$name -71" # EPROTO
	done
	run client noise 60
	assert_output "sent 60"
	run session bpf-net a true
	assert_success
	nothing_is_left
}

@test "only the client's own child is moved, and only one that stays his" {
	local root other

	serve
	setpriv --reuid=$((USER_ID + 1)) --regid=nogroup --clear-groups sleep 100 >/dev/null 2>&1 3>&- 4>&- &
	other=$!
	started $other
	sleep 100 >/dev/null 2>&1 3>&- 4>&- &
	root=$!
	started $root
	run client strangers $other $root
	assert_success
	for name in "another user's" "root's" "its own" "its parent" "one that could become root's" "a child's child"; do
		assert_line "$name -1" # EPERM
	done
	assert_line "no process -3" # ESRCH
	assert_line "its child 13"
	run grep holdfast-session "/proc/$root/cgroup"
	assert_failure
	nothing_is_left
}

@test "a crowd is refused at the door, and takes nothing from others" {
	serve --sessions-per-user 20
	mkfifo "$T/end"
	client crowd 10000 <"$T/end" >"$T/out" 2>&1 3>&- &
	started $!
	exec 8>"$T/end"
	wait_for grep -q '^refused' "$T/out"
	assert_equal "$(head -1 "$T/out")" "held 20 then -87" # EUSERS
	run session bpf-net a true
	assert_output --partial "this user has as many sessions with it as one user may have; the command was not run"
	# Another user's session.
	OTHER_ID=$((USER_ID + 1))
	chown -R $OTHER_ID "$T/u"
	run session bpf-net b true
	assert_success
	exec 8>&-
	nothing_is_left
}

@test "many sessions at once are separate, and nothing of them is left" {
	local n=${LOADER_SESSIONS:-200} pids

	serve --sessions-per-user 300
	mkfifo "$T/end"
	client many "$n" <"$T/end" >"$T/out" 2>&1 3>&- &
	started $!
	exec 8>"$T/end"
	wait_for grep -q "^sessions $n$" "$T/out"
	read -ra pids <<<"$(loaders)"
	assert_equal "$(cgroups "${pids[@]}")" "$n"
	echo go >&8
	wait_for grep -q '^allowed' "$T/out"
	assert_equal "$(tail -1 "$T/out")" "allowed $((n / 2)) refused $((n / 2))"
	exec 8>&- # the client ends
	nothing_is_left "${pids[@]}"
}

@test "the verdicts outlive the loader of a session, and the service cleans up after it" {
	serve
	waiting_session
	kill -KILL "${GROUP##*-}" # it is named for its loader
	wait_for only_a_spare
	assert_equal "$(cgroups "${GROUP##*-}")" 1
	let_go
	wait_for no_cgroups "${GROUP##*-}"
	wait_for only_a_spare_slot
}

@test "a service that is stopped takes nothing from a session" {
	serve
	waiting_session
	kill "$SERVICE"
	wait "$SERVICE" || true
	let_go
	wait_for no_cgroups "${GROUP##*-}"
}
