// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the store and of page runs.
 */

#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/suspend.h>

#include "image.h"
#include "store.h"

#define ORDER	6
#define FRAMES	BIT(ORDER)

/**
 * struct fixture - a store over a few real frames
 * @store: The store.
 * @page: The frames.
 * @first: The first one's number.
 */
struct fixture {
	struct pmsm_store store;
	struct page *page;
	unsigned long first;
};

/* The store holds the first half of the frames; the target "uses" the others */
static int store_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct pmsm_store *store;

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->page = alloc_pages(GFP_KERNEL, ORDER);
	KUNIT_ASSERT_NOT_NULL(test, f->page);
	f->first = page_to_pfn(f->page);

	store = &f->store;
	KUNIT_ASSERT_EQ(test, pmsm_store_init(store, max_pfn), 0);
	bitmap_set(store->own, f->first, FRAMES / 2);
	store->nr_own = FRAMES / 2;
	store->max_conflicts = FRAMES;
	store->conflicts = kvcalloc(FRAMES, sizeof(*store->conflicts), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, store->conflicts);
	test->priv = f;
	return 0;
}

static void store_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	pmsm_store_free(&f->store);
	__free_pages(f->page, ORDER);
}

static void *frame(struct fixture *f, unsigned long i)
{
	return page_address(f->page + i);
}

static u64 addr_of(struct fixture *f, unsigned long i)
{
	return PFN_PHYS(f->first + i);
}

static void *new_page(struct kunit *test, u8 byte)
{
	void *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page, byte, PAGE_SIZE);
	return page;
}

static bool filled(const void *page, u8 byte)
{
	return !memchr_inv(page, byte, PAGE_SIZE);
}

static void store_in_place(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct pmsm_store *store = &f->store;
	void *page = new_page(test, 0xa5);

	KUNIT_ASSERT_EQ(test, pmsm_store_expect(store, f->first, 4), 0);
	KUNIT_EXPECT_EQ(test, store->nr_image, 4);
	KUNIT_ASSERT_EQ(test, pmsm_store_plan(store), 0);
	KUNIT_EXPECT_EQ(test, store->nr_conflicts, 0);

	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr_of(f, 1), page,
					       PAGE_SIZE), 0);
	KUNIT_EXPECT_TRUE(test, filled(frame(f, 1), 0xa5));
	KUNIT_EXPECT_EQ(test, store->nr_present, 1);
	KUNIT_EXPECT_FALSE(test, pmsm_store_complete(store));

	/* The same again changes nothing */
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr_of(f, 1), page,
					       PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, store->nr_present, 1);
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr_of(f, 0), page,
					       PAGE_SIZE), 0);
	memset(frame(f, 2), 0xff, 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, pmsm_store_zero(store, f->first + 2, 2), 0);
	KUNIT_EXPECT_TRUE(test, filled(frame(f, 3), 0));
	KUNIT_EXPECT_TRUE(test, pmsm_store_complete(store));
}

static void store_conflict(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct pmsm_store *store = &f->store;
	unsigned long used = FRAMES / 2;
	void *page = new_page(test, 0x5a), *safe = NULL;
	struct pbe *list = NULL;

	memset(frame(f, used), 0x11, 2 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, pmsm_store_expect(store, f->first + used, 2), 0);
	KUNIT_ASSERT_EQ(test, pmsm_store_plan(store), 0);
	KUNIT_EXPECT_EQ(test, store->nr_conflicts, 2);
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr_of(f, used), page,
					       PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, pmsm_store_zero(store, f->first + used + 1, 1), 0);

	/* What the target uses is not touched before the last step */
	KUNIT_EXPECT_TRUE(test, filled(frame(f, used), 0x11));
	KUNIT_EXPECT_TRUE(test, filled(frame(f, used + 1), 0x11));
	KUNIT_EXPECT_TRUE(test, pmsm_store_complete(store));

	KUNIT_ASSERT_EQ(test, pmsm_store_finish(store, 3, &safe, &list), 0);
	KUNIT_ASSERT_NOT_NULL(test, list);
	KUNIT_EXPECT_PTR_EQ(test, list->orig_address, frame(f, used + 1));
	KUNIT_EXPECT_TRUE(test, filled(list->address, 0));
	KUNIT_ASSERT_NOT_NULL(test, list->next);
	KUNIT_EXPECT_PTR_EQ(test, list->next->orig_address, frame(f, used));
	KUNIT_EXPECT_TRUE(test, filled(list->next->address, 0x5a));
	KUNIT_EXPECT_NULL(test, list->next->next);
}

/* A conflict that was zero may get contents later, and the other way round */
static void store_zero_then_data(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct pmsm_store *store = &f->store;
	unsigned long used = FRAMES / 2;
	void *page = new_page(test, 0x77), *zero;

	KUNIT_ASSERT_EQ(test, pmsm_store_expect(store, f->first + used, 1), 0);
	KUNIT_ASSERT_EQ(test, pmsm_store_plan(store), 0);
	zero = store->zero;
	KUNIT_EXPECT_EQ(test, pmsm_store_zero(store, f->first + used, 1), 0);
	KUNIT_EXPECT_PTR_EQ(test, store->conflicts[0].page, zero);
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr_of(f, used), page,
					       PAGE_SIZE), 0);
	KUNIT_EXPECT_TRUE(test, filled(store->conflicts[0].page, 0x77));
	KUNIT_EXPECT_TRUE(test, filled(zero, 0));
}

