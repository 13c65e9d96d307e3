#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `verify: sni` and rules on requests before a server as they are on the Internet: Debian's nginx, by HTTP, TLS and HTTP/2,
# and the clients that agents have. verify.bats has what is judged.

setup() {
	load helpers/common
	load helpers/downloads
	load helpers/look
	look_setup
	skip_without nginx
	mkdir "$T/www" "$T/nginx"
	# Its log has whom each request was for: by TLS, by HTTP.
	cat >"$T/nginx/conf" <<-EOF
		user root;
		worker_processes 2;
		daemon off;
		pid $T/nginx/pid;
		lock_file $T/nginx/lock;
		error_log $T/nginx/errors;
		events {}
		http {
			log_format whom '\$scheme \$server_protocol \$ssl_server_name \$host \$request_method \$uri \$status';
			access_log $T/nginx/seen whom;
			client_body_temp_path $T/nginx/body;
			proxy_temp_path $T/nginx/proxy;
			fastcgi_temp_path $T/nginx/fastcgi;
			scgi_temp_path $T/nginx/scgi;
			uwsgi_temp_path $T/nginx/uwsgi;
			client_max_body_size 100m;
			sendfile on;
			server {
				listen 8080;
				listen [::]:8080;
				listen 8443 ssl http2;
				listen [::]:8443 ssl http2;
				ssl_certificate $T/cert.pem;
				ssl_certificate_key $T/key.pem;
				ssl_stapling off;
				root $T/www;
				dav_methods PUT DELETE;
			}
		}
	EOF
	cat >"$T/also" <<-'EOF'
		nginx -c "$1/nginx/conf" -e "$1/nginx/errors" &
		until [[ $(ss -Hltn '( sport = 8080 or sport = 8443 )' | wc -l) == 4 ]]; do sleep 0.05; done
		touch "$1/also.up"
		wait $!
	EOF
	echo hello >"$T/www/x"
	policy_verified
}

teardown() {
	hf_teardown
}

@test "nginx: curl by HTTP, TLS and HTTP/2, and by no other name" {
	cat >"$T/agent" <<-'EOF'
		curl() { command curl -sS -m 60 --cacert "$T/cert.pem" "$@"; }
		curl http://good.example:8080/x
		curl --http1.1 https://good.example:8443/x https://good.example:8443/x
		curl --http2 https://api.good.example:8443/x
		curl http://six.good.example:8080/x https://six.good.example:8443/x
		curl --connect-to evil.example:8443:good.example:8443 https://evil.example:8443/x
		curl -H 'Host: evil.example' http://good.example:8080/x
	EOF
	export T
	run hf_world bash "$T/agent"
	assert_equal "$(grep -cx hello <<<"$output")" 6
	assert_line --partial "curl: (35)"
	assert_line --partial "curl: (56)"
	run sort "$T/nginx/seen"
	assert_output "http HTTP/1.1 - good.example GET /x 200
http HTTP/1.1 - six.good.example GET /x 200
https HTTP/1.1 good.example good.example GET /x 200
https HTTP/1.1 good.example good.example GET /x 200
https HTTP/2.0 api.good.example api.good.example GET /x 200
https HTTP/2.0 six.good.example six.good.example GET /x 200"
	session_ended
	log_has '.layer == "sni" and .verdict == "deny" and .asked == "evil.example"'
	log_has '.layer == "http" and .verdict == "deny" and .asked == "GET http://evil.example/x"'
}

@test "nginx: git, node, python" {
	skip_without git node
	git_repository "$T/www/r.git"
	cat >"$T/agent" <<-'EOF'
		set -e
		export GIT_SSL_CAINFO=$T/cert.pem NODE_EXTRA_CA_CERTS=$T/cert.pem
		git clone -q http://good.example:8080/r.git "$T/a"
		git clone -q https://good.example:8443/r.git "$T/b"
		git -C "$T/a" log --format=%s
		git -C "$T/b" log --format=%s
		node -e '(async () => {
			for (const url of ["http://good.example:8080/x", "https://api.good.example:8443/x"])
				process.stdout.write(await (await fetch(url)).text());
		})()'
		python3 -c 'import os, ssl, urllib.request
		context = ssl.create_default_context(cafile=os.environ["T"] + "/cert.pem")
		for url in "http://good.example:8080/x", "https://api.good.example:8443/x":
		    print(urllib.request.urlopen(url, context=context).read().decode().strip())'
	EOF
	export T
	run hf_world bash "$T/agent"
	assert_success
	assert_output "first
first
hello
hello
hello
hello"
}

@test "nginx: large files come and go whole" {
	head -c 30000000 /dev/urandom >"$T/www/large"
	cat >"$T/agent" <<-'EOF'
		set -e
		curl() { command curl -sSf -m 100 --cacert "$T/cert.pem" "$@"; }
		curl -o "$T/1" http://good.example:8080/large
		curl -o "$T/2" --http1.1 https://good.example:8443/large
		curl -o "$T/3" --http2 https://good.example:8443/large
		curl -r 10000000-19999999 http://good.example:8080/large | cmp - <(tail -c +10000001 "$T/www/large" | head -c 10000000)
		curl -T "$T/www/large" http://good.example:8080/4
		curl -T "$T/www/large" --http2 https://good.example:8443/5
		curl -T - -H 'Transfer-Encoding: chunked' http://good.example:8080/6 <"$T/www/large"
	EOF
	export T
	run hf_world bash "$T/agent"
	assert_success
	for file in "$T"/[123] "$T"/www/[456]; do
		cmp "$T/www/large" "$file"
	done
}

@test "nginx: rules on requests decide on each of one connection" {
	policy requests <<-EOF
		default: {tool: allow, path: allow, network: deny, unix: allow}
		rules:
		  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}
		  - {name: reads, match: {domain: [good.example], http_method: [GET, HEAD], http_path: ["/x", "/public/**"]}, action: allow}
	EOF
	run hf_world bash -c "
		curl -sS -m 60 http://good.example:8080/x http://good.example:8080/x
		curl -sS -m 60 http://good.example:8080/x http://good.example:8080/secret
		curl -sS -m 60 -X DELETE http://good.example:8080/x
		curl -sS -m 60 http://good.example:8080/%2e%2e/x http://good.example:8080/public/%2e%2e/secret"
	assert_equal "$(grep -cx hello <<<"$output")" 3
	assert_equal "$(cat "$T/www/x")" hello
	run sort -u "$T/nginx/seen"
	assert_output "http HTTP/1.1 - good.example GET /x 200"
	session_ended
	run bash -c "jq -r 'select(.verdict == \"deny\" and .layer == \"http\").asked' '$LOG' | sort -u"
	assert_output "DELETE http://good.example/x
GET http://good.example
GET http://good.example/secret"
}
