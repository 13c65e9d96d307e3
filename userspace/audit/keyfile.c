/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/dirs.h"
#include "base/io.h"

#include "audit/keyfile.h"

#define PEM_MAX        ((size_t)4096)
#define DER_MAX        ((size_t)128)
#define MAKE_RETRIES   8
#define PRIVATE_SUFFIX ".key"

_Static_assert(KEYFILE_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(KEYFILE_SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519");

struct keyfile {
	struct keyfile_public public;
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
};

/* A PEM file of one of the two kinds: what stands before the 32 bytes of the key (RFC 8410). */
struct pem {
	const char *label;
	unsigned char prefix[16];
	size_t prefix_len;
};

static const struct pem pem_private = {"PRIVATE KEY",
				       {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b,
					0x65, 0x70, 0x04, 0x22, 0x04, 0x20},
				       16};
static const struct pem pem_public = {
	"PUBLIC KEY", {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}, 12};

static void pem_write(const struct pem *pem, const unsigned char key[static 32], struct strbuf *out)
{
	unsigned char der[DER_MAX];
	char text[2 * DER_MAX];

	memcpy(der, pem->prefix, pem->prefix_len);
	memcpy(der + pem->prefix_len, key, 32);
	(void)sodium_bin2base64(text, sizeof(text), der, pem->prefix_len + 32,
				sodium_base64_VARIANT_ORIGINAL);
	strbuf_add_fmt(out, "-----BEGIN %s-----\n%s\n-----END %s-----\n", pem->label, text,
		       pem->label);
	sodium_memzero(der, sizeof(der));
	sodium_memzero(text, sizeof(text));
}

/* Return: false: @text is no such PEM. */
static bool pem_read(const struct pem *pem, const char *text, unsigned char ret[static 32])
{
	char begin[64], end[64];
	unsigned char der[DER_MAX];
	const char *from, *to;
	size_t len;
	bool ok;

	(void)snprintf(begin, sizeof(begin), "-----BEGIN %s-----", pem->label);
	(void)snprintf(end, sizeof(end), "-----END %s-----", pem->label);
	from = strstr(text, begin);
	to = from ? strstr(from, end) : NULL;
	if (!to)
		return false;
	from += strlen(begin);
	ok = sodium_base642bin(der, sizeof(der), from, (size_t)(to - from), "\r\n \t", &len, NULL,
			       sodium_base64_VARIANT_ORIGINAL) == 0 &&
	     len == pem->prefix_len + 32 && memcmp(der, pem->prefix, pem->prefix_len) == 0;
	if (ok)
		memcpy(ret, der + pem->prefix_len, 32);
	sodium_memzero(der, sizeof(der));
	return ok;
}

static void set_id(struct keyfile_public *k)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(hash, k->key, sizeof(k->key));
	(void)sodium_bin2hex(k->id, sizeof(k->id), hash, sizeof(hash));
}

char *keyfile_path(void)
{
	const char *xdg = getenv("XDG_STATE_HOME");
	_cleanup_(freep) char *state = NULL;

	if (geteuid() == 0 && (!xdg || xdg[0] != '/'))
		return strdup("/var/lib/holdfast/log" PRIVATE_SUFFIX);
	state = dirs_state();
	return state ? str_format("%s/keys/log" PRIVATE_SUFFIX, state) : NULL;
}

char *keyfile_public_path(const char *path)
{
	size_t len = strlen(path), suffix = strlen(PRIVATE_SUFFIX);

	if (len > suffix && streq(path + len - suffix, PRIVATE_SUFFIX))
		len -= suffix;
	return str_format("%.*s.pub", (int)len, path);
}

static int refuse(const char *path, const char *what, int r, struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0, "the key that signs the log, '%s', %s", path, what);
	return r;
}

static int refuse_errno(const char *path, int r, struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0,
		       "cannot use the key that signs the log, '%s': %s; XDG_STATE_HOME says where "
		       "it is",
		       path, strerror(-r));
	return r;
}

/* Writes a file under a name of its own, then gives it the name @path unless that is taken. Return:
 * 0, -EEXIST, -errno. */
static int write_new(const char *path, mode_t mode, struct bytes text)
{
	_cleanup_(freep) char *temporary = str_format("%s.%08x", path, randombytes_random());
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (!temporary)
		return -ENOMEM;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = io_write_all(fd, text.p, text.len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && link(temporary, path) < 0)
		r = -errno;
	(void)unlink(temporary);
	return r;
}

static int make_private(const char *path)
{
	struct strbuf text = STRBUF_INIT(PEM_MAX);
	const char *slash = strrchr(path, '/');
	_cleanup_(freep) char *dir = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	unsigned char seed[crypto_sign_SEEDBYTES];
	int r;

	r = dir && dir[0] ? io_mkdir_p(dir, 0700) : 0;
	if (r < 0)
		return r;
	randombytes_buf(seed, sizeof(seed));
	pem_write(&pem_private, seed, &text);
	r = strbuf_error(&text);
	if (r == 0)
		r = write_new(path, 0600, strbuf_bytes(&text));
	sodium_memzero(seed, sizeof(seed));
	if (text.p)
		sodium_memzero(text.p, text.len);
	strbuf_fini(&text);
	return r;
}

