// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the session: two ends, a bad wire between them, and a clock
 * that goes as fast as needed.
 */

#include <kunit/test.h>
#include <linux/crc32c.h>
#include <linux/pmsm.h>
#include <linux/prandom.h>
#include <linux/string.h>

#include "session.h"

#define WIRE_FRAME	1514
/* No power of two, so that session_wrap() can see slots jump */
#define WIRE_SLOTS	63
#define WIRE_QUEUE	512
#define WIRE_STEP	(100 * 1000ULL)
#define MESSAGES	1500

/**
 * struct wire_frame - a frame under way
 * @len: Its length.
 * @bytes: The frame, aligned as a driver would.
 */
struct wire_frame {
	unsigned int len;
	u8 bytes[WIRE_FRAME] __aligned(8);
};

/**
 * struct wire - one direction of a wire, with the end that reads from it
 * @link: The link of the end that reads here.
 * @far: The other direction.
 * @queue: Frames under way.
 * @head: Next to read.
 * @tail: Next to write.
 * @tx: Transmit buffers of the reading end.
 * @rnd: Random numbers.
 * @loss: Percent of frames lost.
 * @dup: Percent doubled.
 * @reorder: Percent that change places with the one before.
 * @flip: Percent with a flipped bit.
 * @cut: Nothing gets through.
 */
struct wire {
	struct pmsm_link link;
	struct wire *far;
	struct wire_frame *queue;
	unsigned int head;
	unsigned int tail;
	struct wire_frame tx[WIRE_SLOTS];
	struct rnd_state rnd;
	unsigned int loss, dup, reorder, flip;
	bool cut;
};

/**
 * struct end - a session and what it has received
 * @wire: What it reads from.
 * @session: The session.
 * @got: Messages received.
 * @wrong: Of them, out of order or damaged.
 * @refuse: What to return for the next message.
 */
struct end {
	struct wire *wire;
	struct pmsm_session *session;
	unsigned int got;
	unsigned int wrong;
	int refuse;
};

static bool hit(struct wire *wire, unsigned int percent)
{
	return prandom_u32_state(&wire->rnd) % 100 < percent;
}

static struct wire *wire_of(struct pmsm_link *link)
{
	return container_of(link, struct wire, link);
}

static void wire_put(struct wire *wire, const void *bytes, unsigned int len)
{
	struct wire_frame *frame, *before;
	u32 bit;

	if (wire->tail - wire->head == WIRE_QUEUE)
		return;
	frame = &wire->queue[wire->tail++ % WIRE_QUEUE];
	frame->len = len;
	memcpy(frame->bytes, bytes, len);
	if (hit(wire, wire->flip)) {
		bit = prandom_u32_state(&wire->rnd) % (len * 8);
		frame->bytes[bit / 8] ^= 1 << (bit % 8);
	}
	if (wire->tail - wire->head >= 2 && hit(wire, wire->reorder)) {
		before = &wire->queue[(wire->tail - 2) % WIRE_QUEUE];
		swap(*frame, *before);
	}
}

static void *wire_tx_buf(struct pmsm_link *link, unsigned int slot)
{
	return wire_of(link)->tx[slot].bytes;
}

static bool wire_tx_idle(struct pmsm_link *link, unsigned int slot)
{
	return true;
}

static int wire_send(struct pmsm_link *link, unsigned int slot,
		     unsigned int len)
{
	struct wire *far = wire_of(link)->far;

	if (far->cut || hit(far, far->loss))
		return 0;
	wire_put(far, wire_of(link)->tx[slot].bytes, len);
	if (hit(far, far->dup))
		wire_put(far, wire_of(link)->tx[slot].bytes, len);
	return 0;
}

static void wire_kick(struct pmsm_link *link)
{
}

static void *wire_recv(struct pmsm_link *link, unsigned int *len)
{
	struct wire *wire = wire_of(link);
	struct wire_frame *frame = &wire->queue[wire->head % WIRE_QUEUE];

	if (wire->head == wire->tail)
		return NULL;
	*len = frame->len;
	return frame->bytes;
}

static void wire_recv_done(struct pmsm_link *link)
{
	wire_of(link)->head++;
}

static const struct pmsm_link_ops wire_ops = {
	.tx_buf		= wire_tx_buf,
	.tx_idle	= wire_tx_idle,
	.send		= wire_send,
	.kick		= wire_kick,
	.recv		= wire_recv,
	.recv_done	= wire_recv_done,
};

/* Message n is of a length and content that depend on n */
static unsigned int message_len(unsigned int n)
{
	return sizeof(u32) + n * 37 % 1400;
}

