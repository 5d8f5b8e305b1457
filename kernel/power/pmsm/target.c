// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target takes an image and becomes the machine that it holds.
 */

#include <linux/device.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/suspend.h>

#include "../power.h"
#include "clock.h"
#include "fault.h"
#include "machine.h"
#include "talk.h"
#include "target.h"

#define PMSM_PROGRESS_MS	500

/* For target_receive(), which is called without arguments */
static struct pmsm_target *receiving;

static void print_progress(struct pmsm_target *target, bool now)
{
	struct pmsm_store *store = &target->store;
	u64 clock, ms, left, mib, rate;

	if (!target->planned || (!now && target->session.stats.polls % 64))
		return;
	clock = pmsm_clock();
	if (!now && clock - target->told < PMSM_PROGRESS_MS * PMSM_NS_PER_MS)
		return;
	target->told = clock;

	ms = div64_u64(clock - target->started, PMSM_NS_PER_MS) + 1;
	mib = (u64)store->nr_present >> (20 - PAGE_SHIFT);
	rate = div64_u64((u64)store->nr_present * 1000, ms) >> (20 - PAGE_SHIFT);
	left = store->nr_image - store->nr_present;
	pr_info("receiving: %3llu%%, %llu MiB, %llu MiB/s, %llu s left\n",
		div64_u64((u64)store->nr_present * 100, store->nr_image), mib,
		rate, div64_u64(left * ms, (store->nr_present | 1) * 1000ULL));
}

static int receive_image(struct pmsm_target *target)
{
	struct pmsm_session *s = &target->session;
	int error = pmsm_talk_wait(s, &target->begun);

	s->timeout = target->timeout;
	while (!error && !target->ended) {
		cpu_relax();
		error = pmsm_talk_poll(s);
		print_progress(target, false);
	}
	if (!error)
		print_progress(target, true);
	return error;
}

/* Say VERIFIED only when nothing here can fail any more */
static int wait_for_word(struct pmsm_target *target)
{
	struct pmsm_session *s = &target->session;
	unsigned int room;
	void *msg;

	/* Nothing else is on the wire any more, and every moment is downtime */
	s->urgent = true;
	msg = pmsm_talk_reserve(s, &room);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	target->verified = pmsm_clock();
	pmsm_session_commit(s, PMSM_VERIFIED, 0, target->verified, NULL);
	return pmsm_talk_wait(s, &target->prepared);
}

/* A source that misses this repeats PREPARE, until the restored kernel speaks */
static void acknowledge(struct pmsm_session *s)
{
	s->ack_now = true;
	pmsm_talk_poll(s);
	pmsm_talk_flush(s);
}

static int prepare_jump(struct pmsm_target *target)
{
	void *safe = NULL;
	int error;

	error = pmsm_store_finish(&target->store, pmsm_machine_safe_pages(),
				  &safe, &restore_pblist);
	if (error)
		return pmsm_fail(target, error,
					"no memory for the last step: %lu free",
					target->store.nr_own);
	swsusp_set_safe_pages(safe);
	pmsm_machine_set_entry(&target->begin);
	return 0;
}

/*
 * Runs right before swsusp_arch_resume(): interrupts off, one CPU, all devices
 * but the link stopped.
 */
static int target_receive(void)
{
	struct pmsm_target *target = receiving;
	int error;

	pmsm_store_grab_rest(&target->store);
	target->open = true;
	error = pmsm_fault(PMSM_STEP_STOPPED) ?: receive_image(target);
	if (!error)
		error = prepare_jump(target);
	if (!error)
		error = pmsm_fault(PMSM_STEP_VERIFIED);
	if (!error)
		error = wait_for_word(target);
	if (error)
		return error;

	pmsm_target_write_handover(target);
	acknowledge(&target->session);
	pr_info("the image is complete: becoming the machine that it holds\n");
	/* No frame may arrive any more: its buffer is somebody else's now */
	target->session.link->ops->stop(target->session.link);
	target->stopped = true;
	return pmsm_fault(PMSM_STEP_JUMP);
}

/* It failed, or swsusp_arch_resume() did.  Devices need memory to start again */
static void target_release(void)
{
	swsusp_set_safe_pages(NULL);
	restore_pblist = NULL;
	pmsm_store_release(&receiving->store);
}

static const struct hibernation_image_ops pmsm_restore_ops = {
	.receive	= target_receive,
	.release	= target_release,
};

/**
 * pmsm_target_restore - take the image and become the machine that it holds
 * @target: The migration; its source has been accepted.
 *
 * As software_resume(), with the image coming from the link.  May sleep.
 *
 * Return: only without success: a negative errno, with everything running.
 */
int pmsm_target_restore(struct pmsm_target *target)
{
	unsigned int sleep_flags = lock_system_sleep();
	int error = -EBUSY;

	if (!hibernate_acquire())
		goto unlock;
	pm_prepare_console();
	error = pm_notifier_call_chain_robust(PM_RESTORE_PREPARE,
					      PM_POST_RESTORE);
	if (error)
		goto release;
	error = freeze_processes();
	if (error)
		goto notify;
	error = freeze_kernel_threads();
	if (!error) {
		lock_device_hotplug();
		receiving = target;
		hibernation_set_image_ops(&pmsm_restore_ops);
		error = hibernation_restore(0);
		hibernation_set_image_ops(NULL);
		unlock_device_hotplug();
	}
	thaw_processes();
notify:
	pm_notifier_call_chain(PM_POST_RESTORE);
release:
	pm_restore_console();
	hibernate_release();
unlock:
	unlock_system_sleep(sleep_flags);
	return error;
}
