// SPDX-License-Identifier: GPL-2.0-only
/*
 * The image as messages: MAP, DATA and ZERO.
 *
 * One message is being filled at a time: either contents of consecutive
 * memory, or a list of runs.
 */

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/set_memory.h>
#include <linux/string.h>
#include <linux/xxhash.h>

#include "../power.h"
#include "clock.h"
#include "stream.h"
#include "talk.h"

/* Look at the wire after so many messages */
#define PMSM_POLL_EVERY		32
/* Contents are copied in steps of four words */
#define PMSM_COPY_UNIT		32

/**
 * pmsm_stream_init - start with nothing sent
 * @stream: The stream.
 * @s: Where it goes.
 */
void pmsm_stream_init(struct pmsm_stream *stream, struct pmsm_session *s)
{
	memset(stream, 0, sizeof(*stream));
	stream->session = s;
}

static int begin_message(struct pmsm_stream *stream)
{
	void *msg = pmsm_talk_reserve(stream->session, &stream->msg_room);

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	stream->msg = msg;
	stream->msg_len = 0;
	return 0;
}

static int send_message(struct pmsm_stream *stream, enum pmsm_type type)
{
	__be32 be_crc;
	u32 crc;

	pmsm_session_commit(stream->session, type, stream->msg_len,
			    pmsm_clock(), &crc);
	stream->msg = NULL;
	be_crc = cpu_to_be32(crc);
	stream->digest = xxh64(&be_crc, sizeof(be_crc), stream->digest);
	/* A doorbell for each frame would cost more than the frame */
	if (++stream->unpolled % PMSM_POLL_EVERY)
		return 0;
	return pmsm_talk_poll(stream->session);
}

static int flush(struct pmsm_stream *stream, enum pmsm_type type)
{
	return stream->msg ? send_message(stream, type) : 0;
}

static int send_run(struct pmsm_stream *stream, enum pmsm_type type,
		    struct pmsm_run run)
{
	struct pmsm_wire_run *wire;
	int error;

	if (!stream->msg) {
		error = begin_message(stream);
		if (error)
			return error;
	}
	wire = (void *)(stream->msg + stream->msg_len);
	wire->pfn = cpu_to_be64(run.pfn);
	wire->nr = cpu_to_be64(run.nr);
	stream->msg_len += sizeof(*wire);
	if (stream->msg_len + sizeof(*wire) > stream->msg_room)
		return send_message(stream, type);
	return 0;
}

/**
 * pmsm_stream_map - name the page frames of the image
 * @stream: The stream.
 * @image: The image.
 *
 * Return: 0, or the negative errno that ended the session.
 */
int pmsm_stream_map(struct pmsm_stream *stream, const struct pmsm_image *image)
{
	struct pmsm_run run = {};
	int error = 0;

	for (;;) {
		run = pmsm_image_run(image, run.pfn + run.nr);
		if (!run.nr || error)
			break;
		error = send_run(stream, PMSM_MAP, run);
	}
	return error ?: flush(stream, PMSM_MAP);
}

/*
 * Zero runs collect outside of the message being filled and go out many at a
 * time, between two DATA messages: one by one, each would cost a frame.
 */
static int flush_zeros(struct pmsm_stream *stream)
{
	int error = flush(stream, PMSM_DATA);
	unsigned int i;

	for (i = 0; i < stream->nr_zeros && !error; i++)
		error = send_run(stream, PMSM_ZERO, stream->zeros[i]);
	stream->nr_zeros = 0;
	return error ?: flush(stream, PMSM_ZERO);
}

static int send_zero_page(struct pmsm_stream *stream, unsigned long pfn)
{
	struct pmsm_run *last = stream->nr_zeros ?
				&stream->zeros[stream->nr_zeros - 1] : NULL;
	int error = 0;

	stream->zero_pages++;
	if (last && last->pfn + last->nr == pfn) {
		last->nr++;
		return 0;
	}
	if (stream->nr_zeros == PMSM_ZERO_RUNS)
		error = flush_zeros(stream);
	stream->zeros[stream->nr_zeros++] = (struct pmsm_run){ pfn, 1 };
	return error;
}

