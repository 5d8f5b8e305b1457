// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source, from the moment the target has the image: which of the two is the
 * machine?  "The hand-over" in Documentation/power/pmsm-protocol.rst says who
 * may do what when.
 *
 * Runs with interrupts off on one CPU, all devices but the link stopped.
 */

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "clock.h"
#include "fault.h"
#include "machine.h"
#include "slept.h"
#include "source.h"
#include "talk.h"

/* The target has heard DONE if it has been quiet for so long */
#define PMSM_QUIET_MS		50
/* Do not wait for that for ever */
#define PMSM_DONE_MS		2000

static int prepare(struct pmsm_source *source)
{
	struct pmsm_wire_prepare *account = &source->account;
	struct pmsm_session *s = &source->session;
	unsigned int room;
	void *msg = pmsm_talk_reserve(s, &room);

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	account->stopped_ns = cpu_to_be64(pmsm_slept());
	account->held_ns = cpu_to_be64(pmsm_clock() - source->verified_at);
	memcpy(msg, account, sizeof(*account));
	/* Only now: while there was no room, answers were out of turn */
	s->renewable = true;
	pmsm_session_commit(s, PMSM_PREPARE, sizeof(*account), pmsm_clock(), NULL);
	return 0;
}

/*
 * A target that has not heard DONE goes on telling, and each of its frames
 * gets another one.
 */
static void say_done(struct pmsm_session *s)
{
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

static void print_sent(const struct pmsm_source *source)
{
	const struct pmsm_stream *stream = &source->stream;
	u64 ns = source->phase_ns[PMSM_PHASE_STREAM];
	u64 bytes = be64_to_cpu(source->account.data_bytes);

	pr_info("sent %llu pages, %llu of them zero, %llu MiB in %llu ms (%llu MiB/s), %llu frames again\n",
		stream->data_pages + stream->zero_pages, stream->zero_pages,
		bytes >> 20, div_u64(ns, NSEC_PER_MSEC),
		mul_u64_u64_div_u64(bytes, NSEC_PER_SEC, ns | 1) >> 20,
		source->session.stats.retransmits);
}

static void __noreturn power_off(struct pmsm_session *s)
{
	s->link->ops->stop(s->link);
	pmsm_machine_off();
}

/*
 * Ask on, whatever comes but the answer: the target waits, and nobody but the
 * operator may say that it does not.
 */
static void ask_on(struct pmsm_source *source)
{
	struct pmsm_session *s = &source->session;

	pr_emerg("halted, and asking on: look at the target. If this machine runs there, power this one off; if it never will, reset this one\n");
	while (!source->committed) {
		pmsm_session_persist(s);
		pmsm_talk_wait(s, &source->committed);
	}
}

/* Not to be returned from unless the operator wants this machine to run */
static int settle_doubt(struct pmsm_source *source, enum pmsm_in_doubt policy)
{
	pr_emerg("the target was told to go, but has not answered\n");
	switch (policy) {
	case PMSM_DOUBT_RUN:
		pr_emerg("running on (in_doubt=run): make sure that the target does not\n");
		scnprintf(source->reason, sizeof(source->reason),
			  "in doubt, and told to run on (in_doubt=run)");
		return -ETIMEDOUT;
	case PMSM_DOUBT_OFF:
		pr_emerg("powering off (in_doubt=off): make sure that the target runs\n");
		power_off(&source->session);
	case PMSM_DOUBT_HALT:
		break;
	}
	ask_on(source);
	return 0;
}

/*
 * The decision.  From here on this machine does not run again by itself.  An error
 * that comes before COMMIT has been sent once is one from before the decision.
 */
static int commit(struct pmsm_source *source, enum pmsm_in_doubt policy)
{
	struct pmsm_session *s = &source->session;
	int error = pmsm_talk_queue(s, PMSM_COMMIT, "", 0, &source->decided);
	u64 until;

	if (error)
		return error;
	until = pmsm_clock() + s->timeout;
	while (!source->committed && pmsm_clock() < until) {
		pmsm_session_persist(s);
		pmsm_talk_poll(s);
	}
	return source->committed ? 0 : settle_doubt(source, policy);
}

/**
 * pmsm_hand_over - find out which of the two is the machine
 * @source: The migration; the target has the image, whole.
 * @settings: What the operator has said.
 *
 * Does not return if it is the target.
 *
 * Return: a negative errno if this machine is to run on.
 */
int pmsm_hand_over(struct pmsm_source *source,
		   const struct pmsm_settings *settings)
{
	u64 timeout = settings->timeout_ms * PMSM_NS_PER_MS;
	u64 resume = settings->resume_ms * PMSM_NS_PER_MS;
	struct pmsm_session *s = &source->session;
	int error;

	/* Nothing else is on the wire any more, and every moment is downtime */
	s->urgent = true;
	s->timeout = resume;
	error = pmsm_fault(PMSM_STEP_PREPARE) ?: prepare(source);
	if (!error)
		error = pmsm_talk_wait_until(s, &source->resumed,
					     pmsm_clock() + resume);
	s->timeout = timeout;
	if (!error)
		error = pmsm_talk_wait_until(s, &source->ready,
					     pmsm_clock() + timeout);
	if (!error)
		error = pmsm_fault(PMSM_STEP_COMMIT);
	if (!error)
		error = commit(source, settings->in_doubt);
	if (error)
		return error;

	say_done(s);
	print_sent(source);
	pr_info("this machine runs on the target now; powering off\n");
	power_off(s);
}
