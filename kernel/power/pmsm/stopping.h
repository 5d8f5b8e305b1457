/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The source's devices have to stop in time.
 */
#ifndef _PMSM_STOPPING_H
#define _PMSM_STOPPING_H

#include <linux/types.h>

void pmsm_stopping_begin(void);
void pmsm_stopping_done(void);
bool pmsm_stopping_end(void);

#endif /* _PMSM_STOPPING_H */