static void fill_message(u8 *msg, unsigned int n)
{
	*(u32 *)msg = n;
	memset(msg + sizeof(u32), n * 7 + 1, message_len(n) - sizeof(u32));
}

static int end_deliver(void *ctx, unsigned int type, const void *payload,
		       unsigned int len, u32 crc)
{
	struct end *end = ctx;
	unsigned int n = end->got++;
	const u8 *bytes = payload;

	if (type != PMSM_DATA || len != message_len(n) ||
	    *(const u32 *)payload != n ||
	    memchr_inv(bytes + sizeof(u32), (u8)(n * 7 + 1), len - sizeof(u32)))
		end->wrong++;
	return end->refuse;
}

static struct wire *new_wire(struct kunit *test, u8 number)
{
	struct wire *wire = kunit_kzalloc(test, sizeof(*wire), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, wire);
	wire->queue = kunit_kcalloc(test, WIRE_QUEUE, sizeof(*wire->queue),
				    GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, wire->queue);
	wire->link.ops = &wire_ops;
	wire->link.frame_size = WIRE_FRAME;
	wire->link.tx_slots = WIRE_SLOTS;
	wire->link.rx_slots = WIRE_QUEUE;
	wire->link.addr[5] = number;
	prandom_seed_state(&wire->rnd, number);
	return wire;
}

static void new_end(struct kunit *test, struct end *end, struct wire *wire,
		    struct wire *far)
{
	u8 *hold;

	wire->far = far;
	end->wire = wire;
	end->session = kunit_kzalloc(test, sizeof(*end->session), GFP_KERNEL);
	hold = kunit_kzalloc(test, pmsm_session_hold_size(&wire->link, 32),
			     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, end->session);
	KUNIT_ASSERT_NOT_NULL(test, hold);
	pmsm_session_init(end->session, &wire->link, 0x1234, 32, hold);
	end->session->deliver = end_deliver;
	end->session->ctx = end;
	end->session->timeout = 1000 * PMSM_NS_PER_MS;
	end->session->heard = WIRE_STEP;
	memcpy(end->session->peer, far->link.addr, ETH_ALEN);
}

/**
 * struct pair - both ends
 * @end: The ends.
 * @now: The time.
 */
struct pair {
	struct end end[2];
	u64 now;
};

static struct pair *new_pair(struct kunit *test)
{
	struct pair *pair = kunit_kzalloc(test, sizeof(*pair), GFP_KERNEL);
	struct wire *a = new_wire(test, 1), *b = new_wire(test, 2);

	KUNIT_ASSERT_NOT_NULL(test, pair);
	new_end(test, &pair->end[0], a, b);
	new_end(test, &pair->end[1], b, a);
	pair->now = WIRE_STEP;
	return pair;
}

static bool send_next(struct pair *pair, struct end *end, unsigned int n)
{
	unsigned int room;
	u8 *msg = pmsm_session_reserve(end->session, &room);

	if (!msg)
		return false;
	fill_message(msg, n);
	pmsm_session_commit(end->session, PMSM_DATA, message_len(n), pair->now,
			    NULL);
	return true;
}

/* Send from one end until the other has all, or one of them gives up */
static int run(struct pair *pair, unsigned int messages)
{
	struct end *from = &pair->end[0], *to = &pair->end[1];
	unsigned int sent = 0, steps;
	int error = 0;

	for (steps = 0; steps < 1000000 && !error; steps++) {
		while (sent < messages && send_next(pair, from, sent))
			sent++;
		error = pmsm_session_poll(from->session, pair->now);
		if (!error)
			error = pmsm_session_poll(to->session, pair->now);
		pair->now += WIRE_STEP;
		if (to->got == messages && pmsm_session_idle(from->session))
			break;
	}
	return error;
}

static void make_bad(struct pair *pair, unsigned int loss, unsigned int dup,
		     unsigned int reorder, unsigned int flip)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct wire *wire = pair->end[i].wire;

		wire->loss = loss;
		wire->dup = dup;
		wire->reorder = reorder;
		wire->flip = flip;
	}
}

static void expect_all(struct kunit *test, struct pair *pair)
{
	KUNIT_EXPECT_EQ(test, run(pair, MESSAGES), 0);
	KUNIT_EXPECT_EQ(test, pair->end[1].got, MESSAGES);
	KUNIT_EXPECT_EQ(test, pair->end[1].wrong, 0);
}

static void session_clean(struct kunit *test)
{
	struct pair *pair = new_pair(test);

	expect_all(test, pair);
	KUNIT_EXPECT_EQ(test, pair->end[0].session->stats.retransmits, 0);
	KUNIT_EXPECT_EQ(test, pair->end[1].session->stats.damaged, 0);
}

