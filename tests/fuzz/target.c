// SPDX-License-Identifier: GPL-2.0-only
/*
 * A source that means ill, or lies, or stutters, against all that a target does
 * with its words: it listens, takes the image, becomes that machine, and asks
 * whether it may run.
 *
 * The image is kept once more, as the source has told it.  A target that says
 * VERIFIED must have it, and one that jumps must still have it.
 */

#include "actor.h"
#include "after.h"
#include "arrive.h"
#include "compat.h"
#include "devices.h"
#include "machine.h"
#include "pmsm.h"
#include "preflight.h"
#include "stats.h"
#include "target.h"

#define TIMEOUT_MS		200
#define SAFE_PAGES		3

/**
 * enum target_op - what this actor can do besides
 * @OP_HELLO: Say HELLO, honestly; as a dry run if @a is odd.
 * @OP_BEGIN: Announce @a pages, and @b to be the one for the handover.
 * @OP_MAP: Name @b pages from @a on, and if @c then so many behind a hole.
 * @OP_DATA: Send contents of page @a, from and to where @b says, full of @c.
 * @OP_NEXT: Go on behind that with @b * 16 bytes of @c.
 * @OP_ZERO: As OP_MAP, for pages that hold zeroes.
 * @OP_REST: All that is missing, as contents if @a, and as zeroes if not.
 * @OP_END: That was all.
 * @OP_PREPARE: Go, and here is my account, full of @a.
 * @OP_COMMIT: The machine is yours.
 * @NR_OPS: End of the list.
 */
enum target_op {
	OP_HELLO = NR_COMMON_OPS,
	OP_BEGIN,
	OP_MAP,
	OP_DATA,
	OP_NEXT,
	OP_ZERO,
	OP_REST,
	OP_END,
	OP_PREPARE,
	OP_COMMIT,
	NR_OPS,
};

/* What the actor would send if it were honest */
static struct {
	bool image[FRAMES];
	bool sent[FRAMES];
	u64 next;
	u64 digest;
	u64 data_pages;
	u64 zero_pages;
} honest;

/**
 * struct image - what has been delivered, and where the image must be by it
 * @begun: BEGIN has.
 * @filling: DATA or ZERO has.
 * @ended: END has, and was found right.
 * @verified: The target has said so.
 * @prepared: PREPARE has been delivered.
 * @jumped: The restored kernel runs.
 * @ready: It has said so.
 * @committed: COMMIT has been delivered.
 * @begin: BEGIN.
 * @named: Page frames of the image.
 * @here: Those whose contents are here.
 * @nr_named: How many were named in MAP.
 * @handover: Number of the page frame that is filled here.
 * @cursor: Where the page goes on that is half here, or 0.
 * @digest: So far.
 * @memory: Contents.
 */
struct image {
	bool begun;
	bool filling;
	bool ended;
	bool verified;
	bool prepared;
	bool jumped;
	bool ready;
	bool committed;
	struct pmsm_wire_begin begin;
	bool named[FRAMES];
	bool here[FRAMES];
	unsigned int nr_named;
	u64 handover;
	u64 cursor;
	u64 digest;
	u8 memory[FRAMES][PAGE_SIZE];
};

/* What the target has told somebody who only asks */
static struct {
	bool answering;
	u32 next;
	unsigned int left;
	bool done;
} asked;

static struct image image;
/* Devices that this machine has */
static unsigned int nr_devices;
static struct pmsm_session *session;
static struct pmsm_target *target;
static void *safe_pages;
static const struct hibernation_image_ops *image_ops;

struct pbe *restore_pblist;

/* The image, as it must be */

static u64 page_of(u64 addr)
{
	return addr / PAGE_SIZE;
}

static void image_map(const struct pmsm_wire_run *run, unsigned int len)
{
	u64 pfn, nr;

	must(image.begun && !image.filling);
	must(len % sizeof(*run) == 0);
	for (; len; len -= sizeof(*run), run++) {
		nr = be64_to_cpu(run->nr);
		for (pfn = be64_to_cpu(run->pfn); nr; pfn++, nr--) {
			/* Or the machine would lose what is in it */
			must(memory_is_ram(pfn));
			image.nr_named += !image.named[pfn];
			image.named[pfn] = true;
		}
	}
}

