/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire format of physical machine state migration, whole.
 * Documentation/power/pmsm-protocol.rst says what it means.
 *
 * All numbers are in network byte order.
 */
#ifndef _PMSM_WIRE_H
#define _PMSM_WIRE_H

#include <linux/if_ether.h>
#include <linux/types.h>

/* IEEE 802 Local Experimental EtherType 1, for experiments on a wire of one's own */
#define PMSM_ETHERTYPE		0x88B5

#define PMSM_MAGIC		0x504d534d	/* "PMSM" */
#define PMSM_VERSION		2

/* Longest receive window in frames: the width of a selective acknowledgment */
#define PMSM_WINDOW_MAX		1024

/**
 * enum pmsm_type - what a frame carries
 *
 * @PMSM_HELLO: source: may this machine move to you?
 * @PMSM_ACCEPT: target: it may.
 * @PMSM_BEGIN: source: it stands still, this is the image.
 * @PMSM_MAP: source: these page frames are the image.
 * @PMSM_DATA: source: contents of memory.
 * @PMSM_ZERO: source: these page frames hold zeroes.
 * @PMSM_END: source: that was the image, count and digest.
 * @PMSM_VERIFIED: target: it is here, whole, and I can restore it.
 * @PMSM_PREPARE: source: restore it, wake its devices, and run nothing.
 * @PMSM_RESUMED: restored kernel: devices work.
 * @PMSM_READY: restored kernel: say the word, and I run.
 * @PMSM_COMMIT: source: I shall not run again, it is yours.
 * @PMSM_COMMITTED: restored kernel: it is mine.
 * @PMSM_DEVICES: target: some of the devices that I have.
 * @PMSM_VERDICT: target: that was all, and this is what I have against it.
 * @PMSM_SEQUENCED: number of the types above, which are delivered reliably
 *	and in order.  The ones below are not.
 * @PMSM_ACK: selective acknowledgment.
 * @PMSM_REFUSE: target: no, because.
 * @PMSM_RESET: either side: this migration is off, because.
 * @PMSM_DONE: source: I know that it is yours, stop telling me.
 * @PMSM_BLAST: a full frame for measuring the link.
 * @PMSM_BLAST_END: how many of those have you seen, and in what time?
 * @PMSM_BLAST_REPORT: the answer to that.
 * @PMSM_TYPES: end of the list.
 */
enum pmsm_type {
	PMSM_HELLO,
	PMSM_ACCEPT,
	PMSM_BEGIN,
	PMSM_MAP,
	PMSM_DATA,
	PMSM_ZERO,
	PMSM_END,
	PMSM_VERIFIED,
	PMSM_PREPARE,
	PMSM_RESUMED,
	PMSM_READY,
	PMSM_COMMIT,
	PMSM_COMMITTED,
	PMSM_DEVICES,
	PMSM_VERDICT,
	PMSM_SEQUENCED,
	PMSM_ACK = PMSM_SEQUENCED,
	PMSM_REFUSE,
	PMSM_RESET,
	PMSM_DONE,
	PMSM_BLAST,
	PMSM_BLAST_END,
	PMSM_BLAST_REPORT,
	PMSM_TYPES,
};

/**
 * struct pmsm_frame - head of every frame
 * @dst: Ethernet destination.
 * @src: Ethernet source.
 * @ethertype: %PMSM_ETHERTYPE.
 * @version: %PMSM_VERSION.  This field, those before it, @magic, @len and @crc
 *	keep their places and meanings in every later version.
 * @type: enum pmsm_type.
 * @magic: %PMSM_MAGIC.
 * @len: Bytes of payload after this header.
 * @window: How many frames beyond @ack the sender is ready to hold.
 * @session: Random odd number that the source chose for this migration; plus
 *	one from RESUMED on.
 * @seq: Place of this frame among the sequenced ones of its sender, from 0.
 *	Of an unsequenced frame: 0.
 * @ack: Next @seq that the sender of this frame expects.
 * @crc: CRC32C over the frame from @ethertype to the end of the payload, this
 *	field left out.
 * @pad: Zero.  Makes the payload start at a multiple of 8.
 * @payload: @len bytes.
 */
struct pmsm_frame {
	u8 dst[ETH_ALEN];
	u8 src[ETH_ALEN];
	__be16 ethertype;
	u8 version;
	u8 type;
	__be32 magic;
	__be16 len;
	__be16 window;
	__be64 session;
	__be32 seq;
	__be32 ack;
	__be32 crc;
	__be32 pad;
	u8 payload[];
} __packed __aligned(4);

/* Where the bytes begin that @crc covers */
#define PMSM_CRC_START		offsetof(struct pmsm_frame, ethertype)

/**
 * struct pmsm_wire_run - consecutive page frames
 * @pfn: First page frame number.
 * @nr: How many.
 */
