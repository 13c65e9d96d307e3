/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jumps of classic BPF lead forward, and conditional ones over 255 instructions at most. So the
 * program is made from its end to its beginning: where a jump leads is there already, and what is
 * too far gets an instruction of its own right behind the jump.
 *
 * Positions count from the end: the instruction at P has P behind it.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/filter_rules.h"

_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "the halves of an argument");

#define JUMP_MAX  255
#define NONE      UINT32_MAX
#define RETS_SIZE 8 /* different actions whose last place is known */
#define ALL_BITS  UINT32_MAX

struct target {
	bool is_ret;
	uint32_t action; /* is_ret */
	size_t at;       /* else: its position */
};

/* Where a rule begins. */
struct start {
	struct target target;
	uint32_t word; /* the accumulator must hold this word of seccomp_data; NONE: anything */
};

struct emitter {
	struct sock_filter *insns; /* filled from the end */
	size_t n;
	bool is_full;
	struct {
		uint32_t action;
		size_t at;
	} rets[RETS_SIZE];
	size_t n_rets;
};

static struct target ret_of(uint32_t action)
{
	return (struct target){.is_ret = true, .action = action};
}

static struct target at(size_t position)
{
	return (struct target){.at = position};
}

/* Return: its position. */
static size_t emit(struct emitter *e, struct sock_filter insn)
{
	if (e->n == BPF_MAXINSNS) {
		e->is_full = true;
		e->n--;
	}
	e->insns[BPF_MAXINSNS - ++e->n] = insn;
	return e->n - 1;
}

static size_t emit_ret(struct emitter *e, uint32_t action)
{
	size_t position = emit(e, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
	size_t i = 0;

	while (i < e->n_rets && e->rets[i].action != action)
		i++;
	if (i < RETS_SIZE) {
		e->n_rets = MAX(e->n_rets, i + 1);
		e->rets[i].action = action;
		e->rets[i].at = position;
	}
	return position;
}

/* Does a jump reach @position, with @more instructions between it and what is there now? */
static bool is_near(const struct emitter *e, size_t position, size_t more)
{
	return e->n + more - position - 1 <= JUMP_MAX;
}

/* What a jump can reach that leads to @t. */
static size_t near(struct emitter *e, struct target t, size_t more)
{
	if (!t.is_ret) {
		if (is_near(e, t.at, more))
			return t.at;
		return emit(e, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA,
							    (uint32_t)(e->n - t.at - 1)));
	}
	for (size_t i = 0; i < e->n_rets; i++)
		if (e->rets[i].action == t.action && is_near(e, e->rets[i].at, more))
			return e->rets[i].at;
	return emit_ret(e, t.action);
}

/* Of what the accumulator holds. */
static struct target emit_jump(struct emitter *e, uint16_t op, uint32_t k, struct target yes,
			       struct target no)
{
	size_t jt = near(e, yes, 1); /* the other may put one more in between */
	size_t jf = near(e, no, 0);
	const struct sock_filter insn = {
		.code = (uint16_t)(BPF_JMP | op | BPF_K),
		.jt = (uint8_t)(e->n - jt - 1),
		.jf = (uint8_t)(e->n - jf - 1),
		.k = k,
	};

	return at(emit(e, insn));
}

static struct target emit_load(struct emitter *e, uint32_t word)
{
	return at(emit(e, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, word)));
}

/* Loads @word, of which the bits of @mask count, and jumps. */
static struct target emit_test(struct emitter *e, uint32_t word, uint32_t mask, uint16_t op,
			       uint32_t k, struct target yes, struct target no)
{
	(void)emit_jump(e, op, k, yes, no);
	if (mask != ALL_BITS)
		(void)emit(e, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	return emit_load(e, word);
}

/* ---- comparisons */

static uint32_t low_word(unsigned int arg)
{
	return (uint32_t)(offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t));
}

static uint32_t high_word(unsigned int arg)
{
	return low_word(arg) + (uint32_t)sizeof(uint32_t);
}

static uint32_t low(uint64_t v)
{
	return (uint32_t)v;
}

static uint32_t high(uint64_t v)
{
	return (uint32_t)(v >> 32);
}

static struct target emit_equal(struct emitter *e, const struct filter_cmp *c, struct target yes,
				struct target no)
{
	struct target t = emit_test(e, low_word(c->arg), ALL_BITS, BPF_JEQ, low(c->value), yes, no);

	return emit_test(e, high_word(c->arg), ALL_BITS, BPF_JEQ, high(c->value), t, no);
}

static struct target emit_greater(struct emitter *e, const struct filter_cmp *c, struct target yes,
				  struct target no)
{
	struct target t = emit_test(e, low_word(c->arg), ALL_BITS, BPF_JGT, low(c->value), yes, no);

	t = emit_jump(e, BPF_JEQ, high(c->value), t, no);
	return emit_test(e, high_word(c->arg), ALL_BITS, BPF_JGT, high(c->value), yes, t);
}

static struct target emit_masked(struct emitter *e, const struct filter_cmp *c, struct target yes,
				 struct target no)
{
	struct target t = yes;

	if (low(c->mask))
		t = emit_test(e, low_word(c->arg), low(c->mask), BPF_JEQ, low(c->value), t, no);
	if (high(c->mask))
		t = emit_test(e, high_word(c->arg), high(c->mask), BPF_JEQ, high(c->value), t, no);
	return t;
}

