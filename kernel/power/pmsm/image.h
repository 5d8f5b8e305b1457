/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which page frames are the image.
 */
#ifndef _PMSM_IMAGE_H
#define _PMSM_IMAGE_H

#include <linux/types.h>

/**
 * struct pmsm_image - the page frames to send
 * @map: Bit n says that page frame n is one of them.
 * @max_pfn: Bits in @map.
 * @nr_pages: How many are set.
 */
struct pmsm_image {
	unsigned long *map;
	unsigned long max_pfn;
	unsigned long nr_pages;
};

/**
 * struct pmsm_run - consecutive page frames
 * @pfn: The first.
 * @nr: How many, 0 at the end of the image.
 */
struct pmsm_run {
	unsigned long pfn;
	unsigned long nr;
};

int pmsm_image_alloc(struct pmsm_image *image);
void pmsm_image_free(struct pmsm_image *image);
void pmsm_image_scan(struct pmsm_image *image);
struct pmsm_run pmsm_image_run(const struct pmsm_image *image,
			       unsigned long from);
unsigned long pmsm_image_extra_pages(const struct pmsm_image *image);

#endif /* _PMSM_IMAGE_H */
