/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When the machine has caught up with what piled up while it stood still.
 */
#ifndef _PMSM_SETTLE_H
#define _PMSM_SETTLE_H

void pmsm_settle_watch(void);

#endif /* _PMSM_SETTLE_H */
