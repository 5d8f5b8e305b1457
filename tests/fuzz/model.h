/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one end of a conversation ought to do, told from what it gets: slow and
 * simple, for comparison.
 */
#ifndef _FUZZ_MODEL_H
#define _FUZZ_MODEL_H

#include <linux/pmsm.h>

#include "fuzz.h"
#include "session.h"

/* Longest window that the fuzzers use */
#define MODEL_WINDOW	64

/**
 * struct message - a sequenced message
 * @here: There is one.
 * @type: Its type.
 * @len: Its length.
 * @sum: Checksum of its payload.
 */
struct message {
	bool here;
	u8 type;
	u16 len;
	u32 sum;
};

/**
 * struct sent - a sequenced frame that was sent
 * @sum: Checksum of the whole frame.
 * @sacked: The peer says that it has it.
 */
struct sent {
	u32 sum;
	bool sacked;
};

/**
 * struct model - one end
 * @s: The session that it is compared with.
 * @id: Session number.
 * @aside: Number of another session that it may end.
 * @self: Ethernet address of this end.
 * @peer: Of the other.
 * @may_renew: The peer may begin the second half of the conversation.
 * @rx_next: Next sequence number to deliver.
 * @rx_window: Frames that this end can hold.
 * @sequenced: What has come is a sequenced frame.
 * @looked_at: What has come in its turn, and is being looked at.
 * @held: What came early, by sequence number modulo @rx_window.
 * @tx_next: Next sequence number to send.
 * @tx_una: The oldest that is not acknowledged.
 * @tx_slots: Most frames that this end may have under way.
 * @peer_window: Most that its peer allows.
 * @sent: What is under way, by sequence number modulo %MODEL_WINDOW.
 */
struct model {
	const struct pmsm_session *s;
	u64 id;
	u64 aside;
	u8 self[ETH_ALEN];
	u8 peer[ETH_ALEN];
	bool may_renew;
	u32 rx_next;
	u32 rx_window;
	bool sequenced;
	struct message looked_at;
	struct message held[MODEL_WINDOW];
	u32 tx_next;
	u32 tx_una;
	u32 tx_slots;
	u32 peer_window;
	struct sent sent[MODEL_WINDOW];
};

bool model_frame_good(const struct pmsm_frame *frame, unsigned int len);
void model_open(struct model *m, const struct pmsm_session *s, u64 aside);
void model_look(struct model *m);
void model_input(struct model *m, const struct pmsm_frame *frame,
		 unsigned int len);
void model_deliver(struct model *m, unsigned int type, const void *payload,
		   unsigned int len);
void model_input_done(struct model *m);
void model_send(struct model *m, const struct pmsm_frame *frame,
		unsigned int len);

#endif /* _FUZZ_MODEL_H */
