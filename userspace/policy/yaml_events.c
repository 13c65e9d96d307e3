/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/yaml_events.h"

static void parser_deletep(yaml_parser_t *p)
{
	yaml_parser_delete(p);
}

const char *yaml_refuse_document(bool *has_document)
{
	if (*has_document)
		return "a second document begins here: one file holds one policy";
	*has_document = true;
	return NULL;
}

int yaml_read(const struct yaml_reader *r, struct bytes text)
{
	_cleanup_(parser_deletep) yaml_parser_t parser = {};
	bool is_done = false;
	int e = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.len);
	while (!is_done && e == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			if (parser.error == YAML_MEMORY_ERROR)
				return -ENOMEM;
			return r->on_error(r->ctx, &parser);
		}
		is_done = event.type == YAML_STREAM_END_EVENT;
		e = r->on_event(r->ctx, &event);
		yaml_event_delete(&event);
	}
	return e;
}
