// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long the machine stood still, for timekeeping.
 *
 * The clocks of two machines have nothing to do with each other, and a real
 * time clock counts whole seconds.  But each machine can measure durations: the
 * source from when its clock stopped until it sends PREPARE, the target from
 * when that arrives until the restored kernel asks.  Between the two lies one
 * way over the link, half of the round trip from VERIFIED to PREPARE.
 *
 * timekeeping_resume() then moves CLOCK_REALTIME and CLOCK_BOOTTIME on by the
 * sum.  CLOCK_MONOTONIC stands still, as over every suspend.
 */

#include <linux/minmax.h>

#include "clock.h"
#include "pmsm.h"
#include "slept.h"

/*
 * When the clock stopped, or was known to have been stopped for @before
 * nanoseconds, in cycles of @khz.  Zero @khz: nobody has stopped it.
 */
static struct {
	u64 cycles;
	u64 before;
	u32 khz;
} stopped;

/**
 * pmsm_slept_begin - the clock has just stopped
 *
 * Call in the source right after syscore_suspend(), before anything is sent.
 */
void pmsm_slept_begin(void)
{
	stopped.cycles = rdtsc_ordered();
	stopped.before = 0;
	stopped.khz = tsc_khz;
}

/**
 * pmsm_slept - how long the clock has been stopped
 *
 * Any context, from pmsm_slept_begin() until syscore_resume().
 *
 * Return: nanoseconds.
 */
u64 pmsm_slept(void)
{
	return stopped.before +
	       pmsm_cycles_to_ns(rdtsc_ordered() - stopped.cycles, stopped.khz);
}

/**
 * pmsm_slept_moved - go on counting on another machine's clock
 * @handover: What that machine has said.
 *
 * Call first thing after the restore.
 */
void pmsm_slept_moved(const struct pmsm_handover *handover)
{
	stopped.cycles = handover->prepared;
	stopped.before = handover->slept_ns;
	stopped.khz = handover->tsc_khz;
}

/**
 * pmsm_slept_forget - nobody knows how long the clock has been stopped
 *
 * Call first thing after a restore that brought no word of it: timekeeping
 * then does as it can.
 */
void pmsm_slept_forget(void)
{
	stopped.khz = 0;
}

/**
 * pmsm_sleep_time - for how long timekeeping was suspended
 * @counted: What timekeeping itself has found out, or 0.
 *
 * For timekeeping_resume().
 *
 * Return: nanoseconds, @counted unless a migration knows better.
 */
u64 pmsm_sleep_time(u64 counted)
{
	if (!stopped.khz)
		return counted;
	counted = pmsm_slept();
	stopped.khz = 0;
	return counted;
}

/**
 * pmsm_one_way - estimate how long a message was on its way
 * @round_trip: From sending a question until its answer has come, in ns.
 * @held: For how long the other side held it, by its own account, in ns.
 *
 * Return: half of what is left, in ns.
 */
u64 pmsm_one_way(u64 round_trip, u64 held)
{
	return (round_trip - min(held, round_trip)) / 2;
}
