#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A sandbox inside of a session, where the policy grants it: it works, and what it mounts is judged by
# what it really is.

setup() {
	load helpers/common
	hf_setup
	mkdir -p "$T/work/sub" "$T/secret"
	echo mine >"$T/work/sub/file"
	echo hidden >"$T/secret/key"
	cd "$T/work" || return 1
	POLICY=$T/nested.yaml
	cat >"$POLICY" <<-END
		version: 1
		name: nested
		default: allow
		grant: [namespaces, mount]
		rules:
		  - {name: secret, match: {path: ["$T/secret/**"]}, action: deny}
		  - {name: system, match: {path: ["/etc/**"], op: change}, action: deny}
	END
}

teardown() {
	hf_teardown
}

has_spaces() {
	unshare -Urm true 2>/dev/null || skip "no user namespaces here"
}

# The sandbox of an agent: all is read-only but its place, with procfs and devices of its own.
boxed() {
	hf --policy "$POLICY" --ask deny -- bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all \
		--bind "$T/work" "$T/work" --chdir "$T/work" "$@"
}

@test "unshare -Ur works, and does not make a secret readable" {
	has_spaces
	run hf --policy "$POLICY" --ask deny -- unshare -Urm sh -c "id -u; cat sub/file; echo x >new; cat new; cat '$T/secret/key'"
	assert_failure
	assert_line 0
	assert_line mine
	assert_line x
	refute_output --partial hidden
	assert_logged '.rule == "secret" and .verdict == "deny"'
}

@test "in unshare -Ur, a mount and a chroot work" {
	has_spaces
	run hf --policy "$POLICY" --ask deny -- unshare -Urm sh -ec "
		mount -t tmpfs none sub; echo y >sub/y; cat sub/y; umount sub; cat sub/file
		exec chroot / cat '$T/work/sub/file'"
	assert_success
	assert_line y
	assert_line mine
}

@test "in unshare -Ur, changes are made with the namespace's rights and numbers" {
	local changes='
		d=$(mktemp -d "$PWD/XXXXXX") && cd "$d" && touch f && mkdir ro && touch ro/x && chmod 555 ro
		for c in "chown 0:0 f" "rm ro/x" "mkdir ro/d" "ln -s a ro/l" "ln f ro/f" "mv ro/d ro/e" "chmod 000 f" \
			"truncate -s 9 f" "touch -d 2000-01-01 ro" "chown 1:1 f" "mknod n c 1 3" "rmdir ro/e"; do
			echo "$c: $($c 2>&1) $?"
		done
		stat -c "%n %u %g %a %s" f ro ro/l'

	has_spaces
	unshare -Ur sh -c "$changes" >"$T/native"
	hf --policy "$POLICY" --ask deny -- unshare -Ur sh -c "$changes" >"$T/here"
	diff "$T/native" "$T/here"
	grep -qx "rm ro/x:  0" "$T/here"
	# A sandbox in it that has laid down its capabilities has none here either.
	run hf --policy "$POLICY" --ask deny -- unshare -Ur setpriv --bounding-set=-all --inh-caps=-all \
		sh -c "umask 022; mkdir ro2; chmod 555 ro2; mkdir ro2/x"
	assert_output --partial "Permission denied"
}

@test "a socket has the name that it was bound to, also behind another root" {
	cat >"$T/bind.py" <<-'END'
		import os, socket, sys
		# Below "/" there may be another's s2, where root runs this test at the same time.
		own = "s2" + sys.argv[1].replace("/", "_")[-40:]
		for name in sys.argv[1] + "/s", own, "sub/s", sys.argv[1] + "/sub/../s3", sys.argv[1] + "/none/s":
		    s = socket.socket(socket.AF_UNIX)
		    try:
		        s.bind(name)
		        s.listen(1)
		        c = socket.socket(socket.AF_UNIX)
		        c.connect(s.getsockname())
		        print(s.getsockname(), c.getpeername(), os.stat(name).st_mode)
		        os.unlink(name)
		    except OSError as e:
		        print(name, e.strerror)
		try:
		    os.chroot("/nowhere")
		except OSError:
		    pass
		os.execv(sys.executable, [sys.executable, *sys.argv, ""]) if len(sys.argv) == 2 else None
	END
	has_spaces
	for sandbox in "" "unshare -Urm" "unshare -Urm chroot /" "bwrap --dev-bind / / --unshare-user"; do
		command -v "${sandbox%% *}" >/dev/null || [[ ! $sandbox ]] || continue
		# shellcheck disable=SC2086 # words
		$sandbox python3 "$T/bind.py" "$T/work" >"$T/native"
		# shellcheck disable=SC2086
		hf --policy "$POLICY" --ask deny -- $sandbox python3 "$T/bind.py" "$T/work" >"$T/here"
		diff "$T/native" "$T/here"
		grep -q "^$T/work/s $T/work/s " "$T/here"
	done
}

@test "in unshare -Ur, a secret has no other name" {
	has_spaces
	run hf --policy "$POLICY" --ask deny -- unshare -Urm sh -c "
		mount --bind '$T/secret' sub && echo mounted; cat sub/key
		mount --rbind / sub && echo mounted; cat 'sub$T/secret/key'
		mount --bind '$T/secret/key' new 2>/dev/null || { touch new; mount --bind '$T/secret/key' new; } && echo mounted; cat new
		chroot sub cat '$T/secret/key'"
	assert_equal "$(grep -c mounted <<<"$output")" 3
	refute_output --partial hidden
	assert_equal "$(jq -s 'map(select(.rule == "secret")) | length' "$LOG")" 4
}

@test "bubblewrap works: its place is written, the rest is read" {
	command -v bwrap >/dev/null || skip "bubblewrap is not installed"
	has_spaces
	run boxed sh -c 'cat sub/file; echo z >new; cat new; head -c1 /dev/zero | wc -c; touch /etc/x'
	assert_failure
	assert_line mine
	assert_line z
	assert_line 1
	assert_equal "$(cat new)" z
	refute [ -e /etc/x ]
}

@test "bubblewrap does not make a secret readable, by its own name or another" {
	command -v bwrap >/dev/null || skip "bubblewrap is not installed"
	has_spaces
	run boxed cat "$T/secret/key"
	assert_failure
	refute_output --partial hidden
	run boxed --bind "$T/secret" /tmp/inner cat /tmp/inner/key
	refute_output --partial hidden
	run boxed --bind "$T/secret" "$T/work/sub" sh -c "cat sub/key; echo w >sub/key"
	assert_failure
	refute_output --partial hidden
	assert_equal "$(cat "$T/secret/key")" hidden
	assert_logged '.rule == "secret" and .verdict == "deny"'
}

@test "what is the project's keeps being so under the name that a sandbox gives it" {
	has_spaces
	mkdir "$T/work/place"
	run hf --policy "$POLICY" --ask deny -- unshare -Urm sh -ec "
		mount --bind '$T/work/sub' /mnt; cat /mnt/file; echo q >/mnt/q; cat '$T/work/sub/q'"
	assert_success
	assert_line mine
	assert_line q
	assert_logged ".object == \"$T/work/sub/q\" and .asked == \"/mnt/q\" and .verdict == \"allow\""
}
