/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The source finds a target, while everything still runs.
 */
#ifndef _PMSM_NEGOTIATE_H
#define _PMSM_NEGOTIATE_H

#include <linux/types.h>

struct pmsm_reasons;
struct pmsm_session;

int pmsm_negotiate_hello(struct pmsm_session *s, u32 flags,
			 struct pmsm_reasons *reasons);
int pmsm_negotiate_wait(struct pmsm_session *s, const bool *answered);
void pmsm_negotiate_explain(const struct pmsm_session *s, int error,
			    char *text, unsigned int size);

#endif /* _PMSM_NEGOTIATE_H */