static void image_fill(void)
{
	/* What has been verified is not to be changed */
	must(image.begun && !image.ended);
	if (image.filling)
		return;
	image.filling = true;
	must(image.nr_named == be64_to_cpu(image.begin.nr_pages));
	image.handover = be64_to_cpu(image.begin.handover_pfn);
	must(memory_is_ram(image.handover) && !image.named[image.handover]);
	image.named[image.handover] = true;
}

static void image_data(const struct pmsm_wire_data *data, unsigned int len)
{
	u64 addr = be64_to_cpu(data->addr);
	const u8 *bytes = data->bytes;

	image_fill();
	must(len >= sizeof(*data));
	must(len == sizeof(*data) || addr == image.cursor ||
	     (!image.cursor && addr % PAGE_SIZE == 0));
	for (len -= sizeof(*data); len; len--, addr++) {
		must(page_of(addr) < FRAMES && image.named[page_of(addr)]);
		image.memory[page_of(addr)][addr % PAGE_SIZE] = *bytes++;
		image.cursor = (addr + 1) % PAGE_SIZE ? addr + 1 : 0;
		if (!image.cursor)
			image.here[page_of(addr)] = true;
	}
}

static void image_zero(const struct pmsm_wire_run *run, unsigned int len)
{
	u64 pfn, nr;

	image_fill();
	must(len % sizeof(*run) == 0);
	must(!image.cursor || !len);
	for (; len; len -= sizeof(*run), run++) {
		nr = be64_to_cpu(run->nr);
		for (pfn = be64_to_cpu(run->pfn); nr; pfn++, nr--) {
			must(pfn < FRAMES && image.named[pfn]);
			memset(image.memory[pfn], 0, PAGE_SIZE);
			image.here[pfn] = true;
		}
	}
}

static void image_end(const struct pmsm_wire_end *end, unsigned int len)
{
	unsigned int pfn, nr = 0;

	must(image.filling && !image.ended && len == sizeof(*end));
	must(!image.cursor);
	for (pfn = 0; pfn < FRAMES; pfn++)
		nr += image.here[pfn];
	must(be64_to_cpu(end->data_pages) + be64_to_cpu(end->zero_pages) == nr);
	image.here[image.handover] = true;
	must(!memcmp(image.here, image.named, sizeof(image.here)));
	must(be64_to_cpu(end->digest) == image.digest);
	image.ended = true;
}

static void image_take(unsigned int type, const void *payload, unsigned int len)
{
	switch (type) {
	case PMSM_BEGIN:
		must(!image.begun && len == sizeof(image.begin));
		memcpy(&image.begin, payload, len);
		image.begun = true;
		break;
	case PMSM_MAP:
		image_map(payload, len);
		break;
	case PMSM_DATA:
		image_data(payload, len);
		break;
	case PMSM_ZERO:
		image_zero(payload, len);
		break;
	case PMSM_END:
		image_end(payload, len);
		break;
	case PMSM_PREPARE:
		must(image.verified && !image.prepared);
		must(len == sizeof(struct pmsm_wire_prepare));
		image.prepared = true;
		break;
	default:
		must(false);
	}
}

/* To the restored kernel there is only one thing to say */
static void arrival_take(unsigned int type)
{
	must(type == PMSM_COMMIT && image.ready && !image.committed);
	image.committed = true;
}

static void delivered(unsigned int type, const void *payload, unsigned int len,
		      u32 crc, int error)
{
	__be32 be_crc = cpu_to_be32(crc);

	if (asked.answering) {
		must(error == -EPROTO);
		return;
	}
	if (type == PMSM_MAP || type == PMSM_DATA || type == PMSM_ZERO)
		image.digest = xxh64(&be_crc, sizeof(be_crc), image.digest);
	if (!error && image.jumped)
		arrival_take(type);
	else if (!error)
		image_take(type, payload, len);
	else
		must(image.jumped || target->reason[0]);
}

static unsigned long frame_of(const void *address)
{
	const u8 *start = page_address(pfn_to_page(0));

	return ((const u8 *)address - start) / PAGE_SIZE;
}

