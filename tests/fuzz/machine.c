// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the migration asks of its machine, and of its other files.
 */

#include "actor.h"
#include "machine.h"
#include "pmsm.h"
#include "room.h"

jmp_buf machine_off;
unsigned int machine_fault;

int pmsm_fault(enum pmsm_step step)
{
	return step == machine_fault ? -EIO : 0;
}

void pmsm_machine_describe(struct pmsm_wire_hello *self)
{
	int i;

	memset(self->build_id, 7, sizeof(self->build_id));
	strscpy(self->cpu_vendor, "Fuzz");
	self->nr_caps = cpu_to_be16(2);
	self->caps[0] = cpu_to_be32(0x55555555);
	self->xsave_size = cpu_to_be32(832);
	self->paging_levels = cpu_to_be16(4);
	self->tsc_khz = cpu_to_be32(tsc_khz);
	self->irq_mode = cpu_to_be16(PMSM_IRQ_X2APIC);
	self->encryption = cpu_to_be16(PMSM_ENCRYPTED_SME);
	self->firmware_crc = cpu_to_be32(0x12345678);
	self->nr_regions = cpu_to_be16(7);
	for (i = 0; i < 7; i++)
		self->regions[i] = (struct pmsm_wire_region){
			cpu_to_be64(4096 * i), cpu_to_be64(4096), 2
		};
}

unsigned int pmsm_machine_cap_name(unsigned int cap, char *buf,
				   unsigned int size)
{
	return scnprintf(buf, size, " %u:%u", cap / 32, cap % 32);
}

void pmsm_machine_power_off(void)
{
	longjmp(machine_off, 1);
}

/* Somebody wants to stop a machine that would otherwise wait for ever */
bool signal_pending(void *task)
{
	return actor_is_done();
}

bool secretmem_active(void)
{
	return machine_fault == FAULT_SECRET;
}

int security_locked_down(int what)
{
	return machine_fault == FAULT_LOCKED ? -EPERM : 0;
}

bool hibernation_available(void)
{
	return machine_fault != FAULT_HIBERNATION && !secretmem_active() &&
	       !security_locked_down(0);
}

/**
 * machine_check_words - whether words can be read
 * @text: The words.
 * @len: Their length.
 * @lines: They may be lines.
 */
void machine_check_words(const char *text, unsigned int len, bool lines)
{
	for (; len; len--, text++)
		must((*text >= ' ' && *text <= '~') || (lines && *text == '\n'));
}

/**
 * machine_check_reasons - whether reasons are what they are said to be
 * @r: The reasons.
 */
void machine_check_reasons(const struct pmsm_reasons *r)
{
	char first[PMSM_REASON_LEN];

	must(r->error <= 0 && r->error > -PMSM_ERRNO_MAX);
	must(!r->error == !r->nr);
	must(r->len < sizeof(r->text) && r->len == strlen(r->text));
	must(!r->len || r->text[r->len - 1] == '\n');
	machine_check_words(r->text, r->len, true);
	pmsm_reasons_first(r, first, sizeof(first));
	must(!r->error || r->left_out || first[0]);
}

unsigned long pmsm_room_used(void)
{
	return 10;
}

void pmsm_room_make(unsigned long used)
{
}
