#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The layers that a session may stand on: whichever carries a verdict out, it is the same one, and so is the record.

setup() {
	load helpers/common
	hf_setup
	HELPER=$BATS_TEST_DIRNAME/helpers/layers.py
	cp "$HELPER" "$HELPERS/layers_bot" "$T"
	HELPER=$T/layers.py
	P=$T/layers.yaml
	cp "$HELPERS/layers.yaml" "$P"
}

teardown() {
	hf_teardown
}

needs_net() {
	((EUID == 0)) || skip "needs root"
	[[ -x ${HOLDFAST%/*}/holdfast-loader ]] || skip "this build has no holdfast-loader"
	"$HOLDFAST" run -q --layers bpf-net --policy "$P" --log "$T/needs.jsonl" -- true 2>/dev/null ||
		skip "no programs of a cgroup for unix sockets here (Linux 6.7)"
}

session() { # LAYERS NAME COMMAND...: a session with its log in $T/NAME.jsonl
	local layers=$1 name=$2
	shift 2
	timeout -s KILL 60 "$HOLDFAST" run -q --ask "${ASK:-deny}" --layers "$layers" --policy "$P" --log "$T/$name.jsonl" -- "$@"
}

layer_of() { # NAME CLASS: of its first record
	jq -r --arg class "$2" 'select(.event == "session_start") | .layers[] | select(.class == $class) | .layer' "$T/$1.jsonl"
}

records() { # NAME
	jq -c --arg dir "$T/$1.d" -f "$HELPERS/layers.jq" "$T/$1.jsonl" | sort
}

@test "one table of cases under each combination of layers: the same verdicts, the same records" {
	local combinations=(-bpf -bpf,-landlock) layers n=0
	if ((EUID == 0)) && [[ -x ${HOLDFAST%/*}/holdfast-loader ]]; then
		combinations+=(auto auto,-landlock auto,-sight auto,-bpf-net)
	fi
	for layers in "${combinations[@]}"; do
		/usr/bin/python3 -I "$HELPER" prepare "$T/$n.d"
		(cd "$T/$n.d" && ASK=command:$T/layers_bot session "$layers" "$n" /usr/bin/python3 -I "$HELPER" cases "$T/$n.d") >"$T/$n.out"
		records "$n" >"$T/$n.records"
		/usr/bin/python3 -I "$HELPER" tree "$T/$n.d" >"$T/$n.tree"
		for what in out records tree; do
			diff "$T/0.$what" "$T/$n.$what"
		done
		run "$HOLDFAST" verify "$T/$n.jsonl"
		assert_success
		n=$((n + 1))
	done
	# Both answers are in it, of each kind.
	for kind in tcp udp send mptcp bind read read-again list write append create truncate unlink rmdir mkdir mkfifo symlink link link-of rename rename-to chmod chown times xattr; do
		grep -q "^$kind .*refused" "$T/0.out"
		grep -q "^$kind .*through" "$T/0.out"
	done
	for verdict in allow flag ask deny; do
		grep -q "\"$verdict\"" "$T/0.records"
	done
	(($(wc -l <"$T/0.records") > 250))
}

@test "with bpf-net connections are decided on in the kernel, and the record is like any other" {
	needs_net
	mkdir "$T/d"
	(cd "$T/d" && session bpf-net a /usr/bin/python3 -I "$HELPER" cases "$T/d") >/dev/null
	assert_equal "$(layer_of a network)" bpf-net
	# All but bind, long names of unix sockets, and sends with control messages, which could hold a source route.
	assert_equal "$(jq -cs '[.[] | select(.kind == "network" and .op == "connect" and .layer != "bpf-net") | .object | startswith("unix:")] | unique' "$T/a.jsonl")" '[true]'
	assert_equal "$(jq -cs '[.[] | select(.syscall == "sendmsg") | .layer] | unique' "$T/a.jsonl")" '["seccomp-notify"]'
	# The kernel and the policy agree in each.
	assert_equal "$(grep -c layers-disagree "$T/a.jsonl")" 0
	# So is a unix socket whose name is as long as an IP address.
	assert_equal "$(jq -r 'select(.op == "connect" and (.object | test("^unix:/tmp/h[0-9]{7}$"))) | [.layer, (.object == "unix:" + .asked)] | join(" ")' "$T/a.jsonl")" \
		"bpf-net true"
	assert_equal "$(jq -cs '[.[] | select(.op == "connect") | (.pid > 0 and .ppid > 0 and (.exe | startswith("/usr/bin/python3")))] | unique' "$T/a.jsonl")" '[true]'
}

@test "an address that changes under the call is judged as the kernel uses it" {
	needs_net
	P=$T/race.yaml
	cat >"$P" <<-'EOF'
		version: 1
		name: race
		default: {tool: allow, path: allow, network: deny, unix: allow}
		rules:
		  - {name: here, match: {address: 127.0.0.1, port: 20000-29999}, action: allow}
		  - {name: serve, match: {op: [bind, listen]}, action: allow}
	EOF
	run session bpf-net a /usr/bin/python3 -I "$HELPER" race "${RACE_ROUNDS:-2000}"
	assert_line both
	assert_equal "$(jq -s '[.[] | select(.op == "connect")] | length' "$T/a.jsonl")" "${RACE_ROUNDS:-2000}"
}

@test "of many messages in one call none reaches what is denied, whoever decides" {
	local layers combinations=(-bpf)

	if ((EUID == 0)) && [[ -x ${HOLDFAST%/*}/holdfast-loader ]]; then
		combinations+=(auto)
	fi
	P=$T/mixed.yaml
	cat >"$P" <<-'EOF'
		version: 1
		name: mixed
		denials: {on_limit: none}
		default: {tool: allow, path: allow, network: deny, unix: allow}
		rules:
		  - {name: here, match: {address: 127.0.0.1, port: 20000-20999}, action: allow}
		  - {name: serve, match: {op: bind}, action: allow}
	EOF
	install -m 644 "$HELPERS/mixed.py" "$T/mixed.py"
	for layers in "${combinations[@]}"; do
		session "$layers" "mixed$layers" /usr/bin/python3 -I "$T/mixed.py" "${RACE_ROUNDS:-500}" >"$T/mixed$layers.out"
		run grep -c " 0$" "$T/mixed$layers.out" # what arrived where nothing may
		assert_output "$(wc -l <"$T/mixed$layers.out")"
		grep -q "^race both" "$T/mixed$layers.out"
		diff "$T/mixed-bpf.out" "$T/mixed$layers.out"
	done
	# One action, of which the strictest verdict counts.
	assert_equal "$(sed -n '1p;6p' "$T/mixed-bpf.out" | cut -d" " -f 5-)" "sent EACCES arrived 0 0
sent 3 arrived 3 0"
}

@test "what the kernel's tables cannot say is notified, and the plan says why" {
	needs_net
	P=$T/ask.yaml
	printf 'version: 1\nname: ask\ndefault: {tool: allow, path: allow, network: ask, unix: allow}\n' >"$P"
	session auto a true
	assert_equal "$(layer_of a network)" seccomp-notify
	assert_equal "$(jq -r 'select(.event == "session_start") | .layers[] | select(.class == "network") | .not_cheaper' "$T/a.jsonl")" \
		"a rule asks about connections, and the kernel cannot wait for an answer"
	run session bpf-net b true
	assert_equal "$status" 125
	assert_output --partial "--layers bpf-net: a rule asks about connections, and the kernel cannot wait for an answer; the command was not run"
	printf 'rules: [{name: docker, match: {path: /run/docker.sock, op: connect}, action: deny}]\n' >>"$P"
	run session bpf-net c true
	assert_output --partial "a rule decides on unix sockets"
}

@test "a policy can require a layer, and --layers can forbid one: then nothing is run" {
	printf 'require: [bpf-net]\n' >>"$P"
	run session -bpf a true
	assert_equal "$status" 125
	assert_output --partial "a policy requires the layer bpf-net: forbidden by --layers; the command was not run"
	HOLDFAST_WITHOUT=ebpf-net run session auto b true
	assert_equal "$status" 125
	assert_output --partial "taken away by HOLDFAST_WITHOUT"
	sed -i 's/^require.*/require: landlock/' "$P"
	run session -landlock c true
	assert_equal "$status" 125
	assert_output --partial "a policy requires the layer landlock: forbidden by --layers"
	sed -i 's/^require.*/require: nonsense/' "$P"
	run "$HOLDFAST" policy check "$P"
	assert_failure
	assert_output --partial "there is no layer 'nonsense'; there are landlock, bpf-net, bpf-lsm and sight"
	run "$HOLDFAST" run --layers bpf-nte -- true
	assert_equal "$status" 125
	assert_output --partial "--layers 'bpf-nte': expected"
}

@test "a machine without the layer: the session runs on those that are left, and says so" {
	sed -i '/^require/d' "$P"
	HOLDFAST_WITHOUT=ebpf-net,landlock-scopes session auto,-sight a true
	assert_equal "$(layer_of a network)" seccomp-notify
	assert_equal "$(layer_of a signals)" seccomp-notify
	HOLDFAST_WITHOUT=landlock session -bpf b true
	assert_equal "$(layer_of b floor)" none
}

@test "explain --plan says of each class the layer, its cost, and why not a cheaper one" {
	run "$HOLDFAST" policy explain --policy "$P" --plan --json --layers auto
	assert_success
	assert_equal "$(jq -c '[.layers[] | select((.layer and .cost and .why) | not)] | length' <<<"$output")" 0
	assert_equal "$(jq -c '[.layers[] | select(.layer == "seccomp-notify" and .not_cheaper == null)] | length' <<<"$output")" 0
	run "$HOLDFAST" policy explain --policy "$P" --plan --layers -bpf
	assert_output --partial "not cheaper: forbidden by --layers"
}

@test "the verdicts outlive the loader, and the cgroup does not outlive the session" {
	needs_net
	mkfifo "$T/fifo"
	session bpf-net a bash -c 'cat /proc/self/cgroup; read -r _ <"$0"; exec 3<>/dev/tcp/192.0.2.1/80' "$T/fifo" >"$T/out" 2>&1 3>&- &
	pid=$!
	timeout 20 bash -c 'until grep -q "^0::" "$0" 2>/dev/null; do sleep 0.02; done' "$T/out"
	group=$(sed -n 's/^0:://p' "$T/out")
	kill -9 "${group##*-}" # it is named for its loader
	echo >"$T/fifo"
	wait "$pid" || true
	assert_equal "$(jq -r 'select(.object == "192.0.2.1:80") | [.verdict, .layer] | join(" ")' "$T/a.jsonl")" "deny bpf-net"
	mount=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
	[[ $group == */holdfast-session-* && ! -e $mount$group ]]
}

@test "a supervisor that is killed leaves no cgroup" {
	needs_net
	session bpf-net a bash -c 'cat /proc/self/cgroup; exec sleep 100' >"$T/out" 2>&1 3>&- &
	pid=$!
	timeout 20 bash -c 'until grep -q "^0::" "$0" 2>/dev/null; do sleep 0.02; done' "$T/out"
	group=$(sed -n 's/^0:://p' "$T/out")
	kill -9 "$(jq -r 'select(.event == "session_start") | .supervisor' "$T/a.jsonl")"
	wait "$pid" || true
	mount=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
	timeout 20 bash -c 'while [[ -e $0 ]]; do sleep 0.02; done' "$mount$group"
}

@test "a socket from outside is not of the session's cgroup: then the kernel does not decide" {
	needs_net
	run session bpf-net a true < <(:)
	assert_success
	run /usr/bin/python3 -c 'import os, socket, sys
s = socket.socket()
os.dup2(s.fileno(), 0)
os.execvp(sys.argv[1], sys.argv[1:])' "$HOLDFAST" run -q --layers bpf-net --policy "$P" --log "$T/b.jsonl" -- true
	assert_equal "$status" 125
	assert_output --partial "the command gets a socket from outside"
}
