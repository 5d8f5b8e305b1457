/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything is compared before anything stops: a dry run by itself, and the
 * beginning of every move.
 */
#ifndef _PMSM_PREFLIGHT_H
#define _PMSM_PREFLIGHT_H

#include <linux/types.h>

struct pmsm_link;
struct pmsm_reasons;
struct pmsm_target;

int pmsm_preflight_check(struct pmsm_link *link, u64 timeout, u8 *peer,
			 struct pmsm_reasons *reasons);
void pmsm_preflight_answer(struct pmsm_target *target);

#endif /* _PMSM_PREFLIGHT_H */
