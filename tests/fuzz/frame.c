// SPDX-License-Identifier: GPL-2.0-only
/*
 * Anything at all from the wire: to the check that every frame meets first, and
 * to a session that is in the middle of something.
 *
 * An input is a byte that says what to put right, and frames: two bytes of
 * length each, and the bytes.
 */

#include <sanitizer/asan_interface.h>

#include "checksum.h"
#include "model.h"

/* What to put right in each frame, by bits of the first byte */
#define RIGHT_CRC	1
#define RIGHT_HEAD	2
#define RIGHT_SESSION	4

#define FRAME		1514
#define WINDOW		8
#define SLOTS		(PMSM_LOOSE_SLOTS + 4)

static u8 rx[4096] __aligned(8);
static u8 tx[SLOTS][FRAME + 6] __aligned(8);
static const u8 peer[ETH_ALEN] = { 2, 0, 0, 0, 0, 2 };
static struct model model;

static void *link_tx_buf(struct pmsm_link *link, unsigned int slot)
{
	must(slot < SLOTS);
	return tx[slot];
}

static bool link_tx_idle(struct pmsm_link *link, unsigned int slot)
{
	return true;
}

static int link_send(struct pmsm_link *link, unsigned int slot,
		     unsigned int len)
{
	model_send(&model, link_tx_buf(link, slot), len);
	return 0;
}

static void link_kick(struct pmsm_link *link)
{
}

static void *link_recv(struct pmsm_link *link, unsigned int *len)
{
	return NULL;
}

static const struct pmsm_link_ops link_ops = {
	.tx_buf		= link_tx_buf,
	.tx_idle	= link_tx_idle,
	.send		= link_send,
	.kick		= link_kick,
	.recv		= link_recv,
};

static struct pmsm_link link = {
	.ops		= &link_ops,
	.addr		= { 2, 0, 0, 0, 0, 1 },
	.frame_size	= FRAME,
	.tx_slots	= SLOTS,
};

static int deliver(void *ctx, unsigned int type, const void *payload,
		   unsigned int len, u32 crc)
{
	model_deliver(&model, type, payload, len);
	/* Some messages are wrong, and end the session */
	return type == PMSM_HELLO ? -EPROTO : 0;
}

/* Two messages are under way, and may be acknowledged */
static void open_session(struct pmsm_session *s)
{
	static u8 hold[WINDOW * (FRAME + 8)] __aligned(8);
	unsigned int room;
	int i;

	must(pmsm_session_hold_size(&link, WINDOW) <= sizeof(hold));
	pmsm_session_init(s, &link, 1, WINDOW, hold);
	s->deliver = deliver;
	s->timeout = NSEC_PER_SEC;
	s->heard = fuzz_now;
	s->peer_window = 2;
	s->tx_una = -1;
	s->tx_next = -1;
	s->tx_sacked = -1;
	s->renewable = true;
	memcpy(s->peer, peer, sizeof(peer));
	model_open(&model, s, 0);
	for (i = 0; i < 2; i++) {
		must(pmsm_session_reserve(s, &room));
		pmsm_session_commit(s, PMSM_DATA, i, fuzz_now, NULL);
	}
	must(!pmsm_session_reserve(s, &room));
}

static void put_right(struct pmsm_frame *frame, unsigned int len, u8 what)
{
	if (len < sizeof(*frame))
		return;
	if (what & RIGHT_HEAD) {
		frame->ethertype = cpu_to_be16(PMSM_ETHERTYPE);
		frame->magic = cpu_to_be32(PMSM_MAGIC);
		frame->version = PMSM_VERSION;
	}
	if (what & RIGHT_SESSION) {
		memcpy(frame->src, peer, sizeof(peer));
		frame->session = cpu_to_be64(1 + (be64_to_cpu(frame->session) & 1));
	}
	if (what & RIGHT_CRC && be16_to_cpu(frame->len) <= len - sizeof(*frame))
		frame->crc = cpu_to_be32(pmsm_frame_crc(frame));
}

static void check_reason(const struct pmsm_frame *frame)
{
	char text[PMSM_REFUSE_LEN];
	unsigned int i;
	int code;

	pmsm_frame_reason(frame, &code, text, sizeof(text));
	must(code < 0 && code > -512);
	must(strnlen(text, sizeof(text)) < sizeof(text));
	for (i = 0; text[i]; i++)
		must((text[i] >= ' ' && text[i] <= '~') ||
		     (text[i] == '\n' && frame->type == PMSM_REFUSE));
}

/* Both ways to a checksum, from any address on; of some, for folding is slow here */
static void check_fold(const u8 *bytes, unsigned int len)
{
	unsigned int skip = len ? bytes[0] % min(len, 9u) : 0;

	len = min(len, 300u);
	must(pmsm_crc32c_fold(skip, bytes + skip, len - skip) ==
	     crc32c(skip, bytes + skip, len - skip));
}

static void input(struct pmsm_session *s, unsigned int len)
{
	struct pmsm_frame *frame = (void *)rx;
	enum pmsm_frame_check check = pmsm_frame_check(frame, len);

	must((check == PMSM_FRAME_GOOD) == model_frame_good(frame, len));
	if (check == PMSM_FRAME_GOOD)
		check_reason(frame);
	check_fold(rx, len);

	fuzz_now += NSEC_PER_MSEC;
	if (s->error)
		return;
	model_look(&model);
	model_input(&model, frame, len);
	pmsm_session_input(s, frame, len, fuzz_now);
	model_input_done(&model);
	pmsm_session_poll(s, fuzz_now);
}

int fuzz_one(const u8 *data, size_t size)
{
	static struct pmsm_session session;
	u8 what = size ? data[0] : 0;
	size_t at, len;

	kernel_reset();
	open_session(&session);
	for (at = 1; at + 2 < size; at += len) {
		len = data[at] << 8 | data[at + 1];
		at += 2;
		len = min(len, min(size - at, sizeof(rx)));
		memcpy(rx, data + at, len);
		put_right((void *)rx, len, what);
		ASAN_POISON_MEMORY_REGION(rx + len, sizeof(rx) - len);
		input(&session, len);
		ASAN_UNPOISON_MEMORY_REGION(rx, sizeof(rx));
	}
	return 0;
}
