/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spare TCP peers the wait for their retransmission timers.
 */
#ifndef _PMSM_TCP_H
#define _PMSM_TCP_H

#ifdef CONFIG_INET
void pmsm_tcp_hold(void);
void pmsm_tcp_release(void);
#else
static inline void pmsm_tcp_hold(void) { }
static inline void pmsm_tcp_release(void) { }
#endif

#endif /* _PMSM_TCP_H */
