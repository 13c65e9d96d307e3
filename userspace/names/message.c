/* SPDX-License-Identifier: Apache-2.0 */
#include "names/message.h"

#define HEADER_LEN  12
#define RECORDS_MAX 1024 /* of all sections; more is no answer to anybody's question */
#define LABELS_MAX  127
#define NAME_LEN    253 /* of a name as text: 255 bytes in a message */
#define CLASS_IN    1
#define FLAG_QR     0x8000u
#define FLAG_OPCODE 0x7800u
#define FLAG_TC     0x0200u
/* RD, AD and CD: what a resolver obeys. */
#define FLAGS_ASKED 0x0130u
#define FLAG_RA     0x0080u
#define EDNS_DO     0x8000u
#define EDNS_LEN    11
/* Larger answers by UDP come in fragments (RFC 9715). */
#define UDP_SIZE_MAX 1232

/* SvcParamKeys of RFC 9460. */
#define SVC_IPV4HINT 4
#define SVC_IPV6HINT 6

struct reader {
	const uint8_t *p;
	size_t len, at;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static char *put16(char *p, unsigned v)
{
	p[0] = (char)(v >> 8);
	p[1] = (char)v;
	return p + 2;
}

static bool take(struct reader *r, size_t n, const uint8_t **ret)
{
	if (n > r->len - r->at)
		return false;
	*ret = r->p + r->at;
	r->at += n;
	return true;
}

/* What occurs in names that anybody reaches something by. A dot, a NUL or a blank inside of a label
 * would make two names look like one. */
static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static uint8_t to_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool add_label(struct reader *r, size_t n, char out[static DNS_NAME_SIZE], size_t *len,
		      bool *is_odd)
{
	const uint8_t *label;

	if (!take(r, n, &label) || *len + n + (*len > 0) > NAME_LEN)
		return false;
	if (*len)
		out[(*len)++] = '.';
	for (size_t i = 0; i < n; i++) {
		uint8_t c = to_lower(label[i]);

		*is_odd |= !is_plain(c);
		out[(*len)++] = (char)c;
	}
	return true;
}

/*
 * Each pointer must lead to before everything that was read of the name so far, so there is no way
 * round in circles. *ret_odd: bytes occur in it that no policy can name; the text is then of no
 * use.
 */
static bool read_name(struct reader *r, char out[static DNS_NAME_SIZE], bool *ret_odd)
{
	struct reader in = *r;
	size_t len = 0, first = r->at, labels = 0;
	bool has_jumped = false;
	const uint8_t *p;

	*ret_odd = false;
	for (;;) {
		if (!take(&in, 1, &p))
			return false;
		if ((*p & 0xc0) == 0xc0) {
			size_t target = (size_t)(*p & 0x3f) << 8;

			if (!take(&in, 1, &p))
				return false;
			target |= *p;
			if (!has_jumped)
				r->at = in.at;
			has_jumped = true;
			if (target >= first || target < HEADER_LEN)
				return false;
			in.at = first = target;
			continue;
		}
		if (*p & 0xc0)
			return false;
		if (*p == 0)
			break;
		if (++labels > LABELS_MAX || !add_label(&in, *p, out, &len, ret_odd))
			return false;
	}
	if (!has_jumped)
		r->at = in.at;
	if (len == 0)
		out[len++] = '.';
	out[len] = '\0';
	return true;
}

/* The one record that a question may have with it. Its options are not passed on. */
static int read_edns(struct reader *r, struct dns_question *q)
{
	const uint8_t *p;

	if (!take(r, EDNS_LEN, &p) || p[0] != 0 || get16(p + 1) != DNS_OPT)
		return -EOPNOTSUPP;
	q->has_edns = true;
	q->udp_size = get16(p + 3);
	if (q->udp_size < DNS_UDP_PLAIN)
		q->udp_size = DNS_UDP_PLAIN;
	if (p[6] != 0) /* a later version than 0 */
		return -EOPNOTSUPP;
	q->wants_dnssec = get16(p + 7) & EDNS_DO;
	return take(r, get16(p + 9), &p) && r->at == r->len ? 0 : -EBADMSG;
}

int dns_read_question(struct bytes message, struct dns_question *ret)
{
	struct reader r = {.p = (const uint8_t *)message.p, .len = message.len};
	const uint8_t *h, *p;
	bool is_odd;

	*ret = (struct dns_question){.udp_size = DNS_UDP_PLAIN};
	if (!take(&r, HEADER_LEN, &h) || get16(h + 2) & FLAG_QR)
		return -ENODATA; /* an answer to an answer could go round for ever */
	ret->id = get16(h);
	ret->flags = get16(h + 2);
	if (ret->flags & FLAG_OPCODE)
		return -EOPNOTSUPP;
	if (get16(h + 4) != 1 || get16(h + 6) || get16(h + 8) || get16(h + 10) > 1)
		return -EBADMSG;
	if (!read_name(&r, ret->name, &is_odd) || !take(&r, 4, &p))
		return -EBADMSG;
	ret->type = get16(p);
	ret->wire_len = r.at - HEADER_LEN;
	if (is_odd || get16(p + 2) != CLASS_IN)
		return -EOPNOTSUPP;
	if (get16(h + 10))
		return read_edns(&r, ret);
	return r.at == r.len ? 0 : -EBADMSG;
}

static char *put_header(char *out, unsigned id, unsigned flags, bool has_question, bool has_edns)
{
	out = put16(put16(out, id), flags);
	out = put16(put16(out, has_question), 0);
	return put16(put16(out, 0), has_edns);
}

static char *put_edns(char *out, unsigned udp_size, bool wants_dnssec)
{
	*out++ = '\0';
	out = put16(put16(out, DNS_OPT), udp_size);
	out = put16(put16(out, 0), wants_dnssec ? EDNS_DO : 0);
	return put16(out, 0);
}

size_t dns_write_question(const struct dns_question *q, struct bytes message, uint16_t id,
			  char out[static DNS_QUESTION_MAX])
{
	char *p = put_header(out, id, q->flags & FLAGS_ASKED, true, q->has_edns);

	memcpy(p, message.p + HEADER_LEN, q->wire_len);
	p += q->wire_len;
	if (q->has_edns)
		p = put_edns(p, MIN(q->udp_size, (uint16_t)UDP_SIZE_MAX), q->wants_dnssec);
	return (size_t)(p - out);
}

/* @flags: TC, and the rcode. */
static size_t write_empty(const struct dns_question *q, struct bytes message, unsigned flags,
			  char out[static DNS_QUESTION_MAX])
{
	char *p = put_header(out, q->id,
			     FLAG_QR | (q->flags & (FLAG_OPCODE | FLAGS_ASKED)) | FLAG_RA | flags,
			     q->wire_len != 0, q->has_edns);

	if (q->wire_len) {
		memcpy(p, message.p + HEADER_LEN, q->wire_len);
		p += q->wire_len;
	}
	if (q->has_edns)
		p = put_edns(p, UDP_SIZE_MAX, q->wants_dnssec);
	return (size_t)(p - out);
}

size_t dns_write_error(const struct dns_question *q, struct bytes message, enum dns_rcode rcode,
		       char out[static DNS_QUESTION_MAX])
{
	return write_empty(q, message, rcode, out);
}

size_t dns_write_cut(const struct dns_question *q, struct bytes message,
		     char out[static DNS_QUESTION_MAX])
{
	return write_empty(q, message, FLAG_TC, out);
}

/* ---- answers */

struct record {
	char owner[DNS_NAME_SIZE];
	bool is_odd;
	uint16_t type, class;
	uint32_t ttl;
	struct reader data; /* from its beginning to its end, pointers lead out of it */
};

static bool read_record(struct reader *r, struct record *ret)
{
	const uint8_t *p;
	size_t len;

	if (!read_name(r, ret->owner, &ret->is_odd) || !take(r, 10, &p))
		return false;
	ret->type = get16(p);
	ret->class = get16(p + 2);
	ret->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
	if (ret->ttl > INT32_MAX)
		ret->ttl = 0; /* RFC 2181, 8 */
	len = get16(p + 8);
	ret->data = (struct reader){.p = r->p, .len = r->at + len, .at = r->at};
	return take(r, len, &p);
}

static bool is_in_chain(const struct dns_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_names; i++)
		if (streq(f->names[i], name))
			return true;
	return false;
}

