#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A log proves itself: `holdfast verify`, and what it does by hand.

load helpers/common

setup() {
	hf_setup
	policy_open open </dev/null
	KEYS=$XDG_STATE_HOME/holdfast/keys/log.keys
}

teardown() {
	hf_teardown
}

# A session of some dozens of records.
a_session() {
	hf --policy "$POLICY" -- sh -c 'mkdir a; cat /etc/hostname >a/b; ls a' >/dev/null
	session_ended
}

# rewrite SED-SCRIPT: $T/changed.jsonl is the log, changed.
rewrite() {
	sed "$1" "$LOG" >"$T/changed.jsonl"
}

verify() {
	run "$HOLDFAST" verify "$@"
}

# changed LINE WORD: verify says that the changed log is bad, and names the line and what it is.
assert_found() {
	verify --json "$T/changed.jsonl"
	assert_failure 1
	run jq -e --argjson line "$1" --arg what "$2" \
		'[.logs[].findings[] | select(.bad and .line == $line and .what == $what)] | length > 0' <<<"$output"
	assert_success
}

@test "a log as it was written is good, and all of it is signed" {
	a_session
	verify --json "$LOG"
	assert_success
	assert_equal "$(jq -c '[.ok, .logs[0].bad, .logs[0].findings]' <<<"$output")" '[true,0,[]]'
	assert_equal "$(jq .logs[0].signed_lines <<<"$output")" "$(wc -l <"$LOG")"
	verify "$LOG"
	assert_output --partial "nothing was changed"
}

@test "sessions that append to one file make one chain" {
	a_session
	rm -rf a
	a_session
	verify --json "$LOG"
	assert_success
	assert_equal "$(jq -c '[.logs[0].sessions, .logs[0].checkpoints]' <<<"$output")" '[2,2]'
}

@test "an edited line is found" {
	a_session
	rewrite '7s/"seq":7/"seq":7 /'
	assert_found 7 edited
	rewrite '1s/"uid":/"uid":1/'
	assert_found 1 edited
}

@test "each single line that is edited is found" {
	a_session
	local n last
	last=$(wc -l <"$LOG")
	# The last line, a checkpoint, is covered by its own signature.
	for ((n = 1; n < last; n++)); do
		rewrite "${n}s/\"time\":\"2/\"time\":\"3/"
		assert_found "$n" edited
	done
	rewrite "${last}s/\"lines\":[0-9]*/\"lines\":1/"
	assert_found "$last" inserted
	rewrite "${last}s/\"signature\":\"..../\"signature\":\"AAAA/"
	assert_found "$last" signature
}

@test "removed lines are found" {
	a_session
	rewrite 7d
	assert_found 7 removed
	rewrite 7,12d
	assert_found 7 removed
	rewrite 1d
	assert_found 1 removed
}

@test "an inserted line is found" {
	a_session
	rewrite 7p
	assert_found 7 inserted
	awk 'NR == 7 {print "{\"v\":1}"} {print}' "$LOG" >"$T/changed.jsonl"
	assert_found 7 inserted
}

@test "reordered lines are found" {
	a_session
	rewrite '7{h;d};8{G}'
	assert_found 7 reordered
}

@test "a session whose last lines are cut off is told by its checkpoint" {
	a_session
	rewrite '$d'
	assert_found "$(wc -l <"$T/changed.jsonl")" truncated
	head -c -20 "$LOG" >"$T/changed.jsonl"
	assert_found "$(wc -l <"$LOG")" truncated
}

@test "what is cut off after the last checkpoint cannot be told, and that is said" {
	a_session
	head -n 20 "$LOG" >"$T/changed.jsonl"
	verify "$T/changed.jsonl"
	assert_success
	assert_output --partial "only the chain covers them"
	assert_output --partial "has no end here"
}

# A session whose supervisor is killed while it works.
a_killed_session() {
	"$HOLDFAST" run --policy "$POLICY" --log "$LOG" -- sh -c 'cat /etc/hostname
		echo $PPID $$ >"$1.tmp"; mv "$1.tmp" "$1"
		while :; do cat /dev/null; done' - "$T/pids" >/dev/null 2>&1 3>&- &
	local launcher=$! supervisor agent
	started "$launcher"
	wait_for test -e "$T/pids"
	read -r supervisor agent <"$T/pids"
	kill -KILL "$supervisor"
	wait_for is_gone "$agent"
	wait "$launcher" || true
}

