// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending and waiting for the other side.
 *
 * All of it polls, so that it works with interrupts off and one CPU as well as
 * while everything runs.
 */

#include <linux/err.h>
#include <linux/nmi.h>
#include <linux/pmsm.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "clock.h"
#include "talk.h"

/* Look after the watchdogs every so many polls */
#define PMSM_WATCHDOG_POLLS	1024
/* A device that takes longer than this to send a frame will not */
#define PMSM_FLUSH_MS		50
#define PMSM_RESET_REPEAT	3

/**
 * pmsm_talk_poll - do what is to be done now
 * @s: The session.
 *
 * pmsm_session_poll() by this machine's clock, with the watchdogs kept quiet.
 *
 * Return: 0, or the negative errno that ended the session.
 */
int pmsm_talk_poll(struct pmsm_session *s)
{
	if (++s->stats.polls % PMSM_WATCHDOG_POLLS == 0) {
		touch_nmi_watchdog();
		touch_softlockup_watchdog_sync();
	}
	return pmsm_session_poll(s, pmsm_clock());
}

/**
 * pmsm_talk_wait - wait for the other side's word
 * @s: The session.
 * @condition: What its @deliver sets when the word has come.
 *
 * Return: 0, or the negative errno that ended the session.
 */
int pmsm_talk_wait(struct pmsm_session *s, const bool *condition)
{
	return pmsm_talk_wait_until(s, condition, U64_MAX);
}

/**
 * pmsm_talk_wait_until - wait for the other side's word, but not for ever
 * @s: The session.
 * @condition: What its @deliver sets when the word has come.
 * @until: pmsm_clock() when it is too late, whatever else is said by then.
 *
 * Return: 0, -ETIMEDOUT, or the negative errno that ended the session.
 */
int pmsm_talk_wait_until(struct pmsm_session *s, const bool *condition,
			 u64 until)
{
	int error = 0;

	while (!error && !READ_ONCE(*condition)) {
		cpu_relax();
		error = pmsm_talk_poll(s);
		if (!error && !READ_ONCE(*condition) && pmsm_clock() > until)
			error = -ETIMEDOUT;
	}
	return error;
}

/**
 * pmsm_talk_reserve - wait for room for the next message
 * @s: The session.
 * @room: Where to put how many bytes the message may have.
 *
 * Return: the payload to fill, for pmsm_session_commit() to send, or the errno
 * that ended the session as an ERR_PTR.
 */
void *pmsm_talk_reserve(struct pmsm_session *s, unsigned int *room)
{
	void *msg;
	int error;

	while (!(msg = pmsm_session_reserve(s, room))) {
		cpu_relax();
		error = pmsm_talk_poll(s);
		if (error)
			return ERR_PTR(error);
	}
	return msg;
}

/**
 * pmsm_talk_queue - send a message that is there already, or fail before that
 * @s: The session.
 * @type: Its type, below %PMSM_SEQUENCED.
 * @payload: Its payload.
 * @len: Length of that, which must fit into a frame.
 * @queued: Set to true when it is certain to be sent, for @deliver to allow an
 *	answer: one that comes while there is no room yet is out of turn.  Or NULL.
 *
 * It leaves at the latest with the next poll.
 *
 * Return: 0, or the negative errno that ended the session, with nothing sent.
 */
int pmsm_talk_queue(struct pmsm_session *s, enum pmsm_type type,
		    const void *payload, unsigned int len, bool *queued)
{
	unsigned int room;
	void *msg = pmsm_talk_reserve(s, &room);

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	memcpy(msg, payload, len);
	if (queued)
		*queued = true;
	pmsm_session_commit(s, type, len, pmsm_clock(), NULL);
	return 0;
}

/**
 * pmsm_talk_send - send a message that is there already, at once
 * @s: The session.
 * @type: Its type, below %PMSM_SEQUENCED.
 * @payload: Its payload.
 * @len: Length of that, which must fit into a frame.
 *
 * Return: 0, or the negative errno that ended the session.
 */
int pmsm_talk_send(struct pmsm_session *s, enum pmsm_type type,
		   const void *payload, unsigned int len)
{
	return pmsm_talk_queue(s, type, payload, len, NULL) ?: pmsm_talk_poll(s);
}

/**
 * pmsm_talk_call_off - tell the peer that this migration is off
 * @s: The session.
 * @error: Negative errno.
 * @text: One line.
 *
 * More than once, since nobody will answer it: a peer that misses it finds out by
 * the silence.
 */
void pmsm_talk_call_off(struct pmsm_session *s, int error, const char *text)
{
	int i;

	for (i = 0; i < PMSM_RESET_REPEAT; i++)
		pmsm_session_send_reason(s, PMSM_RESET, error, text);
}

/**
 * pmsm_talk_flush - wait until the device has sent what is outside the sequence
 * @s: The session.
 *
 * To be called before the link is stopped, which throws away what is queued.
 */
void pmsm_talk_flush(struct pmsm_session *s)
{
	u64 until = pmsm_clock() + PMSM_FLUSH_MS * PMSM_NS_PER_MS;
	struct pmsm_link *link = s->link;
	unsigned int i;

	for (i = 0; i < PMSM_LOOSE_SLOTS; i++)
		while (!link->ops->tx_idle(link, s->tx_window + i) &&
		       pmsm_clock() < until)
			cpu_relax();
}
