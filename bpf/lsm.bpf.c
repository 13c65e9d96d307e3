/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verdicts on the session's files, at the objects that the kernel uses: a path is put together
 * from the dentries, and automatons that user space has made of the policies' globs run over it.
 *
 * A task is a session's when it has an entry in @marks, as in sight.bpf.c; but the entry is made
 * where the fork can still fail, so that no child is without one. Who has none costs a look-up. The
 * programs are loaded once for many sessions: an entry says which one's tables, in maps of maps by
 * slot, are asked. Whose session is over while he lives is refused everything. On
 * Linux 6.1 that look-up finds nothing while another of the same CPU is interrupted within one,
 * which takes a kernel that preempts itself (CONFIG_PREEMPT); later kernels have no such gap.
 *
 * Scalars that a loop's body works on are in @rooms and not on the stack: so the verifier knows
 * nothing of them, and is done with the body after one round.
 */
#include <stdbool.h>

#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/abi.h"
#include "bpf/lsm_session.h"
#include "bpf/masked.h"

#define EACCES             13
#define EPERM              1
#define ENOMEM             12
#define O_WRONLY           01
#define O_RDWR             02
#define O_ACCMODE          03
#define FMODE_EXEC         0x20       /* in f_flags: the kernel opens it to execute it */
#define FMODE_NOACCOUNT    0x20000000 /* in f_mode: a file system's own, below another */
#define NSFS_MAGIC         0x6e736673
#define MQUEUE_MAGIC       0x19800202
#define HUGETLBFS_MAGIC    0x958458f6
#define SB_NOUSER          (1UL << 31)
#define MNT_NS_INTERNAL    ((struct mnt_namespace *)-22L) /* fs/mount.h: ERR_PTR(-EINVAL) */
#define S_IFMT             0170000
#define S_IFREG            0100000
#define PTRACE_MODE_ATTACH 0x02
#define NAME_MAX           255
#define FDS_MAX            4096
#define STORAGE_ROUNDS     4
#define STEPS_MAX          LSM_PATH_MAX
#define PATH_MASK          (LSM_PATH_MAX - 1)

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Where a task's path is put together: a task makes one call at a time, and may be interrupted by
 * others on its CPU. */
struct room {
	__u64 dentry, mount, root_dentry, root_mount; /* where the climb is, and where it ends */
	__u32 at;                                     /* the path begins here ... */
	__u32 end;                                    /* of it */
	__u32 cell;                                   /* where an automaton is */
	__u32 is_whole;
	__u64 fds, inode; /* of a search for it among them */
	__u32 n_fds, is_own;
	char path[LSM_PATH_MAX + NAME_MAX + 1]; /* ... and ends at LSM_PATH_MAX */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct room);
} rooms SEC(".maps");

/* What is told of it, by itself: Linux 7 gives a task no more than 8 KB of one map. */
struct telling {
	struct lsm_event event;
	char path[LSM_PATH_MAX]; /* right behind the event */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct telling);
} tellings SEC(".maps");

/*
 * A task's entry, made where there is none. Since Linux 7 the kernel gives up rather than wait for
 * a lock of its allocator, so it is asked again.
 */
