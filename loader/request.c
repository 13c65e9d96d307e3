/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include "loader/request.h"

#define BIT(type) (UINT32_C(1) << (type))

static const struct {
	enum layers_type type;
	size_t size;
	bool has_fd;
	uint32_t after;  /* must have been done before */
	uint32_t before; /* must not */
	bool repeats;    /* else it is taken once */
} requests[] = {
	{LAYERS_PROBE, sizeof(struct layers_header), false, 0, ~UINT32_C(0), false},
	{LAYERS_START, sizeof(struct layers_header), false, 0, 0, false},
	{LAYERS_SEAL, sizeof(struct layers_header), false, BIT(LAYERS_START), 0, false},
	{LAYERS_NET, sizeof(struct layers_net), true, 0, 0, false},
	{LAYERS_JOIN, sizeof(struct layers_header), true, BIT(LAYERS_NET), 0, false},
	{LAYERS_LSM, sizeof(struct layers_lsm), true, 0, 0, false},
	{LAYERS_LSM_JOIN, sizeof(struct layers_header), true, BIT(LAYERS_LSM), 0, true},
};

int request_check(struct request_state *state, const void *packet, size_t size, bool has_fd,
		  enum layers_type *ret)
{
	struct layers_header h;

	if (size < sizeof(h))
		return -EPROTO;
	memcpy(&h, packet, sizeof(h));
	if (h.version != LAYERS_VERSION || h.size != size || h.reserved != 0)
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		const uint32_t bit = BIT(requests[i].type);

		if (requests[i].type != h.type)
			continue;
		if (requests[i].size != size || requests[i].has_fd != has_fd ||
		    (state->done & requests[i].after) != requests[i].after ||
		    (state->done & requests[i].before) ||
		    (!requests[i].repeats && (state->done & bit)) ||
		    (!state->may_probe && h.type == LAYERS_PROBE))
			return -EPROTO;
		state->done |= bit;
		*ret = requests[i].type;
		return 0;
	}
	return -EPROTO;
}

/* ---- tables */

static size_t count_cells(const struct layers_net *q)
{
	return (size_t)_NET_OP_MAX * NET_PROTOCOLS * q->n_prefixes * q->n_port_classes;
}

size_t request_tables_size(const struct layers_net *q)
{
	if (q->n_prefixes < 1 || q->n_prefixes > NET_PREFIXES_MAX || q->n_port_classes < 1 ||
	    q->n_port_classes > 255 || q->is_audit > 1 || q->opens_unix > 1 ||
	    count_cells(q) > NET_CELLS)
		return 0;
	return q->n_prefixes * sizeof(struct layers_prefix) + NET_PORTS + count_cells(q);
}

/* A byte that is too large would be a place outside: the programs cut it, and so do we refuse it.
 */
static bool are_below(const uint8_t *bytes, size_t n, unsigned limit)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] >= limit)
			return false;
	return true;
}

int request_read_tables(const struct layers_net *q, const uint8_t *file, size_t size,
			const struct layers_prefix **ret_prefixes, struct net_table *ret)
{
	const struct layers_prefix *prefixes = (const void *)file;
	const uint8_t *ports, *verdicts;

	if (size == 0 || size != request_tables_size(q))
		return -EPROTO;
	ports = file + q->n_prefixes * sizeof(*prefixes);
	verdicts = ports + NET_PORTS;
	for (size_t i = 0; i < q->n_prefixes; i++)
		if (prefixes[i].is_v4 > 1 || prefixes[i].bits > (prefixes[i].is_v4 ? 32 : 128))
			return -EPROTO;
	if (!are_below(ports, NET_PORTS, q->n_port_classes) ||
	    !are_below(verdicts, count_cells(q), NET_DENY + 1))
		return -EPROTO;
	memcpy(ret->ports, ports, sizeof(ret->ports));
	memset(ret->verdicts, NET_DENY, sizeof(ret->verdicts));
	memcpy(ret->verdicts, verdicts, count_cells(q));
	*ret_prefixes = prefixes;
	return 0;
}

/* ---- tables of files */

static size_t count_lsm_cells(const struct layers_lsm *q)
{
	return (size_t)q->n_states * (q->n_classes + 1);
}

