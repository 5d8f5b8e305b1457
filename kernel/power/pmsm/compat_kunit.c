// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the reasons to refuse.
 */

#include <kunit/test.h>
#include <linux/pci.h>
#include <linux/string.h>

#include "compat.h"
#include "devices.h"
#include "reasons.h"
#include "session.h"

/**
 * struct machines - two that could change places
 * @source: One.
 * @target: The other.
 * @reasons: What pmsm_compat_check() says.
 */
struct machines {
	struct pmsm_wire_hello source;
	struct pmsm_wire_hello target;
	struct pmsm_reasons reasons;
};

static int compat_test_init(struct kunit *test)
{
	struct machines *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	pmsm_reasons_init(&m->reasons);
	KUNIT_ASSERT_EQ(test, pmsm_compat_describe(&m->source, 1514, "source",
						   &m->reasons), 0);
	m->target = m->source;
	test->priv = m;
	return 0;
}

static void expect_words(struct kunit *test, const char *words)
{
	struct machines *m = test->priv;

	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(m->reasons.text, words),
				  "\"%s\" does not say \"%s\"",
				  m->reasons.text, words);
}

/* So many reasons, the first of them with this error */
static void expect_nr(struct kunit *test, unsigned int nr, int error)
{
	struct machines *m = test->priv;

	pmsm_reasons_init(&m->reasons);
	KUNIT_EXPECT_EQ(test, pmsm_compat_check(&m->source, &m->target,
						&m->reasons), error);
	KUNIT_EXPECT_EQ_MSG(test, m->reasons.nr, nr, "%s", m->reasons.text);
}

static void expect(struct kunit *test, int error, const char *words)
{
	expect_nr(test, 1, error);
	expect_words(test, words);
}

static void compat_same(struct kunit *test)
{
	expect_nr(test, 0, 0);
}

static void compat_release(struct kunit *test)
{
	struct machines *m = test->priv;

	strscpy(m->source.release, "6.12.0-other");
	expect(test, -ENOEXEC, "kernel release 6.12.0-other on the source");
}

static void compat_unterminated(struct kunit *test)
{
	struct machines *m = test->priv;

	memset(m->source.release, 'x', sizeof(m->source.release));
	expect(test, -ENOEXEC, "kernel release xxx");
}

static void compat_unprintable(struct kunit *test)
{
	struct machines *m = test->priv;

	strscpy(m->source.release, "6.12\nall is well\x1b[2J");
	expect(test, -ENOEXEC, "kernel release 6.12?all is well?[2J on");
}

static void compat_build(struct kunit *test)
{
	struct machines *m = test->priv;

	strscpy(m->source.build, "#2 SMP");
	expect(test, -ENOEXEC, "kernel build \"#2 SMP\" on the source");
}

static void compat_build_id(struct kunit *test)
{
	struct machines *m = test->priv;

	m->source.build_id[0] ^= 1;
	expect(test, -ENOEXEC, "build id");
}

static void set_ram(struct pmsm_wire_hello *m, int i, u64 pfn, u64 nr)
{
	m->ram[i].pfn = cpu_to_be64(pfn);
	m->ram[i].nr = cpu_to_be64(nr);
	m->nr_ram = cpu_to_be16(i + 1);
}

static void compat_memory(struct kunit *test)
{
	struct machines *m = test->priv;

	set_ram(&m->source, 0, 0x100, 0x100);
	set_ram(&m->target, 0, 0x100, 0x80);
	expect(test, -ENOSPC, "memory 0x180000-0x1fffff of the source");
	/* The other half, as another range, is as good; more is fine */
	set_ram(&m->target, 1, 0x180, 0x1000);
	expect_nr(test, 0, 0);
	/* A hole */
	set_ram(&m->target, 1, 0x181, 0x1000);
	expect(test, -ENOSPC, "memory 0x180000-0x180fff of the source");
	/* All of it somewhere else */
	set_ram(&m->target, 0, 0x1000, 0x1000);
	expect(test, -ENOSPC, "memory 0x100000-0x1fffff of the source");
}

