// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source, phase by phase.
 */

#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/syscalls.h>
#include <linux/timekeeping.h>

#include "../power.h"
#include "announce.h"
#include "clock.h"
#include "machine.h"
#include "settle.h"
#include "slept.h"
#include "source.h"
#include "stats.h"
#include "talk.h"
#include "tcp.h"

/* Say the last word again, since nobody will answer it */
#define PMSM_RESET_REPEAT	3
/* The target has heard DONE if it has been quiet for so long */
#define PMSM_QUIET_MS		50
/* Do not wait for that for ever */
#define PMSM_DONE_MS		2000

/*
 * These do not change while memory is being sent.  They are part of the image:
 * after a restore they find what they found before.
 */
static struct pmsm_source *source;
static struct pmsm_handover *handover;
static struct pmsm_image image;
static u8 *hold;
static ktime_t began;

/* Time stamp counter when this kernel came back to life; 0 if it did not */
static u64 came_back;

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
		source->ready = pmsm_clock();
		return 0;
	case PMSM_COMMITTED:
		source->committed = true;
		return 0;
	default:
		return -EPROTO;
	}
}

static int send_begin(void)
{
	struct pmsm_wire_begin begin = {
		.nr_pages	= cpu_to_be64(image.nr_pages),
		.max_pfn	= cpu_to_be64(image.max_pfn),
		.handover_pfn	= cpu_to_be64(page_to_pfn(virt_to_page(handover))),
	};

	pmsm_machine_entry(&begin);
	return pmsm_talk_send(&source->session, PMSM_BEGIN, &begin,
			      sizeof(begin));
}

static int send_end(void)
{
	struct pmsm_wire_end end = {
		.data_pages	= cpu_to_be64(source->stream.data_pages),
		.zero_pages	= cpu_to_be64(source->stream.zero_pages),
		.digest		= cpu_to_be64(source->stream.digest),
	};

	return pmsm_talk_send(&source->session, PMSM_END, &end, sizeof(end));
}

/* All that this migration took, the link's rings and buffers apart */
static unsigned long extra_pages(void)
{
	struct pmsm_link *link = source->session.link;
	size_t held = pmsm_session_hold_size(link, PMSM_WINDOW_SMALL);

	return pmsm_image_extra_pages(&image) + PFN_UP(sizeof(*source)) +
	       PFN_UP(sizeof(*handover)) + PFN_UP(held);
}

static u64 data_bytes(void)
{
	return source->stream.data_pages << PAGE_SHIFT;
}

static int send_commit(void)
{
	struct pmsm_wire_commit commit = {
		.stopped_ns	= cpu_to_be64(pmsm_slept()),
		.held_ns	= cpu_to_be64(pmsm_clock() - source->ready),
		.data_bytes	= cpu_to_be64(data_bytes()),
		.retransmits	= cpu_to_be64(source->session.stats.retransmits),
		.extra_pages	= cpu_to_be64(extra_pages()),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(commit.phase_ns); i++)
		commit.phase_ns[i] = cpu_to_be64(source->phase_ns[i]);
	return pmsm_talk_send(&source->session, PMSM_COMMIT, &commit,
			      sizeof(commit));
}

static int send_image(void)
{
	struct pmsm_session *s = &source->session;
	int error;

	pmsm_image_scan(&image);
	error = send_begin();
	if (!error)
		error = pmsm_stream_map(&source->stream, &image);
	end_phase(PMSM_PHASE_SCAN);
	if (!error)
		error = pmsm_stream_contents(&source->stream, &image);
	if (!error)
		error = send_end();
	while (!error && !pmsm_session_idle(s))
		error = pmsm_talk_poll(s);
	end_phase(PMSM_PHASE_STREAM);
	while (!error && !source->ready)
		error = pmsm_talk_poll(s);
	end_phase(PMSM_PHASE_VERIFY);
	return error;
}

