/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes DIR OTHER [ONE [TWO]]: makes every call that changes the tree or attributes, on every
 * shape of path, each time in a fresh fixture in DIR (a tmpfs), and prints errno and what the tree
 * then looks like. OTHER is a directory of another file system. Of the calls with one path every
 * ONE-th is made, of those with two every TWO-th. Run natively and under Holdfast, the output must
 * be the same (changes.bats).
 */
#include "changes_calls.h"

/* Calls that on a path of the whole machine ("/", "/proc/self") would be more than a look. */
static bool is_ours(const char *path)
{
	return path == NULL || path == BAD_POINTER || path[0] != '/' || path == fd_path ||
	       strncmp(path, "/proc/self/cwd/", 15) == 0 || path == long_path;
}

static bool changes_any_object(const struct call *c)
{
	static const char *const trees[] = {"unlink", "rmdir", "mkdir", "mknod", "symlink"};

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (strncmp(c->name, trees[i], strlen(trees[i])) == 0)
			return false;
	return true;
}

/*
 * Attributes of what is not ours are left alone. A process may write to its own /proc/self/fd and
 * others may not, so that unlink(2) there fails with another errno (docs/limits.md).
 */
static bool is_safe(const struct call *c, const char *path)
{
	return changes_any_object(c) ? is_ours(path) : path != fd_path;
}

static void run_one_path(size_t every)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(shapes); j++) {
			long r;
			int error;

			if (n++ % every || !is_safe(&calls[i], shapes[j].path))
				continue;
			make_fixture();
			errno = 0;
			r = calls[i].fn(shapes[j].path);
			error = errno;
			print_result(calls[i].name, shapes[j].label, NULL, r, error);
			remove_fixture();
		}
	}
}

static void run_two_paths(size_t every)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls2); i++)
		for (size_t j = 0; j < ARRAY_SIZE(shapes); j++)
			for (size_t k = 0; k < ARRAY_SIZE(shapes); k++) {
				long r;
				int error;

				if (n++ % every || shapes[j].path == fd_path ||
				    shapes[k].path == fd_path)
					continue;
				make_fixture();
				errno = 0;
				r = calls2[i].fn(shapes[j].path, shapes[k].path);
				error = errno;
				print_result(calls2[i].name, shapes[j].label, shapes[k].label, r,
					     error);
				remove_fixture();
			}
}

static int open_descriptor(size_t i, const char **ret_label)
{
	int p[2], fd;

	switch (i) {
	case 0:
		*ret_label = "rdwr";
		return open("f", O_RDWR);
	case 1:
		*ret_label = "rdonly";
		return open("f", O_RDONLY);
	case 2:
		*ret_label = "wronly";
		return open("f", O_WRONLY);
	case 3:
		*ret_label = "path";
		return open("f", O_PATH);
	case 4:
		*ret_label = "path-link";
		return open("l", O_PATH | O_NOFOLLOW);
	case 5:
		*ret_label = "dir";
		return open("d", O_RDONLY | O_DIRECTORY);
	case 6:
		*ret_label = "mode3";
		return open("f", 3);
	case 7:
		*ret_label = "fifo";
		return open("p", O_RDWR);
	case 8:
		*ret_label = "pipe";
		must(pipe(p), "pipe");
		close(p[0]);
		return p[1];
	case 9:
		*ret_label = "socket";
		return socket(AF_UNIX, SOCK_STREAM, 0);
	case 10:
		*ret_label = "memfd";
		return memfd_create("m", 0);
	case 11:
		*ret_label = "tmpfile";
		return open(".", O_TMPFILE | O_RDWR, 0640);
	case 12:
		*ret_label = "deleted";
		fd = open("g", O_RDWR);
		must(unlink("g"), "g");
		return fd;
	case 13:
		*ret_label = "deleted-once";
		fd = open("f", O_RDWR);
		must(unlink("f"), "f");
		return fd;
	case 14:
		*ret_label = "bad";
		return 999;
	case 15:
		*ret_label = "minus";
		return -5;
	default:
		return -1;
	}
}

static void run_descriptors(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(fd_calls); i++)
		for (size_t j = 0; j < 16; j++) {
			const char *label = NULL;
			struct stat st = {};
			int fd, error;
			long r;

			make_fixture();
			fd = open_descriptor(j, &label);
			if (fd < 0 && j != 15)
				die(label);
			errno = 0;
			r = fd_calls[i].fn(fd);
			error = errno;
			if (j < 14 && fstat(fd, &st) == 0)
				printf("{%o %lu %s} ", st.st_mode, (unsigned long)st.st_nlink,
				       st.st_mtim.tv_sec >= started ? "now" : "then");
			if (j < 14)
				close(fd);
			print_result(fd_calls[i].name, label, NULL, r, error);
			remove_fixture();
		}
}

/* ---- umask, default ACLs, set-group-ID directories, limits, other file systems */

/* user::rwx user:UID:rwx group::r-x mask::rwx other::--- , as acl(5) stores it
 * (linux/posix_acl_xattr.h) */
