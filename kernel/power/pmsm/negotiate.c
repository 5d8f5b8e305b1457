// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source finds a target, while everything still runs.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/sched/signal.h>

#include "after.h"
#include "clock.h"
#include "compat.h"
#include "fault.h"
#include "room.h"
#include "source.h"
#include "talk.h"

#define PMSM_NEGOTIATE_POLL_US	200

static int send_hello(struct pmsm_source *source)
{
	struct pmsm_session *s = &source->session;
	struct pmsm_wire_hello *hello;
	unsigned int room;
	int error;

	hello = pmsm_session_reserve(s, &room);
	if (!hello)
		return -EBUSY;
	error = pmsm_compat_describe(hello, s->link->frame_size,
				     source->reason, sizeof(source->reason));
	if (error)
		return error;
	pmsm_session_commit(s, PMSM_HELLO, sizeof(*hello), pmsm_clock(), NULL);
	return 0;
}

/*
 * Until somebody has accepted, the peer may be anybody.  Whoever says
 * something to the point first is it.
 */
static void choose_peer(struct pmsm_session *s, const struct pmsm_frame *frame,
			unsigned int len)
{
	enum pmsm_frame_check check = pmsm_frame_check(frame, len);

	/* Nothing else in a frame of another version has a known place */
	if (check == PMSM_FRAME_VERSION &&
	    ether_addr_equal(frame->dst, s->link->addr))
		s->error = -EPROTONOSUPPORT;
	if (check != PMSM_FRAME_GOOD || be64_to_cpu(frame->session) != s->id)
		return;
	if (is_broadcast_ether_addr(s->peer) &&
	    (frame->type == PMSM_ACCEPT || frame->type == PMSM_REFUSE))
		ether_addr_copy(s->peer, frame->src);
}

static int listen_once(struct pmsm_session *s)
{
	const struct pmsm_link_ops *ops = s->link->ops;
	struct pmsm_frame *frame;
	unsigned int len;

	while (!s->error && (frame = ops->recv(s->link, &len))) {
		choose_peer(s, frame, len);
		pmsm_after_answer(s, frame, len);
		pmsm_session_input(s, frame, len, pmsm_clock());
		ops->recv_done(s->link);
	}
	return pmsm_talk_poll(s);
}

static int wait_for_answer(struct pmsm_source *source)
{
	int error = 0;

	while (!error && !source->accepted) {
		error = listen_once(&source->session);
		usleep_range(PMSM_NEGOTIATE_POLL_US, 2 * PMSM_NEGOTIATE_POLL_US);
		if (!error && signal_pending(current))
			error = -EINTR;
	}
	return error;
}

static int fit(struct pmsm_source *source)
{
	unsigned long room = be64_to_cpu(source->target.pages);
	unsigned long used;

	pmsm_room_make(room);
	used = pmsm_room_used();
	if (used <= room)
		return 0;
	scnprintf(source->reason, sizeof(source->reason),
		  "%lu MiB in use here, but room for %lu MiB on the target",
		  used >> (20 - PAGE_SHIFT), room >> (20 - PAGE_SHIFT));
	return -ENOSPC;
}

/**
 * pmsm_source_negotiate - find a target that takes this machine
 * @source: The migration.
 *
 * May sleep.
 *
 * Return: 0 once a target has accepted, or a negative errno.
 */
int pmsm_source_negotiate(struct pmsm_source *source)
{
	struct pmsm_session *s = &source->session;
	int error = pmsm_fault(PMSM_STEP_HELLO) ?: send_hello(source);

	if (!error)
		error = wait_for_answer(source);
	if (error)
		return error;

	s->frame_size = min_t(unsigned int, s->frame_size,
			      be16_to_cpu(source->target.frame_size));
	return s->frame_size < ETH_FRAME_LEN ? -EPROTO : fit(source);
}
