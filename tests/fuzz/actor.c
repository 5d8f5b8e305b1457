// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other end of the link: it says whatever the fuzzer has written down.
 */

#include <sanitizer/asan_interface.h>

#include "actor.h"

/* Frames that it remembers, and most that it says at a time */
#define LOG		32
#define SLOTS		32
#define PATCHES		12
/* Most that a frame can be longer than the link carries */
#define EXTRA		(255 * 8 + 255)
/* Looks for a frame that the longest script may take, and some to spare */
#define LOOKS		100000
/* Somebody who looks so often after its end will not stop by himself */
#define LOOKS_AFTER	200
/* Length of a line of words */
#define LINE		24

/**
 * struct said - a frame that the actor has said
 * @len: Its length as the other end sees it.
 * @bytes: The frame.
 */
struct said {
	unsigned int len;
	u8 bytes[ACTOR_FRAME + EXTRA] __aligned(8);
};

/**
 * struct patch - a change to the next frame
 * @offset: Where.
 * @flip: Bits to flip.
 * @damage: After the CRC was made.
 */
struct patch {
	unsigned int offset;
	u8 flip;
	bool damage;
};

/**
 * struct how - how the next frame is said
 * @patches: Changes to it.
 * @nr_patches: How many.
 * @shorter: It is so much shorter than it says.
 * @longer: And so much longer.
 * @grow: Its payload is so much longer than it should be.
 * @seq_skew: Its number is wrong by this.
 * @hide: It is lost.
 */
struct how {
	struct patch patches[PATCHES];
	unsigned int nr_patches;
	unsigned int shorter;
	unsigned int longer;
	unsigned int grow;
	s8 seq_skew;
	bool hide;
};

/**
 * struct actor - what changes in a run, big things apart
 * @play: What the fuzzer makes of it.
 * @script: The next record.
 * @script_end: End of them.
 * @looks: How often a frame was looked for.
 * @looks_after: How often after the end of the script.
 * @nr_said: Frames said.
 * @how: How the next one is.
 * @session: Session number in all frames.
 * @seq: Next sequence number.
 * @seen: Sequenced frames that the other end has sent, in sessions of even and
 *	of odd number.
 * @ack_skew: What to add to that for an acknowledgment.
 * @window: Window in all frames.
 * @queue: Frames under way to the code under test.
 * @queue_head: The next to be found.
 * @queue_tail: Behind the last.
 * @looking: It has one and has not given it back.
 * @rx_len: Length of that.
 * @unseen: The model has not seen it yet.
 * @busy: Looks at each of its transmit slots until it is idle.
 * @busy_looks: How many that are from now on.
 * @watched: The session under test that is compared with the model.
 * @soon: The one that will be when it sends its next frame.
 * @soon_aside: Number of another one, which that may end.
 * @deliver: Where its messages go.
 */
struct actor {
	const struct play *play;
	const u8 *script;
	const u8 *script_end;
	unsigned int looks;
	unsigned int looks_after;
	unsigned int nr_said;
	struct how how;
	u64 session;
	u32 seq;
	u32 seen[2];
	u32 ack_skew;
	u16 window;
	unsigned int queue[LOG];
	unsigned int queue_head;
	unsigned int queue_tail;
	bool looking;
	unsigned int rx_len;
	bool unseen;
	unsigned int busy[SLOTS];
	unsigned int busy_looks;
	struct pmsm_session *watched;
	struct pmsm_session *soon;
	u64 soon_aside;
	int (*deliver)(void *ctx, unsigned int type, const void *payload,
		       unsigned int len, u32 crc);
};

static struct actor actor;
static struct said said[LOG];
static struct model model;
static u8 rx[ACTOR_FRAME + EXTRA] __aligned(8);
static u8 tx[SLOTS][ACTOR_FRAME] __aligned(8);

static const u8 self_addr[ETH_ALEN] = { 2, 0, 0, 0, 0, 1 };
const u8 actor_addr[ETH_ALEN] = { 2, 0, 0, 0, 0, 2 };

static struct record next_record(void)
{
	struct record record;

	memcpy(&record, actor.script, sizeof(record));
	actor.script += sizeof(record);
	return record;
}

/**
 * actor_is_done - whether the actor has nothing more to say
 *
 * Return: true if so.
 */
bool actor_is_done(void)
{
	return actor.script_end - actor.script < (int)sizeof(struct record) &&
	       actor.queue_head == actor.queue_tail;
}

/**
 * actor_payload - where to put the payload of the next frame
 *
 * Return: room for actor_room() bytes.
 */