static void compat_memory_nonsense(struct kunit *test)
{
	struct machines *m = test->priv;
	int i;

	set_ram(&m->target, 0, 0x100, 0x100);
	set_ram(&m->source, 0, 0x100, ~0ULL);
	expect(test, -ENOSPC, "memory 0x200000-");
	set_ram(&m->source, 0, ~0ULL, ~0ULL);
	expect_nr(test, 0, 0);
	set_ram(&m->source, 0, 0x100, 0x100);
	m->source.nr_ram = 0;
	expect(test, -ENOSPC, "0 ranges");
	for (i = 0; i < PMSM_RAM_RANGES; i++)
		set_ram(&m->source, i, 0x1000 * (i + 1), 1);
	m->source.nr_ram = cpu_to_be16(0xffff);
	/* The number, some ranges, and how many more there are */
	expect_nr(test, 1 + 4 + 1, -ENOSPC);
	expect_words(test, "65535 ranges");
	expect_words(test, "and 28 more ranges");
}

static void set_region(struct pmsm_wire_hello *m, int i, u64 start, u64 len)
{
	m->regions[i].start = cpu_to_be64(start);
	m->regions[i].len = cpu_to_be64(len);
	m->regions[i].type = 2;
	m->nr_regions = cpu_to_be16(i + 1);
}

static void compat_firmware(struct kunit *test)
{
	struct machines *m = test->priv;

	be32_add_cpu(&m->source.firmware_crc, 1);
	expect(test, -ENOSPC, "firmware memory maps differ");
	set_region(&m->source, 0, 0xe0000, 0x1000);
	set_region(&m->target, 0, 0xe0000, 0x1000);
	set_region(&m->target, 1, 0xf0000, 0x1000);
	expect(test, -ENOSPC,
	       "only the target has the firmware's memory 0xf0000-0xf0fff (type 2)");
	set_region(&m->source, 1, 0xf0000, 0x2000);
	expect_nr(test, 2, -ENOSPC);
	expect_words(test,
		     "only the source has the firmware's memory 0xf0000-0xf1fff");
	m->source.nr_regions = cpu_to_be16(0xffff);
	/* Some of the source's, how many more there are, and the target's */
	expect_nr(test, 4 + 1 + 1, -ENOSPC);
}

static void compat_caps(struct kunit *test)
{
	struct machines *m = test->priv;

	/* The first capability of all, on x86, is "fpu" */
	m->target.caps[0] &= ~cpu_to_be32(1);
	m->source.caps[0] |= cpu_to_be32(1);
	expect(test, -EOPNOTSUPP, "CPU lacks fpu:");
	/* More on the target is fine */
	m->target = m->source;
	m->source.caps[0] &= ~cpu_to_be32(1);
	expect_nr(test, 0, 0);
	m->source.nr_caps = cpu_to_be16(0xffff);
	m->source.caps[PMSM_CAPS - 1] = cpu_to_be32(~0);
	expect(test, -EOPNOTSUPP, "lacks");
	memset(m->source.caps, 0xff, sizeof(m->source.caps));
	expect(test, -EOPNOTSUPP, "...: ");
}

static void compat_cpu(struct kunit *test)
{
	struct machines *m = test->priv;

	be16_add_cpu(&m->source.cpus, 1);
	expect(test, -EOPNOTSUPP, "CPUs on the source");
	m->source.cpus = m->target.cpus;
	be16_add_cpu(&m->source.paging_levels, 1);
	expect(test, -EOPNOTSUPP, "levels of page tables");
	m->source.paging_levels = m->target.paging_levels;
	be32_add_cpu(&m->source.xsave_size, 64);
	expect(test, -EOPNOTSUPP, "CPU state (XSAVE) of");
	m->source.xsave_size = m->target.xsave_size;
	strscpy(m->source.cpu_vendor, "Other");
	expect(test, -EOPNOTSUPP, "CPU vendor Other on the source");
}

static void compat_irq_mode(struct kunit *test)
{
	struct machines *m = test->priv;

	m->source.irq_mode = cpu_to_be16(PMSM_IRQ_X2APIC);
	m->target.irq_mode = cpu_to_be16(PMSM_IRQ_XAPIC);
	expect(test, -EOPNOTSUPP,
	       "interrupt mode x2apic on the source, xapic on the target");
	m->target.irq_mode = cpu_to_be16(PMSM_IRQ_PIC);
	expect(test, -EOPNOTSUPP, "pic on the target");
	m->source.irq_mode = cpu_to_be16(0xffff);
	expect(test, -EOPNOTSUPP, "unknown on the source");
}

