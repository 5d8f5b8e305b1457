// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything is compared before anything stops: a dry run by itself, and the
 * beginning of every move.
 *
 * The source asks, by a HELLO that says that this is a dry run.  The target
 * describes itself, tells of its devices, and says what it has against the
 * source.  The source adds what it has against itself, and what the target
 * lacks.
 */

#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/sysfs.h>

#include "ask.h"
#include "clock.h"
#include "compat.h"
#include "devices.h"
#include "pmsm.h"
#include "preflight.h"
#include "reasons.h"
#include "room.h"
#include "session.h"
#include "stats.h"

/**
 * struct pmsm_preflight - a dry run as the source sees it
 * @session: The conversation.
 * @target: What the target says of itself.
 * @used: The devices that this machine uses.
 * @reasons: What speaks against a move.
 * @nr_devices: How many devices the target has told of.
 * @accepted: @target is there.
 * @done: The target has said all.
 */
struct pmsm_preflight {
	struct pmsm_session session;
	struct pmsm_wire_hello target;
	struct pmsm_devices used;
	struct pmsm_reasons *reasons;
	unsigned int nr_devices;
	bool accepted;
	bool done;
};

static int take_accept(struct pmsm_preflight *pf, const void *payload,
		       unsigned int len)
{
	if (pf->accepted || len != sizeof(pf->target))
		return -EPROTO;
	memcpy(&pf->target, payload, len);
	pf->accepted = true;
	return 0;
}

static int take_devices(struct pmsm_preflight *pf, const void *payload,
			unsigned int len)
{
	const struct pmsm_wire_device *dev = payload;

	if (!pf->accepted || !len || len % sizeof(*dev) ||
	    len / sizeof(*dev) > be16_to_cpu(pf->target.nr_devices) -
				 pf->nr_devices)
		return -EPROTO;
	pf->nr_devices += len / sizeof(*dev);
	for (; len; len -= sizeof(*dev), dev++)
		pmsm_devices_see(&pf->used, dev);
	return 0;
}

static int take_verdict(struct pmsm_preflight *pf, const void *payload,
			unsigned int len)
{
	const struct pmsm_wire_reason *verdict = payload;
	u32 code;

	if (!pf->accepted || pf->done || len < sizeof(*verdict) ||
	    pf->nr_devices != be16_to_cpu(pf->target.nr_devices))
		return -EPROTO;
	code = be32_to_cpu(verdict->code);
	if (code >= PMSM_ERRNO_MAX)
		code = ECONNREFUSED;
	pmsm_reasons_take(pf->reasons, -(int)code, verdict->text,
			  len - sizeof(*verdict));
	pf->done = true;
	return 0;
}

static int preflight_deliver(void *ctx, unsigned int type, const void *payload,
			     unsigned int len, u32 crc)
{
	struct pmsm_preflight *pf = ctx;

	switch (type) {
	case PMSM_ACCEPT:
		return take_accept(pf, payload, len);
	case PMSM_DEVICES:
		return take_devices(pf, payload, len);
	case PMSM_VERDICT:
		return take_verdict(pf, payload, len);
	default:
		return -EPROTO;
	}
}

/* Both can give up caches, so these are guesses, and no reason to refuse */
static void compare_room(struct pmsm_preflight *pf)
{
	long cached = si_mem_available() - (long)nr_free_pages();
	u64 room = be64_to_cpu(pf->target.pages);
	unsigned long used = pmsm_room_used();

	used -= clamp_t(long, cached, 0, used);
	if (used > room)
		pmsm_reasons_add(pf->reasons, 0, PMSM_WARNING
				 "about %lu MiB are in use on the source, but about %llu MiB can be freed on the target",
				 used >> (20 - PAGE_SHIFT),
				 room >> (20 - PAGE_SHIFT));
}

/* The other side's words of refusal, or ours about its silence */
static void no_answer(struct pmsm_preflight *pf, int error)
{
	struct pmsm_session *s = &pf->session;
	char text[PMSM_REASON_LEN];

	if (s->reason[0]) {
		pmsm_reasons_take(pf->reasons, error, s->reason,
				  strlen(s->reason));
		return;
	}
	pmsm_ask_explain(s, error, text, sizeof(text));
	pmsm_reasons_add(pf->reasons, error, "%s", text);
}

/* Returns the errno of what has stopped it, which need not be a reason */
static int ask(struct pmsm_preflight *pf)
{
	struct pmsm_session *s = &pf->session;
	int error;

	error = pmsm_ask_hello(s, PMSM_HELLO_DRY_RUN, pf->reasons);
	if (error)
		return error;
	error = pmsm_ask_wait(s, &pf->done);
	if (error)
		no_answer(pf, error);
	else
		pmsm_session_acknowledge(s);
	return error;
}

static void compare(struct pmsm_preflight *pf)
{
	pmsm_devices_check(&pf->used, pf->reasons);
	compare_room(pf);
}

