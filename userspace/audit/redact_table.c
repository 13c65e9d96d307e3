/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in patterns. Each is a shape that hardly anything but a secret has, or a name in front
 * of it that says so; a number of random characters alone is none, since hashes look the same.
 * tests/unit/test_audit_redact.c has what each must find and what it must leave alone.
 */
#include "audit/redact_private.h"

#define KEY                                                                                        \
	"(?:pass(?:word|wd|phrase|code)|secret|token|credentials?|"                                \
	"(?:api|access|secret|auth|account|encryption|signing|master|shared|private)[_.-]?key)"
/* A variable, a placeholder, a call, a plain word: no secret itself. */
#define NO_SECRET                                                                                  \
	"(?!\\$|<|%|\\*\\*|[\\w.]+\\(|(?:true|false|null|none|nil|yes|no|[01])(?![^\\s&;,\"']))"

const struct redact_builtin redact_builtins[] = {
	{"private-key", "beg",
	 "-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)"
	 "(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\\z)"},
	{"aws-key", "[ksb]ia cca", "\\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\\b"},
	{"github-token", "gh[pousr] b_p",
	 "\\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{20,})"},
	{"gitlab-token", "gl[pdrcfsaio]",
	 "\\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt|oas|ffct)-[A-Za-z0-9_.-]{16,}"},
	{"api-key", "sk-",
	 "\\bsk-(?:(?:ant|proj|svcacct|admin|or|live|test|None)-[A-Za-z0-9_-]{16,}|"
	 "(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,})"},
	{"stripe-key", "k_[lt]", "\\b[prs]k_(?:live|test)_[A-Za-z0-9]{16,}"},
	{"slack-token", "xox xap", "\\bx(?:ox[a-z]|app)-[A-Za-z0-9-]{10,}"},
	{"slack-webhook", "s.s", "hooks\\.slack\\.com/(?:services|workflows)/\\K[A-Za-z0-9/]{20,}"},
	{"google-key", "aiz a29 csp",
	 "\\b(?:AIza[0-9A-Za-z_-]{35}|ya29\\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})"},
	{"npm-token", "pm_", "\\bnpm_[A-Za-z0-9]{30,}"},
	{"pypi-token", "ypi", "\\bpypi-AgE[A-Za-z0-9_-]{16,}"},
	{"huggingface-token", "hf_", "\\bhf_[A-Za-z0-9]{30,}"},
	{"docker-token", "r_p", "\\bdckr_pat_[A-Za-z0-9_-]{20,}"},
	{"digitalocean-token", "p_v o_v", "\\bdo[opr]_v1_[a-f0-9]{40,}"},
	{"vault-token", "hvs", "\\bhvs\\.[A-Za-z0-9_-]{20,}"},
	{"sendgrid-key", "sg.", "\\bSG\\.[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}"},
	{"age-key", "ecr", "\\bAGE-SECRET-KEY-1[A-Z0-9]{40,}"},
	{"jwt", "eyj", "\\beyJ[A-Za-z0-9_-]{10,}(?:\\.[A-Za-z0-9_-]*){2,4}"},
	{"url-password", "://", "://[^\\s/:@'\"]*:\\K" NO_SECRET "[^\\s/'\"]+(?=@)"},
	{"authorization", "hor",
	 "(?i)authorization[\"']?\\s*[:=]\\s*[\"']?"
	 "(?:(?:bearer|basic|token|apikey|digest|negotiate)\\s+)?+\\K" NO_SECRET "[^\\s\"',;&]+"},
	{"bearer-token", "are", "(?i)\\bbearer\\s+\\K(?=[^\\s\"']*[0-9])[A-Za-z0-9._~+/=-]{16,}"},
	{"cookie", "oki", "(?i)\\bcookie\\s*:\\s*\\K" NO_SECRET "[^\"'\\n]+"},
	{"secret", REDACT_NAME_ANCHORS,
	 "(?i)(?:" KEY "|(?<=_)pwd|\\b(?-i:pwd|Pwd))[\"']?\\s{0,2}:?=\\s{0,2}"
	 "(?:\"\\K" NO_SECRET "[^\"]+|'\\K" NO_SECRET "[^'\\n]+|\\K" NO_SECRET "[^\\s\"'&;|,)]+)"},
	{"secret", REDACT_NAME_ANCHORS,
	 "(?i)" KEY "\\\\?[\"']\\s*:\\s*\\\\?[\"']\\K" NO_SECRET "[^\"'\\\\]+"},
	{"secret", REDACT_NAME_ANCHORS,
	 "(?i)\\w-(?:key|token|secret|password)\\s*:\\s*\\K" NO_SECRET "[^\\s\"']+"},
	/* Command lines as one text, such as those of `sh -c`. */
	{REDACT_OPTION, REDACT_NAME_ANCHORS,
	 "(?i)(?<![\\w-])--(?!no-)[\\w-]{0,40}(?:pass(?:word|wd|phrase)|secret|token|"
	 "(?:api|access|secret)-?key)\\s+[\"']?\\K" NO_SECRET "[^\\s\"'-][^\\s\"';|&]*"},
	{REDACT_OPTION, "sql iad",
	 "\\b(?:mysql\\w*|mariadb)(?:\\s+[^\\s;|&]+){0,8}?\\s+-p\\K" NO_SECRET "[^\\s\"';|&]+"},
	{REDACT_OPTION, "pas", "\\bsshpass\\s+-p\\s*[\"']?\\K" NO_SECRET "[^\\s\"']+"},
	{REDACT_OPTION, "url",
	 "\\bcurl\\s(?:[^;|&\\n]{0,1000}?\\s)?(?:-[uU]|--(?:proxy-)?user)[\\s=]*[\"']?"
	 "[^\\s:\"']+:(?!//)\\K" NO_SECRET "[^\\s\"']+"},
};

const size_t redact_n_builtins = ARRAY_SIZE(redact_builtins);
