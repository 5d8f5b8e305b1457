// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the moved machine says about its move.
 */

#include <linux/math64.h>
#include <linux/time64.h>

#include "clock.h"
#include "pmsm.h"

static const char * const phase_names[PMSM_PHASES] = {
	[PMSM_PHASE_NEGOTIATE]	= "negotiate",
	[PMSM_PHASE_FREEZE]	= "freeze",
	[PMSM_PHASE_DEVICES]	= "devices",
	[PMSM_PHASE_SCAN]	= "scan",
	[PMSM_PHASE_STREAM]	= "stream",
	[PMSM_PHASE_VERIFY]	= "verify",
	[PMSM_PHASE_RESTORE]	= "restore",
	[PMSM_PHASE_RESUME]	= "resume",
};

/* When this kernel came back to life, on the clock that it has now */
static u64 came_back;

/**
 * pmsm_report_restored - note that this machine has just been restored
 *
 * Interrupts are off and devices stopped.
 */
void pmsm_report_restored(void)
{
	came_back = pmsm_clock();
}

static void print_phases(const u64 *phase_ns)
{
	u64 us;
	int i;

	for (i = 0; i < PMSM_PHASES; i++) {
		us = div_u64(phase_ns[i], NSEC_PER_USEC);
		pr_info("phase %s: %llu.%03llu ms\n", phase_names[i],
			us / 1000, us % 1000);
	}
}

/**
 * pmsm_report - say how this machine was moved
 * @handover: What the target has left for us.
 *
 * Call in the moved machine once its processes run again.
 */
void pmsm_report(const struct pmsm_handover *handover)
{
	const struct pmsm_wire_commit *commit = &handover->commit;
	u64 data_bytes = be64_to_cpu(commit->data_bytes);
	u64 phase_ns[PMSM_PHASES], total = 0, now = pmsm_clock();
	u64 rate;
	int i;

	if (handover->magic != PMSM_HANDOVER_MAGIC) {
		pr_err("moved, but the target left no account of it\n");
		return;
	}

	for (i = 0; i <= PMSM_PHASE_VERIFY; i++)
		phase_ns[i] = be64_to_cpu(commit->phase_ns[i]);
	phase_ns[PMSM_PHASE_RESTORE] = came_back - handover->decided;
	phase_ns[PMSM_PHASE_RESUME] = now - came_back;
	for (i = PMSM_PHASE_FREEZE; i < PMSM_PHASES; i++)
		total += phase_ns[i];
	rate = mul_u64_u64_div_u64(data_bytes, NSEC_PER_SEC,
				   phase_ns[PMSM_PHASE_STREAM] | 1);

	pr_info("moved: %llu pages, %llu of them zero, %llu frames elsewhere, %llu bytes, %llu MiB/s\n",
		handover->data_pages + handover->zero_pages,
		handover->zero_pages, handover->conflicts, data_bytes,
		rate >> 20);
	pr_info("sent again: %llu frames; extra memory on the source: %llu pages\n",
		be64_to_cpu(commit->retransmits),
		be64_to_cpu(commit->extra_pages));
	print_phases(phase_ns);
	pr_info("moved in %llu ms\n", div_u64(total, NSEC_PER_MSEC));
}
