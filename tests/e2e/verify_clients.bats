#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs that download by TLS under `verify: sni`, as they are. verify.bats has what is judged, names_clients.bats
# the same by HTTP and rules on names.

setup() {
	load helpers/common
	load helpers/downloads
	load helpers/look
	look_setup
	mkdir "$T/www"
	policy_verified
}

teardown() {
	hf_teardown
}

# The last session's connections said this name, and none went elsewhere.
said() {
	session_ended
	log_has '.op == "connect" and .layer == "sni" and .verdict == "allow" and .asked == "'"$1"'"'
}

@test "npm install over TLS" {
	skip_without npm node
	npm_project https://npm.good.example
	export npm_config_cafile=$T/cert.pem
	run hf_world npm install --registry https://npm.good.example/ left
	assert_success
	assert_npm_installed
	said npm.good.example
}

@test "apt-get update and download over TLS" {
	skip_without apt-get dpkg-deb
	apt_project https://deb.good.example/deb
	run hf_world bash -c 'apt-get "$@" update && apt-get "$@" download hf-hello' - "${APT_OPTIONS[@]}"
	assert_success
	assert_apt_downloaded
	said deb.good.example
}

@test "git clone over TLS" {
	skip_without git
	git_repository "$T/www/r.git"
	run hf_world env GIT_SSL_CAINFO="$T/cert.pem" git clone -q https://good.example/r.git "$T/clone"
	assert_success
	assert_equal "$(git -C "$T/clone" log --format=%s)" first
	said good.example
}

@test "HTTP/2: what ALPN agreed on goes through, by curl and node, and by no other name" {
	skip_without node
	echo 'exec node "$HELPERS/h2_server.mjs" "$1"' >"$T/also"
	export HELPERS
	run hf_world bash -c "
		for version in --http2 --http1.1; do curl -sS -m 60 \$version --cacert $T/cert.pem https://api.good.example:8443/x; done
		curl -sS -m 60 --http2 --cacert $T/cert.pem --connect-to evil.example:8443:good.example:8443 https://evil.example:8443/x
		NODE_EXTRA_CA_CERTS=$T/cert.pem node -e '
			const client = require(\"node:http2\").connect(\"https://good.example:8443\");
			const request = client.request({\":path\": \"/\"});
			request.pipe(process.stdout);
			request.on(\"close\", () => client.close());'"
	assert_line "2.0 api.good.example api.good.example:8443"
	assert_line "1.1 api.good.example api.good.example:8443"
	assert_line "2.0 good.example good.example:8443"
	refute_output --partial " evil"
	session_ended
	log_has '.op == "connect" and .layer == "sni" and .verdict == "deny" and .asked == "evil.example"'
}

@test "early data of TLS goes through behind a name that is allowed, and not behind another" {
	cat >"$T/also" <<-'EOF'
		sleep infinity | openssl s_server -accept 4433 -cert "$1/cert.pem" -key "$1/key.pem" -early_data >"$1/early" 2>&1 &
		until ss -Hltn sport = 4433 | grep -q .; do sleep 0.05; done
		touch "$1/also.up"
		wait $!
	EOF
	printf 'first words' >"$T/words"
	cat >"$T/agent" <<-'EOF'
		cd "$1"
		client=(timeout 60 openssl s_client -connect good.example:4433 -CAfile cert.pem)
		# The server's ticket comes behind the handshake.
		until [[ -s session ]]; do sleep 0.05; done | "${client[@]}" -servername good.example -sess_out session >/dev/null 2>&1
		for name in good.example evil.example; do
			"${client[@]}" -servername "$name" -sess_in session -early_data words </dev/null 2>&1 | grep -o 'Early data was accepted'
		done
	EOF
	run hf_world bash "$T/agent" "$T"
	assert_output "Early data was accepted"
	assert_equal "$(grep -c 'BEGIN SSL SESSION' "$T/early")" 2
	session_ended
	log_has '.op == "connect" and .layer == "sni" and .verdict == "deny" and .asked == "evil.example"'
}

# One of Debian's programs (names_clients.bats).
@test "Go's own TLS" {
	skip_without gron
	echo '{"greeting": "hello"}' >"$T/www/j"
	cat >"$T/agent" <<-'EOF'
		export GODEBUG=netdns=go SSL_CERT_FILE=$1/cert.pem
		gron -m https://api.good.example/j
		gron -m https://evil.example/j
	EOF
	for how in hf_world hf_contained; do
		run "$how" bash "$T/agent" "$T"
		assert_line 'json.greeting = "hello";'
		assert_line --partial '"https://evil.example/j": dial tcp 198.51.100.2:443: connect: permission denied'
		said api.good.example
		rm "$LOG"
	done
}

# Opt-in: the compiler is large and nothing else here needs it, and it takes half a minute.
@test "Go's own TLS and HTTP/2, in a static program" {
	[[ -n ${E2E_GO:-} ]] || skip "opt-in: E2E_GO=1, with Go installed"
	skip_without go node
	CGO_ENABLED=0 GO111MODULE=off GOCACHE=$T/go HOME=$T go build -o "$T/fetch" "$HELPERS/fetch.go"
	echo 'exec node "$HELPERS/h2_server.mjs" "$1"' >"$T/also"
	export HELPERS
	run hf_world "$T/fetch" "$T/cert.pem" https://good.example/x https://api.good.example:8443/y https://evil.example/z
	assert_output "HTTP/1.1 GET good.example/x 0
HTTP/2.0 2.0 api.good.example api.good.example:8443
failed"
	run hf_contained "$T/fetch" "$T/cert.pem" https://good.example/x
	assert_output "HTTP/1.1 GET good.example/x 0"
}
