# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What programs download in tests: packages of npm and apt, repositories of git. Loaded by real.bats, names_clients.bats
# and verify_*.bats.

# npm_package NAME VERSION BODY [DEPENDENCIES]: one for npm_registry.py.
npm_package() {
	mkdir -p "$T/packages/$1"
	printf '{"name": "%s", "version": "%s", "main": "index.js", "dependencies": {%s}}\n' "$1" "$2" "${4-}" >"$T/packages/$1/package.json"
	echo "$3" >"$T/packages/$1/index.js"
}

# npm_project URL: a registry in $T/www, which is at URL; goes to a project that has nothing of it yet.
npm_project() {
	npm_package left 1.2.0 'module.exports = (s, n) => s.padStart(n, "-");'
	"$HELPERS/npm_registry.py" "$T/packages" "$T/www" "$1"
	export npm_config_cache=$T/npm-cache npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false npm_config_fetch_retries=0
	mkdir "$T/project-npm"
	cd "$T/project-npm" || return
	npm init -y >/dev/null
}

# What npm_project's package is for.
assert_npm_installed() {
	assert_equal "$(node -e 'console.log(require("left")("x", 5))')" ----x
}

# apt_project URL: a package in $T/www/deb, which is at URL; goes where it is to be downloaded to, by
# `apt-get "${APT_OPTIONS[@]}"`.
apt_project() {
	mkdir -p "$T/www/deb" "$T/build/DEBIAN" "$T/apt/etc/apt.conf.d" "$T/apt/etc/preferences.d" "$T/apt/state/lists/partial" "$T/apt/cache/archives/partial"
	printf 'Package: hf-hello\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' >"$T/build/DEBIAN/control"
	dpkg-deb -b "$T/build" "$T/www/deb/hf-hello_1_all.deb" >/dev/null
	(
		cat "$T/build/DEBIAN/control"
		echo "Filename: ./hf-hello_1_all.deb"
		echo "Size: $(stat -c %s "$T/www/deb/hf-hello_1_all.deb")"
		echo "SHA256: $(sha256sum <"$T/www/deb/hf-hello_1_all.deb" | cut -d' ' -f1)"
	) >"$T/www/deb/Packages"
	echo "deb [trusted=yes] $1 ./" >"$T/apt/etc/sources.list"
	: >"$T/apt/status"
	# shellcheck disable=SC2034 # the tests use it
	APT_OPTIONS=(-o Dir::Etc="$T/apt/etc" -o Dir::State="$T/apt/state" -o Dir::State::status="$T/apt/status" -o Dir::Cache="$T/apt/cache"
		-o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::Languages=none -o Acquire::https::CAInfo="$T/cert.pem")
	cd "$T/apt" || return
}

assert_apt_downloaded() {
	cmp "$T/www/deb/hf-hello_1_all.deb" "$T/apt/hf-hello_1_all.deb"
}

# git_repository DIR: a bare one with one commit, "first", that plain web servers can serve.
git_repository() {
	git init -q "$1.tree"
	git -C "$1.tree" commit -q --allow-empty -m first
	git clone -q --bare "$1.tree" "$1"
	git -C "$1" update-server-info
}
