// SPDX-License-Identifier: GPL-2.0-only
/*
 * What source and target say of themselves, and every reason to refuse.
 *
 * Everything that would make the restored kernel fail on the target must be
 * found here or in devices.c, before anything is stopped.  All of it is found
 * at once, so that whoever has to mend it need not come back for the next.
 */

#include <linux/cpufeature.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/secretmem.h>
#include <linux/security.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/utsname.h>

#include "clock.h"
#include "compat.h"
#include "machine.h"
#include "reasons.h"
#include "room.h"

/* Lines about one table of memory, so that others find room as well */
#define PMSM_MEMORY_LINES	4

static int add_ram(unsigned long pfn, unsigned long nr, void *arg)
{
	struct pmsm_wire_hello *self = arg;
	u16 i = be16_to_cpu(self->nr_ram);

	if (i == PMSM_RAM_RANGES)
		return -E2BIG;
	self->ram[i].pfn = cpu_to_be64(pfn);
	self->ram[i].nr = cpu_to_be64(nr);
	self->nr_ram = cpu_to_be16(i + 1);
	return 0;
}

/**
 * pmsm_compat_describe - say what this machine is
 * @self: What to fill in.
 * @frame_size: Longest frame that it can receive.
 * @who: "source" or "target".
 * @reasons: Where to say why it cannot move, if so.
 *
 * Return: 0, or -E2BIG for a memory map with too many holes.
 */
int pmsm_compat_describe(struct pmsm_wire_hello *self, unsigned int frame_size,
			 const char *who, struct pmsm_reasons *reasons)
{
	int error;

	/* It has to fit into the shortest frames that there are */
	BUILD_BUG_ON(sizeof(*self) > ETH_FRAME_LEN - sizeof(struct pmsm_frame));
	memset(self, 0, sizeof(*self));
	strscpy(self->release, init_utsname()->release);
	strscpy(self->build, init_utsname()->version);
	self->cpus = cpu_to_be16(num_online_cpus());
	self->frame_size = cpu_to_be16(frame_size);
	self->pages = cpu_to_be64(pmsm_room_used());
	pmsm_machine_describe(self);

	error = walk_system_ram_range(0, ULONG_MAX >> PAGE_SHIFT, self, add_ram);
	if (error)
		pmsm_reasons_add(reasons, error,
				 "the memory of the %s has more than %d ranges: too many to compare",
				 who, PMSM_RAM_RANGES);
	return error;
}

/**
 * pmsm_compat_able - whether this machine may take part at all
 * @who: "source" or "target".
 * @reasons: Where to say why not.
 *
 * Refuses where hibernation is refused.  May sleep.
 *
 * Return: 0 or the negative errno of the first reason.
 */
int pmsm_compat_able(const char *who, struct pmsm_reasons *reasons)
{
	bool told = false;

	if (secretmem_active()) {
		pmsm_reasons_add(reasons, -EPERM,
				 "a process on the %s has secret memory (memfd_secret), which must not leave it: end that process",
				 who);
		told = true;
	}
	if (security_locked_down(LOCKDOWN_HIBERNATION)) {
		pmsm_reasons_add(reasons, -EPERM,
				 "the kernel of the %s is locked down, which forbids hibernation: boot it without lockdown=, or without Secure Boot",
				 who);
		told = true;
	}
	if (!told && !hibernation_available())
		pmsm_reasons_add(reasons, -EPERM,
				 "hibernation is not available on the %s: was it booted with nohibernate, or has it CXL memory?",
				 who);
	if (!pmsm_clock_works())
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "the %s has no usable time stamp counter", who);
	return reasons->error;
}

/* Where the memory that holds a page frame ends; 0 if none does */
static u64 ram_end(const struct pmsm_wire_hello *m, u64 pfn)
{
	int i;

	for (i = 0; i < be16_to_cpu(m->nr_ram) && i < PMSM_RAM_RANGES; i++) {
		u64 start = be64_to_cpu(m->ram[i].pfn);
		u64 nr = be64_to_cpu(m->ram[i].nr);

		if (pfn >= start && pfn - start < nr)
			return nr > U64_MAX - start ? U64_MAX : start + nr;
	}
	return 0;
}

