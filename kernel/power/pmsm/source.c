// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the source does in each phase.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/mm.h>
#include <linux/nmi.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xxhash.h>

#include "../power.h"
#include "clock.h"
#include "compat.h"
#include "image.h"
#include "machine.h"
#include "pmsm.h"
#include "session.h"

#define PMSM_SOURCE_POLL_US	200
/* Runs of zero pages to collect before they are sent */
#define PMSM_ZERO_RUNS		64
/* Look at the wire after so many messages */
#define PMSM_POLL_EVERY		8
/* Repeat the last word, since nobody will answer it */
#define PMSM_DONE_REPEAT	3
/* Long enough for a frame to leave the device before that is turned off */
#define PMSM_DONE_DELAY_MS	5
/* Look after the watchdogs every so many polls */
#define PMSM_WATCHDOG_POLLS	1024

/**
 * struct pmsm_source - a migration as the source sees it
 * @session: The conversation.
 * @target: What the target says of itself.
 * @error: First error.
 * @reason: Words for it.
 * @accepted: The target has accepted.
 * @ready: The target has the image, verified.
 * @committed: The target has taken over.
 * @mark: pmsm_clock() at the end of the last phase.
 * @phase_ns: Duration of the phases.
 * @digest: So far.
 * @data_pages: Pages sent as contents.
 * @zero_pages: Pages sent as runs.
 * @data_bytes: Bytes of contents sent.
 * @polls: Calls of poll(), for the watchdogs.
 * @unpolled: Messages sent, for polling now and then.
 * @msg: The message being filled, or NULL.
 * @msg_len: Bytes of it in use.
 * @msg_room: Bytes there are.
 * @msg_next: DATA: physical address that would continue it.
 * @zeros: Runs of zero pages that are not in a message yet.
 * @nr_zeros: How many.
 * @stage: A page on its way into messages.
 *
 * Lives in memory that the image leaves out, for it changes while memory is
 * being sent.
 */
struct pmsm_source {
	struct pmsm_session session;
	struct pmsm_wire_hello target;
	int error;
	char reason[PMSM_REASON_LEN];
	bool accepted;
	bool ready;
	bool committed;
	u64 mark;
	u64 phase_ns[PMSM_PHASES];
	u64 digest;
	u64 data_pages;
	u64 zero_pages;
	u64 data_bytes;
	unsigned int polls;
	unsigned int unpolled;
	u8 *msg;
	unsigned int msg_len;
	unsigned int msg_room;
	u64 msg_next;
	struct pmsm_run zeros[PMSM_ZERO_RUNS];
	unsigned int nr_zeros;
	u8 stage[PAGE_SIZE];
};

/*
 * These four do not change while memory is being sent.  They are part of the
 * image: after a restore they find what they found before.
 */
static struct pmsm_source *source;
static struct pmsm_handover *handover;
static struct pmsm_image image;
static u8 *hold;

static void end_phase(enum pmsm_phase phase)
{
	u64 now = pmsm_clock();

	source->phase_ns[phase] = now - source->mark;
	source->mark = now;
}

static int source_deliver(void *ctx, unsigned int type, const void *payload,
			  unsigned int len, u32 crc)
{
	switch (type) {
	case PMSM_ACCEPT:
		if (len < sizeof(source->target))
			return -EPROTO;
		memcpy(&source->target, payload, sizeof(source->target));
		source->accepted = true;
		return 0;
	case PMSM_READY:
		source->ready = true;
		return 0;
	case PMSM_COMMITTED:
		source->committed = true;
		return 0;
	default:
		return -EPROTO;
	}
}

static int poll(void)
{
	if (++source->polls % PMSM_WATCHDOG_POLLS == 0) {
		touch_nmi_watchdog();
		touch_softlockup_watchdog_sync();
	}
	return pmsm_session_poll(&source->session, pmsm_clock());
}