static int check_private(const char *path, int fd, struct diag *reterr_diag)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return refuse_errno(path, -errno, reterr_diag);
	if (!S_ISREG(st.st_mode))
		return refuse(path, "is not a regular file", -EINVAL, reterr_diag);
	if (st.st_uid != geteuid())
		return refuse(path, "belongs to another user", -EPERM, reterr_diag);
	if (st.st_mode & 077)
		return refuse(path,
			      "can be read or changed by others, so what it signs proves nothing: "
			      "remove it, and a new one is made, or make its mode 0600",
			      -EPERM, reterr_diag);
	return 0;
}

/* Return: 0; -ENOENT: there is none; -errno with @reterr_diag. */
static int load_private(const char *path, struct keyfile *k, struct diag *reterr_diag)
{
	struct strbuf text = STRBUF_INIT(PEM_MAX);
	_cleanup_(fd_closep) int fd = -1;
	unsigned char seed[crypto_sign_SEEDBYTES];
	bool ok = false;
	int r;

	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : refuse_errno(path, -errno, reterr_diag);
	r = check_private(path, fd, reterr_diag);
	if (r < 0)
		return r;
	if (io_read_all(fd, &text) == 0)
		ok = pem_read(&pem_private, strbuf_str(&text), seed);
	if (ok)
		(void)crypto_sign_seed_keypair(k->public.key, k->secret, seed);
	sodium_memzero(seed, sizeof(seed));
	if (text.p)
		sodium_memzero(text.p, text.len);
	strbuf_fini(&text);
	return ok ? 0
		  : refuse(path, "is damaged: remove it, and a new one is made", -EINVAL,
			   reterr_diag);
}

/* Puts the public half beside the private one, when another or none is there. Return: 0, -errno. */
static int write_public(const char *path, const struct keyfile_public *public)
{
	_cleanup_(freep) char *name = keyfile_public_path(path);
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(PEM_MAX);
	struct keyfile_public there;
	int r;

	if (!name)
		return -ENOMEM;
	if (keyfile_load_public(name, &there, NULL) == 0 &&
	    memcmp(there.key, public->key, sizeof(there.key)) == 0)
		return 0;
	pem_write(&pem_public, public->key, &text);
	r = strbuf_error(&text);
	if (r < 0)
		return r;
	(void)unlink(name);
	r = write_new(name, 0644, strbuf_bytes(&text));
	return r == -EEXIST ? 0 : r; /* another session was quicker */
}

int keyfile_open(const char *path, struct keyfile **ret, struct diag *reterr_diag)
{
	_cleanup_(keyfile_freep) struct keyfile *k = NULL;
	int r;

	if (sodium_init() < 0)
		return refuse(path, "cannot be used: the kernel gives no random bytes", -EIO,
			      reterr_diag);
	k = sodium_malloc(sizeof(*k));
	if (!k)
		return refuse_errno(path, -ENOMEM, reterr_diag);
	r = load_private(path, k, reterr_diag);
	if (r < 0)
		return r;
	set_id(&k->public);
	*ret = TAKE_PTR(k);
	return 0;
}

int keyfile_load(const char *path, struct keyfile **ret, struct diag *reterr_diag)
{
	_cleanup_(keyfile_freep) struct keyfile *k = NULL;
	int r = -ENOENT;

	/* Another session may make it, or remove it, in between. */
	for (int i = 0; i < MAKE_RETRIES && r == -ENOENT; i++) {
		r = keyfile_open(path, &k, reterr_diag);
		if (r != -ENOENT)
			break;
		r = make_private(path);
		if (r < 0 && r != -EEXIST)
			return refuse_errno(path, r, reterr_diag);
		r = -ENOENT;
	}
	if (r == -ENOENT)
		return refuse_errno(path, r, reterr_diag);
	if (r < 0)
		return r;
	r = write_public(path, &k->public);
	if (r < 0)
		return refuse_errno(path, r, reterr_diag);
	*ret = TAKE_PTR(k);
	return 0;
}

struct keyfile *keyfile_free(struct keyfile *k)
{
	sodium_free(k); /* wipes; NULL-safe */
	return NULL;
}

void keyfile_freep(struct keyfile **k)
{
	*k = keyfile_free(*k);
}

const struct keyfile_public *keyfile_get_public(const struct keyfile *k)
{
	return &k->public;
}

void keyfile_sign(const struct keyfile *k, struct bytes text,
		  unsigned char ret[static KEYFILE_SIGNATURE_BYTES])
{
	(void)crypto_sign_detached(ret, NULL, (const unsigned char *)text.p, text.len, k->secret);
}

int keyfile_load_public(const char *path, struct keyfile_public *ret, struct diag *reterr_diag)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(PEM_MAX);
	int r;

	r = io_read_file_at(AT_FDCWD, path, &text);
	if (r < 0 && r != -EMSGSIZE) {
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the public key '%s': %s", path,
			       strerror(-r));
		return r;
	}
	if (!pem_read(&pem_public, strbuf_str(&text), ret->key))
		return diag_set(reterr_diag, NULL, 0, 0,
				"'%s' is not the public half of an Ed25519 key in PEM", path);
	set_id(ret);
	return 0;
}

bool keyfile_verify(const struct keyfile_public *k, struct bytes text,
		    const unsigned char signature[static KEYFILE_SIGNATURE_BYTES])
{
	return crypto_sign_verify_detached(signature, (const unsigned char *)text.p, text.len,
					   k->key) == 0;
}
