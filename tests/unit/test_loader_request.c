/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/request.h"

#include "tests/unit/unit.h"

static struct layers_header header_of(enum layers_type type, size_t size)
{
	return (struct layers_header){
		.version = LAYERS_VERSION, .type = type, .size = (uint32_t)size};
}

/* A request of its usual form. */
static int ask(struct request_state *state, enum layers_type type)
{
	const size_t size = type == LAYERS_NET   ? sizeof(struct layers_net)
			    : type == LAYERS_LSM ? sizeof(struct layers_lsm)
						 : sizeof(struct layers_header);
	const bool has_fd = type == LAYERS_NET || type == LAYERS_JOIN || type == LAYERS_LSM ||
			    type == LAYERS_LSM_JOIN;
	char message[REQUEST_MAX] = {};
	enum layers_type came = 0;
	struct layers_header h = header_of(type, (uint32_t)size);
	int r;

	memcpy(message, &h, sizeof(h));
	r = request_check(state, message, size, has_fd, &came);
	if (r == 0)
		assert_int_equal(came, type);
	return r;
}

static void test_each_request_is_taken_once_and_in_its_order(void **state)
{
	struct request_state s = {};

	(void)state;
	assert_int_equal(ask(&s, LAYERS_SEAL), -EPROTO);
	assert_int_equal(ask(&s, LAYERS_JOIN), -EPROTO);
	assert_int_equal(ask(&s, LAYERS_START), 0);
	assert_int_equal(ask(&s, LAYERS_JOIN), -EPROTO);
	assert_int_equal(ask(&s, LAYERS_SEAL), 0);
	assert_int_equal(ask(&s, LAYERS_NET), 0);
	assert_int_equal(ask(&s, LAYERS_JOIN), 0);
	for (enum layers_type type = 0; type < 64; type++)
		if (type != LAYERS_LSM)
			assert_int_equal(ask(&s, type), -EPROTO);
}

static void test_only_roots_own_loader_probes_and_only_at_first(void **state)
{
	struct request_state service = {}, own = {.may_probe = true};

	(void)state;
	assert_int_equal(ask(&service, LAYERS_PROBE), -EPROTO);
	assert_int_equal(ask(&own, LAYERS_PROBE), 0);
	assert_int_equal(ask(&own, LAYERS_PROBE), -EPROTO);
	own = (struct request_state){.may_probe = true};
	assert_int_equal(ask(&own, LAYERS_START), 0);
	assert_int_equal(ask(&own, LAYERS_PROBE), -EPROTO);
}

static void test_more_than_one_child_may_be_bound_by_verdicts_on_files(void **state)
{
	struct request_state s = {};

	(void)state;
	assert_int_equal(ask(&s, LAYERS_LSM_JOIN), -EPROTO);
	assert_int_equal(ask(&s, LAYERS_LSM), 0);
	assert_int_equal(ask(&s, LAYERS_LSM), -EPROTO);
	assert_int_equal(ask(&s, LAYERS_LSM_JOIN), 0);
	assert_int_equal(ask(&s, LAYERS_LSM_JOIN), 0);
}

static void test_a_request_has_its_version_size_and_descriptor(void **state)
{
	char message[REQUEST_MAX] = {};
	struct layers_header h = header_of(LAYERS_START, sizeof(h));
	enum layers_type type;

	(void)state;
	for (size_t size = 0; size < sizeof(message); size++) {
		struct request_state s = {};

		memcpy(message, &h, sizeof(h));
		assert_int_equal(request_check(&s, message, size, false, &type),
				 size == sizeof(h) ? 0 : -EPROTO);
		s = (struct request_state){};
		assert_int_equal(request_check(&s, message, size, true, &type), -EPROTO);
	}
	for (size_t byte = 0; byte < sizeof(h); byte++) {
		struct request_state s = {};

		if (byte >= offsetof(struct layers_header, type) &&
		    byte < offsetof(struct layers_header, size))
			continue;
		memcpy(message, &h, sizeof(h));
		message[byte] ^= 1;
		assert_int_equal(request_check(&s, message, sizeof(h), false, &type), -EPROTO);
		assert_int_equal(s.done, 0);
	}
}

/* ---- tables */

static struct layers_net small = {.n_prefixes = 2, .n_port_classes = 3};

/* A file that is right. */
static uint8_t *make_file(size_t *ret_size)
{
	struct layers_prefix prefixes[2] = {{.is_v4 = 1}, {.bits = 128}};
	uint8_t *file;

	*ret_size = request_tables_size(&small);
	assert_int_equal(*ret_size, 2 * 18 + NET_PORTS + 54);
	file = calloc(1, *ret_size);
	assert_non_null(file);
	memcpy(file, prefixes, sizeof(prefixes));
	file[sizeof(prefixes) + 443] = 2;
	file[*ret_size - 1] = NET_DENY;
	return file;
}

