// SPDX-License-Identifier: GPL-2.0-only
/*
 * A target that means ill, or lies, or stutters, against a source that wants to
 * move: it asks what speaks against that, looks for a target, sends an image, and
 * finds out which of the two is the machine.
 */

#include "actor.h"
#include "after.h"
#include "clock.h"
#include "compat.h"
#include "devices.h"
#include "pmsm.h"
#include "preflight.h"
#include "slept.h"
#include "source.h"
#include "stats.h"
#include "talk.h"

#define TIMEOUT_MS		200
#define RESUME_MS		500
/* Devices that this machine uses, the last of which is the transfer NIC */
#define DEVICES			4

/**
 * enum source_op - what this actor can do besides
 * @OP_ACCEPT: Say ACCEPT, honestly; there are @a devices.
 * @OP_VERIFIED: The image is here.
 * @OP_RESUMED: It runs.
 * @OP_READY: It waits.
 * @OP_COMMITTED: It goes on.
 * @OP_DEVICES: There are @b devices from number @a on; bits of @c: 1 for others
 *	than here, 2 for no NIC, 4 for other places.
 * @OP_VERDICT: That was all; error @b, and words as actor_words() says.
 * @NR_OPS: End of the list.
 */
enum source_op {
	OP_ACCEPT = NR_COMMON_OPS,
	OP_VERIFIED,
	OP_RESUMED,
	OP_READY,
	OP_COMMITTED,
	OP_DEVICES,
	OP_VERDICT,
	NR_OPS,
};

/* What the target has told so far, in its turn, and what the source has */
static struct {
	bool accepted;
	bool verified;
	bool resumed;
	bool ready;
	bool committed;
	bool begun;
	bool ended;
	bool prepared;
	bool decided;
} told;

/* What it has told somebody who only asks */
static struct {
	bool asking;
	bool accepted;
	bool done;
	bool refused;
	unsigned int left;
	bool alike[DEVICES];
	u8 peer[ETH_ALEN];
} asked;

static struct pmsm_source source;
static struct pmsm_session *asking;
/* How often, in one try to move, and whether that is only to be asked */
static unsigned int questions;
static bool dry_run;
static int link_error;
static u64 left_behind;
static bool all_said;
static enum pmsm_in_doubt in_doubt;

/* Each word counts in its turn, and once */
static void take(bool may, bool *now)
{
	must(may && !*now);
	*now = true;
}

static struct pmsm_wire_device device_of(unsigned int n)
{
	return (struct pmsm_wire_device){
		.bus	= n >> 5,
		.devfn	= n << 3,
		.vendor	= cpu_to_be16(0x1234),
		.device	= cpu_to_be16(n),
		.flags	= cpu_to_be16(n == DEVICES - 1 ? PMSM_DEVICE_TRANSFER : 0),
	};
}

static void see_device(const struct pmsm_wire_device *there)
{
	struct pmsm_wire_device here;
	unsigned int i;

	for (i = 0; i < DEVICES; i++) {
		here = device_of(i);
		if (memcmp(there, &here, offsetof(typeof(here), vendor)))
			continue;
		asked.alike[i] = there->vendor == here.vendor &&
				 there->device == here.device;
		if (i == DEVICES - 1)
			asked.alike[i] &= be16_to_cpu(there->flags) & 1;
	}
}

static bool take_devices(const struct pmsm_wire_device *dev, unsigned int len)
{
	if (!asked.accepted || !len || len % sizeof(*dev) ||
	    len / sizeof(*dev) > asked.left)
		return false;
	for (; len; len -= sizeof(*dev), dev++, asked.left--)
		see_device(dev);
	return true;
}

/* Whether an answer is to be taken */
static bool take_answer(unsigned int type, const void *payload,
			unsigned int len)
{
	const struct pmsm_wire_hello *target = payload;
	const struct pmsm_wire_reason *verdict = payload;

	switch (type) {
	case PMSM_ACCEPT:
		if (asked.accepted || len != sizeof(*target))
			return false;
		asked.accepted = true;
		asked.left = be16_to_cpu(target->nr_devices);
		return true;
	case PMSM_DEVICES:
		return take_devices(payload, len);
	case PMSM_VERDICT:
		if (!asked.accepted || asked.done || asked.left ||
		    len < sizeof(*verdict))
			return false;
		asked.done = true;
		asked.refused = verdict->code;
		return true;
	default:
		return false;
	}
}

