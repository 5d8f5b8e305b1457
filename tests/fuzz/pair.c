// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two sessions that mean well, and a link between them that does not: it loses,
 * repeats, reorders, damages and delays, as the input says.  When that is over,
 * so is the trouble, and everything must arrive.
 */

#include "model.h"

#define FRAME		1514
#define SLOTS		(PMSM_LOOSE_SLOTS + MODEL_WINDOW)
#define QUEUE		128
#define STEP		(NSEC_PER_MSEC / 4)
/* The same when nothing is under way */
#define PAUSE		(20 * NSEC_PER_MSEC)
/* Longer than all pauses in an input: nobody is to give up */
#define TIMEOUT		(1000000 * NSEC_PER_SEC)
/* More than it takes when the trouble is over */
#define STEPS		1000

/**
 * enum fate - what becomes of a frame
 * @FATE_ARRIVES: It arrives.
 * @FATE_LOST: It does not.
 * @FATE_TWICE: It arrives twice.
 * @FATE_LATE: It arrives before the one that was sent before it.
 * @FATE_DAMAGED: Bits of it change.
 * @FATE_CUT: Its end is missing.
 * @FATE_BUSY: The device takes its time to send it.
 * @FATE_PAUSE: Time passes before it arrives.
 * @FATES: End of the list.
 */
enum fate {
	FATE_ARRIVES,
	FATE_LOST,
	FATE_TWICE,
	FATE_LATE,
	FATE_DAMAGED,
	FATE_CUT,
	FATE_BUSY,
	FATE_PAUSE,
	FATES,
};

/**
 * struct flying - a frame under way
 * @len: Its length.
 * @bytes: The frame.
 */
struct flying {
	unsigned int len;
	u8 bytes[FRAME] __aligned(8);
};

/**
 * struct end - one end of the link
 * @link: The link as it sees it.
 * @far: The other end.
 * @session: Its session.
 * @model: What that ought to do.
 * @hold: Memory for what comes early.
 * @tx: Transmit buffers.
 * @busy: Looks at each until it is idle.
 * @queue: Frames under way to this end.
 * @head: The next one.
 * @tail: Behind the last.
 * @messages: How many this end wants to say.
 * @said: How many it has said.
 * @heard: How many it has heard.
 */
struct end {
	struct pmsm_link link;
	struct end *far;
	struct pmsm_session session;
	struct model model;
	u8 hold[MODEL_WINDOW][FRAME + 8] __aligned(8);
	u8 tx[SLOTS][FRAME + 6] __aligned(8);
	unsigned int busy[SLOTS];
	struct flying queue[QUEUE];
	unsigned int head;
	unsigned int tail;
	unsigned int messages;
	unsigned int said;
	unsigned int heard;
};

static struct end ends[2];
static const u8 *script, *script_end;

static u8 next_byte(void)
{
	return script < script_end ? *script++ : 0;
}

static struct end *end_of(struct pmsm_link *link)
{
	return container_of(link, struct end, link);
}

static struct flying *nth(struct end *end, unsigned int n)
{
	return &end->queue[n % QUEUE];
}

static struct flying *put(struct end *to, const u8 *bytes, unsigned int len)
{
	struct flying *flying = nth(to, to->tail);

	if (to->tail - to->head == QUEUE)
		return NULL;
	to->tail++;
	flying->len = len;
	memcpy(flying->bytes, bytes, len);
	return flying;
}

static void overtake(struct end *to)
{
	struct flying flying;

	if (to->tail - to->head < 2)
		return;
	flying = *nth(to, to->tail - 1);
	*nth(to, to->tail - 1) = *nth(to, to->tail - 2);
	*nth(to, to->tail - 2) = flying;
}

static void *link_tx_buf(struct pmsm_link *link, unsigned int slot)
{
	must(slot < link->tx_slots);
	return end_of(link)->tx[slot];
}

static bool link_tx_idle(struct pmsm_link *link, unsigned int slot)
{
	unsigned int *busy = &end_of(link)->busy[slot];

	must(slot < link->tx_slots);
	if (*busy)
		--*busy;
	return !*busy;
}

