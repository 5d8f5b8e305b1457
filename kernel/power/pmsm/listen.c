// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target waits for a machine: everything runs, and one question at a time
 * is answered.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/ratelimit.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "clock.h"
#include "compat.h"
#include "fault.h"
#include "preflight.h"
#include "room.h"
#include "stats.h"
#include "talk.h"
#include "target.h"

#define PMSM_LISTEN_POLL_US	200
/* Memory left to this kernel for stopping its devices, in pages */
#define PMSM_RESERVE_PAGES	4096
/* The source may be busy freezing processes for so long */
#define PMSM_FREEZE_MS		60000

static struct pmsm_target *target;
static u8 *hold;

/* The last session that was given up */
static u64 given_up;

/* The last session that was a dry run */
static u64 asked_last;

static u32 rx_window(const struct pmsm_link *link)
{
	return rounddown_pow_of_two(min(link->rx_slots, PMSM_WINDOW_MAX));
}

static void init_session(struct pmsm_link *link, u64 id, const u8 *peer)
{
	pmsm_session_init(&target->session, link, id, rx_window(link), hold);
	target->session.deliver = pmsm_target_deliver;
	target->session.ctx = target;
	ether_addr_copy(target->session.peer, peer);
	target->session.heard = pmsm_clock();
	target->session.timeout = PMSM_FREEZE_MS * PMSM_NS_PER_MS;
}

/* Anybody can ask as often as he likes, but not fill the log */
static DEFINE_RATELIMIT_STATE(asked_limit, 5 * HZ, 4);

static void log_refused(void)
{
	char prefix[40];

	scnprintf(prefix, sizeof(prefix), "refused %pM", target->session.peer);
	if (__ratelimit(&asked_limit))
		pmsm_reasons_print(&target->reasons, prefix);
}

static void refuse(int error)
{
	if (!target->reasons.error)
		pmsm_reasons_add(&target->reasons, error,
				 "the target cannot answer (error %d)", error);
	pmsm_reasons_first(&target->reasons, target->reason,
			   sizeof(target->reason));
	pmsm_session_send_reason(&target->session, PMSM_REFUSE, error,
				 target->reasons.text);
	log_refused();
}

static int accept(void)
{
	struct pmsm_session *s = &target->session;
	struct pmsm_wire_hello *source = &target->source;
	int error;

	error = pmsm_fault(PMSM_STEP_ACCEPT) ?:
		pmsm_compat_answer(source, &target->self, s->link->frame_size,
				   &target->reasons);
	if (error)
		return error;

	pmsm_room_make(get_num_physpages() -
		       min(be64_to_cpu(source->pages), get_num_physpages()));
	error = pmsm_store_init(&target->store, max_pfn);
	if (!error)
		error = pmsm_store_grab(&target->store, PMSM_RESERVE_PAGES);
	if (error) {
		pmsm_reasons_add(&target->reasons, error,
				 "the target has no memory to spare");
		return error;
	}
	/* The reserve is taken as well, once devices have stopped */
	target->self.pages = cpu_to_be64(target->store.nr_own +
					 PMSM_RESERVE_PAGES);
	return pmsm_talk_send(s, PMSM_ACCEPT, &target->self,
			      sizeof(target->self));
}

