// SPDX-License-Identifier: GPL-2.0-only
/*
 * Polled driver for a modern virtio-net PCI device.
 *
 * One receive and one transmit queue, split rings, one descriptor a frame, no
 * interrupts, no offloads.  See "Virtual I/O Device (VIRTIO) Version 1.1",
 * sections 2.6 (split virtqueues), 4.1 (PCI) and 5.1 (network device).
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pmsm.h>
#include <linux/slab.h>
#include <linux/virtio_byteorder.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci_modern.h>
#include <linux/virtio_ring.h>

#include "pmsm_xfer.h"

#define VNET_RX			0
#define VNET_TX			1
#define VNET_QUEUES		2

/* Descriptors or frame buffers of a queue */
#define VNET_QUEUE_MIN		32
#define VNET_QUEUE_MAX		1024
/* What is enough for the direction in which only answers go */
#define VNET_QUEUE_ANSWERS	64
/* Frame buffers may take this much of the machine's memory: 1 / 64 */
#define VNET_MEMORY_SHIFT	6

/* Leaves the virtio header before, and puts payloads at a cache line */
#define VNET_FRAME_OFFSET	16
#define VNET_HDR_LEN		sizeof(struct virtio_net_hdr_v1)

#define VNET_RESET_TRIES	1000
#define VNET_RESET_DELAY_US	100

static char *nic;
module_param(nic, charp, 0444);
MODULE_PARM_DESC(nic, "PCI address of the NIC to take, such as 0000:00:04.0");

static unsigned int mtu;
module_param(mtu, uint, 0444);
MODULE_PARM_DESC(mtu, "MTU of the link in bytes (default: what the device advises, else 1500)");

/**
 * struct vnet_ring_state - what changes while a queue runs
 * @avail_idx: Our copy of the available ring's index.
 * @used_idx: How far we have read the used ring.
 * @kicked_idx: How far the device has been told.
 * @nr_free: Descriptors that the device does not have.
 * @free: Those.
 * @owner: By descriptor: the buffer that it points at.
 * @queued: By buffer: the device has it.
 *
 * The last four are for the transmit queue.
 *
 * In memory that the image leaves out.
 */
struct vnet_ring_state {
	u16 avail_idx;
	u16 used_idx;
	u16 kicked_idx;
	u16 nr_free;
	u16 free[VNET_QUEUE_MAX];
	u16 owner[VNET_QUEUE_MAX];
	bool queued[VNET_QUEUE_MAX];
};

/**
 * struct vnet_queue - one virtqueue
 * @num: Descriptors, a power of two.
 * @nr_bufs: Buffers.  In the receive queue, descriptor n always points at
 *	buffer n.  The transmit queue may have more buffers than descriptors:
 *	what was sent must stay until it is acknowledged.
 * @ring: Where descriptors and rings are.
 * @ring_mem: The memory of that.
 * @state: Indices.
 * @buf: The buffers.
 * @notify: Doorbell.
 *
 * Everything in this structure stays as it is from open to close.
 */
struct vnet_queue {
	u16 num;
	u16 nr_bufs;
	struct vring ring;
	void *ring_mem;
	struct vnet_ring_state *state;
	void *buf[VNET_QUEUE_MAX];
	void __iomem *notify;
};

/**
 * struct vnet - the device
 * @link: What the migration sees of it.
 * @mdev: What the virtio PCI library knows of it.
 * @features: Negotiated.
 * @queue: Receive and transmit queue.
 */
struct vnet {
	struct pmsm_link link;
	struct virtio_pci_modern_device mdev;
	u64 features;
	struct vnet_queue queue[VNET_QUEUES];
};

/* A modern device is little-endian */
static __virtio16 vnet16(u16 value)
{
	return __cpu_to_virtio16(true, value);
}

static __virtio32 vnet32(u32 value)
{
	return __cpu_to_virtio32(true, value);
}

static __virtio64 vnet64(u64 value)
{
	return __cpu_to_virtio64(true, value);
}

static u16 from_vnet16(__virtio16 value)
{
	return __virtio16_to_cpu(true, value);
}

