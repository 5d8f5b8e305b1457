// SPDX-License-Identifier: GPL-2.0-only
/*
 * A question to whoever listens, while everything still runs.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/pmsm.h>
#include <linux/sched/signal.h>

#include "after.h"
#include "ask.h"
#include "clock.h"
#include "compat.h"
#include "talk.h"

#define PMSM_ASK_POLL_US	200

/**
 * pmsm_ask_hello - ask whether this machine may move
 * @s: The session, fresh.
 * @flags: What to say beside, such as %PMSM_HELLO_DRY_RUN.
 * @reasons: Where to say why this machine cannot, if so.
 *
 * Return: 0 or a negative errno.
 */
int pmsm_ask_hello(struct pmsm_session *s, u32 flags,
		   struct pmsm_reasons *reasons)
{
	struct pmsm_wire_hello *hello;
	unsigned int room;
	int error;

	hello = pmsm_session_reserve(s, &room);
	if (!hello)
		return -EBUSY;
	error = pmsm_compat_describe(hello, s->link->frame_size, "source",
				     reasons);
	if (error)
		return error;
	hello->flags = cpu_to_be32(flags);
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

/**
 * pmsm_ask_wait - wait for a target, while everything runs
 * @s: The session.
 * @answered: What its @deliver sets when the answer is there.
 *
 * May sleep.
 *
 * Return: 0, or the negative errno that ended the session, -EINTR for a signal.
 */
int pmsm_ask_wait(struct pmsm_session *s, const bool *answered)
{
	int error = 0;

	while (!error && !*answered) {
		error = listen_once(s);
		usleep_range(PMSM_ASK_POLL_US, 2 * PMSM_ASK_POLL_US);
		if (!error && signal_pending(current))
			error = -EINTR;
	}
	return error;
}

/**
 * pmsm_ask_explain - put into words that no target takes this machine
 * @s: The session.
 * @error: What ended it.
 * @text: Where to put them.
 * @size: Room there.
 */
void pmsm_ask_explain(const struct pmsm_session *s, int error, char *text,
		      unsigned int size)
{
	const char *name = s->link->name;

	if (error == -ETIMEDOUT && is_broadcast_ether_addr(s->peer))
		scnprintf(text, size,
			  "%s: no target answers: is one listening on this link (pmsm.listen=)?",
			  name);
	else if (error == -ETIMEDOUT)
		scnprintf(text, size,
			  "%s: target %pM has fallen silent: is it alive, and is the cable plugged in?",
			  name, s->peer);
	else if (error == -EPROTONOSUPPORT)
		scnprintf(text, size,
			  "%s: the other side speaks another protocol version, not %d: run the same kernel on both",
			  name, PMSM_VERSION);
	else if (error == -EPROTO)
		scnprintf(text, size,
			  "%s: what %pM says makes no sense: run the same kernel on both",
			  name, s->peer);
	else
		scnprintf(text, size, "%s: asking for a target failed with error %d",
			  name, error);
}