/* What the last step of the restore needs: each is free, and for one thing */
static void claim(bool *claimed, const void *page)
{
	unsigned long pfn = frame_of(page);

	must(memory_is_taken(pfn) && !image.named[pfn]);
	must(!claimed[pfn]);
	claimed[pfn] = true;
}

/* What would be in this page frame after the jump */
static const void *restored(unsigned long pfn)
{
	void *place = page_address(pfn_to_page(pfn));
	const struct pbe *pbe;

	for (pbe = restore_pblist; pbe; pbe = pbe->next)
		if (pbe->orig_address == place)
			return pbe->address;
	must(memory_is_taken(pfn));
	return place;
}

/* All that was named, but for the page that is filled here */
static void image_check(void)
{
	bool claimed[FRAMES] = {}, listed[FRAMES] = {};
	const struct pbe *pbe;
	unsigned int pfn;
	void **safe;

	must(image.ended);
	for (pfn = 0; pfn < FRAMES; pfn++) {
		if (!image.named[pfn] || pfn == image.handover)
			continue;
		must(!memcmp(restored(pfn), image.memory[pfn], PAGE_SIZE));
	}
	for (pbe = restore_pblist; pbe; pbe = pbe->next) {
		if (!listed[frame_of(pbe)])
			claim(claimed, pbe);
		listed[frame_of(pbe)] = true;
		if (pbe->address != target->store.zero)
			claim(claimed, pbe->address);
	}
	claim(claimed, target->store.zero);
	claim(claimed, target->handover);
	for (safe = safe_pages; safe; safe = *safe)
		claim(claimed, safe);
}

/* What the target says */

/* Nothing that the source has must be missing here */
static void check_accepted(void)
{
	const struct pmsm_wire_hello *there = &target->source;
	const struct pmsm_wire_hello *here = &target->self;
	const u16 known = PMSM_ENCRYPTED_SME | PMSM_ENCRYPTED_GUEST |
			  PMSM_ENCRYPTED_TDX;
	unsigned int i;
	u64 pfn, nr;

	must(!memcmp(there->build_id, here->build_id, sizeof(here->build_id)));
	must(!strncmp(there->release, here->release, sizeof(here->release)));
	must(!strncmp(there->build, here->build, sizeof(here->build)));
	must(!strncmp(there->cpu_vendor, here->cpu_vendor,
		      sizeof(here->cpu_vendor)));
	must(there->irq_mode == here->irq_mode);
	must(!((there->encryption ^ here->encryption) & cpu_to_be16(known)));
	must(there->firmware_crc == here->firmware_crc);
	must(llabs((s64)be32_to_cpu(there->tsc_khz) - tsc_khz) <= 1001);
	must(there->xsave_size == here->xsave_size);
	must(be16_to_cpu(there->cpus) <= be16_to_cpu(here->cpus));
	for (i = 0; i < be16_to_cpu(there->nr_caps) && i < PMSM_CAPS; i++)
		must(!(there->caps[i] & ~here->caps[i]));
	for (i = 0; i < be16_to_cpu(there->nr_ram) && i < PMSM_RAM_RANGES; i++) {
		pfn = be64_to_cpu(there->ram[i].pfn);
		for (nr = be64_to_cpu(there->ram[i].nr); nr; nr--, pfn++)
			must(memory_is_ram(pfn));
	}
}

static struct pmsm_wire_device device_of(unsigned int n)
{
	return (struct pmsm_wire_device){
		.domain	= cpu_to_be32(1),
		.bus	= n >> 8,
		.devfn	= n,
		.vendor	= cpu_to_be16(0x1234),
	};
}

static void devices_sent(const struct pmsm_frame *frame)
{
	const struct pmsm_wire_device *dev = (const void *)frame->payload;
	unsigned int len = be16_to_cpu(frame->len);
	struct pmsm_wire_device next;

	must(len && len % sizeof(*dev) == 0 && len / sizeof(*dev) <= asked.left);
	for (; len; len -= sizeof(*dev), dev++) {
		next = device_of(be16_to_cpu(target->self.nr_devices) -
				 asked.left--);
		must(!memcmp(dev, &next, sizeof(next)));
	}
}