static void print_sent(void)
{
	const struct pmsm_stream *stream = &source->stream;
	u64 ns = source->phase_ns[PMSM_PHASE_STREAM];
	u64 bytes = data_bytes();

	pr_info("sent %llu pages, %llu of them zero, %llu MiB in %llu ms (%llu MiB/s), %llu frames again\n",
		stream->data_pages + stream->zero_pages, stream->zero_pages,
		bytes >> 20, div_u64(ns, NSEC_PER_MSEC),
		mul_u64_u64_div_u64(bytes, NSEC_PER_SEC, ns | 1) >> 20,
		source->session.stats.retransmits);
}

/*
 * A target that has not heard DONE goes on telling, and each of its frames
 * gets another one.
 */
static void say_done(void)
{
	struct pmsm_session *s = &source->session;
	u64 start = pmsm_clock(), now = start, said = start, heard = 0;

	while (now - said < PMSM_QUIET_MS * PMSM_NS_PER_MS &&
	       now - start < PMSM_DONE_MS * PMSM_NS_PER_MS) {
		if (s->heard != heard &&
		    pmsm_session_send_loose(s, PMSM_DONE, NULL, 0)) {
			heard = s->heard;
			said = now;
		}
		pmsm_talk_poll(s);
		now = pmsm_clock();
	}
}

static void __noreturn machine_is_gone(void)
{
	say_done();
	print_sent();
	pr_info("this machine runs on the target now; powering off\n");
	source->session.link->ops->stop(source->session.link);
	pmsm_machine_off();
}

/* Halted, until the target knows what it has done */
static int ask_on(void)
{
	struct pmsm_session *s = &source->session;
	int error;

	pr_emerg("the target had the whole image and was told to go, but has not answered\n");
	pr_emerg("halted, and asking on: look at the target. If this machine runs there, power this one off; if it never will, reset this one\n");
	do {
		pmsm_session_persist(s);
		error = pmsm_talk_wait(s, &source->committed);
	} while (error && !s->called_off);
	return error;
}

/*
 * The decision.  Once COMMIT may have left, this machine goes on only if the
 * target says that it has not taken the image and never will: a RESET.
 */
static int hand_over(void)
{
	struct pmsm_session *s = &source->session;
	u32 before = s->tx_next;
	int error;

	/* Nothing else is on the wire any more, and every moment is downtime */
	s->urgent = true;
	error = send_commit();
	if (!error)
		error = pmsm_talk_wait(s, &source->committed);
	if (error && !s->called_off && s->tx_next != before)
		error = ask_on();
	if (!error)
		machine_is_gone();
	return error;
}

/*
 * Takes the place of swsusp_save(): interrupts off, one CPU, all devices but
 * the link stopped, and the processor's state saved.
 */
static int source_save(void)
{
	int error;

	pmsm_slept_begin();
	end_phase(PMSM_PHASE_DEVICES);
	/* The target has been silent while it got ready itself */
	source->session.heard = pmsm_clock();
	error = send_image();
	return error ?: hand_over();
}

/* Processes are frozen, devices are not */
static int source_prepare(void)
{
	pmsm_tcp_hold();
	end_phase(PMSM_PHASE_FREEZE);
	pmsm_nosave_forbid();
	return 0;
}

/* On the target, first thing */
static void source_restored(void)
{
	came_back = rdtsc_ordered();
	if (handover->magic == PMSM_HANDOVER_MAGIC)
		pmsm_slept_moved(handover);
	else
		pmsm_slept_forget();
}

/* On the target, when devices run and processes are still frozen */
static void source_resumed(void)
{
	/* A wakeup event, or pm_test: this machine has never left */
	if (!came_back)
		return;
	add_vmfork_randomness(handover->seed, sizeof(handover->seed));
	memzero_explicit(handover->seed, sizeof(handover->seed));
	pmsm_announce();
}

static const struct hibernation_image_ops pmsm_image_ops = {
	.prepare	= source_prepare,
	.save		= source_save,
	.restored	= source_restored,
	.resumed	= source_resumed,
};

