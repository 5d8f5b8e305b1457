// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical machine state migration: what the operator sees of it.
 *
 * After "Physical Machine State Migration" by Chiang, Lu and Chiueh
 * (ICPADS 2011).  Documentation/admin-guide/pm/pmsm.rst says how to use it.
 */

#include <linux/capability.h>
#include <linux/console.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "../power.h"
#include "compat.h"
#include "pmsm.h"
#include "reasons.h"
#include "stats.h"

#define PMSM_TIMEOUT_S		10
#define PMSM_RESUME_S		60
#define PMSM_SECONDS_MAX	86400U

static char *listen;
module_param(listen, charp, 0444);
MODULE_PARM_DESC(listen, "NIC[,wait=SECONDS][,timeout=SECONDS]: wait at boot for a machine to move here");

static struct pmsm_settings settings = {
	.peer = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	.timeout_ms = PMSM_TIMEOUT_S * 1000,
	.resume_ms = PMSM_RESUME_S * 1000,
};

static DEFINE_MUTEX(settings_mutex);

/* One at a time: locked on the source, and unlocked where it runs then */
static DEFINE_MUTEX(migrating);

/**
 * pmsm_listen_nic - the NIC that pmsm.listen= names
 *
 * For a driver that takes its NIC at boot.
 *
 * Return: a name such as "0000:00:04.0", or "".
 */
const char *pmsm_listen_nic(void)
{
	static char nic[sizeof(settings.nic)];

	if (listen)
		strscpy(nic, listen);
	nic[strcspn(nic, ",")] = '\0';
	return nic;
}
EXPORT_SYMBOL_GPL(pmsm_listen_nic);

static int parse_seconds(const char *what, const char *text, unsigned int *ms)
{
	unsigned int seconds;

	if (kstrtouint(text, 10, &seconds) || seconds > PMSM_SECONDS_MAX) {
		pr_err("%s=%s is not a number of seconds up to %u\n", what, text,
		       PMSM_SECONDS_MAX);
		return -EINVAL;
	}
	*ms = seconds * 1000;
	return 0;
}

static int parse_timeout(const char *what, const char *text, unsigned int *ms)
{
	int error = parse_seconds(what, text, ms);

	if (!error && !*ms) {
		pr_err("%s=%s: must be at least 1 second\n", what, text);
		error = -EINVAL;
	}
	return error;
}

/**
 * pmsm_parse_listen - read what pmsm.listen= says
 * @text: NIC[,wait=SECONDS][,timeout=SECONDS], modified.
 * @s: Where to put it.
 *
 * Return: 0, or -EINVAL after a message that names the part it is about.
 */
int pmsm_parse_listen(char *text, struct pmsm_settings *s)
{
	char *part = strsep(&text, ",");
	int error = 0;

	if (strscpy(s->nic, part) < 0) {
		pr_err("listen: \"%s\" is too long for the name of a NIC\n", part);
		return -EINVAL;
	}
	while (!error && (part = strsep(&text, ","))) {
		if (str_has_prefix(part, "wait=")) {
			error = parse_seconds("wait", part + 5, &s->listen_ms);
		} else if (str_has_prefix(part, "timeout=")) {
			error = parse_timeout("timeout", part + 8,
					      &s->timeout_ms);
		} else {
			pr_err("listen: unknown setting \"%s\": there are wait=SECONDS and timeout=SECONDS\n",
			       part);
			error = -EINVAL;
		}
	}
	return error;
}

/*
 * As for hibernation.  Whoever can open a file need not be who may do this: it
 * moves all memory of the machine over a wire.
 */
static bool may(void)
{
	return capable(CAP_SYS_ADMIN);
}

static int check_able(const char *side)
{
	struct pmsm_reasons *reasons = kzalloc(sizeof(*reasons), GFP_KERNEL);
	char text[PMSM_REASON_LEN];
	int error;

	if (!reasons)
		return -ENOMEM;
	error = pmsm_compat_able(side, reasons);
	if (error) {
		pmsm_reasons_print(reasons, "this machine cannot move");
		pmsm_reasons_first(reasons, text, sizeof(text));
		pmsm_stats_failed(side, error, text, 0, 0);
	}
	kfree(reasons);
	return error;
}

static void get_settings(struct pmsm_settings *s)
{
	mutex_lock(&settings_mutex);
	*s = settings;
	mutex_unlock(&settings_mutex);
}

/*
 * Both consoles must be able to speak while devices are stopped: one shows
 * progress, the other may have to say that it is in doubt.
 */
static int with_console(int (*what)(const struct pmsm_settings *settings),
			const struct pmsm_settings *s)
{
	bool before = console_suspend_enabled;
	int error;

	console_suspend_enabled = false;
	error = what(s);
	console_suspend_enabled = before;
	return error;
}

/**
 * pmsm_migrate - move this machine
 *
 * For a write of "pmsm" to /sys/power/state.
 *
 * Return: 0 on the target, a negative errno after a message on the source.
 */
int pmsm_migrate(void)
{
	struct pmsm_settings s;
	int error = may() ? check_able("source") : -EPERM;

	if (error)
		return error;
	if (!mutex_trylock(&migrating)) {
		pr_err("this machine is being moved already\n");
		return -EBUSY;
	}
	get_settings(&s);
	error = with_console(pmsm_source_migrate, &s);
	mutex_unlock(&migrating);
	return error;
}

static int start_listening(const char *text)
{
	struct pmsm_settings s;
	char *copy;
	int error = check_able("target");

	if (error)
		return error;
	copy = kstrdup(text, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;

	get_settings(&s);
	error = pmsm_parse_listen(strim(copy), &s);
	if (!error)
		error = with_console(pmsm_target_listen, &s);
	kfree(copy);
	return error;
}

static ssize_t listen_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	int error = may() ? start_listening(buf) : -EPERM;

	return error ?: count;
}

