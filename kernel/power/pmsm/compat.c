// SPDX-License-Identifier: GPL-2.0-only
/*
 * What source and target say of themselves, and every reason to refuse.
 *
 * Everything that would make the restored kernel fail on the target must be
 * found here, before anything is stopped.
 */

#include <linux/cpufeature.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include "compat.h"
#include "machine.h"
#include "room.h"

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
 * @reason: Where to say why it cannot move, if so.
 * @size: Room there.
 *
 * Return: 0, or -E2BIG for a memory map with too many holes.
 */
int pmsm_compat_describe(struct pmsm_wire_hello *self, unsigned int frame_size,
			 char *reason, unsigned int size)
{
	int error;

	memset(self, 0, sizeof(*self));
	strscpy(self->release, init_utsname()->release);
	strscpy(self->build, init_utsname()->version);
	self->cpus = cpu_to_be16(num_online_cpus());
	self->frame_size = cpu_to_be16(frame_size);
	self->pages = cpu_to_be64(pmsm_room_used());
	pmsm_machine_describe(self);

	error = walk_system_ram_range(0, ULONG_MAX >> PAGE_SHIFT, self, add_ram);
	if (error)
		scnprintf(reason, size, "memory has more than %d ranges",
			  PMSM_RAM_RANGES);
	return error;
}

static bool has_ram(const struct pmsm_wire_hello *m,
		    const struct pmsm_wire_run *range)
{
	u64 pfn = be64_to_cpu(range->pfn), nr = be64_to_cpu(range->nr);
	int i;

	for (i = 0; i < be16_to_cpu(m->nr_ram) && i < PMSM_RAM_RANGES; i++) {
		u64 start = be64_to_cpu(m->ram[i].pfn);
		u64 len = be64_to_cpu(m->ram[i].nr);

		if (pfn >= start && nr <= len && pfn - start <= len - nr)
			return true;
	}
	return false;
}

static int check_kernel(const struct pmsm_wire_hello *source,
			const struct pmsm_wire_hello *target,
			char *reason, unsigned int size)
{
	if (strncmp(source->release, target->release, PMSM_UTS_LEN)) {
		scnprintf(reason, size, "kernel release %.*s there, %.*s here",
			  PMSM_UTS_LEN, source->release,
			  PMSM_UTS_LEN, target->release);
		return -ENOEXEC;
	}
	if (strncmp(source->build, target->build, PMSM_UTS_LEN)) {
		scnprintf(reason, size, "kernel build \"%.*s\" there, \"%.*s\" here",
			  PMSM_UTS_LEN, source->build,
			  PMSM_UTS_LEN, target->build);
		return -ENOEXEC;
	}
	if (memcmp(source->build_id, target->build_id, PMSM_BUILD_ID_LEN)) {
		scnprintf(reason, size, "kernel build id %*phN there, %*phN here",
			  PMSM_BUILD_ID_LEN, source->build_id,
			  PMSM_BUILD_ID_LEN, target->build_id);
		return -ENOEXEC;
	}
	return 0;
}

static int check_memory(const struct pmsm_wire_hello *source,
			const struct pmsm_wire_hello *target,
			char *reason, unsigned int size)
{
	int i, nr = be16_to_cpu(source->nr_ram);

	for (i = 0; i < nr && i < PMSM_RAM_RANGES; i++) {
		u64 start = be64_to_cpu(source->ram[i].pfn) << PAGE_SHIFT;
		u64 len = be64_to_cpu(source->ram[i].nr) << PAGE_SHIFT;

		if (has_ram(target, &source->ram[i]))
			continue;
		scnprintf(reason, size, "memory %#llx-%#llx there is not all memory here",
			  start, start + len - 1);
		return -ENOSPC;
	}
	if (source->firmware_crc != target->firmware_crc) {
		scnprintf(reason, size, "firmware memory maps differ: %08x there, %08x here",
			  be32_to_cpu(source->firmware_crc),
			  be32_to_cpu(target->firmware_crc));
		return -ENOSPC;
	}
	return 0;
}

static int check_caps(const struct pmsm_wire_hello *source,
		      const struct pmsm_wire_hello *target,
		      char *reason, unsigned int size)
{
	int i, bit, nr = be16_to_cpu(source->nr_caps);
	unsigned int len = 0;

	for (i = 0; i < nr && i < PMSM_CAPS; i++) {
		unsigned long missing = be32_to_cpu(source->caps[i]) &
					~be32_to_cpu(target->caps[i]);

		for_each_set_bit(bit, &missing, 32) {
			if (!len)
				len = scnprintf(reason, size, "CPU here lacks");
			len += pmsm_machine_cap_name(i * 32 + bit,
						     reason + len, size - len);
		}
	}
	return len ? -EOPNOTSUPP : 0;
}

static int check_cpu(const struct pmsm_wire_hello *source,
		     const struct pmsm_wire_hello *target,
		     char *reason, unsigned int size)
{
	if (strncmp(source->cpu_vendor, target->cpu_vendor, PMSM_VENDOR_LEN)) {
		scnprintf(reason, size, "CPU vendor %.*s there, %.*s here",
			  PMSM_VENDOR_LEN, source->cpu_vendor,
			  PMSM_VENDOR_LEN, target->cpu_vendor);
		return -EOPNOTSUPP;
	}
	if (source->paging_levels != target->paging_levels) {
		scnprintf(reason, size, "%u levels of page tables there, %u here",
			  be16_to_cpu(source->paging_levels),
			  be16_to_cpu(target->paging_levels));
		return -EOPNOTSUPP;
	}
	if (be16_to_cpu(source->cpus) > be16_to_cpu(target->cpus)) {
		scnprintf(reason, size, "%u CPUs there, %u here",
			  be16_to_cpu(source->cpus), be16_to_cpu(target->cpus));
		return -EOPNOTSUPP;
	}
	if (source->xsave_size != target->xsave_size) {
		scnprintf(reason, size, "CPU state of %u bytes there, %u here",
			  be32_to_cpu(source->xsave_size),
			  be32_to_cpu(target->xsave_size));
		return -EOPNOTSUPP;
	}
	return check_caps(source, target, reason, size);
}

/**
 * pmsm_compat_check - whether one machine can go on as another
 * @source: What the source says of itself; from the wire, trust nothing.
 * @target: What the target says of itself.
 * @reason: Where to say why not, as the target sees it.
 * @size: Room there.
 *
 * Return: 0, or a negative errno: -ENOEXEC for another kernel, -ENOSPC for
 * memory, -EOPNOTSUPP for the processor.
 */
int pmsm_compat_check(const struct pmsm_wire_hello *source,
		      const struct pmsm_wire_hello *target,
		      char *reason, unsigned int size)
{
	int error;

	error = check_kernel(source, target, reason, size);
	if (!error)
		error = check_memory(source, target, reason, size);
	if (!error)
		error = check_cpu(source, target, reason, size);
	return error;
}
