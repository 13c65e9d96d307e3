/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>

#include "action/steps.h"
#include "base/clock.h"
#include "base/json.h"

#include "supervise/supervise_private.h"

/* A call whose object is another one each time that it is to be carried out is refused. */
#define ROUNDS_MAX 8

int supervise_new(const struct supervise_config *config, struct supervise **ret)
{
	const struct execs_config execs = {
		.listener = config->listener,
		.command = config->command,
		.is_audit = policy_stack_is_audit(config->engine.stack),
	};
	struct supervise *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	atomic_init(&s->foreign_roots, false);
	s->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->proc < 0) {
		r = -errno;
		goto fail;
	}
	r = execs_new(&execs, &s->execs);
	if (r == 0)
		r = domains_new(config->command, &s->domains);
	if (r == 0)
		r = accepts_new(&s->accepts);
	if (r < 0)
		goto fail;
	r = denials_new(config->denial_repeats, config->denials_stop, &s->denials);
	if (r < 0)
		goto fail;
	r = action_home_new(&s->home);
	if (r < 0)
		goto fail;
	r = -ENOMEM;
	if (config->redact) {
		s->scratch = redact_scratch_new();
		if (!s->scratch)
			goto fail;
	}
	if (config->records_kernel) {
		r = supervise_kernel_init(s);
		if (r < 0)
			goto fail;
	}
	*ret = s;
	return 0;
fail:
	supervise_free(s);
	return r;
}

struct supervise *supervise_free(struct supervise *s)
{
	if (!s)
		return NULL;
	supervise_kernel_fini(s);
	redact_scratch_free(s->scratch);
	execs_free(s->execs);
	denials_free(s->denials);
	domains_free(s->domains);
	accepts_free(s->accepts);
	action_home_free(s->home);
	s->proc = fd_close(s->proc);
	free(s);
	return NULL;
}

void *supervise_context_new(void *supervise)
{
	struct supervise *s = supervise;
	const struct action_decoder_config decoder = {
		/* What is held must be the same to its last byte when it is approved. */
		.need_full_argv = policy_stack_needs_args(s->config.engine.stack) ||
				  policy_stack_can_ask(s->config.engine.stack),
		.need_cwd = policy_stack_needs_cwd(s->config.engine.stack),
		.supervisor = s->config.engine.supervisor,
		.guards = {s->config.engine.launcher, s->config.engine.keeper},
		.listener = s->config.listener,
		.has_thread = true,
		.epoch = &s->epoch,
		.home = s->home,
		.hidden = &s->hidden,
		/* A question is not the kernel's to go on with. */
		.is_network_open = !policy_stack_may_refuse(s->config.engine.stack, OPS_NETWORK) &&
				   !s->config.names,
		.net_cookies = {s->config.names ? s->config.names->helper.net_cookie : 0,
				s->config.names ? s->config.names->helper.own_cookie : 0},
	};
	const struct behalf_config behalf = {
		.listener = s->config.listener,
		.has_thread = true,
		.proc = s->proc,
		.domains = s->domains,
		.names = s->config.names,
	};
	struct context *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->supervise = s;
	c->met.fd = -1;
	if (s->config.redact) {
		c->scratch = redact_scratch_new();
		if (!c->scratch) {
			supervise_context_free(c);
			return NULL;
		}
	}
	c->steps = STRBUF_INIT(2 * ACTION_STEPS_BYTES);
	c->domains = STRBUF_INIT(SUPERVISE_DOMAINS_BYTES);
	if (behalf_new(&behalf, &c->behalf) < 0 || action_decoder_new(&decoder, &c->decoder) < 0 ||
	    engine_new(&s->config.engine, &c->engine) < 0) {
		supervise_context_free(c);
		return NULL;
	}
	return c;
}

void supervise_context_free(void *context)
{
	struct context *c = context;

	if (!c)
		return;
	behalf_free(c->behalf);
	action_decoder_free(c->decoder);
	engine_free(c->engine);
	redact_scratch_free(c->scratch);
	strbuf_fini(&c->steps);
	strbuf_fini(&c->domains);
	(void)fd_close(c->met.fd);
	free(c);
}

