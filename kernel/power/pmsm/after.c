// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is left to say when it is decided who runs.
 *
 * The machine that runs knows, but the other one may not: a source that has not
 * heard COMMITTED, a target that waits for a COMMIT that will never come.  So the
 * one that runs keeps the transfer NIC for a while and answers.
 */

#include <linux/etherdevice.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "after.h"
#include "clock.h"
#include "pmsm.h"
#include "talk.h"

#define PMSM_AFTER_POLL_MS	10
/* Others may want the NIC, so a flood may not keep us */
#define PMSM_AFTER_FRAMES	256
/* Who has not asked by then has been switched off */
#define PMSM_AFTER_MS		600000

static void work(struct work_struct *unused);

static DECLARE_DELAYED_WORK(after_work, work);

/* Protects what is below */
static DEFINE_MUTEX(after_mutex);
static struct pmsm_session *session;
static bool moved;
static u64 until;
static void (*finish)(void);

/* The second half of the last session that this machine has called off */
static u64 left_behind;

/* What a target says that has not heard of it */
static bool waits(unsigned int type)
{
	return type == PMSM_RESUMED || type == PMSM_READY || type == PMSM_ACK;
}

/**
 * pmsm_after_answer - tell a target that waits in vain
 * @s: Any session of this machine.
 * @frame: A frame from the wire, unchecked.
 * @len: Its length.
 *
 * Sends RESET if @frame is from a target that has not heard that this machine
 * went on running.
 */
void pmsm_after_answer(struct pmsm_session *s, const struct pmsm_frame *frame,
		       unsigned int len)
{
	u8 peer[ETH_ALEN];
	u64 id = s->id;

	/* Usually there is none, and the check costs time */
	if (!left_behind || pmsm_frame_check(frame, len) != PMSM_FRAME_GOOD ||
	    be64_to_cpu(frame->session) != left_behind || !waits(frame->type))
		return;
	ether_addr_copy(peer, s->peer);
	ether_addr_copy(s->peer, frame->src);
	s->id = left_behind;
	pmsm_session_send_reason(s, PMSM_RESET, -ECONNABORTED,
				 "the source went on running");
	s->id = id;
	ether_addr_copy(s->peer, peer);
}

static void answer_all(struct pmsm_session *s)
{
	unsigned int len, budget = PMSM_AFTER_FRAMES;
	struct pmsm_frame *frame;

	while (budget-- && (frame = s->link->ops->recv(s->link, &len))) {
		pmsm_after_answer(s, frame, len);
		s->link->ops->recv_done(s->link);
	}
	s->link->ops->kick(s->link);
}

/* Returns whether nothing is left to say */
static bool speak(struct pmsm_session *s)
{
	if (pmsm_clock() > until)
		return true;
	if (!moved) {
		answer_all(s);
		return false;
	}
	pmsm_session_persist(s);
	pmsm_talk_poll(s);
	return pmsm_session_idle(s);
}

static void end(void)
{
	session = NULL;
	finish();
}

static void work(struct work_struct *unused)
{
	mutex_lock(&after_mutex);
	if (session && speak(session))
		end();
	if (session)
		queue_delayed_work(system_freezable_wq, &after_work,
				   msecs_to_jiffies(PMSM_AFTER_POLL_MS));
	mutex_unlock(&after_mutex);
}

static void begin(struct pmsm_session *s, bool has_moved, void (*done)(void))
{
	mutex_lock(&after_mutex);
	session = s;
	moved = has_moved;
	finish = done;
	until = pmsm_clock() + PMSM_AFTER_MS * PMSM_NS_PER_MS;
	mutex_unlock(&after_mutex);
	work(NULL);
}

/**
 * pmsm_after_moved - see to it that the source hears COMMITTED
 * @s: The session, with that sent once.
 * @done: Called when it has, or is not asked any more: frees everything.
 *
 * May sleep.
 */
void pmsm_after_moved(struct pmsm_session *s, void (*done)(void))
{
	begin(s, true, done);
}

/**
 * pmsm_after_failed - see to it that a target which waits hears RESET
 * @s: The session that has been called off.
 * @done: Called when enough time has gone by: frees everything.
 *
 * May sleep.
 */
void pmsm_after_failed(struct pmsm_session *s, void (*done)(void))
{
	left_behind = pmsm_second_id(s->id);
	begin(s, false, done);
}

/**
 * pmsm_after_end - give the transfer NIC back now
 *
 * Somebody else wants it.  May sleep.
 */
void pmsm_after_end(void)
{
	cancel_delayed_work_sync(&after_work);
	mutex_lock(&after_mutex);
	if (session)
		end();
	mutex_unlock(&after_mutex);
}