static bool add_alias(struct dns_facts *f, struct reader *r, bool *ret_new)
{
	char name[DNS_NAME_SIZE];
	bool is_odd;

	if (!read_name(r, name, &is_odd))
		return false;
	/* A name that no rule can be about hides nothing: those before it are still asked about. */
	if (is_odd || streq(name, ".") || is_in_chain(f, name))
		return true;
	if (f->n_names == DNS_CHAIN_MAX)
		return false;
	memcpy(f->names[f->n_names++], name, sizeof(name));
	*ret_new = true;
	return true;
}

static bool add_address(struct dns_facts *f, const uint8_t *ip, bool is_v4)
{
	struct dns_address a = {.is_v4 = is_v4};

	memcpy(a.ip, ip, is_v4 ? 4 : 16);
	for (size_t i = 0; i < f->n_addresses; i++)
		if (memcmp(&f->addresses[i], &a, sizeof(a)) == 0)
			return true;
	if (f->n_addresses == DNS_ADDRESS_MAX)
		return false;
	f->addresses[f->n_addresses++] = a;
	return true;
}

static bool add_hints(struct dns_facts *f, struct reader *r, bool is_v4)
{
	const size_t size = is_v4 ? 4 : 16;
	const uint8_t *p;

	if ((r->len - r->at) % size)
		return false;
	while (r->at < r->len)
		if (!take(r, size, &p) || !add_address(f, p, is_v4))
			return false;
	return true;
}

