/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other end of the link: it says whatever the fuzzer has written down.
 *
 * An input is a number of records.  The first one says what the machine is like;
 * the others are done one after the other, when the code under test looks for
 * the next frame.
 */
#ifndef _FUZZ_ACTOR_H
#define _FUZZ_ACTOR_H

#include <setjmp.h>

#include "fault.h"
#include "model.h"
#include "reasons.h"

/* Longest frame */
#define ACTOR_FRAME	3072

/**
 * enum actor_op - what the actors of all fuzzers can do
 * @OP_WAIT: Let it find nothing, after @a << @b ns.
 * @OP_FIELD: Change the next frame at @a + 256 * @c by @b; its CRC is right.
 * @OP_DAMAGE: The same, but the CRC knows nothing of it.
 * @OP_CUT: The next frame comes @a bytes shorter and @b longer than it is.
 * @OP_GROW: The next message is @a * 8 bytes longer than it should be.
 * @OP_SEQ: The number of the next frame is wrong by @a.
 * @OP_SESSION: The session is another by @a; begin to count again if @b.
 * @OP_HIDE: The next frame is lost.
 * @OP_AGAIN: The frame before the last @a ones is seen again.
 * @OP_WINDOW: The window is @a << @b from now on.
 * @OP_ACKING: Acknowledge @a more than there was from now on.
 * @OP_BUSY: Frames take @a looks until they are sent, from now on.
 * @OP_RAW: Say @a, with @b * 8 bytes of @c.
 * @OP_ACK: Say that @a << @c and @b << @c + 8 have come early.
 * @OP_FAULT: The machine fails at step @a from now on.
 * @OP_REASON: Refuse, or reset if @a is odd, with error @b and @c letters, as
 *	actor_words() says.
 * @NR_COMMON_OPS: End of the list.
 */
enum actor_op {
	OP_WAIT,
	OP_FIELD,
	OP_DAMAGE,
	OP_CUT,
	OP_GROW,
	OP_SEQ,
	OP_SESSION,
	OP_HIDE,
	OP_AGAIN,
	OP_WINDOW,
	OP_ACKING,
	OP_BUSY,
	OP_RAW,
	OP_ACK,
	OP_FAULT,
	OP_REASON,
	NR_COMMON_OPS,
};

/**
 * struct record - one thing to do
 * @op: What.
 * @a: How, as all the others.
 * @b: This too.
 * @c: And this.
 */
struct record {
	u8 op;
	u8 a;
	u8 b;
	u8 c;
};

/**
 * struct play - what the actor of one fuzzer can do besides
 * @nr_ops: Number of all operations.
 * @act: Do one that is not common.
 * @sent: Look at a frame that the code under test has sent.
 * @delivered: Look at a message that its session has delivered, and at what it
 *	made of that.
 * @stuck: The script is over, and the code under test waits for ever.
 */
struct play {
	unsigned int nr_ops;
	void (*act)(const struct record *record);
	void (*sent)(const struct pmsm_frame *frame);
	void (*delivered)(unsigned int type, const void *payload,
			  unsigned int len, u32 crc, int error);
	void (*stuck)(void);
};

/* machine.c */

/**
 * enum machine_fault - what can be wrong with the machine, beside its steps
 * @FAULT_NONE: Nothing.
 * @FAULT_DEVICE: A device is dead, or does not come along.
 * @FAULT_SECRET: Somebody has secrets.
 * @FAULT_LOCKED: The kernel is locked down.
 * @FAULT_HIBERNATION: There is no hibernation.
 * @FAULTS: End of the list.
 */
enum machine_fault {
	FAULT_NONE = PMSM_STEPS,
	FAULT_DEVICE,
	FAULT_SECRET,
	FAULT_LOCKED,
	FAULT_HIBERNATION,
	FAULTS,
};

extern jmp_buf machine_off;
extern unsigned int machine_fault;

void machine_check_words(const char *text, unsigned int len, bool lines);
void machine_check_reasons(const struct pmsm_reasons *r);

/* actor.c */

extern const u8 actor_addr[ETH_ALEN];
extern struct pmsm_link actor_link;

struct record actor_begin(const struct play *play, const u8 *data, size_t size);
bool actor_is_done(void);
void *actor_payload(void);
u32 actor_say(unsigned int type, unsigned int len);
unsigned int actor_room(void);
unsigned int actor_words(char *text, u8 how, u8 fill);
void actor_follow(u64 session);
void actor_watch(struct pmsm_session *s, u64 aside);
void actor_watch_soon(struct pmsm_session *s, u64 aside);
void actor_look_away(void);

#endif /* _FUZZ_ACTOR_H */
