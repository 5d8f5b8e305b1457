// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between its restore and the source's word a machine may not be seen.
 *
 * Its devices work already, and so do timers and softirqs.  A TCP connection that
 * acknowledged data now would have lost it for good if the source went on
 * instead, and a page that was written back now might overwrite on a shared
 * disk what the source wrote after that.  So network interfaces drop what comes and
 * what goes, as a cable does that is out, and writes to block devices wait.
 *
 * The static key costs nothing while no migration is under way.  It is set
 * before the image is taken, as patching code takes time and more than one CPU's
 * attention.  What the gate is closed for, two variables say.
 *
 * Writes wait from before the source stops its devices.  A write that got past this
 * by then and into the queue of a device that is stopping would still be there
 * in the image, and go on once that device works on the target.  Frames are
 * dropped from the restore on: until then the source may go on, and they are its
 * peers' business.
 */

#include <linux/netdevice.h>
#include <linux/pmsm.h>
#include <linux/wait.h>

#include "gate.h"

DEFINE_STATIC_KEY_FALSE(pmsm_gate_key);

/* Set in the image, so that the restored kernel finds it set */
static bool disks_closed;
static bool net_closed;
static DECLARE_WAIT_QUEUE_HEAD(opened);

/**
 * __pmsm_net_gated - whether an interface may carry no frames now
 * @dev: The interface.
 *
 * Any context.  Call pmsm_net_gated() instead.
 *
 * Return: true if the gate is closed and @dev leads out of this machine.
 */
bool __pmsm_net_gated(const struct net_device *dev)
{
	return READ_ONCE(net_closed) && !(dev->flags & IFF_LOOPBACK);
}

/**
 * __pmsm_write_gate - wait until writes may reach block devices
 *
 * May sleep.  Call pmsm_write_gate() instead.
 */
void __pmsm_write_gate(void)
{
	wait_event(opened, !READ_ONCE(disks_closed));
}

/**
 * pmsm_gate_build - have a gate, still open
 *
 * Call before the image is taken.  May sleep.
 */
void pmsm_gate_build(void)
{
	static_branch_enable(&pmsm_gate_key);
}

/**
 * pmsm_gate_close_disks - close it for writes
 *
 * Call when all that can be frozen is, and before devices stop.  The caller may not
 * wait for a write from here on, nor for memory that needs one.
 */
void pmsm_gate_close_disks(void)
{
	WRITE_ONCE(disks_closed, true);
}

/**
 * pmsm_gate_close_net - close it for frames
 *
 * Call first thing after the restore.  Any context.
 */
void pmsm_gate_close_net(void)
{
	WRITE_ONCE(net_closed, true);
}

/**
 * pmsm_gate_open - open it, once this machine is the one that runs
 *
 * Any context.
 */
void pmsm_gate_open(void)
{
	WRITE_ONCE(net_closed, false);
	WRITE_ONCE(disks_closed, false);
	wake_up_all(&opened);
}

/**
 * pmsm_gate_remove - have no gate any more
 *
 * Call when the migration is over.  May sleep.
 */
void pmsm_gate_remove(void)
{
	pmsm_gate_open();
	static_branch_disable(&pmsm_gate_key);
}
