// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reliable, ordered, checked messages over a lossy link.
 *
 * A sliding window with selective acknowledgments (as RFC 2018 has them for
 * TCP) and a retransmission timer after RFC 6298.  There is no congestion
 * control: the link is dedicated, and nobody else queues on it.
 *
 * Everything here may run while the machine's own memory is being sent, so
 * this file allocates nothing, prints nothing, takes no lock and keeps all its
 * state in struct pmsm_session.  The caller tells it the time.
 */

#include <linux/bitops.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/pmsm.h>
#include <linux/string.h>

#include "checksum.h"
#include "session.h"

/*
 * Acknowledge at the latest after so many frames, or so much time: each answer
 * costs a doorbell, and the sender has a window full of frames under way.
 */
#define PMSM_ACK_EVERY		32
#define PMSM_ACK_DELAY		(PMSM_NS_PER_MS / 2)
/* Later arrivals that make a missing frame look lost rather than late */
#define PMSM_REORDER		3
/* Frames sent again at one look at the timers, so that a dead link stays calm */
#define PMSM_RETRANSMIT_BURST	32

#define PMSM_RTO_MIN		(50 * PMSM_NS_PER_MS)
#define PMSM_RTO_MAX		(500 * PMSM_NS_PER_MS)
/* For the few last messages, each of which may stop the machine if it is lost */
#define PMSM_RTO_URGENT		(5 * PMSM_NS_PER_MS)
#define PMSM_RTO_START		(100 * PMSM_NS_PER_MS)
#define PMSM_TIMER_TICK		(2 * PMSM_NS_PER_MS)

/* Sequence numbers wrap, so "before" is a matter of the shorter way round */
static bool seq_before(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}

/**
 * pmsm_frame_crc - CRC32C of a frame
 * @frame: The frame.  Its length field must have been checked.
 *
 * Return: the checksum that belongs into the frame's crc field.
 */
u32 pmsm_frame_crc(const struct pmsm_frame *frame)
{
	const unsigned int head = offsetof(struct pmsm_frame, crc);
	const unsigned int tail = head + sizeof(frame->crc);
	const u8 *bytes = (const u8 *)frame;
	u32 crc;

	crc = pmsm_crc32c(~0U, bytes + PMSM_CRC_START, head - PMSM_CRC_START);
	crc = pmsm_crc32c(crc, bytes + tail,
			  sizeof(*frame) - tail + be16_to_cpu(frame->len));
	return ~crc;
}

/**
 * pmsm_frame_check - look at a frame from the wire before anything else does
 * @frame: Its first byte.
 * @len: How many bytes there are.
 *
 * Return: what is wrong with it, or %PMSM_FRAME_GOOD.
 */
enum pmsm_frame_check pmsm_frame_check(const struct pmsm_frame *frame,
				       unsigned int len)
{
	if (len < sizeof(*frame) ||
	    frame->ethertype != cpu_to_be16(PMSM_ETHERTYPE) ||
	    frame->magic != cpu_to_be32(PMSM_MAGIC))
		return PMSM_FRAME_FOREIGN;
	/* Longer is fine: Ethernet pads short frames */
	if (be16_to_cpu(frame->len) > len - sizeof(*frame))
		return PMSM_FRAME_DAMAGED;
	if (be32_to_cpu(frame->crc) != pmsm_frame_crc(frame))
		return PMSM_FRAME_DAMAGED;
	/* Last: a flipped bit there is damage, not another version */
	if (frame->version != PMSM_VERSION)
		return PMSM_FRAME_VERSION;
	return PMSM_FRAME_GOOD;
}

/* Only a REFUSE has lines */
static char printable(unsigned int type, char c)
{
	if (c == '\n' && type == PMSM_REFUSE)
		return c;
	return c >= ' ' && c <= '~' ? c : '?';
}

