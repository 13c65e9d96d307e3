/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes over the control socket, a SOCK_SEQPACKET unix socket. One packet is one JSON object.
 * The server speaks first: {"v":1,"ok":true}, or an error and the end of the connection (were the
 * client first, a server that refuses it would have to close over an unread packet, and the kernel
 * would turn the refusal into ECONNRESET). Then a client sends a request, gets exactly one reply,
 * and may send the next. Anything else ends the connection after an error.
 *
 *   {"v":1,"op":"status"} {"v":1,"ok":true,"session":"...","pid":12,"held":3,...}
 *   {"v":1,"op":"held","after":0}               {"v":1,"ok":true,"held":[{...},...],"next":17}
 *   {"v":1,"op":"approve","id":"abcd2345"}      {"v":1,"ok":true,"answered":1}
 *   {"v":1,"op":"deny","id":"...","reason":""}
 *   {"v":1,"op":"approve","id":"...","for":"10m","scope":"tool"}
 *                  {"v":1,"ok":true,"answered":3,"grant":"kfua34zp","covers":"..."}
 *   {"v":1,"op":"grants","after":0}             {"v":1,"ok":true,"grants":[{...},...],"next":16}
 *   {"v":1,"op":"revoke","id":"kfua34zp"}       {"v":1,"ok":true}
 *   {"v":1,"op":"attempt","reason":"..."}       {"v":1,"ok":true}
 *   {"v":1,"op":"spend","amount":0.25,"source":"llm"}
 *                                  {"v":1,"ok":true,"spent":1.5,"remaining":3.5,"exceeded":false}
 * {"v":1,"ok":false,"error":"unknown-id","message":"..."}
 *
 * "for" (once, session, a duration, restart, always) and "scope" (exact, tool, dir, address,
 * domain, agent) of an answer are policy/answer.h's words; without them it holds for what waits
 * now. Both must be there for more. "rest":true answers alike whatever else waits under the same
 * rule. The reply says how many calls were answered, which grant was made, and what that covers, in
 * words. Where a rule wants several approvers, "missing" says how many are still to come, and
 * nothing was answered.
 *
 * "via" of an answer is the way on which a person gave it ("webhook"), for the record. "attempt"
 * tells the session of somebody who wanted to answer by such a way and was refused there: a
 * sentence without its subject, for the log.
 *
 * The spend socket, SESSION.spend, speaks the same, and takes "spend" and "why" only: it is what an
 * agent may reach from inside.
 *
 *   {"v":1,"op":"why"}          {"v":1,"ok":true,"denials":[{...}]}   the last one
 *   {"v":1,"op":"why","id":"abcd2345"}                                the one of that held action
 *
 * "remaining" is null when no budget limits spend; when the report exceeds one,
 * "message" says which.
 *
 * The list comes in pages of as many entries as fit: "next" is what to ask for as "after"; the last
 * page has none. The server keeps nothing between pages. Strings are bytes in the form of
 * escape_json().
 */
#pragma once

#include "approve/held.h"
#include "policy/answer.h"

#define CONTROL_VERSION      1
#define CONTROL_PACKET_MAX   ((size_t)64 * 1024) /* bytes of a request or a reply */
#define CONTROL_REASON_MAX   1024                /* bytes, decoded */
#define CONTROL_SUFFIX       ".sock"
#define CONTROL_SPEND_SUFFIX ".spend"
#define CONTROL_SPEND_ENV    "HOLDFAST_SPEND" /* holds the spend socket's path */
#define CONTROL_SOURCE_MAX   128              /* bytes, decoded */
#define CONTROL_VIA_SIZE     24               /* of a word of small letters, and a NUL */

enum control_op {
	CONTROL_STATUS,
	CONTROL_HELD,
	CONTROL_APPROVE,
	CONTROL_DENY,
	CONTROL_SPEND,
	CONTROL_GRANTS,
	CONTROL_REVOKE,
	CONTROL_WHY,
	CONTROL_ATTEMPT,
	_CONTROL_OP_MAX,
};

enum control_error {
	CONTROL_E_MALFORMED = 1,
	CONTROL_E_VERSION,
	CONTROL_E_UNKNOWN_OP,
	CONTROL_E_AGENT, /* the peer is in the session, or it cannot be told that it is not */
	CONTROL_E_USER,  /* the peer is another user */
	CONTROL_E_UNKNOWN_ID,
	CONTROL_E_ANSWERED, /* it was held, and has ended: the message says how */
	CONTROL_E_BUSY,     /* too many clients, or too many reports */
	CONTROL_E_APPROVER, /* the rule names who may answer, and the peer is not among them */
	CONTROL_E_LIMIT,    /* more than the rule lets an answer cover, or that fits this action */
	CONTROL_E_REPEATED, /* this approver has approved it already; others are waited for */
	CONTROL_E_STORE,    /* the grant could not be kept; nothing was answered */
	CONTROL_E_INTERNAL,
	_CONTROL_E_MAX,
};

struct control_request {
	enum control_op op;
	char id[HELD_ID_SIZE];           /* approve, deny, revoke; why: perhaps "" */
	char reason[CONTROL_REASON_MAX]; /* deny, attempt: raw bytes, not a string */
	size_t reason_len;
	uint64_t after;                  /* held, grants */
	enum answer_scope scope;         /* approve, deny: ANSWER_EXACT when not said */
	struct answer_term term;         /* likewise: ANSWER_ONCE */
	bool rest;                       /* approve, deny */
	char via[CONTROL_VIA_SIZE];      /* approve, deny; "": not said */
	double amount;                   /* spend: finite, not negative */
	char source[CONTROL_SOURCE_MAX]; /* spend: raw bytes, not a string */
	size_t source_len;
};

/* True when @s has the form of a held action's id. */
bool control_is_id(const char *s);
/* "status", ...; never NULL. */
const char *control_op_name(enum control_op op);
/* "unknown-id", ...; never NULL. */
const char *control_error_name(enum control_error e);
/* Reads a word of control_error_name(); CONTROL_E_INTERNAL for words this version does not know. */
enum control_error control_error_parse(const char *word);
/*
 * Reads a request of @len hostile bytes. Unknown keys are an error: both ends are one program.
 * Return: 0; CONTROL_E_MALFORMED, CONTROL_E_VERSION, CONTROL_E_UNKNOWN_OP.
 */
int control_request_parse(const char *p, size_t len, struct control_request *ret);
void control_request_write(const struct control_request *q, struct json *j);
