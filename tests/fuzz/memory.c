// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine's memory: few frames, of which some are free, some are not memory
 * at all, and the others belong to somebody who would mind.
 *
 * Only frames that were allocated can be touched: AddressSanitizer watches the
 * others.
 */

#include <sanitizer/asan_interface.h>

#include "fuzz.h"

/* Nobody has more than a few pieces at a time */
#define PIECES		16

/* What is at a frame's address */
enum kind {
	KIND_RAM,
	KIND_OTHER,
	KIND_NOTHING,
};

static u8 memory[FRAMES * PAGE_SIZE] __aligned(4096);
static struct page pages[FRAMES];
static u8 kinds[FRAMES];
/* Frames that are, or were, free: a bit for each */
static u64 free_at_first, free_now;
static void *pieces[PIECES];
static unsigned int until_failure;

unsigned long max_pfn;

static void *frame(unsigned long pfn)
{
	return memory + pfn * PAGE_SIZE;
}

/* Bits of so many frames */
static u64 bits_of(unsigned long pfn, unsigned long nr)
{
	return ((1ULL << nr) - 1) << pfn;
}

static void set_kinds(u8 kind)
{
	memset(kinds, KIND_RAM, sizeof(kinds));
	max_pfn = FRAMES;
	if (kind & 1)
		memset(kinds + 10, KIND_OTHER, 2);
	if (kind & 2)
		memset(kinds + 20, KIND_NOTHING, 3);
	if (kind & 4)
		max_pfn = FRAMES - 3;
}

/**
 * memory_reset - start with another machine
 * @kind: Where it has no memory.
 * @low: Which frames of its first half are free: a mask that repeats.
 * @high: The same of the other.
 * @failing: How many allocations until one fails, 0 for none.
 */
void memory_reset(u8 kind, u8 low, u8 high, unsigned int failing)
{
	unsigned long pfn;

	ASAN_POISON_MEMORY_REGION(memory, sizeof(memory));
	set_kinds(kind);
	free_now = 0;
	for (pfn = 0; pfn < FRAMES; pfn++)
		if (memory_is_ram(pfn) &&
		    (pfn < FRAMES / 2 ? low : high) >> pfn % 8 & 1)
			free_now |= bits_of(pfn, 1);
	free_at_first = free_now;
	until_failure = failing;
}

/**
 * memory_done - end a run
 * @all_is_back: Nobody may have anything any more.
 */
void memory_done(bool all_is_back)
{
	int i;

	for (i = 0; i < PIECES; i++) {
		must(!all_is_back || !pieces[i]);
		free(pieces[i]);
		pieces[i] = NULL;
	}
	must(!all_is_back || free_now == free_at_first);
}

/**
 * memory_is_ram - whether there is memory
 * @pfn: Any number.
 *
 * Return: true if there is.
 */
bool memory_is_ram(unsigned long pfn)
{
	return pfn < max_pfn && kinds[pfn] == KIND_RAM;
}

/**
 * memory_is_taken - whether somebody has allocated a frame
 * @pfn: Any number.
 *
 * Return: true if so.
 */
bool memory_is_taken(unsigned long pfn)
{
	return pfn < FRAMES && free_at_first & ~free_now & bits_of(pfn, 1);
}

struct page *pfn_to_page(unsigned long pfn)
{
	must(pfn < FRAMES);
	return &pages[pfn];
}

unsigned long page_to_pfn(const struct page *page)
{
	return page - pages;
}

void *page_address(const struct page *page)
{
	return frame(page_to_pfn(page));
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	unsigned long nr = 1UL << order, pfn;

	for (pfn = 0; pfn < FRAMES; pfn += nr) {
		if (~free_now & bits_of(pfn, nr))
			continue;
		free_now &= ~bits_of(pfn, nr);
		ASAN_UNPOISON_MEMORY_REGION(frame(pfn), nr * PAGE_SIZE);
		memset(frame(pfn), 0xcc, nr * PAGE_SIZE);
		return &pages[pfn];
	}
	return NULL;
}

void __free_pages(struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page), nr = 1UL << order;

	for (; nr; nr--, pfn++) {
		must(memory_is_taken(pfn));
		free_now |= bits_of(pfn, 1);
		ASAN_POISON_MEMORY_REGION(frame(pfn), PAGE_SIZE);
	}
}

unsigned long nr_free_pages(void)
{
	return FRAMES_PRETENDED + __builtin_popcountll(free_now);
}

long si_mem_available(void)
{
	return nr_free_pages() + 3;
}

unsigned long get_num_physpages(void)
{
	return FRAMES;
}

void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	int i;

	if (until_failure && !--until_failure)
		return NULL;
	for (i = 0; i < PIECES; i++) {
		if (pieces[i])
			continue;
		pieces[i] = calloc(n, size);
		return pieces[i];
	}
	must(i < PIECES);
	return NULL;
}

void kvfree(void *mem)
{
	int i;

	if (!mem)
		return;
	for (i = 0; i < PIECES; i++) {
		if (pieces[i] != mem)
			continue;
		free(mem);
		pieces[i] = NULL;
		return;
	}
	must(i < PIECES);
}

int walk_system_ram_range(unsigned long pfn, unsigned long nr, void *arg,
			  int (*func)(unsigned long pfn, unsigned long nr,
				      void *arg))
{
	unsigned long start, end = min(max_pfn, pfn + nr);
	int error = -EINVAL;

	while (pfn < end) {
		for (; pfn < end && !memory_is_ram(pfn); pfn++)
			;
		for (start = pfn; pfn < end && memory_is_ram(pfn); pfn++)
			;
		if (start == pfn)
			break;
		error = func(start, pfn - start, arg);
		if (error)
			break;
	}
	return error;
}