void supervise_fill_record(struct audit_record *r, const struct action *a, const struct decision *d)
{
	r->suggest = bytes_of(d->source.suggest);
	r->cost = d->cost;
	r->pid = a->pid;
	r->tid = a->tid;
	r->ppid = a->ppid;
	r->kind = a->kind;
	r->op = a->op;
	r->verdict = d->verdict;
	r->would_have = d->would_have;
	r->is_audit = d->is_audit;
	r->syscall = a->syscall;
	r->layer = d->layer;
	r->exe = a->exe;
	r->object = a->object;
	r->asked = a->asked;
	r->object2 = a->object2;
	r->interpreter = a->interpreter;
	r->cwd = a->cwd;
	r->argv = a->argv;
	r->argc = a->argc;
	r->argc_total = a->argc_total;
	r->argv_truncated = a->argv_truncated;
	r->policy = bytes_of(d->source.policy);
	r->rule = bytes_of(d->source.rule);
	r->reason = bytes_of(d->source.reason);
	r->approver = bytes_of(d->approver);
}

int supervise_record(struct supervise *s, const struct audit_record *r)
{
	char reason[128];
	int ret = audit_append(s->config.audit, r);

	if (ret < 0 && s->config.stops_without_log) {
		(void)snprintf(reason, sizeof(reason), "the log cannot be written: %s",
			       strerror(-ret));
		supervise_stop(s, reason);
	}
	return ret;
}

/* Writes ahead; an action that cannot be recorded does not happen, except under audit, which
 * refuses nothing. */
static bool record_or_deny(struct context *c, struct audit_record *r)
{
	return supervise_record(c->supervise, r) == 0 || r->is_audit;
}

void supervise_write_accepted(struct supervise *s, struct json *j)
{
	accepts_write(s->accepts, j);
}

const char *supervise_command_denial(const struct supervise *s)
{
	return s->command_denial;
}

static void note_command_denial(struct supervise *s, const struct action *a,
				const struct decision *d)
{
	if (a->kind != KIND_TOOL || a->pid != s->config.command)
		return;
	(void)snprintf(s->command_denial, sizeof(s->command_denial), "policy '%s', %s%s: %s%s%s",
		       d->source.policy, d->source.rule ? "rule " : "its default",
		       d->source.rule ? d->source.rule : "",
		       d->source.reason ? d->source.reason : "denied",
		       d->source.suggest ? "; instead: " : "",
		       d->source.suggest ? d->source.suggest : "");
}

struct hold_record {
	struct supervise *supervise;
	struct audit_record *record;
};

static int record_hold(void *arg, const char *id)
{
	const struct hold_record *h = arg;

	h->record->held = bytes_of(id);
	return supervise_record(h->supervise, h->record);
}

int supervise_hold(struct supervise *s, struct held_request *q, struct audit_record *r)
{
	struct hold_record hold = {.supervise = s, .record = r};
	char id[HELD_ID_SIZE];
	int e;

	q->record = r;
	q->before = record_hold;
	q->arg = &hold;
	r->event = AUDIT_HELD;
	e = held_table_add(s->config.held, q, id);
	if (e == 0)
		return 0;
	r->event = AUDIT_ACTION;
	r->verdict = VERDICT_DENY;
	r->reason = BYTES_LIT("held-limit");
	r->held = BYTES_NULL;
	r->result = AUDIT_RESULT_REFUSED;
	r->error = EACCES;
	return e;
}

static void handle_ask(struct context *c, const struct seccomp_notif *n, struct action *a,
		       const struct decision *d, struct audit_record *r)
{
	struct held_request q = {
		.notif = *n,
		.ask = d->source.ask,
		.charge = d->charge,
		.is_led = d->is_led,
		.has_met = a->has_met,
		.subject = d->subject,
	};

	action_identify(c->decoder, a, &q.identity);
	if (supervise_hold(c->supervise, &q, r) < 0)
		supervise_deny(c->supervise, n->id, r, EACCES);
}

static void handle_denied(struct context *c, const struct seccomp_notif *n, const struct action *a,
			  const struct decision *d, struct audit_record *r)
{
	note_command_denial(c->supervise, a, d);
	r->result = AUDIT_RESULT_REFUSED;
	r->error = d->deny_errno;
	/* First, so that the end of a command that this denies finds the reason there. */
	if (d->is_stop)
		supervise_stop(c->supervise, d->source.reason);
	supervise_deny(c->supervise, n->id, r, d->deny_errno);
}

/* Return: 0; -ESTALE as supervise_carry_out(). */
static int handle_decided(struct context *c, const struct seccomp_notif *n, struct action *a,
			  const struct decision *d, struct audit_record *r)
{
	const struct supervise_config *config = &c->supervise->config;

	switch (d->verdict) {
	case VERDICT_ALLOW:
	case VERDICT_FLAG:
		r->result = supervise_result_of(a);
		if (!record_or_deny(c, r)) {
			(void)supervise_answer_errno(config->listener, n->id, EACCES);
			return 0;
		}
		return supervise_carry_out(c, n, a);
	case VERDICT_ASK:
		handle_ask(c, n, a, d, r);
		return 0;
	case VERDICT_DENY:
	case _VERDICT_MAX:
		break;
	}
	handle_denied(c, n, a, d, r);
	return 0;
}