/* Wait for the target's word, in the atomic context */
static int wait_until(const bool *condition)
{
	int error = 0;

	while (!error && !READ_ONCE(*condition))
		error = poll();
	return error;
}

/*
 * Sending.  One message is being filled at a time: either contents of
 * consecutive memory, or a list of runs.
 */

static int begin_message(void)
{
	int error = 0;

	while (!error) {
		source->msg = pmsm_session_reserve(&source->session,
						   &source->msg_room);
		if (source->msg)
			break;
		error = poll();
	}
	source->msg_len = 0;
	return error;
}

static int send_message(enum pmsm_type type)
{
	__be32 be_crc;
	u32 crc;

	pmsm_session_commit(&source->session, type, source->msg_len,
			    pmsm_clock(), &crc);
	source->msg = NULL;
	if (type == PMSM_MAP || type == PMSM_DATA || type == PMSM_ZERO) {
		be_crc = cpu_to_be32(crc);
		source->digest = xxh64(&be_crc, sizeof(be_crc), source->digest);
	}
	/* A doorbell for each frame would cost more than the frame */
	return ++source->unpolled % PMSM_POLL_EVERY ? 0 : poll();
}

static int send_whole(enum pmsm_type type, const void *payload,
		      unsigned int len)
{
	int error = begin_message();

	if (error)
		return error;
	memcpy(source->msg, payload, len);
	source->msg_len = len;
	error = send_message(type);
	return error ?: poll();
}

static int send_run(enum pmsm_type type, struct pmsm_run run)
{
	struct pmsm_wire_run *wire;
	int error;

	if (!source->msg) {
		error = begin_message();
		if (error)
			return error;
	}
	wire = (void *)(source->msg + source->msg_len);
	wire->pfn = cpu_to_be64(run.pfn);
	wire->nr = cpu_to_be64(run.nr);
	source->msg_len += sizeof(*wire);
	if (source->msg_len + sizeof(*wire) > source->msg_room)
		return send_message(type);
	return 0;
}

static int send_begin(void)
{
	struct pmsm_wire_begin begin = {
		.nr_pages	= cpu_to_be64(image.nr_pages),
		.max_pfn	= cpu_to_be64(image.max_pfn),
		.handover_pfn	= cpu_to_be64(page_to_pfn(virt_to_page(handover))),
	};

	pmsm_machine_entry(&begin);
	return send_whole(PMSM_BEGIN, &begin, sizeof(begin));
}

static int send_map(void)
{
	struct pmsm_run run = {};
	int error = 0;

	for (;;) {
		run = pmsm_image_run(&image, run.pfn + run.nr);
		if (!run.nr || error)
			break;
		error = send_run(PMSM_MAP, run);
	}
	if (!error && source->msg)
		error = send_message(PMSM_MAP);
	return error;
}

static int flush_data(void)
{
	return source->msg ? send_message(PMSM_DATA) : 0;
}

/*
 * Zero runs collect outside of the message being filled and go out many at a
 * time, between two DATA messages: one by one, each would cost a frame.
 */
static int flush_zeros(void)
{
	int error = flush_data();
	unsigned int i;

	for (i = 0; i < source->nr_zeros && !error; i++)
		error = send_run(PMSM_ZERO, source->zeros[i]);
	source->nr_zeros = 0;
	if (!error && source->msg)
		error = send_message(PMSM_ZERO);
	return error;
}

static int send_zero_page(unsigned long pfn)
{
	struct pmsm_run *last = &source->zeros[source->nr_zeros - 1];
	int error = 0;

	source->zero_pages++;
	if (source->nr_zeros && last->pfn + last->nr == pfn) {
		last->nr++;
		return 0;
	}
	if (source->nr_zeros == PMSM_ZERO_RUNS)
		error = flush_zeros();
	source->zeros[source->nr_zeros++] = (struct pmsm_run){ pfn, 1 };
	return error;
}

