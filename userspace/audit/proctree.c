/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"

#include "audit/proctree.h"

#define PROCTREE_BUCKETS 4096 /* of pids */
#define PROCTREE_IMAGES  8    /* programs that a process is remembered to have run */

struct process {
	uint64_t pid, ppid;
	size_t parent;           /* PROCTREE_NONE: the session started it, or nobody knows */
	size_t next;             /* of the same bucket, an older one; PROCTREE_NONE */
	unsigned int generation; /* of the session that it belongs to */
	bool is_silent;          /* only known as somebody's parent */
	uint64_t first_seq, last_seq;
	json_t *time; /* of its first record */
	json_t *session;
	/* Programs: the one that it runs is image[n_images - 1]; older ones shift out. */
	json_t *image[PROCTREE_IMAGES];
	size_t n_images;
	/* What it was allowed to start and may run from its next record on. */
	json_t *pending[2];
	json_t *commands; /* {seq, verdict, command}; NULL: none yet */
	uint64_t commands_unlisted;
	json_t *denials; /* {seq, kind, op, object, rule, reason}; NULL: none yet */
	uint64_t denials_unlisted;
	uint32_t counts[_KIND_MAX][_VERDICT_MAX];
};

struct proctree {
	struct process *list;
	size_t n, capacity;
	size_t buckets[PROCTREE_BUCKETS];
	unsigned int generation;
	uint64_t supervisor;
	json_t *session; /* its name */
	uint64_t command_pid;
	uint64_t unlisted;
};

struct proctree *proctree_new(void)
{
	struct proctree *t = calloc(1, sizeof(*t));

	for (size_t i = 0; t && i < PROCTREE_BUCKETS; i++)
		t->buckets[i] = PROCTREE_NONE;
	return t;
}

static void process_fini(struct process *p)
{
	for (size_t i = 0; i < PROCTREE_IMAGES; i++)
		json_decref(p->image[i]);
	for (size_t i = 0; i < ARRAY_SIZE(p->pending); i++)
		json_decref(p->pending[i]);
	json_decref(p->time);
	json_decref(p->session);
	json_decref(p->commands);
	json_decref(p->denials);
}

struct proctree *proctree_free(struct proctree *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n; i++)
		process_fini(&t->list[i]);
	json_decref(t->session);
	free(t->list);
	free(t);
	return NULL;
}

void proctree_freep(struct proctree **t)
{
	*t = proctree_free(*t);
}

size_t proctree_parent(const struct proctree *t, size_t i)
{
	return t->list[i].parent;
}

/* ---- which process a record is about */

static size_t *bucket_of(struct proctree *t, uint64_t pid)
{
	return &t->buckets[(pid * UINT64_C(0x9e3779b97f4a7c15)) >> 52];
}

/* The newest process that had @pid in this session. */
static size_t find(struct proctree *t, uint64_t pid)
{
	size_t i = *bucket_of(t, pid);

	while (i != PROCTREE_NONE && t->list[i].pid != pid)
		i = t->list[i].next;
	return i != PROCTREE_NONE && t->list[i].generation == t->generation ? i : PROCTREE_NONE;
}

static bool same(const json_t *a, const json_t *b)
{
	return json_is_string(a) && json_is_string(b) && json_equal(a, b);
}

static bool has_run(const struct process *p, const json_t *exe)
{
	if (!json_is_string(exe) || p->n_images == 0 || p->n_images == PROCTREE_IMAGES)
		return true; /* nobody can tell */
	for (size_t i = 0; i < p->n_images; i++)
		if (same(p->image[i], exe))
			return true;
	return same(p->pending[0], exe) || same(p->pending[1], exe);
}

static bool is_ancestor(const struct proctree *t, size_t who, size_t of)
{
	for (size_t i = t->list[of].parent; i != PROCTREE_NONE; i = t->list[i].parent)
		if (i == who)
			return true;
	return false;
}

