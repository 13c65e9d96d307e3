/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of a stranger to holdfast-loader: 2 bytes of length and one of whether it has a
 * descriptor, then so many bytes; after a LAYERS_NET that is taken, what is left is its file. What
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
		enum layers_type type;
		int r = request_check(&state, data + 3, n, data[2] & 1, &type);

		check(r == 0 || (r == -EPROTO && state.done == done));
		memcpy(&net, data + 3, MIN(n, sizeof(net)));
		data += 3 + n;
		size -= 3 + n;
		if (r < 0)
			continue;
		check(!(done & UINT32_C(1) << type) && state.done == (done | UINT32_C(1) << type));
		check(type != LAYERS_PROBE);
		check(type != LAYERS_JOIN || (done & UINT32_C(1) << LAYERS_NET));
		done = state.done;
		if (type == LAYERS_NET)
			check_tables(&net, data, size);
	}
	return 0;
}
