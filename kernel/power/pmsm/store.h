/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the target puts the image until it takes its place.
 */
#ifndef _PMSM_STORE_H
#define _PMSM_STORE_H

#include <linux/list.h>
#include <linux/types.h>

struct pbe;

/**
 * struct pmsm_conflict - an image frame that the target itself uses
 * @pfn: Its number.
 * @page: Where its contents wait, or NULL.
 */
struct pmsm_conflict {
	unsigned long pfn;
	void *page;
};

/**
 * struct pmsm_store - the target's memory, seen as a place for an image
 * @max_pfn: Bits in the maps.
 * @own: Frames that the store holds.
 * @image: Frames of the image.
 * @present: Frames of the image whose contents are here.
 * @nr_own: Bits set in @own.
 * @nr_image: Bits set in @image.
 * @nr_present: Bits set in @present.
 * @blocks: Free memory that was taken, page by page->lru, order in
 *	page->private.
 * @conflicts: Image frames outside @own, in ascending order.
 * @nr_conflicts: Entries in use.
 * @max_conflicts: Entries there are.
 * @next_spare: Where to look for the next frame in @own and not in @image.
 * @zero: A page of zeroes for all conflicts that need one.
 * @cursor: Physical address at which the page that is half here goes on, or 0.
 */
struct pmsm_store {
	unsigned long max_pfn;
	unsigned long *own;
	unsigned long *image;
	unsigned long *present;
	unsigned long nr_own;
	unsigned long nr_image;
	unsigned long nr_present;
	struct list_head blocks;
	struct pmsm_conflict *conflicts;
	unsigned long nr_conflicts;
	unsigned long max_conflicts;
	unsigned long next_spare;
	void *zero;
	u64 cursor;
};

int pmsm_store_init(struct pmsm_store *store, unsigned long max_pfn);
void pmsm_store_release(struct pmsm_store *store);
void pmsm_store_free(struct pmsm_store *store);
int pmsm_store_grab(struct pmsm_store *store, unsigned long reserve);
void pmsm_store_grab_rest(struct pmsm_store *store);
int pmsm_store_expect(struct pmsm_store *store, unsigned long pfn,
		      unsigned long nr);
int pmsm_store_plan(struct pmsm_store *store);
int pmsm_store_write(struct pmsm_store *store, u64 addr, const void *bytes,
		     unsigned int len);
int pmsm_store_zero(struct pmsm_store *store, unsigned long pfn,
		    unsigned long nr);
void *pmsm_store_spare(struct pmsm_store *store);
int pmsm_store_finish(struct pmsm_store *store, unsigned long nr_safe,
		      void **safe, struct pbe **list);

/**
 * pmsm_store_complete - whether everything is here
 * @store: The store.
 *
 * Return: true if all pages that were named have come.
 */
static inline bool pmsm_store_complete(const struct pmsm_store *store)
{
	return store->nr_present == store->nr_image && !store->cursor;
}

#endif /* _PMSM_STORE_H */
