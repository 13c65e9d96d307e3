# SPDX-License-Identifier: Apache-2.0
# Builds the small C programs of the end-to-end tests once, outside the tree: for this run of bats, or,
# where HF_HELPERS says that they are there (tools/run-tests), for many.

# build_helpers DIR
build_helpers() {
	local source name

	mkdir -p "$1"
	for source in "$(dirname "${BASH_SOURCE[0]}")"/helpers/*.c; do
		name=$(basename "$source" .c)
		"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -pthread -o "$1/$name" "$source" || return 1
	done
}

setup_suite() {
	if [[ -z ${HF_HELPERS:-} ]]; then
		export HF_HELPERS="$BATS_SUITE_TMPDIR/helpers"
		build_helpers "$HF_HELPERS" || return 1
	fi
	HOLDFAST=${HOLDFAST:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build/holdfast}
	export HOLDFAST
	if [[ ! -x $HOLDFAST ]]; then
		echo "no binary at '$HOLDFAST': run 'make' first, or set HOLDFAST" >&2
		return 1
	fi
}
