// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the target does in each phase.
 */

#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/nmi.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/vmalloc.h>
#include <linux/xxhash.h>

#include "../power.h"
#include "clock.h"
#include "compat.h"
#include "machine.h"
#include "pmsm.h"
#include "session.h"
#include "store.h"

#define PMSM_LISTEN_POLL_US	200
/* Memory left to this kernel for stopping its devices, in pages */
#define PMSM_RESERVE_PAGES	4096
/* The source may be busy freezing processes for so long */
#define PMSM_FREEZE_MS		60000
/* Wait so long for the source's last word, which may have been lost */
#define PMSM_LINGER_MS		200
#define PMSM_PROGRESS_MS	500
#define PMSM_WATCHDOG_POLLS	1024

/**
 * struct pmsm_target - a migration as the target sees it
 * @session: The conversation.
 * @store: Where the image goes.
 * @source: What the source says of itself.
 * @self: What this machine says.
 * @begin: The image as a whole.
 * @commit: The source's account of itself.
 * @asked: A HELLO has come and waits for an answer.
 * @begun: @begin is there.
 * @planned: The last MAP has been seen.
 * @ended: All is here and verified.
 * @committed: The source has decided.
 * @digest: So far.
 * @data_pages: As END said.
 * @zero_pages: As END said.
 * @started: pmsm_clock() at BEGIN.
 * @told: When progress was last printed.
 * @timeout: Longest silence once the image has begun, in ns.
 * @handover: A page for the machine that this one becomes.
 * @polls: Calls of poll(), for the watchdogs.
 * @reason: Words for the error that ended it.
 */
struct pmsm_target {
	struct pmsm_session session;
	struct pmsm_store store;
	struct pmsm_wire_hello source;
	struct pmsm_wire_hello self;
	struct pmsm_wire_begin begin;
	struct pmsm_wire_commit commit;
	bool asked;
	bool begun;
	bool planned;
	bool ended;
	bool committed;
	u64 digest;
	u64 data_pages;
	u64 zero_pages;
	u64 started;
	u64 told;
	u64 timeout;
	struct pmsm_handover *handover;
	unsigned int polls;
	char reason[PMSM_REASON_LEN];
};

static struct pmsm_target *target;
static u8 *hold;

/*
 * The last session that was given up.  A COMMIT that still comes for it gets
 * a RESET, which is a promise that nobody will ever run from its image.
 */
static u64 given_up;

static __printf(2, 3) int fail(int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(target->reason, sizeof(target->reason), fmt, args);
	va_end(args);
	return error;
}

static int take_begin(const void *payload, unsigned int len)
{
	const struct pmsm_wire_begin *begin = payload;

	if (target->begun || len != sizeof(*begin))
		return fail(-EPROTO, "BEGIN out of turn");
	if (be64_to_cpu(begin->max_pfn) > target->store.max_pfn)
		return fail(-ENOSPC, "page frames up to %#llx there, %#lx here",
			    be64_to_cpu(begin->max_pfn), target->store.max_pfn);
	target->begin = *begin;
	target->begun = true;
	target->started = pmsm_clock();
	target->told = target->started;
	return 0;
}

static int take_map(const void *payload, unsigned int len)
{
	const struct pmsm_wire_run *run = payload;
	u64 pfn, nr;

	if (!target->begun || target->planned || len % sizeof(*run))
		return fail(-EPROTO, "MAP out of turn");

	for (; len; len -= sizeof(*run), run++) {
		pfn = be64_to_cpu(run->pfn);
		nr = be64_to_cpu(run->nr);
		if (pmsm_store_expect(&target->store, pfn, nr))
			return fail(-ENOSPC, "page frames %#llx+%#llx there are not memory here",
				    pfn, nr);
	}
	return 0;
}

