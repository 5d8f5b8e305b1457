// SPDX-License-Identifier: GPL-2.0-only
/*
 * The transfer NICs that are there.
 */

#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pmsm.h>
#include <linux/string.h>

#include "after.h"
#include "fault.h"
#include "pmsm.h"

#define PMSM_CARRIER_TRIES	30
#define PMSM_CARRIER_DELAY_MS	100

static LIST_HEAD(pmsm_links);
static DEFINE_MUTEX(pmsm_links_mutex);

/**
 * pmsm_link_register - offer a transfer NIC
 * @link: The link; @name, @ops, @owner and @priv are set.
 *
 * Return: 0, or -EEXIST if there is one of that name.
 */
int pmsm_link_register(struct pmsm_link *link)
{
	struct pmsm_link *other;
	int error = 0;

	mutex_lock(&pmsm_links_mutex);
	list_for_each_entry(other, &pmsm_links, list)
		if (!strcmp(other->name, link->name))
			error = -EEXIST;
	if (!error)
		list_add_tail(&link->list, &pmsm_links);
	mutex_unlock(&pmsm_links_mutex);

	if (!error)
		pr_info("%s: ready as a transfer NIC\n", link->name);
	return error;
}
EXPORT_SYMBOL_GPL(pmsm_link_register);

/**
 * pmsm_link_unregister - withdraw a transfer NIC
 * @link: The link.
 *
 * The driver's module stays pinned while the link is in use, so nobody uses
 * it now unless the device was pulled out under a migration.
 */
void pmsm_link_unregister(struct pmsm_link *link)
{
	pmsm_after_end();
	mutex_lock(&pmsm_links_mutex);
	list_del(&link->list);
	if (link->busy)
		pr_crit("%s: transfer NIC removed while in use\n", link->name);
	mutex_unlock(&pmsm_links_mutex);
}
EXPORT_SYMBOL_GPL(pmsm_link_unregister);

static struct pmsm_link *find_link(const char *name)
{
	struct pmsm_link *link;

	list_for_each_entry(link, &pmsm_links, list)
		if (!*name || !strcmp(link->name, name))
			return link;
	return NULL;
}

/* Whether an operator who says nothing leaves a choice */
static bool ambiguous(const char *name)
{
	return !*name && !list_empty(&pmsm_links) &&
	       !list_is_singular(&pmsm_links);
}

/* Why there is no transfer NIC of that name, and what to do about it */
static void explain_missing(const char *name)
{
	struct device *dev = NULL;

	if (!*name) {
		pr_err("there is no transfer NIC: give one to a pmsm driver, such as pmsm_virtio_net.nic=0000:00:04.0\n");
		return;
	}
	if (IS_ENABLED(CONFIG_PCI))
		dev = bus_find_device_by_name(&pci_bus_type, NULL, name);
	if (!dev) {
		pr_err("there is no NIC %s\n", name);
		return;
	}
	if (dev->driver)
		pr_err("NIC %s is bound to the driver %s: unbind it and give it to a pmsm driver (driver_override)\n",
		       name, dev->driver->name);
	else
		pr_err("NIC %s has no pmsm driver: is it configured, and does it know this NIC?\n",
		       name);
	put_device(dev);
}

/* Find the link and make sure that its driver stays; errors have been told */
static struct pmsm_link *claim_link(const char *name)
{
	struct pmsm_link *link;
	int error = 0;

	mutex_lock(&pmsm_links_mutex);
	link = find_link(name);
	if (ambiguous(name)) {
		pr_err("there are several transfer NICs: name one in /sys/power/pmsm/nic\n");
		error = -EINVAL;
	} else if (!link) {
		explain_missing(name);
		error = -ENODEV;
	} else if (link->busy) {
		pr_err("%s: transfer NIC is in use\n", link->name);
		error = -EBUSY;
	} else if (!try_module_get(link->owner)) {
		error = -ENODEV;
	} else {
		link->busy = true;
	}
	mutex_unlock(&pmsm_links_mutex);
	return error ? ERR_PTR(error) : link;
}

static void release_link(struct pmsm_link *link)
{
	link = pmsm_fault_unwrap(link);
	mutex_lock(&pmsm_links_mutex);
	link->busy = false;
	mutex_unlock(&pmsm_links_mutex);
	module_put(link->owner);
}

/* A link that has just been started may take a moment to come up */
static bool wait_for_carrier(struct pmsm_link *link)
{
	int tries;

	for (tries = 0; tries < PMSM_CARRIER_TRIES; tries++) {
		if (link->ops->carrier(link))
			return true;
		msleep(PMSM_CARRIER_DELAY_MS);
	}
	return false;
}

/**
 * pmsm_link_get - take a transfer NIC for a migration
 * @name: Its name, or "" for the only one there is.
 * @sends: Most frames will go out, rather than come in.
 *
 * May sleep.
 *
 * Return: the link, opened, or an ERR_PTR() after a message that says why not.
 */
struct pmsm_link *pmsm_link_get(const char *name, bool sends)
{
	struct pmsm_link *link;
	int error;

	pmsm_after_end();
	link = claim_link(name);
	if (IS_ERR(link))
		return link;

	link->sends = sends;
	link = pmsm_fault_wrap(link);
	error = pmsm_fault(PMSM_STEP_LINK) ?: link->ops->open(link);
	if (error)
		goto release;
	if (wait_for_carrier(link))
		return link;

	pr_err("%s: no link: is the cable plugged in at both ends?\n",
	       link->name);
	error = -ENOLINK;
	link->ops->stop(link);
	link->ops->close(link);
release:
	release_link(link);
	return ERR_PTR(error);
}

/**
 * pmsm_link_put - give a transfer NIC back
 * @link: The link, stopped and closed here.
 *
 * May sleep.
 */
void pmsm_link_put(struct pmsm_link *link)
{
	link->ops->stop(link);
	link->ops->close(link);
	release_link(link);
}

/**
 * pmsm_links_show - list the transfer NICs
 * @buf: A sysfs page.
 *
 * Return: bytes written.
 */
ssize_t pmsm_links_show(char *buf)
{
	struct pmsm_link *link;
	ssize_t len = 0;

	mutex_lock(&pmsm_links_mutex);
	list_for_each_entry(link, &pmsm_links, list)
		len += sysfs_emit_at(buf, len, "%s\n", link->name);
	mutex_unlock(&pmsm_links_mutex);
	return len;
}
