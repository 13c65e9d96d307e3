# SPDX-License-Identifier: Apache-2.0
# What every end-to-end test uses. A test has a directory of its own ($T) with its own HOME and XDG
# directories; it signals only processes that it started, and waits for events with a deadline.
# shellcheck disable=SC2034 # the tests use what is set here

# Not their load.bash: it starts a dirname for each of these files, 17 processes before every test.
for HF_LIBRARY in /usr/lib/bats/bats-{support,assert,file}/src/*.bash; do
	# shellcheck disable=SC1090 # Debian's
	source "$HF_LIBRARY"
done

# Deadline in seconds for what should take milliseconds: generous, because machines are slow at times.
HF_DEADLINE=${HF_DEADLINE:-20}

hf_setup() {
	REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	T=$(cd "$BATS_TEST_TMPDIR" && pwd -P)
	HELPERS=$BATS_TEST_DIRNAME/helpers
	# A fixed PATH: version managers put shell scripts in front of python3.
	export PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
	export HOME=$T/home XDG_STATE_HOME=$T/state XDG_RUNTIME_DIR=$T/run
	export XDG_CONFIG_HOME=$T/config XDG_CACHE_HOME=$T/cache
	# tmux starts $SHELL, else the shell in passwd: nologin for the ordinary user of a bare environment.
	export SHELL=/bin/bash
	export LANG=C.UTF-8 LC_ALL=C.UTF-8 NO_COLOR=1 GIT_CONFIG_NOSYSTEM=1
	export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE="2024-01-02T03:04:05Z"
	export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org GIT_COMMITTER_DATE="2024-01-02T03:04:05Z"
	unset BASH_ENV ENV MAKEFLAGS MAKELEVEL MFLAGS TMUX TMUX_PANE PYTHONPATH NODE_PATH
	PROJECT=$T/project
	LOG=$T/log.jsonl
	HF_PIDS=()
	umask 022
	mkdir -m 0700 "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"
	mkdir "$HOME" "$XDG_CONFIG_HOME" "$XDG_CACHE_HOME" "$PROJECT"
	cd "$PROJECT" || return
}

hf_teardown() {
	local pid

	if [[ -S $T/tmux.sock ]]; then
		tmux -S "$T/tmux.sock" kill-server 2>/dev/null || true
	fi
	for pid in "${HF_PIDS[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	# What a failed test needs to be understood.
	if [[ -z ${BATS_TEST_COMPLETED:-} && -s $LOG ]]; then
		echo "--- last records of $LOG:"
		tail -n 12 "$LOG" | cut -c 1-400
	fi
	cd / || return
	# Directories that a test made unwritable must not keep bats from removing them.
	chmod -R u+rwx "$T" 2>/dev/null || true
}

# Remembers processes that the test started, for the teardown.
started() {
	HF_PIDS+=("$@")
}

# Other users may walk to $T: through what bats made, and nothing above it.
let_others_in() {
	chmod o+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$T"
}

# wait_for COMMAND...: until it succeeds; fails at the deadline.
wait_for() {
	local end=$((SECONDS + HF_DEADLINE)) _

	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= end)); then
			echo "not true within ${HF_DEADLINE} s: $*" >&2
			return 1
		fi
		# A pause of 20 ms without a process: nothing ever writes here.
		read -rt 0.02 _ <><(:) || true
	done
}

skip_unless_root() {
	((EUID == 0)) || skip "needs root${1:+: $1}"
}

skip_without() {
	local tool

	for tool; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# policy NAME <<EOF: writes $T/NAME.yaml; says its path in $POLICY (not from within a pipe: there the
# shell is another one).
policy() {
	POLICY=$T/$1.yaml
	{
		echo "version: 1"
		echo "name: $1"
		cat
	} >"$POLICY"
}

# A policy that allows everything and records everything, with RULES (YAML list items) from stdin.
policy_open() {
	policy "$1" < <(
		echo "log_reads: true"
		# Races and tables repeat what is denied thousands of times.
		echo "denials: {on_limit: none}"
		echo "default: {tool: allow, read: allow, write: allow, network: allow}"
		echo "rules:"
		echo "  - {name: never, match: {path: [/nonexistent/never]}, action: deny}"
		cat
	)
}

# hf ARGS...: holdfast run with the test's log. A deadline stands against a hang.
hf() {
	timeout --foreground -k 5 120 "$HOLDFAST" run --log "$LOG" "$@"
}

# log_select FILTER: the records of $LOG for which the jq expression holds.
log_select() {
	[[ -e $LOG ]] && jq -c "select($1)" "$LOG"
}

log_count() {
	log_select "$1" | wc -l
}

log_has() {
	[[ -n $(log_select "$1") ]]
}

# The writer is behind the decision path: what was logged appears within the deadline.
assert_logged() {
	wait_for log_has "$1" || {
		echo "no record with: $1"
		return 1
	}
}

# At the end of the log only: a build's log takes seconds to read.
ends_with_session_end() {
	tail -n 50 "$LOG" | grep -q '"event":"session_end"'
}

session_ended() {
	wait_for ends_with_session_end
}

# refute_logged FILTER: after the end of the session.
refute_logged() {
	session_ended
	if log_has "$1"; then
		echo "unexpected records with: $1"
		log_select "$1"
		return 1
	fi
}

is_gone() {
	[[ ! -e /proc/$1 ]] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status"
}

has_state() {
	grep -q "^State:[[:space:]]*$2" "/proc/$1/status"
}

# --- tmux: a terminal of the test's own -----------------------------------------------------------

tm() {
	tmux -S "$T/tmux.sock" -f /dev/null "$@"
}

# tm_start COMMAND (one string for sh): in a terminal of 100 x 30; the pane stays when it ends.
tm_start() {
	skip_without tmux
	tm new-session -d -x 100 -y 30 "$1; echo \"STATUS=\$?\"; exec cat"
}

tm_type() {
	tm send-keys -l -- "$1"
}

tm_key() {
	tm send-keys "$@"
}

tm_enter() {
	tm_type "$1"
	tm_key Enter
}

tm_screen() {
	tm capture-pane -p -J -S - -t 0
}

tm_shows() {
	tm_screen | grep -Eq -- "$1"
}

tm_wait() {
	wait_for tm_shows "$1" || {
		echo "--- the screen does not show '$1':"
		tm_screen
		return 1
	}
}