struct pmsm_wire_run {
	__be64 pfn;
	__be64 nr;
} __packed;

/**
 * struct pmsm_wire_region - memory that the firmware keeps for itself
 * @start: First byte.
 * @len: How many.
 * @type: As in the e820 map.
 */
struct pmsm_wire_region {
	__be64 start;
	__be64 len;
	u8 type;
} __packed;

/**
 * enum pmsm_irq_mode - how interrupts reach the CPUs
 * @PMSM_IRQ_PIC: Through a pair of 8259.
 * @PMSM_IRQ_XAPIC: Through APICs, local ones seen in memory.
 * @PMSM_IRQ_X2APIC: Through APICs, local ones seen in registers.
 */
enum pmsm_irq_mode {
	PMSM_IRQ_PIC,
	PMSM_IRQ_XAPIC,
	PMSM_IRQ_X2APIC,
};

/* Bits of @flags in struct pmsm_wire_hello: only asking, nothing is to stop */
#define PMSM_HELLO_DRY_RUN	1

/* Bits of @encryption in struct pmsm_wire_hello */
#define PMSM_ENCRYPTED_SME	1	/* memory is, by the kernel's choice */
#define PMSM_ENCRYPTED_GUEST	2	/* hidden from a hypervisor: SEV, TDX */
#define PMSM_ENCRYPTED_TDX	4	/* the CPU can host such guests */

/* Lengths in struct pmsm_wire_hello */
#define PMSM_UTS_LEN		65
#define PMSM_BUILD_ID_LEN	20
#define PMSM_VENDOR_LEN		16
#define PMSM_CAPS		32
#define PMSM_RAM_RANGES		32
#define PMSM_REGIONS		30

/**
 * struct pmsm_wire_hello - what a machine says of itself (HELLO, ACCEPT)
 * @release: Kernel release, as uname -r.
 * @build: Kernel build, as uname -v.
 * @build_id: Build id of the kernel image, zeroes if it has none.
 * @cpu_vendor: CPUID vendor string.
 * @nr_caps: Words in use of @caps.
 * @caps: CPU capabilities, numbered as in this kernel release.
 * @xsave_size: Bytes of the CPU's extended state.
 * @paging_levels: Depth of the kernel's page tables.
 * @cpus: CPUs online.
 * @firmware_crc: CRC32C over the memory map's parts that are not RAM.
 * @pages: Source: about how many it will send.  Target: how many it can hold.
 * @nr_ram: Ranges in use of @ram.
 * @frame_size: Longest frame that it can receive, Ethernet header included.
 * @flags: Source: %PMSM_HELLO_DRY_RUN.
 * @tsc_khz: Frequency of the time stamp counter.
 * @irq_mode: enum pmsm_irq_mode.
 * @encryption: Of memory.
 * @nr_devices: Target: devices that DEVICES will tell of, in a dry run.
 * @nr_regions: Ranges in use of @regions.
 * @ram: Usable memory.
 * @regions: The first of the memory map's parts that are not RAM.
 */
struct pmsm_wire_hello {
	char release[PMSM_UTS_LEN];
	char build[PMSM_UTS_LEN];
	u8 build_id[PMSM_BUILD_ID_LEN];
	char cpu_vendor[PMSM_VENDOR_LEN];
	__be16 nr_caps;
	__be32 caps[PMSM_CAPS];
	__be32 xsave_size;
	__be16 paging_levels;
	__be16 cpus;
	__be32 firmware_crc;
	__be64 pages;
	__be16 nr_ram;
	__be16 frame_size;
	__be32 flags;
	__be32 tsc_khz;
	__be16 irq_mode;
	__be16 encryption;
	__be16 nr_devices;
	__be16 nr_regions;
	struct pmsm_wire_run ram[PMSM_RAM_RANGES];
	struct pmsm_wire_region regions[PMSM_REGIONS];
} __packed;

/* Bits of @flags in struct pmsm_wire_device: the NIC that this very frame uses */
#define PMSM_DEVICE_TRANSFER	1

/**
 * struct pmsm_wire_device - a PCI device (DEVICES)
 * @domain: PCI domain.
 * @bus: Bus number.
 * @devfn: Slot and function.
 * @vendor: Vendor id.
 * @device: Device id.
 * @flags: %PMSM_DEVICE_TRANSFER.
 */
struct pmsm_wire_device {
	__be32 domain;
	u8 bus;
	u8 devfn;
	__be16 vendor;
	__be16 device;
	__be16 flags;
} __packed;

/**
 * struct pmsm_wire_begin - the image as a whole (BEGIN)
 * @nr_pages: Page frames in the image.
 * @max_pfn: None of them is this or above.
 * @entry: Virtual address of the image kernel's entry point.
 * @entry_phys: Its physical address.
 * @page_table: Physical address of the image kernel's top-level page table.
 * @handover_pfn: Page frame, not in the image, that the target fills with a
 *	struct pmsm_handover.
 */