static int link_send(struct pmsm_link *link, unsigned int slot,
		     unsigned int len)
{
	struct end *from = end_of(link), *to = from->far;
	const u8 *bytes = from->tx[slot];
	u8 fate = next_byte();
	struct flying *flying;

	if (!link_tx_idle(link, slot))
		return -EBUSY;
	model_send(&from->model, (const void *)bytes, len);
	if (fate % FATES == FATE_LOST)
		return 0;
	flying = put(to, bytes, len);
	switch (fate % FATES) {
	case FATE_TWICE:
		put(to, bytes, len);
		break;
	case FATE_LATE:
		overtake(to);
		break;
	case FATE_DAMAGED:
		if (flying)
			flying->bytes[next_byte() % len] ^= next_byte();
		break;
	case FATE_CUT:
		if (flying)
			flying->len -= min_t(unsigned int, next_byte(), len);
		break;
	case FATE_BUSY:
		from->busy[slot] = fate / FATES;
		break;
	case FATE_PAUSE:
		fuzz_now += (u64)next_byte() << fate / FATES;
		break;
	}
	return 0;
}

static void link_kick(struct pmsm_link *link)
{
}

static void *link_recv(struct pmsm_link *link, unsigned int *len)
{
	struct end *end = end_of(link);
	struct flying *flying = nth(end, end->head);

	if (end->head == end->tail)
		return NULL;
	*len = flying->len;
	model_look(&end->model);
	model_input(&end->model, (void *)flying->bytes, *len);
	return flying->bytes;
}

static void link_recv_done(struct pmsm_link *link)
{
	struct end *end = end_of(link);

	end->head++;
	model_input_done(&end->model);
}

static const struct pmsm_link_ops link_ops = {
	.tx_buf		= link_tx_buf,
	.tx_idle	= link_tx_idle,
	.send		= link_send,
	.kick		= link_kick,
	.recv		= link_recv,
	.recv_done	= link_recv_done,
};

/* Message n is of a length and of contents that depend on n */
static unsigned int message(u8 *bytes, unsigned int n)
{
	unsigned int len = n * 37 % 200;

	memset(bytes, n, len);
	return len;
}

static int deliver(void *ctx, unsigned int type, const void *payload,
		   unsigned int len, u32 crc)
{
	struct end *end = ctx;
	u8 wanted[256];

	model_deliver(&end->model, type, payload, len);
	must(end->heard < end->far->said);
	must(type == PMSM_DATA);
	must(len == message(wanted, end->heard));
	must(!memcmp(payload, wanted, len));
	end->heard++;
	return 0;
}

static void open_end(struct end *end, struct end *far)
{
	struct pmsm_session *s = &end->session;

	end->far = far;
	end->head = 0;
	end->tail = 0;
	end->said = 0;
	end->heard = 0;
	end->messages = next_byte() % 48;
	memset(end->busy, 0, sizeof(end->busy));
	end->link.ops = &link_ops;
	end->link.addr[5] = end - ends;
	end->link.frame_size = FRAME;
	end->link.tx_slots = PMSM_LOOSE_SLOTS + 1 + next_byte() % MODEL_WINDOW;
	pmsm_session_init(s, &end->link, fuzz_id, 1 << next_byte() % 7,
			  (u8 *)end->hold);
	s->deliver = deliver;
	s->ctx = end;
	s->timeout = TIMEOUT;
	s->heard = fuzz_now;
	s->peer[5] = far - ends;
	s->urgent = next_byte() & 1;
}

/* Numbers wrap */
static void count_from(struct end *end, u32 start)
{
	struct pmsm_session *s = &end->session;

	s->tx_next = start;
	s->tx_una = start;
	s->tx_sacked = start;
	end->far->session.rx_next = start;
}

static void speak(struct end *end)
{
	unsigned int room;
	u8 *bytes;

	while (end->said < end->messages) {
		bytes = pmsm_session_reserve(&end->session, &room);
		if (!bytes)
			break;
		pmsm_session_commit(&end->session, PMSM_DATA,
				    message(bytes, end->said), fuzz_now, NULL);
		end->said++;
	}
	must(!pmsm_session_poll(&end->session, fuzz_now));
}

static bool is_done(const struct end *end)
{
	return end->heard == end->far->messages &&
	       pmsm_session_idle(&end->session);
}

int fuzz_one(const u8 *data, size_t size)
{
	unsigned int steps = 0;
	bool busy;

	kernel_reset();
	script = data;
	script_end = data + size;
	open_end(&ends[0], &ends[1]);
	open_end(&ends[1], &ends[0]);
	count_from(&ends[0], next_byte() - 40);
	count_from(&ends[1], next_byte() - 40);
	model_open(&ends[0].model, &ends[0].session, 0);
	model_open(&ends[1].model, &ends[1].session, 0);

	while (!is_done(&ends[0]) || !is_done(&ends[1])) {
		steps += script == script_end;
		must(steps < STEPS);
		busy = ends[0].head != ends[0].tail ||
		       ends[1].head != ends[1].tail;
		speak(&ends[0]);
		speak(&ends[1]);
		fuzz_now += busy ? STEP : PAUSE;
	}
	return 0;
}
