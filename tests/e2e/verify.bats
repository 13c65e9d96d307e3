#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `verify: sni` and rules on HTTP requests: what a connection says first decides, before anything of
# it leaves. In a network of its own, with a DNS server, TLS and HTTP servers.

setup() {
	load helpers/common
	load helpers/look
	look_setup
	policy_verified
}

teardown() {
	hf_teardown
}

@test "who says the name that was resolved is let through, and the records say whom" {
	run hf_world bash -c "curl -sS -m 60 --cacert $T/cert.pem https://good.example/x && curl -sS -m 60 http://api.good.example/y"
	assert_success
	assert_output "GET good.example/x 0
GET api.good.example/y 0"
	session_ended
	log_has '.op == "connect" and .object == "198.51.100.1:443" and .layer == "seccomp-notify" and .rule == "good" and .domains == ["good.example"]'
	log_has '.op == "connect" and .object == "198.51.100.1:443" and .layer == "sni" and .asked == "good.example" and .rule == "good" and .domains == ["good.example"] and (.exe | endswith("/curl")) and .pid'
	log_has '.op == "connect" and .layer == "http" and .asked == "GET http://api.good.example/y" and .domains == ["api.good.example"]'
	run "$HOLDFAST" replay --policy "$POLICY" --expect same "$LOG"
	assert_success
}

@test "who says another name is stopped before anything leaves, and recorded" {
	run hf_world curl -sS -m 60 --cacert "$T/cert.pem" --connect-to evil.example:443:good.example:443 https://evil.example/x
	assert_failure 35
	session_ended
	log_has '.op == "connect" and .layer == "sni" and .verdict == "deny" and .asked == "evil.example" and .domains == ["evil.example", "good.example"] and .result == "refused" and .reason == "The connection asks for a name that is not allowed."'
	assert_equal "$(cat "$T/seen")" ""
	run hf_world curl -sS -m 60 -H "Host: evil.example" http://good.example/x
	assert_failure 56
	session_ended
	log_has '.op == "connect" and .layer == "http" and .verdict == "deny" and .asked == "GET http://evil.example/x"'
	assert_equal "$(cat "$T/seen")" ""
	run "$HOLDFAST" replay --policy "$POLICY" --expect same "$LOG"
	assert_success
}

@test "of two names with one address the one that is meant decides" {
	run hf_world bash -c "getent hosts second.other.example first.good.example; curl -sS -m 60 --cacert $T/cert.pem https://first.good.example/y; curl -sS -m 60 --cacert $T/cert.pem https://second.other.example/z"
	assert_failure 35
	assert_line "GET first.good.example/y 0"
	run grep -c second "$T/seen"
	assert_output 0
	# A name that is denied closes the address to others only where nobody looks.
	policy denied <<EOF
default: {tool: allow, path: allow, network: allow, unix: allow}
rules:
  - {name: ask, match: {domain: ["*"], op: [resolve]}, action: allow}
  - {name: second, match: {domain: [second.other.example], verify: sni}, action: deny}
EOF
	run hf_world bash -c "getent hosts second.other.example first.good.example; curl -sS -m 60 --cacert $T/cert.pem https://first.good.example/x; curl -sS -m 60 --cacert $T/cert.pem https://second.other.example/x"
	assert_failure 35
	assert_line "GET first.good.example/x 0"
}

@test "attacks on what is read of TLS" {
	run client tls_good tls_pieces tls_slow tls_fast_open_good tls_other tls_unresolved tls_no_name tls_address \
		tls_other_in_second_record tls_two_names tls_ech tls_garbage noise ssh tls_fast_open tls_again tls_second_hello udp
	assert_success
	assert_output "tls_good hello
tls_pieces hello
tls_slow hello
tls_fast_open_good hello
tls_other reset
tls_unresolved reset
tls_no_name reset
tls_address reset
tls_other_in_second_record reset
tls_two_names reset
tls_ech reset
tls_garbage reset
noise reset
ssh reset
tls_fast_open reset
tls_again HTTP/1.1 200 OK
tls_second_hello reset
udp PermissionError"
	run grep -E "evil|new|connection$" "$T/seen"
	assert_output ""
	session_ended
	log_has '.layer == "look" and .verdict == "deny" and .reason == "The connection does not say which name it asks for."'
}