/**
 * pmsm_frame_reason - take the peer's words out of a REFUSE or RESET
 * @frame: A frame that pmsm_frame_check() found good.
 * @code: Where to put its error as a negative errno.
 * @text: Where to put its text, made printable and terminated.
 * @size: Room there in bytes.
 */
void pmsm_frame_reason(const struct pmsm_frame *frame, int *code, char *text,
		       unsigned int size)
{
	const struct pmsm_wire_reason *reason = (const void *)frame->payload;
	unsigned int len = be16_to_cpu(frame->len);
	unsigned int i;
	u32 errno_sent;

	*code = -ECONNREFUSED;
	text[0] = '\0';
	if (len < sizeof(*reason))
		return;

	errno_sent = be32_to_cpu(reason->code);
	if (errno_sent > 0 && errno_sent < PMSM_ERRNO_MAX)
		*code = -(int)errno_sent;

	len = min_t(unsigned int, len - sizeof(*reason), size - 1);
	for (i = 0; i < len; i++)
		text[i] = printable(frame->type, reason->text[i]);
	text[len] = '\0';
}

/* Frames lie at multiples of 8, as drivers have them */
static size_t hold_stride(const struct pmsm_link *link)
{
	return round_up(link->frame_size, 8);
}

/**
 * pmsm_session_hold_size - memory that a session needs for early frames
 * @link: The link, open.
 * @rx_window: Frames it is ready to hold.
 *
 * Return: bytes.
 */
size_t pmsm_session_hold_size(const struct pmsm_link *link, u32 rx_window)
{
	return rx_window * hold_stride(link);
}

/**
 * pmsm_session_init - start a conversation
 * @s: The session, in memory that the image leaves out.
 * @link: The link, open.
 * @id: Session number.
 * @rx_window: Frames that this side can hold, a power of two, at most
 *	%PMSM_WINDOW_MAX.
 * @hold: pmsm_session_hold_size() bytes for them.
 *
 * The caller sets @deliver, @ctx, @peer and @timeout afterwards.
 */
void pmsm_session_init(struct pmsm_session *s, struct pmsm_link *link, u64 id,
		       u32 rx_window, u8 *hold)
{
	memset(s, 0, sizeof(*s));
	s->link = link;
	s->id = id;
	s->rx_window = rx_window;
	s->hold = hold;
	s->frame_size = link->frame_size;
	s->tx_window = min_t(u32, PMSM_WINDOW_MAX,
			     link->tx_slots - PMSM_LOOSE_SLOTS);
	/* Until the peer says more, only the opening message may go */
	s->peer_window = 1;
}

/*
 * The second half of the conversation has begun: the peer is the same, but has
 * forgotten the first.
 */
static void renew(struct pmsm_session *s)
{
	s->id++;
	s->renewable = false;
	s->renewed = true;
	s->tx_next = 0;
	s->tx_una = 0;
	s->tx_una_slot = 0;
	s->tx_sacked = 0;
	s->rx_next = 0;
	memset(s->held, 0, sizeof(s->held));
	s->nr_held = 0;
	s->ack_due = 0;
}

/**
 * pmsm_session_persist - go on after an error, and wait for as long as it takes
 * @s: The session; the peer has not called it off.
 *
 * What was sent keeps being sent until the peer has it.
 */
void pmsm_session_persist(struct pmsm_session *s)
{
	s->error = 0;
	s->timeout = S64_MAX;
}

/* Not simply modulo @tx_window: slots must not jump when @seq wraps */
static unsigned int tx_slot(const struct pmsm_session *s, u32 seq)
{
	return (s->tx_una_slot + (seq - s->tx_una)) % s->tx_window;
}

static struct pmsm_tx *tx_of(struct pmsm_session *s, u32 seq)
{
	return &s->tx[tx_slot(s, seq)];
}

static struct pmsm_frame *tx_frame(struct pmsm_session *s, unsigned int slot)
{
	return s->link->ops->tx_buf(s->link, slot);
}

