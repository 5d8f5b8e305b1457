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
 * attention.  Whether the gate is closed is a variable, which the
 * restored kernel sets first thing.
 */

#include <linux/netdevice.h>
#include <linux/pmsm.h>
#include <linux/wait.h>

#include "gate.h"

DEFINE_STATIC_KEY_FALSE(pmsm_gate_key);

static bool closed;
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
	return READ_ONCE(closed) && !(dev->flags & IFF_LOOPBACK);
}

/**
 * __pmsm_write_gate - wait until writes may reach block devices
 *
 * May sleep.  Call pmsm_write_gate() instead.
 */
void __pmsm_write_gate(void)
{
	wait_event(opened, !READ_ONCE(closed));
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
 * pmsm_gate_close - close it
 *
 * Call first thing after the restore.  Any context.
 */
void pmsm_gate_close(void)
{
	WRITE_ONCE(closed, true);
}

/**
 * pmsm_gate_open - open it, once this machine is the one that runs
 *
 * Any context.
 */
void pmsm_gate_open(void)
{
	WRITE_ONCE(closed, false);
	wake_up_all(&opened);
}

/**
 * pmsm_gate_remove - have no gate any more
 *
 * Call when the migration is over.  May sleep.
 */
void pmsm_gate_remove(void)
{
	static_branch_disable(&pmsm_gate_key);
}
