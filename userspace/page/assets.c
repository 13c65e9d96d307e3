/* SPDX-License-Identifier: Apache-2.0 */
#include "page/assets.h"

/* The assembler reads the files; the Makefile says that this object depends on them. */
#define ASSET(symbol, file)                                                                        \
	__asm__(".section .rodata.page,\"a\"\n"                                                    \
		".balign 16\n" #symbol "_begin:\n"                                                 \
		".incbin \"userspace/page/web/" file "\"\n" #symbol "_end:\n"                      \
		".byte 0\n"                                                                        \
		".previous\n");                                                                    \
	extern const char symbol##_begin[] __attribute__((visibility("hidden")));                  \
	extern const char symbol##_end[] __attribute__((visibility("hidden")))

#define JAVASCRIPT "text/javascript; charset=utf-8"

ASSET(asset_index, "index.html");
ASSET(asset_style, "style.css");
ASSET(asset_app, "app.js");
ASSET(asset_api, "api.js");
ASSET(asset_text, "text.js");
ASSET(asset_held, "held.js");
ASSET(asset_live, "live.js");
ASSET(asset_sessions, "sessions.js");
ASSET(asset_grants, "grants.js");
ASSET(asset_log, "log.js");

static const struct asset assets[] = {
	{"", "text/html; charset=utf-8", asset_index_begin, asset_index_end},
	{"style.css", "text/css; charset=utf-8", asset_style_begin, asset_style_end},
	{"app.js", JAVASCRIPT, asset_app_begin, asset_app_end},
	{"api.js", JAVASCRIPT, asset_api_begin, asset_api_end},
	{"text.js", JAVASCRIPT, asset_text_begin, asset_text_end},
	{"held.js", JAVASCRIPT, asset_held_begin, asset_held_end},
	{"live.js", JAVASCRIPT, asset_live_begin, asset_live_end},
	{"sessions.js", JAVASCRIPT, asset_sessions_begin, asset_sessions_end},
	{"grants.js", JAVASCRIPT, asset_grants_begin, asset_grants_end},
	{"log.js", JAVASCRIPT, asset_log_begin, asset_log_end},
};

const struct asset *asset_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(assets); i++)
		if (streq(name, assets[i].name))
			return &assets[i];
	return NULL;
}
