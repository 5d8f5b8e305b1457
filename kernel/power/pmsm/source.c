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
#include "after.h"
#include "announce.h"
#include "arrive.h"
#include "ask.h"
#include "clock.h"
#include "fault.h"
#include "gate.h"
#include "machine.h"
#include "settle.h"
#include "slept.h"
#include "source.h"
#include "stats.h"
#include "stopping.h"
#include "talk.h"
#include "tcp.h"
#include "wake.h"

/*
 * These do not change while memory is being sent.  They are part of the image:
 * after a restore they find what they found before.
 */
static struct pmsm_source *source;
static struct pmsm_handover *handover;
static struct pmsm_arrival *arrival;
static struct pmsm_image image;
static struct pmsm_link *transfer;
static struct pmsm_settings settings;
static u8 *hold;
static ktime_t began;

/* Of the move that brought this kernel here; zeroes if none has */
static struct pmsm_stamps stamps;

static void end_phase(enum pmsm_phase phase)
{
	u64 now = pmsm_clock();

	source->phase_ns[phase] = now - source->mark;
	source->mark = now;
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

	return pmsm_talk_queue(&source->session, PMSM_END, &end, sizeof(end),
			       &source->ended);
}

/* All that this migration took, the link's rings and buffers apart */
static unsigned long extra_pages(void)
{
	struct pmsm_link *link = source->session.link;
	size_t held = pmsm_session_hold_size(link, PMSM_WINDOW_SMALL);

	return pmsm_image_extra_pages(&image) + PFN_UP(sizeof(*source)) +
	       PFN_UP(sizeof(*handover)) + PFN_UP(sizeof(*arrival)) +
	       PFN_UP(held);
}

static void fill_account(void)
{
	struct pmsm_wire_prepare *account = &source->account;
	int i;

	account->data_bytes = cpu_to_be64(source->stream.data_pages << PAGE_SHIFT);
	account->retransmits = cpu_to_be64(source->session.stats.retransmits);
	account->extra_pages = cpu_to_be64(extra_pages());
	for (i = 0; i < ARRAY_SIZE(account->phase_ns); i++)
		account->phase_ns[i] = cpu_to_be64(source->phase_ns[i]);
}

static int send_image(void)
{
	struct pmsm_session *s = &source->session;
	int error;

	pmsm_image_scan(&image);
	error = pmsm_fault(PMSM_STEP_SCANNED) ?: send_begin();
	if (!error)
		error = pmsm_stream_map(&source->stream, &image);
	end_phase(PMSM_PHASE_SCAN);
	if (!error)
		error = pmsm_stream_contents(&source->stream, &image);
	if (!error)
		error = pmsm_fault(PMSM_STEP_STREAMED);
	if (!error)
		error = send_end();
	while (!error && !pmsm_session_idle(s))
		error = pmsm_talk_poll(s);
	end_phase(PMSM_PHASE_STREAM);
	if (!error)
		error = pmsm_talk_wait(s, &source->verified);
	end_phase(PMSM_PHASE_VERIFY);
	return error;
}

/*
 * Takes the place of swsusp_save(): interrupts off, one CPU, all devices but
 * the link stopped, and the processor's state saved.
 */
static int source_save(void)
{
	int error;

	pmsm_stopping_done();
	pmsm_slept_begin();
	end_phase(PMSM_PHASE_DEVICES);
	/* The target has been silent while it got ready itself */
	source->session.heard = pmsm_clock();
	error = send_image();
	if (error)
		return error;
	fill_account();
	return pmsm_hand_over(source, &settings);
}

/* Processes are frozen, devices are not */
static int source_prepare(void)
{
	int error = pmsm_fault(PMSM_STEP_FROZEN) ?: pmsm_wake_watch();

	if (error)
		return error;
	pmsm_gate_build();
	pmsm_tcp_hold();
	end_phase(PMSM_PHASE_FREEZE);
	pmsm_nosave_forbid();
	return 0;
}

/* Devices are about to stop, and allocations do no I/O any more */
static void source_suspend(void)
{
	pmsm_gate_close_disks();
	pmsm_stopping_begin();
}

