/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is left to say when it is decided who runs.
 */
#ifndef _PMSM_AFTER_H
#define _PMSM_AFTER_H

#include "session.h"

void pmsm_after_answer(struct pmsm_session *s, const struct pmsm_frame *frame,
		       unsigned int len);
void pmsm_after_moved(struct pmsm_session *s, void (*done)(void));
void pmsm_after_failed(struct pmsm_session *s, void (*done)(void));
void pmsm_after_end(void);

#endif /* _PMSM_AFTER_H */
