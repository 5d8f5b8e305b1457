/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's types, in addition to those that it shows to user space.
 */
#ifndef _FUZZ_TYPES_H
#define _FUZZ_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include_next <linux/types.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef unsigned int __bitwise gfp_t;
typedef s64 ktime_t;

/**
 * struct list_head - a node of a ring
 * @next: The node after it.
 * @prev: The node before it.
 */
struct list_head {
	struct list_head *next, *prev;
};

#endif /* _FUZZ_TYPES_H */
