// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one end of a conversation ought to do: the chapters "Frames" and "The
 * session" of Documentation/power/pmsm-protocol.rst once more.
 */

#include "model.h"

static u32 sum_of(const void *bytes, unsigned int len)
{
	return crc32c(0, bytes, len);
}

/**
 * model_frame_good - whether a frame is one of this protocol and whole
 * @frame: Its first byte.
 * @len: How many there are.
 *
 * Return: true if so.
 */
bool model_frame_good(const struct pmsm_frame *frame, unsigned int len)
{
	const u8 *bytes = (const u8 *)frame;
	const u8 head[] = { 0x88, 0xb5, PMSM_VERSION };
	unsigned int payload;
	u32 crc;

	if (len < 48 || memcmp(bytes + 12, head, sizeof(head)) ||
	    memcmp(bytes + 16, "PMSM", 4))
		return false;
	payload = bytes[20] << 8 | bytes[21];
	if (48 + payload > len)
		return false;
	crc = crc32c(~0U, bytes + 12, 28);
	crc = ~crc32c(crc, bytes + 44, 4 + payload);
	return crc == ((u32)bytes[40] << 24 | bytes[41] << 16 |
		       bytes[42] << 8 | bytes[43]);
}

/**
 * model_open - begin to compare with a session
 * @m: The model.
 * @s: The session, with nothing under way but what is being sent now.
 * @aside: Number of another session that it may end.
 */
void model_open(struct model *m, const struct pmsm_session *s, u64 aside)
{
	memset(m, 0, sizeof(*m));
	m->s = s;
	m->id = s->id;
	m->aside = aside;
	memcpy(m->self, s->link->addr, ETH_ALEN);
	memcpy(m->peer, s->peer, ETH_ALEN);
	m->rx_next = s->rx_next;
	m->rx_window = s->rx_window;
	m->tx_next = s->tx_una;
	m->tx_una = s->tx_una;
	m->tx_slots = s->link->tx_slots - PMSM_LOOSE_SLOTS;
	m->peer_window = s->peer_window;
	must(m->rx_window <= MODEL_WINDOW && m->tx_slots <= MODEL_WINDOW);
}

static struct message *held(struct model *m, u32 seq)
{
	return &m->held[seq % m->rx_window];
}

static struct sent *sent(struct model *m, u32 seq)
{
	return &m->sent[seq % MODEL_WINDOW];
}

/* Whether a frame of this number is under way */
static bool under_way(const struct model *m, u32 seq)
{
	return seq - m->tx_una < m->tx_next - m->tx_una;
}

/* Where bit n of an ACK is: words of 8 bytes, the highest first */
static u32 byte_of(u32 n)
{
	return n / 64 * 8 + 7 - n % 64 / 8;
}

static void input_sack(struct model *m, u32 base, const u8 *bytes)
{
	u32 i;

	for (i = 0; i < PMSM_WINDOW_MAX; i++) {
		if (!bytes[byte_of(i)])
			i |= 7;
		else if (bytes[byte_of(i)] >> i % 8 & 1 && under_way(m, base + i))
			sent(m, base + i)->sacked = true;
	}
}

static void input_ack(struct model *m, const struct pmsm_frame *frame)
{
	u32 ack = be32_to_cpu(frame->ack);

	if (ack != m->tx_una && under_way(m, ack - 1))
		m->tx_una = ack;
	if (frame->type == PMSM_ACK &&
	    be16_to_cpu(frame->len) >= PMSM_WINDOW_MAX / 8)
		input_sack(m, ack + 1, frame->payload);
}

static void input_sequenced(struct model *m, const struct pmsm_frame *frame)
{
	unsigned int len = be16_to_cpu(frame->len);
	struct message message = {
		.here	= true,
		.type	= frame->type,
		.len	= len,
		.sum	= sum_of(frame->payload, len),
	};
	u32 seq = be32_to_cpu(frame->seq);

	if (seq == m->rx_next)
		m->looked_at = message;
	else if (seq - m->rx_next < m->rx_window && !held(m, seq)->here &&
		 sizeof(*frame) + len <= m->s->link->frame_size)
		*held(m, seq) = message;
}

/* The peer begins the second half of the conversation */
static void renew(struct model *m)
{
	m->id++;
	m->rx_next = 0;
	m->tx_next = 0;
	m->tx_una = 0;
	memset(m->held, 0, sizeof(m->held));
}

