// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the migration needs to know of an x86-64 machine.
 */

#include <linux/acpi.h>
#include <linux/buildid.h>
#include <linux/cc_platform.h>
#include <linux/crc32c.h>
#include <linux/pgtable.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/e820/api.h>
#include <asm/fpu/api.h>
#include <asm/io_apic.h>
#include <asm/irqflags.h>
#include <asm/processor.h>
#include <asm/suspend.h>
#include <asm/tsc.h>

#include "machine.h"
#include "pmsm.h"

/* What the firmware keeps for itself must be the same on both machines */
static u32 firmware_crc(void)
{
	u32 i, crc = 0;

	for (i = 0; i < e820_table_firmware->nr_entries; i++) {
		struct e820_entry *entry = &e820_table_firmware->entries[i];

		if (entry->type != E820_TYPE_RAM)
			crc = crc32c(crc, entry, sizeof(*entry));
	}
	return crc;
}

/* So that a difference can be named, if there are not too many */
static void describe_firmware(struct pmsm_wire_hello *self)
{
	struct pmsm_wire_region *region = self->regions;
	u32 i;

	for (i = 0; i < e820_table_firmware->nr_entries; i++) {
		struct e820_entry *entry = &e820_table_firmware->entries[i];

		if (entry->type == E820_TYPE_RAM)
			continue;
		if (region == self->regions + PMSM_REGIONS)
			break;
		region->start = cpu_to_be64(entry->addr);
		region->len = cpu_to_be64(entry->size);
		region->type = entry->type;
		region++;
	}
	self->nr_regions = cpu_to_be16(region - self->regions);
	self->firmware_crc = cpu_to_be32(firmware_crc());
}

static enum pmsm_irq_mode irq_mode(void)
{
	if (!boot_cpu_has(X86_FEATURE_APIC) || apic_is_disabled ||
	    ioapic_is_disabled)
		return PMSM_IRQ_PIC;
	return x2apic_mode ? PMSM_IRQ_X2APIC : PMSM_IRQ_XAPIC;
}

static u16 encryption(void)
{
	u16 bits = 0;

	if (cc_platform_has(CC_ATTR_HOST_MEM_ENCRYPT))
		bits |= PMSM_ENCRYPTED_SME;
	if (cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		bits |= PMSM_ENCRYPTED_GUEST;
	if (boot_cpu_has(X86_FEATURE_TDX_HOST_PLATFORM))
		bits |= PMSM_ENCRYPTED_TDX;
	return bits;
}

/**
 * pmsm_machine_describe - fill in what is particular to x86
 * @self: This machine's description.
 */
void pmsm_machine_describe(struct pmsm_wire_hello *self)
{
	u32 eax, xsave_size = 0, ecx, edx;
	int i;

	BUILD_BUG_ON(NCAPINTS > PMSM_CAPS);
	BUILD_BUG_ON(BUILD_ID_SIZE_MAX != PMSM_BUILD_ID_LEN);
	memcpy(self->build_id, vmlinux_build_id, PMSM_BUILD_ID_LEN);
	strscpy(self->cpu_vendor, boot_cpu_data.x86_vendor_id);
	self->nr_caps = cpu_to_be16(NCAPINTS);
	for (i = 0; i < NCAPINTS; i++)
		self->caps[i] = cpu_to_be32(boot_cpu_data.x86_capability[i]);
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		cpuid_count(0xd, 0, &eax, &xsave_size, &ecx, &edx);
	self->xsave_size = cpu_to_be32(xsave_size);
	self->paging_levels = cpu_to_be16(pgtable_l5_enabled() ? 5 : 4);
	self->tsc_khz = cpu_to_be32(tsc_khz);
	self->irq_mode = cpu_to_be16(irq_mode());
	self->encryption = cpu_to_be16(encryption());
	describe_firmware(self);
}

/**
 * pmsm_machine_cap_name - name a CPU capability
 * @cap: Its number in this kernel release.
 * @buf: Where to put a space and the name.
 * @size: Room there.
 *
 * Return: bytes written.
 */
unsigned int pmsm_machine_cap_name(unsigned int cap, char *buf,
				   unsigned int size)
{
	if (cap < NCAPINTS * 32 && x86_cap_flags[cap])
		return scnprintf(buf, size, " %s", x86_cap_flags[cap]);
	return scnprintf(buf, size, " %u:%u", cap / 32, cap % 32);
}

/**
 * pmsm_machine_entry - say how to enter this kernel once it is restored
 * @begin: What to fill in.
 */
void pmsm_machine_entry(struct pmsm_wire_begin *begin)
{
	begin->entry = cpu_to_be64((unsigned long)restore_registers);
	begin->entry_phys = cpu_to_be64(__pa_symbol(restore_registers));
	/* See arch_hibernation_header_save() for the reason to mask this */
	begin->page_table = cpu_to_be64(restore_cr3 & ~CR3_PCID_MASK);
}

/**
 * pmsm_machine_set_entry - set how to enter the restored kernel
 * @begin: What it said.
 */
void pmsm_machine_set_entry(const struct pmsm_wire_begin *begin)
{
	restore_jump_address = be64_to_cpu(begin->entry);
	jump_address_phys = be64_to_cpu(begin->entry_phys);
	restore_cr3 = be64_to_cpu(begin->page_table);
}

/**
 * pmsm_machine_safe_pages - pages that swsusp_arch_resume() takes at most
 *
 * One for its code, at most four for the mapping of the kernel text, and the
 * tables of a direct mapping in large pages: one for each GiB, one for each
 * 512 GiB, one for each 256 TiB, and each of these once more for every range
 * that does not begin on such a boundary.
 *
 * Return: pages.
 */
unsigned long pmsm_machine_safe_pages(void)
{
	unsigned long nr = 1 + 4;
	int i;

	for (i = 0; i < nr_pfn_mapped; i++) {
		unsigned long pages = pfn_mapped[i].end - pfn_mapped[i].start;

		nr += (pages >> (PUD_SHIFT - PAGE_SHIFT)) + 2;
		nr += (pages >> (PGDIR_SHIFT - PAGE_SHIFT)) + 2 + 2;
	}
	return nr;
}

/* A machine that has resumed already has more going on than this CPU */
static void stop_the_rest(void)
{
	if (!irqs_disabled())
		machine_shutdown();
}

/**
 * pmsm_machine_power_off - turn this machine off for good
 *
 * Devices are frozen and processes are not thawed: their state belongs to the
 * machine that has taken over.  So the firmware is asked directly, with interrupts
 * off and the other CPUs stopped, if they have not been.  Call pmsm_machine_off()
 * instead: this returns if the firmware does not comply.
 */
void pmsm_machine_power_off(void)
{
	if (IS_ENABLED(CONFIG_ACPI) && !acpi_disabled) {
		acpi_enter_sleep_state_prep(ACPI_STATE_S5);
		stop_the_rest();
		acpi_enter_sleep_state(ACPI_STATE_S5);
	}
	stop_the_rest();
	do_kernel_power_off();

	pr_emerg("the firmware does not power this machine off: do it by hand\n");
}