static u32 from_vnet32(__virtio32 value)
{
	return __virtio32_to_cpu(true, value);
}

static bool vnet_has(const struct vnet *vnet, unsigned int bit)
{
	return vnet->features & BIT_ULL(bit);
}

static struct virtio_net_config __iomem *vnet_config(struct vnet *vnet)
{
	return vnet->mdev.device;
}

static void vnet_stop(struct pmsm_link *link)
{
	struct vnet *vnet = link->priv;
	int tries = VNET_RESET_TRIES;

	vp_modern_set_status(&vnet->mdev, 0);
	/* Reset is over when the status reads as zero: 4.1.4.3.2 */
	while (vp_modern_get_status(&vnet->mdev) && --tries)
		udelay(VNET_RESET_DELAY_US);
}

static int vnet_negotiate(struct vnet *vnet)
{
	static const u64 wanted = BIT_ULL(VIRTIO_F_VERSION_1) |
				  BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |
				  BIT_ULL(VIRTIO_NET_F_MAC) |
				  BIT_ULL(VIRTIO_NET_F_MTU) |
				  BIT_ULL(VIRTIO_NET_F_STATUS);
	struct virtio_pci_modern_device *mdev = &vnet->mdev;
	u8 status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	vp_modern_set_status(mdev, status);
	vnet->features = vp_modern_get_features(mdev) & wanted;
	if (!vnet_has(vnet, VIRTIO_F_VERSION_1)) {
		pr_err("%s: not a modern virtio device: start it with disable-legacy=on\n",
		       vnet->link.name);
		return -ENODEV;
	}

	vp_modern_set_features(mdev, vnet->features);
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	vp_modern_set_status(mdev, status);
	if (!(vp_modern_get_status(mdev) & VIRTIO_CONFIG_S_FEATURES_OK)) {
		pr_err("%s: device refuses features %#llx\n", vnet->link.name,
		       vnet->features);
		return -EIO;
	}
	return 0;
}

static int vnet_frame_size(struct vnet *vnet)
{
	unsigned int advised = ETH_DATA_LEN;
	unsigned int chosen = mtu;

	if (vnet_has(vnet, VIRTIO_NET_F_MTU)) {
		advised = vp_ioread16((__le16 __iomem *)&vnet_config(vnet)->mtu);
		if (chosen > advised) {
			pr_err("%s: mtu=%u is more than the device's %u\n",
			       vnet->link.name, chosen, advised);
			return -EINVAL;
		}
	}
	if (!chosen)
		chosen = advised;
	if (chosen < ETH_DATA_LEN || chosen > ETH_MAX_MTU - VNET_FRAME_OFFSET) {
		pr_err("%s: an MTU of %u is not between %u and %u\n",
		       vnet->link.name, chosen, ETH_DATA_LEN,
		       ETH_MAX_MTU - VNET_FRAME_OFFSET);
		return -EINVAL;
	}
	vnet->link.frame_size = chosen + ETH_HLEN;
	return 0;
}

/* It has to be the same for the restored kernel: the source knows its peer by it */
static int vnet_read_addr(struct vnet *vnet)
{
	int i;

	if (!vnet_has(vnet, VIRTIO_NET_F_MAC)) {
		pr_err("%s: the device has no Ethernet address of its own: have the host give it one\n",
		       vnet->link.name);
		return -EOPNOTSUPP;
	}
	for (i = 0; i < ETH_ALEN; i++)
		vnet->link.addr[i] = vp_ioread8(&vnet_config(vnet)->mac[i]);
	return 0;
}

/*
 * syscore_suspend() turns the IOMMU's translation off, and the machine's
 * memory is sent after that, so both must agree on every address.
 */
static int vnet_check_dma(struct vnet *vnet, void *mem, size_t size)
{
	struct device *dev = &vnet->mdev.pci_dev->dev;
	dma_addr_t addr;

	if (!vnet_has(vnet, VIRTIO_F_ACCESS_PLATFORM))
		return 0;

	addr = dma_map_single(dev, mem, size, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(dev, addr))
		return -EIO;
	dma_unmap_single(dev, addr, size, DMA_BIDIRECTIONAL);
	if (addr == virt_to_phys(mem))
		return 0;

	pr_err("%s: an IOMMU translates this device's addresses: boot with iommu=pt\n",
	       vnet->link.name);
	return -EOPNOTSUPP;
}

