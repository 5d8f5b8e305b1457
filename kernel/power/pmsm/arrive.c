// SPDX-License-Identifier: GPL-2.0-only
/*
 * The restored kernel on the target: devices work, processes are frozen, the
 * gate is closed.  It asks the source for the word to go.
 *
 * What the session and the driver remember is the source's, and garbage.  So the
 * device is started from reset, and the second half of the conversation begins.
 * From here there is no way back for this machine: it becomes the one that was
 * moved, or goes off.
 */

#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/kernel.h>

#include "arrive.h"
#include "clock.h"
#include "fault.h"
#include "machine.h"
#include "talk.h"

#define PMSM_POLL_US		50
/* Wait so long for the source to know that this machine runs */
#define PMSM_TELL_MS		50
/* Show so often that this machine still waits */
#define PMSM_WAIT_MS		100

static int arrival_deliver(void *ctx, unsigned int type, const void *payload,
			   unsigned int len, u32 crc)
{
	struct pmsm_arrival *arrival = ctx;

	if (type != PMSM_COMMIT || !arrival->ready || arrival->committed)
		return -EPROTO;
	arrival->committed = true;
	return 0;
}

static int poll(struct pmsm_arrival *arrival)
{
	usleep_range(PMSM_POLL_US, 2 * PMSM_POLL_US);
	return pmsm_talk_poll(&arrival->session);
}

static void __noreturn power_off(const char *reason)
{
	pr_emerg("not moved: %s; this machine goes off\n", reason);
	pmsm_machine_off();
}

/* The source lives: tell it so, and be gone */
static void __noreturn give_up(struct pmsm_arrival *arrival, int error,
			       const char *reason)
{
	struct pmsm_session *s = &arrival->session;

	pmsm_talk_call_off(s, error, reason);
	pmsm_talk_flush(s);
	s->link->ops->stop(s->link);
	power_off(reason);
}

static void open_session(struct pmsm_arrival *arrival, struct pmsm_link *link,
			 const struct pmsm_handover *handover, u8 *hold,
			 unsigned int timeout_ms)
{
	struct pmsm_session *s = &arrival->session;

	pmsm_session_init(s, link, handover->session + 1, PMSM_WINDOW_SMALL,
			  hold);
	ether_addr_copy(s->peer, handover->source);
	s->deliver = arrival_deliver;
	s->ctx = arrival;
	s->urgent = true;
	s->timeout = timeout_ms * PMSM_NS_PER_MS;
	s->heard = pmsm_clock();
	arrival->ready = false;
	arrival->committed = false;
}

/* Only a source that can be reached may be asked: it might decide */
static int find_source(struct pmsm_arrival *arrival)
{
	struct pmsm_session *s = &arrival->session;
	u64 until = pmsm_clock() + s->timeout;
	int error = pmsm_fault(PMSM_STEP_RESUMED) ?:
		    pmsm_talk_send(s, PMSM_RESUMED, "", 0);

	while (!error && !pmsm_session_idle(s)) {
		error = poll(arrival);
		/* Others may be talking */
		if (!error && pmsm_clock() > until)
			error = -ETIMEDOUT;
	}
	return error;
}

/*
 * A source that has heard READY may have gone on running, and what it said about
 * that may be lost.  It says so again to whoever still speaks of this session.
 */
static void wait_for_word(struct pmsm_arrival *arrival, u64 patience)
{
	struct pmsm_session *s = &arrival->session;
	u64 now = pmsm_clock(), shown = now;

	while (!arrival->committed && !s->called_off) {
		poll(arrival);
		s->error = 0;
		now = pmsm_clock();
		if (now - shown > PMSM_WAIT_MS * PMSM_NS_PER_MS) {
			shown = now;
			pmsm_session_acknowledge(s);
		}
		if (now > patience) {
			patience = U64_MAX;
			pr_emerg("ready to run, but the source does not say so: halted, and asking on. If this machine runs there, power this one off\n");
		}
	}
}

/*
 * The source may have decided from the moment it hears of this, so only its
 * word counts from now on, and no silence is too long.
 */
static void ask(struct pmsm_arrival *arrival)
{
	struct pmsm_session *s = &arrival->session;
	u64 patience = pmsm_clock() + s->timeout;

	do {
		pmsm_session_persist(s);
	} while (pmsm_talk_queue(s, PMSM_READY, "", 0, &arrival->ready) &&
		 !s->called_off);
	wait_for_word(arrival, patience);
}

/*
 * Usually a round trip.  If the answer is lost, it is better to say it again now
 * than when processes have been thawed: the source counts the time.
 */
static void tell(struct pmsm_arrival *arrival)
{
	struct pmsm_session *s = &arrival->session;
	u64 until = pmsm_clock() + PMSM_TELL_MS * PMSM_NS_PER_MS;

	pmsm_session_persist(s);
	pmsm_talk_send(s, PMSM_COMMITTED, "", 0);
	while (!pmsm_session_idle(s) && pmsm_clock() < until) {
		poll(arrival);
		pmsm_session_persist(s);
	}
}

/**
 * pmsm_arrive - ask the source whether this machine may run
 * @arrival: Memory for it, with anything in it.
 * @link: The link as the source left it.
 * @handover: What the target's own kernel has left.
 * @hold: pmsm_session_hold_size() bytes.
 * @timeout_ms: How long the source may be silent at first.
 * @failure: Words for what does not work on this machine, or "".
 *
 * May sleep.  Returns if it may, with COMMITTED sent once, and turns the machine
 * off if not.
 */
void pmsm_arrive(struct pmsm_arrival *arrival, struct pmsm_link *link,
		 const struct pmsm_handover *handover, u8 *hold,
		 unsigned int timeout_ms, const char *failure)
{
	int error = pmsm_fault(PMSM_STEP_RESTART) ?: link->ops->restart(link);

	/* It cannot say anything */
	if (error)
		power_off("the transfer NIC does not start");
	open_session(arrival, link, handover, hold, timeout_ms);
	if (failure[0])
		give_up(arrival, -EIO, failure);
	error = find_source(arrival);
	if (error)
		give_up(arrival, error, arrival->session.called_off ?
			"the source has called it off" :
			"the source does not answer");
	ask(arrival);
	if (!arrival->committed)
		give_up(arrival, -ECONNABORTED, "the source has called it off");
	tell(arrival);
}
