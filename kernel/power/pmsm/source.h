/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration as the source sees it.
 */
#ifndef _PMSM_SOURCE_H
#define _PMSM_SOURCE_H

#include "pmsm.h"
#include "reasons.h"
#include "session.h"
#include "stream.h"

/**
 * struct pmsm_source - a migration as the source sees it
 * @session: The conversation.
 * @stream: The image on its way.
 * @target: What the target says of itself.
 * @account: What it will tell the target of itself.
 * @reasons: What was found to speak against the move before anything stopped.
 * @reason: Words for what is wrong with this machine.
 * @accepted: The target has accepted.
 * @ended: All of the image has been sent.
 * @verified: The target has the image, whole.
 * @resumed: The restored kernel runs there, and its devices work.
 * @ready: It waits for our word.
 * @decided: We have given it, or begun to.
 * @committed: It has heard.
 * @verified_at: pmsm_clock() when @verified came.
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
	struct pmsm_wire_prepare account;
	struct pmsm_reasons reasons;
	char reason[PMSM_REASON_LEN];
	bool accepted;
	bool ended;
	bool verified;
	bool resumed;
	bool ready;
	bool decided;
	bool committed;
	u64 verified_at;
	u64 mark;
	u64 phase_ns[PMSM_PHASES];
};

/* negotiate.c */
int pmsm_source_negotiate(struct pmsm_source *source);

/* answer.c */
int pmsm_source_deliver(void *ctx, unsigned int type, const void *payload,
			unsigned int len, u32 crc);

/* handover.c */
int pmsm_hand_over(struct pmsm_source *source,
		   const struct pmsm_settings *settings);

#endif /* _PMSM_SOURCE_H */