static struct kobj_attribute listen_attr = __ATTR_WO(listen);

static ssize_t nic_show(struct kobject *kobj, struct kobj_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%s\n", settings.nic);
}

static ssize_t nic_store(struct kobject *kobj, struct kobj_attribute *attr,
			 const char *buf, size_t count)
{
	char name[sizeof(settings.nic)];

	if (!may())
		return -EPERM;
	if (strscpy(name, buf) < 0)
		return -EINVAL;
	mutex_lock(&settings_mutex);
	strscpy(settings.nic, strim(name));
	mutex_unlock(&settings_mutex);
	return count;
}

static struct kobj_attribute nic_attr = __ATTR_RW(nic);

static ssize_t nics_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return pmsm_links_show(buf);
}

static struct kobj_attribute nics_attr = __ATTR_RO(nics);

static ssize_t target_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%pM\n", settings.peer);
}

static ssize_t target_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	char text[24];
	u8 peer[ETH_ALEN];

	if (!may())
		return -EPERM;
	if (strscpy(text, buf) < 0 || !mac_pton(strim(text), peer) ||
	    is_zero_ether_addr(peer)) {
		pr_err("target: \"%.24s\" is not an Ethernet address\n", buf);
		return -EINVAL;
	}
	mutex_lock(&settings_mutex);
	ether_addr_copy(settings.peer, peer);
	mutex_unlock(&settings_mutex);
	return count;
}

static struct kobj_attribute target_attr = __ATTR_RW(target);

static ssize_t timeout_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u\n", settings.timeout_ms / 1000);
}

static int store_timeout(const char *what, const char *buf, unsigned int *to)
{
	char text[16];
	unsigned int ms;

	if (!may())
		return -EPERM;
	if (strscpy(text, buf) < 0 || parse_timeout(what, strim(text), &ms))
		return -EINVAL;
	mutex_lock(&settings_mutex);
	*to = ms;
	mutex_unlock(&settings_mutex);
	return 0;
}

static ssize_t timeout_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	return store_timeout("timeout", buf, &settings.timeout_ms) ?: count;
}

static struct kobj_attribute timeout_attr = __ATTR_RW(timeout);

static ssize_t resume_timeout_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", settings.resume_ms / 1000);
}

static ssize_t resume_timeout_store(struct kobject *kobj,
				    struct kobj_attribute *attr,
				    const char *buf, size_t count)
{
	return store_timeout("resume_timeout", buf, &settings.resume_ms) ?:
	       count;
}

static struct kobj_attribute resume_timeout_attr = __ATTR_RW(resume_timeout);

static const char * const in_doubt_names[] = {
	[PMSM_DOUBT_HALT]	= "halt",
	[PMSM_DOUBT_OFF]	= "off",
	[PMSM_DOUBT_RUN]	= "run",
};

static ssize_t in_doubt_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%s\n", in_doubt_names[settings.in_doubt]);
}

static ssize_t in_doubt_store(struct kobject *kobj, struct kobj_attribute *attr,
			      const char *buf, size_t count)
{
	int policy;

	if (!may())
		return -EPERM;
	policy = sysfs_match_string(in_doubt_names, buf);
	if (policy < 0) {
		pr_err("in_doubt: \"%.16s\" is none of halt, off, run\n", buf);
		return policy;
	}
	mutex_lock(&settings_mutex);
	settings.in_doubt = policy;
	mutex_unlock(&settings_mutex);
	return count;
}

static struct kobj_attribute in_doubt_attr = __ATTR_RW(in_doubt);

static ssize_t blast_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	struct pmsm_settings s;
	unsigned int mib;
	int error;

	if (!may())
		return -EPERM;
	if (kstrtouint(buf, 10, &mib) || !mib)
		return -EINVAL;
	get_settings(&s);
	error = pmsm_blast(&s, mib);
	return error ? error : count;
}

static struct kobj_attribute blast_attr = __ATTR_WO(blast);

static ssize_t preflight_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	return pmsm_preflight_show(buf);
}

static ssize_t preflight_store(struct kobject *kobj,
			       struct kobj_attribute *attr, const char *buf,
			       size_t count)
{
	struct pmsm_settings s;
	int error;

	if (!may())
		return -EPERM;
	if (!sysfs_streq(buf, "1"))
		return -EINVAL;
	get_settings(&s);
	error = pmsm_preflight(&s);
	return error ?: count;
}

static struct kobj_attribute preflight_attr = __ATTR_RW(preflight);

static struct attribute *settings_attrs[] = {
	&listen_attr.attr,
	&nic_attr.attr,
	&nics_attr.attr,
	&target_attr.attr,
	&timeout_attr.attr,
	&resume_timeout_attr.attr,
	&in_doubt_attr.attr,
	&blast_attr.attr,
	&preflight_attr.attr,
	NULL,
};

static const struct attribute_group settings_group = {
	.attrs = settings_attrs,
};

static int __init pmsm_init(void)
{
	struct kobject *kobj = kobject_create_and_add("pmsm", power_kobj);
	int error;

	if (!kobj)
		return -ENOMEM;
	error = sysfs_create_group(kobj, &settings_group);
	if (!error)
		error = sysfs_create_groups(kobj, pmsm_stats_groups);
	if (error)
		kobject_put(kobj);
	return error;
}

/* power_kobj comes with core_initcall() */
postcore_initcall(pmsm_init);

static int __init pmsm_listen_at_boot(void)
{
	if (listen)
		start_listening(listen);
	return 0;
}

/* All devices are there, and nothing has been mounted: as for software_resume() */
late_initcall_sync(pmsm_listen_at_boot);