static void delivered(unsigned int type, const void *payload, unsigned int len,
		      u32 crc, int error)
{
	bool second = source.session.id != (fuzz_id | 1);

	if (asked.asking) {
		must(error == (take_answer(type, payload, len) ? 0 : -EPROTO));
		return;
	}
	if (!error) {
		switch (type) {
		case PMSM_ACCEPT:
			take(len >= sizeof(source.target), &told.accepted);
			must(!memcmp(&source.target, payload,
				     sizeof(source.target)));
			break;
		case PMSM_VERIFIED:
			take(told.ended, &told.verified);
			break;
		case PMSM_RESUMED:
			take(told.prepared && second, &told.resumed);
			break;
		case PMSM_READY:
			take(told.resumed, &told.ready);
			break;
		case PMSM_COMMITTED:
			take(told.decided, &told.committed);
			break;
		default:
			must(false);
		}
	}
	must(source.accepted == told.accepted);
	must(source.verified == told.verified);
	must(source.resumed == told.resumed);
	must(source.ready == told.ready);
	must(source.committed == told.committed);
	must(!source.session.renewable || told.verified);
}

/* Nobody moves to whom something speaks against, or who was not asked */
static void hello_sent(const struct pmsm_frame *frame)
{
	const struct pmsm_wire_hello *self = (const void *)frame->payload;
	unsigned int i;

	must(!self->flags == !asked.asking);
	if (asked.asking)
		return;
	must(asked.done && !asked.refused);
	must(!memcmp(frame->dst, asked.peer, ETH_ALEN));
	for (i = 0; i < DEVICES; i++)
		must(asked.alike[i]);
}

static void sent(const struct pmsm_frame *frame)
{
	must(!asked.asking || frame->type == PMSM_HELLO ||
	     frame->type == PMSM_ACK || frame->type == PMSM_RESET);
	switch (frame->type) {
	case PMSM_HELLO:
		hello_sent(frame);
		break;
	case PMSM_ACK:
		break;
	case PMSM_RESET:
		/* Only to somebody who waits in another session */
		must(be64_to_cpu(frame->session) == left_behind);
		break;
	case PMSM_BEGIN:
		must(told.accepted);
		told.begun = true;
		break;
	case PMSM_MAP:
	case PMSM_DATA:
	case PMSM_ZERO:
		must(told.begun);
		break;
	case PMSM_END:
		told.ended = true;
		break;
	case PMSM_PREPARE:
		must(told.verified);
		told.prepared = true;
		break;
	case PMSM_COMMIT:
		must(told.ready);
		told.decided = true;
		break;
	case PMSM_DONE:
		must(told.committed);
		break;
	default:
		must(false);
	}
}

static void say_accept(const struct record *r)
{
	struct pmsm_wire_hello *self = actor_payload();
	struct pmsm_reasons reasons;

	must(!pmsm_compat_describe(self, actor_link.frame_size, "target",
				   &reasons));
	self->nr_devices = cpu_to_be16(r->a);
	actor_say(PMSM_ACCEPT, sizeof(*self));
}

static void say_devices(const struct record *r)
{
	struct pmsm_wire_device *dev = actor_payload();
	unsigned int nr = min_t(unsigned int, r->b, actor_room() / sizeof(*dev));
	unsigned int i;

	for (i = 0; i < nr; i++) {
		dev[i] = device_of(r->a + i);
		if (r->c & 1)
			dev[i].device = cpu_to_be16(~i);
		if (r->c & 2)
			dev[i].flags ^= cpu_to_be16(PMSM_DEVICE_TRANSFER);
		if (r->c & 4)
			dev[i].domain = cpu_to_be32(1);
	}
	actor_say(PMSM_DEVICES, nr * sizeof(*dev));
}