/* The map is complete once the first contents come */
static int plan(void)
{
	struct pmsm_store *store = &target->store;
	u64 pfn = be64_to_cpu(target->begin.handover_pfn);

	if (target->planned)
		return 0;
	if (!target->begun ||
	    store->nr_image != be64_to_cpu(target->begin.nr_pages))
		return fail(-EPROTO, "%llu page frames announced, %lu named",
			    be64_to_cpu(target->begin.nr_pages),
			    store->nr_image);
	if (pmsm_store_expect(store, pfn, 1) ||
	    store->nr_image == be64_to_cpu(target->begin.nr_pages))
		return fail(-EPROTO, "no room for the handover at page frame %#llx",
			    pfn);
	if (pmsm_store_plan(store))
		return fail(-ENOSPC, "no memory to hold the image: %lu pages there, %lu free here",
			    store->nr_image, store->nr_own);
	target->handover = pmsm_store_spare(store);
	if (!target->handover)
		return fail(-ENOSPC, "no memory for the handover");
	clear_page(target->handover);
	target->planned = true;
	return 0;
}

static int explain_store(int error)
{
	struct pmsm_store *store = &target->store;

	if (error == -ENOSPC)
		return fail(error, "no memory for %lu pages: %lu free, %lu of them elsewhere",
			    store->nr_image, store->nr_own,
			    store->nr_conflicts);
	if (error)
		return fail(error, "contents of memory outside the image");
	return 0;
}

static int take_data(const void *payload, unsigned int len)
{
	const struct pmsm_wire_data *data = payload;
	int error = plan();

	if (error)
		return error;
	if (len < sizeof(*data))
		return fail(-EPROTO, "short DATA");
	error = pmsm_store_write(&target->store, be64_to_cpu(data->addr),
				 data->bytes, len - sizeof(*data));
	return explain_store(error);
}

static int take_zero(const void *payload, unsigned int len)
{
	const struct pmsm_wire_run *run = payload;
	int error = plan();

	if (!error && len % sizeof(*run))
		error = fail(-EPROTO, "odd ZERO");
	for (; len && !error; len -= sizeof(*run), run++)
		error = explain_store(pmsm_store_zero(&target->store,
						      be64_to_cpu(run->pfn),
						      be64_to_cpu(run->nr)));
	return error;
}

/* Everything but the handover page, which is ours to fill, must be here */
static int take_end(const void *payload, unsigned int len)
{
	const struct pmsm_wire_end *end = payload;
	struct pmsm_store *store = &target->store;

	if (!target->planned || target->ended || len != sizeof(*end))
		return fail(-EPROTO, "END out of turn");
	target->data_pages = be64_to_cpu(end->data_pages);
	target->zero_pages = be64_to_cpu(end->zero_pages);
	if (store->nr_present + 1 != store->nr_image || store->cursor ||
	    target->data_pages + target->zero_pages != store->nr_present)
		return fail(-EBADMSG, "%llu pages sent, %lu here, %lu wanted",
			    target->data_pages + target->zero_pages,
			    store->nr_present, store->nr_image - 1);
	if (be64_to_cpu(end->digest) != target->digest)
		return fail(-EBADMSG, "digest %016llx there, %016llx here",
			    be64_to_cpu(end->digest), target->digest);
	target->ended = true;
	return 0;
}

static int take_commit(const void *payload, unsigned int len)
{
	if (!target->ended || len != sizeof(target->commit))
		return fail(-EPROTO, "COMMIT out of turn");
	memcpy(&target->commit, payload, len);
	target->committed = true;
	return 0;
}

static int target_deliver(void *ctx, unsigned int type, const void *payload,
			  unsigned int len, u32 crc)
{
	__be32 be_crc = cpu_to_be32(crc);

	if (type == PMSM_MAP || type == PMSM_DATA || type == PMSM_ZERO)
		target->digest = xxh64(&be_crc, sizeof(be_crc), target->digest);

	switch (type) {
	case PMSM_BEGIN:
		return take_begin(payload, len);
	case PMSM_MAP:
		return take_map(payload, len);
	case PMSM_DATA:
		return take_data(payload, len);
	case PMSM_ZERO:
		return take_zero(payload, len);
	case PMSM_END:
		return take_end(payload, len);
	case PMSM_COMMIT:
		return take_commit(payload, len);
	default:
		return fail(-EPROTO, "unexpected message %u", type);
	}
}

static int poll(void)
{
	if (++target->polls % PMSM_WATCHDOG_POLLS == 0) {
		touch_nmi_watchdog();
		touch_softlockup_watchdog_sync();
	}
	return pmsm_session_poll(&target->session, pmsm_clock());
}

