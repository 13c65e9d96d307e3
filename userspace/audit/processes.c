/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open-addressed table of processes, and one edge for each parent that a process was seen with
 * (a process whose parent dies gets another). Marking goes over the edges until none adds anything:
 * edges are in the order of the log, in which a child mostly comes after its parent, so two rounds
 * are the rule. Sessions are told apart by 64 bits of SipHash: their names are ours, not the
 * agent's.
 */
#include <sodium.h>

#include "audit/processes.h"

#define TABLE_MIN          ((size_t)1024)
#define SESSION_CACHED_MAX 64

struct process {
	uint64_t session;
	uint32_t pid;    /* 0: the place is free */
	uint32_t parent; /* that an edge was made for last */
	bool is_marked;
};

struct edge {
	uint64_t session;
	uint32_t parent, child;
};

struct processes {
	struct process *table;
	size_t size, used; /* size: a power of two, at most half of it used */
	struct edge *edges;
	size_t n_edges, cap_edges;
	/* Records of a session stand together: its name is hashed once for all of them. */
	char session[SESSION_CACHED_MAX];
	size_t session_len; /* 0: none */
	uint64_t session_id;
};

static uint64_t session_id(struct processes *p, struct bytes s)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES];
	uint64_t h;

	if (s.len && s.len == p->session_len && memcmp(s.p, p->session, s.len) == 0)
		return p->session_id;
	(void)crypto_shorthash((unsigned char *)&h, (const unsigned char *)(s.p ? s.p : ""), s.len,
			       key);
	if (s.len && s.len <= sizeof(p->session)) {
		memcpy(p->session, s.p, s.len);
		p->session_len = s.len;
		p->session_id = h;
	}
	return h;
}

int processes_new(struct processes **ret)
{
	struct processes *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->size = TABLE_MIN;
	p->table = calloc(p->size, sizeof(*p->table));
	if (!p->table) {
		free(p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

struct processes *processes_free(struct processes *p)
{
	if (!p)
		return NULL;
	free(p->table);
	free(p->edges);
	free(p);
	return NULL;
}

/* The process's place in @table, or the free one where it belongs. */
static struct process *find(struct process *table, size_t size, uint64_t session, uint32_t pid)
{
	uint64_t h = (session ^ pid) * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(h >> 32) & (size - 1);

	while (table[i].pid && (table[i].pid != pid || table[i].session != session))
		i = (i + 1) & (size - 1);
	return &table[i];
}

static int grow(struct processes *p)
{
	size_t size = p->size * 2;
	struct process *table;

	if (p->used * 2 < p->size)
		return 0;
	table = calloc(size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < p->size; i++)
		if (p->table[i].pid)
			*find(table, size, p->table[i].session, p->table[i].pid) = p->table[i];
	free(p->table);
	p->table = table;
	p->size = size;
	return 0;
}

static int add_edge(struct processes *p, struct edge edge)
{
	if (p->n_edges == p->cap_edges) {
		size_t cap = MAX(p->cap_edges * 2, TABLE_MIN);
		struct edge *edges = reallocarray(p->edges, cap, sizeof(*edges));

		if (!edges)
			return -ENOMEM;
		p->edges = edges;
		p->cap_edges = cap;
	}
	p->edges[p->n_edges++] = edge;
	return 0;
}

int processes_add(struct processes *p, struct bytes session, uint32_t pid, uint32_t ppid)
{
	uint64_t id = session_id(p, session);
	struct process *process;
	int r;

	if (!pid)
		return 0;
	r = grow(p);
	if (r < 0)
		return r;
	process = find(p->table, p->size, id, pid);
	if (!process->pid) {
		*process = (struct process){.session = id, .pid = pid};
		p->used++;
	}
	if (!ppid || process->parent == ppid)
		return 0;
	process->parent = ppid;
	return add_edge(p, (struct edge){.session = id, .parent = ppid, .child = pid});
}

static bool is_root(uint32_t pid, const uint32_t *roots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (roots[i] == pid)
			return true;
	return false;
}

void processes_mark(struct processes *p, const uint32_t *roots, size_t n_roots)
{
	bool is_more;

	do {
		is_more = false;
		for (size_t i = 0; i < p->n_edges; i++) {
			const struct edge *e = &p->edges[i];
			struct process *child = find(p->table, p->size, e->session, e->child);

			if (child->is_marked ||
			    (!is_root(e->parent, roots, n_roots) &&
			     !find(p->table, p->size, e->session, e->parent)->is_marked))
				continue;
			child->is_marked = true;
			is_more = true;
		}
	} while (is_more);
}

bool processes_is_marked(struct processes *p, struct bytes session, uint32_t pid)
{
	return pid && find(p->table, p->size, session_id(p, session), pid)->is_marked;
}