static void say_verdict(const struct record *r)
{
	struct pmsm_wire_reason *verdict = actor_payload();
	unsigned int len = actor_words(verdict->text, r->a, r->c);

	verdict->code = cpu_to_be32(r->b << (r->b & 3));
	actor_say(PMSM_VERDICT, sizeof(*verdict) + len);
}

static void act(const struct record *r)
{
	switch (r->op) {
	case OP_ACCEPT:
		say_accept(r);
		break;
	case OP_VERIFIED:
		actor_say(PMSM_VERIFIED, 0);
		break;
	case OP_RESUMED:
		actor_say(PMSM_RESUMED, 0);
		break;
	case OP_READY:
		actor_say(PMSM_READY, 0);
		break;
	case OP_COMMITTED:
		actor_say(PMSM_COMMITTED, 0);
		break;
	case OP_DEVICES:
		say_devices(r);
		break;
	case OP_VERDICT:
		say_verdict(r);
		break;
	}
}

/* A source in doubt waits for ever, unless it was told to do something else */
static void stuck(void)
{
	must(told.decided && in_doubt == PMSM_DOUBT_HALT);
	longjmp(machine_off, 2);
}

static const struct play play = {
	.nr_ops		= NR_OPS,
	.act		= act,
	.sent		= sent,
	.delivered	= delivered,
	.stuck		= stuck,
};

/* The source's kernel */

struct pmsm_link *pmsm_link_get(const char *name, bool sends)
{
	return link_error ? ERR_PTR(link_error) : &actor_link;
}

void pmsm_link_put(struct pmsm_link *link)
{
}

void pmsm_activity_set(enum pmsm_activity activity)
{
}

/* What preflight.c calls in its place; another number than that of the move */
void fuzz_session_init(struct pmsm_session *s, struct pmsm_link *link, u64 id,
		       u32 rx_window, u8 *hold)
{
	id += 2 * ++questions;
	pmsm_session_init(s, link, id, rx_window, hold);
	memset(&asked, 0, sizeof(asked));
	asked.asking = true;
	asking = s;
	actor_watch_soon(s, left_behind);
	actor_follow(id);
}

int pmsm_devices_used(struct pmsm_devices *used, const char *nic)
{
	unsigned int i;

	used->nr = 0;
	used->list = kvcalloc(DEVICES, sizeof(*used->list), GFP_KERNEL);
	if (!used->list)
		return -ENOMEM;
	for (i = 0; i < DEVICES; i++)
		used->list[i] = (struct pmsm_device){
			.here		= device_of(i),
			.driver		= "fuzz",
		};
	used->nr = DEVICES;
	return 0;
}

/* The last thing that is looked at, and the answers are all here */
void pmsm_survive_check(struct pmsm_reasons *reasons)
{
	pmsm_reasons_add(reasons, 0, PMSM_WARNING "somebody ate the battery");
	if (machine_fault == FAULT_DEVICE)
		pmsm_reasons_add(reasons, -ENXIO, "a disk stays here");
	if (asked.asking)
		memcpy(asked.peer, asking->peer, ETH_ALEN);
	asked.asking = false;
	actor_look_away();
	if (dry_run)
		return;
	actor_watch_soon(&source.session, left_behind);
	actor_follow(source.session.id);
}

static void only_ask(bool anybody)
{
	static char page[FUZZ_SYSFS];
	struct pmsm_settings settings = { .timeout_ms = TIMEOUT_MS };
	int error;

	memcpy(settings.peer, actor_addr, ETH_ALEN);
	if (anybody)
		memset(settings.peer, 0xff, ETH_ALEN);
	dry_run = true;
	error = pmsm_preflight(&settings);
	dry_run = false;
	must(error <= 0 && error > -PMSM_ERRNO_MAX);
	must(error || (asked.done && !asked.refused));
	machine_check_words(page, pmsm_preflight_show(page), true);
	must(!error == !strncmp(page, "ok\n", 3));
}

