// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target's answers, as the source takes them: each in its turn only.
 */

#include <linux/errno.h>
#include <linux/string.h>

#include "clock.h"
#include "source.h"

static int take_accept(struct pmsm_source *source, const void *payload,
		       unsigned int len)
{
	if (source->accepted || len < sizeof(source->target))
		return -EPROTO;
	memcpy(&source->target, payload, sizeof(source->target));
	source->accepted = true;
	return 0;
}

static int take_verified(struct pmsm_source *source)
{
	if (!source->ended || source->verified)
		return -EPROTO;
	source->verified = true;
	source->verified_at = pmsm_clock();
	return 0;
}

/* In the second half of the conversation, which @renewable allows */
static int take_in_turn(bool may, bool *now)
{
	if (!may || *now)
		return -EPROTO;
	*now = true;
	return 0;
}

/**
 * pmsm_source_deliver - take one answer of the target
 * @ctx: The struct pmsm_source.
 * @type: What it is.
 * @payload: Its payload.
 * @len: Length of that.
 * @crc: Not used.
 *
 * Return: 0, or -EPROTO for an answer out of turn.
 */
int pmsm_source_deliver(void *ctx, unsigned int type, const void *payload,
			unsigned int len, u32 crc)
{
	struct pmsm_source *source = ctx;
	bool second = source->session.renewed;

	switch (type) {
	case PMSM_ACCEPT:
		return take_accept(source, payload, len);
	case PMSM_VERIFIED:
		return take_verified(source);
	case PMSM_RESUMED:
		return take_in_turn(second, &source->resumed);
	case PMSM_READY:
		return take_in_turn(source->resumed, &source->ready);
	case PMSM_COMMITTED:
		return take_in_turn(source->decided, &source->committed);
	default:
		return -EPROTO;
	}
}
