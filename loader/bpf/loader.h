/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Within holdfast-loader: what its files have in common. One process serves one connection and then
 * ends; it has one thread, so libbpf's last words can be kept in one place.
 */
#pragma once

#include "loader/layers.h"

/* Keeps what libbpf says from here on. */
void words_reset(void);
/* Why it failed, for people. @error is a positive errno. */
void words_explain(char *ret, size_t size, int error);
void words_install(void);

void probe_all(struct layers_finding findings[static _LAYERS_PROBE_MAX]);

/* The numbers of processes that programs see are those of the first namespace. */
#define LOADER_HIDDEN_PROCESSES                                                                    \
	"in a PID namespace of its own, as in a container: programs see the machine's numbers of processes"
bool loader_sees_all_processes(void);
/*
 * The whole of a file of tables. Only memory that nobody can change or cut any more: a read of any
 * other file may wait for whom it pleases. Return: 0, -EPROTO, -errno.
 */
int loader_read_tables(int fd, size_t size, void *ret);
/* Return: @r, with @words in @ret. */
int loader_explain(char ret[static LAYERS_REASON_MAX], const char *words, int r);
/* The same, with what the errno @r is called. */
int loader_explain_error(char ret[static LAYERS_REASON_MAX], const char *words, int r);