/* Put into words why this machine is still here */
static void explain(int error, char *text, unsigned int size)
{
	const char *name = source->session.link->name;

	if (source->reason[0])
		scnprintf(text, size, "this machine cannot move: %s",
			  source->reason);
	else if (source->session.reason[0])
		scnprintf(text, size, "%s: target says: %s", name,
			  source->session.reason);
	else if (error == -ETIMEDOUT && !source->accepted)
		scnprintf(text, size,
			  "%s: no target answers: is one listening on this link (pmsm.listen=)?",
			  name);
	else if (error == -ETIMEDOUT)
		scnprintf(text, size,
			  "%s: target %pM has fallen silent: is it alive, and is the cable plugged in?",
			  name, source->session.peer);
	else if (error == -EPROTONOSUPPORT)
		scnprintf(text, size,
			  "%s: the other side speaks another protocol version, not %d: run the same kernel on both",
			  name, PMSM_VERSION);
	else
		scnprintf(text, size, "%s: migration failed with error %d",
			  name, error);
}

static void failed(int error)
{
	const struct pmsm_stream *stream = &source->stream;
	char text[PMSM_REASON_LEN];

	explain(error, text, sizeof(text));
	pr_err("%s\n", text);
	pmsm_stats_failed("source", error, text,
			  stream->data_pages + stream->zero_pages,
			  image.nr_pages);
}

/* Best effort: a target that misses this finds out by the silence */
static void call_off(int error)
{
	struct pmsm_session *s = &source->session;
	int i;

	for (i = 0; i < PMSM_RESET_REPEAT; i++)
		pmsm_session_send_reason(s, PMSM_RESET, error,
					 source->reason[0] ? source->reason :
					 "the source goes on running");
	pmsm_talk_flush(s);
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
	pmsm_stream_init(&source->stream, &source->session);
	source->session.deliver = source_deliver;
	source->session.timeout = settings->timeout_ms * PMSM_NS_PER_MS;
	ether_addr_copy(source->session.peer, settings->peer);
	began = ktime_get_real();
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

/* The machine has moved, and runs again */
static void settle_in(void)
{
	if (handover->magic != PMSM_HANDOVER_MAGIC) {
		pr_err("moved, but the target left no account of it\n");
		return;
	}
	pmsm_settle_watch();
	pmsm_stats_moved(handover, came_back, began);
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

	link = pmsm_link_get(settings->nic, true);
	if (IS_ERR(link)) {
		pmsm_stats_failed("source", PTR_ERR(link),
				  "no usable transfer NIC", 0, 0);
		return PTR_ERR(link);
	}

	pmsm_activity_set(PMSM_NEGOTIATING);
	error = source_alloc(link, settings);
	if (error) {
		pr_err("no memory for the migration\n");
		pmsm_stats_failed("source", error,
				  "no memory for the migration", 0, 0);
		goto out;
	}
	/* So that there is little to write once somebody stands still for us */
	ksys_sync();
	end_phase(PMSM_PHASE_SYNC);
	error = pmsm_source_negotiate(source);
	end_phase(PMSM_PHASE_NEGOTIATE);
	if (error)
		goto fail;
	pr_info("%s: target %pM accepts\n", link->name, source->session.peer);

	pmsm_activity_set(PMSM_MIGRATING);
	came_back = 0;
	error = hibernate_image(&pmsm_image_ops);
	if (!error && !came_back) {
		scnprintf(source->reason, sizeof(source->reason),
			  "a wakeup event or pm_test ended it");
		error = -EBUSY;
	}
	if (!error) {
		settle_in();
		goto out;
	}
	/* As often as it takes: a link may need seconds to come up */
	pmsm_announce();
	pr_err("not moved, this machine goes on running (error %d)\n", error);
fail:
	failed(error);
	call_off(error);
out:
	pmsm_activity_set(PMSM_IDLE);
	source_free();
	pmsm_link_put(link);
	return error;
}