/* The first page frame above one that is memory, at most @end */
static u64 ram_after(const struct pmsm_wire_hello *m, u64 pfn, u64 end)
{
	int i;

	for (i = 0; i < be16_to_cpu(m->nr_ram) && i < PMSM_RAM_RANGES; i++) {
		u64 start = be64_to_cpu(m->ram[i].pfn);

		if (start > pfn && be64_to_cpu(m->ram[i].nr))
			end = min(end, start);
	}
	return end;
}

static void memory_missing(struct pmsm_reasons *reasons, u64 pfn, u64 end,
			   unsigned int *lines)
{
	if (++*lines <= PMSM_MEMORY_LINES)
		pmsm_reasons_add(reasons, -ENOSPC,
				 "memory %#llx-%#llx of the source is not memory on the target: it needs as much, laid out in the same way",
				 pfn << PAGE_SHIFT, (end << PAGE_SHIFT) - 1);
}

/* Name all of a range that the target does not have; more there is fine */
static void check_range(const struct pmsm_wire_run *range,
			const struct pmsm_wire_hello *target,
			struct pmsm_reasons *reasons, unsigned int *lines)
{
	u64 pfn = be64_to_cpu(range->pfn), nr = be64_to_cpu(range->nr);
	u64 end = nr > U64_MAX - pfn ? U64_MAX : pfn + nr;
	u64 there;

	while (pfn < end) {
		there = ram_end(target, pfn);
		if (!there) {
			there = ram_after(target, pfn, end);
			memory_missing(reasons, pfn, there, lines);
		}
		pfn = there;
	}
}

static bool has_region(const struct pmsm_wire_hello *m,
		       const struct pmsm_wire_region *region)
{
	int i;

	for (i = 0; i < be16_to_cpu(m->nr_regions) && i < PMSM_REGIONS; i++)
		if (!memcmp(&m->regions[i], region, sizeof(*region)))
			return true;
	return false;
}

/* Name what one machine's firmware keeps for itself, and the other's does not */
static void check_regions(const struct pmsm_wire_hello *m,
			  const struct pmsm_wire_hello *other, const char *who,
			  struct pmsm_reasons *reasons)
{
	unsigned int lines = 0;
	int i;

	for (i = 0; i < be16_to_cpu(m->nr_regions) && i < PMSM_REGIONS; i++) {
		const struct pmsm_wire_region *region = &m->regions[i];
		u64 start = be64_to_cpu(region->start);

		if (has_region(other, region))
			continue;
		if (++lines <= PMSM_MEMORY_LINES)
			pmsm_reasons_add(reasons, -ENOSPC,
					 "only the %s has the firmware's memory %#llx-%#llx (type %u): use the same firmware and settings",
					 who, start,
					 start + be64_to_cpu(region->len) - 1,
					 region->type);
	}
	if (lines > PMSM_MEMORY_LINES)
		pmsm_reasons_add(reasons, -ENOSPC,
				 "and %u more ranges of firmware's memory",
				 lines - PMSM_MEMORY_LINES);
}

static void check_firmware(const struct pmsm_wire_hello *source,
			   const struct pmsm_wire_hello *target,
			   struct pmsm_reasons *reasons)
{
	unsigned int nr = reasons->nr;

	if (source->firmware_crc == target->firmware_crc)
		return;
	check_regions(source, target, "source", reasons);
	check_regions(target, source, "target", reasons);
	if (reasons->nr == nr)
		pmsm_reasons_add(reasons, -ENOSPC,
				 "firmware memory maps differ: %08x on the source, %08x on the target: use the same firmware and settings",
				 be32_to_cpu(source->firmware_crc),
				 be32_to_cpu(target->firmware_crc));
}