/* SVCB and HTTPS: priority, target, then keys with values (RFC 9460, 2.2). */
static bool read_service(struct dns_facts *f, struct reader r, bool *ret_new)
{
	const uint8_t *p;

	if (!take(&r, 2, &p) || !add_alias(f, &r, ret_new))
		return false;
	while (r.at < r.len) {
		struct reader value = r;
		size_t len;
		uint16_t key;

		if (!take(&r, 4, &p))
			return false;
		key = get16(p);
		len = get16(p + 2);
		value.at = r.at;
		if (!take(&r, len, &p))
			return false;
		value.len = r.at;
		if ((key == SVC_IPV4HINT || key == SVC_IPV6HINT) &&
		    !add_hints(f, &value, key == SVC_IPV4HINT))
			return false;
	}
	return true;
}

static bool use_record(struct dns_facts *f, const struct record *rr, bool *ret_new)
{
	struct reader r = rr->data;
	size_t len = r.len - r.at;

	switch (rr->type) {
	case DNS_CNAME:
		if (!add_alias(f, &r, ret_new) || r.at != r.len)
			return false;
		break;
	case DNS_A:
		if (len != 4 || !add_address(f, r.p + r.at, true))
			return false;
		break;
	case DNS_AAAA:
		if (len != 16 || !add_address(f, r.p + r.at, false))
			return false;
		break;
	case DNS_SVCB:
	case DNS_HTTPS:
		if (!read_service(f, r, ret_new))
			return false;
		break;
	default:
		return true;
	}
	f->ttl = MIN(f->ttl, rr->ttl);
	return true;
}

/* Records come in any order, so they are gone through until no alias is new. */
static bool follow(struct reader answers, size_t n, struct dns_facts *f)
{
	bool is_new = true;

	while (is_new) {
		struct reader r = answers;

		is_new = false;
		for (size_t i = 0; i < n; i++) {
			struct record rr;

			if (!read_record(&r, &rr))
				return false;
			if (!rr.is_odd && rr.class == CLASS_IN && is_in_chain(f, rr.owner) &&
			    !use_record(f, &rr, &is_new))
				return false;
		}
	}
	return true;
}

/* Everything up to the last byte is well formed. */
static bool is_whole(struct reader r, size_t n_records)
{
	if (n_records > RECORDS_MAX)
		return false;
	for (size_t i = 0; i < n_records; i++) {
		struct record rr;

		if (!read_record(&r, &rr))
			return false;
	}
	return r.at == r.len;
}

int dns_read_answer(struct bytes message, const struct dns_question *q, uint16_t id,
		    struct dns_facts *ret)
{
	struct reader r = {.p = (const uint8_t *)message.p, .len = message.len};
	char name[DNS_NAME_SIZE];
	const uint8_t *h, *p;
	size_t n_answers, n_all;
	bool is_odd;

	*ret = (struct dns_facts){.ttl = INT32_MAX};
	if (!take(&r, HEADER_LEN, &h) || get16(h) != id || !(get16(h + 2) & FLAG_QR) ||
	    get16(h + 2) & FLAG_OPCODE || get16(h + 4) != 1)
		return -ENOMSG;
	/* An odd name may have a NUL in it, and is never what was asked. */
	if (!read_name(&r, name, &is_odd) || is_odd || !take(&r, 4, &p) || !streq(name, q->name) ||
	    get16(p) != q->type || get16(p + 2) != CLASS_IN)
		return -ENOMSG;
	ret->is_cut = get16(h + 2) & FLAG_TC;
	n_answers = get16(h + 6);
	n_all = n_answers + get16(h + 8) + get16(h + 10);
	memcpy(ret->names[0], name, sizeof(name));
	ret->n_names = 1;
	if (!is_whole(r, n_all) || !follow(r, n_answers, ret))
		return -EBADMSG;
	return 0;
}
