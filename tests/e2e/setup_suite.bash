# SPDX-License-Identifier: Apache-2.0
# Builds the small C programs of the end-to-end tests once, outside the tree.

setup_suite() {
	local source name

	export HF_HELPERS="$BATS_SUITE_TMPDIR/helpers"
	mkdir -p "$HF_HELPERS"
	for source in "$BATS_TEST_DIRNAME"/helpers/*.c; do
		name=$(basename "$source" .c)
		"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -pthread \
			-o "$HF_HELPERS/$name" "$source" || return 1
	done
	HOLDFAST=${HOLDFAST:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build/holdfast}
	export HOLDFAST
	if [[ ! -x $HOLDFAST ]]; then
		echo "no binary at '$HOLDFAST': run 'make' first, or set HOLDFAST" >&2
		return 1
	fi
}