static void fill_header(struct pmsm_session *s, struct pmsm_frame *frame,
			unsigned int type, unsigned int len, u32 seq)
{
	memcpy(frame->dst, s->peer, ETH_ALEN);
	memcpy(frame->src, s->link->addr, ETH_ALEN);
	frame->ethertype = cpu_to_be16(PMSM_ETHERTYPE);
	frame->version = PMSM_VERSION;
	frame->type = type;
	frame->magic = cpu_to_be32(PMSM_MAGIC);
	frame->len = cpu_to_be16(len);
	frame->window = cpu_to_be16(s->rx_window);
	frame->session = cpu_to_be64(s->id);
	frame->seq = cpu_to_be32(seq);
	frame->ack = cpu_to_be32(s->rx_next);
	frame->pad = 0;
	frame->crc = cpu_to_be32(pmsm_frame_crc(frame));
}

/**
 * pmsm_session_reserve - get room for the next message
 * @s: The session.
 * @room: Where to put how many bytes the message may have.
 *
 * Return: the payload to fill, for pmsm_session_commit() to send, or NULL
 * while the window is full or the device still holds the buffer.
 */
void *pmsm_session_reserve(struct pmsm_session *s, unsigned int *room)
{
	unsigned int slot = tx_slot(s, s->tx_next);

	if (s->tx_next - s->tx_una >= min(s->tx_window, s->peer_window))
		return NULL;
	if (!s->link->ops->tx_idle(s->link, slot))
		return NULL;

	*room = s->frame_size - sizeof(struct pmsm_frame);
	return tx_frame(s, slot)->payload;
}

/**
 * pmsm_session_commit - send the message that was reserved
 * @s: The session.
 * @type: Its type, below %PMSM_SEQUENCED.
 * @len: Its length.
 * @now: The time in ns.
 * @crc: Where to put the checksum of the frame, or NULL.
 *
 * The message keeps being sent until the peer has it.
 */
void pmsm_session_commit(struct pmsm_session *s, unsigned int type,
			 unsigned int len, u64 now, u32 *crc)
{
	u32 seq = s->tx_next++;
	unsigned int slot = tx_slot(s, seq);
	struct pmsm_frame *frame = tx_frame(s, slot);
	struct pmsm_tx *tx = &s->tx[slot];

	fill_header(s, frame, type, len, seq);
	if (crc)
		*crc = be32_to_cpu(frame->crc);

	/* Silence is only silence if somebody ought to answer */
	if (seq == s->tx_una)
		s->heard = now;

	tx->sent = now;
	tx->len = sizeof(*frame) + len;
	tx->tries = 1;
	tx->sacked = false;
	s->stats.tx++;
	s->link->ops->send(s->link, slot, tx->len);
}

/**
 * pmsm_session_send_loose - send a message outside the sequence, once
 * @s: The session.
 * @type: Its type, above %PMSM_SEQUENCED.
 * @payload: Its payload, or NULL for @len bytes of whatever the buffer holds.
 * @len: Length of that.
 *
 * Return: false if no buffer is free right now.
 */
bool pmsm_session_send_loose(struct pmsm_session *s, unsigned int type,
			     const void *payload, unsigned int len)
{
	unsigned int slot = s->tx_window + s->loose;
	struct pmsm_frame *frame = tx_frame(s, slot);

	if (!s->link->ops->tx_idle(s->link, slot))
		return false;

	if (payload)
		memcpy(frame->payload, payload, len);
	fill_header(s, frame, type, len, 0);
	s->link->ops->send(s->link, slot, sizeof(*frame) + len);
	s->loose = (s->loose + 1) % PMSM_LOOSE_SLOTS;
	return true;
}

/**
 * pmsm_session_send_reason - tell the peer why not, once
 * @s: The session.
 * @type: %PMSM_REFUSE or %PMSM_RESET.
 * @error: Negative errno.
 * @text: One line; of a REFUSE, a reason a line.
 */
