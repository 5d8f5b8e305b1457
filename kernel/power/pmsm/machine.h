/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part that each architecture has to provide.
 */
#ifndef _PMSM_MACHINE_H
#define _PMSM_MACHINE_H

#include <linux/compiler.h>

#include <asm/irqflags.h>

#include "wire.h"

void pmsm_machine_describe(struct pmsm_wire_hello *self);
unsigned int pmsm_machine_cap_name(unsigned int cap, char *buf,
				   unsigned int size);
void pmsm_machine_entry(struct pmsm_wire_begin *begin);
void pmsm_machine_set_entry(const struct pmsm_wire_begin *begin);
unsigned long pmsm_machine_safe_pages(void);
void pmsm_machine_power_off(void);

/* Power this machine off, or stop it if that does not work */
static inline void __noreturn pmsm_machine_off(void)
{
	pmsm_machine_power_off();
	for (;;)
		native_halt();
}

#endif /* _PMSM_MACHINE_H */
