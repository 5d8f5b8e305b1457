// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the checksum by folding.
 */

#include <kunit/test.h>
#include <linux/crc32c.h>
#include <linux/prandom.h>

#include "checksum.h"

#define ALL_LENGTHS	200
#define LONG		9000

static u8 *random_bytes(struct kunit *test, unsigned int len)
{
	u8 *bytes = kunit_kzalloc(test, len, GFP_KERNEL);
	struct rnd_state state;

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	prandom_seed_state(&state, 32);
	prandom_bytes_state(&state, bytes, len);
	return bytes;
}

/* RFC 3720, B.4 */
static void checksum_known(struct kunit *test)
{
	u8 bytes[32] = {};
	int i;

	KUNIT_EXPECT_EQ(test, ~pmsm_crc32c_fold(~0U, bytes, 32), 0x8a9136aaU);
	memset(bytes, 0xff, 32);
	KUNIT_EXPECT_EQ(test, ~pmsm_crc32c_fold(~0U, bytes, 32), 0x62a8ab43U);
	for (i = 0; i < 32; i++)
		bytes[i] = i;
	KUNIT_EXPECT_EQ(test, ~pmsm_crc32c_fold(~0U, bytes, 32), 0x46dd794eU);
}

static void checksum_lengths(struct kunit *test)
{
	u8 *bytes = random_bytes(test, ALL_LENGTHS + 8);
	unsigned int len, at;

	for (at = 0; at < 8; at++)
		for (len = 0; len <= ALL_LENGTHS; len++)
			KUNIT_EXPECT_EQ_MSG(test,
					    pmsm_crc32c_fold(len, bytes + at, len),
					    crc32c(len, bytes + at, len),
					    "%u bytes at %u", len, at);
}

/* Any bit flipped anywhere shows */
static void checksum_every_bit(struct kunit *test)
{
	u8 *bytes = random_bytes(test, LONG);
	u32 crc = pmsm_crc32c_fold(~0U, bytes, LONG);
	unsigned int bit;

	KUNIT_EXPECT_EQ(test, crc, crc32c(~0U, bytes, LONG));
	KUNIT_EXPECT_EQ(test, crc, pmsm_crc32c(~0U, bytes, LONG));
	for (bit = 0; bit < 8 * LONG; bit += 61) {
		bytes[bit / 8] ^= 1 << bit % 8;
		KUNIT_EXPECT_NE_MSG(test, pmsm_crc32c_fold(~0U, bytes, LONG), crc,
				    "bit %u", bit);
		bytes[bit / 8] ^= 1 << bit % 8;
	}
}

static struct kunit_case checksum_cases[] = {
	KUNIT_CASE(checksum_known),
	KUNIT_CASE(checksum_lengths),
	KUNIT_CASE(checksum_every_bit),
	{}
};

static struct kunit_suite checksum_suite = {
	.name = "pmsm_checksum",
	.test_cases = checksum_cases,
};

kunit_test_suite(checksum_suite);
