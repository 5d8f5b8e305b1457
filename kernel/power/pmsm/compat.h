/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What source and target say of themselves, and every reason to refuse.
 */
#ifndef _PMSM_COMPAT_H
#define _PMSM_COMPAT_H

#include <linux/types.h>

#include "wire.h"

struct pmsm_reasons;

/*
 * The restored kernel keeps the frequency that it has measured on the source.
 * Two measurements of like processors differ by up to 500 ppm each, without
 * CPUID leaf 0x15; two models of processors differ by percents.
 */
#define PMSM_TSC_PPM	1000

int pmsm_compat_describe(struct pmsm_wire_hello *self, unsigned int frame_size,
			 const char *who, struct pmsm_reasons *reasons);
int pmsm_compat_able(const char *who, struct pmsm_reasons *reasons);
int pmsm_compat_check(const struct pmsm_wire_hello *source,
		      const struct pmsm_wire_hello *target,
		      struct pmsm_reasons *reasons);
int pmsm_compat_answer(const struct pmsm_wire_hello *source,
		       struct pmsm_wire_hello *self, unsigned int frame_size,
		       struct pmsm_reasons *reasons);

#endif /* _PMSM_COMPAT_H */