/* Until somebody has answered, the peer may be anybody */
static void choose_peer(struct model *m, const struct pmsm_frame *frame)
{
	if (!is_broadcast_ether_addr(m->peer) ||
	    is_broadcast_ether_addr(m->s->peer))
		return;
	must(frame->type == PMSM_ACCEPT || frame->type == PMSM_REFUSE);
	must(be64_to_cpu(frame->session) == m->id);
	must(!memcmp(frame->src, m->s->peer, ETH_ALEN));
	memcpy(m->peer, frame->src, ETH_ALEN);
}

/**
 * model_look - the session is about to look at a frame
 * @m: The model.
 */
void model_look(struct model *m)
{
	m->may_renew = m->s->renewable;
}

/**
 * model_input - the session looks at a frame, and has delivered nothing yet
 * @m: The model.
 * @frame: The frame.
 * @len: Its length.
 */
void model_input(struct model *m, const struct pmsm_frame *frame,
		 unsigned int len)
{
	u64 id;

	m->looked_at.here = false;
	m->sequenced = false;
	if (!model_frame_good(frame, len))
		return;
	id = be64_to_cpu(frame->session);
	choose_peer(m, frame);
	if (memcmp(frame->src, m->peer, ETH_ALEN))
		return;
	if (m->may_renew && id == m->id + 1)
		renew(m);
	if (id != m->id)
		return;
	m->peer_window = clamp_t(u32, be16_to_cpu(frame->window), 1,
				 PMSM_WINDOW_MAX);
	input_ack(m, frame);
	m->sequenced = frame->type < PMSM_SEQUENCED;
	if (m->sequenced)
		input_sequenced(m, frame);
}

/**
 * model_deliver - the session delivers a message
 * @m: The model.
 * @type: Its type.
 * @payload: Its payload.
 * @len: Length of that.
 */
void model_deliver(struct model *m, unsigned int type, const void *payload,
		   unsigned int len)
{
	struct message *next = held(m, m->rx_next);

	if (m->looked_at.here)
		next = &m->looked_at;
	must(next->here);
	must(next->type == type);
	must(next->len == len);
	must(next->sum == sum_of(payload, len));
	m->looked_at.here = false;
	held(m, m->rx_next)->here = false;
	m->rx_next++;
}

/**
 * model_input_done - the session has taken the frame
 * @m: The model.
 */
void model_input_done(struct model *m)
{
	if (m->sequenced && !m->s->error) {
		must(!m->looked_at.here);
		must(!held(m, m->rx_next)->here);
	}
	m->looked_at.here = false;
}

static void check_sack(struct model *m, const struct pmsm_frame *frame)
{
	u8 bytes[PMSM_WINDOW_MAX / 8] = {};
	u32 i;

	for (i = 0; i + 1 < m->rx_window; i++)
		if (held(m, m->rx_next + 1 + i)->here)
			bytes[byte_of(i)] |= 1 << i % 8;
	must(be16_to_cpu(frame->len) == sizeof(bytes));
	must(!memcmp(frame->payload, bytes, sizeof(bytes)));
}

static void send_new(struct model *m, const struct pmsm_frame *frame, u32 sum)
{
	must(m->tx_next - m->tx_una < min(m->tx_slots, m->peer_window));
	must(be32_to_cpu(frame->ack) == m->rx_next);
	must(!memcmp(frame->dst, m->peer, ETH_ALEN));
	*sent(m, m->tx_next++) = (struct sent){ sum };
}

static void send_again(struct model *m, u32 seq, u32 sum)
{
	must(under_way(m, seq));
	must(!sent(m, seq)->sacked);
	must(sent(m, seq)->sum == sum);
}

/**
 * model_send - the session sends a frame
 * @m: The model.
 * @frame: The frame.
 * @len: Its length.
 */
void model_send(struct model *m, const struct pmsm_frame *frame,
		unsigned int len)
{
	u32 seq = be32_to_cpu(frame->seq), sum = sum_of(frame, len);

	must(len == sizeof(*frame) + be16_to_cpu(frame->len));
	must(model_frame_good(frame, len));
	must(!memcmp(frame->src, m->self, ETH_ALEN));
	if (m->aside && be64_to_cpu(frame->session) == m->aside) {
		must(frame->type == PMSM_RESET);
		return;
	}
	must(be64_to_cpu(frame->session) == m->id);
	must(be16_to_cpu(frame->window) == m->rx_window);
	must(!frame->pad);
	if (frame->type < PMSM_SEQUENCED) {
		if (seq == m->tx_next)
			send_new(m, frame, sum);
		else
			send_again(m, seq, sum);
		return;
	}
	must(frame->type < PMSM_TYPES);
	must(!seq);
	must(be32_to_cpu(frame->ack) == m->rx_next);
	must(!memcmp(frame->dst, m->peer, ETH_ALEN));
	if (frame->type == PMSM_ACK)
		check_sack(m, frame);
}
