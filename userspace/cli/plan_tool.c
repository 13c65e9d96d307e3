/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "action/shebang.h"
#include "base/dirs.h"

#include "cli/lookup.h"
#include "cli/plan_tool.h"

size_t plan_tool_images(const char *name, char **ret, size_t max)
{
	_cleanup_(freep) char *path = NULL;
	size_t n = 0;

	if (lookup_command(name, &path) != 0)
		return 0;
	while (n < max && path) {
		_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
		char head[SHEBANG_SIZE] = {};
		struct shebang s;

		ret[n] = realpath(path, NULL);
		if (!ret[n])
			break;
		n++;
		free(TAKE_PTR(path));
		if (fd < 0 || read(fd, head, sizeof(head)) <= 0 || !shebang_parse(head, &s))
			break;
		path = str_format("%.*s", (int)s.interpreter.len, s.interpreter.p);
	}
	return n;
}
