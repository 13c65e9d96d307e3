/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages (RFC 1035, 3597, 6891, 9460): what an agent asks, and what an answer teaches about
 * addresses. Both sides are hostile. Pure: bytes in, bytes out; no descriptor, no clock, nothing is
 * allocated.
 *
 * Only questions that a program asks to reach something are understood: one question of class IN,
 * with nothing else in the message but EDNS. All others are refused, because what is not understood
 * could carry something out.
 */
#pragma once

#include "base/util.h"

#define DNS_MESSAGE_MAX  65535
#define DNS_UDP_PLAIN    512 /* bytes of an answer that everybody takes, RFC 1035 4.2.1 */
#define DNS_NAME_SIZE    256 /* of a name's text, with its NUL: 253 bytes at most */
#define DNS_CHAIN_MAX    9   /* the name that was asked and what it is an alias of */
#define DNS_ADDRESS_MAX  64  /* of one answer */
#define DNS_QUESTION_MAX (12 + 255 + 4 + 11) /* header, name, type and class, EDNS */

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_SVCB = 64,
	DNS_HTTPS = 65,
};

enum dns_rcode {
	DNS_NOERROR = 0, /* without records: there is none of this type */
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
};

struct dns_question {
	uint16_t id, flags, type;
	char name[DNS_NAME_SIZE]; /* lower case, without a final dot; the root is "." */
	size_t wire_len;          /* of name, type and class behind the header */
	bool has_edns, wants_dnssec;
	uint16_t udp_size; /* what the asker takes by UDP */
};

struct dns_address {
	bool is_v4;
	uint8_t ip[16]; /* the first 4 bytes if is_v4 */
};

/* What an answer says about addresses. */
struct dns_facts {
	char names[DNS_CHAIN_MAX][DNS_NAME_SIZE]; /* [0]: as asked; then its aliases */
	size_t n_names;
	struct dns_address addresses[DNS_ADDRESS_MAX];
	size_t n_addresses;
	uint32_t ttl; /* seconds, the least of all records that were used */
	bool is_cut;  /* TC: the rest is to be had by TCP */
};

/* Return: 0; -EBADMSG: no question that can be answered; -EOPNOTSUPP: one that is refused. In both
 * cases id and flags are set when there is a header at all, else the return is -ENODATA. */
int dns_read_question(struct bytes message, struct dns_question *ret) _must_check_;
/* The same question as our own, under @id: nothing of the agent's but name, type and the flags that
 * a resolver obeys. Return: its length. */
size_t dns_write_question(const struct dns_question *q, struct bytes message, uint16_t id,
			  char out[static DNS_QUESTION_MAX]);
/* An answer without records. @message: the question, whose own question section is repeated when @q
 * was understood (wire_len). Return: its length. */
size_t dns_write_error(const struct dns_question *q, struct bytes message, enum dns_rcode rcode,
		       char out[static DNS_QUESTION_MAX]);
/* The same that tells the asker to come by TCP. */
size_t dns_write_cut(const struct dns_question *q, struct bytes message,
		     char out[static DNS_QUESTION_MAX]);
/* Reads the answer to @q, that was asked under @id. Return: 0; -ENOMSG: not the answer to this;
 * -EBADMSG: it is, and malformed. */
int dns_read_answer(struct bytes message, const struct dns_question *q, uint16_t id,
		    struct dns_facts *ret) _must_check_;
