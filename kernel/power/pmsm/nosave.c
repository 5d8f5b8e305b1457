// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the image leaves out.
 *
 * While the machine's memory is being sent, the sending itself changes some of
 * it: rings, frame buffers, sequence numbers.  All of that lives here.  What
 * it holds after a restore is garbage; only its address and size, which do not
 * change, are part of the image.
 */

#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pmsm.h>
#include <linux/slab.h>

#include "../power.h"
#include "pmsm.h"

/**
 * struct pmsm_nosave - one piece of such memory
 * @list: Entry in the list of all.
 * @mem: Its first byte, page-aligned.
 * @size: Its bytes.
 */
struct pmsm_nosave {
	struct list_head list;
	void *mem;
	size_t size;
};

static LIST_HEAD(pmsm_nosave_list);
static DEFINE_MUTEX(pmsm_nosave_mutex);

/**
 * pmsm_nosave_alloc - allocate memory that the image leaves out
 * @size: Bytes, rounded up to whole pages.
 *
 * The memory is physically contiguous and zeroed.  May sleep.
 *
 * Return: its first byte, or NULL.
 */
void *pmsm_nosave_alloc(size_t size)
{
	struct pmsm_nosave *piece;

	piece = kmalloc(sizeof(*piece), GFP_KERNEL);
	if (!piece)
		return NULL;

	piece->size = PAGE_ALIGN(size);
	piece->mem = alloc_pages_exact(piece->size, GFP_KERNEL | __GFP_ZERO |
				       __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (!piece->mem) {
		kfree(piece);
		return NULL;
	}

	mutex_lock(&pmsm_nosave_mutex);
	list_add(&piece->list, &pmsm_nosave_list);
	mutex_unlock(&pmsm_nosave_mutex);
	return piece->mem;
}
EXPORT_SYMBOL_GPL(pmsm_nosave_alloc);

/**
 * pmsm_nosave_free - free memory from pmsm_nosave_alloc()
 * @mem: Its first byte, or NULL.
 *
 * May sleep.  Works after a restore as well.
 */
void pmsm_nosave_free(void *mem)
{
	struct pmsm_nosave *piece;

	if (!mem)
		return;

	mutex_lock(&pmsm_nosave_mutex);
	list_for_each_entry(piece, &pmsm_nosave_list, list)
		if (piece->mem == mem)
			break;
	if (WARN_ON(list_entry_is_head(piece, &pmsm_nosave_list, list))) {
		mutex_unlock(&pmsm_nosave_mutex);
		return;
	}
	list_del(&piece->list);
	mutex_unlock(&pmsm_nosave_mutex);

	free_pages_exact(piece->mem, piece->size);
	kfree(piece);
}
EXPORT_SYMBOL_GPL(pmsm_nosave_free);

/**
 * pmsm_nosave_pages - how much memory that is
 *
 * May sleep.
 *
 * Return: pages.
 */
unsigned long pmsm_nosave_pages(void)
{
	struct pmsm_nosave *piece;
	unsigned long nr = 0;

	mutex_lock(&pmsm_nosave_mutex);
	list_for_each_entry(piece, &pmsm_nosave_list, list)
		nr += piece->size >> PAGE_SHIFT;
	mutex_unlock(&pmsm_nosave_mutex);
	return nr;
}

/**
 * pmsm_nosave_forbid - keep all such memory out of the image
 *
 * Call once the basic memory bitmaps exist and nothing more is allocated.
 */
void pmsm_nosave_forbid(void)
{
	struct pmsm_nosave *piece;
	size_t offset;

	mutex_lock(&pmsm_nosave_mutex);
	list_for_each_entry(piece, &pmsm_nosave_list, list)
		for (offset = 0; offset < piece->size; offset += PAGE_SIZE)
			swsusp_set_page_forbidden(virt_to_page(piece->mem + offset));
	mutex_unlock(&pmsm_nosave_mutex);
}
