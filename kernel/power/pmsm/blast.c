// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the link can do: full frames as fast as the driver takes them, without
 * a session, checksums or memory behind them.  The yardstick for the stream.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "clock.h"
#include "pmsm.h"
#include "session.h"

#define PMSM_BLAST_TRIES	50
#define PMSM_BLAST_WAIT_US	20000
/* A listener that heard a blast so recently expects more */
#define PMSM_BLAST_PAUSE	(5 * PMSM_NS_PER_MS)

/**
 * struct pmsm_blast - what a listener has seen of a blast
 * @session: Which one.
 * @frames: Frames that arrived.
 * @bytes: Their bytes.
 * @first: pmsm_clock() at the first.
 * @last: pmsm_clock() at the last.
 */
static struct pmsm_blast {
	u64 session;
	u64 frames;
	u64 bytes;
	u64 first;
	u64 last;
} heard;

/**
 * pmsm_blast_hear - count a frame if it is part of a blast
 * @frame: The frame, unchecked.
 * @len: Its length.
 *
 * Return: whether it was.
 */
bool pmsm_blast_hear(const struct pmsm_frame *frame, unsigned int len)
{
	u64 session;

	if (len < sizeof(*frame) || frame->type != PMSM_BLAST ||
	    frame->ethertype != cpu_to_be16(PMSM_ETHERTYPE) ||
	    frame->magic != cpu_to_be32(PMSM_MAGIC))
		return false;

	session = be64_to_cpu(frame->session);
	heard.last = pmsm_clock();
	if (heard.session != session) {
		heard.session = session;
		heard.frames = 0;
		heard.bytes = 0;
		heard.first = heard.last;
	}
	heard.frames++;
	heard.bytes += len;
	return true;
}

/**
 * pmsm_blast_busy - whether a blast is likely to go on
 *
 * Return: true while the listener should not sleep.
 */
bool pmsm_blast_busy(void)
{
	return heard.frames && pmsm_clock() - heard.last < PMSM_BLAST_PAUSE;
}

static void init_session(struct pmsm_session *s, struct pmsm_link *link,
			 u64 id, const u8 *peer)
{
	pmsm_session_init(s, link, id, PMSM_WINDOW_SMALL, NULL);
	memcpy(s->peer, peer, ETH_ALEN);
	s->heard = pmsm_clock();
	s->timeout = PMSM_BLAST_TRIES * PMSM_BLAST_WAIT_US * 1000ULL;
}

/**
 * pmsm_blast_answer - tell a source what arrived of its blast
 * @link: The link.
 * @frame: Its question.
 */
void pmsm_blast_answer(struct pmsm_link *link, const struct pmsm_frame *frame)
{
	struct pmsm_wire_blast report = {
		.frames	= cpu_to_be64(heard.frames),
		.bytes	= cpu_to_be64(heard.bytes),
		.ns	= cpu_to_be64(heard.last - heard.first),
	};
	struct pmsm_session *s;

	if (be64_to_cpu(frame->session) != heard.session)
		return;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return;
	init_session(s, link, heard.session, frame->src);
	if (pmsm_session_send_loose(s, PMSM_BLAST_REPORT, &report, sizeof(report)))
		link->ops->kick(link);
	kfree(s);
}

/* Every slot gets its frame once; after that it is only queued again */
static void blast(struct pmsm_session *s, u64 bytes)
{
	struct pmsm_link *link = s->link;
	unsigned int payload = link->frame_size - sizeof(struct pmsm_frame);
	unsigned int slot, slots = link->tx_slots;
	struct pmsm_frame *frame, *first;
	u64 sent;

	first = link->ops->tx_buf(link, s->tx_window);
	while (!pmsm_session_send_loose(s, PMSM_BLAST, NULL, payload))
		cpu_relax();
	for (slot = 0; slot < slots; slot++) {
		frame = link->ops->tx_buf(link, slot);
		if (frame != first)
			memcpy(frame, first, sizeof(*frame));
	}

	for (sent = 0, slot = 0; sent < bytes; slot = (slot + 1) % slots) {
		while (link->ops->send(link, slot, link->frame_size)) {
			link->ops->kick(link);
			cpu_relax();
		}
		sent += link->frame_size;
		if (slot % 16 == 0)
			link->ops->kick(link);
		cond_resched();
	}
	link->ops->kick(link);
}

static int take_report(struct pmsm_session *s)
{
	struct pmsm_link *link = s->link;
	const struct pmsm_wire_blast *report;
	struct pmsm_frame *frame;
	unsigned int len;
	u64 bytes, ns;
	int error = -EAGAIN;

	while (error && (frame = link->ops->recv(link, &len))) {
		report = (const void *)frame->payload;
		if (pmsm_frame_check(frame, len) == PMSM_FRAME_GOOD &&
		    frame->type == PMSM_BLAST_REPORT &&
		    be64_to_cpu(frame->session) == s->id &&
		    be16_to_cpu(frame->len) >= sizeof(*report)) {
			bytes = be64_to_cpu(report->bytes);
			ns = be64_to_cpu(report->ns) | 1;
			pr_info("%s: blast: %llu frames, %llu bytes in %llu us, %llu MiB/s\n",
				link->name, be64_to_cpu(report->frames), bytes,
				div_u64(ns, 1000),
				mul_u64_u64_div_u64(bytes, NSEC_PER_SEC, ns) >> 20);
			error = 0;
		}
		link->ops->recv_done(link);
	}
	return error;
}

static int ask(struct pmsm_session *s)
{
	int i;

	for (i = 0; i < PMSM_BLAST_TRIES; i++) {
		usleep_range(PMSM_BLAST_WAIT_US, 2 * PMSM_BLAST_WAIT_US);
		if (!take_report(s))
			return 0;
		if (pmsm_session_send_loose(s, PMSM_BLAST_END, NULL, 0))
			s->link->ops->kick(s->link);
	}
	pr_err("%s: blast: nobody has heard it: is a target listening?\n",
	       s->link->name);
	return -ETIMEDOUT;
}

/**
 * pmsm_blast - measure the link
 * @settings: Which NIC, and whom to send to.
 * @mib: How much.
 *
 * The target must be listening.  The result goes to the log.  May sleep.
 *
 * Return: 0 or a negative errno.
 */
int pmsm_blast(const struct pmsm_settings *settings, unsigned int mib)
{
	struct pmsm_session *s;
	struct pmsm_link *link;
	int error = -ENOMEM;

	link = pmsm_link_get(settings->nic, true);
	if (IS_ERR(link))
		return PTR_ERR(link);

	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (s) {
		init_session(s, link, pmsm_random_id(), settings->peer);
		blast(s, (u64)mib << 20);
		error = ask(s);
		kfree(s);
	}
	pmsm_link_put(link);
	return error;
}