static void vnet_free_queue(struct vnet *vnet, struct vnet_queue *queue)
{
	int i;

	for (i = 0; i < queue->nr_bufs; i++)
		pmsm_nosave_free(queue->buf[i]);
	pmsm_nosave_free(queue->state);
	pmsm_nosave_free(queue->ring_mem);
	if (queue->notify && !vnet->mdev.notify_base)
		pci_iounmap(vnet->mdev.pci_dev, queue->notify);
	memset(queue, 0, sizeof(*queue));
}

/*
 * Make do with so many buffers.  Split rings have a power of two descriptors:
 * 2.6.  What is received needs a buffer for each, and no more.
 */
static void vnet_trim_queue(struct vnet_queue *queue, int index,
			    unsigned int nr_bufs)
{
	queue->num = min(queue->num, rounddown_pow_of_two(nr_bufs));
	queue->nr_bufs = index == VNET_RX ? queue->num : nr_bufs;
	for (; nr_bufs > queue->nr_bufs; nr_bufs--) {
		pmsm_nosave_free(queue->buf[nr_bufs - 1]);
		queue->buf[nr_bufs - 1] = NULL;
	}
}

static int vnet_alloc_buffers(struct vnet *vnet, int index)
{
	size_t size = VNET_FRAME_OFFSET + vnet->link.frame_size;
	struct vnet_queue *queue = &vnet->queue[index];
	int i, error;

	for (i = 0; i < queue->nr_bufs; i++) {
		queue->buf[i] = pmsm_nosave_alloc(size);
		if (!queue->buf[i])
			break;
		error = vnet_check_dma(vnet, queue->buf[i], size);
		if (error)
			return error;
	}
	if (i < VNET_QUEUE_MIN)
		return -ENOMEM;
	/* Memory may be short: fewer do as well */
	vnet_trim_queue(queue, index, i);
	return 0;
}

static void vnet_describe(struct vnet_queue *queue, u16 id, u16 buf,
			  unsigned int len)
{
	struct vring_desc *desc = &queue->ring.desc[id];

	desc->addr = vnet64(virt_to_phys(queue->buf[buf]) +
			    VNET_FRAME_OFFSET - VNET_HDR_LEN);
	desc->len = vnet32(VNET_HDR_LEN + len);
}

static void vnet_init_descriptors(struct vnet *vnet, struct vnet_queue *queue,
				  int index)
{
	int i;

	for (i = 0; i < queue->num; i++) {
		if (index == VNET_RX) {
			vnet_describe(queue, i, i, vnet->link.frame_size);
			queue->ring.desc[i].flags = vnet16(VRING_DESC_F_WRITE);
		} else {
			queue->state->free[queue->state->nr_free++] = i;
		}
	}
	queue->ring.avail->flags = vnet16(VRING_AVAIL_F_NO_INTERRUPT);
}

/* How many descriptors, and how many buffers */
static int vnet_size_queue(struct vnet *vnet, int index)
{
	size_t frame = PAGE_ALIGN(VNET_FRAME_OFFSET + vnet->link.frame_size);
	unsigned long memory = get_num_physpages() << (PAGE_SHIFT - VNET_MEMORY_SHIFT);
	struct vnet_queue *queue = &vnet->queue[index];
	unsigned int num, bufs = VNET_QUEUE_ANSWERS;

	if (index == (vnet->link.sends ? VNET_TX : VNET_RX))
		bufs = min_t(unsigned long, VNET_QUEUE_MAX, memory / frame);
	bufs = max(bufs, VNET_QUEUE_MIN);

	num = vp_modern_get_queue_size(&vnet->mdev, index);
	if (num < VNET_QUEUE_MIN) {
		pr_err("%s: queue %d has %u descriptors, needs %u\n",
		       vnet->link.name, index, num, VNET_QUEUE_MIN);
		return -ENODEV;
	}
	queue->num = rounddown_pow_of_two(min(num, VNET_QUEUE_MAX));
	vnet_trim_queue(queue, index, bufs);
	return 0;
}

