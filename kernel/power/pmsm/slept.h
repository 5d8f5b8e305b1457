/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long the machine stood still, for timekeeping.
 */
#ifndef _PMSM_SLEPT_H
#define _PMSM_SLEPT_H

#include <linux/types.h>

struct pmsm_handover;

void pmsm_slept_begin(void);
u64 pmsm_slept(void);
void pmsm_slept_forget(void);
void pmsm_slept_moved(const struct pmsm_handover *handover);
u64 pmsm_one_way(u64 round_trip, u64 held);

#endif /* _PMSM_SLEPT_H */
