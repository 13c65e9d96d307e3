/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/index_private.h"

void hits_fini(struct hits *h)
{
	free(h->list);
	*h = HITS_NULL;
}

int hits_add(struct hits *h, struct hit hit)
{
	if (h->n == h->cap) {
		size_t cap = MAX(h->cap * 2, (size_t)256);
		struct hit *list = reallocarray(h->list, cap, sizeof(*list));

		if (!list)
			return -ENOMEM;
		h->list = list;
		h->cap = cap;
	}
	h->list[h->n++] = hit;
	return 0;
}

void hits_reverse(struct hits *h)
{
	for (size_t i = 0; i < h->n / 2; i++) {
		struct hit hit = h->list[i];

		h->list[i] = h->list[h->n - 1 - i];
		h->list[h->n - 1 - i] = hit;
	}
}

static int ask(struct index *ix, struct index_file *files, size_t n_files, struct query *q,
	       struct hits *hits, struct diag *reterr_diag)
{
	int r = logindex_update(ix, files, n_files, reterr_diag);

	if (r == 0 && q)
		r = logindex_find(ix, files, n_files, q, hits, reterr_diag);
	return r;
}

int logindex_ask(const struct index_config *config, struct index_file *files, size_t n_files,
		 struct query *q, struct hits *hits, struct diag *reterr_diag)
{
	struct index ix;
	int r;

	r = store_open(config, &ix, reterr_diag);
	if (r == 0)
		r = ask(&ix, files, n_files, q, hits, reterr_diag);
	if (r == INDEX_E_DAMAGED) {
		r = store_renew(&ix, "the index is damaged; making a new one", reterr_diag);
		if (r == 0)
			r = ask(&ix, files, n_files, q, hits, reterr_diag);
		if (r == INDEX_E_DAMAGED) {
			(void)diag_set(reterr_diag, NULL, 0, 0,
				       "the index in '%s' is damaged as soon as it is made",
				       ix.dir);
			r = -EIO;
		}
	}
	store_close(&ix);
	return r;
}