void pmsm_session_send_reason(struct pmsm_session *s, unsigned int type,
			      int error, const char *text)
{
	unsigned int slot = s->tx_window + s->loose;
	struct pmsm_wire_reason *reason;
	unsigned int len, room;

	room = s->frame_size - sizeof(struct pmsm_frame) - sizeof(*reason);
	len = min3((unsigned int)strlen(text), room, PMSM_REFUSE_LEN - 1U);
	if (!s->link->ops->tx_idle(s->link, slot))
		return;

	reason = (void *)tx_frame(s, slot)->payload;
	reason->code = cpu_to_be32(-error);
	memcpy(reason->text, text, len);
	if (pmsm_session_send_loose(s, type, NULL, sizeof(*reason) + len))
		s->link->ops->kick(s->link);
}

static void send_ack(struct pmsm_session *s)
{
	struct pmsm_wire_sack sack = {};
	u64 bits[PMSM_WINDOW_MAX / 64] = {};
	unsigned int i;

	for (i = 0; s->nr_held && i + 1 < s->rx_window; i++)
		if (s->held[(s->rx_next + 1 + i) % s->rx_window])
			bits[i / 64] |= 1ULL << (i % 64);
	for (i = 0; i < PMSM_WINDOW_MAX / 64; i++)
		sack.bits[i] = cpu_to_be64(bits[i]);

	if (!pmsm_session_send_loose(s, PMSM_ACK, &sack, sizeof(sack)))
		return;
	s->ack_due = 0;
	s->ack_now = false;
}

/**
 * pmsm_session_acknowledge - acknowledge what has come, without waiting for more
 * @s: The session.
 *
 * For whoever has heard the last word and goes away.
 */
void pmsm_session_acknowledge(struct pmsm_session *s)
{
	send_ack(s);
	s->link->ops->kick(s->link);
}

/* RFC 6298, section 2; frames sent twice give no sample (Karn's algorithm) */
static void sample_rtt(struct pmsm_session *s, u64 rtt)
{
	u64 deviation;

	if (!s->srtt) {
		s->srtt = max_t(u64, rtt, 1);
		s->rttvar = rtt / 2;
		return;
	}
	deviation = rtt > s->srtt ? rtt - s->srtt : s->srtt - rtt;
	s->rttvar += deviation / 4 - s->rttvar / 4;
	s->srtt += rtt / 8 - s->srtt / 8;
	s->srtt = max_t(u64, s->srtt, 1);
}

static u64 rto(const struct pmsm_session *s, const struct pmsm_tx *tx)
{
	u64 ns;

	if (s->urgent)
		return PMSM_RTO_URGENT;
	ns = s->srtt ? s->srtt + 4 * s->rttvar : PMSM_RTO_START;

	ns = clamp_t(u64, ns, PMSM_RTO_MIN, PMSM_RTO_MAX);
	ns <<= min_t(unsigned int, tx->tries - 1, 5);
	return min_t(u64, ns, PMSM_RTO_MAX);
}

static void take_ack(struct pmsm_session *s, u32 ack, u64 now)
{
	struct pmsm_tx *last;

	/* Old news, or of frames that were never sent */
	if (!seq_before(s->tx_una, ack) || seq_before(s->tx_next, ack))
		return;

	last = tx_of(s, ack - 1);
	if (last->tries == 1 && !last->sacked)
		sample_rtt(s, now - last->sent);
	s->tx_una_slot = tx_slot(s, ack);
	s->tx_una = ack;
	if (seq_before(s->tx_sacked, ack))
		s->tx_sacked = ack;
}

static void mark_sacked(struct pmsm_session *s, u32 seq)
{
	if (seq_before(seq, s->tx_una) || !seq_before(seq, s->tx_next))
		return;
	/* Holes are worth a look at once */
	s->checked = 0;
	tx_of(s, seq)->sacked = true;
	if (seq_before(s->tx_sacked, seq + 1))
		s->tx_sacked = seq + 1;
}

