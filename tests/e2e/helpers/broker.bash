# SPDX-License-Identifier: Apache-2.0
# A broker of the test's own, for what comes after helpers/common and helpers/held.
# shellcheck disable=SC2034 # the tests use what is set here

# broker_config <<EOF: what the user configured.
broker_config() {
	mkdir -p "$XDG_CONFIG_HOME/holdfast"
	cat >"$XDG_CONFIG_HOME/holdfast/broker.yaml"
}

# A policy with files that are asked about.
broker_files() {
	mkdir "$T/ask"
	for i in 1 2 3 4 5 6 7; do echo "asked-for $i" >"$T/ask/file$i"; done
	policy_open asking <<-END
		  - {name: ask-first, match: {path: ["$T/ask/**"]}, action: ask, reason: Somebody should look.}
	END
}

# broker ARGS...: in the foreground of the test, its words in $T/broker.err.
broker_run() {
	"$HF_HELPERS/with" -d 2 -d 3 "$HOLDFAST" broker "$@" >"$T/broker.out" 2>>"$T/broker.err" </dev/null 3>&- &
	BROKER=$!
	started "$BROKER"
	wait_for broker_answers
}

broker_answers() {
	"$HOLDFAST" broker --status
}

broker_status() {
	"$HOLDFAST" broker --status --json 2>/dev/null
}

# broker_says FILTER: its status has it.
broker_says() {
	broker_status | jq -e "$1"
}

broker_end() {
	"$HOLDFAST" broker --stop 2>/dev/null || true
	[[ -z ${BROKER:-} ]] || wait_for is_gone "$BROKER"
}

# --- a desktop ---------------------------------------------------------------------------------

bus_config() {
	cat >"$T/bus.conf" <<-END
		<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
		<busconfig><type>session</type><listen>unix:path=$T/bus</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
		</busconfig>
	END
}

# A session bus that nobody else has.
bus_start() {
	skip_without dbus-daemon python3
	/usr/bin/python3 -c 'import dbus, gi' 2>/dev/null || skip "python3-dbus or python3-gi is not installed"
	bus_config
	dbus-daemon --config-file="$T/bus.conf" --nofork --nopidfile >"$T/bus.err" 2>&1 3>&- &
	started $!
	wait_for test -S "$T/bus"
	export DBUS_SESSION_BUS_ADDRESS=unix:path=$T/bus
}

desktop_start() {
	/usr/bin/python3 "$HELPERS/desktop.py" "$T" "$@" >"$T/desktop.err" 2>&1 3>&- &
	DESKTOP=$!
	started "$DESKTOP"
	wait_for grep -q ready "$T/notified"
}

# notified FILTER: what the service was told.
notified() {
	[[ -s $T/notified ]] && jq -es "any(.[]; $1)" "$T/notified"
}

notified_count() {
	jq -s "[.[] | select($1)] | length" "$T/notified"
}

# click NUMBER KEY: after what was shown has settled.
click() {
	# The one pause that nothing tells the end of: a click sooner does not count.
	read -rt 0.7 _ <><(:) || true
	echo "$1 $2" >"$T/click"
}

# --- the user's server ---------------------------------------------------------------------------

SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5

# server_start [CERTIFICATE]: says its port in $PORT.
server_start() {
	skip_without python3
	/usr/bin/python3 "$HELPERS/webhook.py" "$T" "$SECRET" "$@" >"$T/server.err" 2>&1 3>&- &
	SERVER=$!
	started "$SERVER"
	wait_for test -e "$T/port"
	PORT=$(cat "$T/port")
}

# requested FILTER: a request that the server got.
requested() {
	[[ -s $T/requests ]] && jq -es "any(.[]; $1)" "$T/requests"
}

requests() {
	jq -s "[.[] | select($1)] | length" "$T/requests"
}

# token allow|deny: of the first held action that the server was told of.
token() {
	wait_for requested '.body.type == "holdfast.held"'
	jq -rs "[.[] | select(.body.type == \"holdfast.held\")][0].body.data.answers[] | select(.answer == \"$1\") | .token" "$T/requests"
}

# A port of loopback that is free now.
free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