@test "who recovers a log signs it, and says so" {
	a_killed_session
	"$HOLDFAST" log "$LOG" >/dev/null 2>&1
	assert_equal "$(tail -n 1 "$LOG" | jq -c '[.event, .recovered]')" '["checkpoint",true]'
	verify --json "$LOG"
	assert_success
	assert_equal "$(jq -c '[.ok, .logs[0].findings[].what]' <<<"$output")" '[true,"recovered","no_end"]'
	assert_equal "$(jq .logs[0].signed_lines <<<"$output")" "$(wc -l <"$LOG")"
	# With a key of its own, so that the word cannot be taken away.
	assert_equal "$(cut -d' ' -f2 "$KEYS" | paste -sd ' ')" "session recovery"
	rewrite '$s/,"recovered":true//'
	assert_found "$(wc -l <"$LOG")" other_key
}

@test "who cannot register a key recovers a log all the same" {
	a_killed_session
	chmod 0666 "$KEYS"
	"$HOLDFAST" log "$LOG" >/dev/null 2>&1
	chmod 0644 "$KEYS"
	[[ ! -e $LOG.ring ]]
	refute grep -q '"recovered":true' "$LOG"
	verify "$LOG"
	assert_success
	assert_output --partial "only the chain covers them"
}

@test "a chain that was made anew does not have the signatures" {
	a_session
	python3 - "$LOG" "$T/changed.jsonl" <<-'END'
		import hashlib, sys
		prev, out = "0" * 64, []
		for n, line in enumerate(open(sys.argv[1]).read().splitlines(), 1):
		    line = line.replace("/etc/hostname", "/etc/passwd00")[:-66] + prev + '"}'
		    prev = hashlib.sha256(line.encode()).hexdigest()
		    out.append(line)
		open(sys.argv[2], "w").write("\n".join(out) + "\n")
	END
	assert_found "$(wc -l <"$LOG")" signature
}

# pem SESSION: the public key of a session, from the list.
pem() {
	awk -v s="$1" '$2 == "session" && $3 == s {print "-----BEGIN PUBLIC KEY-----\n" $4 "\n-----END PUBLIC KEY-----"; exit}' "$KEYS"
}

@test "another host's log is told, and --keys takes that host's list, or a part of it" {
	local session
	a_session
	session=$(jq -r 'select(.seq == 1) | .session' "$LOG")
	mv "$KEYS" "$T/other.keys"
	verify "$LOG"
	assert_success
	assert_output --partial "has no list of keys yet"
	assert_output --partial "signatures not checked"
	rm -rf a
	LOG=$T/second.jsonl a_session
	verify "$LOG"
	assert_failure 1
	assert_output --partial "does not know this session"
	verify --keys "$T/other.keys" "$LOG"
	assert_success
	assert_output --partial "nothing was changed"
	grep -F "$session" "$T/other.keys" >"$T/part.keys"
	verify --keys "$T/part.keys" "$LOG"
	assert_success
	KEYS=$T/other.keys pem "$session" >"$T/one.pub"
	verify --key "$T/one.pub" "$LOG"
	assert_success
	verify --key "$T/one.pub" "$T/second.jsonl"
	assert_failure 1
	assert_output --partial "another session's"
	verify --key "$T/second.jsonl" "$LOG"
	assert_failure 1
	assert_output --partial "is not the public half of an Ed25519 key"
	verify --keys "$T/second.jsonl" "$LOG"
	assert_failure 1
	assert_output --partial "is no list of keys"
	verify --keys "$T/nothing" "$LOG"
	assert_failure 1
	verify --keys "$KEYS" --key "$T/one.pub" "$LOG"
	assert_failure 2
}

# sign TEXT: a signature of the file TEXT in base64, with the private key $T/forger.
sign() {
	openssl pkeyutl -sign -inkey "$T/forger" -rawin -in "$1" | base64 -w0
}