static void call_off(int error)
{
	if (target->session.reason[0])
		pr_err("source calls it off: %s\n", target->session.reason);
	else if (target->reason[0])
		pr_err("called off: %s\n", target->reason);
	else if (error == -ETIMEDOUT)
		pr_err("source %pM has fallen silent\n", target->session.peer);
	else
		pr_err("called off (error %d)\n", error);

	given_up = target->session.id;
	pmsm_talk_call_off(&target->session, error,
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
	/* Every move begins with a dry run */
	target->session.earlier = asked_last;
	/* That was the first message */
	target->session.rx_next = 1;
	target->session.peer_window = max_t(u32, be16_to_cpu(frame->window), 2);
	target->session.frame_size = clamp_t(unsigned int,
					     be16_to_cpu(target->source.frame_size),
					     ETH_FRAME_LEN, link->frame_size);
	target->asked = true;
}

static void remember_failure(int error)
{
	const struct pmsm_store *store = &target->store;
	const char *text = target->session.reason[0] ? target->session.reason :
			   target->reason;

	if (!text[0])
		text = error == -ETIMEDOUT ? "the source has fallen silent" :
					     "called off";
	pmsm_stats_failed("target", error, text, store->nr_present,
			  store->nr_image);
}

static void answer_dry_run(struct pmsm_link *link)
{
	asked_last = target->session.id;
	pr_info_ratelimited("%s: %pM asks whether it could move here\n",
			    link->name, target->session.peer);
	pmsm_preflight_answer(target);
	log_refused();
}

/* From the jump on the NIC is silent, even if that failed */
static int speak_again(struct pmsm_link *link)
{
	int error = target->stopped ? link->ops->restart(link) : 0;

	if (error)
		pr_emerg("%s: the transfer NIC does not start again, so nobody listens: boot this machine again\n",
			 link->name);
	return error;
}

/* Returns 0, or a negative errno if there is nothing to listen with any more */
static int take_in(struct pmsm_link *link)
{
	bool accepted;
	int error, lost;

	if (be32_to_cpu(target->source.flags) & PMSM_HELLO_DRY_RUN) {
		answer_dry_run(link);
		return 0;
	}
	pr_info_ratelimited("%s: %pM asks to move here\n", link->name,
			    target->session.peer);
	pmsm_activity_set(PMSM_RECEIVING);
	error = accept();
	accepted = !error;
	if (accepted)
		error = pmsm_target_restore(target);
	lost = speak_again(link);
	/* A REFUSE may have lines, but comes from targets only */
	strreplace(target->session.reason, '\n', '?');
	if (accepted && !lost)
		call_off(error);
	else if (!accepted)
		refuse(error);
	remember_failure(error);
	pmsm_store_free(&target->store);
	pmsm_activity_set(PMSM_LISTENING);
	if (!target->reasons.error && !lost)
		pr_info("%s: listening again\n", link->name);
	return lost;
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
	u64 session = be64_to_cpu(frame->session);
	bool old = session == given_up;

	/* Nobody's, or the echo of a question that has been answered */
	if (!session || (frame->type == PMSM_HELLO && session == asked_last))
		return;
	if (old && (frame->type == PMSM_HELLO || frame->type == PMSM_PREPARE))
		answer(link, frame, PMSM_RESET, -ECONNABORTED,
		       "the target has given up");
	else if (frame->type == PMSM_HELLO &&
		 be16_to_cpu(frame->len) == sizeof(target->source))
		remember(link, frame, settings);
	else if (frame->type == PMSM_BLAST_END)
		pmsm_blast_answer(link, frame);
}

/* Whoever answers to more than that can be made to answer to anybody */
static bool is_for_us(const struct pmsm_link *link,
		      const struct pmsm_frame *frame, unsigned int len)
{
	return len >= ETH_HLEN && is_valid_ether_addr(frame->src) &&
	       (ether_addr_equal(frame->dst, link->addr) ||
		is_broadcast_ether_addr(frame->dst));
}

/*
 * Two listeners of different versions must not go on like this for ever: what
 * kind of frame it is has no known place.
 */
static void answer_version(struct pmsm_link *link,
			   const struct pmsm_frame *frame)
{
	static DEFINE_RATELIMIT_STATE(limit, HZ, 10);
	char text[80];

	ratelimit_set_flags(&limit, RATELIMIT_MSG_ON_RELEASE);
	if (!__ratelimit(&limit))
		return;
	snprintf(text, sizeof(text), "protocol version %u there, %u here",
		 frame->version, PMSM_VERSION);
	pr_err("refused %pM: %s\n", frame->src, text);
	answer(link, frame, PMSM_REFUSE, -EPROTONOSUPPORT, text);
}

static void hear(struct pmsm_link *link, const struct pmsm_frame *frame,
		 unsigned int len, const struct pmsm_settings *settings)
{
	/* Before anything that costs time */
	if (!is_for_us(link, frame, len) || pmsm_blast_hear(frame, len))
		return;

	switch (pmsm_frame_check(frame, len)) {
	case PMSM_FRAME_VERSION:
		answer_version(link, frame);
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
	int error = 0;

	while (!error && (frame = link->ops->recv(link, &len))) {
		hear(link, frame, len, settings);
		link->ops->recv_done(link);
		if (target->asked) {
			target->asked = false;
			error = take_in(link);
		}
	}
	if (error)
		return error;
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

	link = pmsm_link_get(settings->nic, false);
	if (IS_ERR(link))
		return PTR_ERR(link);

	target = kvzalloc(sizeof(*target), GFP_KERNEL);
	hold = kvzalloc(pmsm_session_hold_size(link, rx_window(link)),
			GFP_KERNEL);
	if (!target || !hold) {
		error = -ENOMEM;
		goto out;
	}

	pr_info("%s: listening for a machine to move here (%pM, frames of %u bytes)\n",
		link->name, link->addr, link->frame_size);
	until = pmsm_clock() + settings->listen_ms * PMSM_NS_PER_MS;
	pmsm_activity_set(PMSM_LISTENING);
	do {
		error = listen_once(link, settings);
		if (settings->listen_ms && pmsm_clock() >= until && !error)
			error = -ETIMEDOUT;
	} while (!error);
	if (error == -ETIMEDOUT)
		pr_info("%s: nobody came in %u ms\n", link->name,
			settings->listen_ms);
out:
	pmsm_activity_set(PMSM_IDLE);
	kvfree(hold);
	kvfree(target);
	target = NULL;
	pmsm_link_put(link);
	return error;
}