static int begin_data(struct pmsm_stream *stream, u64 addr)
{
	struct pmsm_wire_data *data;
	int error = begin_message(stream);

	if (error)
		return error;
	data = (void *)stream->msg;
	data->addr = cpu_to_be64(addr);
	stream->msg_len = sizeof(*data);
	stream->msg_room -= (stream->msg_room - sizeof(*data)) % PMSM_COPY_UNIT;
	stream->msg_next = addr;
	return 0;
}

static int advance(struct pmsm_stream *stream, unsigned int len)
{
	stream->msg_len += len;
	stream->msg_next += len;
	return stream->msg_len < stream->msg_room ? 0 :
	       send_message(stream, PMSM_DATA);
}

/* Copy, and find out in the same pass whether there is anything but zeroes */
static bool copy_words(void *to, const void *from, unsigned int len)
{
	const u64 *src = from;
	u64 *dst = to;
	u64 any = 0;

	for (; len; len -= PMSM_COPY_UNIT, src += 4, dst += 4) {
		u64 a = src[0], b = src[1], c = src[2], d = src[3];

		dst[0] = a;
		dst[1] = b;
		dst[2] = c;
		dst[3] = d;
		any |= a | b | c | d;
	}
	return any;
}

/* memchr_inv() would be stopped by KASAN where owners have poisoned memory */
static bool is_zero(const void *from, unsigned int len)
{
	const u64 *word = from;

	for (; len; len -= sizeof(*word))
		if (*word++)
			return false;
	return true;
}

/* A page that was taken out of the direct map must be read by another way */
static const u8 *readable(struct pmsm_stream *stream, unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);

	if (kernel_page_present(page))
		return page_address(page);
	swsusp_copy_page(stream->stage, pfn);
	return stream->stage;
}

/* How much of @len fits into the message */
static unsigned int fitting(const struct pmsm_stream *stream, unsigned int len)
{
	return min(len, stream->msg_room - stream->msg_len);
}

/* A message that continues at @addr, with room for something */
static int ready_for(struct pmsm_stream *stream, u64 addr)
{
	int error;

	if (stream->msg && stream->msg_next == addr)
		return 0;
	error = flush(stream, PMSM_DATA);
	return error ?: begin_data(stream, addr);
}

/* What of the page did not fit into the message */
static int send_rest(struct pmsm_stream *stream, u64 addr, const u8 *bytes,
		     unsigned int len)
{
	unsigned int part;
	int error;

	for (; len; len -= part, addr += part, bytes += part) {
		error = ready_for(stream, addr);
		if (error)
			return error;
		part = fitting(stream, len);
		copy_words(stream->msg + stream->msg_len, bytes, part);
		error = advance(stream, part);
		if (error)
			return error;
	}
	return 0;
}

static int send_page(struct pmsm_stream *stream, unsigned long pfn)
{
	u64 addr = PFN_PHYS(pfn);
	int error = ready_for(stream, addr);
	unsigned int part;
	const u8 *bytes;

	if (error)
		return error;
	bytes = readable(stream, pfn);
	part = fitting(stream, PAGE_SIZE);
	if (!copy_words(stream->msg + stream->msg_len, bytes, part) &&
	    is_zero(bytes + part, PAGE_SIZE - part)) {
		/* Nothing in it yet: the frame goes to whoever comes next */
		if (stream->msg_len == sizeof(struct pmsm_wire_data))
			stream->msg = NULL;
		return send_zero_page(stream, pfn);
	}
	stream->data_pages++;
	error = advance(stream, part);
	return error ?: send_rest(stream, addr + part, bytes + part,
				  PAGE_SIZE - part);
}

/**
 * pmsm_stream_contents - send the image's memory
 * @stream: The stream.
 * @image: The image, named before.
 *
 * Call with interrupts off and devices stopped.  From the first page to the
 * last, nothing may change in the image that would matter after the restore:
 * no allocation, no printing, no locks, no tracing.
 *
 * Return: 0, or the negative errno that ended the session.
 */
int pmsm_stream_contents(struct pmsm_stream *stream,
			 const struct pmsm_image *image)
{
	struct pmsm_run run = {};
	int error;

	for (;;) {
		run = pmsm_image_run(image, run.pfn + run.nr);
		if (!run.nr)
			break;
		for (; run.nr; run.pfn++, run.nr--) {
			error = send_page(stream, run.pfn);
			if (error)
				return error;
		}
	}
	return flush_zeros(stream);
}
