/* SPDX-License-Identifier: Apache-2.0 */
/* A log that anybody may have written: verify never crashes, what it says is one printable line,
 * and it counts what it says. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "audit/verify.h"
#include "base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(const struct verify_finding *f, void *arg)
{
	uint64_t *n_bad = arg;

	*n_bad += verify_is_bad(f->what);
	assert(f->file && verify_word(f->what));
	for (const char *p = f->text; *p; p++)
		assert(*p >= 0x20 && *p < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pubkey key;
	uint64_t n_bad = 0;
	const struct verify_config config = {.key = &key, .tell = tell, .arg = &n_bad};
	struct verify_result result = {};
	char path[64];
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert(fd >= 0);
	assert(io_write_all(fd, data, size) == 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (verify_log(path, &config, &result, NULL) == 0)
		assert(result.n_bad == n_bad + result.n_untold);
	(void)close(fd);
	return 0;
}