static void reason_sent(const struct pmsm_frame *frame)
{
	const struct pmsm_wire_reason *reason = (const void *)frame->payload;
	unsigned int len = be16_to_cpu(frame->len);

	must(len >= sizeof(*reason));
	must(be32_to_cpu(reason->code) < PMSM_ERRNO_MAX);
	must(reason->code || frame->type == PMSM_VERDICT);
	machine_check_words(reason->text, len - sizeof(*reason),
			    frame->type != PMSM_RESET);
}

static void verdict_sent(const struct pmsm_frame *frame)
{
	const struct pmsm_wire_reason *reason = (const void *)frame->payload;

	must(!asked.left);
	must(be32_to_cpu(reason->code) == -target->reasons.error);
	machine_check_reasons(&target->reasons);
	reason_sent(frame);
	if (!reason->code)
		check_accepted();
	asked.done = true;
}

/* To somebody who only asks */
static void answer_sent(const struct pmsm_frame *frame)
{
	const struct pmsm_wire_hello *self = (const void *)frame->payload;

	if (frame->type == PMSM_ACK)
		return;
	must(frame->type < PMSM_SEQUENCED);
	if (be32_to_cpu(frame->seq) != asked.next)
		return;
	must(!asked.done);
	switch (frame->type) {
	case PMSM_ACCEPT:
		must(!asked.next);
		must(be16_to_cpu(frame->len) == sizeof(*self));
		asked.left = be16_to_cpu(self->nr_devices);
		must(asked.left == nr_devices || target->reasons.error);
		break;
	case PMSM_DEVICES:
		must(asked.next);
		devices_sent(frame);
		break;
	case PMSM_VERDICT:
		must(asked.next);
		verdict_sent(frame);
		break;
	default:
		must(false);
	}
	asked.next++;
}

static void target_sent(const struct pmsm_frame *frame)
{
	if (asked.answering) {
		answer_sent(frame);
		return;
	}
	switch (frame->type) {
	case PMSM_VERIFIED:
		image_check();
		image.verified = true;
		break;
	case PMSM_ACCEPT:
		check_accepted();
		break;
	case PMSM_REFUSE:
	case PMSM_RESET:
		reason_sent(frame);
		break;
	case PMSM_ACK:
	case PMSM_BLAST_REPORT:
		break;
	case PMSM_RESUMED:
		must(image.jumped);
		break;
	case PMSM_READY:
		must(image.jumped);
		image.ready = true;
		break;
	case PMSM_COMMITTED:
		must(image.committed);
		break;
	default:
		must(false);
	}
}

/* What the source says */

static void say_hello(const struct record *r)
{
	struct pmsm_wire_hello *hello = actor_payload();
	struct pmsm_reasons reasons;

	memset(&honest, 0, sizeof(honest));
	must(!pmsm_compat_describe(hello, actor_link.frame_size, "source",
				   &reasons));
	hello->flags = cpu_to_be32(r->a & 1 ? PMSM_HELLO_DRY_RUN : 0);
	actor_say(PMSM_HELLO, sizeof(*hello));
}

static void say_begin(const struct record *r)
{
	struct pmsm_wire_begin *begin = actor_payload();

	*begin = (struct pmsm_wire_begin){
		.nr_pages	= cpu_to_be64(fuzz_interesting(r->a)),
		.max_pfn	= cpu_to_be64(max_pfn),
		.handover_pfn	= cpu_to_be64(fuzz_interesting(r->b)),
	};
	actor_say(PMSM_BEGIN, sizeof(*begin));
}

static void digest(u32 crc)
{
	__be32 be_crc = cpu_to_be32(crc);

	honest.digest = xxh64(&be_crc, sizeof(be_crc), honest.digest);
}

static void note(bool *set, u64 pfn, u64 nr)
{
	for (; nr && pfn < FRAMES; pfn++, nr--)
		set[pfn] = true;
}

static void say_runs(const struct record *r)
{
	u64 pfn = fuzz_interesting(r->a), nr = fuzz_interesting(r->b);
	struct pmsm_wire_run *run = actor_payload();
	bool *set = r->op == OP_MAP ? honest.image : honest.sent;

	run[0].pfn = cpu_to_be64(pfn);
	run[0].nr = cpu_to_be64(nr);
	run[1].pfn = cpu_to_be64(pfn + nr + 1);
	run[1].nr = cpu_to_be64(r->c);
	note(set, pfn, nr);
	note(set, pfn + nr + 1, r->c);
	if (r->op == OP_ZERO)
		honest.zero_pages += nr + r->c;
	digest(actor_say(r->op == OP_MAP ? PMSM_MAP : PMSM_ZERO,
			 sizeof(*run) * (1 + !!r->c)));
}

