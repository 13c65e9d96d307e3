/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "policy/domain.h"

#define LABEL_MAX_BYTES 63

#define fail(why, ...) ((void)snprintf((why), DOMAIN_WHY_SIZE, __VA_ARGS__), -EINVAL)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
	char lower = domain_lower(c);

	return (lower >= 'a' && lower <= 'z') || is_digit(c) || c == '-' || c == '_';
}

/* Said before anything else is checked: these are no slips in a name but something else. */
static int check_kind(struct bytes text, char *why)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] & 0x80)
			return fail(why,
				    "'%.60s' is not ASCII; write the form that begins with xn--, "
				    "which is what programs ask the DNS for",
				    text.p);
		if (text.p[i] == '/')
			return fail(why, "'%.60s' is not a domain: write the host's name alone",
				    text.p);
		if (text.p[i] == ':')
			return fail(why,
				    "'%.60s' is not a domain: a port goes under 'port', an IPv6 "
				    "address under 'address'",
				    text.p);
		if (text.p[i] == '*' && (i > 0 || (text.len > 1 && text.p[1] != '.')))
			return fail(why,
				    "'%.60s': '*' stands for whole labels, and only at the start: "
				    "'*.example.org' is everything below example.org, '*' every "
				    "name",
				    text.p);
	}
	return 0;
}

static int check_labels(struct bytes name, char *why)
{
	bool is_number = true;
	size_t begin = 0;

	if (name.len > DOMAIN_MAX_BYTES)
		return fail(why, "a domain has at most %d bytes", DOMAIN_MAX_BYTES);
	for (size_t i = 0; i <= name.len; i++) {
		if (i < name.len && name.p[i] != '.') {
			if (!is_name_byte(name.p[i]))
				return fail(why,
					    "'%.60s' is not a domain: '%c' never occurs in one",
					    name.p, name.p[i]);
			is_number &= is_digit(name.p[i]);
			continue;
		}
		if (i == begin)
			return fail(why, "'%.60s' is not a domain: it has an empty label", name.p);
		if (i - begin > LABEL_MAX_BYTES)
			return fail(why, "a label of a domain has at most %d bytes",
				    LABEL_MAX_BYTES);
		begin = i + 1;
		if (i < name.len)
			is_number = true;
	}
	if (is_number)
		return fail(why, "'%.60s' is no name; addresses go under 'address'", name.p);
	return 0;
}

int domain_pattern_parse(struct arena *mem, struct bytes text, struct domain_pattern *ret,
			 char why[static DOMAIN_WHY_SIZE])
{
	struct bytes name = text;
	char *lower;
	int r = check_kind(text, why);

	if (r < 0)
		return r;
	*ret = (struct domain_pattern){};
	if (bytes_eq(text, BYTES_LIT("*"))) {
		ret->is_below = true;
		ret->name = BYTES_LIT("");
		return 0;
	}
	if (bytes_has_prefix(text, BYTES_LIT("*."))) {
		ret->is_below = true;
		name.p += 2;
		name.len -= 2;
	}
	name = domain_trim(name);
	r = check_labels(name, why);
	if (r < 0)
		return r;
	lower = arena_alloc(mem, name.len + 1);
	if (!lower)
		return -ENOMEM;
	for (size_t i = 0; i < name.len; i++)
		lower[i] = domain_lower(name.p[i]);
	lower[name.len] = '\0';
	ret->name = (struct bytes){.p = lower, .len = name.len};
	return 0;
}

bool domain_match(const struct domain_pattern *p, struct bytes name)
{
	struct bytes end;

	name = domain_trim(name);
	if (p->is_below && p->name.len == 0)
		return name.len > 0;
	/* Below: at least one byte and the dot come first. */
	if (p->is_below ? name.len < p->name.len + 2 : name.len != p->name.len)
		return false;
	end = (struct bytes){.p = name.p + name.len - p->name.len, .len = p->name.len};
	for (size_t i = 0; i < end.len; i++)
		if (domain_lower(end.p[i]) != p->name.p[i])
			return false;
	return !p->is_below || end.p[-1] == '.';
}