@test "attacks on what is read of HTTP" {
	run client http_good http_body_is_no_request http_half_closed http_other_host http_two_hosts http_absolute http_second_host \
		http_folded http_bare_lf http_both_lengths http_two_lengths http_chunk_extension http_upgrade http_h2 http_connect \
		http_large_bodies http_other_after_body http_other_after_chunks http_cut_body http_nul http_lone_cr http_blank_before_colon \
		http_signed_length http_listed_lengths http_odd_coding http_two_codings http_0_9 http_websocket http_huge_head \
		http_many_headers http_no_host
	assert_success
	assert_output "http_good 2
http_body_is_no_request 2
http_half_closed 1
http_other_host 0 reset
http_two_hosts 0 reset
http_absolute 0 reset
http_second_host reset
http_folded 0 reset
http_bare_lf 0 reset
http_both_lengths 0 reset
http_two_lengths 0 reset
http_chunk_extension 0 reset
http_upgrade 0 reset
http_h2 0 reset
http_connect 0 reset
http_large_bodies 4
http_other_after_body reset
http_other_after_chunks reset
http_cut_body reset
http_nul 0 reset
http_lone_cr 0 reset
http_blank_before_colon 0 reset
http_signed_length 0 reset
http_listed_lengths 0 reset
http_odd_coding 0 reset
http_two_codings 0 reset
http_0_9 0 reset
http_websocket 0 reset
http_huge_head 0 reset
http_many_headers 0 reset
http_no_host 0 reset"
	run grep -E "evil|secret" "$T/seen"
	assert_failure
}

@test "rules on requests: each one of a connection is decided on" {
	policy requests <<EOF
default: {tool: allow, path: allow, network: deny, unix: allow}
rules:
  - {name: read, match: {domain: [good.example], http_method: [GET, HEAD], http_path: ["/public/**"]}, action: allow}
EOF
	run client http_good http_secret http_escape http_post http_other_host tls_good
	assert_success
	assert_output "http_good 2
http_secret 0 reset
http_escape 0 reset
http_post 0 reset
http_other_host 0 reset
tls_good reset"
	session_ended
	log_has '.layer == "http" and .verdict == "allow" and .rule == "read" and .asked == "GET http://good.example/public/a"'
	log_has '.layer == "http" and .verdict == "deny" and .asked == "POST http://good.example/public/a"'
	policy never <<EOF
default: {tool: allow, path: allow, network: allow, unix: allow}
rules:
  - {name: secret, match: {domain: [good.example], port: [80], http_path: ["/secret/**"]}, action: deny, reason: No.}
EOF
	run client http_good http_secret http_escape http_post tls_good
	assert_success
	assert_output "http_good 2
http_secret 0 reset
http_escape 0 reset
http_post 1
tls_good hello"
	session_ended
	log_has '.layer == "http" and .verdict == "deny" and .rule == "secret" and .reason == "No."'
}

@test "what newer clients of TLS send, whole and in pieces" {
	run client tls_alpn tls_alpn_other tls_grease tls_grease_other tls_post_quantum tls_post_quantum_other \
		tls_post_quantum_pieces tls_post_quantum_other_pieces tls_early_data
	assert_success
	assert_output "tls_alpn hello
tls_alpn_other reset
tls_grease hello
tls_grease_other reset
tls_post_quantum hello
tls_post_quantum_other reset
tls_post_quantum_pieces hello
tls_post_quantum_other_pieces reset
tls_early_data reset"
	run grep evil "$T/seen"
	assert_failure
}