static void session_loss(struct kunit *test)
{
	static const unsigned int percent[] = { 1, 5, 20, 50 };
	struct pair *pair;
	int i;

	for (i = 0; i < ARRAY_SIZE(percent); i++) {
		pair = new_pair(test);
		make_bad(pair, percent[i], 0, 0, 0);
		expect_all(test, pair);
		KUNIT_EXPECT_GT(test, pair->end[0].session->stats.retransmits, 0);
	}
}

static void session_dup(struct kunit *test)
{
	struct pair *pair = new_pair(test);

	make_bad(pair, 0, 20, 0, 0);
	expect_all(test, pair);
	KUNIT_EXPECT_GT(test, pair->end[1].session->stats.duplicates, 0);
}

static void session_reorder(struct kunit *test)
{
	struct pair *pair = new_pair(test);

	make_bad(pair, 0, 0, 20, 0);
	expect_all(test, pair);
	KUNIT_EXPECT_GT(test, pair->end[1].session->stats.reordered, 0);
}

static void session_flip(struct kunit *test)
{
	struct pair *pair = new_pair(test);

	make_bad(pair, 0, 0, 0, 20);
	expect_all(test, pair);
	KUNIT_EXPECT_GT(test, pair->end[1].session->stats.damaged, 0);
}

static void session_everything(struct kunit *test)
{
	struct pair *pair = new_pair(test);

	make_bad(pair, 20, 20, 20, 20);
	expect_all(test, pair);
}

static void session_wrap(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	u32 start = -MESSAGES / 2;

	pair->end[0].session->tx_next = start;
	pair->end[0].session->tx_una = start;
	pair->end[0].session->tx_sacked = start;
	pair->end[1].session->rx_next = start;
	make_bad(pair, 10, 5, 5, 0);
	expect_all(test, pair);
}

static void session_cut(struct kunit *test)
{
	struct pair *pair = new_pair(test);

	KUNIT_EXPECT_EQ(test, run(pair, 100), 0);
	pair->end[0].wire->cut = true;
	pair->end[1].wire->cut = true;
	pair->end[1].got = 0;
	KUNIT_EXPECT_EQ(test, run(pair, 100), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, pair->end[1].got, 0);
	KUNIT_EXPECT_FALSE(test, pair->end[0].session->called_off);
}

/* Who waits on after that gets through once the cable is mended */
static void session_persist(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	struct pmsm_session *from = pair->end[0].session;
	int i;

	for (i = 0; i < 2; i++)
		pair->end[i].wire->cut = true;
	KUNIT_EXPECT_EQ(test, run(pair, 100), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, pair->end[1].got, 0);
	for (i = 0; i < 2; i++)
		pmsm_session_persist(pair->end[i].session);
	pair->now += 3600ULL * 1000 * PMSM_NS_PER_MS;
	KUNIT_EXPECT_EQ(test, pmsm_session_poll(from, pair->now), 0);

	for (i = 0; i < 2; i++)
		pair->end[i].wire->cut = false;
	for (i = 0; i < 100000 && !pmsm_session_idle(from); i++) {
		KUNIT_ASSERT_EQ(test, pmsm_session_poll(from, pair->now), 0);
		pmsm_session_poll(pair->end[1].session, pair->now);
		pair->now += WIRE_STEP;
	}
	KUNIT_EXPECT_TRUE(test, pmsm_session_idle(from));
	KUNIT_EXPECT_GT(test, pair->end[1].got, 0);
	KUNIT_EXPECT_EQ(test, pair->end[1].wrong, 0);
}

static void session_refused(struct kunit *test)
{
	struct pair *pair = new_pair(test);

	pair->end[1].refuse = -EBADMSG;
	KUNIT_EXPECT_EQ(test, run(pair, 100), -EBADMSG);
}

static void session_reset(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	struct pmsm_session *s = pair->end[0].session;

	KUNIT_EXPECT_EQ(test, run(pair, 10), 0);
	pmsm_session_send_reason(pair->end[1].session, PMSM_RESET, -ENOSPC,
				 "no\nroom");
	KUNIT_EXPECT_EQ(test, pmsm_session_poll(s, pair->now), -ENOSPC);
	KUNIT_EXPECT_STREQ(test, s->reason, "no?room");
	KUNIT_EXPECT_TRUE(test, s->called_off);
}

