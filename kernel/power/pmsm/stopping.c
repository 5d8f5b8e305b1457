// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source's devices have to stop in time.
 *
 * A disk that drains its queue before it stops waits for ever if it is made of
 * another one, such as an iSCSI target on this very machine: writes to that one
 * wait at the gate, which opens when devices run again.  So the gate opens before
 * that if it takes too long, and the move is off.
 */

#include <linux/jiffies.h>
#include <linux/suspend.h>
#include <linux/timer.h>

#include "gate.h"
#include "pmsm.h"
#include "stopping.h"

/* As long as processes have to freeze */
#define PMSM_STOPPING_S		20

static void give_up(struct timer_list *unused);

static DEFINE_TIMER(timer, give_up);
static bool gave_up;

static void give_up(struct timer_list *unused)
{
	pr_err("devices have not stopped in %u s: letting writes to disks go on, and not moving\n",
	       PMSM_STOPPING_S);
	WRITE_ONCE(gave_up, true);
	pmsm_gate_open();
	pm_system_wakeup();
}

/**
 * pmsm_stopping_begin - devices are about to stop, and the gate is closed
 *
 * Any context.
 */
void pmsm_stopping_begin(void)
{
	gave_up = false;
	mod_timer(&timer, jiffies + PMSM_STOPPING_S * HZ);
}

/**
 * pmsm_stopping_done - they have stopped
 *
 * Call before the image is taken: it would have the timer, too.  Interrupts are
 * off on the only CPU.
 */
void pmsm_stopping_done(void)
{
	timer_delete(&timer);
}

/**
 * pmsm_stopping_end - devices run again
 *
 * May sleep.
 *
 * Return: whether the gate was opened, as they did not stop in time.
 */
bool pmsm_stopping_end(void)
{
	timer_delete_sync(&timer);
	return gave_up;
}
