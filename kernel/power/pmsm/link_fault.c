// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad links on purpose: loses, repeats, reorders and damages received frames.
 */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "pmsm.h"

static uint fault_loss;
module_param(fault_loss, uint, 0644);
MODULE_PARM_DESC(fault_loss, "Received frames to lose, in percent");

static uint fault_dup;
module_param(fault_dup, uint, 0644);
MODULE_PARM_DESC(fault_dup, "Received frames to see again, in percent");

static uint fault_reorder;
module_param(fault_reorder, uint, 0644);
MODULE_PARM_DESC(fault_reorder, "Received frames to see later, in percent");

static uint fault_flip;
module_param(fault_flip, uint, 0644);
MODULE_PARM_DESC(fault_flip, "Received frames to flip a bit in, in percent");

static uint fault_seed = 1;
module_param(fault_seed, uint, 0644);
MODULE_PARM_DESC(fault_seed, "Seed of the random numbers for all of these");

/**
 * struct fault_state - what changes while the link runs
 * @rnd: Random numbers.
 * @late: The frame in @buf is being seen now.
 * @len: Length of the frame in @buf, 0 if there is none.
 * @buf: A frame that comes later than it should.
 *
 * In memory that the image leaves out.
 */
struct fault_state {
	struct rnd_state rnd;
	bool late;
	unsigned int len;
	u8 buf[];
};

/**
 * struct fault_link - a link that makes another one bad
 * @link: What the migration sees.
 * @inner: The other one.
 * @state: What changes.
 */
struct fault_link {
	struct pmsm_link link;
	struct pmsm_link *inner;
	struct fault_state *state;
};

static struct fault_link *fault_link(struct pmsm_link *link)
{
	return container_of(link, struct fault_link, link);
}

static bool hit(struct fault_state *state, uint percent)
{
	return percent && prandom_u32_state(&state->rnd) % 100 < percent;
}

static void *take_late(struct fault_state *state, unsigned int *len)
{
	state->late = true;
	*len = state->len;
	return state->buf;
}

static void fault_recv_done(struct pmsm_link *link)
{
	struct fault_link *fl = fault_link(link);
	struct fault_state *state = fl->state;

	if (state->late) {
		state->late = false;
		state->len = 0;
		return;
	}
	/* A frame that is not given back is the next one again */
	if (!hit(state, fault_dup))
		fl->inner->ops->recv_done(fl->inner);
}

static void *fault_recv(struct pmsm_link *link, unsigned int *len)
{
	struct fault_link *fl = fault_link(link);
	struct fault_state *state = fl->state;
	u32 bit;
	u8 *frame;

	if (state->len && (state->late || hit(state, 10)))
		return take_late(state, len);

	while ((frame = fl->inner->ops->recv(fl->inner, len))) {
		if (hit(state, fault_loss)) {
			fl->inner->ops->recv_done(fl->inner);
			continue;
		}
		if (*len && hit(state, fault_flip)) {
			bit = prandom_u32_state(&state->rnd) % (*len * 8);
			frame[bit / 8] ^= 1 << (bit % 8);
		}
		if (!state->len && *len <= fl->inner->frame_size &&
		    hit(state, fault_reorder)) {
			memcpy(state->buf, frame, *len);
			state->len = *len;
			fl->inner->ops->recv_done(fl->inner);
			continue;
		}
		return frame;
	}
	return NULL;
}

static void fault_close(struct pmsm_link *link)
{
	struct fault_link *fl = fault_link(link);

	fl->inner->ops->close(fl->inner);
	pmsm_nosave_free(fl->state);
	fl->state = NULL;
}

static void fault_reset(struct fault_link *fl)
{
	memset(fl->state, 0, sizeof(*fl->state));
	prandom_seed_state(&fl->state->rnd, fault_seed);
	memcpy(fl->link.addr, fl->inner->addr, ETH_ALEN);
	fl->link.frame_size = fl->inner->frame_size;
}

static int fault_restart(struct pmsm_link *link)
{
	struct fault_link *fl = fault_link(link);
	int error = fl->inner->ops->restart(fl->inner);

	if (!error)
		fault_reset(fl);
	return error;
}

static int fault_open(struct pmsm_link *link)
{
	struct fault_link *fl = fault_link(link);
	int error = fl->inner->ops->open(fl->inner);

	if (error)
		return error;
	fl->state = pmsm_nosave_alloc(sizeof(*fl->state) + fl->inner->frame_size);
	if (!fl->state) {
		fl->inner->ops->stop(fl->inner);
		fl->inner->ops->close(fl->inner);
		return -ENOMEM;
	}
	link->tx_slots = fl->inner->tx_slots;
	link->rx_slots = fl->inner->rx_slots;
	fault_reset(fl);
	pr_warn("%s: bad on purpose: %u%% lost, %u%% repeated, %u%% reordered, %u%% damaged\n",
		link->name, fault_loss, fault_dup, fault_reorder, fault_flip);
	return 0;
}

static void fault_stop(struct pmsm_link *link)
{
	struct pmsm_link *inner = fault_link(link)->inner;

	inner->ops->stop(inner);
}

static bool fault_carrier(struct pmsm_link *link)
{
	struct pmsm_link *inner = fault_link(link)->inner;

	return inner->ops->carrier(inner);
}

static void *fault_tx_buf(struct pmsm_link *link, unsigned int slot)
{
	struct pmsm_link *inner = fault_link(link)->inner;

	return inner->ops->tx_buf(inner, slot);
}

static bool fault_tx_idle(struct pmsm_link *link, unsigned int slot)
{
	struct pmsm_link *inner = fault_link(link)->inner;

	return inner->ops->tx_idle(inner, slot);
}

static int fault_send(struct pmsm_link *link, unsigned int slot,
		      unsigned int len)
{
	struct pmsm_link *inner = fault_link(link)->inner;

	return inner->ops->send(inner, slot, len);
}

static void fault_kick(struct pmsm_link *link)
{
	struct pmsm_link *inner = fault_link(link)->inner;

	inner->ops->kick(inner);
}

static const struct pmsm_link_ops fault_ops = {
	.open		= fault_open,
	.close		= fault_close,
	.restart	= fault_restart,
	.stop		= fault_stop,
	.carrier	= fault_carrier,
	.tx_buf		= fault_tx_buf,
	.tx_idle	= fault_tx_idle,
	.send		= fault_send,
	.kick		= fault_kick,
	.recv		= fault_recv,
	.recv_done	= fault_recv_done,
};

/**
 * pmsm_fault_wrap - make a link bad if the parameters say so
 * @inner: The link.
 *
 * Return: @inner, or a link that stands for it.
 */
struct pmsm_link *pmsm_fault_wrap(struct pmsm_link *inner)
{
	struct fault_link *fl;

	if (!fault_loss && !fault_dup && !fault_reorder && !fault_flip)
		return inner;
	fl = kzalloc(sizeof(*fl), GFP_KERNEL);
	if (!fl)
		return inner;
	fl->inner = inner;
	fl->link.name = inner->name;
	fl->link.ops = &fault_ops;
	return &fl->link;
}

/**
 * pmsm_fault_unwrap - undo pmsm_fault_wrap()
 * @link: What it returned.
 *
 * Return: the link it was given.
 */
struct pmsm_link *pmsm_fault_unwrap(struct pmsm_link *link)
{
	struct pmsm_link *inner;

	if (link->ops != &fault_ops)
		return link;
	inner = fault_link(link)->inner;
	kfree(fault_link(link));
	return inner;
}
