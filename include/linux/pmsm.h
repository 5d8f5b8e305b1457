/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical machine state migration: the seam between the migration
 * (kernel/power/pmsm/) and the polled NIC drivers (drivers/net/pmsm_xfer/).
 */
#ifndef _LINUX_PMSM_H
#define _LINUX_PMSM_H

#include <linux/if_ether.h>
#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/types.h>

struct module;
struct net_device;
struct pmsm_link;

/**
 * struct pmsm_link_ops - what a polled NIC driver does for the migration
 *
 * Only @open, @close and @restart may sleep.  The others run with interrupts off on the
 * only online CPU, between the freezing of all devices and the end of the
 * machine's image: they may not allocate, print, take a lock, or touch any
 * mutable state that is not in memory from pmsm_nosave_alloc().
 *
 * After a restore the driver's mutable state is garbage, and the device is
 * one that the driver has never seen.  @close must therefore work from what
 * @open set up and nothing else, and @open must start the device from reset.
 *
 * @open: Reset the device, set up its rings, start receiving.  Fills in
 *	@frame_size, @tx_slots, @rx_slots and @addr of the link.  Returns 0,
 *	or a negative errno after a message that names the reason.
 * @close: Free what @open allocated.  The device has been stopped before.
 * @restart: Start the device from reset again, with what @open allocated.  Works
 *	after a restore.  Fills in @addr, and @frame_size if it is less now.
 *	May sleep.  Returns as @open.
 * @stop: Reset the device.  No DMA happens after this returns.  Idempotent.
 * @carrier: Whether the cable is plugged in, as far as the device knows.
 * @tx_buf: The frame buffer of transmit slot @slot, @frame_size bytes.  May be
 *	written while tx_idle() says so.
 * @tx_idle: Whether the device is done with slot @slot, and can take it.
 * @send: Queue @len bytes of slot @slot.  Returns 0, or -EBUSY while it is not
 *	idle.  Nothing needs to be sent before @kick.
 * @kick: Tell the device about all queued slots.
 * @recv: The oldest received frame and its length in @len, or NULL.  The
 *	buffer stays valid until @recv_done.
 * @recv_done: Give the buffer that @recv returned back to the device.
 */
struct pmsm_link_ops {
	int (*open)(struct pmsm_link *link);
	void (*close)(struct pmsm_link *link);
	int (*restart)(struct pmsm_link *link);
	void (*stop)(struct pmsm_link *link);
	bool (*carrier)(struct pmsm_link *link);
	void *(*tx_buf)(struct pmsm_link *link, unsigned int slot);
	bool (*tx_idle)(struct pmsm_link *link, unsigned int slot);
	int (*send)(struct pmsm_link *link, unsigned int slot, unsigned int len);
	void (*kick)(struct pmsm_link *link);
	void *(*recv)(struct pmsm_link *link, unsigned int *len);
	void (*recv_done)(struct pmsm_link *link);
};

/**
 * struct pmsm_link - one dedicated transfer NIC
 * @name: Bus address of the device, such as "0000:00:04.0".
 * @ops: What the driver does.
 * @owner: Module of the driver, pinned while the link is in use.
 * @sends: Most frames will go out, as on a source, rather than come in; set
 *	before @ops->open.  The other direction needs few buffers.
 * @addr: Ethernet address, valid after @ops->open.
 * @frame_size: Longest frame in bytes, Ethernet header included, FCS not.
 * @tx_slots: Number of transmit slots.
 * @rx_slots: Number of receive buffers that the device can fill.
 * @priv: The driver's own.
 * @list: Entry in the list of links, for kernel/power/pmsm/link.c.
 * @busy: In use by a migration, for kernel/power/pmsm/link.c.
 */
struct pmsm_link {
	const char *name;
	const struct pmsm_link_ops *ops;
	struct module *owner;
	bool sends;
	u8 addr[ETH_ALEN];
	unsigned int frame_size;
	unsigned int tx_slots;
	unsigned int rx_slots;
	void *priv;
	struct list_head list;
	bool busy;
};

int pmsm_link_register(struct pmsm_link *link);
void pmsm_link_unregister(struct pmsm_link *link);
const char *pmsm_listen_nic(void);

#ifdef CONFIG_PMSM
u64 pmsm_sleep_time(u64 counted);

DECLARE_STATIC_KEY_FALSE(pmsm_gate_key);
bool __pmsm_net_gated(const struct net_device *dev);
void __pmsm_write_gate(void);

/* Drop this frame: nobody may know yet that this machine is here */
static inline bool pmsm_net_gated(const struct net_device *dev)
{
	return static_branch_unlikely(&pmsm_gate_key) && __pmsm_net_gated(dev);
}

/* Before anything is written to a block device; may sleep */
static inline void pmsm_write_gate(void)
{
	if (static_branch_unlikely(&pmsm_gate_key))
		__pmsm_write_gate();
}
#else
static inline bool pmsm_net_gated(const struct net_device *dev)
{
	return false;
}

static inline void pmsm_write_gate(void)
{
}

static inline u64 pmsm_sleep_time(u64 counted)
{
	return counted;
}
#endif

void *pmsm_nosave_alloc(size_t size);
void pmsm_nosave_free(void *mem);

#endif /* _LINUX_PMSM_H */
