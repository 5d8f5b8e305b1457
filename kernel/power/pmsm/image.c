// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which page frames are the image, and walking them as runs.
 */

#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/slab.h>

#include "../power.h"
#include "image.h"

/**
 * pmsm_image_alloc - get memory for the map of the image
 * @image: The image.
 *
 * One bit for each page frame: 32 KiB for each GiB.  May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int pmsm_image_alloc(struct pmsm_image *image)
{
	image->max_pfn = max_pfn;
	image->nr_pages = 0;
	image->map = kvcalloc(BITS_TO_LONGS(image->max_pfn), sizeof(long),
			      GFP_KERNEL);
	return image->map ? 0 : -ENOMEM;
}

/**
 * pmsm_image_free - free the map
 * @image: The image.
 */
void pmsm_image_free(struct pmsm_image *image)
{
	kvfree(image->map);
	image->map = NULL;
}

/**
 * pmsm_image_extra_pages - memory that the map takes
 * @image: The image.
 *
 * Return: pages.
 */
unsigned long pmsm_image_extra_pages(const struct pmsm_image *image)
{
	return DIV_ROUND_UP(BITS_TO_LONGS(image->max_pfn) * sizeof(long),
			    PAGE_SIZE);
}

static void set_zone(struct pmsm_image *image, const struct zone *zone)
{
	unsigned long end = min(zone_end_pfn(zone), image->max_pfn);

	if (zone->zone_start_pfn < end)
		bitmap_set(image->map, zone->zone_start_pfn,
			   end - zone->zone_start_pfn);
}

/* As mark_free_pages() in kernel/power/snapshot.c finds them */
static void clear_free(struct pmsm_image *image, struct zone *zone)
{
	unsigned int order, type;
	unsigned long flags;
	struct page *page;

	spin_lock_irqsave(&zone->lock, flags);
	for_each_migratetype_order(order, type)
		list_for_each_entry(page, &zone->free_area[order].free_list[type],
				    buddy_list)
			bitmap_clear(image->map, page_to_pfn(page), 1UL << order);
	spin_unlock_irqrestore(&zone->lock, flags);
}

static bool saveable(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && swsusp_pfn_saveable(page_zone(page), pfn);
}

/**
 * pmsm_image_scan - find the page frames of the image
 * @image: The image.
 *
 * Call with interrupts off and devices stopped, when nobody allocates any
 * more.  @image->map is part of the image itself, so it is written here, before
 * anything is sent, and not again.
 *
 * Free memory is taken out in blocks first: what costs time is to look at
 * single pages.
 */
void pmsm_image_scan(struct pmsm_image *image)
{
	struct zone *zone;
	unsigned long pfn;

	drain_local_pages(NULL);
	bitmap_zero(image->map, image->max_pfn);
	for_each_populated_zone(zone)
		set_zone(image, zone);
	for_each_populated_zone(zone)
		clear_free(image, zone);

	image->nr_pages = 0;
	for_each_set_bit(pfn, image->map, image->max_pfn) {
		if (saveable(pfn))
			image->nr_pages++;
		else
			__clear_bit(pfn, image->map);
	}
}

/**
 * pmsm_image_run - find consecutive page frames of the image
 * @image: The image.
 * @from: Page frame number to start looking at.
 *
 * Return: the first run at or after @from, or one of no frames at the end.
 */
struct pmsm_run pmsm_image_run(const struct pmsm_image *image,
			       unsigned long from)
{
	struct pmsm_run run;

	run.pfn = find_next_bit(image->map, image->max_pfn, from);
	run.nr = find_next_zero_bit(image->map, image->max_pfn, run.pfn) -
		 run.pfn;
	return run;
}