/* Who gets orphans: one of the process's ancestors, the supervisor, or init. */
static bool is_reaper(struct proctree *t, size_t i, uint64_t ppid)
{
	size_t who;

	if (ppid <= 1 || ppid == t->supervisor)
		return true;
	who = find(t, ppid);
	return who != PROCTREE_NONE && is_ancestor(t, who, i);
}

/* Is the record with this parent and program about process @i, or has its pid been used again? */
static bool is_same_process(struct proctree *t, size_t i, uint64_t ppid, const json_t *exe)
{
	const struct process *p = &t->list[i];

	if (p->is_silent)
		return true;
	if (ppid != p->ppid && !is_reaper(t, i, ppid))
		return false;
	return !json_is_string(exe) || p->n_images == 0 || same(p->image[p->n_images - 1], exe) ||
	       same(p->pending[0], exe) || same(p->pending[1], exe);
}

static int grow(struct proctree *t)
{
	size_t capacity = t->capacity ? t->capacity * 2 : 64;
	struct process *list;

	if (t->n < t->capacity)
		return 0;
	list = realloc(t->list, capacity * sizeof(*list));
	if (!list)
		return -ENOMEM;
	t->list = list;
	t->capacity = capacity;
	return 0;
}

/* Return: 0; @ret is PROCTREE_NONE when there is no more room; -ENOMEM. */
static int add_process(struct proctree *t, uint64_t pid, size_t *ret)
{
	size_t *bucket = bucket_of(t, pid);

	*ret = PROCTREE_NONE;
	if (t->n >= PROCTREE_MAX)
		return 0;
	if (grow(t) < 0)
		return -ENOMEM;
	t->list[t->n] = (struct process){.pid = pid,
					 .parent = PROCTREE_NONE,
					 .next = *bucket,
					 .generation = t->generation,
					 .is_silent = true,
					 .session = json_incref(t->session)};
	*bucket = *ret = t->n++;
	return 0;
}

static void set_image(struct process *p, json_t *exe)
{
	if (!json_is_string(exe) || (p->n_images && same(p->image[p->n_images - 1], exe)))
		return;
	if (p->n_images == PROCTREE_IMAGES) {
		json_decref(p->image[0]);
		memmove(p->image, p->image + 1, (PROCTREE_IMAGES - 1) * sizeof(p->image[0]));
		p->n_images--;
	}
	p->image[p->n_images++] = json_incref(exe);
	for (size_t i = 0; i < ARRAY_SIZE(p->pending); i++) {
		json_decref(p->pending[i]);
		p->pending[i] = NULL;
	}
}

/*
 * The process that started @i. One that has not been heard of yet is entered without a record of
 * its own. A process whose pid is the right one, but which never ran the program that its child
 * was born with, has been replaced by one that we have not heard of.
 */
static int find_parent(struct proctree *t, size_t i, const json_t *exe)
{
	uint64_t ppid = t->list[i].ppid;
	size_t parent;
	int r;

	t->list[i].parent = PROCTREE_NONE;
	if (ppid <= 1 || ppid == t->supervisor || t->list[i].pid == t->command_pid)
		return 0;
	parent = find(t, ppid);
	if (parent == PROCTREE_NONE || !has_run(&t->list[parent], exe)) {
		r = add_process(t, ppid, &parent);
		if (r < 0)
			return r;
	}
	if (parent != PROCTREE_NONE && parent != i && !is_ancestor(t, i, parent))
		t->list[i].parent = parent;
	return 0;
}

/* The process of this record. Return: 0, -ENOMEM. */
static int find_process(struct proctree *t, const json_t *root, size_t *ret)
{
	uint64_t pid = reader_u64(root, "pid"), ppid = reader_u64(root, "ppid");
	json_t *exe = json_object_get(root, "exe");
	size_t i = find(t, pid);
	int r = 0;

	if (i == PROCTREE_NONE || !is_same_process(t, i, ppid, exe)) {
		r = add_process(t, pid, &i);
		if (r < 0 || i == PROCTREE_NONE) {
			*ret = PROCTREE_NONE;
			return r;
		}
	}
	if (t->list[i].is_silent) {
		t->list[i].is_silent = false;
		t->list[i].ppid = ppid;
		t->list[i].first_seq = reader_u64(root, "seq");
		t->list[i].time = json_incref(json_object_get(root, "time"));
		r = find_parent(t, i, exe);
	}
	set_image(&t->list[i], exe);
	t->list[i].last_seq = reader_u64(root, "seq");
	*ret = i;
	return r;
}