static void print_progress(bool now)
{
	struct pmsm_store *store = &target->store;
	u64 clock, ms, left, mib, rate;

	if (!target->planned || (!now && target->polls % 64))
		return;
	clock = pmsm_clock();
	if (!now && clock - target->told < PMSM_PROGRESS_MS * PMSM_NS_PER_MS)
		return;
	target->told = clock;

	ms = div64_u64(clock - target->started, PMSM_NS_PER_MS) + 1;
	mib = (u64)store->nr_present >> (20 - PAGE_SHIFT);
	rate = div64_u64((u64)store->nr_present * 1000, ms) >> (20 - PAGE_SHIFT);
	left = store->nr_image - store->nr_present;
	pr_info("receiving: %3llu%%, %llu MiB, %llu MiB/s, %llu s left\n",
		div64_u64((u64)store->nr_present * 100, store->nr_image), mib,
		rate, div64_u64(left * ms, (store->nr_present | 1) * 1000ULL));
}

static int receive_image(void)
{
	int error = 0;

	while (!error && !target->begun)
		error = poll();

	target->session.timeout = target->timeout;
	while (!error && !target->ended) {
		error = poll();
		print_progress(false);
	}
	if (!error)
		print_progress(true);
	return error;
}

static int send_short(enum pmsm_type type, const void *payload,
		      unsigned int len)
{
	unsigned int room;
	void *msg;
	int error;

	while (!(msg = pmsm_session_reserve(&target->session, &room))) {
		error = poll();
		if (error)
			return error;
	}
	memcpy(msg, payload, len);
	pmsm_session_commit(&target->session, type, len, pmsm_clock(), NULL);
	return poll();
}

/* Point of no return on the other side; say READY only when nothing can fail */
static int wait_for_decision(void)
{
	int error = send_short(PMSM_READY, "", 0);

	while (!error && !target->committed)
		error = poll();
	return error;
}

/* Let the source know, and give it a moment to say that it does */
static void confirm(void)
{
	u64 until = pmsm_clock() + PMSM_LINGER_MS * PMSM_NS_PER_MS;

	send_short(PMSM_COMMITTED, "", 0);
	while (!target->session.done && pmsm_clock() < until && !poll())
		;
}

static int write_handover(void)
{
	u64 addr = PFN_PHYS(be64_to_cpu(target->begin.handover_pfn));
	struct pmsm_handover *handover = target->handover;

	handover->magic = PMSM_HANDOVER_MAGIC;
	handover->session = target->session.id;
	handover->commit = target->commit;
	handover->data_pages = target->data_pages;
	handover->zero_pages = target->zero_pages;
	handover->conflicts = target->store.nr_conflicts;
	handover->decided = pmsm_clock();
	return explain_store(pmsm_store_write(&target->store, addr, handover,
					      PAGE_SIZE));
}

static int prepare_jump(void)
{
	void *safe = NULL;
	int error;

	error = pmsm_store_finish(&target->store, pmsm_machine_safe_pages(),
				  &safe, &restore_pblist);
	if (error)
		return explain_store(error);
	swsusp_set_safe_pages(safe);
	pmsm_machine_set_entry(&target->begin);
	return 0;
}

static void forget_jump(void)
{
	swsusp_set_safe_pages(NULL);
	restore_pblist = NULL;
}

/*
 * Runs right before swsusp_arch_resume(): interrupts off, one CPU, all devices
 * but the link stopped.
 */
static int target_receive(void)
{
	int error;

	pmsm_store_grab_rest(&target->store);
	error = receive_image();
	/* Take the handover's frame now, so that nothing is left that can fail */
	if (!error)
		error = write_handover();
	if (!error)
		error = prepare_jump();
	if (!error)
		error = wait_for_decision();
	if (error) {
		forget_jump();
		/* Devices need memory to start again */
		pmsm_store_release(&target->store);
		return error;
	}

	write_handover();
	confirm();
	pr_info("the image is complete: becoming the machine that it holds\n");
	/* No frame may arrive any more: its buffer is somebody else's now */
	target->session.link->ops->stop(target->session.link);
	return 0;
}

static const struct hibernation_image_ops pmsm_restore_ops = {
	.receive	= target_receive,
};

