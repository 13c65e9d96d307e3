/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/vocab.h"

static const char *const verdict_names[_VERDICT_MAX] = {
	[VERDICT_ALLOW] = "allow",
	[VERDICT_FLAG] = "flag",
	[VERDICT_ASK] = "ask",
	[VERDICT_DENY] = "deny",
};

static const char *const kind_names[_KIND_MAX] = {
	[KIND_TOOL] = "tool",     [KIND_PATH] = "path",   [KIND_NETWORK] = "network",
	[KIND_SYSTEM] = "system", [KIND_SPEND] = "spend",
};

static const char *const op_names[_OP_MAX] = {
	[OP_EXEC] = "exec",       [OP_READ] = "read",         [OP_WRITE] = "write",
	[OP_CREATE] = "create",   [OP_TRUNCATE] = "truncate", [OP_DELETE] = "delete",
	[OP_RENAME] = "rename",   [OP_LINK] = "link",         [OP_SYMLINK] = "symlink",
	[OP_MKDIR] = "mkdir",     [OP_MKNOD] = "mknod",       [OP_CHMOD] = "chmod",
	[OP_CHOWN] = "chown",     [OP_XATTR] = "xattr",       [OP_TIMES] = "times",
	[OP_CONNECT] = "connect", [OP_SEND] = "send",         [OP_BIND] = "bind",
	[OP_LISTEN] = "listen",   [OP_SYSCALL] = "syscall",   [OP_SPEND] = "spend",
	[OP_RESOLVE] = "resolve",
};

static const char *const layer_names[_LAYER_MAX] = {
	[LAYER_LANDLOCK] = "landlock",
	[LAYER_BPF_NET] = "bpf-net",
	[LAYER_BPF_LSM] = "bpf-lsm",
	[LAYER_SIGHT] = "sight",
};

static const char *const grant_names[_GRANT_MAX] = {
	[GRANT_IO_URING] = "io_uring",
	[GRANT_PTRACE] = "ptrace",
	[GRANT_BPF] = "bpf",
	[GRANT_PERF] = "perf",
	[GRANT_MOUNT] = "mount",
	[GRANT_MODULE] = "module",
	[GRANT_HANDLE] = "handle",
	[GRANT_PIDFD] = "pidfd",
	[GRANT_KEYRING] = "keyring",
	[GRANT_USERFAULTFD] = "userfaultfd",
	[GRANT_RAW_SOCKET] = "raw_socket",
	[GRANT_FOREIGN_ABI] = "foreign_abi",
	[GRANT_ADMIN] = "admin",
	[GRANT_TERMINAL] = "terminal",
	[GRANT_NAMESPACES] = "namespaces",
	[GRANT_PROCESSES] = "processes",
};

const char *verdict_name(enum verdict v)
{
	return (unsigned int)v < _VERDICT_MAX ? verdict_names[v] : "unknown";
}

const char *kind_name(enum action_kind k)
{
	return (unsigned int)k < _KIND_MAX ? kind_names[k] : "unknown";
}

const char *op_name(enum action_op op)
{
	return (unsigned int)op < _OP_MAX ? op_names[op] : "unknown";
}

const char *layer_name(enum kernel_layer layer)
{
	return (unsigned int)layer < _LAYER_MAX ? layer_names[layer] : "unknown";
}

const char *grant_name(enum grant g)
{
	return (unsigned int)g < _GRANT_MAX ? grant_names[g] : "unknown";
}

static int word_find(const char *const *words, unsigned int n, struct bytes word)
{
	for (unsigned int i = 0; i < n; i++)
		if (bytes_eq_str(word, words[i]))
			return (int)i;
	return -ENOENT;
}

int verdict_parse(struct bytes word, enum verdict *ret)
{
	int i = word_find(verdict_names, _VERDICT_MAX, word);

	if (i < 0)
		return i;
	*ret = (enum verdict)i;
	return 0;
}

int kind_parse(struct bytes word, enum action_kind *ret)
{
	int i = word_find(kind_names, _KIND_MAX, word);

	if (i < 0)
		return i;
	*ret = (enum action_kind)i;
	return 0;
}

int op_parse(struct bytes word, enum action_op *ret)
{
	int i = word_find(op_names, _OP_MAX, word);

	if (i < 0)
		return i;
	*ret = (enum action_op)i;
	return 0;
}

int layer_parse(struct bytes word, enum kernel_layer *ret)
{
	int i = word_find(layer_names, _LAYER_MAX, word);

	if (i < 0)
		return i;
	*ret = (enum kernel_layer)i;
	return 0;
}

int grant_parse(struct bytes word, enum grant *ret)
{
	int i = word_find(grant_names, _GRANT_MAX, word);

	if (i < 0)
		return i;
	*ret = (enum grant)i;
	return 0;
}
