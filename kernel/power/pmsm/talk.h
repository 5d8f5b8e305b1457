/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sending and waiting for the other side.
 */
#ifndef _PMSM_TALK_H
#define _PMSM_TALK_H

#include <linux/types.h>

#include "session.h"

int pmsm_talk_poll(struct pmsm_session *s);
int pmsm_talk_wait(struct pmsm_session *s, const bool *condition);
int pmsm_talk_wait_until(struct pmsm_session *s, const bool *condition,
			 u64 until);
void *pmsm_talk_reserve(struct pmsm_session *s, unsigned int *room);
int pmsm_talk_queue(struct pmsm_session *s, enum pmsm_type type,
		    const void *payload, unsigned int len, bool *queued);
int pmsm_talk_send(struct pmsm_session *s, enum pmsm_type type,
		   const void *payload, unsigned int len);
void pmsm_talk_call_off(struct pmsm_session *s, int error, const char *text);
void pmsm_talk_flush(struct pmsm_session *s);

#endif /* _PMSM_TALK_H */
