/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration as the target sees it.
 */
#ifndef _PMSM_TARGET_H
#define _PMSM_TARGET_H

#include "pmsm.h"
#include "reasons.h"
#include "session.h"
#include "store.h"

/**
 * struct pmsm_target - a migration as the target sees it
 * @session: The conversation.
 * @store: Where the image goes.
 * @source: What the source says of itself.
 * @self: What this machine says.
 * @begin: The image as a whole.
 * @account: The source's account of itself.
 * @open: Devices are stopped, and the image may come.
 * @stopped: The NIC is silent, for what comes would fall into the image.
 * @asked: A HELLO has come and waits for an answer.
 * @begun: @begin is there.
 * @planned: The last MAP has been seen.
 * @ended: All is here and verified.
 * @prepared: The source has told us to restore it.
 * @verified: pmsm_clock() when it was told that all is here.
 * @prepared_at: Time stamp counter when PREPARE came.
 * @digest: So far.
 * @data_pages: As END said.
 * @zero_pages: As END said.
 * @started: pmsm_clock() at BEGIN.
 * @told: When progress was last printed.
 * @timeout: Longest silence once the image has begun, in ns.
 * @handover: A page for the machine that this one becomes.
 * @reasons: What this machine has against the source.
 * @reason: Words for the error that ended it.
 */
struct pmsm_target {
	struct pmsm_session session;
	struct pmsm_store store;
	struct pmsm_wire_hello source;
	struct pmsm_wire_hello self;
	struct pmsm_wire_begin begin;
	struct pmsm_wire_prepare account;
	bool open;
	bool stopped;
	bool asked;
	bool begun;
	bool planned;
	bool ended;
	bool prepared;
	u64 verified;
	u64 prepared_at;
	u64 digest;
	u64 data_pages;
	u64 zero_pages;
	u64 started;
	u64 told;
	u64 timeout;
	struct pmsm_handover *handover;
	struct pmsm_reasons reasons;
	char reason[PMSM_REASON_LEN];
};

__printf(3, 4)
int pmsm_fail(struct pmsm_target *target, int error, const char *fmt, ...);
int pmsm_target_deliver(void *ctx, unsigned int type, const void *payload,
			unsigned int len, u32 crc);
int pmsm_target_write_handover(struct pmsm_target *target);
int pmsm_target_restore(struct pmsm_target *target);

#endif /* _PMSM_TARGET_H */