static void say_data(u64 addr, unsigned int len, u8 fill)
{
	struct pmsm_wire_data *data = actor_payload();
	u64 pfn;

	len = min_t(unsigned int, len, actor_room() - sizeof(*data));
	data->addr = cpu_to_be64(addr);
	memset(data->bytes, fill, len);
	if (len)
		data->bytes[0] = addr / PAGE_SIZE;
	digest(actor_say(PMSM_DATA, sizeof(*data) + len));

	honest.next = addr + len;
	for (pfn = page_of(addr); pfn < page_of(addr + len); pfn++) {
		note(honest.sent, pfn, 1);
		honest.data_pages++;
	}
}

static void say_some_data(const struct record *r)
{
	static const u16 sizes[] = { 0, 512, 1, 16, 511, 513, 1024, 1023, 100,
				     496, 3000, 1450, 256, 24, 2048, 510 };

	say_data(fuzz_interesting(r->a) * PAGE_SIZE + sizes[r->b % 16],
		 sizes[r->b / 16], r->c);
}

static bool is_missing(unsigned int pfn)
{
	return pfn < FRAMES && honest.image[pfn] && !honest.sent[pfn];
}

/* Two pages at a time */
static void say_rest(bool contents)
{
	unsigned int pfn, nr;

	if (honest.next % PAGE_SIZE)
		say_data(honest.next, PAGE_SIZE - honest.next % PAGE_SIZE, 1);
	for (pfn = 0; pfn < FRAMES; pfn += nr + !nr) {
		for (nr = 0; nr < 2 && is_missing(pfn + nr); nr++)
			;
		if (nr && contents)
			say_data(pfn * PAGE_SIZE, nr * PAGE_SIZE, nr);
		else if (nr)
			say_runs(&(struct record){ OP_ZERO, pfn, nr });
	}
}

static void say_end(void)
{
	struct pmsm_wire_end *end = actor_payload();

	*end = (struct pmsm_wire_end){
		.data_pages	= cpu_to_be64(honest.data_pages),
		.zero_pages	= cpu_to_be64(honest.zero_pages),
		.digest		= cpu_to_be64(honest.digest),
	};
	actor_say(PMSM_END, sizeof(*end));
}

static void act(const struct record *r)
{
	switch (r->op) {
	case OP_HELLO:
		say_hello(r);
		break;
	case OP_BEGIN:
		say_begin(r);
		break;
	case OP_MAP:
	case OP_ZERO:
		say_runs(r);
		break;
	case OP_DATA:
		say_some_data(r);
		break;
	case OP_NEXT:
		say_data(honest.next, r->b * 16, r->c);
		break;
	case OP_REST:
		say_rest(r->a & 1);
		break;
	case OP_END:
		say_end();
		break;
	case OP_PREPARE:
		memset(actor_payload(), r->a, sizeof(struct pmsm_wire_prepare));
		actor_say(PMSM_PREPARE, sizeof(struct pmsm_wire_prepare));
		break;
	case OP_COMMIT:
		actor_say(PMSM_COMMIT, 0);
		break;
	}
}

/* The target's kernel */

struct pmsm_link *pmsm_link_get(const char *name, bool sends)
{
	return &actor_link;
}

void pmsm_link_put(struct pmsm_link *link)
{
}

/* What listen.c and arrive.c call in its place: where else would we find it? */
void fuzz_session_init(struct pmsm_session *s, struct pmsm_link *link, u64 id,
		       u32 rx_window, u8 *hold)
{
	pmsm_session_init(s, link, id, rx_window, hold);
	session = s;
	if (image.jumped)
		actor_watch_soon(s, 0);
}