static void check_kernel(const struct pmsm_wire_hello *source,
			 const struct pmsm_wire_hello *target,
			 struct pmsm_reasons *reasons)
{
	if (strncmp(source->release, target->release, PMSM_UTS_LEN))
		pmsm_reasons_add(reasons, -ENOEXEC,
				 "kernel release %.*s on the source, %.*s on the target: boot the same kernel",
				 PMSM_UTS_LEN, source->release,
				 PMSM_UTS_LEN, target->release);
	if (strncmp(source->build, target->build, PMSM_UTS_LEN))
		pmsm_reasons_add(reasons, -ENOEXEC,
				 "kernel build \"%.*s\" on the source, \"%.*s\" on the target: boot the same kernel",
				 PMSM_UTS_LEN, source->build,
				 PMSM_UTS_LEN, target->build);
	if (memcmp(source->build_id, target->build_id, PMSM_BUILD_ID_LEN))
		pmsm_reasons_add(reasons, -ENOEXEC,
				 "kernel build id %*phN on the source, %*phN on the target: boot the same kernel",
				 PMSM_BUILD_ID_LEN, source->build_id,
				 PMSM_BUILD_ID_LEN, target->build_id);
}

static void check_memory(const struct pmsm_wire_hello *source,
			 const struct pmsm_wire_hello *target,
			 struct pmsm_reasons *reasons)
{
	int i, nr = be16_to_cpu(source->nr_ram);
	unsigned int lines = 0;

	if (!nr || nr > PMSM_RAM_RANGES)
		pmsm_reasons_add(reasons, -ENOSPC,
				 "the source says that it has %d ranges of memory: none, or too many to compare",
				 nr);
	for (i = 0; i < nr && i < PMSM_RAM_RANGES; i++)
		check_range(&source->ram[i], target, reasons, &lines);
	if (lines > PMSM_MEMORY_LINES)
		pmsm_reasons_add(reasons, -ENOSPC,
				 "and %u more ranges of memory",
				 lines - PMSM_MEMORY_LINES);
	check_firmware(source, target, reasons);
}

static void check_caps(const struct pmsm_wire_hello *source,
		       const struct pmsm_wire_hello *target,
		       struct pmsm_reasons *reasons)
{
	int i, bit, nr = be16_to_cpu(source->nr_caps);
	unsigned int len = 0;
	char names[200];

	for (i = 0; i < nr && i < PMSM_CAPS; i++) {
		unsigned long missing = be32_to_cpu(source->caps[i]) &
					~be32_to_cpu(target->caps[i]);

		for_each_set_bit(bit, &missing, 32)
			len += pmsm_machine_cap_name(i * 32 + bit, names + len,
						     sizeof(names) - len);
	}
	if (len)
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "the target's CPU lacks%s%s: boot the source without (clearcpuid=), or use a like CPU",
				 names, len + 1 == sizeof(names) ? "..." : "");
}

static void check_cpu(const struct pmsm_wire_hello *source,
		      const struct pmsm_wire_hello *target,
		      struct pmsm_reasons *reasons)
{
	if (strncmp(source->cpu_vendor, target->cpu_vendor, PMSM_VENDOR_LEN))
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "CPU vendor %.*s on the source, %.*s on the target: use a like CPU",
				 PMSM_VENDOR_LEN, source->cpu_vendor,
				 PMSM_VENDOR_LEN, target->cpu_vendor);
	if (source->paging_levels != target->paging_levels)
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "%u levels of page tables on the source, %u on the target: boot both with no5lvl",
				 be16_to_cpu(source->paging_levels),
				 be16_to_cpu(target->paging_levels));
	if (be16_to_cpu(source->cpus) > be16_to_cpu(target->cpus))
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "%u CPUs on the source, %u on the target: take the others offline on the source",
				 be16_to_cpu(source->cpus),
				 be16_to_cpu(target->cpus));
	if (source->xsave_size != target->xsave_size)
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "CPU state (XSAVE) of %u bytes on the source, %u on the target: use a like CPU",
				 be32_to_cpu(source->xsave_size),
				 be32_to_cpu(target->xsave_size));
	check_caps(source, target, reasons);
}

