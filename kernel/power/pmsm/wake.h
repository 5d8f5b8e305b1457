/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which devices did not come up again on the target.
 */
#ifndef _PMSM_WAKE_H
#define _PMSM_WAKE_H

int pmsm_wake_watch(void);
void pmsm_wake_reset(void);
void pmsm_wake_failure(char *text, unsigned int size);
void pmsm_wake_unwatch(void);

#endif /* _PMSM_WAKE_H */
