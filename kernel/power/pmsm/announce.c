// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tell the network where this machine is now.
 *
 * Switches still send its frames to the source's port, until they see one with
 * its address come from here.  So every interface that is up sends gratuitous
 * ARP and unsolicited neighbour advertisements, as after the migration of a
 * virtual machine: VLANs and bridges too, and the interfaces of containers,
 * whose addresses are behind the same port.
 *
 * The first round leaves as soon as devices run; the later ones are for frames
 * that got lost.  A link that needs seconds to come up gets a round of its own.
 */

#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/workqueue.h>

#include <net/net_namespace.h>

#include "announce.h"
#include "tcp.h"

/* The first repetition comes after so long, each later one after twice that */
#define PMSM_ANNOUNCE_MS	25
#define PMSM_ANNOUNCE_ROUNDS	8
/* Besides the first: three equal ones look like a lost segment */
#define PMSM_TCP_ROUNDS		2
/* A link that comes up later than this is none of our business */
#define PMSM_ANNOUNCE_LINK_S	60

static void repeat(struct work_struct *work);

static DECLARE_DELAYED_WORK(repeat_work, repeat);
static unsigned int rounds;
static unsigned long link_until;
static bool link_came;

static bool has_neighbours(const struct net_device *dev)
{
	return netif_running(dev) && netif_device_present(dev) &&
	       netif_carrier_ok(dev) && !(dev->flags & IFF_LOOPBACK);
}

static void tell_all(void)
{
	struct net_device *dev;
	struct net *net;

	rtnl_lock();
	down_read(&net_rwsem);
	for_each_net(net)
		for_each_netdev(net, dev)
			if (has_neighbours(dev))
				__netdev_notify_peers(dev);
	up_read(&net_rwsem);
	rtnl_unlock();
	/* What was said before a link came up, nobody has heard */
	if (xchg(&link_came, false) || rounds < PMSM_TCP_ROUNDS)
		pmsm_tcp_release();
}

static void repeat(struct work_struct *work)
{
	tell_all();
	if (++rounds < PMSM_ANNOUNCE_ROUNDS)
		schedule_delayed_work(&repeat_work,
				      msecs_to_jiffies(PMSM_ANNOUNCE_MS << rounds));
}

/* Something happened to a link: have a round soon, out of this context */
static int link_event(struct notifier_block *block, unsigned long event,
		      void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if ((event == NETDEV_CHANGE || event == NETDEV_UP) &&
	    netif_carrier_ok(dev) && time_before(jiffies, link_until)) {
		WRITE_ONCE(link_came, true);
		mod_delayed_work(system_wq, &repeat_work, 0);
	}
	return NOTIFY_DONE;
}

static struct notifier_block link_block = {
	.notifier_call = link_event,
};

static bool watching;

/**
 * pmsm_announce - tell the network where this machine is now
 *
 * Call once devices run.  Sends the first round, and sees to the later ones.
 * May sleep.
 */
void pmsm_announce(void)
{
	if (!watching)
		watching = !register_netdevice_notifier(&link_block);
	rounds = 0;
	link_until = jiffies + PMSM_ANNOUNCE_LINK_S * HZ;
	tell_all();
	mod_delayed_work(system_wq, &repeat_work,
			 msecs_to_jiffies(PMSM_ANNOUNCE_MS));
}