static int read_file(const uint8_t *file, size_t size, struct net_table *ret)
{
	const struct layers_prefix *prefixes;

	return request_read_tables(&small, file, size, &prefixes, ret);
}

static void test_tables_are_taken_as_they_are_and_the_rest_is_denied(void **state)
{
	_cleanup_(freep) struct net_table *table = calloc(1, sizeof(*table));
	size_t size;
	_cleanup_(freep) uint8_t *file = make_file(&size);

	(void)state;
	assert_non_null(table);
	assert_int_equal(read_file(file, size, table), 0);
	assert_int_equal(table->ports[443], 2);
	assert_int_equal(table->verdicts[0], NET_ALLOW);
	assert_int_equal(table->verdicts[53], NET_DENY);
	for (size_t i = 54; i < NET_CELLS; i++)
		assert_int_equal(table->verdicts[i], NET_DENY);
}

static void test_a_byte_that_is_too_large_refuses_the_tables(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {
		{16, 33},                  /* bits of an IPv4 prefix */
		{17, 2},                   /* neither */
		{18 + 16, 129},            /* bits of an IPv6 prefix */
		{36, 3},                   /* a class of ports */
		{36 + NET_PORTS - 1, 255}, /* that of the last */
		{36 + NET_PORTS, NET_DENY + 1},
	};
	_cleanup_(freep) struct net_table *table = calloc(1, sizeof(*table));

	(void)state;
	assert_non_null(table);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		size_t size;
		_cleanup_(freep) uint8_t *file = make_file(&size);

		file[wrong[i].at] = wrong[i].value;
		assert_int_equal(read_file(file, size, table), -EPROTO);
	}
}

static void test_tables_have_exactly_their_size_and_bounds(void **state)
{
	static const struct layers_net out[] = {
		{.n_prefixes = 0, .n_port_classes = 1},
		{.n_prefixes = NET_PREFIXES_MAX + 1, .n_port_classes = 1},
		{.n_prefixes = 1, .n_port_classes = 0},
		{.n_prefixes = 1, .n_port_classes = 256},
		{.n_prefixes = NET_PREFIXES_MAX, .n_port_classes = 8},
		{.n_prefixes = UINT32_MAX, .n_port_classes = UINT32_MAX},
		{.n_prefixes = 1, .n_port_classes = 1, .is_audit = 2},
		{.n_prefixes = 1, .n_port_classes = 1, .opens_unix = 2},
	};
	const struct layers_net largest = {.n_prefixes = NET_PREFIXES_MAX, .n_port_classes = 7};
	_cleanup_(freep) struct net_table *table = calloc(1, sizeof(*table));
	size_t size;
	_cleanup_(freep) uint8_t *file = make_file(&size);

	(void)state;
	assert_non_null(table);
	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		assert_int_equal(request_tables_size(&out[i]), 0);
	assert_true(request_tables_size(&largest) > 0);
	assert_int_equal(read_file(file, size - 1, table), -EPROTO);
	assert_int_equal(read_file(file, size + 1, table), -EPROTO);
	assert_int_equal(read_file(file, 0, table), -EPROTO);
}

/* ---- tables of files */

static const struct layers_lsm small_lsm = {
	.n_classes = 2, .n_states = 3, .n_verdicts = 4, .parts = {{0, 2}, {1, 2}, {2, 1}, {0, 1}}};

static int read_lsm(const uint8_t *file, size_t size)
{
	const uint8_t *cells, *verdicts;
	struct lsm_config config;
	int r = request_read_lsm(&small_lsm, file, size, &config, &cells, &verdicts);

	if (r == 0) {
		assert_ptr_equal(cells, file + 256);
		assert_ptr_equal(verdicts, cells + 18);
		assert_int_equal(config.parts[1].first, 1);
		assert_int_equal(config.session, 0);
	}
	return r;
}

static void test_no_cell_of_an_automaton_leads_outside(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int r;
	} rows[] = {
		{0, 1, 0},
		{255, 2, -EPROTO}, /* a class of bytes */
		{256, 2, 0},
		{256 + 2, 3, -EPROTO}, /* a state */
		{256 + 4, 3, 0},
		{256 + 4, 4, -EPROTO}, /* a kind */
		{256 + 1, 1, -EPROTO},
		{256 + 18 + 15, 255, 0}, /* a verdict: all bits are some */
	};
	const size_t size = request_lsm_size(&small_lsm);

	(void)state;
	assert_int_equal(size, 256 + 18 + 16);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) uint8_t *file = calloc(1, size + 1);

		assert_non_null(file);
		file[rows[i].at] = rows[i].value;
		assert_int_equal(read_lsm(file, size), rows[i].r);
		assert_int_equal(read_lsm(file, size - 1), -EPROTO);
		assert_int_equal(read_lsm(file, size + 1), -EPROTO);
	}
}