/* On the target, first thing */
static void source_restored(void)
{
	stamps.came_back = rdtsc_ordered();
	/* What is free holds the target's leftovers */
	swsusp_mark_free_pages();
	pmsm_gate_close_net();
	pmsm_wake_reset();
	if (handover->magic == PMSM_HANDOVER_MAGIC)
		pmsm_slept_moved(handover);
	else
		pmsm_slept_forget();
}

static void __noreturn power_off(const char *why, int error)
{
	pr_emerg("not moved: %s (error %d); this machine goes off\n", why, error);
	pmsm_machine_off();
}

/* On the target, when devices run and processes are still frozen */
static void arrive(int error)
{
	char failure[PMSM_REASON_LEN];

	if (error)
		power_off("something failed on the way back", error);
	if (handover->magic != PMSM_HANDOVER_MAGIC)
		power_off("the target left no account of it", -EBADMSG);
	stamps.resumed = rdtsc_ordered();
	pmsm_wake_failure(failure, sizeof(failure));
	pmsm_arrive(arrival, transfer, handover, hold, settings.timeout_ms,
		    failure);
	pmsm_gate_open();
	stamps.committed = rdtsc_ordered();
	add_vmfork_randomness(handover->seed, sizeof(handover->seed));
	memzero_explicit(handover->seed, sizeof(handover->seed));
	pmsm_announce();
}

/* Devices run again, on the target or, after a failure, here */
static void source_resumed(int error)
{
	if (stamps.came_back)
		arrive(error);
	else
		pmsm_gate_open();
}

static const struct hibernation_image_ops pmsm_image_ops = {
	.prepare	= source_prepare,
	.suspend	= source_suspend,
	.save		= source_save,
	.restored	= source_restored,
	.resumed	= source_resumed,
};

/* Put into words why this machine is still here */
static void explain(int error, char *text, unsigned int size)
{
	const char *name = transfer->name;

	if (source->reason[0])
		scnprintf(text, size, "this machine cannot move: %s",
			  source->reason);
	else if (source->session.reason[0])
		scnprintf(text, size, "%s: target says: %s", name,
			  source->session.reason);
	else if (error == -ETIMEDOUT && source->verified && !source->resumed)
		scnprintf(text, size,
			  "%s: target %pM has the image, but did not come up with it in %u s: see its console, or give it more time (resume_timeout)",
			  name, source->session.peer, settings.resume_ms / 1000);
	else if (!source->accepted || error == -ETIMEDOUT)
		pmsm_ask_explain(&source->session, error, text, size);
	else
		scnprintf(text, size, "%s: migration failed with error %d",
			  name, error);
}

static void failed(int error)
{
	const struct pmsm_stream *stream = &source->stream;
	char text[PMSM_REASON_LEN];

	/* A REFUSE has a reason a line, a RESET one */
	if (source->session.reason[0] && !source->session.called_off)
		pmsm_reasons_take(&source->reasons, error,
				  source->session.reason,
				  strlen(source->session.reason));
	if (source->reasons.error) {
		pmsm_reasons_print(&source->reasons, "this machine cannot move");
		pmsm_reasons_first(&source->reasons, text, sizeof(text));
	} else {
		explain(error, text, sizeof(text));
		pr_err("%s\n", text);
	}
	pmsm_stats_failed("source", error, text,
			  stream->data_pages + stream->zero_pages,
			  image.nr_pages);
}

static void call_off(int error)
{
	struct pmsm_session *s = &source->session;
	const char *text = source->reason[0] ? source->reason :
			   "the source goes on running";

	pmsm_talk_call_off(s, error, text);
	/* The target may be in the second half of the conversation already */
	if (s->renewable) {
		s->id = pmsm_second_id(s->id);
		pmsm_session_send_reason(s, PMSM_RESET, error, text);
	}
	pmsm_talk_flush(s);
}