static int begin_data(u64 addr)
{
	struct pmsm_wire_data *data;
	int error = begin_message();

	if (error)
		return error;
	data = (void *)source->msg;
	data->addr = cpu_to_be64(addr);
	source->msg_len = sizeof(*data);
	source->msg_next = addr;
	return 0;
}

static int send_data_page(unsigned long pfn)
{
	u64 addr = PFN_PHYS(pfn);
	unsigned int part, done = 0;
	int error = 0;

	source->data_pages++;
	source->data_bytes += PAGE_SIZE;
	if (source->msg && source->msg_next != addr)
		error = flush_data();

	while (!error && done < PAGE_SIZE) {
		if (!source->msg)
			error = begin_data(addr + done);
		if (error)
			break;
		part = min_t(unsigned int, PAGE_SIZE - done,
			     source->msg_room - source->msg_len);
		memcpy(source->msg + source->msg_len, source->stage + done, part);
		source->msg_len += part;
		source->msg_next += part;
		done += part;
		if (source->msg_len == source->msg_room)
			error = flush_data();
	}
	return error;
}

static int send_page(unsigned long pfn)
{
	if (swsusp_copy_page(source->stage, pfn))
		return send_zero_page(pfn);
	return send_data_page(pfn);
}

/*
 * From the first page to the last, nothing may change in the image that would
 * matter after the restore: no allocation, no printing, no locks, no tracing.
 */
static int send_contents(void)
{
	struct pmsm_run run = {};
	int error = 0;

	for (;;) {
		run = pmsm_image_run(&image, run.pfn + run.nr);
		if (!run.nr)
			break;
		for (; run.nr && !error; run.pfn++, run.nr--)
			error = send_page(run.pfn);
		if (error)
			return error;
	}
	return flush_zeros();
}

static int send_end(void)
{
	struct pmsm_wire_end end = {
		.data_pages	= cpu_to_be64(source->data_pages),
		.zero_pages	= cpu_to_be64(source->zero_pages),
		.digest		= cpu_to_be64(source->digest),
	};

	return send_whole(PMSM_END, &end, sizeof(end));
}

/* All that this migration took, the link's rings and buffers apart */
static unsigned long extra_pages(void)
{
	struct pmsm_link *link = source->session.link;
	size_t held = pmsm_session_hold_size(link, PMSM_WINDOW_SMALL);

	return pmsm_image_extra_pages(&image) + PFN_UP(sizeof(*source)) +
	       PFN_UP(sizeof(*handover)) + PFN_UP(held);
}

static int send_commit(void)
{
	struct pmsm_wire_commit commit = {
		.data_bytes	= cpu_to_be64(source->data_bytes),
		.retransmits	= cpu_to_be64(source->session.stats.retransmits),
		.extra_pages	= cpu_to_be64(extra_pages()),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(commit.phase_ns); i++)
		commit.phase_ns[i] = cpu_to_be64(source->phase_ns[i]);
	return send_whole(PMSM_COMMIT, &commit, sizeof(commit));
}

static int send_image(void)
{
	int error;

	pmsm_image_scan(&image);
	error = send_begin();
	if (!error)
		error = send_map();
	if (!error)
		end_phase(PMSM_PHASE_SCAN);
	if (!error)
		error = send_contents();
	if (!error)
		error = send_end();
	while (!error && !pmsm_session_idle(&source->session))
		error = poll();
	end_phase(PMSM_PHASE_STREAM);
	if (!error)
		error = wait_until(&source->ready);
	end_phase(PMSM_PHASE_VERIFY);
	return error;
}

static void print_sent(void)
{
	u64 ns = source->phase_ns[PMSM_PHASE_STREAM];
	u64 mib = source->data_bytes >> 20;

	pr_info("sent %llu pages, %llu of them zero, %llu MiB in %llu ms (%llu MiB/s), %llu frames again\n",
		source->data_pages + source->zero_pages, source->zero_pages,
		mib, ns / NSEC_PER_MSEC,
		div64_u64(source->data_bytes * NSEC_PER_MSEC, ns | 1) * 1000 >> 20,
		source->session.stats.retransmits);
}

