// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much there is to move, how much fits, and making room.
 *
 * Memory in use here must be free on the target, so caches are in the way on
 * both sides.  As swsusp does, give them up, but only as much as needed, and
 * while everything still runs.
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "pmsm.h"
#include "room.h"

/**
 * pmsm_room_used - how much memory is in use
 *
 * May sleep.
 *
 * Return: pages, about as many as the image would have now.
 */
unsigned long pmsm_room_used(void)
{
	unsigned long others = pmsm_nosave_pages();

	drain_all_pages(NULL);
	others += nr_free_pages();
	return get_num_physpages() - min(others, get_num_physpages());
}

/**
 * pmsm_room_make - give up caches until no more than so much is in use
 * @used: Pages.
 *
 * May sleep, for as long as writing back or swapping out takes.
 */
void pmsm_room_make(unsigned long used)
{
	unsigned long now = pmsm_room_used();

	if (now > used)
		shrink_all_memory(now - used);
}
