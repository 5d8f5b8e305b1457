/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The image as messages: MAP, DATA and ZERO.
 */
#ifndef _PMSM_STREAM_H
#define _PMSM_STREAM_H

#include <linux/mm.h>
#include <linux/types.h>

#include "image.h"
#include "session.h"

/* Runs of zero pages to collect before they are sent */
#define PMSM_ZERO_RUNS		64

/**
 * struct pmsm_stream - an image on its way
 * @session: Where it goes.
 * @digest: Over the messages so far.
 * @data_pages: Pages sent as contents.
 * @zero_pages: Pages sent as runs.
 * @unpolled: Messages sent, for polling now and then.
 * @msg: The message being filled, or NULL.
 * @msg_len: Bytes of it in use.
 * @msg_room: Bytes there are.
 * @msg_next: DATA: physical address that would continue it.
 * @zeros: Runs of zero pages that are not in a message yet.
 * @nr_zeros: How many.
 * @stage: Copy of a page that is not in the direct map.
 *
 * Lives in memory that the image leaves out, for it changes while memory is
 * being sent.
 */
struct pmsm_stream {
	struct pmsm_session *session;
	u64 digest;
	u64 data_pages;
	u64 zero_pages;
	unsigned int unpolled;
	u8 *msg;
	unsigned int msg_len;
	unsigned int msg_room;
	u64 msg_next;
	struct pmsm_run zeros[PMSM_ZERO_RUNS];
	unsigned int nr_zeros;
	u8 stage[PAGE_SIZE];
};

void pmsm_stream_init(struct pmsm_stream *stream, struct pmsm_session *s);
int pmsm_stream_map(struct pmsm_stream *stream, const struct pmsm_image *image);
int pmsm_stream_contents(struct pmsm_stream *stream,
			 const struct pmsm_image *image);

#endif /* _PMSM_STREAM_H */
