/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What source and target say of themselves, and every reason to refuse.
 */
#ifndef _PMSM_COMPAT_H
#define _PMSM_COMPAT_H

#include <linux/types.h>

#include "wire.h"

int pmsm_compat_describe(struct pmsm_wire_hello *self, unsigned int frame_size,
			 char *reason, unsigned int size);
int pmsm_compat_check(const struct pmsm_wire_hello *source,
		      const struct pmsm_wire_hello *target,
		      char *reason, unsigned int size);

#endif /* _PMSM_COMPAT_H */