static void store_pieces(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct pmsm_store *store = &f->store;
	u8 *page = new_page(test, 0x3c);
	u64 addr = addr_of(f, 0);

	KUNIT_ASSERT_EQ(test, pmsm_store_expect(store, f->first, 2), 0);
	KUNIT_ASSERT_EQ(test, pmsm_store_plan(store), 0);
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr, page, 1000), 0);
	KUNIT_EXPECT_EQ(test, store->nr_present, 0);
	/* Not where it stopped */
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr + 1001, page, 10),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, pmsm_store_zero(store, f->first + 1, 1), -EFAULT);
	/* Across the end of the page */
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr + 1000, page,
					       PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, store->nr_present, 1);
	KUNIT_EXPECT_FALSE(test, pmsm_store_complete(store));
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr + 1000 + PAGE_SIZE,
					       page, PAGE_SIZE - 1000), 0);
	KUNIT_EXPECT_TRUE(test, pmsm_store_complete(store));
	KUNIT_EXPECT_TRUE(test, filled(frame(f, 1), 0x3c));
}

static void store_outside(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct pmsm_store *store = &f->store;
	void *page = new_page(test, 0xee);

	KUNIT_EXPECT_EQ(test, pmsm_store_expect(store, max_pfn, 1), -EFAULT);
	KUNIT_EXPECT_EQ(test, pmsm_store_expect(store, f->first, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, pmsm_store_expect(store, f->first, ~0UL), -EFAULT);
	KUNIT_EXPECT_EQ(test, pmsm_store_expect(store, ~0UL, 2), -EFAULT);
	/* The video memory hole of a PC is not RAM */
	KUNIT_EXPECT_EQ(test, pmsm_store_expect(store, 0xa0, 1), -EFAULT);
	KUNIT_EXPECT_EQ(test, store->nr_image, 0);

	KUNIT_ASSERT_EQ(test, pmsm_store_expect(store, f->first, 1), 0);
	KUNIT_ASSERT_EQ(test, pmsm_store_plan(store), 0);
	memset(frame(f, 1), 0x22, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, addr_of(f, 1), page,
					       PAGE_SIZE), -EFAULT);
	KUNIT_EXPECT_EQ(test, pmsm_store_write(store, ~0ULL & PAGE_MASK, page,
					       PAGE_SIZE), -EFAULT);
	KUNIT_EXPECT_EQ(test, pmsm_store_zero(store, f->first + 1, 1), -EFAULT);
	KUNIT_EXPECT_EQ(test, pmsm_store_zero(store, f->first, ~0UL), -EFAULT);
	KUNIT_EXPECT_TRUE(test, filled(frame(f, 1), 0x22));
}

static void store_named_twice(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct pmsm_store *store = &f->store;

	KUNIT_EXPECT_EQ(test, pmsm_store_expect(store, f->first, 4), 0);
	KUNIT_EXPECT_EQ(test, pmsm_store_expect(store, f->first + 2, 4), 0);
	KUNIT_EXPECT_EQ(test, store->nr_image, 6);
}

static void store_full(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct pmsm_store *store = &f->store;
	unsigned long half = FRAMES / 2, i;
	void *page = new_page(test, 0x99), *safe;
	struct pbe *list;
	int error = 0;

	/* Half of the store's own frames, and all that are not its own */
	KUNIT_ASSERT_EQ(test, pmsm_store_expect(store, f->first + half / 2,
						half / 2 + half), 0);
	KUNIT_ASSERT_EQ(test, pmsm_store_plan(store), 0);
	for (i = half; i < FRAMES && !error; i++)
		error = pmsm_store_write(store, addr_of(f, i), page, PAGE_SIZE);
	/* One frame is the page of zeroes */
	KUNIT_EXPECT_EQ(test, error, -ENOSPC);
	KUNIT_EXPECT_EQ(test, i, half + half / 2);
	KUNIT_EXPECT_EQ(test, pmsm_store_finish(store, 1, &safe, &list), -ENOSPC);
}

static void image_runs(struct kunit *test)
{
	DECLARE_BITMAP(map, 200) = {};
	struct pmsm_image image = { .map = map, .max_pfn = 200 };
	struct pmsm_run run;

	run = pmsm_image_run(&image, 0);
	KUNIT_EXPECT_EQ(test, run.nr, 0);

	bitmap_set(map, 0, 1);
	bitmap_set(map, 63, 2);
	bitmap_set(map, 190, 10);
	run = pmsm_image_run(&image, 0);
	KUNIT_EXPECT_EQ(test, run.pfn, 0);
	KUNIT_EXPECT_EQ(test, run.nr, 1);
	run = pmsm_image_run(&image, run.pfn + run.nr);
	KUNIT_EXPECT_EQ(test, run.pfn, 63);
	KUNIT_EXPECT_EQ(test, run.nr, 2);
	run = pmsm_image_run(&image, run.pfn + run.nr);
	KUNIT_EXPECT_EQ(test, run.pfn, 190);
	KUNIT_EXPECT_EQ(test, run.nr, 10);
	run = pmsm_image_run(&image, run.pfn + run.nr);
	KUNIT_EXPECT_EQ(test, run.nr, 0);
}

static struct kunit_case store_cases[] = {
	KUNIT_CASE(store_in_place),
	KUNIT_CASE(store_conflict),
	KUNIT_CASE(store_zero_then_data),
	KUNIT_CASE(store_pieces),
	KUNIT_CASE(store_outside),
	KUNIT_CASE(store_named_twice),
	KUNIT_CASE(store_full),
	KUNIT_CASE(image_runs),
	{}
};

static struct kunit_suite store_suite = {
	.name = "pmsm_store",
	.init = store_test_init,
	.exit = store_test_exit,
	.test_cases = store_cases,
};

kunit_test_suite(store_suite);
