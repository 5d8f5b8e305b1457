// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the reasons to refuse.
 */

#include <kunit/test.h>
#include <linux/string.h>

#include "compat.h"
#include "session.h"

/**
 * struct machines - two that could change places
 * @source: One.
 * @target: The other.
 * @reason: What pmsm_compat_check() says.
 */
struct machines {
	struct pmsm_wire_hello source;
	struct pmsm_wire_hello target;
	char reason[PMSM_REASON_LEN];
};

static int compat_test_init(struct kunit *test)
{
	struct machines *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_ASSERT_EQ(test, pmsm_compat_describe(&m->source, 1514, m->reason,
						   sizeof(m->reason)), 0);
	m->target = m->source;
	test->priv = m;
	return 0;
}

static void expect(struct kunit *test, int error, const char *words)
{
	struct machines *m = test->priv;

	KUNIT_EXPECT_EQ(test, pmsm_compat_check(&m->source, &m->target, m->reason,
						sizeof(m->reason)), error);
	if (words)
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(m->reason, words),
					  "\"%s\" does not say \"%s\"",
					  m->reason, words);
}

static void compat_same(struct kunit *test)
{
	expect(test, 0, NULL);
}

static void compat_release(struct kunit *test)
{
	struct machines *m = test->priv;

	strscpy(m->source.release, "6.12.0-other");
	expect(test, -ENOEXEC, "kernel release 6.12.0-other there");
}

static void compat_unterminated(struct kunit *test)
{
	struct machines *m = test->priv;

	memset(m->source.release, 'x', sizeof(m->source.release));
	expect(test, -ENOEXEC, "kernel release xxx");
}

static void compat_build(struct kunit *test)
{
	struct machines *m = test->priv;

	strscpy(m->source.build, "#2 SMP");
	expect(test, -ENOEXEC, "kernel build \"#2 SMP\" there");
}

static void compat_build_id(struct kunit *test)
{
	struct machines *m = test->priv;

	m->source.build_id[0] ^= 1;
	expect(test, -ENOEXEC, "build id");
}

static void compat_memory(struct kunit *test)
{
	struct machines *m = test->priv;
	int last = be16_to_cpu(m->source.nr_ram) - 1;

	KUNIT_ASSERT_GE(test, last, 0);
	/* More on the target is fine */
	be64_add_cpu(&m->target.ram[last].nr, 1000);
	expect(test, 0, NULL);
	be64_add_cpu(&m->source.ram[last].nr, 1001);
	expect(test, -ENOSPC, "is not all memory here");
	m->source.ram[last].nr = cpu_to_be64(~0ULL);
	expect(test, -ENOSPC, "is not all memory here");
	m->source.nr_ram = cpu_to_be16(0xffff);
	expect(test, -ENOSPC, NULL);
}

static void compat_firmware(struct kunit *test)
{
	struct machines *m = test->priv;

	be32_add_cpu(&m->source.firmware_crc, 1);
	expect(test, -ENOSPC, "firmware");
}

static void compat_caps(struct kunit *test)
{
	struct machines *m = test->priv;

	/* The first capability of all, on x86, is "fpu" */
	m->target.caps[0] &= ~cpu_to_be32(1);
	m->source.caps[0] |= cpu_to_be32(1);
	expect(test, -EOPNOTSUPP, "CPU here lacks fpu");
	/* More on the target is fine */
	m->target = m->source;
	m->source.caps[0] &= ~cpu_to_be32(1);
	expect(test, 0, NULL);
	m->source.nr_caps = cpu_to_be16(0xffff);
	m->source.caps[PMSM_CAPS - 1] = cpu_to_be32(~0);
	expect(test, -EOPNOTSUPP, "lacks");
}

static void compat_cpu(struct kunit *test)
{
	struct machines *m = test->priv;

	be16_add_cpu(&m->source.cpus, 1);
	expect(test, -EOPNOTSUPP, "CPUs there");
	m->source.cpus = m->target.cpus;
	be16_add_cpu(&m->source.paging_levels, 1);
	expect(test, -EOPNOTSUPP, "levels of page tables");
	m->source.paging_levels = m->target.paging_levels;
	be32_add_cpu(&m->source.xsave_size, 64);
	expect(test, -EOPNOTSUPP, "CPU state of");
	m->source.xsave_size = m->target.xsave_size;
	strscpy(m->source.cpu_vendor, "Other");
	expect(test, -EOPNOTSUPP, "CPU vendor Other there");
}

static struct kunit_case compat_cases[] = {
	KUNIT_CASE(compat_same),
	KUNIT_CASE(compat_release),
	KUNIT_CASE(compat_unterminated),
	KUNIT_CASE(compat_build),
	KUNIT_CASE(compat_build_id),
	KUNIT_CASE(compat_memory),
	KUNIT_CASE(compat_firmware),
	KUNIT_CASE(compat_caps),
	KUNIT_CASE(compat_cpu),
	{}
};

static struct kunit_suite compat_suite = {
	.name = "pmsm_compat",
	.init = compat_test_init,
	.test_cases = compat_cases,
};

kunit_test_suite(compat_suite);
