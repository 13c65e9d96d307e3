#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs that download by TLS under `verify: sni`, as they are. verify.bats has what is judged, names_clients.bats
# the same by HTTP and rules on names.

setup() {
	load helpers/common
	load helpers/look
	look_setup
	mkdir -p "$T/www"
	policy names <<EOF
default: {tool: allow, path: allow, network: deny, unix: allow}
rules:
  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}
  - {name: good, match: {domain: [good.example, "*.good.example"], verify: sni}, action: allow}
EOF
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
	mkdir -p "$T/package" "$T/project-npm"
	echo '{"name": "left", "version": "1.2.0", "main": "index.js"}' >"$T/package/package.json"
	echo 'module.exports = (s, n) => s.padStart(n, "-");' >"$T/package/index.js"
	tar -czf "$T/www/left-1.2.0.tgz" -C "$T" package
	cat >"$T/www/left" <<-EOF
		{"name": "left", "dist-tags": {"latest": "1.2.0"}, "versions": {"1.2.0": {"name": "left", "version": "1.2.0",
		"dist": {"tarball": "https://npm.good.example/left-1.2.0.tgz",
		"integrity": "sha512-$(openssl dgst -sha512 -binary "$T/www/left-1.2.0.tgz" | base64 -w0)"}}}}
	EOF
	export npm_config_cache=$T/npm-cache npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false npm_config_fetch_retries=0
	export npm_config_cafile=$T/cert.pem
	cd "$T/project-npm"
	npm init -y >/dev/null
	run hf_world npm install --registry https://npm.good.example/ left
	assert_success
	assert_equal "$(node -e 'console.log(require("left")("x", 5))')" ----x
	said npm.good.example
}

@test "apt-get update and download over TLS" {
	skip_without apt-get dpkg-deb
	mkdir -p "$T/www/deb" "$T/build/DEBIAN" "$T/apt/etc/apt.conf.d" "$T/apt/etc/preferences.d" "$T/apt/state/lists/partial" "$T/apt/cache/archives/partial"
	printf 'Package: hf-hello\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' >"$T/build/DEBIAN/control"
	dpkg-deb -b "$T/build" "$T/www/deb/hf-hello_1_all.deb" >/dev/null
	(
		cat "$T/build/DEBIAN/control"
		echo "Filename: ./hf-hello_1_all.deb"
		echo "Size: $(stat -c %s "$T/www/deb/hf-hello_1_all.deb")"
		echo "SHA256: $(sha256sum <"$T/www/deb/hf-hello_1_all.deb" | cut -d' ' -f1)"
	) >"$T/www/deb/Packages"
	echo "deb [trusted=yes] https://deb.good.example/deb ./" >"$T/apt/etc/sources.list"
	: >"$T/apt/status"
	local options=(-o Dir::Etc="$T/apt/etc" -o Dir::State="$T/apt/state" -o Dir::State::status="$T/apt/status" -o Dir::Cache="$T/apt/cache"
		-o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::Languages=none -o Acquire::https::CAInfo="$T/cert.pem")
	cd "$T/apt"
	run hf_world bash -c 'apt-get "$@" update && apt-get "$@" download hf-hello' - "${options[@]}"
	assert_success
	cmp "$T/www/deb/hf-hello_1_all.deb" "$T/apt/hf-hello_1_all.deb"
	said deb.good.example
}

@test "git clone over TLS" {
	skip_without git
	git init -q "$T/tree"
	git -C "$T/tree" -c user.name=x -c user.email=x@example.org commit -q --allow-empty -m first
	git clone -q --bare "$T/tree" "$T/www/r.git"
	git -C "$T/www/r.git" update-server-info
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
	run world "$HF_HELPERS/with" -u "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$T/fetch" "$T/cert.pem" https://good.example/x
	assert_output "HTTP/1.1 GET good.example/x 0"
}