static void compat_tsc(struct kunit *test)
{
	struct machines *m = test->priv;

	m->source.tsc_khz = cpu_to_be32(2000000);
	m->target.tsc_khz = cpu_to_be32(2002000);
	expect_nr(test, 0, 0);
	m->target.tsc_khz = cpu_to_be32(1998000);
	expect_nr(test, 0, 0);
	m->target.tsc_khz = cpu_to_be32(2002001);
	expect(test, -EOPNOTSUPP,
	       "2000000 kHz on the source, 2002001 kHz on the target");
	m->target.tsc_khz = cpu_to_be32(1997999);
	expect(test, -EOPNOTSUPP, "time stamp counter");
	m->source.tsc_khz = 0;
	expect(test, -EOPNOTSUPP, "time stamp counter of 0 kHz");
}

static void compat_encryption(struct kunit *test)
{
	struct machines *m = test->priv;

	m->source.encryption = cpu_to_be16(PMSM_ENCRYPTED_SME);
	expect(test, -EOPNOTSUPP, "only the source encrypts its memory");
	m->target.encryption = m->source.encryption;
	expect_nr(test, 0, 0);
	m->source.encryption = 0;
	m->target.encryption = cpu_to_be16(PMSM_ENCRYPTED_TDX);
	expect(test, -EOPNOTSUPP, "only the target can host TDX");
	m->source.encryption = cpu_to_be16(PMSM_ENCRYPTED_GUEST);
	m->target.encryption = m->source.encryption;
	expect(test, -EOPNOTSUPP, "source is a confidential guest");
}

static void compat_all_at_once(struct kunit *test)
{
	struct machines *m = test->priv;

	strscpy(m->source.release, "other");
	set_ram(&m->source, 0, 0x100, 0x100);
	set_ram(&m->target, 0, 0x100, 0x80);
	be16_add_cpu(&m->source.cpus, 1);
	be32_add_cpu(&m->source.xsave_size, 64);
	m->source.tsc_khz = 0;
	expect_nr(test, 5, -ENOEXEC);
	expect_words(test, "kernel release");
	expect_words(test, "memory");
	expect_words(test, "CPUs");
	expect_words(test, "XSAVE");
	expect_words(test, "kHz");
}

static void compat_able(struct kunit *test)
{
	struct machines *m = test->priv;

	pmsm_reasons_init(&m->reasons);
	KUNIT_EXPECT_EQ_MSG(test, pmsm_compat_able("source", &m->reasons), 0,
			    "%s", m->reasons.text);
}

static struct pmsm_wire_device nic_at(unsigned int slot, u16 device)
{
	return (struct pmsm_wire_device){
		.bus	= 2,
		.devfn	= slot << 3,
		.vendor	= cpu_to_be16(0x8086),
		.device	= cpu_to_be16(device),
	};
}

static void check_devices(struct kunit *test, struct pmsm_devices *used,
			  unsigned int nr)
{
	struct machines *m = test->priv;

	pmsm_reasons_init(&m->reasons);
	pmsm_devices_check(used, &m->reasons);
	KUNIT_EXPECT_EQ_MSG(test, m->reasons.nr, nr, "%s", m->reasons.text);
	KUNIT_EXPECT_EQ(test, m->reasons.error, nr ? -ENXIO : 0);
}

static void compat_devices(struct kunit *test)
{
	struct pmsm_device list[2] = {
		{ .here = nic_at(3, 0x10d3), .driver = "e1000e" },
		{ .here = nic_at(4, 0x1572), .driver = "i40e" },
	};
	struct pmsm_devices used = { .nr = 2, .list = list };
	struct pmsm_wire_device there = nic_at(3, 0x10d3);

	pmsm_devices_see(&used, &there);
	/* Not the same: another bus, another domain */
	there = nic_at(4, 0x1572);
	there.bus = 3;
	pmsm_devices_see(&used, &there);
	there = nic_at(4, 0x1572);
	there.domain = cpu_to_be32(0x10000);
	pmsm_devices_see(&used, &there);
	check_devices(test, &used, 1);
	expect_words(test, "device 0000:02:04.0 (i40e, 8086:1572) of the source is missing");

	there = nic_at(4, 0x1573);
	pmsm_devices_see(&used, &there);
	check_devices(test, &used, 1);
	expect_words(test, "device 0000:02:04.0 (i40e) is 8086:1572 on the source");
	expect_words(test, "8086:1573 on the target");

	there = nic_at(4, 0x1572);
	pmsm_devices_see(&used, &there);
	check_devices(test, &used, 0);
}

