/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The restored kernel on the target asks the source for the word to go.
 */
#ifndef _PMSM_ARRIVE_H
#define _PMSM_ARRIVE_H

#include "pmsm.h"
#include "session.h"

/**
 * struct pmsm_arrival - a migration as the restored kernel sees it
 * @session: The second half of the conversation.
 * @ready: The source has been asked.
 * @committed: It has decided.
 */
struct pmsm_arrival {
	struct pmsm_session session;
	bool ready;
	bool committed;
};

void pmsm_arrive(struct pmsm_arrival *arrival, struct pmsm_link *link,
		 const struct pmsm_handover *handover, u8 *hold,
		 unsigned int timeout_ms, const char *failure);

#endif /* _PMSM_ARRIVE_H */