static int source_alloc(struct pmsm_link *link)
{
	source = pmsm_nosave_alloc(sizeof(*source));
	handover = pmsm_nosave_alloc(sizeof(*handover));
	arrival = pmsm_nosave_alloc(sizeof(*arrival));
	hold = pmsm_nosave_alloc(pmsm_session_hold_size(link,
							PMSM_WINDOW_SMALL));
	if (!source || !handover || !arrival || !hold ||
	    pmsm_image_alloc(&image))
		return -ENOMEM;

	pmsm_session_init(&source->session, link, pmsm_random_id(),
			  PMSM_WINDOW_SMALL, hold);
	pmsm_stream_init(&source->stream, &source->session);
	source->session.deliver = pmsm_source_deliver;
	source->session.ctx = source;
	source->session.timeout = settings.timeout_ms * PMSM_NS_PER_MS;
	ether_addr_copy(source->session.peer, settings.peer);
	began = ktime_get_real();
	source->mark = pmsm_clock();
	source->session.heard = source->mark;
	return 0;
}

static void source_free(void)
{
	pmsm_image_free(&image);
	pmsm_nosave_free(hold);
	pmsm_nosave_free(arrival);
	pmsm_nosave_free(handover);
	pmsm_nosave_free(source);
	hold = NULL;
	arrival = NULL;
	handover = NULL;
	source = NULL;
	pmsm_link_put(transfer);
}

/* The machine has moved, and runs again */
static void settle_in(void)
{
	stamps.thawed = rdtsc_ordered();
	pmsm_settle_watch();
	pmsm_stats_moved(handover, &stamps, began);
	pmsm_after_moved(&arrival->session, source_free);
}

/* Without an error: it has not come as far as to save anything */
static int never_left(int error)
{
	if (pmsm_stopping_end())
		scnprintf(source->reason, sizeof(source->reason),
			  "its devices do not stop: is a disk made of another disk of this machine?");
	else if (!error)
		scnprintf(source->reason, sizeof(source->reason),
			  "a wakeup event or pm_test ended it");
	return error ?: -EBUSY;
}

/**
 * pmsm_source_migrate - move this machine
 * @said: What the operator has said.
 *
 * Returns on the target if it works, and here if it does not.
 *
 * Return: 0 on the target, a negative errno after a message on the source.
 */
int pmsm_source_migrate(const struct pmsm_settings *said)
{
	int error;

	settings = *said;
	transfer = pmsm_link_get(settings.nic, true);
	if (IS_ERR(transfer)) {
		pmsm_stats_failed("source", PTR_ERR(transfer),
				  "no usable transfer NIC", 0, 0);
		return PTR_ERR(transfer);
	}

	pmsm_activity_set(PMSM_NEGOTIATING);
	error = pmsm_fault(PMSM_STEP_ALLOC) ?: source_alloc(transfer);
	if (error) {
		pr_err("no memory for the migration\n");
		pmsm_stats_failed("source", error,
				  "no memory for the migration", 0, 0);
		pmsm_activity_set(PMSM_IDLE);
		source_free();
		return error;
	}
	/* So that there is little to write once somebody stands still for us */
	ksys_sync();
	end_phase(PMSM_PHASE_SYNC);
	error = pmsm_source_negotiate(source);
	end_phase(PMSM_PHASE_NEGOTIATE);
	if (error)
		goto fail;
	pr_info("%s: target %pM accepts\n", transfer->name,
		source->session.peer);
	error = pmsm_fault(PMSM_STEP_ACCEPTED);
	if (error)
		goto fail;

	pmsm_activity_set(PMSM_MIGRATING);
	memset(&stamps, 0, sizeof(stamps));
	error = hibernate_image(&pmsm_image_ops);
	pmsm_gate_remove();
	pmsm_wake_unwatch();
	if (!stamps.came_back)
		error = never_left(error);
	if (!error) {
		settle_in();
		pmsm_activity_set(PMSM_IDLE);
		return 0;
	}
	/* As often as it takes: a link may need seconds to come up */
	pmsm_announce();
	pr_err("not moved, this machine goes on running (error %d)\n", error);
fail:
	failed(error);
	call_off(error);
	pmsm_activity_set(PMSM_IDLE);
	/* From PREPARE on, the target may wait for us */
	if (source->session.renewable || source->session.renewed)
		pmsm_after_failed(&source->session, source_free);
	else
		source_free();
	return error;
}