/* ---- what it did */

static bool needs_quotes(struct bytes s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_@%+=:,./-";

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || !strchr(plain, s.p[i]))
			return true;
	return s.len == 0;
}

static void add_quoted(struct strbuf *out, struct bytes s)
{
	if (!needs_quotes(s)) {
		strbuf_add_bytes(out, s);
		return;
	}
	strbuf_add_char(out, '\'');
	for (size_t i = 0; i < s.len && out->len < PROCTREE_COMMAND_MAX * 2; i++)
		if (s.p[i] == '\'')
			strbuf_add_str(out, "'\\''");
		else
			strbuf_add_char(out, s.p[i]);
	strbuf_add_char(out, '\'');
}

/* The command line as a shell would take it, at most PROCTREE_COMMAND_MAX bytes, by the log's rules
 * for strings. NULL: out of memory. */
static json_t *command_line(const json_t *root, const json_t *argv)
{
	struct strbuf line = STRBUF_INIT(READER_LINE_MAX);
	json_t *object = json_object_get(root, "object"), *ret;

	for (size_t i = 0; i < json_array_size(argv) && line.len <= PROCTREE_COMMAND_MAX; i++) {
		const json_t *s = json_array_get(argv, i);

		if (i)
			strbuf_add_char(&line, ' ');
		add_quoted(&line,
			   (struct bytes){.p = json_string_value(s), .len = json_string_length(s)});
	}
	if (!line.len && json_is_string(object))
		strbuf_add_bytes(&line, (struct bytes){.p = json_string_value(object),
						       .len = json_string_length(object)});
	if (line.len > PROCTREE_COMMAND_MAX) {
		size_t len = PROCTREE_COMMAND_MAX;

		while (len && (line.p[len] & 0xc0) == 0x80)
			len--; /* not in the midst of a character */
		strbuf_truncate(&line, len);
		strbuf_add_str(&line, "...");
	}
	ret = strbuf_error(&line) ? NULL : json_stringn(strbuf_str(&line), line.len);
	strbuf_fini(&line);
	return ret;
}

static json_t *copy(const json_t *root, const char *key)
{
	json_t *v = json_object_get(root, key);

	return v ? json_incref(v) : json_null();
}

static int append(json_t **list, json_t *item)
{
	if (!*list)
		*list = json_array();
	return json_array_append_new(*list, item) < 0 ? -ENOMEM : 0;
}

static int add_command(struct process *p, const json_t *root, json_t *argv)
{
	json_t *item;

	if (json_array_size(p->commands) >= PROCTREE_COMMANDS) {
		p->commands_unlisted++;
		return 0;
	}
	item = json_object();
	if (json_object_set_new(item, "seq", copy(root, "seq")) < 0 ||
	    json_object_set_new(item, "exe", copy(root, "object")) < 0 ||
	    json_object_set_new(item, "command", command_line(root, argv)) < 0) {
		json_decref(item);
		return -ENOMEM;
	}
	return append(&p->commands, item);
}

static int add_denial(struct process *p, const json_t *root)
{
	static const char *const keys[] = {"seq", "kind", "op", "object", "rule", "reason"};
	json_t *item;

	if (json_array_size(p->denials) >= PROCTREE_DENIALS) {
		p->denials_unlisted++;
		return 0;
	}
	item = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_set_new(item, keys[i], copy(root, keys[i])) < 0) {
			json_decref(item);
			return -ENOMEM;
		}
	return append(&p->denials, item);
}

static void set_pending(struct process *p, const json_t *root)
{
	static const char *const keys[] = {"object", "interpreter"};

	for (size_t i = 0; i < ARRAY_SIZE(p->pending); i++) {
		json_decref(p->pending[i]);
		p->pending[i] = json_incref(json_object_get(root, keys[i]));
	}
}