void *actor_payload(void)
{
	return said[actor.nr_said % LOG].bytes + sizeof(struct pmsm_frame);
}

/**
 * actor_room - most that a frame has room for
 *
 * Return: bytes.
 */
unsigned int actor_room(void)
{
	return actor_link.frame_size - sizeof(struct pmsm_frame);
}

static void apply_patches(struct said *frame, unsigned int len, bool damage)
{
	const struct patch *patch = actor.how.patches;
	unsigned int nr;

	for (nr = actor.how.nr_patches; nr; nr--, patch++)
		if (patch->damage == damage && patch->offset < len)
			frame->bytes[patch->offset] ^= patch->flip;
}

static void queue_frame(unsigned int number)
{
	if (actor.queue_tail - actor.queue_head < LOG)
		actor.queue[actor.queue_tail++ % LOG] = number % LOG;
}

static u32 crc_of(const struct pmsm_frame *frame, unsigned int len)
{
	u32 crc = crc32c(~0U, (const u8 *)frame + PMSM_CRC_START,
			 offsetof(struct pmsm_frame, crc) - PMSM_CRC_START);

	return ~crc32c(crc, &frame->pad, sizeof(frame->pad) + len);
}

static void fill_head(struct pmsm_frame *frame, unsigned int type,
		      unsigned int len)
{
	*frame = (struct pmsm_frame){
		.ethertype	= cpu_to_be16(PMSM_ETHERTYPE),
		.version	= PMSM_VERSION,
		.type		= type,
		.magic		= cpu_to_be32(PMSM_MAGIC),
		.len		= cpu_to_be16(len),
		.window		= cpu_to_be16(actor.window),
		.session	= cpu_to_be64(actor.session),
		.ack		= cpu_to_be32(actor.seen[actor.session & 1] +
					      actor.ack_skew),
	};
	memcpy(frame->dst, self_addr, ETH_ALEN);
	memcpy(frame->src, actor_addr, ETH_ALEN);
	if (type < PMSM_SEQUENCED)
		frame->seq = cpu_to_be32(actor.seq++ + actor.how.seq_skew);
}

/**
 * actor_say - say what is in actor_payload()
 * @type: Type of the message.
 * @len: Length of its payload.
 *
 * Return: the frame's checksum.
 */
u32 actor_say(unsigned int type, unsigned int len)
{
	struct said *next = &said[actor.nr_said % LOG];
	struct pmsm_frame *frame = (void *)next->bytes;
	const struct how *how = &actor.how;
	unsigned int whole;
	u32 crc;

	must(len <= actor_room());
	memset(frame->payload + len, 0, how->grow);
	len += how->grow;
	whole = sizeof(*frame) + len;
	fill_head(frame, type, len);
	apply_patches(next, whole, false);
	crc = crc_of(frame, len);
	frame->crc = cpu_to_be32(crc);
	apply_patches(next, whole, true);

	next->len = whole - min(how->shorter, whole) + how->longer;
	memset(next->bytes + whole, 0, how->longer);
	if (!how->hide)
		queue_frame(actor.nr_said);
	actor.nr_said++;
	actor.how = (struct how){};
	return crc;
}

static void say_ack(const struct record *r)
{
	struct pmsm_wire_sack *sack = actor_payload();
	unsigned int i;

	memset(sack, 0, sizeof(*sack));
	for (i = 0; i < 2; i++)
		sack->bits[(r->c + 8 * i) / 64 % ARRAY_SIZE(sack->bits)] |=
			cpu_to_be64((u64)(i ? r->b : r->a) << (r->c + 8 * i) % 64);
	actor_say(PMSM_ACK, sizeof(*sack));
}

/**
 * actor_words - words for a reason
 * @text: Where to put them, in actor_payload().
 * @how: Bits: 2 for lines, 4 for warnings, 8 for many.
 * @fill: How many, and of which letters.
 *
 * Return: their length.
 */
unsigned int actor_words(char *text, u8 how, u8 fill)
{
	unsigned int room = actor_room() - sizeof(struct pmsm_wire_reason);
	unsigned int len = min_t(unsigned int, fill << (how & 8 ? 4 : 0), room);
	const unsigned int warning = strlen(PMSM_WARNING);
	unsigned int at;

	memset(text, 'a' + fill, len);
	for (at = 0; how & 2 && at < len; at += LINE) {
		if (how & 4 && at + warning < len)
			memcpy(text + at, PMSM_WARNING, warning);
		if (at)
			text[at - 1] = '\n';
	}
	return len;
}

