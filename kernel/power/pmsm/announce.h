/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tell the network where this machine is now.
 */
#ifndef _PMSM_ANNOUNCE_H
#define _PMSM_ANNOUNCE_H

#ifdef CONFIG_INET
void pmsm_announce(void);
#else
static inline void pmsm_announce(void) { }
#endif

#endif /* _PMSM_ANNOUNCE_H */