static __always_inline void *storage_of(void *map, struct task_struct *task)
{
	void *found = 0;

	for (int i = 0; i < STORAGE_ROUNDS && !found; i++)
		found = bpf_task_storage_get(map, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return found;
}

/* ---- who */

SEC("lsm/task_alloc")
int BPF_PROG(lsm_task_alloc, struct task_struct *task, unsigned long flags)
{
	struct lsm_mark *own = bpf_task_storage_get(&marks, bpf_get_current_task_btf(), 0, 0);
	struct lsm_mark *mark;

	if (!own)
		return 0;
	mark = storage_of(&marks, task);
	if (!mark)
		return -ENOMEM;
	*mark = *own;
	return 0;
}

/* Here and not above: past that a fork may fail. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(lsm_fork, struct task_struct *parent, struct task_struct *child)
{
	count(child, 1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(lsm_exit, struct task_struct *task)
{
	count(task, -1);
	return 0;
}

/* ---- the path */

static long climb(__u32 round, struct room **context)
{
	struct room *r = *context;
	struct dentry *dentry = (struct dentry *)r->dentry, *parent;
	struct mount *mount = (struct mount *)r->mount, *above;
	const unsigned char *name;
	__u32 length, at = r->at;

	if (r->dentry == r->root_dentry && r->mount == r->root_mount) {
		r->is_whole = 1;
		return 1;
	}
	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		above = BPF_CORE_READ(mount, mnt_parent);
		if (above == mount)
			return 1; /* not below the session's root: a pipe, a memfd, another
				     namespace */
		r->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
		r->mount = (__u64)above;
		return 0;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	length = BPF_CORE_READ(dentry, d_name.len);
	name = BPF_CORE_READ(dentry, d_name.name);
	if (parent == dentry || length > NAME_MAX || at < length + 1 || at > LSM_PATH_MAX)
		return 1;
	at -= length;
	if (bpf_probe_read_kernel(&r->path[MASKED(at, PATH_MASK)], MASKED(length, NAME_MAX), name))
		return 1;
	at--;
	r->path[MASKED(at, PATH_MASK)] = '/';
	r->at = at;
	r->dentry = (__u64)parent;
	return 0;
}

static __always_inline __u64 mount_of(struct vfsmount *mnt)
{
	const struct mount *none = 0;

	return (__u64)mnt - (__u64)__builtin_preserve_access_index(&none->mnt);
}

/* Return: whether @r has the path of it. */
static __always_inline bool find_path(struct room *r, struct task_struct *task,
				      struct vfsmount *mount, struct dentry *dentry)
{
	struct room *context = r;

	r->dentry = (__u64)dentry;
	r->mount = mount_of(mount);
	r->root_dentry = (__u64)BPF_CORE_READ(task, fs, root.dentry);
	r->root_mount = mount_of(BPF_CORE_READ(task, fs, root.mnt));
	r->at = LSM_PATH_MAX;
	r->is_whole = 0;
	bpf_loop(STEPS_MAX, climb, &context, 0);
	if (r->is_whole && r->at == LSM_PATH_MAX) {
		r->at--;
		r->path[LSM_PATH_MAX - 1] = '/';
	}
	return r->is_whole;
}

/* ---- the verdict */

struct look {
	struct room *room;
	const struct lsm_config *config;
	const __u16 *cells;
};

static long step(__u32 i, struct look *l)
{
	struct room *r = l->room;
	__u32 class, at = r->at + i;

	if (at >= LSM_PATH_MAX)
		return 1;
	class = l->config->classes[(__u8)r->path[MASKED(at, PATH_MASK)]];
	r->cell = l->cells[MASKED(r->cell * (l->config->n_classes + 1) + class, LSM_CELLS_MAX - 1)];
	return 0;
}

/* Return: the verdicts of all operations on the path in @r. */
static __always_inline __u32 look_up(struct room *r, const struct ours *o)
{
	struct look l = {.room = r, .config = o->config};
	const __u32 zero = 0, kind = o->config->n_classes;
	void *cells = bpf_map_lookup_elem(&all_cells, &o->slot);
	void *verdicts = bpf_map_lookup_elem(&all_verdicts, &o->slot);
	const __u32 *verdict;
	__u32 kinds = 0;

	if (!cells || !verdicts)
		return ~0U;
	l.cells = bpf_map_lookup_elem(cells, &zero);
	verdict = bpf_map_lookup_elem(verdicts, &zero);
	if (!l.cells || !verdict)
		return ~0U;
#pragma unroll
	for (int part = 0; part < LSM_PARTS; part++) {
		const __u32 n_kinds = o->config->parts[part].n_kinds;

		if (n_kinds == 1)
			continue; /* no rule has such globs */
		r->cell = o->config->parts[part].first;
		bpf_loop(LSM_PATH_MAX, step, &l, 0);
		kinds = kinds * n_kinds +
			l.cells[MASKED(r->cell * (kind + 1) + kind, LSM_CELLS_MAX - 1)];
	}
	return verdict[MASKED(kinds, LSM_VERDICTS_MAX - 1)];
}

/* ---- what is told of it */

static __always_inline void fill(struct lsm_event *e, struct task_struct *task, __u32 op,
				 __u32 verdict)
{
	struct file *exe = task->mm->exe_file;

	e->time_ns = bpf_ktime_get_ns();
	e->pid = task->tgid;
	e->tid = task->pid;
	e->parent = task->real_parent->tgid;
	e->op = op;
	e->verdict = verdict;
	e->exe_inode = exe->f_inode->i_ino;
	e->exe_device = exe->f_inode->i_sb->s_dev;
	e->n_path = 0;
	e->padding = 0;
}

/* Return: whether it was written. */
static __always_inline bool tell(struct room *r, struct task_struct *task, __u32 slot, __u32 op,
				 __u32 verdict)
{
	struct telling *t = storage_of(&tellings, task);
	__u64 size, length = r->is_whole && r->at < LSM_PATH_MAX ? LSM_PATH_MAX - r->at : 0;
	void *ring = ring_of(slot, verdict);

	if (!t)
		return false;
	fill(&t->event, task, op, verdict);
	length = MASKED(length, PATH_MASK); /* the longest that there is has 4095 */
	if (length && bpf_probe_read_kernel(t->path, length, &r->path[MASKED(r->at, PATH_MASK)]))
		length = 0;
	t->event.n_path = length;
	size = sizeof(t->event) + MASKED(length, PATH_MASK);
	return ring && bpf_ringbuf_output(ring, &t->event, size, 0) == 0;
}

/* Return: 0, or the errno of a refusal. */
static __always_inline int carry_out(struct room *r, struct task_struct *task, const struct ours *o,
				     __u32 op, __u32 verdict)
{
	const __u32 bit = LSM_BIT(op);
	const bool decides = o->config->decides & bit;

	if (verdict == NET_DENY || (decides && verdict == NET_ASK)) {
		if (!tell(r, task, o->slot, op, verdict))
			lose(o->slot, offsetof(struct lsm_lost, refused));
		return -EACCES;
	}
	if (!decides || (verdict == NET_ALLOW && !(o->config->records & bit)))
		return 0;
	if (tell(r, task, o->slot, op, verdict))
		return 0;
	lose(o->slot, offsetof(struct lsm_lost, unwritten));
	return o->config->is_audit ? 0 : -EACCES;
}

static long look_at_descriptor(__u32 i, struct room **context)
{
	struct room *r = *context;
	struct file *file = 0;

	if (i >= r->n_fds)
		return 1;
	if (bpf_probe_read_kernel(&file, sizeof(file), (void *)(r->fds + (__u64)i * sizeof(file))))
		return 1;
	r->is_own = file && BPF_CORE_READ(file, f_inode) == (struct inode *)r->inode;
	return r->is_own;
}

/* Whether the task has it open already, as a pipe that it opens again by /proc/self/fd. */
static __always_inline bool is_own(struct room *r, struct task_struct *task, struct dentry *dentry)
{
	struct room *context = r;

	r->fds = (__u64)BPF_CORE_READ(task, files, fdt, fd);
	r->n_fds = BPF_CORE_READ(task, files, fdt, max_fds);
	r->inode = (__u64)BPF_CORE_READ(dentry, d_inode);
	r->is_own = 0;
	bpf_loop(FDS_MAX, look_at_descriptor, &context, 0);
	return r->is_own;
}

/*
 * What the kernel opens for itself in a task's call, such as the layers of an overlay file system
 * when it lists a directory: below a mount that is in no namespace, of a file system that can be
 * mounted, so that this is no pipe and no memfd of somebody's. Also what comes of other calls than
 * opens, which nobody asks about: message queues; and a namespace's file, which can be given to
 * setns(2) and tells no more than stat(2).
 */
static __always_inline bool is_of_kernel(struct mount *mount, struct dentry *dentry)
{
	const struct super_block *sb = BPF_CORE_READ(dentry, d_inode, i_sb);
	const unsigned long magic = BPF_CORE_READ(sb, s_magic);

	if (magic == NSFS_MAGIC)
		return true;
	if (BPF_CORE_READ(mount, mnt_parent) != mount)
		return false;
	if (magic == MQUEUE_MAGIC)
		return true;
	return BPF_CORE_READ(mount, mnt_ns) == MNT_NS_INTERNAL && magic != HUGETLBFS_MAGIC &&
	       !(BPF_CORE_READ(sb, s_flags) & SB_NOUSER);
}

/* Of what has no path, or one that is too long. */
static __always_inline int decide_nameless(struct room *r, struct task_struct *task,
					   struct vfsmount *mount, struct dentry *dentry,
					   const struct ours *o, __u32 ops)
{
	__u32 op = LSM_READ;

	if (o->config->is_audit || is_of_kernel((struct mount *)mount_of(mount), dentry))
		return 0;
	if (r->at > NAME_MAX + 1 && (!(ops & o->config->decides) || is_own(r, task, dentry)))
		return 0;
	while (op < _LSM_FILE_OP_MAX - 1 && !(ops & LSM_BIT(op)))
		op++;
	return carry_out(r, task, o, op, NET_DENY);
}

/*
 * @ops: LSM_BIT()s of what is done to the object. What has no name below the session's root, such
 * as a pipe, is no object of a rule's, and opened again only by who has it; what has one that is
 * too long is as if it was denied.
 */
static __always_inline int decide(struct vfsmount *mount, struct dentry *dentry, __u32 ops)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ours o = {};
	struct room *r;
	__u32 op, all;
	int ret = 0;
	enum whose whose = find(task, &o);

	if (whose != WHOSE_OURS)
		return whose == WHOSE_NOBODY ? 0 : -EACCES;
	if ((__u32)task->tgid == o.config->canary)
		return -EACCES;
	ops &= o.config->floor | o.config->decides;
	if (!ops)
		return 0;
	r = storage_of(&rooms, task);
	if (!r)
		return -ENOMEM;
	if (!find_path(r, task, mount, dentry))
		return decide_nameless(r, task, mount, dentry, &o, ops);
	all = look_up(r, &o);
	for (op = 0; op < _LSM_FILE_OP_MAX; op++) {
		if (!(ops & LSM_BIT(op)))
			continue;
		ret = carry_out(r, task, &o, op, all >> (2 * op) & 3);
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- opens */

SEC("lsm/file_open")
int BPF_PROG(lsm_file_open, struct file *file)
{
	const __u32 flags = file->f_flags;
	__u32 ops = 0;

	if ((flags & FMODE_EXEC) || (file->f_mode & FMODE_NOACCOUNT))
		return 0;
	if ((flags & O_ACCMODE) != O_WRONLY)
		ops |= LSM_BIT(LSM_READ);
	if (flags & O_ACCMODE)
		ops |= LSM_BIT(LSM_WRITE);
	return decide(file->f_path.mnt, file->f_path.dentry, ops);
}

/* ---- changes */

SEC("lsm/path_unlink")
int BPF_PROG(lsm_unlink, const struct path *dir, struct dentry *dentry)
{
	return decide(dir->mnt, dentry, LSM_BIT(LSM_DELETE));
}

SEC("lsm/path_rmdir")
int BPF_PROG(lsm_rmdir, const struct path *dir, struct dentry *dentry)
{
	return decide(dir->mnt, dentry, LSM_BIT(LSM_DELETE));
}

SEC("lsm/path_mkdir")
int BPF_PROG(lsm_mkdir, const struct path *dir, struct dentry *dentry)
{
	return decide(dir->mnt, dentry, LSM_BIT(LSM_MKDIR));
}

/* Also of open(2) with O_CREAT, and of a unix socket's bind(2). */
SEC("lsm/path_mknod")
int BPF_PROG(lsm_mknod, const struct path *dir, struct dentry *dentry, unsigned int mode)
{
	const __u32 type = mode & S_IFMT;

	return decide(dir->mnt, dentry,
		      type == S_IFREG || type == 0 ? LSM_BIT(LSM_CREATE) : LSM_BIT(LSM_MKNOD));
}

SEC("lsm/path_symlink")
int BPF_PROG(lsm_symlink, const struct path *dir, struct dentry *dentry)
{
	return decide(dir->mnt, dentry, LSM_BIT(LSM_SYMLINK));
}

/* Both are of one mount. */
SEC("lsm/path_link")
int BPF_PROG(lsm_link, struct dentry *old, const struct path *dir, struct dentry *dentry)
{
	int r = decide(dir->mnt, old, LSM_BIT(LSM_LINK));

	return r ? r : decide(dir->mnt, dentry, LSM_BIT(LSM_LINK));
}

SEC("lsm/path_rename")
int BPF_PROG(lsm_rename, const struct path *old_dir, struct dentry *old, const struct path *new_dir,
	     struct dentry *new)
{
	int r = decide(old_dir->mnt, old, LSM_BIT(LSM_RENAME));

	return r ? r : decide(new_dir->mnt, new, LSM_BIT(LSM_RENAME));
}

SEC("lsm/path_truncate")
int BPF_PROG(lsm_truncate, const struct path *path)
{
	return decide(path->mnt, path->dentry, LSM_BIT(LSM_TRUNCATE));
}

SEC("lsm/path_chmod")
int BPF_PROG(lsm_chmod, const struct path *path)
{
	return decide(path->mnt, path->dentry, LSM_BIT(LSM_CHMOD));
}

SEC("lsm/path_chown")
int BPF_PROG(lsm_chown, const struct path *path)
{
	return decide(path->mnt, path->dentry, LSM_BIT(LSM_CHOWN));
}

/* ---- the system */

static __always_inline int refuse(__u32 op)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ours o = {};
	struct lsm_event *e;
	void *ring;
	enum whose whose = find(task, &o);

	if (whose != WHOSE_OURS)
		return whose == WHOSE_NOBODY ? 0 : -EPERM;
	if (!(o.config->floor & LSM_BIT(op)))
		return 0;
	ring = bpf_map_lookup_elem(&all_refused, &o.slot);
	e = ring ? bpf_ringbuf_reserve(ring, sizeof(*e), 0) : 0;
	if (!e) {
		lose(o.slot, offsetof(struct lsm_lost, refused));
		return -EPERM;
	}
	fill(e, task, op, NET_DENY);
	bpf_ringbuf_submit(e, 0);
	return -EPERM;
}

SEC("lsm/bpf")
int BPF_PROG(lsm_bpf)
{
	return refuse(LSM_BPF);
}

SEC("lsm/sb_mount")
int BPF_PROG(lsm_mount)
{
	return refuse(LSM_MOUNT);
}

SEC("lsm/sb_umount")
int BPF_PROG(lsm_umount)
{
	return refuse(LSM_MOUNT);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(lsm_pivot_root)
{
	return refuse(LSM_MOUNT);
}

SEC("lsm/move_mount")
int BPF_PROG(lsm_move_mount)
{
	return refuse(LSM_MOUNT);
}

SEC("lsm/userns_create")
int BPF_PROG(lsm_userns)
{
	return refuse(LSM_USERNS);
}

/* Within the session the supervisor has decided. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(lsm_ptrace, struct task_struct *child, unsigned int mode)
{
	return (mode & PTRACE_MODE_ATTACH) && !is_fellow(child) ? refuse(LSM_PTRACE) : 0;
}

SEC("lsm/task_kill")
int BPF_PROG(lsm_kill, struct task_struct *task)
{
	return is_fellow(task) ? 0 : refuse(LSM_KILL);
}