static void session_refusal(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	struct pmsm_session *s = pair->end[0].session;
	char *text = kunit_kzalloc(test, 2 * PMSM_REFUSE_LEN, GFP_KERNEL);
	size_t len;

	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_EXPECT_EQ(test, run(pair, 10), 0);
	pmsm_session_send_reason(pair->end[1].session, PMSM_REFUSE, -ENOSPC,
				 "no\troom\nno CPU\n");
	KUNIT_EXPECT_EQ(test, pmsm_session_poll(s, pair->now), -ENOSPC);
	KUNIT_EXPECT_STREQ(test, s->reason, "no?room\nno CPU\n");
	KUNIT_EXPECT_FALSE(test, s->called_off);

	/* No longer than a frame */
	memset(text, 'x', 2 * PMSM_REFUSE_LEN - 1);
	s->error = 0;
	pmsm_session_send_reason(pair->end[1].session, PMSM_REFUSE, -ENOSPC,
				 text);
	KUNIT_EXPECT_EQ(test, pmsm_session_poll(s, pair->now), -ENOSPC);
	len = strlen(s->reason);
	KUNIT_EXPECT_GT(test, len, 100);
	KUNIT_EXPECT_LT(test, len, PMSM_REFUSE_LEN);
}

static void session_starts_over(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	struct pmsm_session *to = pair->end[1].session;

	KUNIT_EXPECT_EQ(test, run(pair, 10), 0);
	pair->end[0].session->id++;
	/* That of the dry run before this one comes late */
	to->earlier = pair->end[0].session->id;
	pmsm_session_commit(pair->end[0].session, PMSM_HELLO, 0, pair->now, NULL);
	KUNIT_EXPECT_EQ(test, pmsm_session_poll(to, pair->now), 0);
	pair->end[0].session->id++;
	pmsm_session_commit(pair->end[0].session, PMSM_HELLO, 0, pair->now, NULL);
	KUNIT_EXPECT_EQ(test, pmsm_session_poll(to, pair->now), -ECONNRESET);
}

/* One end is restored elsewhere and begins the second half */
static void forget(struct pair *pair)
{
	struct end *from = &pair->end[0];
	struct pmsm_session *s = from->session;
	u64 id = s->id + 1;

	pmsm_session_init(s, &from->wire->link, id, 32, s->hold);
	s->deliver = end_deliver;
	s->ctx = from;
	s->timeout = 1000 * PMSM_NS_PER_MS;
	s->heard = pair->now;
	memcpy(s->peer, from->wire->far->link.addr, ETH_ALEN);
	pair->end[1].got = 0;
}

static void session_renewed(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	struct pmsm_session *to = pair->end[1].session;

	KUNIT_EXPECT_EQ(test, run(pair, 100), 0);
	to->renewable = true;
	forget(pair);
	make_bad(pair, 5, 5, 5, 5);
	KUNIT_EXPECT_EQ(test, run(pair, 200), 0);
	KUNIT_EXPECT_EQ(test, pair->end[1].got, 200);
	KUNIT_EXPECT_EQ(test, pair->end[1].wrong, 0);
	KUNIT_EXPECT_TRUE(test, to->renewed);
	/* Only once */
	KUNIT_EXPECT_FALSE(test, to->renewable);
}

static void session_not_renewed(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	struct pmsm_session *to = pair->end[1].session;

	KUNIT_EXPECT_EQ(test, run(pair, 10), 0);
	forget(pair);
	KUNIT_EXPECT_EQ(test, run(pair, 10), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, pair->end[1].got, 0);
	KUNIT_EXPECT_FALSE(test, to->renewed);
}

/* The first half's HELLO comes late */
static void session_late_hello(struct kunit *test)
{
	struct pair *pair = new_pair(test);

	KUNIT_EXPECT_EQ(test, run(pair, 10), 0);
	pair->end[1].session->id++;
	pmsm_session_commit(pair->end[0].session, PMSM_HELLO, 0, pair->now, NULL);
	KUNIT_EXPECT_EQ(test, pmsm_session_poll(pair->end[1].session, pair->now),
			0);
}

static void session_foreign(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	struct pmsm_session *to = pair->end[1].session;
	u8 noise[200];
	int i;

	for (i = 0; i < 300; i++) {
		prandom_bytes_state(&pair->end[0].wire->rnd, noise, sizeof(noise));
		wire_put(pair->end[1].wire, noise, i % sizeof(noise));
		KUNIT_EXPECT_EQ(test, pmsm_session_poll(to, pair->now), 0);
	}
	/* A good frame of another session is as foreign */
	pair->end[0].session->id++;
	send_next(pair, &pair->end[0], 0);
	KUNIT_EXPECT_EQ(test, pmsm_session_poll(to, pair->now), 0);
	KUNIT_EXPECT_EQ(test, pair->end[1].got, 0);
	KUNIT_EXPECT_EQ(test, to->stats.foreign, 301);
}