static void say_reason(const struct record *r)
{
	struct pmsm_wire_reason *reason = actor_payload();
	unsigned int len = actor_words(reason->text, r->a, r->c);

	reason->code = cpu_to_be32(r->b << (r->b & 3));
	actor_say(r->a & 1 ? PMSM_RESET : PMSM_REFUSE, sizeof(*reason) + len);
}

static void say_raw(const struct record *r)
{
	unsigned int len = min_t(unsigned int, r->b * 8, actor_room());

	memset(actor_payload(), r->c, len);
	actor_say(r->a, len);
}

static void patch(const struct record *r, bool damage)
{
	struct how *how = &actor.how;

	if (how->nr_patches < PATCHES)
		how->patches[how->nr_patches++] = (struct patch){
			r->a + 256 * r->c, r->b, damage
		};
}

static void obey(const struct record *r)
{
	switch (r->op) {
	case OP_WAIT:
		fuzz_now += (u64)r->a << r->b % 32;
		break;
	case OP_FIELD:
	case OP_DAMAGE:
		patch(r, r->op == OP_DAMAGE);
		break;
	case OP_CUT:
		actor.how.shorter = r->a;
		actor.how.longer = r->b;
		break;
	case OP_GROW:
		actor.how.grow = r->a * 8;
		break;
	case OP_SEQ:
		actor.how.seq_skew = r->a;
		break;
	case OP_SESSION:
		actor.session = (fuzz_id | 1) + (s8)r->a;
		if (r->b)
			actor.seq = 0;
		break;
	case OP_HIDE:
		actor.how.hide = true;
		break;
	case OP_AGAIN:
		if (r->a < min_t(unsigned int, actor.nr_said, LOG))
			queue_frame(actor.nr_said - 1 - r->a);
		break;
	case OP_WINDOW:
		actor.window = r->a << r->b % 16;
		break;
	case OP_ACKING:
		actor.ack_skew = (s8)r->a;
		break;
	case OP_BUSY:
		actor.busy_looks = r->a % 64;
		break;
	case OP_FAULT:
		machine_fault = r->a % FAULTS;
		break;
	case OP_RAW:
		say_raw(r);
		break;
	case OP_ACK:
		say_ack(r);
		break;
	case OP_REASON:
		say_reason(r);
		break;
	default:
		actor.play->act(r);
	}
}

/* Nobody speaks any more: whoever waits for that finds time flying */
static void be_silent(void)
{
	fuzz_tick = 10 * NSEC_PER_SEC;
	if (++actor.looks_after > LOOKS_AFTER)
		actor.play->stuck();
}

static void show(const char *where, const struct pmsm_frame *frame,
		 unsigned int len)
{
	if (!fuzz_talks)
		return;
	fprintf(stderr, "%12llu %s type %u session %+lld seq %u ack %u window %u: %u bytes\n",
		fuzz_now, where, frame->type,
		be64_to_cpu(frame->session) - (fuzz_id | 1),
		be32_to_cpu(frame->seq), be32_to_cpu(frame->ack),
		be16_to_cpu(frame->window), len);
}

static void *link_recv(struct pmsm_link *link, unsigned int *len)
{
	struct record record;
	struct said *next;

	must(++actor.looks < LOOKS);
	if (actor.looking) {
		*len = actor.rx_len;
		return rx;
	}
	while (actor.queue_head == actor.queue_tail) {
		if (actor_is_done()) {
			be_silent();
			return NULL;
		}
		record = next_record();
		record.op %= actor.play->nr_ops;
		obey(&record);
		if (record.op == OP_WAIT)
			return NULL;
	}

	next = &said[actor.queue[actor.queue_head++ % LOG]];
	ASAN_UNPOISON_MEMORY_REGION(rx, sizeof(rx));
	memcpy(rx, next->bytes, next->len);
	ASAN_POISON_MEMORY_REGION(rx + next->len, sizeof(rx) - next->len);
	*len = next->len;
	show("-->", (void *)next->bytes, next->len);
	actor.looking = true;
	actor.rx_len = *len;
	actor.unseen = actor.watched;
	if (actor.watched)
		model_look(&model);
	return rx;
}

/* Let the model see the frame, unless it has */
static void see_input(void)
{
	if (actor.unseen)
		model_input(&model, (void *)rx, actor.rx_len);
	actor.unseen = false;
}

static void link_recv_done(struct pmsm_link *link)
{
	must(actor.looking);
	actor.looking = false;
	see_input();
	ASAN_POISON_MEMORY_REGION(rx, sizeof(rx));
	if (actor.watched)
		model_input_done(&model);
}

static void *link_tx_buf(struct pmsm_link *link, unsigned int slot)
{
	must(slot < link->tx_slots);
	return tx[slot];
}

