/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Failing on purpose at any step of a migration.
 */
#ifndef _PMSM_FAULT_H
#define _PMSM_FAULT_H

/**
 * enum pmsm_step - where a migration can fail
 * @PMSM_STEP_LINK: either side: open the transfer NIC.
 * @PMSM_STEP_ALLOC: source: take memory for the migration.
 * @PMSM_STEP_HELLO: source: describe this machine.
 * @PMSM_STEP_ACCEPTED: source: a target has accepted.
 * @PMSM_STEP_FROZEN: source: processes are frozen.
 * @PMSM_STEP_SCANNED: source: devices are stopped, and the image is known.
 * @PMSM_STEP_STREAMED: source: all contents are sent.
 * @PMSM_STEP_PREPARE: source: the target has the image.
 * @PMSM_STEP_COMMIT: source: the target is ready, and nothing is decided yet.
 * @PMSM_STEP_ACCEPT: target: describe this machine, and make room.
 * @PMSM_STEP_STOPPED: target: devices are stopped.
 * @PMSM_STEP_BEGUN: target: the image begins.
 * @PMSM_STEP_PLANNED: target: its map is known.
 * @PMSM_STEP_ENDED: target: all of it is here.
 * @PMSM_STEP_VERIFIED: target: say so.
 * @PMSM_STEP_JUMP: target: become the machine that has come.
 * @PMSM_STEP_RESTART: restored kernel: start the transfer NIC.
 * @PMSM_STEP_RESUMED: restored kernel: say that devices work.
 * @PMSM_STEPS: end of the list.
 *
 * Each has a name in fault.c.
 */
enum pmsm_step {
	PMSM_STEP_LINK,
	PMSM_STEP_ALLOC,
	PMSM_STEP_HELLO,
	PMSM_STEP_ACCEPTED,
	PMSM_STEP_FROZEN,
	PMSM_STEP_SCANNED,
	PMSM_STEP_STREAMED,
	PMSM_STEP_PREPARE,
	PMSM_STEP_COMMIT,
	PMSM_STEP_ACCEPT,
	PMSM_STEP_STOPPED,
	PMSM_STEP_BEGUN,
	PMSM_STEP_PLANNED,
	PMSM_STEP_ENDED,
	PMSM_STEP_VERIFIED,
	PMSM_STEP_JUMP,
	PMSM_STEP_RESTART,
	PMSM_STEP_RESUMED,
	PMSM_STEPS,
};

#ifdef CONFIG_PMSM_FAULT_INJECTION
int pmsm_fault(enum pmsm_step step);
#else
static inline int pmsm_fault(enum pmsm_step step)
{
	return 0;
}
#endif

#endif /* _PMSM_FAULT_H */
