// SPDX-License-Identifier: GPL-2.0-only
/*
 * CRC32C over every byte that moves, on both sides: by the kernel's library,
 * which knows the processor's instruction, or by folding where that is faster.
 *
 * Folding needs no tables.  A checksum stays the same when a multiple of the
 * generator polynomial is added to the message, and
 *
 *	x^209 + x^144 + x^54 + x^39 + x^14 + 1
 *
 * is one.  Added so that its first term meets a bit, it clears that bit and
 * flips those 65, 155, 170, 195 and 209 bits later; so a word of 64 bits can be
 * cleared at once, at the price of changes in the four words after it.  Of the
 * multiples with six terms, and there is none with fewer this short, it is the
 * shortest whose next term lies beyond the word.  The idea is from S. Russell,
 * "Chorba: A novel CRC32 implementation", 2024.
 */

#define pr_fmt(fmt) "pmsm: " fmt

#include <linux/crc32.h>
#include <linux/crc32c.h>
#include <linux/init.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "checksum.h"
#include "clock.h"

/* Words that one word is folded into */
#define FOLD_WORDS	4
#define FOLD_BYTES	(FOLD_WORDS * sizeof(u64))

#define SPEED_TRIES	16

static bool folding_is_faster __ro_after_init;

/* What is to be added to the four words after @word, which becomes zero */
static __always_inline void fold(u64 word, u64 *next, u64 *second, u64 *third,
				 u64 *fourth)
{
	*next ^= word << 1;
	*second ^= word >> 63 ^ word << 27 ^ word << 42;
	*third ^= word >> 37 ^ word >> 22 ^ word << 3 ^ word << 17;
	*fourth = word >> 61 ^ word >> 47;
}

/**
 * pmsm_crc32c_fold - CRC32C by folding
 * @crc: Checksum so far, as crc32c() takes it.
 * @bytes: What to add to it, at any address.
 * @len: Length of that.
 *
 * Return: the same as crc32c().
 */
u32 pmsm_crc32c_fold(u32 crc, const void *bytes, unsigned int len)
{
	const u8 *p = bytes;
	__le64 rest[2 * FOLD_WORDS];
	u64 a = crc, b = 0, c = 0, d = 0;

	if (len < FOLD_BYTES)
		return __crc32c_le(crc, bytes, len);

	for (; len >= sizeof(rest); len -= FOLD_BYTES, p += FOLD_BYTES) {
		fold(a ^ get_unaligned_le64(p), &b, &c, &d, &a);
		fold(b ^ get_unaligned_le64(p + 8), &c, &d, &a, &b);
		fold(c ^ get_unaligned_le64(p + 16), &d, &a, &b, &c);
		fold(d ^ get_unaligned_le64(p + 24), &a, &b, &c, &d);
	}

	memcpy(rest, p, len);
	rest[0] ^= cpu_to_le64(a);
	rest[1] ^= cpu_to_le64(b);
	rest[2] ^= cpu_to_le64(c);
	rest[3] ^= cpu_to_le64(d);
	return __crc32c_le(0, (u8 *)rest, len);
}

/**
 * pmsm_crc32c - CRC32C by what is fastest on this machine
 * @crc: Checksum so far, as crc32c() takes it.
 * @bytes: What to add to it, at any address.
 * @len: Length of that.
 *
 * Any context.
 *
 * Return: the same as crc32c().
 */
u32 pmsm_crc32c(u32 crc, const void *bytes, unsigned int len)
{
	return folding_is_faster ? pmsm_crc32c_fold(crc, bytes, len) :
				   crc32c(crc, bytes, len);
}

/* MB/s at best: whatever came between made it slower */
static u64 __init speed(u32 (*crc32c_by)(u32 crc, const void *bytes,
					 unsigned int len), const void *bytes)
{
	u64 start, best = U64_MAX;
	u32 crc = ~0U;
	int i;

	for (i = 0; i < SPEED_TRIES; i++) {
		start = pmsm_clock();
		crc = crc32c_by(crc, bytes, PAGE_SIZE);
		OPTIMIZER_HIDE_VAR(crc);
		best = min(best, pmsm_clock() - start);
	}
	return div64_u64(PAGE_SIZE * 1000ULL, max(best, 1ULL));
}

static int __init choose(void)
{
	const void *bytes = page_address(ZERO_PAGE(0));
	u64 by_library, by_folding;

	if (!pmsm_clock_works())
		return 0;
	by_library = speed(crc32c, bytes);
	by_folding = speed(pmsm_crc32c_fold, bytes);
	folding_is_faster = by_folding > by_library;
	pr_info("CRC32C: %llu MB/s by the library, %llu MB/s by folding\n",
		by_library, by_folding);
	return 0;
}

/* The library asks for its driver with device_initcall() */
late_initcall(choose);