/* As software_resume(), with the image coming from the link */
static int restore(void)
{
	unsigned int sleep_flags = lock_system_sleep();
	int error = -EBUSY;

	if (!hibernate_acquire())
		goto unlock;
	pm_prepare_console();
	error = pm_notifier_call_chain_robust(PM_RESTORE_PREPARE,
					      PM_POST_RESTORE);
	if (error)
		goto release;
	error = freeze_processes();
	if (error)
		goto notify;
	error = freeze_kernel_threads();
	if (!error) {
		lock_device_hotplug();
		hibernation_set_image_ops(&pmsm_restore_ops);
		error = hibernation_restore(0);
		hibernation_set_image_ops(NULL);
		unlock_device_hotplug();
	}
	thaw_processes();
notify:
	pm_notifier_call_chain(PM_POST_RESTORE);
release:
	pm_restore_console();
	hibernate_release();
unlock:
	unlock_system_sleep(sleep_flags);
	return error;
}

/*
 * Listening: everything runs, and one question at a time is answered.
 */

static void init_session(struct pmsm_link *link, u64 id, const u8 *peer)
{
	pmsm_session_init(&target->session, link, id,
			  rounddown_pow_of_two(min(link->rx_slots,
						   PMSM_WINDOW_MAX)), hold);
	target->session.deliver = target_deliver;
	ether_addr_copy(target->session.peer, peer);
	target->session.heard = pmsm_clock();
	target->session.timeout = PMSM_FREEZE_MS * PMSM_NS_PER_MS;
}

static void refuse(int error, const char *reason)
{
	pmsm_session_send_reason(&target->session, PMSM_REFUSE, error, reason);
	pr_err("refused %pM: %s\n", target->session.peer, reason);
}

static int accept(void)
{
	struct pmsm_session *s = &target->session;
	struct pmsm_wire_hello *source = &target->source;
	int error;

	error = pmsm_compat_describe(&target->self, s->link->frame_size,
				     target->reason, sizeof(target->reason));
	if (!error)
		error = pmsm_compat_check(source, &target->self, target->reason,
					  sizeof(target->reason));
	if (error)
		return error;

	error = pmsm_store_init(&target->store, max_pfn);
	if (!error)
		error = pmsm_store_grab(&target->store, PMSM_RESERVE_PAGES);
	if (error)
		return fail(error, "no memory for the store");
	if (be64_to_cpu(source->image_pages) >
	    target->store.nr_own + PMSM_RESERVE_PAGES)
		return fail(-ENOSPC, "%llu pages in use there, only %lu free here",
			    be64_to_cpu(source->image_pages),
			    target->store.nr_own);

	s->frame_size = clamp_t(unsigned int, be16_to_cpu(source->frame_size),
				ETH_FRAME_LEN, s->link->frame_size);
	return send_short(PMSM_ACCEPT, &target->self, sizeof(target->self));
}

static void call_off(int error)
{
	int i;

	if (target->session.reason[0])
		pr_err("source calls it off: %s\n", target->session.reason);
	else if (target->reason[0])
		pr_err("called off: %s\n", target->reason);
	else if (error == -ETIMEDOUT)
		pr_err("source %pM has fallen silent\n", target->session.peer);
	else
		pr_err("called off (error %d)\n", error);

	given_up = target->session.id;
	for (i = 0; i < 3; i++)
		pmsm_session_send_reason(&target->session, PMSM_RESET, error,
					 target->reason[0] ? target->reason :
					 "the target has given up");
}

static void remember(struct pmsm_link *link, const struct pmsm_frame *frame,
		     const struct pmsm_settings *settings)
{
	memset(target, 0, sizeof(*target));
	INIT_LIST_HEAD(&target->store.blocks);
	init_session(link, be64_to_cpu(frame->session), frame->src);
	memcpy(&target->source, frame->payload, sizeof(target->source));
	target->timeout = settings->timeout_ms * PMSM_NS_PER_MS;
	/* That was the first message */
	target->session.rx_next = 1;
	target->session.peer_window = max_t(u32, be16_to_cpu(frame->window), 2);
	target->asked = true;
}

