/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plots of the HTML report, from its JSON. Numbers only: no text of the log gets into one. Each
 * has a title for a screen reader; colours are classes of the page's style sheet. Inside audit/
 * only.
 */
#pragma once

#include "audit/reader.h"

/* Decisions over time: bars of allowed, flagged and denied ones. */
void svg_timeline(const json_t *report, struct strbuf *out);
/* Decisions by kind and verdict: a bar for each kind that was met. */
void svg_kinds(const json_t *report, struct strbuf *out);
/* Money over time, and the budget if there is one. */
void svg_spend(const json_t *report, struct strbuf *out);
/* A small bar for a table's row: @part of @whole, @denied of it in the colour of denials. */
void svg_bar(uint64_t part, uint64_t denied, uint64_t whole, struct strbuf *out);
