// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the target puts the image until it takes its place.
 *
 * The store takes all free memory.  An image frame that is part of it gets its
 * contents at once; one that the target itself uses, a conflict, gets a spare
 * frame, which the last step of the restore copies over
 * (arch/x86/power/hibernate_asm_64.S).  The idea is that of
 * kernel/power/snapshot.c, but frames are taken before the image is known, in
 * large blocks, and told apart by bitmaps.
 */

#include <linux/bitmap.h>
#include <linux/bsearch.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/swap.h>

#include "store.h"

#define GFP_STORE	(GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM)

/**
 * pmsm_store_init - start with an empty store
 * @store: The store.
 * @max_pfn: No image frame is this or above.
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int pmsm_store_init(struct pmsm_store *store, unsigned long max_pfn)
{
	size_t size = BITS_TO_LONGS(max_pfn) * sizeof(long);

	memset(store, 0, sizeof(*store));
	INIT_LIST_HEAD(&store->blocks);
	store->max_pfn = max_pfn;
	store->own = kvzalloc(size, GFP_KERNEL);
	store->image = kvzalloc(size, GFP_KERNEL);
	store->present = kvzalloc(size, GFP_KERNEL);
	if (!store->own || !store->image || !store->present) {
		pmsm_store_free(store);
		return -ENOMEM;
	}
	return 0;
}

/**
 * pmsm_store_release - give all frames back
 * @store: The store, of no more use after this.
 *
 * Any context.
 */
void pmsm_store_release(struct pmsm_store *store)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &store->blocks, lru) {
		list_del(&page->lru);
		__free_pages(page, page_private(page));
	}
}

/**
 * pmsm_store_free - end a store
 * @store: The store.
 *
 * May sleep.
 */
void pmsm_store_free(struct pmsm_store *store)
{
	pmsm_store_release(store);
	kvfree(store->own);
	kvfree(store->image);
	kvfree(store->present);
	kvfree(store->conflicts);
	memset(store, 0, sizeof(*store));
	INIT_LIST_HEAD(&store->blocks);
}

static void take_block(struct pmsm_store *store, struct page *page, int order)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned long end = min(pfn + (1UL << order), store->max_pfn);

	set_page_private(page, order);
	list_add(&page->lru, &store->blocks);
	if (pfn >= end)
		return;
	bitmap_set(store->own, pfn, end - pfn);
	store->nr_own += end - pfn;
}

/* Largest blocks first: a few hundred allocations take a GiB */
static void grab(struct pmsm_store *store, gfp_t gfp, unsigned long reserve,
		 bool may_sleep)
{
	struct page *page;
	int order;

	for (order = MAX_PAGE_ORDER; order >= 0; order--) {
		while (nr_free_pages() > reserve + (1UL << order)) {
			page = alloc_pages(gfp | __GFP_NOWARN, order);
			if (!page)
				break;
			take_block(store, page, order);
			if (may_sleep)
				cond_resched();
		}
	}
}

/**
 * pmsm_store_grab - take free memory while the machine still runs
 * @store: The store.
 * @reserve: Pages to leave.
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int pmsm_store_grab(struct pmsm_store *store, unsigned long reserve)
{
	grab(store, GFP_STORE, reserve, true);

	/* At worst, all that is not ours is needed by the image */
	store->max_conflicts = get_num_physpages() -
			       min(store->nr_own, get_num_physpages()) + 1024;
	store->conflicts = kvcalloc(store->max_conflicts,
				    sizeof(*store->conflicts), GFP_KERNEL);
	return store->conflicts ? 0 : -ENOMEM;
}

/**
 * pmsm_store_grab_rest - take what is left
 * @store: The store.
 *
 * Call with interrupts off and devices stopped, when nobody else allocates.
 */
void pmsm_store_grab_rest(struct pmsm_store *store)
{
	drain_local_pages(NULL);
	grab(store, (GFP_STORE & ~__GFP_HARDWALL) | __GFP_MEMALLOC, 0, false);
}

