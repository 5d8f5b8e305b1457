// SPDX-License-Identifier: GPL-2.0-only
/*
 * A target's side of a dry run: it says what it is, what it has, and what it
 * has against the source.  It takes no memory for it that outlasts the answer,
 * and goes on listening.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pmsm.h>
#include <linux/slab.h>

#include "clock.h"
#include "compat.h"
#include "devices.h"
#include "preflight.h"
#include "reasons.h"
#include "talk.h"
#include "target.h"

/* Whoever asks is there, so it may not be silent for long */
#define PMSM_ANSWER_MS		2000
#define PMSM_ANSWER_POLL_US	200

/* A source in a dry run says nothing after HELLO */
static int answer_deliver(void *ctx, unsigned int type, const void *payload,
			  unsigned int len, u32 crc)
{
	return -EPROTO;
}

static int send_devices(struct pmsm_session *s,
			const struct pmsm_wire_device *list, unsigned int nr)
{
	unsigned int max, part;
	int error = 0;

	max = (s->frame_size - sizeof(struct pmsm_frame)) / sizeof(*list);
	while (nr && !error) {
		part = min(nr, max);
		error = pmsm_talk_send(s, PMSM_DEVICES, list,
				       part * sizeof(*list));
		list += part;
		nr -= part;
	}
	return error;
}

static int send_verdict(struct pmsm_session *s,
			const struct pmsm_reasons *reasons)
{
	struct pmsm_wire_reason *verdict;
	unsigned int room;

	verdict = pmsm_talk_reserve(s, &room);
	if (IS_ERR(verdict))
		return PTR_ERR(verdict);
	verdict->code = cpu_to_be32(-reasons->error);
	room = pmsm_reasons_fit(reasons, verdict->text, room - sizeof(*verdict));
	pmsm_session_commit(s, PMSM_VERDICT, sizeof(*verdict) + room,
			    pmsm_clock(), NULL);
	return pmsm_talk_poll(s);
}

/* The next one, or the same with the move itself: leave that to the listener */
static bool is_next(const struct pmsm_session *s, const struct pmsm_frame *frame,
		    unsigned int len)
{
	return pmsm_frame_check(frame, len) == PMSM_FRAME_GOOD &&
	       frame->type == PMSM_HELLO && be64_to_cpu(frame->session) != s->id;
}

static void wait_until_heard(struct pmsm_session *s)
{
	const struct pmsm_link_ops *ops = s->link->ops;
	struct pmsm_frame *frame;
	unsigned int len;

	while (!pmsm_session_idle(s) && !s->error) {
		frame = ops->recv(s->link, &len);
		if (!frame) {
			usleep_range(PMSM_ANSWER_POLL_US,
				     2 * PMSM_ANSWER_POLL_US);
			if (!ops->recv(s->link, &len))
				pmsm_talk_poll(s);
			continue;
		}
		if (is_next(s, frame, len))
			return;
		pmsm_session_input(s, frame, len, pmsm_clock());
		ops->recv_done(s->link);
	}
}

/**
 * pmsm_preflight_answer - answer a source that only asks
 * @target: What it has said, and a session with it.
 *
 * May sleep.
 */
void pmsm_preflight_answer(struct pmsm_target *target)
{
	struct pmsm_session *s = &target->session;
	struct pmsm_wire_device *devices;
	unsigned int nr;
	int error;

	s->deliver = answer_deliver;
	s->timeout = PMSM_ANSWER_MS * PMSM_NS_PER_MS;
	pmsm_compat_answer(&target->source, &target->self, s->link->frame_size,
			   &target->reasons);
	if (pmsm_devices_all(&devices, &nr, s->link->name))
		pmsm_reasons_add(&target->reasons, -ENOMEM,
				 "no memory on the target");
	target->self.nr_devices = cpu_to_be16(nr);
	target->self.pages = cpu_to_be64(si_mem_available());

	error = pmsm_talk_send(s, PMSM_ACCEPT, &target->self,
			       sizeof(target->self));
	if (!error)
		error = send_devices(s, devices, nr);
	if (!error)
		error = send_verdict(s, &target->reasons);
	if (!error)
		wait_until_heard(s);
	kvfree(devices);
}