void supervise_add_domains(struct strbuf *text, const struct decision *d, struct audit_record *r)
{
	struct json j = JSON_INIT(text);

	if (!d->names)
		return;
	strbuf_reset(text);
	json_begin_array(&j);
	for (size_t i = 0; i < d->names->n; i++)
		json_str(&j, d->names->names[i]);
	json_end_array(&j);
	r->domains = strbuf_bytes(text);
	r->n_aliases = (uint32_t)(d->names->n - d->names->n_asked);
}

void supervise_settle_lead(struct action *a, bool is_led, bool is_approved)
{
	if (a->act.kind != ACT_NETWORK)
		return;
	a->act.network.is_led = is_led;
	a->act.network.is_approved = is_approved;
}

/* From a decision on @a to its answer. Return: as handle_decided(). */
static int decide(struct context *c, const struct seccomp_notif *n, struct action *a,
		  const struct engine_time *now)
{
	const struct supervise_config *config = &c->supervise->config;
	struct audit_record r = {.event = AUDIT_ACTION, .time_ns = now->realtime_ns};
	struct decision d;

	engine_decide(c->engine, a, now, &d);
	if (d.wants_listener) {
		if (supervise_meet(c, n, a) < 0)
			return 0;
		engine_decide(c->engine, a, now, &d);
	}
	supervise_settle_lead(a, d.is_led, d.approver);
	supervise_fill_record(&r, a, &d);
	strbuf_reset(&c->steps);
	action_steps_add(a, &c->steps);
	if (c->steps.len)
		r.steps = strbuf_bytes(&c->steps);
	supervise_add_domains(&c->domains, &d, &r);
	supervise_add_listener(c, a, &r);
	/* Here, after the decision and before anybody keeps or shows it. */
	if (c->scratch)
		redact_record(config->redact, c->scratch, &r);
	if (d.cost != 0)
		r.spent = budget_spent(config->engine.budget);
	r.latency_ns = clock_monotonic_ns() - now->monotonic_ns;
	return handle_decided(c, n, a, &d, &r);
}

void supervise_decode(struct context *c, const struct seccomp_notif *n, struct action *ret)
{
	if (!c->knows_foreign_roots &&
	    atomic_load_explicit(&c->supervise->foreign_roots, memory_order_relaxed)) {
		action_decoder_set_foreign_roots(c->decoder);
		c->knows_foreign_roots = true;
	}
	action_decode(c->decoder, n, ret);
}

/* One look at the call and what follows from it. Return: as handle_decided(). */
static int handle_once(struct context *c, const struct seccomp_notif *n)
{
	const struct supervise_config *config = &c->supervise->config;
	const struct engine_time now = {.monotonic_ns = clock_monotonic_ns(),
					.realtime_ns = clock_realtime_ns()};
	struct action a _uninitialized_; /* action_decode() sets all that it gives */

	supervise_decode(c, n, &a);
	if (a.error == ACTION_GONE || !supervise_check_exec(c, &a))
		return 0;
	if (a.error == ACTION_OK && a.kernel_errno > 0) {
		/* Not a decision: the call has no object (a bad pointer, a path through a file) and
		 * fails by itself. */
		(void)supervise_answer_errno(config->listener, n->id, a.kernel_errno);
		return 0;
	}
	if (a.error == ACTION_OK && a.n_steps == 0)
		return supervise_carry_out(c, n, &a);
	return decide(c, n, &a, &now);
}

void supervise_handle(void *context, struct seccomp_notif *n)
{
	struct context *c = context;
	int r = -ESTALE;

	/* What was judged may be gone when it is to be used: then something else is judged. */
	for (int i = 0; i < ROUNDS_MAX && r == -ESTALE; i++)
		r = handle_once(c, n);
	if (r == -ESTALE)
		(void)supervise_answer_errno(c->supervise->config.listener, n->id, EACCES);
	c->met.fd = fd_close(c->met.fd);
	action_decoder_release(c->decoder);
}

void supervise_refuse(void *context, const struct seccomp_notif *n)
{
	struct context *c = context;
	const struct engine_time now = {.monotonic_ns = clock_monotonic_ns(),
					.realtime_ns = clock_realtime_ns()};
	struct action a _uninitialized_;

	action_decode_overload(c->decoder, n, &a);
	if (a.error != ACTION_GONE)
		(void)!decide(c, n, &a, &now); /* there is nothing that could be stale */
}
