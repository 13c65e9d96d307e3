/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dirs.h"

#include "control/ledger.h"
#include "control/spending.h"

#define START_WAIT_NS (5 * NS_PER_SEC)

struct spending_account {
	struct ledger *ledger;
	double written; /* of what the session spent */
};

struct spending {
	struct budget *budget;
	char *dir;
	size_t n;
	struct spending_account accounts[POLICY_MAX_STACK];
	/* Of each budget that names an account, in budget_account()'s order: which. */
	size_t n_budgets;
	size_t account_of[POLICY_MAX_STACK];
};

static void spending_freep(struct spending **s)
{
	spending_free(*s);
}

/* Two policies of a stack may name the same one, which is charged once. */
static int find_account(struct spending *s, const char *name, size_t *ret, struct diag *d)
{
	int r;

	for (size_t i = 0; i < s->n; i++)
		if (streq(ledger_name(s->accounts[i].ledger), name)) {
			*ret = i;
			return 0;
		}
	r = ledger_open(s->dir, name, &s->accounts[s->n].ledger, d);
	if (r == 0)
		*ret = s->n++;
	return r;
}

int spending_new(struct budget *budget, struct spending **ret, struct diag *reterr_diag)
{
	_cleanup_(spending_freep) struct spending *s = calloc(1, sizeof(*s));
	const char *name;
	int r;

	if (!s)
		return -ENOMEM;
	s->budget = budget;
	while ((name = budget_account(budget, s->n_budgets))) {
		if (!s->dir)
			s->dir = ledger_dir();
		if (!s->dir)
			return diag_set(
				reterr_diag, NULL, 0, 0,
				"no place for the account '%.80s': set HOME or XDG_STATE_HOME",
				name);
		r = find_account(s, name, &s->account_of[s->n_budgets], reterr_diag);
		if (r < 0)
			return r;
		s->n_budgets++;
	}
	r = spending_sync(s, START_WAIT_NS, reterr_diag);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct spending *spending_free(struct spending *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		ledger_free(s->accounts[i].ledger);
	free(s->dir);
	free(s);
	return NULL;
}

const char *spending_dir(const struct spending *s)
{
	return s->dir;
}

static int sync_account(struct spending *s, size_t i, uint64_t wait_ns, struct diag *d)
{
	struct spending_account *a = &s->accounts[i];
	double spent = budget_spent(s->budget), total;
	int r;

	if (spent <= a->written && !ledger_has_changed(a->ledger))
		return 0;
	r = ledger_add(a->ledger, spent - a->written, wait_ns, &total, d);
	if (r < 0)
		return r;
	a->written = spent;
	for (size_t j = 0; j < s->n_budgets; j++)
		if (s->account_of[j] == i)
			budget_set_others(s->budget, j, MAX(total - spent, 0.0));
	return 0;
}

int spending_sync(struct spending *s, uint64_t wait_ns, struct diag *reterr_diag)
{
	int result = 0;

	for (size_t i = 0; i < s->n; i++) {
		int r = sync_account(s, i, wait_ns, reterr_diag);

		if (r < 0)
			result = r;
	}
	return result;
}
