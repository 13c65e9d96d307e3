#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs that download by name, under a policy of names: as they are, without a proxy. names.bats has the resolvers.

setup() {
	load helpers/common
	load helpers/downloads
	load helpers/names
	names_setup
	mkdir "$T/www"
	policy names <<EOF
default: {tool: allow, path: allow, network: deny, unix: allow}
questions: {records: [A, AAAA, HTTPS, SRV], max_name: 128, max_label: 56, max_entropy: 4.5, per_minute: 600}
rules:
  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}
  - {name: good, match: {domain: [npm.good.example, deb.good.example, git.good.example, good.example], port: [22, 80]}, action: allow}
EOF
}

teardown() {
	[[ -z ${place-} ]] || rm -rf "$place"
	hf_teardown
}

@test "npm install by name, and nothing by another one" {
	skip_without npm node
	npm_project http://npm.good.example
	run hf_world npm install --registry http://npm.good.example/ left
	assert_success
	assert_npm_installed
	session_ended
	log_has '.op == "connect" and .domains == ["npm.good.example"] and .rule == "good"'
	run hf_world npm install --registry http://other.good.example/ --prefer-online left
	assert_failure
	assert_output --partial ENOTFOUND
}

@test "apt-get update and download by name, SRV records included" {
	skip_without apt-get dpkg-deb
	apt_project http://deb.good.example/deb
	run hf_world bash -c 'apt-get "$@" update && apt-get "$@" download hf-hello' - "${APT_OPTIONS[@]}"
	assert_success
	assert_apt_downloaded
	session_ended
	log_has '.op == "resolve" and .asked == "SRV" and .object == "_http._tcp.deb.good.example" and .verdict == "allow" or .op == "connect" and .domains == ["deb.good.example"]'
}

@test "git over http and over ssh by name, as root and as an ordinary user" {
	local who

	skip_unless_root # its own account is all that an ordinary user's name space has, and sshd changes to others
	skip_without git ssh dropbear dropbearkey setpriv
	place=$(mktemp -d /tmp/hf-names-XXXXXX) # what is above $T is root's alone
	git init -q --bare "$place/r.git"
	git -C "$place/r.git" update-server-info
	ln -s "$place/r.git" "$T/www/r.git"
	ssh-keygen -q -t ed25519 -N "" -f "$place/key"
	dropbearkey -t ed25519 -f "$place/host" >/dev/null 2>&1
	cp "$HOLDFAST" "$place/hf"
	cp "$POLICY" "$place/policy.yaml"
	cat >"$place/serve" <<-'EOF'
		mount -t tmpfs -o mode=700 none /root
		mkdir -m 700 /root/.ssh
		cp "$1/key.pub" /root/.ssh/authorized_keys
		dropbear -F -E -s -r "$1/host" -p 198.51.100.1:22 -P "$1/pid" >"$1/dropbear.log" 2>&1 3>&- &
		server=$!
		for ((i = 0; i < 200; i++)); do
			[[ -z $(ss -Hltn sport = 22) ]] || break
			sleep 0.05
		done
		mkdir -p "$1/$2"
		cp "$1/key" "$1/$2/key"
		chmod 700 "$1/$2"
		chmod 600 "$1/$2/key"
		chown -R "$2:$2" "$1/$2"
		cd "$1/$2"
		setpriv --reuid="$2" --regid="$2" --clear-groups env HOME="$PWD" XDG_RUNTIME_DIR="$PWD" XDG_STATE_HOME="$PWD" XDG_CONFIG_HOME="$PWD" \
			GIT_SSH_COMMAND="ssh -F none -i $PWD/key -o UserKnownHostsFile=$PWD/known -o StrictHostKeyChecking=accept-new" \
			"$1/hf" run --log "$PWD/log" --policy "$1/policy.yaml" -- bash -c '
				git clone -q "ssh://root@git.good.example$1/r.git" a 2>&1 | grep -v "empty repo"
				git clone -q "http://git.good.example/r.git" b 2>&1 | grep -v "empty repo"
				git -C a rev-parse --git-dir; git -C b rev-parse --git-dir
				git ls-remote "ssh://root@bad.example$1/r.git" 2>&1 | grep -o "Could not resolve hostname"' - "$1"
		status=$?
		kill "$server"
		exit "$status"
	EOF
	chmod 755 "$place" "$place/hf" "$place/policy.yaml"
	for who in 0 65534; do
		run world bash "$place/serve" "$place" "$who"
		assert_line "Could not resolve hostname"
		assert_equal "$(grep -cx .git <<<"$output")" 2
	done
}

# Of Debian's programs a small one that asks by Go's resolver if it is told to, and says so.
@test "Go's resolver and Go's HTTP" {
	skip_without gron
	echo '{"greeting": "hello"}' >"$T/www/j"
	cat >"$T/agent" <<-'EOF'
		export GODEBUG=netdns=go+2
		for name in good.example bad.example; do
			gron -m "http://$name/j" 2>&1
		done
	EOF
	for how in hf_world hf_contained; do
		run "$how" bash "$T/agent"
		assert_line --partial "hostLookupOrder(good.example) = files,dns"
		assert_line 'json.greeting = "hello";'
		assert_output --partial "lookup bad.example on 203.0.113.53:53: no such host"
		session_ended
		log_has '.op == "resolve" and .object == "bad.example" and .verdict == "deny" and (.exe | endswith("/gron"))'
		log_has '.op == "connect" and .domains == ["good.example"] and .rule == "good" and (.exe | endswith("/gron"))'
		rm "$LOG"
	done
}

# Opt-in: the compiler is large, and it takes half a minute.
@test "Go's resolver, in a static program" {
	[[ -n ${E2E_GO:-} ]] || skip "opt-in: E2E_GO=1, with Go installed"
	skip_without go
	CGO_ENABLED=0 GO111MODULE=off GOCACHE=$T/go HOME=$T go build -o "$T/lookup-go" "$HELPERS/lookup.go"
	run hf_world "$T/lookup-go" good.example bad.example
	assert_output "198.51.100.1 198.51.100.1:80
no such host"
	run hf_contained "$T/lookup-go" good.example bad.example
	assert_output "198.51.100.1 198.51.100.1:80
no such host"
}