static void set_default_acl(const char *dir)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entries[5];
	} acl = {2,
		 {{0x01, 7, UINT32_MAX},
		  {0x02, 7, 4242},
		  {0x04, 5, UINT32_MAX},
		  {0x10, 7, UINT32_MAX},
		  {0x20, 0, UINT32_MAX}}};

	(void)setxattr(dir, "system.posix_acl_default", &acl, sizeof(acl), 0);
}

static void run_creations(void)
{
	static const mode_t masks[] = {0, 022, 027, 077, 0777};
	static const char *const places[] = {"e/n", "sg/n", "acl/n"};
	static const struct call makers[] = {C(mkdir),      C(mkdir_sticky), C(mknod_fifo),
					     C(mknod_sock), C(mknod_reg),    C(symlink)};

	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		for (size_t j = 0; j < ARRAY_SIZE(masks); j++)
			for (size_t k = 0; k < ARRAY_SIZE(places); k++) {
				char label[32];
				int error;
				long r;

				make_fixture();
				must(mkdir("acl", 0755), "acl");
				set_default_acl("acl");
				umask(masks[j]);
				errno = 0;
				r = makers[i].fn(places[k]);
				error = errno;
				umask(022);
				snprintf(label, sizeof(label), "umask %03o", masks[j]);
				print_result(makers[i].name, places[k], label, r, error);
				remove_fixture();
			}
}

static void run_limits(void)
{
	const struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
	static const struct call growers[] = {C(truncate_grow), C(truncate_limit), C(truncate)};
	struct rlimit before;

	must(getrlimit(RLIMIT_FSIZE, &before), "getrlimit");
	for (size_t i = 0; i < ARRAY_SIZE(growers); i++)
		for (size_t j = 0; j < ARRAY_SIZE(shapes); j++) {
			int error;
			long r;

			if (!is_ours(shapes[j].path))
				continue;
			make_fixture();
			must(setrlimit(RLIMIT_FSIZE,
				       &(struct rlimit){limit.rlim_cur, before.rlim_max}),
			     "setrlimit");
			errno = 0;
			r = growers[i].fn(shapes[j].path);
			error = errno;
			must(setrlimit(RLIMIT_FSIZE, &before), "setrlimit");
			print_result(growers[i].name, shapes[j].label, "RLIMIT_FSIZE", r, error);
			remove_fixture();
		}
}

static void run_elsewhere(void)
{
	static const struct {
		const char *from, *to;
	} pairs[] = {
		{"f", other_path}, {"d", other_path}, {"new", other_path},
		{"/proc", "w2"},   {"/dev", "w2"},    {"f", "/proc/holdfast-changes"},
		{"d", "d/below"},  {"d", "d/x/y"},    {"d", "ld/below"},
		{".", "d/y"},      {"..", "y"},       {"f", "f"},
		{"g", "hl"},       {"l", "l2"},       {"dang", "d/dang"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls2); i++)
		for (size_t j = 0; j < ARRAY_SIZE(pairs); j++) {
			int error;
			long r;

			make_fixture();
			errno = 0;
			r = calls2[i].fn(pairs[j].from, pairs[j].to);
			error = errno;
			(void)unlink(other_path);
			print_result(calls2[i].name, pairs[j].from,
				     pairs[j].to == other_path ? "other" : pairs[j].to, r, error);
			remove_fixture();
		}
}

/* Values of any size are taken by tmpfs; ext4 takes what fits into a block. */
static void run_sizes(void)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 60000, XATTR_MAX, XATTR_MAX + 1};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char label[32];
		int error;
		long r;

		make_fixture();
		errno = 0;
		r = syscall(__NR_setxattr, "f", "user.k", big_value, sizes[i], 0);
		error = errno;
		printf("{%zd} ", getxattr("f", "user.k", NULL, 0));
		snprintf(label, sizeof(label), "%zu", sizes[i]);
		print_result("setxattr", label, NULL, r, error);
		remove_fixture();
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_sigxfsz};
	size_t one = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	size_t two = argc > 4 ? strtoul(argv[4], NULL, 10) : 1;

	if (argc < 3 || one == 0 || two == 0) {
		fprintf(stderr, "usage: changes DIR OTHER [ONE [TWO]]\n");
		return 2;
	}
	started = time(NULL) - 2;
	memset(long_name, 'n', sizeof(long_name) - 1);
	memset(long_path, 'p', sizeof(long_path) - 1);
	for (size_t i = 0; i < sizeof(long_path) - 1; i += 100)
		long_path[i] = '/';
	memset(big_value, 'v', sizeof(big_value));
	sigaction(SIGXFSZ, &sa, NULL);
	snprintf(other_path, sizeof(other_path), "%.150s/holdfast-changes", argv[2]);
	if (chdir(argv[1]) < 0 || !getcwd(own_dir, sizeof(own_dir)))
		die(argv[1]);
	run_one_path(one);
	run_two_paths(two);
	run_descriptors();
	run_creations();
	run_limits();
	run_elsewhere();
	run_sizes();
	fprintf(stderr, "%ld rows\n", n_rows);
	return 0;
}
