/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"

#include "audit/proctree_private.h"

struct proctree *proctree_new(void)
{
	struct proctree *t = calloc(1, sizeof(*t));

	for (size_t i = 0; t && i < PROCTREE_BUCKETS; i++)
		t->buckets[i] = PROCTREE_NONE;
	if (t)
		t->lives = proclives_new();
	return t && !t->lives ? proctree_free(t) : t;
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
	proclives_free(t->lives);
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

bool proctree_is_ancestor(const struct proctree *t, size_t who, size_t of)
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
	return who != PROCTREE_NONE && proctree_is_ancestor(t, who, i);
}

/* Is the record with this parent and program about process @i, or has its pid been used again?
 * @life: as the kernel told it, if it did. */
static bool is_same_process(struct proctree *t, size_t i, size_t life, uint64_t ppid,
			    const json_t *exe)
{
	const struct process *p = &t->list[i];

	if (p->life != PROCLIVES_NONE && life != PROCLIVES_NONE)
		return p->life == life;
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

int proctree_add_silent(struct proctree *t, uint64_t pid, size_t *ret)
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
					 .life = PROCLIVES_NONE,
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
		r = proctree_add_silent(t, ppid, &parent);
		if (r < 0)
			return r;
	}
	if (parent != PROCTREE_NONE && parent != i && !proctree_is_ancestor(t, i, parent))
		t->list[i].parent = parent;
	return 0;
}

/* The process of this record. Return: 0, -ENOMEM. */
static int find_process(struct proctree *t, const json_t *root, size_t *ret)
{
	uint64_t pid = reader_u64(root, "pid"), ppid = reader_u64(root, "ppid");
	json_t *exe = json_object_get(root, "exe");
	size_t i = find(t, pid), life = proctree_life_of(t, root);
	int r = 0;

	if (i == PROCTREE_NONE || !is_same_process(t, i, life, ppid, exe)) {
		r = proctree_add_silent(t, pid, &i);
		if (r < 0 || i == PROCTREE_NONE) {
			*ret = PROCTREE_NONE;
			return r;
		}
	}
	if (t->list[i].is_silent) {
		t->list[i].is_silent = false;
		t->list[i].ppid = ppid;
		t->list[i].first_seq = reader_u64(root, "seq");
		t->list[i].session_key = proclives_session(root);
		t->list[i].time = json_incref(json_object_get(root, "time"));
		r = find_parent(t, i, exe);
		if (r == 0 && life != PROCLIVES_NONE)
			r = proctree_bind(t, i, life);
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

int proctree_learn(struct proctree *t, const json_t *root)
{
	return proclives_learn(t->lives, root);
}

size_t proctree_n_learned(const struct proctree *t)
{
	return proclives_count(t->lives);
}

void proctree_forget(struct proctree *t, size_t n)
{
	proclives_truncate(t->lives, n);
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
	} else if (streq(event, "processes")) {
		r = proctree_learn(t, root);
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