/* The first thing that an answer needs, before anything is said */
int pmsm_devices_all(struct pmsm_wire_device **list, unsigned int *nr,
		     const char *nic)
{
	unsigned int i;

	actor_watch(session, 0);
	*nr = 0;
	*list = kvcalloc(nr_devices, sizeof(**list), GFP_KERNEL);
	if (nr_devices && !*list)
		return -ENOMEM;
	for (i = 0; i < nr_devices; i++)
		(*list)[i] = device_of(i);
	*nr = nr_devices;
	return 0;
}

/* What listen.c calls in its place: it says when it begins and ends */
void fuzz_preflight_answer(struct pmsm_target *asked_target)
{
	target = asked_target;
	memset(&asked, 0, sizeof(asked));
	asked.answering = true;
	pmsm_preflight_answer(target);
	machine_check_reasons(&target->reasons);
	asked.answering = false;
	actor_look_away();
}

/* Says when a conversation begins and ends */
void pmsm_activity_set(enum pmsm_activity activity)
{
	actor_look_away();
	if (activity != PMSM_RECEIVING)
		return;
	memset(&image, 0, offsetof(struct image, memory));
	target = container_of(session, struct pmsm_target, session);
	actor_watch(session, 0);
}

void pmsm_stats_failed(const char *side, int error, const char *reason,
		       u64 done, u64 total)
{
	must(error < 0 && error > -PMSM_ERRNO_MAX);
	machine_check_words(reason, strlen(reason), false);
	must(done <= total);
}

unsigned long pmsm_machine_safe_pages(void)
{
	return SAFE_PAGES;
}

void pmsm_machine_set_entry(const struct pmsm_wire_begin *begin)
{
	must(!memcmp(begin, &image.begin, sizeof(*begin)));
}

void swsusp_set_safe_pages(void *list)
{
	safe_pages = list;
}

void hibernation_set_image_ops(const struct hibernation_image_ops *ops)
{
	image_ops = ops;
}

/* What the restored kernel does */
static void __noreturn run_image(void)
{
	static struct pmsm_arrival arrival;
	struct pmsm_handover handover;
	u8 *hold;

	memcpy(&handover, restored(image.handover), sizeof(handover));
	must(handover.magic == PMSM_HANDOVER_MAGIC);
	must(handover.session == session->id);
	must(!memcmp(&handover.account, &target->account,
		     sizeof(handover.account)));
	must(ether_addr_equal(handover.source, target->session.peer));

	actor_look_away();
	image.jumped = true;
	memset(&arrival, 0xa5, sizeof(arrival));
	hold = kvzalloc(pmsm_session_hold_size(&actor_link, PMSM_WINDOW_SMALL),
			GFP_KERNEL);
	if (!hold)
		pmsm_machine_off();
	pmsm_arrive(&arrival, &actor_link, &handover, hold, TIMEOUT_MS,
		    machine_fault == FAULT_DEVICE ? "a device is dead" : "");
	must(image.committed);
	pmsm_after_moved(&arrival.session, pmsm_machine_off);
	while (kernel_work())
		;
	/* Either that was called, or there is something to do */
	must(false);
}

int hibernation_restore(int platform_mode)
{
	int error;

	/* listen.c has opened the session and said ACCEPT */
	error = image_ops->receive();
	if (error) {
		image_ops->release();
		must(!restore_pblist && !safe_pages);
		return error;
	}
	must(image.prepared);
	image_check();
	run_image();
}

static void stuck(void)
{
	/* A restored kernel that is ready waits for ever */
	must(image.ready);
	pmsm_machine_off();
}

static const struct play play = {
	.nr_ops		= NR_OPS,
	.act		= act,
	.sent		= target_sent,
	.delivered	= delivered,
	.stuck		= stuck,
};

int fuzz_one(const u8 *data, size_t size)
{
	const struct pmsm_settings settings = { .timeout_ms = TIMEOUT_MS };
	struct record first = actor_begin(&play, data, size);
	bool off;

	memset(&image, 0, offsetof(struct image, memory));
	asked.answering = false;
	nr_devices = 2 * first.c;
	restore_pblist = NULL;
	safe_pages = NULL;
	memory_reset(first.a >> 5, first.b, first.c, first.op >> 5);
	off = setjmp(machine_off);
	if (!off)
		must(pmsm_target_listen(&settings) < 0);
	memory_done(!off);
	return 0;
}
