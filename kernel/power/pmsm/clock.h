/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A clock for when timekeeping is suspended: it only reads.
 */
#ifndef _PMSM_CLOCK_H
#define _PMSM_CLOCK_H

#include <linux/math64.h>
#include <linux/types.h>

#include <asm/msr.h>
#include <asm/tsc.h>

#include "session.h"

/**
 * pmsm_cycles_to_ns - convert a duration
 * @cycles: In cycles of a time stamp counter.
 * @khz: Its frequency.
 *
 * Return: the duration in ns.
 */
static inline u64 pmsm_cycles_to_ns(u64 cycles, u32 khz)
{
	return mul_u64_u64_div_u64(cycles, PMSM_NS_PER_MS, khz);
}

/**
 * pmsm_clock - nanoseconds on this machine
 *
 * Counts from the machine's reset, so differences mean something only between
 * two readings on one machine.  Any context.
 *
 * Return: the time in ns.
 */
static inline u64 pmsm_clock(void)
{
	return pmsm_cycles_to_ns(rdtsc_ordered(), tsc_khz);
}

/**
 * pmsm_clock_works - whether pmsm_clock() does
 *
 * Return: false on a machine whose time stamp counter was not calibrated.
 */
static inline bool pmsm_clock_works(void)
{
	return tsc_khz != 0;
}

#endif /* _PMSM_CLOCK_H */