static void compat_transfer_nic(struct kunit *test)
{
	struct pmsm_device dev = {
		.here = nic_at(3, 0x10d3), .driver = "pmsm",
	};
	struct pmsm_devices used = { .nr = 1, .list = &dev };
	struct pmsm_wire_device there = nic_at(3, 0x10d3);

	dev.here.flags = cpu_to_be16(PMSM_DEVICE_TRANSFER);
	check_devices(test, &used, 1);
	expect_words(test, "is missing");
	/* The same model, but the target listens on another one */
	pmsm_devices_see(&used, &there);
	check_devices(test, &used, 1);
	expect_words(test, "but not that of the target");
	there.flags = cpu_to_be16(PMSM_DEVICE_TRANSFER);
	pmsm_devices_see(&used, &there);
	check_devices(test, &used, 0);
	/* It is in the right slot, but the driver may not know it */
	there.device = cpu_to_be16(0x1000);
	pmsm_devices_see(&used, &there);
	check_devices(test, &used, 1);
	expect_words(test, "8086:1000 on the target");
}

static void compat_reasons(struct kunit *test)
{
	struct machines *m = test->priv;
	struct pmsm_reasons *r = &m->reasons;
	static const char there[] = PMSM_WARNING "mild\nbad\tthing\n\nworse";
	char text[200];
	int i;

	pmsm_reasons_init(r);
	pmsm_reasons_take(r, -ENOSPC, there, strlen(there));
	KUNIT_EXPECT_EQ(test, r->nr, 2);
	KUNIT_EXPECT_EQ(test, r->error, -ENOSPC);
	KUNIT_EXPECT_STREQ(test, r->text, "warning: mild\nbad?thing\nworse\n");
	pmsm_reasons_first(r, text, sizeof(text));
	KUNIT_EXPECT_STREQ(test, text, "bad?thing");

	/* A refusal is one, even without words */
	pmsm_reasons_init(r);
	pmsm_reasons_take(r, -EPERM, "", 0);
	KUNIT_EXPECT_EQ(test, r->error, -EPERM);

	/* Too many: whole lines, and a word that there are more */
	pmsm_reasons_init(r);
	for (i = 0; i < 1000; i++)
		pmsm_reasons_add(r, -EBUSY, "reason %d", i);
	KUNIT_EXPECT_EQ(test, r->nr, 1000);
	KUNIT_EXPECT_GT(test, r->left_out, 0);
	KUNIT_EXPECT_EQ(test, r->text[r->len - 1], '\n');
	KUNIT_EXPECT_EQ(test, strlen(r->text), r->len);
	i = pmsm_reasons_fit(r, text, sizeof(text) - 1);
	KUNIT_ASSERT_LT(test, i, (int)sizeof(text));
	text[i] = '\0';
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "reason 17\nand more"));
	KUNIT_EXPECT_EQ(test, pmsm_reasons_fit(r, text, 0), 0);
}

static struct kunit_case compat_cases[] = {
	KUNIT_CASE(compat_same),
	KUNIT_CASE(compat_release),
	KUNIT_CASE(compat_unterminated),
	KUNIT_CASE(compat_unprintable),
	KUNIT_CASE(compat_build),
	KUNIT_CASE(compat_build_id),
	KUNIT_CASE(compat_memory),
	KUNIT_CASE(compat_memory_nonsense),
	KUNIT_CASE(compat_firmware),
	KUNIT_CASE(compat_caps),
	KUNIT_CASE(compat_cpu),
	KUNIT_CASE(compat_irq_mode),
	KUNIT_CASE(compat_tsc),
	KUNIT_CASE(compat_encryption),
	KUNIT_CASE(compat_all_at_once),
	KUNIT_CASE(compat_able),
	KUNIT_CASE(compat_devices),
	KUNIT_CASE(compat_transfer_nic),
	KUNIT_CASE(compat_reasons),
	{}
};

static struct kunit_suite compat_suite = {
	.name = "pmsm_compat",
	.init = compat_test_init,
	.test_cases = compat_cases,
};

kunit_test_suite(compat_suite);