@test "by IPv6 the same, and QUIC by no port and family" {
	run client six_tls six_tls_other six_http six_http_other six_ends six_mapped six_mapped_other quic quic_other_port quic_six
	assert_success
	assert_output "six_tls hello
six_tls_other reset
six_http HTTP/1.1 200
six_http_other reset
six_ends ('2001:db8::1', 80)
six_mapped ::ffff:198.51.100.1 hello
six_mapped_other reset
quic PermissionError
quic_other_port PermissionError
quic_six PermissionError"
	run hf_world bash -c "for way in -4 -6; do curl -sS -m 60 \$way --cacert $T/cert.pem https://both.good.example/x; done"
	assert_output "GET both.good.example/x 0
GET both.good.example/x 0"
	session_ended
	log_has '.op == "connect" and .object == "[2001:db8::1]:443" and .layer == "sni" and .asked == "both.good.example" and .rule == "good"'
}

@test "many that say nothing hold nobody up, and past the leader's descriptors connections wait" {
	run client silent
	assert_output "silent hello"
	run world prlimit --nofile=200:200 "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- \
		/usr/bin/python3 "$HELPERS/look_client.py" "$T" silent_past_limit
	assert_output "silent_past_limit hello"
}

@test "an encrypted name is let through by the outer one only where the policy says so" {
	run client tls_ech
	assert_output "tls_ech reset"
	sed -i 's/verify: sni/verify: outer-sni/' "$POLICY"
	run client tls_ech tls_good tls_other
	assert_output "tls_ech hello
tls_good hello
tls_other reset"
}

@test "a program sees its connection as if nobody stood in between" {
	run client ends congestion no_blocking reset_by_agent many
	assert_success
	assert_output "ends ('198.51.100.1', 80) 198.51.100.1
congestion reno
no_blocking True True HTTP/1.1 200
reset_by_agent closed
many 300 300"
}

@test "clients: git, node, python" {
	skip_without git node
	mkdir -p "$T/www"
	git init -q --bare "$T/www/r.git"
	git -C "$T/www/r.git" update-server-info
	run hf_world env GIT_SSL_CAINFO="$T/cert.pem" git ls-remote https://good.example/r.git
	assert_success
	run hf_world env NODE_EXTRA_CA_CERTS="$T/cert.pem" node -e 'fetch("https://good.example/n").then(r => r.text()).then(t => process.stdout.write(t))'
	assert_output "GET good.example/n 0"
	run hf_world /usr/bin/python3 -c "import ssl, urllib.request as u; print(u.urlopen('https://api.good.example/p', context=ssl.create_default_context(cafile='$T/cert.pem')).read().decode().strip())"
	assert_output "GET api.good.example/p 0"
	run hf_world /usr/bin/python3 -c "
import asyncio, ssl
async def main():
    r, w = await asyncio.open_connection('good.example', 443, ssl=ssl.create_default_context(cafile='$T/cert.pem'))
    w.write(b'GET /a HTTP/1.1\r\nHost: good.example\r\n\r\n')
    print((await r.readline()).decode().strip())
asyncio.run(main())"
	assert_output "HTTP/1.1 200 OK"
}

@test "a large file comes and goes whole" {
	mkdir -p "$T/www"
	head -c 20000000 /dev/urandom >"$T/www/large"
	run hf_world bash -c "curl -sS -m 60 --cacert $T/cert.pem -o $T/got https://good.example/large && curl -sS -m 60 -o $T/got80 http://good.example/large && curl -sS -m 60 --cacert $T/cert.pem --data-binary @$T/got https://good.example/up && curl -sS -m 60 --data-binary @$T/got http://good.example/up"
	assert_success
	assert_output "POST good.example/up 20000000
POST good.example/up 20000000"
	cmp "$T/got" "$T/www/large"
	cmp "$T/got80" "$T/www/large"
}

