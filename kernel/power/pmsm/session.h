/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reliable, ordered, checked messages over a link that may lose, repeat,
 * reorder and damage frames.  Knows nothing of what the messages are about.
 */
#ifndef _PMSM_SESSION_H
#define _PMSM_SESSION_H

#include <linux/errno.h>
#include <linux/types.h>

#include "wire.h"

struct pmsm_link;

/* Transmit slots set aside for frames outside the sequence */
#define PMSM_LOOSE_SLOTS	8
/* The receive window of the side that only gets short answers, in frames */
#define PMSM_WINDOW_SMALL	8
#define PMSM_REASON_LEN		160
/* All of a REFUSE: what fits into the shortest frames */
#define PMSM_REFUSE_LEN		1400
/* No errno is this or above */
#define PMSM_ERRNO_MAX		512

#define PMSM_NS_PER_MS		1000000ULL

/**
 * struct pmsm_tx - a sequenced frame that waits for its acknowledgment
 * @sent: When it was last sent, in ns.
 * @len: Bytes of the whole frame.
 * @tries: How often it was sent.
 * @sacked: The peer has it, out of order.
 */
struct pmsm_tx {
	u64 sent;
	u16 len;
	u8 tries;
	bool sacked;
};

/**
 * struct pmsm_session_stats - counters, of frames unless said otherwise
 * @tx: Sequenced frames sent, each counted once.
 * @retransmits: Sequenced frames sent again.
 * @rx: Sequenced frames delivered.
 * @duplicates: Sequenced frames that had been received before.
 * @reordered: Sequenced frames that came before their turn and were held.
 * @damaged: Frames with a wrong CRC or an impossible length.
 * @foreign: Frames of other protocols, sessions or senders.
 * @polls: Looks at the wire.
 */
struct pmsm_session_stats {
	u64 tx;
	u64 retransmits;
	u64 rx;
	u64 duplicates;
	u64 reordered;
	u64 damaged;
	u64 foreign;
	u64 polls;
};

/**
 * struct pmsm_session - one end of a conversation
 * @link: The link it runs over, open.
 * @deliver: Takes the next message; returns 0 or a negative errno that ends
 *	the session.  @crc is the CRC32C of the frame that carried it.
 * @ctx: First argument of @deliver.
 * @id: Session number.
 * @peer: Ethernet address of the other end.
 * @frame_size: Longest frame that both ends can take.
 * @error: 0, or the negative errno that ended the session.
 * @called_off: The peer has ended it by a RESET.
 * @reason: The peer's words about that, if it had any: one line, or after a
 *	REFUSE several.
 * @earlier: Number of another session with the same peer, of which a HELLO may
 *	still come late; or 0.
 * @timeout: Give up when nothing was heard for so long, in ns.
 * @heard: When a valid frame last came, in ns.
 * @renewable: The peer may open the second half of the conversation, under
 *	number @id + 1.
 * @renewed: It has.
 * @urgent: Send again after a few ms at the latest, no matter how busy
 *	the wire gets by that.
 * @tx_next: Sequence number of the next frame to send.
 * @tx_una: Oldest sequence number that is not acknowledged.
 * @tx_una_slot: Its transmit slot; later ones follow, modulo @tx_window.
 * @tx_window: Most frames that may wait for acknowledgment.
 * @peer_window: The same as the peer sees it.
 * @tx_sacked: Highest sequence number known to have arrived, plus one.
 * @tx: The waiting frames, by slot.
 * @loose: Next transmit slot for a frame outside the sequence.
 * @rx_next: Sequence number of the next frame to deliver.
 * @rx_window: Frames beyond @rx_next that can be held.
 * @hold: Memory for them.
 * @held: Their lengths by sequence number modulo @rx_window, 0 if absent.
 * @nr_held: How many are held.
 * @ack_due: Frames received since the last acknowledgment.
 * @ack_since: When the first of them came, in ns.
 * @ack_now: Acknowledge without waiting for more.
 * @srtt: Smoothed round-trip time, in ns, 0 if not known yet.
 * @rttvar: Its mean deviation.
 * @checked: When the retransmission timers were last looked at, in ns.
 * @stats: Counters.
 *
 * Lives in memory that the image leaves out, as do the link's buffers.  All
 * calls come from one thread of control; there are no locks.
 */
struct pmsm_session {
	struct pmsm_link *link;
	int (*deliver)(void *ctx, unsigned int type, const void *payload,
		       unsigned int len, u32 crc);
	void *ctx;
	u64 id;
	u8 peer[ETH_ALEN];
	unsigned int frame_size;
	int error;
	bool called_off;
	char reason[PMSM_REFUSE_LEN];
	u64 earlier;
	u64 timeout;
	u64 heard;
	bool renewable;
	bool renewed;
	bool urgent;

	u32 tx_next;
	u32 tx_una;
	u32 tx_una_slot;
	u32 tx_window;
	u32 peer_window;
	u32 tx_sacked;
	struct pmsm_tx tx[PMSM_WINDOW_MAX];
	unsigned int loose;

	u32 rx_next;
	u32 rx_window;
	u8 *hold;
	u16 held[PMSM_WINDOW_MAX];
	unsigned int nr_held;
	unsigned int ack_due;
	u64 ack_since;
	bool ack_now;

	u64 srtt;
	u64 rttvar;
	u64 checked;
	struct pmsm_session_stats stats;
};

/**
 * enum pmsm_frame_check - verdict on a received frame
 * @PMSM_FRAME_GOOD: Ours, and whole.
 * @PMSM_FRAME_FOREIGN: Not of this protocol.
 * @PMSM_FRAME_VERSION: Of another version of it.
 * @PMSM_FRAME_DAMAGED: Ours, but not whole.
 */
enum pmsm_frame_check {
	PMSM_FRAME_GOOD,
	PMSM_FRAME_FOREIGN,
	PMSM_FRAME_VERSION,
	PMSM_FRAME_DAMAGED,
};

enum pmsm_frame_check pmsm_frame_check(const struct pmsm_frame *frame,
				       unsigned int len);
u32 pmsm_frame_crc(const struct pmsm_frame *frame);
void pmsm_frame_reason(const struct pmsm_frame *frame, int *code, char *text,
		       unsigned int size);

size_t pmsm_session_hold_size(const struct pmsm_link *link, u32 rx_window);
void pmsm_session_persist(struct pmsm_session *s);
void pmsm_session_init(struct pmsm_session *s, struct pmsm_link *link, u64 id,
		       u32 rx_window, u8 *hold);
void *pmsm_session_reserve(struct pmsm_session *s, unsigned int *room);
void pmsm_session_commit(struct pmsm_session *s, unsigned int type,
			 unsigned int len, u64 now, u32 *crc);
bool pmsm_session_send_loose(struct pmsm_session *s, unsigned int type,
			     const void *payload, unsigned int len);
void pmsm_session_send_reason(struct pmsm_session *s, unsigned int type,
			      int error, const char *text);
void pmsm_session_acknowledge(struct pmsm_session *s);
int pmsm_session_input(struct pmsm_session *s, const struct pmsm_frame *frame,
		       unsigned int len, u64 now);
int pmsm_session_poll(struct pmsm_session *s, u64 now);

/**
 * pmsm_session_idle - whether the peer has everything that was sent
 * @s: The session.
 *
 * Return: true if nothing waits for acknowledgment.
 */
static inline bool pmsm_session_idle(const struct pmsm_session *s)
{
	return s->tx_una == s->tx_next;
}

#endif /* _PMSM_SESSION_H */
