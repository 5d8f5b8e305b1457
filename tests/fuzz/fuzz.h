/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers share.
 */
#ifndef _FUZZ_FUZZ_H
#define _FUZZ_FUZZ_H

#include <kernel.h>

/* The property, or the fuzzer has found a bug */
#define must(condition) \
	do { \
		if (!(condition)) \
			fuzz_failed(#condition, __FILE__, __LINE__); \
	} while (0)

void __noreturn fuzz_failed(const char *condition, const char *file, int line);

/* What libFuzzer calls and has; the Makefile gives them the names that it knows */
int fuzz_one(const u8 *data, size_t size);
size_t fuzz_any_change(u8 *data, size_t size, size_t max);
size_t fuzz_mutate(u8 *data, size_t size, size_t max, unsigned int seed);
size_t fuzz_cross(const u8 *one, size_t one_size, const u8 *two,
		  size_t two_size, u8 *out, size_t max, unsigned int seed);

/* memory.c */

#define FRAMES			64
/* As if there were as many more pages, for those who leave a reserve */
#define FRAMES_PRETENDED	4090

void memory_reset(u8 kind, u8 low, u8 high, unsigned int failing);
void memory_done(bool all_is_back);
bool memory_is_ram(unsigned long pfn);
bool memory_is_taken(unsigned long pfn);

/* kernel.c */

#define FUZZ_SYSFS		4096

extern u64 fuzz_now;
extern u64 fuzz_tick;
extern u64 fuzz_id;
extern bool fuzz_talks;

void kernel_reset(void);
bool kernel_work(void);
u64 fuzz_interesting(u8 byte);

#endif /* _FUZZ_FUZZ_H */