# forge: $LOG made anew without its first action, as $T/changed.jsonl; its checkpoints are signed with $T/forger.
forge() {
	local prev line text=$T/text n=0 offset=0 id
	prev=$(printf '0%.0s' {1..64})
	id=$(openssl pkey -in "$T/forger" -pubout -outform DER | tail -c 32 | sha256sum | cut -d' ' -f1)
	while IFS= read -r line; do
		line=${line:0:-66}$prev'"}'
		if [[ $line == *'"event":"checkpoint"'* ]]; then
			jq -j --argjson n "$n" '"holdfast-checkpoint-1\n\(.session)\n\($n)\n\(.prev)\n"' <<<"$line" >"$text"
			line=$(jq -c --arg id "$id" --arg s "$(sign "$text")" --argjson n "$n" --argjson b "$offset" \
				'.lines = $n | .bytes = $b | .key = $id | .signature = $s' <<<"$line")
		fi
		printf '%s\n' "$line"
		prev=$(printf %s "$line" | sha256sum | cut -d' ' -f1)
		n=$((n + 1))
		offset=$((offset + ${#line} + 1))
	done < <(sed 's,/etc/hostname,/etc/hostnome,g' "$LOG") >"$T/changed.jsonl"
}

@test "who makes a log anew and signs it with a key of his own is found, and adding it to the list is too late" {
	skip_without openssl
	local session
	a_session
	session=$(jq -r 'select(.seq == 1) | .session' "$LOG")
	openssl genpkey -algorithm ed25519 -out "$T/forger" 2>/dev/null
	forge
	# It is a good log but for the key.
	openssl pkey -in "$T/forger" -pubout -out "$T/forger.pub"
	verify --key "$T/forger.pub" "$T/changed.jsonl"
	assert_success
	assert_found "$(wc -l <"$LOG")" other_key
	echo "2026-11-21T05:12:34Z session $session $(sed -n 2p "$T/forger.pub")" >>"$KEYS"
	assert_found "$(wc -l <"$LOG")" other_key
}

@test "logs signed with a host's key of old are good, and its private half goes" {
	skip_without openssl
	a_session
	openssl genpkey -algorithm ed25519 -out "$T/forger" 2>/dev/null
	forge
	rm "$KEYS"
	cp "$T/forger" "${KEYS%s}"
	openssl pkey -in "$T/forger" -pubout -out "${KEYS%.keys}.pub"
	# With the key alone, as before there was a list; then with the list that the next session makes.
	verify --json "$T/changed.jsonl"
	assert_success
	assert_equal "$(jq -c '[.ok, .logs[0].checkpoints, .logs[0].findings[].what]' <<<"$output")" '[true,1,"former_key"]'
	rm -rf a
	LOG=$T/second.jsonl a_session
	assert_file_not_exists "${KEYS%s}"
	assert_equal "$(cut -d' ' -f2 "$KEYS" | paste -sd ' ')" "host session"
	verify --json "$T/changed.jsonl"
	assert_success
	assert_equal "$(jq -c '[.ok, .logs[0].checkpoints, .logs[0].findings[].what]' <<<"$output")" '[true,1,"former_key"]'
	# It signs nothing of sessions that have keys of their own.
	LOG=$T/second.jsonl forge
	assert_found "$(wc -l <"$T/second.jsonl")" other_key
}

@test "by hand: sha256sum and openssl say the same" {
	skip_without openssl
	a_session
	cd "$T"
	# The chain: each line's prev is the hash of the line before.
	local prev line number n=0 hash
	prev=$(printf '0%.0s' {1..64})
	while IFS= read -r line; do
		assert_equal "${line: -66:64}" "$prev"
		prev=$(printf %s "$line" | sha256sum | cut -d' ' -f1)
	done <"$LOG"
	# A checkpoint: what it signs, by whom, and the signature.
	grep -n '"event":"checkpoint"' "$LOG" >checkpoints
	while IFS=: read -r number line; do
		assert_equal "$(jq .lines <<<"$line")" "$((number - 1))"
		assert_equal "$(jq .bytes <<<"$line")" "$(head -n "$((number - 1))" "$LOG" | wc -c)"
		pem "$(jq -r .session <<<"$line")" >pub
		hash=$(openssl pkey -pubin -in pub -outform DER | tail -c 32 | sha256sum | cut -d' ' -f1)
		assert_equal "$(jq -r .key <<<"$line")" "$hash"
		jq -j '"holdfast-checkpoint-1\n\(.session)\n\(.lines)\n\(.prev)\n"' <<<"$line" >text
		jq -r .signature <<<"$line" | base64 -d >signature
		run openssl pkeyutl -verify -pubin -inkey pub -rawin -in text -sigfile signature
		assert_success
		assert_output --partial "Signature Verified Successfully"
		echo >>text
		run openssl pkeyutl -verify -pubin -inkey pub -rawin -in text -sigfile signature
		assert_failure
		n=$((n + 1))
	done <checkpoints
	assert_equal "$n" 1
}

# Where no policy speaks of reads, none is decided on.
policy_blind() {
	policy blind <<-'END'
		default: allow
		rules:
		  - {name: never, match: {path: [/nonexistent/never], op: [write]}, action: deny}
	END
}

@test "an agent whose reads nobody looks at finds no key, and cannot write to the list" {
	policy_blind
	a_session
	local before
	before=$(cat "$KEYS")
	LOG=$T/second.jsonl
	run hf --policy "$POLICY" -- python3 "$HELPERS/key_thief.py" "$KEYS" "$T"
	assert_success
	assert_output "the list can be read
nothing else"
	session_ended
	# What it tried is in the log; its reads are not.
	log_has '.rule == "own-files" and .verdict == "deny"'
	refute log_has '.op == "read" and .verdict == "deny"'
	# The sessions' own lines, and no others.
	assert_equal "$(head -n 1 "$KEYS")" "$before"
	assert_equal "$(wc -l <"$KEYS")" 2
	assert_equal "$(find "${KEYS%/*}" -type f)" "$KEYS"
	verify "$T/log.jsonl" "$LOG"
	assert_success
}

@test "an agent that holds every lock on the list keeps no session from starting" {
	policy_blind
	a_session
	LOG=$T/second.jsonl
	hf --policy "$POLICY" -- flock -x "$KEYS" sh -c 'touch "$1"; exec tail -f /dev/null' - "$T/locked" >/dev/null 2>&1 3>&- &
	started $!
	wait_for test -e "$T/locked"
	rm -rf a
	LOG=$T/third.jsonl
	a_session
	verify "$LOG"
	assert_success
	assert_output --partial "nothing was changed"
}

@test "a list that others can write to, or that cannot be written, is refused" {
	a_session
	chmod 0666 "$KEYS"
	run hf --policy "$POLICY" -- touch "$T/ran"
	assert_failure 125
	assert_output --partial "can be changed by others"
	chmod 0644 "$KEYS"
	mv "$KEYS" "$T/keys"
	ln -s "$T/keys" "$KEYS"
	run hf --policy "$POLICY" -- touch "$T/ran"
	assert_failure 125
	rm "$KEYS"
	mkdir "$KEYS"
	run hf --policy "$POLICY" -- touch "$T/ran"
	assert_failure 125
	assert_file_not_exists "$T/ran"
}

@test "a full disk: what cannot be registered does not start" {
	skip_unless_root "a file system of its own"
	mkdir "$T/small"
	run unshare -m sh -c '
		mount -t tmpfs -o size=64k none "$1" && mkdir -p "$1/holdfast/keys" && dd if=/dev/zero of="$1/fill" bs=4k 2>/dev/null
		XDG_STATE_HOME=$1 exec "$2" run --log "$3" --policy "$4" -- touch "$5"' - "$T/small" "$HOLDFAST" "$LOG" "$POLICY" "$T/ran"
	assert_failure 125
	assert_output --partial "No space left"
	assert_file_not_exists "$T/ran"
}

@test "closed files are part of the chain, compressed or not" {
	local options
	for options in "" --log-compress; do
		LOG=$T/rotated$options.jsonl
		# shellcheck disable=SC2086 # one option or none
		run hf --policy "$POLICY" --log-rotate 64K $options -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do ls -l / /usr /etc >/dev/null; done'
		assert_success
		session_ended
		assert_file_exists "$LOG.1${options:+.zst}"
		verify --json "$LOG"
		assert_success
		assert_equal "$(jq -c '.logs[0] | [.files > 2, .signed_lines == .lines, .findings]' <<<"$output")" '[true,true,[]]'
		jq -e 'select(.event == "rotated") | .from' <(head -n 1 "$LOG")
	done
	# What is compressed is the same.
	run bash -c "zstd -dcq '$LOG'.*.zst | wc -l"
	assert_success
}

@test "a changed, missing or pruned closed file is told" {
	run hf --policy "$POLICY" --log-rotate 64K -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do ls -l / /usr /etc >/dev/null; done'
	assert_success
	session_ended
	cp -a "$LOG.2" "$T/kept"
	sed -i '5s/"pid":/"pid":1/' "$LOG.2"
	verify "$LOG"
	assert_failure 1
	assert_output --partial "$LOG.2:5: was changed"
	sed '$d' "$T/kept" >"$LOG.2"
	verify "$LOG"
	assert_failure 1
	rm "$LOG.2"
	verify "$LOG"
	assert_failure 1
	assert_output --partial "number 2 should be there"
	cp -a "$T/kept" "$LOG.2"
	rm "$LOG.1"
	verify "$LOG"
	assert_failure 1
	assert_output --partial "no record says that it was removed"
}

@test "--log-keep removes the oldest, and the rest is still good" {
	run hf --policy "$POLICY" --log-rotate 64K --log-keep 2 -- sh -c 'for i in $(seq 20); do ls -l / /usr /etc >/dev/null; done'
	assert_success
	session_ended
	assert_file_not_exists "$LOG.1"
	assert_equal "$(find "$T" -name 'log.jsonl.*' | wc -l)" 2
	verify "$LOG"
	assert_success
	assert_output --partial "is not here"
}

@test "a log from before there was a chain is told, also when a session appends to it" {
	a_session
	sed 's/,"prev":"[0-9a-f]*"}$/}/; /"event":"checkpoint"/d' "$LOG" >"$T/old.jsonl"
	verify "$T/old.jsonl"
	assert_success
	assert_output --partial "before there was a chain"
	LOG=$T/old.jsonl
	rm -rf a
	a_session
	verify "$LOG"
	assert_success
	assert_output --partial "before there was a chain"
	sed -i '3d' "$LOG"
	verify "$LOG"
	assert_failure 1
}

@test "a half line that a dead writer left stays part of the chain" {
	a_session
	printf '{"v":1,"seq":99,"half' >>"$LOG"
	rm -rf a
	a_session
	verify "$LOG"
	assert_success
	assert_output --partial "the writer was interrupted in this line"
}

@test "what cannot be a log is said in a sentence" {
	echo hello >"$T/foreign"
	verify "$T/foreign"
	assert_failure 1
	assert_output --partial "is not JSON"
	verify "$T/nothing.jsonl"
	assert_failure 1
	assert_output --partial "No such file"
	verify "$T"
	assert_failure 1
	assert_output --partial "is a directory"
	printf '{"v":9,"seq":1,"event":"x","session":"s"}\n' >"$T/newer"
	verify "$T/newer"
	assert_failure 1
	assert_output --partial "of another version"
	printf '{' >"$T/giant"
	truncate -s 1G "$T/giant"
	echo >>"$T/giant"
	verify "$T/giant"
	assert_failure 1
	assert_output --partial "too long for a record"
	verify --unknown
	assert_failure 2
	printf '\x28\xb5\x2f\xfd damaged' >"$T/damaged"
	verify "$T/damaged"
	assert_failure 1
	assert_output --partial "compressed"
}

@test "log and report read the closed files, compressed or not" {
	local n
	run hf --policy "$POLICY" --log-rotate 64K --log-compress -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do ls -l / /usr /etc >/dev/null; done'
	assert_success
	session_ended
	n=$({ zstd -dcq "$LOG".*.zst 2>/dev/null; cat "$LOG"; } | wc -l)
	assert_equal "$("$HOLDFAST" log --json "$LOG" | jq -s 'map(.seq) == [range(1; length + 1)] | tostring + " " + "'"$n"'"' -r)" "true $n"
	assert_equal "$("$HOLDFAST" report --json "$LOG" | jq -c '[.state, .missing_records, .damaged_lines]')" '["ended",0,0]'
}

@test "SIGKILL at 25 random moments: no decision that took effect is missing" {
	run "$REPO/tests/soak/log_kill.py" "$HOLDFAST" 25
	assert_success
	echo "# $output" >&3
}