static int count_ram(unsigned long pfn, unsigned long nr, void *arg)
{
	*(unsigned long *)arg += nr;
	return 0;
}

static bool is_ram(unsigned long pfn, unsigned long nr)
{
	unsigned long found = 0;

	walk_system_ram_range(pfn, nr, &found, count_ram);
	return found == nr;
}

/**
 * pmsm_store_expect - say that page frames are part of the image
 * @store: The store.
 * @pfn: The first.
 * @nr: How many.
 *
 * Return: 0, or -EFAULT if they are not memory of this machine.
 */
int pmsm_store_expect(struct pmsm_store *store, unsigned long pfn,
		      unsigned long nr)
{
	unsigned long fresh;

	if (!nr || pfn >= store->max_pfn || nr > store->max_pfn - pfn ||
	    !is_ram(pfn, nr))
		return -EFAULT;

	fresh = nr;
	if (find_next_bit(store->image, pfn + nr, pfn) < pfn + nr) {
		/* Some were named before */
		for (fresh = 0; nr; nr--, pfn++)
			fresh += !__test_and_set_bit(pfn, store->image);
	} else {
		bitmap_set(store->image, pfn, nr);
	}
	store->nr_image += fresh;
	return 0;
}

/**
 * pmsm_store_plan - find out what cannot go straight into its frame
 * @store: The store; all of the image's frames have been named.
 *
 * Return: 0, -ENOSPC if the target itself uses more of the image's frames than
 * the store had foreseen.
 */
int pmsm_store_plan(struct pmsm_store *store)
{
	unsigned long pfn;

	store->nr_conflicts = 0;
	for_each_andnot_bit(pfn, store->image, store->own, store->max_pfn) {
		if (store->nr_conflicts == store->max_conflicts)
			return -ENOSPC;
		store->conflicts[store->nr_conflicts].pfn = pfn;
		store->conflicts[store->nr_conflicts].page = NULL;
		store->nr_conflicts++;
	}

	store->zero = pmsm_store_spare(store);
	if (!store->zero)
		return -ENOSPC;
	clear_page(store->zero);
	return 0;
}

/**
 * pmsm_store_spare - take a frame that the image does not use
 * @store: The store.
 *
 * Return: the page, with anything in it, or NULL when there are no more.
 */
void *pmsm_store_spare(struct pmsm_store *store)
{
	unsigned long pfn;

	pfn = find_next_andnot_bit(store->own, store->image, store->max_pfn,
				   store->next_spare);
	store->next_spare = pfn + 1;
	return pfn < store->max_pfn ? page_address(pfn_to_page(pfn)) : NULL;
}

static int cmp_conflict(const void *key, const void *element)
{
	unsigned long pfn = *(const unsigned long *)key;
	const struct pmsm_conflict *conflict = element;

	if (pfn == conflict->pfn)
		return 0;
	return pfn < conflict->pfn ? -1 : 1;
}

static struct pmsm_conflict *find_conflict(struct pmsm_store *store,
					   unsigned long pfn)
{
	return __inline_bsearch(&pfn, store->conflicts, store->nr_conflicts,
				sizeof(*store->conflicts), cmp_conflict);
}

/* Where the contents of an image frame go; an ERR_PTR if nowhere */
static void *place_of(struct pmsm_store *store, unsigned long pfn)
{
	struct pmsm_conflict *conflict;

	if (pfn >= store->max_pfn || !test_bit(pfn, store->image))
		return ERR_PTR(-EFAULT);
	if (test_bit(pfn, store->own))
		return page_address(pfn_to_page(pfn));

	conflict = find_conflict(store, pfn);
	if (!conflict)
		return ERR_PTR(-EFAULT);
	if (!conflict->page || conflict->page == store->zero)
		conflict->page = pmsm_store_spare(store);
	return conflict->page ?: ERR_PTR(-ENOSPC);
}

static void mark_present(struct pmsm_store *store, unsigned long pfn)
{
	if (!__test_and_set_bit(pfn, store->present))
		store->nr_present++;
}

