/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By the inode's number alone: what stat(2) gives for the device is not always the number that the
 * kernel has within (overlayfs, btrfs). Where two images have the same number the newer counts,
 * which is wrong for a record's `exe` at worst.
 */
#include <pthread.h>

#include "supervise/images.h"

#define PLACES        256 /* a power of two */
#define PATH_MAX_KEPT 512

struct images {
	pthread_mutex_t lock;
	struct image {
		ino_t inode; /* 0: free */
		size_t length;
		char path[PATH_MAX_KEPT];
	} places[PLACES];
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

static struct image *place_of(struct images *i, ino_t inode)
{
	return &i->places[(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (PLACES - 1)];
}

void images_note(struct images *i, ino_t inode, struct bytes path)
{
	struct image *image = place_of(i, inode);

	if (!inode || !path.p)
		return;
	(void)pthread_mutex_lock(&i->lock);
	image->inode = path.len <= sizeof(image->path) ? inode : 0;
	image->length = MIN(path.len, sizeof(image->path));
	memcpy(image->path, path.p, image->length);
	(void)pthread_mutex_unlock(&i->lock);
}

size_t images_find(struct images *i, ino_t inode, char *ret, size_t size)
{
	struct image *image = place_of(i, inode);
	size_t n = 0;

	(void)pthread_mutex_lock(&i->lock);
	if (inode && image->inode == inode && image->length <= size) {
		n = image->length;
		memcpy(ret, image->path, n);
	}
	(void)pthread_mutex_unlock(&i->lock);
	return n;
}