static bool are_parts_possible(const struct layers_lsm *q)
{
	size_t n_kinds = 1;

	for (size_t i = 0; i < LSM_PARTS; i++) {
		if (q->parts[i].first >= q->n_states || q->parts[i].n_kinds < 1 ||
		    q->parts[i].n_kinds > LSM_VERDICTS_MAX)
			return false;
		n_kinds *= q->parts[i].n_kinds;
		if (n_kinds > q->n_verdicts)
			return false;
	}
	return n_kinds == q->n_verdicts;
}

size_t request_lsm_size(const struct layers_lsm *q)
{
	if (q->reserved != 0 || q->is_audit > 1 || q->n_classes < 1 || q->n_classes > 256 ||
	    q->n_states < 1 || q->n_states > UINT16_MAX || count_lsm_cells(q) > LSM_CELLS_MAX ||
	    q->n_verdicts < 1 || q->n_verdicts > LSM_VERDICTS_MAX || !are_parts_possible(q))
		return 0;
	return 256 + count_lsm_cells(q) * sizeof(uint16_t) + q->n_verdicts * sizeof(uint32_t);
}

/* A cell is the next state, and in the last of a row the kind of a path that ends there. */
static bool are_cells_possible(const struct layers_lsm *q, const uint8_t *cells)
{
	for (size_t i = 0; i < count_lsm_cells(q); i++) {
		uint16_t cell;

		memcpy(&cell, cells + i * sizeof(cell), sizeof(cell));
		if (i % (q->n_classes + 1) == q->n_classes ? cell >= q->n_verdicts
							   : cell >= q->n_states)
			return false;
	}
	return true;
}

int request_read_lsm(const struct layers_lsm *q, const uint8_t *file, size_t size,
		     struct lsm_config *ret, const uint8_t **ret_cells,
		     const uint8_t **ret_verdicts)
{
	const uint8_t *cells = file + sizeof(ret->classes);

	if (size == 0 || size != request_lsm_size(q) ||
	    !are_below(file, sizeof(ret->classes), q->n_classes) || !are_cells_possible(q, cells))
		return -EPROTO;
	*ret = (struct lsm_config){.floor = q->floor,
				   .decides = q->decides,
				   .records = q->records,
				   .is_audit = q->is_audit,
				   .n_classes = q->n_classes};
	for (size_t i = 0; i < LSM_PARTS; i++)
		ret->parts[i] = (struct lsm_part){q->parts[i].first, q->parts[i].n_kinds};
	memcpy(ret->classes, file, sizeof(ret->classes));
	*ret_cells = cells;
	*ret_verdicts = cells + count_lsm_cells(q) * sizeof(uint16_t);
	return 0;
}

/* ---- processes */

/* The four numbers of the line "Uid:". */
static int parse_uids(const char *status, uint32_t ret[static 4])
{
	const char *line = strstr(status, "\nUid:");
	uint64_t n;

	if (!line)
		return -EPROTO;
	line += strlen("\nUid:");
	for (size_t i = 0; i < 4; i++) {
		size_t digits;

		line += strspn(line, "\t ");
		digits = strcspn(line, "\t \n");
		if (parse_u64((struct bytes){line, digits}, UINT32_MAX, &n) < 0)
			return -EPROTO;
		ret[i] = (uint32_t)n;
		line += digits;
	}
	return 0;
}

int request_parse_status(const char *status, struct request_process *ret)
{
	uint64_t parent, privs;

	if (parse_status_field(status, "PPid", &parent) < 0 || parent > INT32_MAX ||
	    parse_status_field(status, "NoNewPrivs", &privs) < 0)
		return -EPROTO;
	ret->parent = (int)parent;
	ret->has_no_new_privs = privs == 1;
	return parse_uids(status, ret->uids);
}

bool request_may_join(const struct request_process *process, int client, uint32_t uid)
{
	bool is = client > 0 && process->parent == client && process->has_no_new_privs;

	for (size_t i = 0; i < ARRAY_SIZE(process->uids); i++)
		is = is && process->uids[i] == uid;
	return is;
}