@test "who looks is killed: its connections end, nothing leaves unseen, and another takes over" {
	cat >"$T/agent.py" <<-'EOF'
		import os, socket, time
		a = socket.create_connection(("good.example", 80))
		a.sendall(b"GET /public/a HTTP/1.1\r\n")
		open(os.environ["T"] + "/one", "w")
		while not os.path.exists(os.environ["T"] + "/killed"):
		    time.sleep(0.05)
		try:
		    print("got", a.recv(100))
		except ConnectionResetError:
		    print("reset")
		b = socket.create_connection(("good.example", 80))
		b.sendall(b"GET /public/b HTTP/1.1\r\nHost: good.example\r\n\r\n")
		print(b.recv(12).decode())
	EOF
	cat >"$T/kill" <<-'EOF'
		"$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- /usr/bin/python3 "$T/agent.py" &
		until [[ -e $T/one ]]; do sleep 0.05; done
		minder=$(pgrep -P $! -x holdfast-names)
		kill -KILL "$(pgrep -P "$minder" -x holdfast-lead)"
		touch "$T/killed"
		wait $!
		echo "status $?"
	EOF
	export T LOG POLICY
	run world timeout 60 bash "$T/kill"
	assert_line --index 0 reset
	assert_line --index 1 "HTTP/1.1 200"
	assert_line --index 2 "status 0"
	run cat "$T/seen"
	assert_output "http connection
http GET good.example/public/b 0"
}

@test "how a connection ends, and in which direction, each side learns" {
	cat >"$T/also" <<-'EOF'
		exec python3 "$HELPERS/look_ends.py" "$1"
	EOF
	export HELPERS
	run client server_resets server_half_closes agent_half_closes
	assert_success
	assert_output "server_resets reset
server_half_closes 300000
agent_half_closes 300000"
}

held() {
	"$HOLDFAST" held --json "$(jq -r 'select(.event == "session_start") | .session' "$LOG")"
}

is_held() {
	[[ $(held | jq -r "$1") == "$2" ]]
}

@test "what is asked about shows its names, and the answer holds for what it turns out to be" {
	sed -i '/name: good/s/action: allow/action: ask/' "$POLICY"
	world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" --ask queue -- \
		curl -sS -m 60 --cacert "$T/cert.pem" https://good.example/x >"$T/out" 2>"$T/err" 3>&- 4>&- &
	started $!
	wait_for is_held '.names[0]' good.example
	"$HOLDFAST" approve "$(held | jq -r .id)"
	session_ended
	assert_equal "$(cat "$T/out")" "GET good.example/x 0"
	log_has '.layer == "sni" and .verdict == "allow" and .asked == "good.example"'
}

@test "what the connections of a rule may send together is measured" {
	sed -i '/name: good/s/action: allow/action: allow, max_bytes_sent: 100K/' "$POLICY"
	head -c 60000 /dev/urandom >"$T/data"
	run hf_world bash -c "for scheme in http https http; do curl -sS -m 60 --cacert $T/cert.pem -H 'Expect:' --data-binary @$T/data \$scheme://good.example/up; done"
	assert_failure
	assert_line --index 0 "POST good.example/up 60000"
	assert_equal "$(grep -c POST "$T/seen")" 1
	session_ended
	log_has '.event == "notice" and (.note | startswith("The connections of rule '\''good'\'' of policy '\''names'\'' have sent the 102400 bytes that they may"))'
}

@test "and what those to one name may, each by itself" {
	sed -i '/name: good/s/action: allow/action: allow, max_bytes_sent: 100K, max_bytes_sent_per: domain/' "$POLICY"
	head -c 60000 /dev/urandom >"$T/data"
	run hf_world bash -c "for host in good api.good good api.good; do curl -sS -m 60 -H 'Expect:' --data-binary @$T/data http://\$host.example/up 2>$T/err || echo \$? \$host; done"
	assert_line --index 0 "POST good.example/up 60000"
	assert_line --index 1 "POST api.good.example/up 60000"
	assert_line --index 2 --regexp '^(55|56) good$'
	assert_line --index 3 --regexp '^(55|56) api.good$'
	session_ended
	log_has '.event == "notice" and (.note | startswith("The connections of rule '\''good'\'' of policy '\''names'\'' to good.example have sent the 102400 bytes that they may"))'
	log_has '.event == "notice" and (.note | contains(" to api.good.example have sent "))'
}
