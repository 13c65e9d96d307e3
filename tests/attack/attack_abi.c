/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 64-bit program that jumps into 32-bit code (any program may: the segment is always there) and
 * enters the kernel from it, by each instruction that does. The kernel takes these calls for those
 * of i386 whatever the program is. int 0x80 from 64-bit code is in attack_matrix.c and
 * attack_doors.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/attack/attack.h"

#ifdef __x86_64__

#define PAGE         4096
#define UNLINK_I386  10
#define PLACE_SAVED  (PAGE - 8) /* the stack of the 64-bit side, in the page of code */
#define PLACE_BACK   64         /* 64-bit code that takes it up again, and returns */
#define PLACE_PATH   (PAGE * 2) /* behind the stack */
#define PLACES_BYTES (PAGE * 3)

/* Writes @value at @at, as instructions hold it. */
static unsigned char *put(unsigned char *at, const void *value, size_t n)
{
	memcpy(at, value, n);
	return at + n;
}

/* @door: the two bytes of the instruction. */
static void write_code(unsigned char *page, const char *door)
{
	const uint32_t back = (uint32_t)(uintptr_t)(page + PLACE_BACK);
	const uint32_t saved = (uint32_t)(uintptr_t)(page + PLACE_SAVED);
	unsigned char *at = put(page, door, 2);

	at = put(at, "\x6a\x33\x68", 3); /* push the segment of 64-bit code, and an address */
	at = put(at, &back, sizeof(back));
	(void)put(at, "\xcb", 1);                           /* far return: there */
	at = put(page + PLACE_BACK, "\x48\x8b\x24\x25", 4); /* mov SAVED, %rsp */
	at = put(at, &saved, sizeof(saved));
	(void)put(at, "\xc3", 1);
}

/* A sysenter or syscall does not come back: to where it should, only a 32-bit program has code. */
static long call_from_32_bits(unsigned char *page, long nr, long argument)
{
	register long r __asm__("rax") = nr;

	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
			 "pushq %%rbp\n\t"
			 "pushq %%rbx\n\t"
			 "leaq 1f(%%rip), %%r8\n\t"
			 "pushq %%r8\n\t"
			 "movq %%rsp, %c[saved](%%rdi)\n\t"
			 "movq %%rsi, %%rbx\n\t"
			 "leaq %c[stack](%%rdi), %%rsp\n\t"
			 "movq %%rsp, %%rbp\n\t"
			 "pushq $0x23\n\t"
			 "pushq %%rdi\n\t"
			 "lretq\n"
			 "1:\tpopq %%rbx\n\t"
			 "popq %%rbp\n\t"
			 "leaq 128(%%rsp), %%rsp"
			 : "+r"(r)
			 : "D"(page),
			   "S"(argument), [saved] "i"(PLACE_SAVED), [stack] "i"(PAGE * 2 - 64)
			 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
	return (int)r;
}

static int unlink_by(const struct world *w, const char *door)
{
	unsigned char *page = mmap(NULL, PLACES_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	const char *path = in(w, "out/file");
	int status;
	pid_t pid;

	if (page == MAP_FAILED)
		return -errno;
	write_code(page, door);
	(void)snprintf((char *)page + PLACE_PATH, PAGE, "%s", path);
	pid = fork();
	if (pid == 0)
		_exit(call_from_32_bits(page, UNLINK_I386, (long)(page + PLACE_PATH)) < 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return access(path, F_OK) < 0 ? 0 : -EACCES;
}

static int by_int80(const struct world *w)
{
	return unlink_by(w, "\xcd\x80");
}

static int by_sysenter(const struct world *w)
{
	return unlink_by(w, "\x0f\x34");
}

static int by_syscall(const struct world *w)
{
	return unlink_by(w, "\x0f\x05");
}

/* Of a processor of one maker only one of the last two enters the kernel at all. */
#define DOOR(fact, attack, count)                                                                  \
	{                                                                                          \
		fact, "E4 C13 P12 T064", attack, SHIP | PW,                                        \
			.effect = EFFECT_CHANGED, .object = "i386 syscall 10", .denies = count     \
	}

static const struct attack_row rows[] = {
	DOOR("int_0x80_from_32_bit_code_is_refused", by_int80, 1),
	DOOR("sysenter_from_32_bit_code_is_refused", by_sysenter, DENIES_ANY),
	DOOR("syscall_from_32_bit_code_is_refused", by_syscall, DENIES_ANY),
};

const struct attack_group attack_group = {"abi", rows, ARRAY_SIZE(rows), false, false};

#else

const struct attack_group attack_group = {"abi", NULL, 0, false, false};

#endif