static void take_in(struct pmsm_link *link)
{
	int error;

	pr_info("%s: %pM asks to move here\n", link->name,
		target->session.peer);
	error = accept();
	if (error) {
		refuse(error, target->reason);
	} else {
		error = restore();
		call_off(error);
	}
	pmsm_store_free(&target->store);
	pr_info("%s: listening again\n", link->name);
}

/* Stateless answers, in the name of no session */
static void answer(struct pmsm_link *link, const struct pmsm_frame *frame,
		   unsigned int type, int error, const char *text)
{
	init_session(link, be64_to_cpu(frame->session), frame->src);
	pmsm_session_send_reason(&target->session, type, error, text);
}

static void hear_good(struct pmsm_link *link, const struct pmsm_frame *frame,
		      const struct pmsm_settings *settings)
{
	bool old = given_up && be64_to_cpu(frame->session) == given_up;

	if (old && (frame->type == PMSM_HELLO || frame->type == PMSM_COMMIT))
		answer(link, frame, PMSM_RESET, -ECONNABORTED,
		       "the target has given up");
	else if (frame->type == PMSM_HELLO &&
		 be16_to_cpu(frame->len) == sizeof(target->source))
		remember(link, frame, settings);
	else if (frame->type == PMSM_BLAST_END)
		pmsm_blast_answer(link, frame);
}

static void hear(struct pmsm_link *link, const struct pmsm_frame *frame,
		 unsigned int len, const struct pmsm_settings *settings)
{
	char text[80];

	/* Before anything that costs time */
	if (pmsm_blast_hear(frame, len))
		return;

	switch (pmsm_frame_check(frame, len)) {
	case PMSM_FRAME_VERSION:
		snprintf(text, sizeof(text),
			 "protocol version %u there, %u here", frame->version,
			 PMSM_VERSION);
		pr_err_ratelimited("refused %pM: %s\n", frame->src, text);
		answer(link, frame, PMSM_REFUSE, -EPROTONOSUPPORT, text);
		break;
	case PMSM_FRAME_GOOD:
		hear_good(link, frame, settings);
		break;
	default:
		break;
	}
}

static int listen_once(struct pmsm_link *link,
		       const struct pmsm_settings *settings)
{
	struct pmsm_frame *frame;
	unsigned int len;

	while ((frame = link->ops->recv(link, &len))) {
		hear(link, frame, len, settings);
		link->ops->recv_done(link);
		if (target->asked) {
			target->asked = false;
			take_in(link);
		}
	}
	if (signal_pending(current))
		return -EINTR;
	if (pmsm_blast_busy())
		cond_resched();
	else
		usleep_range(PMSM_LISTEN_POLL_US, 2 * PMSM_LISTEN_POLL_US);
	return 0;
}

/**
 * pmsm_target_listen - wait for a machine and become it
 * @settings: What the operator has said.
 *
 * May sleep.  Goes on listening after a migration that failed.
 *
 * Return: only without success: -ETIMEDOUT when nobody came in time, -EINTR
 * after a signal, or why it cannot listen, after a message.
 */
int pmsm_target_listen(const struct pmsm_settings *settings)
{
	struct pmsm_link *link;
	u64 until;
	int error;

	link = pmsm_link_get(settings->nic);
	if (IS_ERR(link))
		return PTR_ERR(link);

	target = kvzalloc(sizeof(*target), GFP_KERNEL);
	hold = kvzalloc(pmsm_session_hold_size(link, PMSM_WINDOW_MAX),
			GFP_KERNEL);
	if (!target || !hold) {
		error = -ENOMEM;
		goto out;
	}

	pr_info("%s: listening for a machine to move here (%pM, frames of %u bytes)\n",
		link->name, link->addr, link->frame_size);
	until = pmsm_clock() + settings->listen_ms * PMSM_NS_PER_MS;
	do {
		error = listen_once(link, settings);
		if (settings->listen_ms && pmsm_clock() >= until && !error)
			error = -ETIMEDOUT;
	} while (!error);
	if (error == -ETIMEDOUT)
		pr_info("%s: nobody came in %u ms\n", link->name,
			settings->listen_ms);
out:
	kvfree(hold);
	kvfree(target);
	target = NULL;
	pmsm_link_put(link);
	return error;
}
