/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A question to whoever listens, while everything still runs.
 */
#ifndef _PMSM_ASK_H
#define _PMSM_ASK_H

#include <linux/types.h>

struct pmsm_reasons;
struct pmsm_session;

int pmsm_ask_hello(struct pmsm_session *s, u32 flags,
		   struct pmsm_reasons *reasons);
int pmsm_ask_wait(struct pmsm_session *s, const bool *answered);
void pmsm_ask_explain(const struct pmsm_session *s, int error, char *text,
		      unsigned int size);

#endif /* _PMSM_ASK_H */
