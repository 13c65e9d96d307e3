/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of a stranger to holdfast-loader: 2 bytes of length and one of whether it has a
 * descriptor, then so many bytes; after a LAYERS_NET or
 * LAYERS_LSM that is taken, what is left is its file. What
 * is taken keeps the order of the protocol, and no look-up in tables that are taken leads outside.
 */
#include "loader/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_tables(const struct layers_net *q, const uint8_t *file, size_t size)
{
	static struct net_table table;
	const struct layers_prefix *prefixes;
	/* Files are long, and mostly ports: one that is short stands for one that is filled up. */
	const size_t whole = request_tables_size(q);
	uint8_t *filled = calloc(1, MAX(whole, (size_t)1));

	check(filled && whole <= NET_PREFIXES_MAX * sizeof(*prefixes) + NET_PORTS + NET_CELLS);
	memcpy(filled, file, MIN(size, whole));
	if (request_read_tables(q, filled, whole, &prefixes, &table) == 0) {
		check((const uint8_t *)prefixes == filled && q->n_prefixes <= NET_PREFIXES_MAX);
		for (size_t i = 0; i < q->n_prefixes; i++)
			check(prefixes[i].bits <= (prefixes[i].is_v4 ? 32 : 128));
		for (size_t i = 0; i < NET_PORTS; i++)
			check(table.ports[i] < q->n_port_classes);
		for (size_t i = 0; i < NET_CELLS; i++)
			check(table.verdicts[i] <= NET_DENY);
	}
	free(filled);
}

static void check_automatons(const struct layers_lsm *q, const uint8_t *data, size_t size)
{
	const size_t whole = request_lsm_size(q);
	const uint8_t *cells, *verdicts;
	struct lsm_config config;
	uint8_t *file = calloc(1, MAX(whole, (size_t)1));
	size_t kinds = 1;

	check(file && whole <= 256 + 2 * (size_t)LSM_CELLS_MAX + 4 * (size_t)LSM_VERDICTS_MAX);
	memcpy(file, data, MIN(size, whole));
	if (request_read_lsm(q, file, whole, &config, &cells, &verdicts) == 0) {
		const size_t row = config.n_classes + 1;

		for (size_t i = 0; i < 256; i++)
			check(config.classes[i] < config.n_classes);
		for (size_t i = 0; i < LSM_PARTS; i++) {
			check(config.parts[i].first < q->n_states);
			kinds *= config.parts[i].n_kinds;
		}
		check(kinds == q->n_verdicts && verdicts + 4 * kinds == file + whole);
		for (size_t i = 0; i < q->n_states * row; i++) {
			uint16_t cell;

			memcpy(&cell, cells + 2 * i, sizeof(cell));
			check(cell < (i % row == row - 1 ? q->n_verdicts : q->n_states));
		}
	}
	free(file);
}

static void check_status(const uint8_t *data, size_t size)
{
	char text[1024];
	struct request_process p;
	const size_t n = MIN(size, sizeof(text) - 1);

	memcpy(text, data, n);
	text[n] = '\0';
	if (request_parse_status(text, &p) == 0)
		check(p.parent >= 0 &&
		      (!request_may_join(&p, p.parent, p.uids[1]) || p.has_no_new_privs));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request_state state = {};
	uint32_t done = 0;

	check_status(data, size);
	while (size >= 3) {
		const size_t n = MIN((size_t)(data[0] | data[1] << 8), size - 3);
		struct layers_net net = {};
		struct layers_lsm lsm = {};
		enum layers_type type;
		int r = request_check(&state, data + 3, n, data[2] & 1, &type);

		check(r == 0 || (r == -EPROTO && state.done == done));
		memcpy(&net, data + 3, MIN(n, sizeof(net)));
		memcpy(&lsm, data + 3, MIN(n, sizeof(lsm)));
		data += 3 + n;
		size -= 3 + n;
		if (r < 0)
			continue;
		check((type == LAYERS_LSM_JOIN || !(done & UINT32_C(1) << type)) &&
		      state.done == (done | UINT32_C(1) << type));
		check(type != LAYERS_PROBE);
		check(type != LAYERS_JOIN || (done & UINT32_C(1) << LAYERS_NET));
		check(type != LAYERS_LSM_JOIN || (done & UINT32_C(1) << LAYERS_LSM));
		done = state.done;
		if (type == LAYERS_NET)
			check_tables(&net, data, size);
		if (type == LAYERS_LSM)
			check_automatons(&lsm, data, size);
	}
	return 0;
}