static void __noreturn machine_is_gone(void)
{
	int i;

	for (i = 0; i < PMSM_DONE_REPEAT; i++) {
		pmsm_session_send_loose(&source->session, PMSM_DONE, NULL, 0);
		poll();
		mdelay(PMSM_DONE_DELAY_MS);
	}
	pr_info("this machine runs on the target now; powering off\n");
	source->session.link->ops->stop(source->session.link);
	pmsm_machine_off();
}

static void __noreturn stay_in_doubt(void)
{
	source->session.link->ops->stop(source->session.link);
	pr_emerg("the target had the whole image and was told to go, but never answered\n");
	pr_emerg("halted: look at the target. If this machine runs there, power this one off; if not, reset this one\n");
	for (;;) {
		touch_nmi_watchdog();
		cpu_relax();
	}
}

/*
 * The decision.  Once COMMIT may have left, this machine goes on only if the
 * target says that it has not taken the image and never will: a RESET.
 */
static int hand_over(void)
{
	int error;

	error = send_commit();
	if (!error)
		error = wait_until(&source->committed);
	if (!error)
		machine_is_gone();
	if (error == -ETIMEDOUT)
		stay_in_doubt();
	return error;
}

/*
 * Takes the place of swsusp_save(): interrupts off, one CPU, all devices but
 * the link stopped, and the processor's state saved.
 */
static int source_save(void)
{
	int error;

	end_phase(PMSM_PHASE_DEVICES);
	/* The target has been silent while it got ready itself */
	source->session.heard = pmsm_clock();
	error = send_image();
	if (!error) {
		print_sent();
		error = hand_over();
	}
	return error;
}

static int source_prepare(void)
{
	end_phase(PMSM_PHASE_FREEZE);
	pmsm_nosave_forbid();
	return 0;
}

static const struct hibernation_image_ops pmsm_image_ops = {
	.prepare	= source_prepare,
	.save		= source_save,
	.restored	= pmsm_report_restored,
};

/*
 * Negotiation, while everything still runs.
 */

static void explain(int error)
{
	const char *name = source->session.link->name;

	if (source->session.reason[0])
		pr_err("%s: target says: %s\n", name, source->session.reason);
	else if (error == -ETIMEDOUT && !source->accepted)
		pr_err("%s: no target answers: is one listening on this link (pmsm.listen=)?\n",
		       name);
	else if (error == -ETIMEDOUT)
		pr_err("%s: target %pM has fallen silent: is it alive, and is the cable plugged in?\n",
		       name, source->session.peer);
	else if (error == -EPROTONOSUPPORT)
		pr_err("%s: the other side speaks another protocol version, not %d: run the same kernel on both\n",
		       name, PMSM_VERSION);
	else
		pr_err("%s: migration failed with error %d\n", name, error);
}

static int send_hello(void)
{
	struct pmsm_wire_hello *hello;
	unsigned int room;
	int error;

	hello = pmsm_session_reserve(&source->session, &room);
	if (!hello)
		return -EBUSY;
	error = pmsm_compat_describe(hello, source->session.link->frame_size,
				     source->reason, sizeof(source->reason));
	if (error) {
		pr_err("this machine cannot move: %s\n", source->reason);
		return error;
	}
	pmsm_session_commit(&source->session, PMSM_HELLO, sizeof(*hello),
			    pmsm_clock(), NULL);
	return 0;
}

/*
 * Until somebody has accepted, the peer may be anybody.  Whoever says
 * something to the point first is it.
 */