static int add_action(struct process *p, const json_t *root, bool is_counted)
{
	enum verdict verdict;
	enum action_kind kind;
	int r = 0;

	if (verdict_parse(bytes_of(reader_word(root, "verdict")), &verdict) < 0 ||
	    kind_parse(bytes_of(reader_word(root, "kind")), &kind) < 0)
		return 0; /* of another version: it still tells of a process */
	p->counts[kind][verdict] += is_counted;
	if (kind == KIND_TOOL && verdict < VERDICT_ASK) {
		set_pending(p, root);
		r = add_command(p, root, json_object_get(root, "argv"));
	}
	if (r == 0 && verdict == VERDICT_DENY && is_counted)
		r = add_denial(p, root);
	return r;
}

static void begin_session(struct proctree *t, const json_t *root)
{
	t->generation++;
	t->supervisor = reader_u64(root, "supervisor");
	t->command_pid = reader_u64(root, "pid");
	json_decref(t->session);
	t->session = json_incref(json_object_get(root, "session"));
}

int proctree_add(struct proctree *t, const json_t *root, bool is_counted, size_t *ret)
{
	const char *event = reader_word(root, "event");
	size_t i = PROCTREE_NONE;
	int r = 0;

	if (streq(event, "session_start")) {
		begin_session(t, root);
	} else if (reader_u64(root, "pid") && (streq(event, "action") || streq(event, "held"))) {
		r = find_process(t, root, &i);
		if (r == 0 && i == PROCTREE_NONE)
			t->unlisted += is_counted;
		else if (r == 0 && streq(event, "action"))
			r = add_action(&t->list[i], root, is_counted);
	}
	if (ret)
		*ret = i;
	return r;
}

/* ---- as JSON */

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* {"tool": {"allow": 3}, ...}: what is 0 is left out. */
static json_t *counts_json(const struct process *p)
{
	json_t *o = json_object();

	for (int k = 0; k < _KIND_MAX; k++) {
		json_t *kind = json_object();

		for (int v = 0; v < _VERDICT_MAX; v++)
			if (p->counts[k][v])
				(void)json_object_set_new(kind, verdict_name((enum verdict)v),
							  number(p->counts[k][v]));
		if (json_object_size(kind))
			(void)json_object_set(o, kind_name((enum action_kind)k), kind);
		json_decref(kind);
	}
	return o;
}

static uint64_t count(const struct process *p, enum verdict from)
{
	uint64_t n = 0;

	for (int k = 0; k < _KIND_MAX; k++)
		for (int v = from; v < _VERDICT_MAX; v++)
			n += p->counts[k][v];
	return n;
}

static json_t *list_or_empty(json_t *list)
{
	return list ? json_incref(list) : json_array();
}