static int vnet_alloc_queue(struct vnet *vnet, int index)
{
	struct vnet_queue *queue = &vnet->queue[index];
	int error = vnet_size_queue(vnet, index);

	if (error)
		return error;
	queue->ring_mem = pmsm_nosave_alloc(vring_size(queue->num, PAGE_SIZE));
	queue->state = pmsm_nosave_alloc(sizeof(*queue->state));
	if (!queue->ring_mem || !queue->state)
		return -ENOMEM;
	error = vnet_check_dma(vnet, queue->ring_mem,
			       vring_size(queue->num, PAGE_SIZE));
	if (error)
		return error;
	return vnet_alloc_buffers(vnet, index);
}

static int vnet_start_queue(struct vnet *vnet, int index)
{
	struct virtio_pci_modern_device *mdev = &vnet->mdev;
	struct vnet_queue *queue = &vnet->queue[index];

	/* After a restore another device may be in the same place */
	if (vp_modern_get_queue_size(mdev, index) < queue->num) {
		pr_err("%s: queue %d has %u descriptors, needs %u\n",
		       vnet->link.name, index,
		       vp_modern_get_queue_size(mdev, index), queue->num);
		return -ENODEV;
	}
	memset(queue->ring_mem, 0, vring_size(queue->num, PAGE_SIZE));
	memset(queue->state, 0, sizeof(*queue->state));
	vring_init(&queue->ring, queue->num, queue->ring_mem, PAGE_SIZE);
	vnet_init_descriptors(vnet, queue, index);
	vp_modern_set_queue_size(mdev, index, queue->num);
	vp_modern_queue_address(mdev, index, virt_to_phys(queue->ring.desc),
				virt_to_phys(queue->ring.avail),
				virt_to_phys(queue->ring.used));
	if (!queue->notify)
		queue->notify = vp_modern_map_vq_notify(mdev, index, NULL);
	if (!queue->notify)
		return -ENOMEM;
	vp_modern_set_queue_enable(mdev, index, true);
	return 0;
}

static void vnet_queue_desc(struct vnet_queue *queue, u16 id)
{
	struct vnet_ring_state *state = queue->state;

	queue->ring.avail->ring[state->avail_idx % queue->num] =
		vnet16(id);
	state->avail_idx++;
	/* The device must see the entry before the index that covers it */
	wmb();
	WRITE_ONCE(queue->ring.avail->idx, vnet16(state->avail_idx));
}

static void vnet_notify(struct vnet_queue *queue, int index)
{
	/* Our index must be out before we read whether the device sleeps */
	mb();
	if (!(READ_ONCE(queue->ring.used->flags) &
	      vnet16(VRING_USED_F_NO_NOTIFY)))
		vp_iowrite16(index, queue->notify);
}

static void vnet_close(struct pmsm_link *link)
{
	struct vnet *vnet = link->priv;
	int i;

	for (i = 0; i < VNET_QUEUES; i++)
		vnet_free_queue(vnet, &vnet->queue[i]);
	pci_clear_master(vnet->mdev.pci_dev);
}

/* From reset to the point where queues can be set up */
static int vnet_begin(struct vnet *vnet)
{
	int error;

	vnet_stop(&vnet->link);
	pci_set_master(vnet->mdev.pci_dev);
	pci_intx(vnet->mdev.pci_dev, 0);

	error = vnet_negotiate(vnet);
	if (!error)
		error = vnet_frame_size(vnet);
	return error ?: vnet_read_addr(vnet);
}

static int vnet_start(struct vnet *vnet)
{
	struct vnet_queue *rx = &vnet->queue[VNET_RX];
	int i, error = 0;
	u8 status;

	for (i = 0; i < VNET_QUEUES && !error; i++)
		error = vnet_start_queue(vnet, i);
	if (error)
		return error;

	status = vp_modern_get_status(&vnet->mdev);
	vp_modern_set_status(&vnet->mdev, status | VIRTIO_CONFIG_S_DRIVER_OK);
	for (i = 0; i < rx->num; i++)
		vnet_queue_desc(rx, i);
	vnet_notify(rx, VNET_RX);
	return 0;
}

