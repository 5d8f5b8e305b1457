/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration as the source sees it.
 */
#ifndef _PMSM_SOURCE_H
#define _PMSM_SOURCE_H

#include "pmsm.h"
#include "session.h"
#include "stream.h"

/**
 * struct pmsm_source - a migration as the source sees it
 * @session: The conversation.
 * @stream: The image on its way.
 * @target: What the target says of itself.
 * @reason: Words for what is wrong with this machine.
 * @accepted: The target has accepted.
 * @ready: pmsm_clock() when the target said that it has the image, verified.
 * @committed: The target has taken over.
 * @mark: pmsm_clock() at the end of the last phase.
 * @phase_ns: Duration of the phases.
 *
 * Lives in memory that the image leaves out, for it changes while memory is
 * being sent.
 */
struct pmsm_source {
	struct pmsm_session session;
	struct pmsm_stream stream;
	struct pmsm_wire_hello target;
	char reason[PMSM_REASON_LEN];
	bool accepted;
	bool committed;
	u64 ready;
	u64 mark;
	u64 phase_ns[PMSM_PHASES];
};

int pmsm_source_negotiate(struct pmsm_source *source);

#endif /* _PMSM_SOURCE_H */