static void test_automatons_have_their_bounds(void **state)
{
	static const struct layers_lsm out[] = {
		{.n_classes = 0, .n_states = 1, .n_verdicts = 1},
		{.n_classes = 257, .n_states = 1, .n_verdicts = 1},
		{.n_classes = 1, .n_states = 0, .n_verdicts = 1},
		{.n_classes = 1, .n_states = 65536, .n_verdicts = 1},
		{.n_classes = 256, .n_states = 4096, .n_verdicts = 1},
		{.n_classes = 1, .n_states = 1, .n_verdicts = 0},
		{.n_classes = 1, .n_states = 1, .n_verdicts = LSM_VERDICTS_MAX + 1},
		{.n_classes = 1, .n_states = 1, .n_verdicts = 1, .is_audit = 2},
		{.n_classes = 1, .n_states = 1, .n_verdicts = 1, .reserved = 1},
		{.n_classes = UINT32_MAX, .n_states = UINT32_MAX, .n_verdicts = UINT32_MAX},
	};
	struct layers_lsm q = small_lsm;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		struct layers_lsm o = out[i];

		for (size_t k = 0; k < LSM_PARTS; k++)
			o.parts[k].n_kinds = 1;
		assert_int_equal(request_lsm_size(&o), 0);
	}
	q.parts[3].first = q.n_states;
	assert_int_equal(request_lsm_size(&q), 0);
	q = small_lsm;
	q.parts[0].n_kinds = 3; /* more than there are verdicts of */
	assert_int_equal(request_lsm_size(&q), 0);
	q.parts[0].n_kinds = 1; /* fewer */
	assert_int_equal(request_lsm_size(&q), 0);
}

/* ---- processes */

#define STATUS(parent, uids, privs)                                                                \
	"Name:\tUid:\nUmask:\t0022\nPid:\t9\nPPid:\t" parent "\nUid:\t" uids                       \
	"\nGid:\t1\t1\t1\t1\nNoNewPrivs:\t" privs "\n"

static void test_only_a_child_that_stays_the_users_may_join(void **state)
{
	static const struct {
		const char *status;
		bool may;
	} cases[] = {
		{STATUS("7", "1000\t1000\t1000\t1000", "1"), true},
		{STATUS("8", "1000\t1000\t1000\t1000", "1"), false},
		{STATUS("77", "1000\t1000\t1000\t1000", "1"), false},
		{STATUS("7", "0\t1000\t1000\t1000", "1"), false},
		{STATUS("7", "1000\t0\t1000\t1000", "1"), false},
		{STATUS("7", "1000\t1000\t0\t1000", "1"), false},
		{STATUS("7", "1000\t1000\t1000\t0", "1"), false},
		{STATUS("7", "1000\t1000\t1000\t1000", "0"), false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request_process p;

		assert_int_equal(request_parse_status(cases[i].status, &p), 0);
		assert_int_equal(request_may_join(&p, 7, 1000), cases[i].may);
		assert_false(request_may_join(&p, 0, 1000));
	}
}

static void test_a_status_that_lacks_something_is_none(void **state)
{
	static const char *const lacking[] = {
		"",
		STATUS("", "1\t1\t1\t1", "1"),
		STATUS("x", "1\t1\t1\t1", "1"),
		STATUS("99999999999", "1\t1\t1\t1", "1"),
		STATUS("7", "1\t1\t1", "1"),
		STATUS("7", "1\t1\t1\t4294967296", "1"),
		STATUS("7", "1\t1\t1\t1", ""),
		"PPid:\t7\nNoNewPrivs:\t1\n",
		"PPid:\t7\nUid:\t1\t1\t1\t1\n",
	};
	struct request_process p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lacking); i++)
		assert_int_equal(request_parse_status(lacking[i], &p), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_request_is_taken_once_and_in_its_order),
		cmocka_unit_test(test_only_roots_own_loader_probes_and_only_at_first),
		cmocka_unit_test(test_more_than_one_child_may_be_bound_by_verdicts_on_files),
		cmocka_unit_test(test_a_request_has_its_version_size_and_descriptor),
		cmocka_unit_test(test_tables_are_taken_as_they_are_and_the_rest_is_denied),
		cmocka_unit_test(test_a_byte_that_is_too_large_refuses_the_tables),
		cmocka_unit_test(test_tables_have_exactly_their_size_and_bounds),
		cmocka_unit_test(test_no_cell_of_an_automaton_leads_outside),
		cmocka_unit_test(test_automatons_have_their_bounds),
		cmocka_unit_test(test_only_a_child_that_stays_the_users_may_join),
		cmocka_unit_test(test_a_status_that_lacks_something_is_none),
	};

	return cmocka_run_group_tests_name("loader/request", tests, NULL, NULL);
}