static int vnet_open(struct pmsm_link *link)
{
	struct vnet *vnet = link->priv;
	int i, error = vnet_begin(vnet);

	for (i = 0; i < VNET_QUEUES && !error; i++)
		error = vnet_alloc_queue(vnet, i);
	if (!error)
		error = vnet_start(vnet);
	if (error == -ENOMEM)
		pr_err("%s: no memory for rings\n", link->name);
	if (error)
		goto fail;
	link->rx_slots = vnet->queue[VNET_RX].nr_bufs;
	link->tx_slots = vnet->queue[VNET_TX].nr_bufs;
	return 0;

fail:
	vnet_stop(link);
	vnet_close(link);
	return error;
}

static int vnet_restart(struct pmsm_link *link)
{
	struct vnet *vnet = link->priv;
	unsigned int room = link->frame_size;
	int error = vnet_begin(vnet);

	/* Buffers are as large as they are */
	link->frame_size = min(link->frame_size, room);
	return error ?: vnet_start(vnet);
}

static bool vnet_carrier(struct pmsm_link *link)
{
	struct vnet *vnet = link->priv;
	u16 status;

	if (!vnet_has(vnet, VIRTIO_NET_F_STATUS))
		return true;
	status = vp_ioread16((__le16 __iomem *)&vnet_config(vnet)->status);
	return status & VIRTIO_NET_S_LINK_UP;
}

static struct vnet_queue *vnet_queue(struct pmsm_link *link, int index)
{
	struct vnet *vnet = link->priv;

	return &vnet->queue[index];
}

static void *vnet_tx_buf(struct pmsm_link *link, unsigned int slot)
{
	return vnet_queue(link, VNET_TX)->buf[slot] + VNET_FRAME_OFFSET;
}

/* The next buffer that the device has used, or NULL */
static struct vring_used_elem *vnet_used(struct vnet_queue *queue)
{
	struct vnet_ring_state *state = queue->state;

	if (from_vnet16(READ_ONCE(queue->ring.used->idx)) == state->used_idx)
		return NULL;
	/* The entry may be read only after the index that covers it */
	rmb();
	return &queue->ring.used->ring[state->used_idx % queue->num];
}

static void vnet_reap(struct vnet_queue *queue)
{
	struct vnet_ring_state *state = queue->state;
	struct vring_used_elem *used;
	u16 id;

	while (state->nr_free < queue->num && (used = vnet_used(queue))) {
		id = from_vnet32(used->id) % queue->num;
		state->queued[state->owner[id]] = false;
		state->free[state->nr_free++] = id;
		state->used_idx++;
	}
}

static bool vnet_tx_idle(struct pmsm_link *link, unsigned int slot)
{
	struct vnet_queue *queue = vnet_queue(link, VNET_TX);
	struct vnet_ring_state *state = queue->state;

	if (state->queued[slot] || !state->nr_free)
		vnet_reap(queue);
	return !state->queued[slot] && state->nr_free;
}

static int vnet_send(struct pmsm_link *link, unsigned int slot,
		     unsigned int len)
{
	struct vnet_queue *queue = vnet_queue(link, VNET_TX);
	struct vnet_ring_state *state = queue->state;
	u16 id;

	if (!vnet_tx_idle(link, slot))
		return -EBUSY;
	id = state->free[--state->nr_free];
	state->owner[id] = slot;
	state->queued[slot] = true;
	vnet_describe(queue, id, slot, len);
	vnet_queue_desc(queue, id);
	return 0;
}

static void vnet_kick(struct pmsm_link *link)
{
	struct vnet_queue *queue = vnet_queue(link, VNET_TX);

	if (queue->state->avail_idx == queue->state->kicked_idx)
		return;
	queue->state->kicked_idx = queue->state->avail_idx;
	vnet_notify(queue, VNET_TX);
}