json_t *proctree_process(const struct proctree *t, size_t i)
{
	const struct process *p = &t->list[i];
	json_t *o = json_object();

	(void)json_object_set_new(o, "id", number(i));
	(void)json_object_set_new(o, "parent",
				  p->parent == PROCTREE_NONE ? json_null() : number(p->parent));
	(void)json_object_set_new(o, "depth", number(0));
	(void)json_object_set_new(o, "session", p->session ? json_incref(p->session) : json_null());
	(void)json_object_set_new(o, "pid", number(p->pid));
	(void)json_object_set_new(o, "ppid", p->is_silent ? json_null() : number(p->ppid));
	(void)json_object_set_new(o, "time", p->time ? json_incref(p->time) : json_null());
	(void)json_object_set_new(o, "first_seq",
				  p->is_silent ? json_null() : number(p->first_seq));
	(void)json_object_set_new(o, "last_seq", p->is_silent ? json_null() : number(p->last_seq));
	(void)json_object_set_new(
		o, "exe", p->n_images ? json_incref(p->image[p->n_images - 1]) : json_null());
	(void)json_object_set_new(o, "commands", list_or_empty(p->commands));
	(void)json_object_set_new(o, "commands_unlisted", number(p->commands_unlisted));
	(void)json_object_set_new(o, "total", number(count(p, VERDICT_ALLOW)));
	(void)json_object_set_new(o, "denied", number(count(p, VERDICT_DENY)));
	(void)json_object_set_new(o, "counts", counts_json(p));
	(void)json_object_set_new(o, "denials", list_or_empty(p->denials));
	if (json_object_set_new(o, "denials_unlisted", number(p->denials_unlisted)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* First child and next sibling of each process, in the order in which they were met. */
struct links {
	bool *is_kept;
	size_t *first, *next;
	size_t root; /* the first that nobody is known to have started */
	size_t n_kept;
	uint64_t unlisted; /* actions of those that are not kept */
};

static void links_fini(struct links *l)
{
	free(l->is_kept);
	free(l->first);
	free(l->next);
}

/* Keeps the first @max processes that did something, and those that led to them. */
static void keep(const struct proctree *t, size_t max, struct links *l)
{
	for (size_t i = 0; i < t->n; i++) {
		uint64_t n = count(&t->list[i], VERDICT_ALLOW);

		if (n && l->n_kept >= max && !l->is_kept[i])
			l->unlisted += n;
		if (!n || l->n_kept >= max)
			continue;
		for (size_t p = i; p != PROCTREE_NONE && !l->is_kept[p]; p = t->list[p].parent) {
			l->is_kept[p] = true;
			l->n_kept++;
		}
	}
}

static size_t kept_parent(const struct proctree *t, const struct links *l, size_t i)
{
	size_t parent = t->list[i].parent;

	return parent != PROCTREE_NONE && l->is_kept[parent] ? parent : PROCTREE_NONE;
}

static int links_make(const struct proctree *t, size_t max, struct links *ret)
{
	*ret = (struct links){.root = PROCTREE_NONE};
	ret->is_kept = calloc(t->n + 1, sizeof(bool));
	ret->first = calloc(t->n + 1, sizeof(size_t));
	ret->next = calloc(t->n + 1, sizeof(size_t));
	if (!ret->is_kept || !ret->first || !ret->next)
		return -ENOMEM;
	keep(t, max, ret);
	for (size_t i = 0; i < t->n; i++)
		ret->first[i] = ret->next[i] = PROCTREE_NONE;
	for (size_t i = t->n; i-- > 0;) {
		size_t parent = kept_parent(t, ret, i);
		size_t *head = parent == PROCTREE_NONE ? &ret->root : &ret->first[parent];

		if (!ret->is_kept[i])
			continue;
		ret->next[i] = *head;
		*head = i;
	}
	return 0;
}

/* The process after @i in a walk over the tree. */
static size_t walk_on(const struct proctree *t, const struct links *l, size_t i, size_t *depth)
{
	if (l->first[i] != PROCTREE_NONE) {
		(*depth)++;
		return l->first[i];
	}
	while (l->next[i] == PROCTREE_NONE) {
		i = kept_parent(t, l, i);
		if (i == PROCTREE_NONE)
			return PROCTREE_NONE;
		(*depth)--;
	}
	return l->next[i];
}

static int list_json(const struct proctree *t, const struct links *l, json_t *list)
{
	size_t depth = 0;

	for (size_t i = l->root; i != PROCTREE_NONE; i = walk_on(t, l, i, &depth)) {
		json_t *process = proctree_process(t, i);

		(void)json_object_set_new(process, "depth", number(depth));
		if (json_array_append_new(list, process) < 0)
			return -ENOMEM;
	}
	return 0;
}

json_t *proctree_json(const struct proctree *t, size_t max)
{
	_cleanup_(links_fini) struct links l = {};
	json_t *o = json_object(), *list = json_array();
	int r;

	r = links_make(t, max, &l);
	if (r == 0)
		r = list_json(t, &l, list);
	(void)json_object_set_new(o, "total", number(t->n));
	(void)json_object_set_new(o, "list", list);
	if (json_object_set_new(o, "unlisted", number(t->unlisted + l.unlisted)) < 0 || r < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}