/**
 * pmsm_store_write - take contents of image frames
 * @store: The store.
 * @addr: Physical address of the first byte.
 * @bytes: The contents.
 * @len: How many bytes; a page may come in pieces, first one first.
 *
 * Return: 0, -EFAULT for an address outside the image or in the middle of a
 * page that did not begin, -ENOSPC when there is no frame left.
 */
int pmsm_store_write(struct pmsm_store *store, u64 addr, const void *bytes,
		     unsigned int len)
{
	unsigned int offset, part;
	unsigned long pfn;
	void *page;

	while (len) {
		offset = offset_in_page(addr);
		if (store->cursor ? addr != store->cursor : offset)
			return -EFAULT;

		pfn = PHYS_PFN(addr);
		page = place_of(store, pfn);
		if (IS_ERR(page))
			return PTR_ERR(page);

		part = min_t(unsigned int, len, PAGE_SIZE - offset);
		memcpy(page + offset, bytes, part);
		addr += part;
		bytes += part;
		len -= part;

		store->cursor = offset_in_page(addr) ? addr : 0;
		if (!store->cursor)
			mark_present(store, pfn);
	}
	return 0;
}

static int zero_one(struct pmsm_store *store, unsigned long pfn)
{
	struct pmsm_conflict *conflict;

	if (!test_bit(pfn, store->image))
		return -EFAULT;
	if (test_bit(pfn, store->own)) {
		/* clear_page() may be a string instruction, slow in emulators */
		memset(page_address(pfn_to_page(pfn)), 0, PAGE_SIZE);
	} else {
		conflict = find_conflict(store, pfn);
		if (!conflict)
			return -EFAULT;
		conflict->page = store->zero;
	}
	mark_present(store, pfn);
	return 0;
}

/**
 * pmsm_store_zero - image frames hold zeroes
 * @store: The store.
 * @pfn: The first.
 * @nr: How many.
 *
 * Return: 0, or -EFAULT if one is not in the image.
 */
int pmsm_store_zero(struct pmsm_store *store, unsigned long pfn,
		    unsigned long nr)
{
	int error = 0;

	if (store->cursor || pfn >= store->max_pfn || nr > store->max_pfn - pfn)
		return -EFAULT;
	for (; nr && !error; nr--, pfn++)
		error = zero_one(store, pfn);
	return error;
}

/* struct pbe as kernel/power/snapshot.c lays it out, in pages of its own */
#define PBES_PER_PAGE	(PAGE_SIZE / sizeof(struct pbe))

static int build_list(struct pmsm_store *store, struct pbe **list)
{
	struct pbe *pbes = NULL;
	unsigned long i;

	*list = NULL;
	for (i = 0; i < store->nr_conflicts; i++) {
		struct pmsm_conflict *conflict = &store->conflicts[i];
		struct pbe *pbe;

		if (i % PBES_PER_PAGE == 0)
			pbes = pmsm_store_spare(store);
		if (!pbes)
			return -ENOSPC;
		pbe = &pbes[i % PBES_PER_PAGE];
		pbe->address = conflict->page;
		pbe->orig_address = page_address(pfn_to_page(conflict->pfn));
		pbe->next = *list;
		*list = pbe;
	}
	return 0;
}

/**
 * pmsm_store_finish - prepare the last step of the restore
 * @store: The store, complete.
 * @nr_safe: Pages outside the image that the step needs for itself.
 * @safe: Where to put a list of them, linked by their first words.
 * @list: Where to put what is to be copied.
 *
 * Return: 0 or -ENOSPC.
 */
int pmsm_store_finish(struct pmsm_store *store, unsigned long nr_safe,
		      void **safe, struct pbe **list)
{
	void **page;

	*safe = NULL;
	while (nr_safe--) {
		page = pmsm_store_spare(store);
		if (!page)
			return -ENOSPC;
		*page = *safe;
		*safe = page;
	}
	return build_list(store, list);
}
