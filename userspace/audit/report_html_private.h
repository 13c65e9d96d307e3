/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the HTML report: report_html.c has the page and what is about the session,
 * report_html_lists.c the tables. Inside audit/ only.
 */
#pragma once

#include "audit/html.h"
#include "audit/report.h"

#define HTML_OBJECT_MAX  ((size_t)200) /* bytes of one text that are shown */
#define HTML_COMMAND_MAX ((size_t)300)
#define HTML_REASON_MAX  ((size_t)300)
#define HTML_NAME_MAX    ((size_t)80)

/* The page's style sheet. */
extern const char report_html_style[];

/* <section> with a heading; @id is what the contents link to. Between words of ours only. */
void html_section(const char *id, const char *title, struct strbuf *out);
void html_section_end(struct strbuf *out);
/* <table> with a caption and these column heads; one that begins with '#' is of numbers.
 * @is_text: mostly text, so that on a narrow screen a row's cells may stand below each other. */
void html_table(const char *caption, const char *const *heads, size_t n, bool is_text,
		struct strbuf *out);
void html_table_end(struct strbuf *out);
/* "and N more" after a list. */
void html_more(uint64_t n, const char *what, struct strbuf *out);
/* A cell with a number. */
void html_count(uint64_t n, struct strbuf *out);
void html_verdict(const char *verdict, struct strbuf *out);

/* The sections. */
void html_processes(const json_t *report, struct strbuf *out);
void html_files(const json_t *report, struct strbuf *out);
void html_places(const json_t *report, struct strbuf *out);
void html_holds(const json_t *report, struct strbuf *out);
void html_decided(const json_t *report, struct strbuf *out);