static void take_sack(struct pmsm_session *s, const struct pmsm_frame *frame)
{
	const struct pmsm_wire_sack *sack = (const void *)frame->payload;
	u32 base = be32_to_cpu(frame->ack) + 1;
	unsigned int i;
	u64 bits;

	if (be16_to_cpu(frame->len) < sizeof(*sack))
		return;

	for (i = 0; i < PMSM_WINDOW_MAX / 64; i++)
		for (bits = be64_to_cpu(sack->bits[i]); bits; bits &= bits - 1)
			mark_sacked(s, base + 64 * i + __ffs64(bits));
}

/* Whether the frame looks lost rather than late */
static bool looks_lost(struct pmsm_session *s, u32 seq, u64 now)
{
	const struct pmsm_tx *tx = tx_of(s, seq);
	u64 age = now - tx->sent;

	if (age > rto(s, tx))
		return true;
	return seq_before(seq + PMSM_REORDER, s->tx_sacked) &&
	       age > max_t(u64, s->srtt + s->rttvar, PMSM_NS_PER_MS);
}

static void retransmit(struct pmsm_session *s, u64 now)
{
	unsigned int burst = PMSM_RETRANSMIT_BURST;
	struct pmsm_tx *tx;
	u32 seq;

	if (now - s->checked < PMSM_TIMER_TICK)
		return;
	s->checked = now;

	for (seq = s->tx_una; burst && seq_before(seq, s->tx_next); seq++) {
		tx = tx_of(s, seq);
		if (tx->sacked || !looks_lost(s, seq, now))
			continue;
		/* Still queued in the device, or that is full: later */
		if (s->link->ops->send(s->link, tx_slot(s, seq), tx->len))
			continue;
		tx->sent = now;
		if (tx->tries < U8_MAX)
			tx->tries++;
		s->stats.retransmits++;
		burst--;
	}
}

static void deliver(struct pmsm_session *s, const struct pmsm_frame *frame)
{
	u32 i = s->rx_next % s->rx_window;
	int error;

	if (s->held[i]) {
		s->held[i] = 0;
		s->nr_held--;
	}
	s->rx_next++;
	s->stats.rx++;
	error = s->deliver(s->ctx, frame->type, frame->payload,
			   be16_to_cpu(frame->len), be32_to_cpu(frame->crc));
	if (error)
		s->error = error;
}

static struct pmsm_frame *held_frame(struct pmsm_session *s, u32 seq)
{
	return (void *)(s->hold + seq % s->rx_window * hold_stride(s->link));
}

static void deliver_held(struct pmsm_session *s)
{
	u32 i = s->rx_next % s->rx_window;

	while (!s->error && s->held[i]) {
		deliver(s, held_frame(s, s->rx_next));
		i = s->rx_next % s->rx_window;
	}
}

static void hold(struct pmsm_session *s, const struct pmsm_frame *frame,
		 unsigned int len, u32 ahead)
{
	u32 seq = be32_to_cpu(frame->seq);

	/* Out of order: the peer wants to know what is missing */
	s->ack_now = true;
	if (ahead >= s->rx_window || len > s->link->frame_size ||
	    s->held[seq % s->rx_window]) {
		s->stats.duplicates++;
		return;
	}
	memcpy(held_frame(s, seq), frame, len);
	s->held[seq % s->rx_window] = len;
	s->nr_held++;
	s->stats.reordered++;
}

static void take_sequenced(struct pmsm_session *s,
			   const struct pmsm_frame *frame, unsigned int len)
{
	u32 seq = be32_to_cpu(frame->seq);
	u32 ahead = seq - s->rx_next;

	if (!s->ack_due++)
		s->ack_since = s->heard;
	if (!ahead)
		deliver(s, frame);
	else
		hold(s, frame, len, ahead);
	deliver_held(s);
}

