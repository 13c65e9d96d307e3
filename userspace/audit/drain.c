/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/io.h"

#include "audit/checkpoint.h"
#include "audit/internal.h"
#include "audit/tail.h"

static const char *const sync_names[_AUDIT_SYNC_MAX] = {
	[AUDIT_SYNC_SECOND] = "second",
	[AUDIT_SYNC_ALWAYS] = "always",
	[AUDIT_SYNC_NONE] = "none",
};

int audit_sync_parse(const char *s, enum audit_sync *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(sync_names); i++) {
		if (streq(s, sync_names[i])) {
			*ret = (enum audit_sync)i;
			return 0;
		}
	}
	return -EINVAL;
}

int audit_begin_at_end(struct audit *a)
{
	struct tail tail;
	int r;

	r = tail_take(a->file.fd, a->chain, &tail);
	if (r < 0)
		return r;
	a->at.commit.file_bytes = tail.file_bytes;
	a->at.prev = tail.link;
	a->at.lines = tail.lines;
	a->at.signed_lines = 0; /* not known: the next checkpoint may come early */
	return 0;
}

int audit_sync(struct audit *a, bool must)
{
	uint64_t now;

	if (!a->is_dirty || a->config.storage.sync == AUDIT_SYNC_NONE)
		return 0;
	now = clock_monotonic_ns();
	if (!must && a->config.storage.sync == AUDIT_SYNC_SECOND && now - a->synced_ns < NS_PER_SEC)
		return 0;
	/* The key first: a signature whose key nobody knows would look forged. */
	if (a->keys_fd >= 0 && fdatasync(a->keys_fd) < 0)
		return -errno;
	a->keys_fd = -1;
	if (fdatasync(a->file.fd) < 0)
		return -errno;
	a->is_dirty = false;
	a->synced_ns = now;
	return 0;
}

/* What a failed write left behind is cut off again, so that the file always ends with a whole line.
 */
int audit_write_to(struct audit *a, const struct audit_position *pos)
{
	int r = 0;

	if (a->text.len) {
		a->is_dirty = true;
		r = io_write_all(a->file.fd, a->text.p, a->text.len);
	}
	if (r < 0 && ftruncate(a->file.fd, (off_t)a->at.commit.file_bytes) < 0)
		return -errno;
	if (r < 0)
		return r;
	a->at = *pos;
	ring_set_commit(&a->ring, a->at.commit);
	return 0;
}

/* Appends the viewed record's line to a->text. Return: 0, -errno. */
static int add_line(struct audit *a, struct audit_position *pos)
{
	size_t start = a->text.len;
	int r;

	codec_add_line(&a->view, ring_session(&a->ring), ring_agent(&a->ring), &pos->prev,
		       &a->text);
	r = strbuf_error(&a->text);
	if (r < 0)
		return r;
	pos->lines++;
	pos->commit.last_seq = a->view.seq;
	pos->commit.file_bytes += a->text.len - start;
	return chain_hash(a->chain,
			  (struct bytes){.p = a->text.p + start, .len = a->text.len - 1 - start},
			  &pos->prev);
}

int audit_add_made(struct audit *a, const char *event, struct bytes keys,
		   struct audit_position *pos)
{
	a->view.type = WIRE_EVENT;
	a->view.event = bytes_of(event);
	a->view.text = keys;
	a->view.record.time_ns = clock_realtime_ns();
	a->view.seq = pos->commit.last_seq + 1;
	pos->commit.made++;
	return add_line(a, pos);
}

int audit_add_checkpoint(struct audit *a, struct audit_position *pos)
{
	_cleanup_(strbuf_fini) struct strbuf keys = STRBUF_INIT(CHECKPOINT_KEYS_MAX);
	const struct checkpoint c = {.session = ring_session(&a->ring),
				     .lines = pos->lines,
				     .bytes = pos->commit.file_bytes,
				     .prev = pos->prev,
				     .is_recovered = a->is_recovery};
	int r;

	if (!a->key || pos->signed_lines == pos->lines)
		return 0;
	r = checkpoint_add_keys(&c, a->key, &keys);
	if (r == 0)
		r = audit_add_made(a, CHECKPOINT_EVENT, strbuf_bytes(&keys), pos);
	pos->signed_lines = pos->lines;
	return r;
}

/* Appends the line of one record of the ring, and a checkpoint where one is due. */
static int add_record(struct audit *a, struct audit_position *pos)
{
	bool has_ended = a->view.type == WIRE_EVENT && bytes_eq_str(a->view.event, "session_end");
	int r;

	a->view.seq += pos->commit.made;
	a->lines++;
	r = add_line(a, pos);
	if (r == 0 && (has_ended || pos->lines - pos->signed_lines >= CHECKPOINT_LINES))
		r = audit_add_checkpoint(a, pos);
	return r;
}

/* Turns up to @max records before @head into lines and writes them. Return: 0, -errno. */
static int drain_some(struct audit *a, uint64_t head, size_t max)
{
	struct audit_position pos = a->at;
	int lines = a->lines, r = 0;

	strbuf_reset(&a->text);
	for (size_t n = 0; pos.commit.tail < head && n < max && a->text.len < AUDIT_BATCH_BYTES;) {
		size_t offset = pos.commit.tail & (a->ring.capacity - 1);
		struct bytes in = {
			.p = a->ring.data + offset,
			.len = MIN((size_t)(head - pos.commit.tail), a->ring.capacity - offset)};
		ssize_t size = codec_view(in, &a->view);

		if (size < 0)
			return (int)size;
		pos.commit.tail += (uint64_t)size;
		if (a->view.type == WIRE_PAD)
			continue;
		r = add_record(a, &pos);
		if (r < 0)
			break;
		n++;
	}
	if (r == 0)
		r = audit_write_to(a, &pos);
	if (r < 0) {
		a->lines = lines;
		return r;
	}
	return audit_sync(a, a->config.storage.sync == AUDIT_SYNC_ALWAYS);
}

int audit_drain_batch(struct audit *a, uint64_t head)
{
	int r;

	/* Before rather than after: a file that nothing follows stays. */
	r = audit_rotate(a);
	if (r < 0)
		return r;
	r = drain_some(a, head, SIZE_MAX);
	if (r == 0)
		return 0;
	do
		r = drain_some(a, head, 1);
	while (r == 0 && a->at.commit.tail < head);
	return r;
}

int audit_drain(struct audit *a)
{
	while (a->error == 0 && a->at.commit.tail < ring_head(&a->ring))
		a->error = audit_drain_batch(a, ring_head(&a->ring));
	a->tail = a->at.commit.tail;
	return a->error;
}
