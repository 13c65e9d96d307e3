/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events, one after the other: what all readers of YAML here have in common. Events and
 * not its document API, so that each reader can refuse while it reads. Inside policy/ only.
 */
#pragma once

#include <yaml.h>

#include "base/util.h"

struct yaml_reader {
	/* Return: 0: go on; else the reading ends with that. */
	int (*on_event)(void *ctx, const yaml_event_t *e);
	/* The text is no YAML: says where and why. Not called for want of memory. */
	int (*on_error)(void *ctx, const yaml_parser_t *p);
	void *ctx;
};

/* To be asked when a document begins. Return: NULL; why it is refused. */
const char *yaml_refuse_document(bool *has_document);

/* Up to the end of the stream. Return: 0; what a callback returned; -ENOMEM. */
int yaml_read(const struct yaml_reader *r, struct bytes text) _must_check_;
