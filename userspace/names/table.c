/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>

#include "base/chains.h"
#include "base/clock.h"
#include "policy/naming.h"

#include "names/table.h"

#define ASKERS    1024 /* a power of two */
#define TTL_MIN_S 60
#define TTL_MAX_S (24 * 60 * 60)
/* Programs keep addresses longer than they should: a pool of connections, a loop of retries. */
#define GRACE_S (10 * 60)
#define NEVER   UINT64_MAX
/* The rest is for names that are asked for. */
#define FIXED_AT_ADDRESS (NAMES_AT_ADDRESS / 2)

struct entry {
	struct chain chain;
	uint64_t expires_ns;
	struct dns_address address;
	bool is_alias;
	bool is_fixed; /* from the file of hosts, and not asked for yet */
	uint8_t len;
	char name[];
};

struct asker {
	uint16_t port; /* 0: none */
	struct names_asker who;
};

struct names_table {
	pthread_mutex_t lock;
	struct chains entries;
	struct asker askers[ASKERS];
};

int names_table_new(struct names_table **ret)
{
	struct names_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	(void)pthread_mutex_init(&t->lock, NULL);
	*ret = t;
	return 0;
}

struct names_table *names_table_free(struct names_table *t)
{
	if (!t)
		return NULL;
	chains_drop_all(&t->entries, NULL, NULL);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

/* FNV-1a. Who makes many addresses fall into one bucket waits longer for its own connects. */
static struct chain **chain_of(struct names_table *t, const struct dns_address *a)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < (a->is_v4 ? 4u : 16u); i++)
		hash = (hash ^ a->ip[i]) * 16777619u;
	return chains_of(&t->entries, hash ^ hash >> 16);
}

static bool is_address(const struct entry *e, const struct dns_address *a)
{
	return e->address.is_v4 == a->is_v4 && memcmp(e->address.ip, a->ip, a->is_v4 ? 4 : 16) == 0;
}

static bool is_expired(const struct chain *c, const void *now_ns)
{
	return ((const struct entry *)c)->expires_ns <= *(const uint64_t *)now_ns;
}

/* Entries begin with their chain. */
static struct entry *entry_of(struct chain *c)
{
	return (struct entry *)c;
}

/* @expires_ns NEVER: it is fixed. */
static int learn_one(struct names_table *t, const struct dns_address *a, const char *name,
		     bool is_alias, uint64_t now_ns, uint64_t expires_ns)
{
	struct chain **chain = chain_of(t, a);
	size_t len = strnlen(name, DNS_NAME_SIZE - 1), n_here = 0;
	struct entry *e;

	chains_drop(&t->entries, chain, is_expired, &now_ns);
	for (e = entry_of(*chain); e; e = entry_of(e->chain.next)) {
		if (!is_address(e, a))
			continue;
		n_here++;
		if (e->len != len || memcmp(e->name, name, len) != 0)
			continue;
		e->expires_ns = MAX(e->expires_ns, expires_ns);
		e->is_alias &= is_alias;
		e->is_fixed &= expires_ns == NEVER || is_alias;
		return 0;
	}
	if (t->entries.n == NAMES_MAX)
		chains_drop_all(&t->entries, is_expired, &now_ns);
	if (n_here == (expires_ns == NEVER ? FIXED_AT_ADDRESS : NAMES_AT_ADDRESS) ||
	    t->entries.n == NAMES_MAX)
		return -ENOSPC;
	e = malloc(sizeof(*e) + len);
	if (!e)
		return -ENOMEM;
	*e = (struct entry){.expires_ns = expires_ns,
			    .address = *a,
			    .is_alias = is_alias,
			    .is_fixed = expires_ns == NEVER,
			    .len = (uint8_t)len};
	memcpy(e->name, name, len);
	chains_insert(&t->entries, chain, &e->chain);
	return 0;
}

static struct dns_address key_of(const struct policy_address *a)
{
	struct dns_address ret = {.is_v4 = a->is_v4};

	memcpy(ret.ip, a->ip, a->is_v4 ? 4 : 16);
	return ret;
}

/* As a connect to it is judged: in its normal form, and by the addresses in it. Return: how many.
 */
static size_t forms_of(const struct dns_address *a, struct dns_address ret[POLICY_EMBEDDED_MAX + 1])
{
	struct policy_address whole = {.has_ip = true, .is_v4 = a->is_v4};
	struct policy_address embedded[POLICY_EMBEDDED_MAX];
	size_t n;

	memcpy(whole.ip, a->ip, a->is_v4 ? 4 : 16);
	policy_address_normalise(&whole, OP_CONNECT);
	ret[0] = key_of(&whole);
	n = policy_address_embedded(&whole, OP_CONNECT, embedded);
	for (size_t i = 0; i < n; i++)
		ret[i + 1] = key_of(&embedded[i]);
	return n + 1;
}

static int learn_address(struct names_table *t, const struct dns_facts *f,
			 const struct dns_address *a, uint64_t now_ns, uint64_t expires_ns)
{
	struct dns_address forms[POLICY_EMBEDDED_MAX + 1];
	size_t n = forms_of(a, forms);
	int r = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; r == 0 && k < MIN(f->n_names, (size_t)DNS_CHAIN_MAX); k++)
			r = learn_one(t, &forms[i], f->names[k], k > 0, now_ns, expires_ns);
	return r;
}

