// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of how long the machine stood still.
 */

#include <kunit/test.h>
#include <linux/time64.h>

#include "clock.h"
#include "pmsm.h"
#include "slept.h"

static void slept_cycles(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pmsm_cycles_to_ns(0, 2000000), 0);
	KUNIT_EXPECT_EQ(test, pmsm_cycles_to_ns(3000, 3000000), 1000);
	/* A counter that has run for ten years does not overflow */
	KUNIT_EXPECT_EQ(test, pmsm_cycles_to_ns(5ULL * NSEC_PER_SEC * 315360000,
						5000000),
			1ULL * NSEC_PER_SEC * 315360000);
}

static void slept_one_way(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pmsm_one_way(1000, 400), 300);
	KUNIT_EXPECT_EQ(test, pmsm_one_way(1000, 0), 500);
	/* Each side measures by its own clock, and may be a little off */
	KUNIT_EXPECT_EQ(test, pmsm_one_way(1000, 1001), 0);
}

static void slept_on_another_machine(struct kunit *test)
{
	struct pmsm_handover handover = {
		.tsc_khz	= tsc_khz,
		.slept_ns	= 7 * NSEC_PER_SEC,
	};
	u64 ns;

	KUNIT_EXPECT_EQ(test, pmsm_sleep_time(42), 42);

	handover.prepared = rdtsc_ordered();
	pmsm_slept_moved(&handover);
	ns = pmsm_sleep_time(42);
	KUNIT_EXPECT_GE(test, ns, 7 * NSEC_PER_SEC);
	KUNIT_EXPECT_LT(test, ns, 8 * NSEC_PER_SEC);

	/* Asked once for each time that the clock stops */
	KUNIT_EXPECT_EQ(test, pmsm_sleep_time(42), 42);
}

static struct kunit_case slept_cases[] = {
	KUNIT_CASE(slept_cycles),
	KUNIT_CASE(slept_one_way),
	KUNIT_CASE(slept_on_another_machine),
	{}
};

static struct kunit_suite slept_suite = {
	.name = "pmsm_slept",
	.test_cases = slept_cases,
};

kunit_test_suite(slept_suite);
