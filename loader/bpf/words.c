/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/libbpf.h>
#include <stdio.h>

#include "loader/bpf/loader.h"

static char first[LAYERS_REASON_MAX];

static int _printf_(2, 0) keep(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level == LIBBPF_WARN && !*first)
		(void)vsnprintf(first, sizeof(first), format, arguments);
	return 0;
}

void words_install(void)
{
	(void)libbpf_set_print(keep);
}

void words_reset(void)
{
	*first = '\0';
}

void words_explain(char *ret, size_t size, int error)
{
	static const char prefix[] = "libbpf: ";
	const char *words = first;

	if (strncmp(words, prefix, sizeof(prefix) - 1) == 0)
		words += sizeof(prefix) - 1;
	if (*words)
		(void)snprintf(ret, size, "%.*s", (int)strcspn(words, "\n"), words);
	else
		(void)snprintf(ret, size, "%s", strerror(error));
}
