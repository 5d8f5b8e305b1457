/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between its restore and the source's word a machine may not be seen.
 */
#ifndef _PMSM_GATE_H
#define _PMSM_GATE_H

void pmsm_gate_build(void);
void pmsm_gate_close_disks(void);
void pmsm_gate_close_net(void);
void pmsm_gate_open(void);
void pmsm_gate_remove(void);

#endif /* _PMSM_GATE_H */