static void init_session(struct pmsm_preflight *pf, struct pmsm_link *link,
			 u64 timeout, const u8 *peer, u8 *hold)
{
	struct pmsm_session *s = &pf->session;

	pmsm_session_init(s, link, pmsm_random_id(), PMSM_WINDOW_SMALL, hold);
	s->deliver = preflight_deliver;
	s->ctx = pf;
	s->timeout = timeout;
	s->heard = pmsm_clock();
	ether_addr_copy(s->peer, peer);
}

/**
 * pmsm_preflight_check - find a target and compare everything
 * @link: The link, open.
 * @timeout: Longest silence, in ns.
 * @peer: Ethernet address of the target; if it is the broadcast address, set
 *	to that of whoever answered.
 * @reasons: Set to everything that speaks against a move.
 *
 * May sleep.  Stops nothing.
 *
 * Return: 0 or the negative errno of the first reason.
 */
int pmsm_preflight_check(struct pmsm_link *link, u64 timeout, u8 *peer,
			 struct pmsm_reasons *reasons)
{
	struct pmsm_preflight *pf = kvzalloc(sizeof(*pf), GFP_KERNEL);
	u8 *hold = kvzalloc(pmsm_session_hold_size(link, PMSM_WINDOW_SMALL),
			    GFP_KERNEL);
	int error;

	pmsm_reasons_init(reasons);
	if (!pf || !hold || pmsm_devices_used(&pf->used, link->name)) {
		pmsm_reasons_add(reasons, -ENOMEM, "no memory on the source");
		goto out;
	}
	pf->reasons = reasons;
	init_session(pf, link, timeout, peer, hold);

	pmsm_compat_able("source", reasons);
	error = ask(pf);
	if (!error)
		compare(pf);
	/* Last: there may be many warnings, and room is limited */
	pmsm_survive_check(reasons);
	ether_addr_copy(peer, pf->session.peer);
	if (error && !reasons->error)
		pmsm_reasons_add(reasons, error, "asking the target failed");
	pmsm_devices_free(&pf->used);
out:
	kvfree(hold);
	kvfree(pf);
	return reasons->error;
}

/* What the last dry run has found */
static DEFINE_MUTEX(last_mutex);
static struct pmsm_reasons last;
static bool checked;

/* The log has more words about it */
static const char *link_words(int error)
{
	switch (error) {
	case -ENODEV:
		return "there is no such transfer NIC: give one to a pmsm driver";
	case -EINVAL:
		return "there are several transfer NICs: name one in nic";
	case -EBUSY:
		return "the transfer NIC is in use";
	case -ENOLINK:
		return "the transfer NIC has no link: is the cable plugged in at both ends?";
	default:
		return "the transfer NIC cannot be used: see the log";
	}
}

static void without_link(struct pmsm_reasons *reasons, int error)
{
	pmsm_reasons_init(reasons);
	pmsm_compat_able("source", reasons);
	pmsm_reasons_add(reasons, error, "%s", link_words(error));
	pmsm_survive_check(reasons);
}

static void dry_run(const struct pmsm_settings *settings,
		    struct pmsm_reasons *reasons)
{
	struct pmsm_link *link = pmsm_link_get(settings->nic, true);
	u64 timeout = settings->timeout_ms * PMSM_NS_PER_MS;
	u8 peer[ETH_ALEN];

	if (IS_ERR(link)) {
		without_link(reasons, PTR_ERR(link));
		return;
	}
	pmsm_activity_set(PMSM_NEGOTIATING);
	ether_addr_copy(peer, settings->peer);
	if (!pmsm_preflight_check(link, timeout, peer, reasons))
		pr_info("%s: preflight: this machine can move to %pM\n",
			link->name, peer);
	pmsm_activity_set(PMSM_IDLE);
	pmsm_link_put(link);
}

/**
 * pmsm_preflight - compare everything, stop nothing
 * @settings: What the operator has said.
 *
 * May sleep.
 *
 * Return: 0 if this machine could move, or the negative errno of the first
 * reason why not.
 */
int pmsm_preflight(const struct pmsm_settings *settings)
{
	int error;

	mutex_lock(&last_mutex);
	dry_run(settings, &last);
	checked = true;
	pmsm_reasons_print(&last, "preflight: this machine cannot move");
	error = last.error;
	mutex_unlock(&last_mutex);
	return error;
}

/**
 * pmsm_preflight_show - say what the last dry run has found
 * @buf: A sysfs page.
 *
 * Return: bytes written.
 */
ssize_t pmsm_preflight_show(char *buf)
{
	ssize_t len = 0;

	mutex_lock(&last_mutex);
	if (!checked)
		len += sysfs_emit_at(buf, len, "not checked\n");
	else if (!last.error)
		len += sysfs_emit_at(buf, len, "ok\n");
	if (checked)
		len += sysfs_emit_at(buf, len, "%s", last.text);
	mutex_unlock(&last_mutex);
	return len;
}
