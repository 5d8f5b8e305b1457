// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source finds a target that takes it, while everything still runs.
 */

#include <linux/err.h>
#include <linux/if_ether.h>
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "ask.h"
#include "fault.h"
#include "preflight.h"
#include "room.h"
#include "source.h"

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
	int error = pmsm_fault(PMSM_STEP_HELLO);

	if (error)
		return error;

	/* From here on the target is the one that all was compared with */
	error = pmsm_preflight_check(s->link, s->timeout, s->peer,
				     &source->reasons);
	if (error)
		return error;
	/* Warnings, if anything */
	pmsm_reasons_print(&source->reasons, "");

	error = pmsm_ask_hello(s, 0, &source->reasons);
	if (!error)
		error = pmsm_ask_wait(s, &source->accepted);
	if (error)
		return error;

	s->frame_size = min_t(unsigned int, s->frame_size,
			      be16_to_cpu(source->target.frame_size));
	return s->frame_size < ETH_FRAME_LEN ? -EPROTO : fit(source);
}
