/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as YAML that node.c reads back as they were, on one line and in printable ASCII. Inside
 * policy/ only.
 */
#pragma once

#include "base/strbuf.h"

#include "policy/node.h"

/* Quoted when YAML or a terminal would take it for something else. */
void yaml_add_text(struct strbuf *out, struct bytes text);
/* [a, b]; with one word just that. */
void yaml_add_words(struct strbuf *out, const char *const *words, size_t n);
/* In flow style. */
void yaml_add_node(struct strbuf *out, const struct node *n);