struct pmsm_wire_begin {
	__be64 nr_pages;
	__be64 max_pfn;
	__be64 entry;
	__be64 entry_phys;
	__be64 page_table;
	__be64 handover_pfn;
} __packed;

/**
 * struct pmsm_wire_data - memory contents (DATA)
 * @addr: Physical address of the first byte.
 * @bytes: The contents.
 */
struct pmsm_wire_data {
	__be64 addr;
	u8 bytes[];
} __packed;

/**
 * struct pmsm_wire_end - what should have arrived (END)
 * @data_pages: Pages sent in DATA frames.
 * @zero_pages: Pages named in ZERO frames.
 * @digest: Chained over the CRCs of all MAP, DATA and ZERO frames.
 */
struct pmsm_wire_end {
	__be64 data_pages;
	__be64 zero_pages;
	__be64 digest;
} __packed;

/**
 * enum pmsm_phase - where the time goes
 * @PMSM_PHASE_SYNC: write dirty data back.
 * @PMSM_PHASE_NEGOTIATE: find the target, compare, agree, make room.
 * @PMSM_PHASE_FREEZE: notify, stop processes.
 * @PMSM_PHASE_DEVICES: stop devices and other CPUs.
 * @PMSM_PHASE_SCAN: find the page frames of the image, wait for the target.
 * @PMSM_PHASE_STREAM: send them.
 * @PMSM_PHASE_VERIFY: the target checks and gets ready.
 * @PMSM_PHASE_RESTORE: say so, copy what lies elsewhere, jump.
 * @PMSM_PHASE_RESUME: start devices and CPUs.
 * @PMSM_PHASE_COMMIT: find the source again, and decide.
 * @PMSM_PHASE_THAW: start processes.
 * @PMSM_PHASE_SETTLE: processes run, and catch up.
 * @PMSM_PHASES: end of the list.
 *
 * Processes stand still from the middle of @PMSM_PHASE_FREEZE to the end of
 * @PMSM_PHASE_THAW.
 */
enum pmsm_phase {
	PMSM_PHASE_SYNC,
	PMSM_PHASE_NEGOTIATE,
	PMSM_PHASE_FREEZE,
	PMSM_PHASE_DEVICES,
	PMSM_PHASE_SCAN,
	PMSM_PHASE_STREAM,
	PMSM_PHASE_VERIFY,
	PMSM_PHASE_RESTORE,
	PMSM_PHASE_RESUME,
	PMSM_PHASE_COMMIT,
	PMSM_PHASE_THAW,
	PMSM_PHASE_SETTLE,
	PMSM_PHASES,
};

/**
 * struct pmsm_wire_prepare - the source's account of itself (PREPARE)
 * @phase_ns: Duration of the phases up to %PMSM_PHASE_VERIFY.
 * @stopped_ns: For how long the source's clock had been stopped when it sent this.
 * @held_ns: Time since VERIFIED had come, at that moment.
 * @data_bytes: Memory contents sent, retransmissions not counted.
 * @retransmits: Frames sent again.
 * @extra_pages: Memory that the source took for the move, rings apart.
 */
struct pmsm_wire_prepare {
	__be64 phase_ns[PMSM_PHASE_VERIFY + 1];
	__be64 stopped_ns;
	__be64 held_ns;
	__be64 data_bytes;
	__be64 retransmits;
	__be64 extra_pages;
} __packed;

/**
 * struct pmsm_wire_reason - why not (REFUSE, VERDICT, RESET)
 * @code: A positive Linux errno for the write() on the source; of a VERDICT: 0
 *	if there is nothing against it.
 * @text: Words for its log, not terminated.  RESET: one line.  The others: a
 *	reason a line, each with a newline; those that begin with
 *	%PMSM_WARNING do not stop the move.
 */
struct pmsm_wire_reason {
	__be32 code;
	char text[];
} __packed;

/**
 * struct pmsm_wire_sack - which later frames have arrived (ACK)
 * @bits: Bit n (bit n % 64 of word n / 64) says that frame @ack + 1 + n has.
 */
struct pmsm_wire_sack {
	__be64 bits[PMSM_WINDOW_MAX / 64];
} __packed;

/**
 * struct pmsm_wire_blast - result of a blast (BLAST_REPORT)
 * @frames: Frames that arrived.
 * @bytes: Their bytes, Ethernet headers included.
 * @ns: From the first to the last.
 */
struct pmsm_wire_blast {
	__be64 frames;
	__be64 bytes;
	__be64 ns;
} __packed;

#endif /* _PMSM_WIRE_H */
