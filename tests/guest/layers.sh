#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The table of cases of tests/e2e/layers.bats under the layers that only a guest has: the same verdicts, records and effects
# as with notification alone.
helper=/guest/bin/layers.py
combinations=(-bpf auto)
if grep -qw bpf /sys/kernel/security/lsm && ! grep -qs '\[confidentiality\]' /sys/kernel/security/lockdown && [[ -x /usr/local/libexec/holdfast/holdfast-loader ]]; then
	combinations+=("auto,bpf-lsm" "bpf-lsm,-landlock")
fi
say()
{
	if (($1 == 0)); then echo "ok - layers: $2"; else echo "not ok - layers: $2"; fi
}
layer()
{
	jq -r --arg class "$2" 'select(.event == "session_start") | .layers[] | select(.class == $class) | .layer' "/var/tmp/layers$1.jsonl"
}
mkdir /tmp/layers && cd /tmp/layers || exit 1
for layers in "${combinations[@]}"; do
	dir=/tmp/layers/$layers.d
	python3 -I $helper prepare "$dir"
	(cd "$dir" && holdfast run -q --ask command:/guest/bin/layers_bot --layers "$layers" --policy /guest/bin/layers.yaml \
		--log "/var/tmp/layers$layers.jsonl" -- python3 -I $helper cases "$dir") >"$layers.out" 2>&1
	jq -c --arg dir "$dir" -f /guest/bin/layers.jq "/var/tmp/layers$layers.jsonl" | sort >"$layers.records"
	python3 -I $helper tree "$dir" >"$layers.tree"
	if (($(wc -l <"$layers.records") < 250)); then
		say 1 "$layers has its records"
		sed 's/^/# /' "$layers.out" | head -20
		continue
	fi
	[[ $layers != -bpf ]] || continue # what the others are compared with
	carry="path-read on $(layer "$layers" path-read), network on $(layer "$layers" network), objects on $(layer "$layers" objects)"
	for what in out records tree; do
		diff ./-bpf.$what "./$layers.$what" >diff.out
		say $? "the same $what with $layers: $carry"
		sed 's/^/# /' diff.out | cut -c1-400 | head -20
	done
done
if [[ ${combinations[2]-} ]]; then
	[[ $(layer auto,bpf-lsm path-read) == bpf-lsm ]]
	say $? "in some of them the kernel decided on reads alone"
fi