static bool open_session(bool anybody)
{
	struct pmsm_session *s = &source.session;
	u8 *hold = kvzalloc(pmsm_session_hold_size(&actor_link,
						   PMSM_WINDOW_SMALL),
			    GFP_KERNEL);

	if (!hold)
		return false;
	memset(&source, 0, sizeof(source));
	memset(&told, 0, sizeof(told));
	memset(&asked, 0, sizeof(asked));
	pmsm_session_init(s, &actor_link, pmsm_random_id(), PMSM_WINDOW_SMALL,
			  hold);
	s->deliver = pmsm_source_deliver;
	s->ctx = &source;
	s->timeout = TIMEOUT_MS * PMSM_NS_PER_MS;
	s->heard = pmsm_clock();
	memset(s->peer, 0xff, ETH_ALEN);
	if (!anybody)
		memcpy(s->peer, actor_addr, ETH_ALEN);
	return true;
}

/* An image without a machine: what is in it does not matter to a source */
static int send_image(unsigned int messages)
{
	struct pmsm_session *s = &source.session;
	u8 zeroes[1024] = {};
	unsigned int room;
	int error;

	error = pmsm_talk_send(s, PMSM_BEGIN, zeroes,
			       sizeof(struct pmsm_wire_begin));
	for (; messages && !error; messages--)
		error = pmsm_talk_send(s, messages % 3 ? PMSM_DATA : PMSM_ZERO,
				       zeroes, sizeof(zeroes));
	if (!error && IS_ERR(pmsm_talk_reserve(s, &room)))
		error = s->error;
	if (error)
		return error;
	source.ended = true;
	pmsm_session_commit(s, PMSM_END, sizeof(struct pmsm_wire_end),
			    pmsm_clock(), NULL);
	while (!error && !pmsm_session_idle(s))
		error = pmsm_talk_poll(s);
	return error ?: pmsm_talk_wait(s, &source.verified);
}

static int migrate(unsigned int messages)
{
	const struct pmsm_settings settings = {
		.timeout_ms	= TIMEOUT_MS,
		.resume_ms	= RESUME_MS,
		.in_doubt	= in_doubt,
	};
	int error = pmsm_source_negotiate(&source);

	asked.asking = false;
	machine_check_reasons(&source.reasons);
	if (error)
		return error;
	must(!source.reasons.error);
	pmsm_slept_begin();
	source.session.heard = pmsm_clock();
	error = send_image(messages);
	return error ?: pmsm_hand_over(&source, &settings);
}

static void finish(void)
{
	all_said = true;
}

/* What may still come for a session that this machine has called off */
static void linger(void)
{
	struct pmsm_session *s = &source.session;

	actor_look_away();
	left_behind = pmsm_second_id(s->id);
	all_said = false;
	pmsm_after_failed(s, finish);
	while (!actor_is_done() && kernel_work())
		;
	pmsm_after_end();
	must(all_said);
}

/* Returns whether this machine runs on */
static bool try_to_move(const struct record *how)
{
	questions = 0;
	if (how->b & 8)
		only_ask(how->b & 4);
	if (!open_session(how->b & 4))
		return true;
	switch (setjmp(machine_off)) {
	case 0:
		must(migrate(how->c % 32) < 0);
		/* The decision holds */
		must(!told.decided || in_doubt == PMSM_DOUBT_RUN);
		return true;
	case 1:
		must(told.committed ||
		     (told.decided && in_doubt == PMSM_DOUBT_OFF));
		return false;
	default:
		return false;
	}
}

int fuzz_one(const u8 *data, size_t size)
{
	static const int errors[] = { 0, 0, 0, -ENODEV, -EINVAL, -EBUSY,
				      -ENOLINK, -EIO };
	struct record first = actor_begin(&play, data, size);
	int tries;

	memory_reset(0, 0, 0, first.b >> 4);
	link_error = errors[(first.a >> 5) % ARRAY_SIZE(errors)];
	in_doubt = first.b % 3;
	left_behind = 0;
	for (tries = 0; tries < 2 && !actor_is_done(); tries++) {
		if (!try_to_move(&first))
			break;
		if (source.session.renewable || source.session.renewed)
			linger();
		fuzz_id += 8;
	}
	memory_done(false);
	return 0;
}
