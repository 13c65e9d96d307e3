/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By the inode's number alone: what stat(2) gives for the device is not always the number that the
 * kernel has within (overlayfs, btrfs). Where two images have the same number the newer counts,
 * which is wrong for a record's `exe` at worst.
 */
#include <pthread.h>

#include "supervise/images.h"

#define SETS          32 /* a power of two */
#define WAYS          8  /* the oldest of a set goes */
#define PATH_MAX_KEPT 512

struct images {
	pthread_mutex_t lock;
	struct set {
		struct image {
			ino_t inode; /* 0: free */
			size_t length;
			char path[PATH_MAX_KEPT];
		} images[WAYS];
		unsigned oldest;
	} sets[SETS];
};

struct images *images_new(void)
{
	struct images *i = calloc(1, sizeof(*i));

	if (i)
		(void)pthread_mutex_init(&i->lock, NULL);
	return i;
}

struct images *images_free(struct images *i)
{
	if (i) {
		(void)pthread_mutex_destroy(&i->lock);
		free(i);
	}
	return NULL;
}

static struct set *set_of(struct images *i, ino_t inode)
{
	return &i->sets[(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (SETS - 1)];
}

/* Return: NULL: it is not there. */
static struct image *find(struct set *set, ino_t inode)
{
	for (size_t i = 0; i < WAYS; i++)
		if (set->images[i].inode == inode)
			return &set->images[i];
	return NULL;
}

void images_note(struct images *i, ino_t inode, struct bytes path)
{
	struct set *set = set_of(i, inode);
	struct image *image;

	if (!inode || !path.p)
		return;
	(void)pthread_mutex_lock(&i->lock);
	image = find(set, inode);
	if (!image)
		image = &set->images[set->oldest++ % WAYS];
	image->inode = path.len <= sizeof(image->path) ? inode : 0;
	image->length = MIN(path.len, sizeof(image->path));
	memcpy(image->path, path.p, image->length);
	(void)pthread_mutex_unlock(&i->lock);
}

size_t images_find(struct images *i, ino_t inode, char *ret, size_t size)
{
	const struct image *image;
	size_t n = 0;

	(void)pthread_mutex_lock(&i->lock);
	image = inode ? find(set_of(i, inode), inode) : NULL;
	if (image && image->length <= size) {
		n = image->length;
		memcpy(ret, image->path, n);
	}
	(void)pthread_mutex_unlock(&i->lock);
	return n;
}