static void choose_peer(const struct pmsm_frame *frame, unsigned int len)
{
	struct pmsm_session *s = &source->session;
	enum pmsm_frame_check check = pmsm_frame_check(frame, len);

	/* Nothing else in a frame of another version has a known place */
	if (check == PMSM_FRAME_VERSION &&
	    ether_addr_equal(frame->dst, s->link->addr))
		s->error = -EPROTONOSUPPORT;
	if (check != PMSM_FRAME_GOOD ||
	    be64_to_cpu(frame->session) != s->id)
		return;
	if (is_broadcast_ether_addr(s->peer) &&
	    (frame->type == PMSM_ACCEPT || frame->type == PMSM_REFUSE))
		ether_addr_copy(s->peer, frame->src);
}

static int negotiate_once(void)
{
	struct pmsm_session *s = &source->session;
	struct pmsm_link *link = s->link;
	struct pmsm_frame *frame;
	unsigned int len;

	while (!s->error && (frame = link->ops->recv(link, &len))) {
		choose_peer(frame, len);
		pmsm_session_input(s, frame, len, pmsm_clock());
		link->ops->recv_done(link);
	}
	return poll();
}

static int negotiate(void)
{
	int error = send_hello();

	while (!error && !source->accepted) {
		error = negotiate_once();
		usleep_range(PMSM_SOURCE_POLL_US, 2 * PMSM_SOURCE_POLL_US);
		if (!error && signal_pending(current))
			error = -EINTR;
	}
	if (!error) {
		source->session.frame_size =
			min_t(unsigned int, source->session.frame_size,
			      be16_to_cpu(source->target.frame_size));
		if (source->session.frame_size < ETH_FRAME_LEN)
			error = -EPROTO;
	}
	end_phase(PMSM_PHASE_NEGOTIATE);
	return error;
}

/* Best effort: a target that misses this finds out by the silence */
static void call_off(int error)
{
	struct pmsm_session *s = &source->session;
	int i;

	for (i = 0; i < PMSM_DONE_REPEAT; i++)
		pmsm_session_send_reason(s, PMSM_RESET, error,
					 "the source goes on running");
}

static int source_alloc(struct pmsm_link *link,
			const struct pmsm_settings *settings)
{
	source = pmsm_nosave_alloc(sizeof(*source));
	handover = pmsm_nosave_alloc(sizeof(*handover));
	hold = pmsm_nosave_alloc(pmsm_session_hold_size(link,
							PMSM_WINDOW_SMALL));
	if (!source || !handover || !hold || pmsm_image_alloc(&image))
		return -ENOMEM;

	pmsm_session_init(&source->session, link, pmsm_random_id(),
			  PMSM_WINDOW_SMALL, hold);
	source->session.deliver = source_deliver;
	source->session.timeout = settings->timeout_ms * PMSM_NS_PER_MS;
	ether_addr_copy(source->session.peer, settings->peer);
	source->mark = pmsm_clock();
	source->session.heard = source->mark;
	return 0;
}

static void source_free(void)
{
	pmsm_image_free(&image);
	pmsm_nosave_free(hold);
	pmsm_nosave_free(handover);
	pmsm_nosave_free(source);
	hold = NULL;
	handover = NULL;
	source = NULL;
}

/**
 * pmsm_source_migrate - move this machine
 * @settings: What the operator has said.
 *
 * Returns on the target if it works, and here if it does not.
 *
 * Return: 0 on the target, a negative errno after a message on the source.
 */
int pmsm_source_migrate(const struct pmsm_settings *settings)
{
	struct pmsm_link *link;
	int error;

	link = pmsm_link_get(settings->nic);
	if (IS_ERR(link))
		return PTR_ERR(link);

	error = source_alloc(link, settings);
	if (error) {
		pr_err("no memory for the migration\n");
		goto out;
	}
	error = negotiate();
	if (error) {
		explain(error);
		call_off(error);
		goto out;
	}
	pr_info("%s: target %pM accepts\n", link->name, source->session.peer);

	error = hibernate_image(&pmsm_image_ops);
	if (!error) {
		pmsm_report(handover);
		goto out;
	}
	explain(error);
	call_off(error);
	pr_err("not moved, this machine goes on running (error %d)\n", error);
out:
	source_free();
	pmsm_link_put(link);
	return error;
}