/* A slow reader must not be overrun: the window holds the sender back */
static void session_slow(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	struct end *from = &pair->end[0];
	unsigned int sent = 0;

	KUNIT_EXPECT_EQ(test, run(pair, 1), 0);
	while (sent < MESSAGES && send_next(pair, from, sent))
		sent++;
	KUNIT_EXPECT_EQ(test, sent, 32);
}

static void wire_check(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	struct wire *to = pair->end[1].wire;
	struct pmsm_frame *frame = (void *)to->queue[0].bytes;
	unsigned int len;

	send_next(pair, &pair->end[0], 5);
	len = to->queue[0].len;
	KUNIT_EXPECT_EQ(test, sizeof(*frame), 48);
	KUNIT_EXPECT_EQ(test, pmsm_frame_check(frame, len), PMSM_FRAME_GOOD);
	KUNIT_EXPECT_EQ(test, pmsm_frame_check(frame, len - 1),
			PMSM_FRAME_DAMAGED);
	KUNIT_EXPECT_EQ(test, pmsm_frame_check(frame, sizeof(*frame) - 1),
			PMSM_FRAME_FOREIGN);
	frame->payload[0] ^= 1;
	KUNIT_EXPECT_EQ(test, pmsm_frame_check(frame, len), PMSM_FRAME_DAMAGED);
	frame->payload[0] ^= 1;
	frame->version++;
	KUNIT_EXPECT_EQ(test, pmsm_frame_check(frame, len), PMSM_FRAME_DAMAGED);
	frame->crc = cpu_to_be32(pmsm_frame_crc(frame));
	KUNIT_EXPECT_EQ(test, pmsm_frame_check(frame, len), PMSM_FRAME_VERSION);
	frame->version--;
	frame->len = cpu_to_be16(0xffff);
	KUNIT_EXPECT_EQ(test, pmsm_frame_check(frame, len), PMSM_FRAME_DAMAGED);
	frame->magic = 0;
	KUNIT_EXPECT_EQ(test, pmsm_frame_check(frame, len), PMSM_FRAME_FOREIGN);
}

static void wire_crc(struct kunit *test)
{
	/* The check value of CRC-32C in the catalogue of CRC algorithms */
	KUNIT_EXPECT_EQ(test, ~crc32c(~0, "123456789", 9), 0xe3069283);
}

/* How long a message takes whose first copies are lost, in ns */
static u64 time_to_arrive(struct pair *pair)
{
	struct end *from = &pair->end[0], *to = &pair->end[1];
	u64 start = pair->now;

	to->wire->cut = true;
	send_next(pair, from, 0);
	while (!to->got && pair->now - start < NSEC_PER_SEC) {
		if (pair->now - start > 12 * PMSM_NS_PER_MS)
			to->wire->cut = false;
		pmsm_session_poll(from->session, pair->now);
		pmsm_session_poll(to->session, pair->now);
		pair->now += WIRE_STEP;
	}
	return pair->now - start;
}

static void session_urgent(struct kunit *test)
{
	struct pair *calm = new_pair(test), *urgent = new_pair(test);

	KUNIT_EXPECT_GT(test, time_to_arrive(calm), 50 * PMSM_NS_PER_MS);
	urgent->end[0].session->urgent = true;
	KUNIT_EXPECT_LT(test, time_to_arrive(urgent), 25 * PMSM_NS_PER_MS);
}

static struct kunit_case session_cases[] = {
	KUNIT_CASE(session_clean),
	KUNIT_CASE(session_loss),
	KUNIT_CASE(session_dup),
	KUNIT_CASE(session_reorder),
	KUNIT_CASE(session_flip),
	KUNIT_CASE(session_everything),
	KUNIT_CASE(session_wrap),
	KUNIT_CASE(session_cut),
	KUNIT_CASE(session_persist),
	KUNIT_CASE(session_refused),
	KUNIT_CASE(session_reset),
	KUNIT_CASE(session_refusal),
	KUNIT_CASE(session_starts_over),
	KUNIT_CASE(session_renewed),
	KUNIT_CASE(session_not_renewed),
	KUNIT_CASE(session_late_hello),
	KUNIT_CASE(session_foreign),
	KUNIT_CASE(session_slow),
	KUNIT_CASE(session_urgent),
	KUNIT_CASE(wire_check),
	KUNIT_CASE(wire_crc),
	{}
};

static struct kunit_suite session_suite = {
	.name = "pmsm_session",
	.test_cases = session_cases,
};

kunit_test_suite(session_suite);