static const char *irq_mode(__be16 mode)
{
	switch (be16_to_cpu(mode)) {
	case PMSM_IRQ_PIC:
		return "pic";
	case PMSM_IRQ_XAPIC:
		return "xapic";
	case PMSM_IRQ_X2APIC:
		return "x2apic";
	default:
		return "unknown";
	}
}

static void check_encryption(const struct pmsm_wire_hello *source,
			     const struct pmsm_wire_hello *target,
			     struct pmsm_reasons *reasons)
{
	unsigned int there = be16_to_cpu(source->encryption);
	unsigned int here = be16_to_cpu(target->encryption);

	if ((there | here) & PMSM_ENCRYPTED_GUEST)
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "the %s is a confidential guest (SEV, TDX): its memory is no good elsewhere",
				 there & PMSM_ENCRYPTED_GUEST ? "source" : "target");
	if ((there ^ here) & PMSM_ENCRYPTED_SME)
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "only the %s encrypts its memory (SME): boot both with the same mem_encrypt=",
				 there & PMSM_ENCRYPTED_SME ? "source" : "target");
	if ((there ^ here) & PMSM_ENCRYPTED_TDX)
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "only the %s can host TDX guests: set both firmwares alike",
				 there & PMSM_ENCRYPTED_TDX ? "source" : "target");
}

static bool same_frequency(u32 one, u32 other)
{
	u64 apart = one > other ? one - other : other - one;

	return apart * 1000000 <= (u64)one * PMSM_TSC_PPM;
}

static void check_platform(const struct pmsm_wire_hello *source,
			   const struct pmsm_wire_hello *target,
			   struct pmsm_reasons *reasons)
{
	u32 there = be32_to_cpu(source->tsc_khz);
	u32 here = be32_to_cpu(target->tsc_khz);

	if (source->irq_mode != target->irq_mode)
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "interrupt mode %s on the source, %s on the target: boot both with the same firmware settings, nox2apic, nolapic and noapic",
				 irq_mode(source->irq_mode),
				 irq_mode(target->irq_mode));
	if (!same_frequency(there, here))
		pmsm_reasons_add(reasons, -EOPNOTSUPP,
				 "time stamp counter of %u kHz on the source, %u kHz on the target, more than %u ppm apart: use a like CPU",
				 there, here, PMSM_TSC_PPM);
	check_encryption(source, target, reasons);
}

/**
 * pmsm_compat_check - whether one machine can go on as another
 * @source: What the source says of itself; from the wire, trust nothing.
 * @target: What the target says of itself.
 * @reasons: Where to add every reason why not.
 *
 * Return: 0, or the negative errno of the first reason: -ENOEXEC for another
 * kernel, -ENOSPC for memory, -EOPNOTSUPP for the processor and what is near.
 */
int pmsm_compat_check(const struct pmsm_wire_hello *source,
		      const struct pmsm_wire_hello *target,
		      struct pmsm_reasons *reasons)
{
	check_kernel(source, target, reasons);
	check_memory(source, target, reasons);
	check_cpu(source, target, reasons);
	check_platform(source, target, reasons);
	return reasons->error;
}

/**
 * pmsm_compat_answer - all that a target has against a source
 * @source: What the source says of itself; from the wire, trust nothing.
 * @self: Where to put what this machine says of itself.
 * @frame_size: Longest frame that it can receive.
 * @reasons: Set to every reason why not.
 *
 * May sleep.
 *
 * Return: 0 or the negative errno of the first reason.
 */
int pmsm_compat_answer(const struct pmsm_wire_hello *source,
		       struct pmsm_wire_hello *self, unsigned int frame_size,
		       struct pmsm_reasons *reasons)
{
	pmsm_reasons_init(reasons);
	pmsm_compat_able("target", reasons);
	pmsm_compat_describe(self, frame_size, "target", reasons);
	return pmsm_compat_check(source, self, reasons);
}