static bool link_tx_idle(struct pmsm_link *link, unsigned int slot)
{
	must(slot < link->tx_slots);
	if (!actor.busy[slot])
		return true;
	/* The device reads: nobody may write */
	if (!--actor.busy[slot])
		ASAN_UNPOISON_MEMORY_REGION(tx[slot], link->frame_size);
	return !actor.busy[slot];
}

static void see(u64 session, u32 seq)
{
	u32 *seen = &actor.seen[session & 1];

	*seen = max(*seen, seq + 1);
}

static int link_send(struct pmsm_link *link, unsigned int slot,
		     unsigned int len)
{
	const struct pmsm_frame *frame = (void *)tx[slot];

	if (!link_tx_idle(link, slot))
		return -EBUSY;
	must(len <= link->frame_size);
	show("<--", frame, len);
	must(model_frame_good(frame, len));
	if (actor.soon)
		actor_watch(actor.soon, actor.soon_aside);
	if (actor.watched)
		model_send(&model, frame, len);
	actor.play->sent(frame);
	if (frame->type < PMSM_SEQUENCED)
		see(be64_to_cpu(frame->session), be32_to_cpu(frame->seq));

	actor.busy[slot] = actor.busy_looks;
	if (actor.busy_looks)
		ASAN_POISON_MEMORY_REGION(tx[slot], link->frame_size);
	return 0;
}

static void link_kick(struct pmsm_link *link)
{
}

static int link_restart(struct pmsm_link *link)
{
	memset(actor.busy, 0, sizeof(actor.busy));
	ASAN_UNPOISON_MEMORY_REGION(tx, sizeof(tx));
	return 0;
}

static const struct pmsm_link_ops link_ops = {
	.restart	= link_restart,
	.stop		= link_kick,
	.tx_buf		= link_tx_buf,
	.tx_idle	= link_tx_idle,
	.send		= link_send,
	.kick		= link_kick,
	.recv		= link_recv,
	.recv_done	= link_recv_done,
};

struct pmsm_link actor_link = {
	.name	= "fuzz",
	.ops	= &link_ops,
	.addr	= { 2, 0, 0, 0, 0, 1 },
};

/**
 * actor_begin - begin another run
 * @play: What the actor can do.
 * @data: The script.
 * @size: Its length.
 *
 * Return: the first record, in which only @b and @c are left to the caller.
 */
struct record actor_begin(const struct play *play, const u8 *data, size_t size)
{
	struct record first = {};

	kernel_reset();
	actor = (struct actor){
		.play		= play,
		.script		= data,
		.script_end	= data + size,
		.session	= fuzz_id | 1,
		.window		= 8,
	};
	machine_fault = FAULT_NONE;
	link_restart(&actor_link);

	if (!actor_is_done())
		first = next_record();
	actor_link.frame_size = first.op & 1 ? ACTOR_FRAME : ETH_FRAME_LEN;
	actor_link.tx_slots = PMSM_LOOSE_SLOTS + 1 + (first.op >> 1) % 24;
	actor_link.rx_slots = 1 << first.a % 6;
	return first;
}

static int deliver(void *ctx, unsigned int type, const void *payload,
		   unsigned int len, u32 crc)
{
	int error;

	see_input();
	model_deliver(&model, type, payload, len);
	error = actor.deliver(ctx, type, payload, len, crc);
	must(error <= 0 && error > -512);
	actor.play->delivered(type, payload, len, crc, error);
	return error;
}

/**
 * actor_watch - compare with a session from now on
 * @s: The session.
 * @aside: Number of another one, which may be ended by a RESET.
 */
void actor_watch(struct pmsm_session *s, u64 aside)
{
	model_open(&model, s, aside);
	actor.watched = s;
	actor.soon = NULL;
	actor.deliver = s->deliver;
	s->deliver = deliver;
}

/**
 * actor_watch_soon - compare with a session once it sends something
 * @s: The session.
 * @aside: Number of another one, which may be ended by a RESET.
 */
void actor_watch_soon(struct pmsm_session *s, u64 aside)
{
	actor_look_away();
	actor.soon = s;
	actor.soon_aside = aside;
}

/**
 * actor_look_away - do not look at the session any more
 */
void actor_look_away(void)
{
	actor.watched = NULL;
	actor.soon = NULL;
	actor.unseen = false;
}

/**
 * actor_follow - speak in another session, from the beginning
 * @session: Its number.
 */
void actor_follow(u64 session)
{
	actor.session = session;
	actor.seq = 0;
	actor.seen[session & 1] = 0;
}