static int learn(struct names_table *t, const struct dns_facts *f, uint64_t now_ns,
		 uint64_t expires_ns)
{
	int r = 0;

	(void)pthread_mutex_lock(&t->lock);
	for (size_t i = 0; r == 0 && i < MIN(f->n_addresses, (size_t)DNS_ADDRESS_MAX); i++)
		r = learn_address(t, f, &f->addresses[i], now_ns, expires_ns);
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

int names_table_learn(struct names_table *t, const struct dns_facts *f, uint64_t now_ns)
{
	uint32_t bounded = MAX(f->ttl, (uint32_t)TTL_MIN_S);
	uint64_t ttl = MIN(bounded, (uint32_t)TTL_MAX_S) + UINT64_C(1) * GRACE_S;

	return learn(t, f, now_ns, now_ns + ttl * NS_PER_SEC);
}

int names_table_learn_fixed(struct names_table *t, const struct dns_facts *f)
{
	return learn(t, f, 0, NEVER);
}

bool names_is_inner(const struct policy_address *a)
{
	static const struct {
		bool is_v4;
		uint8_t bits;
		uint8_t ip[16];
	} ranges[] = {
		{true, 8, {0}},
		{true, 8, {10}},
		{true, 10, {100, 64}},
		{true, 8, {127}},
		{true, 16, {169, 254}},
		{true, 12, {172, 16}},
		{true, 16, {192, 168}},
		{true, 3, {224}}, /* groups, and what is reserved */
		{false, 127, {0}},
		{false, 7, {0xfc}},
		{false, 10, {0xfe, 0x80}},
		{false, 10, {0xfe, 0xc0}},
		{false, 8, {0xff}},
	};

	for (size_t i = 0; a->has_ip && i < ARRAY_SIZE(ranges); i++) {
		size_t whole = ranges[i].bits / 8;
		unsigned mask = 0xff00u >> ranges[i].bits % 8 & 0xff;

		if (ranges[i].is_v4 == a->is_v4 && memcmp(a->ip, ranges[i].ip, whole) == 0 &&
		    ((a->ip[whole] ^ ranges[i].ip[whole]) & mask) == 0)
			return true;
	}
	return false;
}

enum entry_kind {
	ENTRY_ASKED,
	ENTRY_ALIAS,
	ENTRY_FIXED,
};

static enum entry_kind kind_of(const struct entry *e)
{
	if (e->is_fixed)
		return ENTRY_FIXED;
	return e->is_alias ? ENTRY_ALIAS : ENTRY_ASKED;
}

static void copy_name(const struct entry *e, struct names_found *ret)
{
	char *text = ret->text[ret->n];

	memcpy(text, e->name, e->len);
	text[e->len] = '\0';
	ret->names[ret->n++] = (struct bytes){.p = text, .len = e->len};
}

/* With the lock. */
static void copy_names(struct names_table *t, const struct dns_address *key, enum entry_kind kind,
		       uint64_t now_ns, struct names_found *ret)
{
	for (const struct entry *e = entry_of(*chain_of(t, key)); e; e = entry_of(e->chain.next))
		if (is_address(e, key) && kind_of(e) == kind && e->expires_ns > now_ns &&
		    ret->n < NAMES_AT_ADDRESS)
			copy_name(e, ret);
}

void names_table_find(struct names_table *t, const struct policy_address *a, uint64_t now_ns,
		      struct names_found *ret)
{
	struct dns_address key;
	bool is_asked;

	ret->n = ret->n_asked = 0;
	if (!a->has_ip)
		return;
	key = key_of(a);
	(void)pthread_mutex_lock(&t->lock);
	copy_names(t, &key, ENTRY_ASKED, now_ns, ret);
	is_asked = ret->n > 0;
	if (!is_asked)
		copy_names(t, &key, ENTRY_FIXED, now_ns, ret);
	ret->n_asked = ret->n;
	copy_names(t, &key, ENTRY_ALIAS, now_ns, ret);
	if (is_asked)
		copy_names(t, &key, ENTRY_FIXED, now_ns, ret);
	(void)pthread_mutex_unlock(&t->lock);
}

size_t names_table_count(struct names_table *t)
{
	size_t n;

	(void)pthread_mutex_lock(&t->lock);
	n = t->entries.n;
	(void)pthread_mutex_unlock(&t->lock);
	return n;
}

/* Direct-mapped: a port that falls onto another's place takes it, and that one's questions are
 * recorded without an asker. */
static struct asker *place_of(struct names_table *t, enum policy_protocol protocol, uint16_t port)
{
	return &t->askers[(port * 2u + (protocol == POLICY_PROTO_TCP)) & (ASKERS - 1)];
}

void names_table_set_asker(struct names_table *t, uint16_t port, const struct names_asker *asker)
{
	struct asker *a = place_of(t, asker->server.protocol, port);

	(void)pthread_mutex_lock(&t->lock);
	*a = (struct asker){.port = port, .who = *asker};
	(void)pthread_mutex_unlock(&t->lock);
}

bool names_table_get_asker(struct names_table *t, enum policy_protocol protocol, uint16_t port,
			   struct names_asker *ret)
{
	struct asker *a = place_of(t, protocol, port);
	bool is_known;

	(void)pthread_mutex_lock(&t->lock);
	is_known = port && a->port == port && a->who.server.protocol == protocol;
	if (is_known)
		*ret = a->who;
	(void)pthread_mutex_unlock(&t->lock);
	return is_known;
}