static bool from_peer(const struct pmsm_session *s,
		      const struct pmsm_frame *frame)
{
	return be64_to_cpu(frame->session) == s->id &&
	       !memcmp(frame->src, s->peer, ETH_ALEN);
}

static bool renews(const struct pmsm_session *s, const struct pmsm_frame *frame)
{
	return s->renewable && be64_to_cpu(frame->session) == s->id + 1 &&
	       !memcmp(frame->src, s->peer, ETH_ALEN);
}

/* The peer has forgotten this session, or it would not open another */
static bool starts_over(const struct pmsm_session *s,
			const struct pmsm_frame *frame)
{
	u64 id = be64_to_cpu(frame->session);

	/* Not if it comes late, from before this one or from its first half */
	return frame->type == PMSM_HELLO && id != s->id && id + 1 != s->id &&
	       id != s->earlier && !memcmp(frame->src, s->peer, ETH_ALEN);
}

/**
 * pmsm_session_input - take one frame from the wire
 * @s: The session.
 * @frame: The frame as received, unchecked.
 * @len: Its length.
 * @now: The time in ns.
 *
 * Return: 0, or the negative errno that ended the session.
 */
int pmsm_session_input(struct pmsm_session *s, const struct pmsm_frame *frame,
		       unsigned int len, u64 now)
{
	enum pmsm_frame_check check = pmsm_frame_check(frame, len);

	if (check == PMSM_FRAME_DAMAGED) {
		s->stats.damaged++;
		return 0;
	}
	if (check == PMSM_FRAME_GOOD && renews(s, frame))
		renew(s);
	if (check != PMSM_FRAME_GOOD || !from_peer(s, frame)) {
		s->stats.foreign++;
		if (check == PMSM_FRAME_GOOD && starts_over(s, frame))
			s->error = -ECONNRESET;
		return s->error;
	}

	s->heard = now;
	s->peer_window = clamp_t(u32, be16_to_cpu(frame->window), 1,
				 PMSM_WINDOW_MAX);
	take_ack(s, be32_to_cpu(frame->ack), now);

	switch (frame->type) {
	case 0 ... PMSM_SEQUENCED - 1:
		take_sequenced(s, frame, sizeof(*frame) + be16_to_cpu(frame->len));
		break;
	case PMSM_ACK:
		take_sack(s, frame);
		break;
	case PMSM_REFUSE:
	case PMSM_RESET:
		s->called_off |= frame->type == PMSM_RESET;
		pmsm_frame_reason(frame, &s->error, s->reason,
				  sizeof(s->reason));
		break;
	}
	return s->error;
}

/**
 * pmsm_session_poll - do what is to be done now
 * @s: The session.
 * @now: The time in ns.
 *
 * Takes what has arrived, acknowledges it, and sends again what was lost.
 * Call it as often as possible.
 *
 * Return: 0, or the negative errno that ended the session: -ETIMEDOUT when
 * the peer is silent, -ECONNRESET when it starts over, an errno of the peer's
 * when it has called it off, or what @deliver returned.
 */
int pmsm_session_poll(struct pmsm_session *s, u64 now)
{
	const struct pmsm_link_ops *ops = s->link->ops;
	struct pmsm_frame *frame;
	unsigned int len;

	while (!s->error && (frame = ops->recv(s->link, &len))) {
		pmsm_session_input(s, frame, len, now);
		ops->recv_done(s->link);
		if (s->ack_due >= PMSM_ACK_EVERY)
			send_ack(s);
	}
	if (s->ack_now || (s->ack_due && now - s->ack_since >= PMSM_ACK_DELAY))
		send_ack(s);
	if (!s->error)
		retransmit(s, now);
	ops->kick(s->link);

	if (!s->error && (s64)(now - s->heard) > (s64)s->timeout)
		s->error = -ETIMEDOUT;
	return s->error;
}