static void *vnet_recv(struct pmsm_link *link, unsigned int *len)
{
	struct vnet_queue *queue = vnet_queue(link, VNET_RX);
	struct vring_used_elem *used = vnet_used(queue);
	u32 bytes;

	if (!used)
		return NULL;
	bytes = min_t(u32, from_vnet32(used->len),
		      VNET_HDR_LEN + link->frame_size);
	*len = bytes < VNET_HDR_LEN ? 0 : bytes - VNET_HDR_LEN;
	return queue->buf[from_vnet32(used->id) % queue->num] +
	       VNET_FRAME_OFFSET;
}

static void vnet_recv_done(struct pmsm_link *link)
{
	struct vnet_queue *queue = vnet_queue(link, VNET_RX);
	struct vring_used_elem *used = vnet_used(queue);
	u16 id;

	if (!used)
		return;
	id = from_vnet32(used->id) % queue->num;
	queue->state->used_idx++;
	vnet_queue_desc(queue, id);
	vnet_notify(queue, VNET_RX);
}

static const struct pmsm_link_ops vnet_ops = {
	.open		= vnet_open,
	.close		= vnet_close,
	.restart	= vnet_restart,
	.stop		= vnet_stop,
	.carrier	= vnet_carrier,
	.tx_buf		= vnet_tx_buf,
	.tx_idle	= vnet_tx_idle,
	.send		= vnet_send,
	.kick		= vnet_kick,
	.recv		= vnet_recv,
	.recv_done	= vnet_recv_done,
};

static int vnet_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vnet *vnet;
	int error;

	vnet = kzalloc(sizeof(*vnet), GFP_KERNEL);
	if (!vnet)
		return -ENOMEM;

	error = pci_enable_device(pdev);
	if (error)
		goto free;

	vnet->mdev.pci_dev = pdev;
	error = vp_modern_probe(&vnet->mdev);
	if (error) {
		dev_err(&pdev->dev, "not a modern virtio device: start it with disable-legacy=on\n");
		goto disable;
	}
	if (vnet->mdev.id.device != VIRTIO_ID_NET || !vnet->mdev.device) {
		dev_err(&pdev->dev, "virtio device %u is not a NIC\n",
			vnet->mdev.id.device);
		error = -ENODEV;
		goto remove;
	}

	vnet->link.name = pci_name(pdev);
	vnet->link.ops = &vnet_ops;
	vnet->link.owner = THIS_MODULE;
	vnet->link.priv = vnet;
	pci_set_drvdata(pdev, vnet);
	error = pmsm_link_register(&vnet->link);
	if (error)
		goto remove;
	return 0;

remove:
	vp_modern_remove(&vnet->mdev);
disable:
	pci_disable_device(pdev);
free:
	kfree(vnet);
	return error;
}

static void vnet_remove(struct pci_dev *pdev)
{
	struct vnet *vnet = pci_get_drvdata(pdev);

	pmsm_link_unregister(&vnet->link);
	vnet_stop(&vnet->link);
	vp_modern_remove(&vnet->mdev);
	pci_disable_device(pdev);
	kfree(vnet);
}

/*
 * The migration runs through all of these phases and needs the device awake
 * in every one.  Without callbacks the PCI core would disable it.
 */
static int vnet_leave_alone(struct device *dev)
{
	return 0;
}

static const struct dev_pm_ops vnet_pm_ops = {
	.freeze		= vnet_leave_alone,
	.thaw		= vnet_leave_alone,
	.poweroff	= vnet_leave_alone,
	.restore	= vnet_leave_alone,
};

static struct pci_driver vnet_driver = {
	.name		= KBUILD_MODNAME,
	.probe		= vnet_probe,
	.remove		= vnet_remove,
	.driver.pm	= &vnet_pm_ops,
};

static int __init vnet_init(void)
{
	return pmsm_xfer_register(&vnet_driver, nic);
}

/* After the PCI bus was scanned, before ordinary drivers look at it */
fs_initcall(vnet_init);

static void __exit vnet_exit(void)
{
	pci_unregister_driver(&vnet_driver);
}
module_exit(vnet_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Polled virtio-net driver for physical machine state migration");