static struct target emit_cmp(struct emitter *e, const struct filter_cmp *c, struct target yes,
			      struct target no)
{
	switch (c->op) {
	case FILTER_EQ:
		return emit_equal(e, c, yes, no);
	case FILTER_NE:
		return emit_equal(e, c, no, yes);
	case FILTER_GT:
		return emit_greater(e, c, yes, no);
	case FILTER_MASKED:
		break;
	}
	return emit_masked(e, c, yes, no);
}

/* ---- rules */

/* What begins at @s, with the word loaded that it needs; nothing was emitted since. */
static struct target loaded(struct emitter *e, struct start s)
{
	return s.word == NONE ? s.target : emit_load(e, s.word);
}

/* Is @r one look at the lower half of an argument, as it is? Then several in a row share the load:
 * a list of ioctls, or of flags. Return: its jump; 0: it is not. */
static uint16_t single_jump(const struct filter_rule *r)
{
	const struct filter_cmp *c = r->cmp;
	uint32_t mask = low(c->mask);

	if (r->n != 1 || c->op != FILTER_MASKED || high(c->mask) || high(c->value))
		return 0;
	if (mask == ALL_BITS)
		return BPF_JEQ;
	return mask && !(mask & (mask - 1)) && mask == c->value ? BPF_JSET : 0;
}

/* @next: where it goes on when the rule does not match. */
static struct start emit_rule(struct emitter *e, const struct filter_rule *r, struct start next)
{
	struct target t = ret_of(r->action), no;
	uint16_t jump = single_jump(r);

	if (r->n == 0)
		return (struct start){.target = t, .word = NONE};
	if (jump) {
		uint32_t word = low_word(r->cmp->arg);

		no = next.word == word ? next.target : loaded(e, next);
		t = emit_jump(e, jump, low(r->cmp->value), t, no);
		return (struct start){.target = t, .word = word};
	}
	no = loaded(e, next);
	for (unsigned int i = r->n; i > 0; i--)
		t = emit_cmp(e, &r->cmp[i - 1], t, no);
	return (struct start){.target = t, .word = NONE};
}

/* @order[from] to @order[to - 1]. */
static struct target emit_group(struct emitter *e, const struct filter_rule *const *order,
				size_t from, size_t to)
{
	struct start s = {.target = ret_of(SECCOMP_RET_ALLOW), .word = NONE};
	size_t end = from;

	while (end < to && order[end]->n)
		end++;
	end = MIN(end + 1, to); /* what is behind a rule on every call is never reached */
	for (size_t i = end; i > from; i--)
		s = emit_rule(e, order[i - 1], s);
	return loaded(e, s);
}

struct leaf {
	uint32_t nr;
	struct target target;
};

static struct target emit_tree(struct emitter *e, const struct leaf *leaves, size_t n)
{
	struct target below, above;

	if (n == 0)
		return ret_of(SECCOMP_RET_ALLOW);
	if (n == 1)
		return emit_jump(e, BPF_JEQ, leaves->nr, leaves->target, ret_of(SECCOMP_RET_ALLOW));
	above = emit_tree(e, leaves + n / 2, n - n / 2);
	below = emit_tree(e, leaves, n / 2);
	return emit_jump(e, BPF_JGE, leaves[n / 2].nr, above, below);
}

/* In the order of numbers, and of the rules of one. */
static int compare_rules(const void *a, const void *b)
{
	const struct filter_rule *const *x = a, *const *y = b;

	if ((*x)->nr != (*y)->nr)
		return (*x)->nr < (*y)->nr ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

static struct target emit_numbers(struct emitter *e, const struct filter_rules *rules)
{
	const struct filter_rule *order[FILTER_RULES_MAX];
	struct leaf leaves[FILTER_RULES_MAX];
	size_t n_leaves = 0;

	for (size_t i = 0; i < rules->n; i++)
		order[i] = &rules->rules[i];
	qsort(order, rules->n, sizeof(order[0]), compare_rules);
	for (size_t from = 0, to; from < rules->n; from = to) {
		to = from;
		while (to < rules->n && order[to]->nr == order[from]->nr)
			to++;
		leaves[n_leaves++] = (struct leaf){.nr = (uint32_t)order[from]->nr,
						   .target = emit_group(e, order, from, to)};
	}
	return emit_tree(e, leaves, n_leaves);
}

int filter_compile(const struct filter_rules *rules, const struct filter_frame *frame,
		   struct sock_filter insns[static BPF_MAXINSNS])
{
	struct emitter e = {.insns = insns};
	struct target t = emit_numbers(&e, rules), other;

	t = emit_jump(&e, BPF_JGT, frame->highest, ret_of(frame->unknown), t);
	if (frame->foreign_from) {
		other = emit_jump(&e, BPF_JEQ, UINT32_MAX, ret_of(SECCOMP_RET_ALLOW),
				  ret_of(frame->foreign));
		(void)emit_jump(&e, BPF_JGE, frame->foreign_from, other, t);
	}
	t = emit_load(&e, offsetof(struct seccomp_data, nr));
	(void)emit_test(&e, offsetof(struct seccomp_data, arch), ALL_BITS, BPF_JEQ, frame->arch, t,
			ret_of(frame->foreign));
	if (e.is_full)
		return -E2BIG;
	memmove(insns, insns + BPF_MAXINSNS - e.n, e.n * sizeof(insns[0]));
	return (int)e.n;
}
