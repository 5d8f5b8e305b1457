// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the source's ears: every answer counts in its turn only.
 */

#include <kunit/test.h>

#include "source.h"

static struct pmsm_source *new_source(struct kunit *test)
{
	struct pmsm_source *source = kunit_kzalloc(test, sizeof(*source),
						   GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, source);
	return source;
}

static int hear(struct pmsm_source *source, enum pmsm_type type)
{
	return pmsm_source_deliver(source, type, &source->target,
				   sizeof(source->target), 0);
}

/* Nothing of the hand-over counts, except @next */
static void expect_only(struct kunit *test, struct pmsm_source *source,
			enum pmsm_type next)
{
	enum pmsm_type type;

	for (type = PMSM_VERIFIED; type <= PMSM_COMMITTED; type++)
		if (type != next)
			KUNIT_EXPECT_EQ(test, hear(source, type), -EPROTO);
}

static void answer_order(struct kunit *test)
{
	struct pmsm_source *source = new_source(test);

	KUNIT_EXPECT_EQ(test, hear(source, PMSM_ACCEPT), 0);
	KUNIT_EXPECT_EQ(test, hear(source, PMSM_ACCEPT), -EPROTO);
	expect_only(test, source, PMSM_TYPES);
	source->ended = true;
	expect_only(test, source, PMSM_VERIFIED);
	KUNIT_EXPECT_EQ(test, hear(source, PMSM_VERIFIED), 0);
	expect_only(test, source, PMSM_TYPES);
	source->session.renewed = true;
	expect_only(test, source, PMSM_RESUMED);
	KUNIT_EXPECT_EQ(test, hear(source, PMSM_RESUMED), 0);
	expect_only(test, source, PMSM_READY);
	KUNIT_EXPECT_EQ(test, hear(source, PMSM_READY), 0);
	expect_only(test, source, PMSM_TYPES);
	source->decided = true;
	expect_only(test, source, PMSM_COMMITTED);
	KUNIT_EXPECT_EQ(test, hear(source, PMSM_COMMITTED), 0);
	KUNIT_EXPECT_TRUE(test, source->committed);
	expect_only(test, source, PMSM_TYPES);
}

static void answer_short(struct kunit *test)
{
	struct pmsm_source *source = new_source(test);

	KUNIT_EXPECT_EQ(test, pmsm_source_deliver(source, PMSM_ACCEPT,
						  &source->target,
						  sizeof(source->target) - 1, 0),
			-EPROTO);
	KUNIT_EXPECT_FALSE(test, source->accepted);
}

static void answer_unknown(struct kunit *test)
{
	struct pmsm_source *source = new_source(test);
	unsigned int type;

	for (type = PMSM_BEGIN; type <= PMSM_END; type++)
		KUNIT_EXPECT_EQ(test, hear(source, type), -EPROTO);
	KUNIT_EXPECT_EQ(test, hear(source, PMSM_HELLO), -EPROTO);
	KUNIT_EXPECT_EQ(test, hear(source, PMSM_COMMIT), -EPROTO);
}

static struct kunit_case answer_cases[] = {
	KUNIT_CASE(answer_order),
	KUNIT_CASE(answer_short),
	KUNIT_CASE(answer_unknown),
	{}
};

static struct kunit_suite answer_suite = {
	.name = "pmsm_answer",
	.test_cases = answer_cases,
};

kunit_test_suite(answer_suite);
