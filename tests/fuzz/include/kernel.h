/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as the messages of the migration need, in user space.
 *
 * Every <linux/...> and <asm/...> header that they include, and that is neither
 * in this folder nor the host's, is this one.  What the world around them does
 * is in kernel.c, memory.c and machine.c.
 */
#ifndef _FUZZ_KERNEL_H
#define _FUZZ_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_ether.h>
#include <linux/types.h>

struct page;

/* The compiler; the Makefile has the attributes */

#define __init
#define __ro_after_init
#define BUILD_BUG_ON(condition)	_Static_assert(!(condition), #condition)
#define READ_ONCE(x)		(x)
#define OPTIMIZER_HIDE_VAR(x)	((void)(x))
#define late_initcall(fn)	int (*const fn##_late)(void) = (fn)
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* Numbers */

#define U8_MAX			0xff
#define U16_MAX			0xffff
#define U32_MAX			(~0U)
#define U64_MAX			(~0ULL)
#define S64_MAX			((s64)(U64_MAX >> 1))
#define HZ			1000
#define NSEC_PER_MSEC		1000000L
#define NSEC_PER_SEC		1000000000L

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define min_t(type, a, b) \
	({ type a_ = (a), b_ = (b); a_ < b_ ? a_ : b_; })
#define max_t(type, a, b) \
	({ type a_ = (a), b_ = (b); a_ > b_ ? a_ : b_; })
#define min(a, b)		min_t(typeof(a), a, b)
#define max(a, b)		max_t(typeof(a), a, b)
#define min3(a, b, c)		min(min(a, b), c)
#define round_up(x, to)		(((x) + (to) - 1) / (to) * (to))
#define clamp_t(type, x, low, high) \
	min_t(type, max_t(type, x, low), high)

static inline u16 cpu_to_be16(u16 x)
{
	return __builtin_bswap16(x);
}

static inline u32 cpu_to_be32(u32 x)
{
	return __builtin_bswap32(x);
}

static inline u64 cpu_to_be64(u64 x)
{
	return __builtin_bswap64(x);
}

#define be16_to_cpu		cpu_to_be16
#define be32_to_cpu		cpu_to_be32
#define be64_to_cpu		cpu_to_be64
#define cpu_to_le64

static inline u64 get_unaligned_le64(const void *p)
{
	u64 x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline u64 div_u64(u64 a, u32 b)
{
	return a / b;
}

static inline u64 div64_u64(u64 a, u64 b)
{
	return a / b;
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 c)
{
	return (__uint128_t)a * b / c;
}

static inline unsigned long rounddown_pow_of_two(unsigned long n)
{
	return 1UL << (63 - __builtin_clzl(n));
}

static inline unsigned int __ffs64(u64 x)
{
	return __builtin_ctzll(x);
}

/* Errors in pointers */

static inline void *ERR_PTR(long error)
{
	return (void *)error;
}

static inline long PTR_ERR(const void *ptr)
{
	return (long)ptr;
}

static inline bool IS_ERR(const void *ptr)
{
	return (unsigned long)ptr >= -4095UL;
}

/* Bitmaps */

#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)

static inline bool test_bit(unsigned long n, const unsigned long *map)
{
	return map[n / BITS_PER_LONG] >> n % BITS_PER_LONG & 1;
}

static inline bool __test_and_set_bit(unsigned long n, unsigned long *map)
{
	bool old = test_bit(n, map);

	map[n / BITS_PER_LONG] |= 1UL << n % BITS_PER_LONG;
	return old;
}

static inline void bitmap_set(unsigned long *map, unsigned int start,
			      unsigned int nr)
{
	for (; nr; nr--)
		__test_and_set_bit(start++, map);
}

static inline unsigned long find_next_bit(const unsigned long *map,
					  unsigned long size, unsigned long n)
{
	while (n < size && !test_bit(n, map))
		n++;
	return min(n, size);
}

static inline unsigned long find_next_andnot_bit(const unsigned long *map,
						 const unsigned long *not,
						 unsigned long size,
						 unsigned long n)
{
	while (n < size && (!test_bit(n, map) || test_bit(n, not)))
		n++;
	return min(n, size);
}

/**
 * struct bits - a walk over bits
 * @map: Those that are set here,
 * @not: and not here.
 * @size: How many there are.
 * @next: Where to look next.
 * @at: The last one found.
 */
struct bits {
	const unsigned long *map;
	const unsigned long *not;
	unsigned long size;
	unsigned long next;
	unsigned long at;
};

static inline bool next_of(struct bits *bits)
{
	bits->at = bits->not ?
		   find_next_andnot_bit(bits->map, bits->not, bits->size,
					bits->next) :
		   find_next_bit(bits->map, bits->size, bits->next);
	bits->next = bits->at + 1;
	return bits->at < bits->size;
}

#define for_each_set_bit(bit, map, size) \
	for_each_andnot_bit(bit, map, NULL, size)
#define for_each_andnot_bit(bit, map, not, size) \
	for (struct bits bits_ = { map, not, size }; \
	     next_of(&bits_) && ((bit) = bits_.at, true);)

/* Lists, of pages only */

/**
 * struct nodes - a walk over a list
 * @head: The list.
 * @next: Its next node.
 */
struct nodes {
	const struct list_head *head;
	struct list_head *next;
};

static inline struct page *next_page(struct nodes *nodes, size_t offset)
{
	struct list_head *node = nodes->next;

	nodes->next = node->next;
	return node == nodes->head ? NULL : (void *)((char *)node - offset);
}

static inline struct nodes nodes_of(const struct list_head *head)
{
	return (struct nodes){ head, head->next };
}

#define list_for_each_entry_safe(pos, n, head, member) \
	for (struct nodes nodes_ = nodes_of(head); \
	     (void)(n), (pos) = next_page(&nodes_, offsetof(struct page, member));)

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline void list_add(struct list_head *node, struct list_head *head)
{
	node->next = head->next;
	node->prev = head;
	head->next->prev = node;
	head->next = node;
}

static inline void list_del(struct list_head *node)
{
	node->next->prev = node->prev;
	node->prev->next = node->next;
}

/* Strings */

#define strscpy(to, from)	snprintf(to, sizeof(to), "%s", from)

static inline int vscnprintf(char *buf, size_t size, const char *fmt,
			     va_list args)
{
	int len = vsnprintf(buf, size, fmt, args);

	return min_t(int, len, size - 1);
}

/* Not declared to be like printf(), whose formats have other letters */
static inline int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vscnprintf(buf, size, fmt, args);
	va_end(args);
	return len;
}

static inline char *strreplace(char *str, char old, char new)
{
	char *at = str;

	while ((at = strchr(at, old)))
		*at = new;
	return str;
}

int sysfs_emit_at(char *buf, int at, const char *fmt, ...);
void print(const char *fmt, ...);

#define pr_emerg		print
#define pr_err			print
#define pr_err_ratelimited	print
#define pr_warn			print
#define pr_info			print
#define pr_info_ratelimited	print

/* Nobody says too much */

#define RATELIMIT_MSG_ON_RELEASE	0
#define DEFINE_RATELIMIT_STATE(name, interval, burst)	int name
#define ratelimit_set_flags(limit, flags)	((void)(limit))
#define __ratelimit(limit)	((void)(limit), true)

/* Switches that are thrown rarely */

#define DECLARE_STATIC_KEY_FALSE(name)	extern bool name
#define static_branch_unlikely(key)	(*(key))

/* Checksums */

u32 crc32c(u32 crc, const void *bytes, unsigned int len);
u64 xxh64(const void *bytes, size_t len, u64 seed);

static inline u32 __crc32c_le(u32 crc, const u8 *bytes, size_t len)
{
	return crc32c(crc, bytes, len);
}

/* Ethernet */

static inline void ether_addr_copy(u8 *to, const u8 *from)
{
	memcpy(to, from, ETH_ALEN);
}

static inline bool ether_addr_equal(const u8 *a, const u8 *b)
{
	return !memcmp(a, b, ETH_ALEN);
}

static inline bool is_broadcast_ether_addr(const u8 *addr)
{
	return ether_addr_equal(addr, (const u8 *)"\xff\xff\xff\xff\xff\xff");
}

static inline bool is_valid_ether_addr(const u8 *addr)
{
	return !(addr[0] & 1) &&
	       !ether_addr_equal(addr, (const u8 *)"\0\0\0\0\0\0");
}

/* PCI */

#define PCI_SLOT(devfn)		((devfn) >> 3)
#define PCI_FUNC(devfn)		((devfn) & 7)
#define PCI_BASE_CLASS_NETWORK	2

/* Memory: a machine of few frames, and small ones, so that a run is short */

#define PAGE_SHIFT		9
#define PAGE_SIZE		512UL
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define MAX_PAGE_ORDER		3
#define PHYS_PFN(addr)		((unsigned long)((addr) >> PAGE_SHIFT))
#define PFN_PHYS(pfn)		((u64)(pfn) << PAGE_SHIFT)
#define offset_in_page(addr)	((unsigned long)(addr) & ~PAGE_MASK)
#define ZERO_PAGE(addr)		((void)(addr), pfn_to_page(0))

#define GFP_KERNEL		0
#define GFP_HIGHUSER_MOVABLE	0
#define __GFP_RECLAIM		0
#define __GFP_HARDWALL		0
#define __GFP_MEMALLOC		0
#define __GFP_NOWARN		0

/**
 * struct page - a page frame
 * @lru: Entry in whoever's list.
 * @private: Whoever's own.
 */
struct page {
	struct list_head lru;
	unsigned long private;
};

#define page_private(page)	((page)->private)
#define set_page_private(page, value)	((page)->private = (value))

extern unsigned long max_pfn;

struct page *pfn_to_page(unsigned long pfn);
unsigned long page_to_pfn(const struct page *page);
void *page_address(const struct page *page);
struct page *alloc_pages(gfp_t gfp, unsigned int order);
void __free_pages(struct page *page, unsigned int order);
unsigned long nr_free_pages(void);
long si_mem_available(void);
unsigned long get_num_physpages(void);

static inline void clear_page(void *page)
{
	memset(page, 0, PAGE_SIZE);
}

static inline void drain_local_pages(void *zone)
{
}

void *kvcalloc(size_t n, size_t size, gfp_t gfp);
void kvfree(void *mem);

static inline void *kvzalloc(size_t size, gfp_t gfp)
{
	return kvcalloc(1, size, gfp);
}

#define kzalloc			kvzalloc
#define kfree			kvfree

int walk_system_ram_range(unsigned long pfn, unsigned long nr, void *arg,
			  int (*func)(unsigned long pfn, unsigned long nr,
				      void *arg));

static inline void *__inline_bsearch(const void *key, const void *base,
				     size_t n, size_t size,
				     int (*cmp)(const void *, const void *))
{
	return bsearch(key, base, n, size, cmp);
}

/* Time: in ns, so that cycles are ns */

extern unsigned int tsc_khz;

u64 rdtsc_ordered(void);
void usleep_range(unsigned long low, unsigned long high);

static inline void cpu_relax(void)
{
}

static inline void cond_resched(void)
{
}

static inline void touch_nmi_watchdog(void)
{
}

static inline void touch_softlockup_watchdog_sync(void)
{
}

/* Work for later: at most one piece of it */

/**
 * struct work_struct - what is to be done
 * @func: It.
 */
struct work_struct {
	void (*func)(struct work_struct *work);
};

/**
 * struct delayed_work - what is to be done later
 * @work: It.
 */
struct delayed_work {
	struct work_struct work;
};

/**
 * struct mutex - nobody else runs
 */
struct mutex {
};

#define DECLARE_DELAYED_WORK(name, fn)	struct delayed_work name = { { fn } }
#define DEFINE_MUTEX(name)		struct mutex name
#define system_freezable_wq		NULL

void queue_delayed_work(void *queue, struct delayed_work *work,
			unsigned long delay);
void cancel_delayed_work_sync(struct delayed_work *work);

static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	return ms;
}

static inline void mutex_lock(struct mutex *mutex)
{
}

static inline void mutex_unlock(struct mutex *mutex)
{
}

/* Processes */

#define current			NULL

bool signal_pending(void *task);

/* The machine */

/**
 * struct new_utsname - what uname prints
 * @release: Of the kernel.
 * @version: Its build.
 */
struct new_utsname {
	char release[65];
	char version[65];
};

struct new_utsname *init_utsname(void);
unsigned int num_online_cpus(void);
void get_random_bytes(void *buf, size_t len);
u64 get_random_u64(void);

#define LOCKDOWN_HIBERNATION	0

bool secretmem_active(void);
int security_locked_down(int what);
bool hibernation_available(void);

static inline void native_halt(void)
{
	abort();
}

/* Hibernation */

/**
 * struct pbe - a page that is to be copied elsewhere
 * @address: Where it is.
 * @orig_address: Where it belongs.
 * @next: The next one.
 */
struct pbe {
	void *address;
	void *orig_address;
	struct pbe *next;
};

/**
 * struct hibernation_image_ops - where the image comes from
 * @receive: Load it before it is put in place.
 * @release: Forget it.
 */
struct hibernation_image_ops {
	int (*receive)(void);
	void (*release)(void);
};

enum {
	PM_RESTORE_PREPARE,
	PM_POST_RESTORE,
};

extern struct pbe *restore_pblist;

void swsusp_set_safe_pages(void *list);
void hibernation_set_image_ops(const struct hibernation_image_ops *ops);
int hibernation_restore(int platform_mode);

static inline unsigned int lock_system_sleep(void)
{
	return 0;
}

static inline void unlock_system_sleep(unsigned int flags)
{
}

static inline bool hibernate_acquire(void)
{
	return true;
}

static inline void hibernate_release(void)
{
}

static inline void pm_prepare_console(void)
{
}

static inline void pm_restore_console(void)
{
}

static inline int pm_notifier_call_chain_robust(int up, int down)
{
	return 0;
}

static inline void pm_notifier_call_chain(int event)
{
}

static inline int freeze_processes(void)
{
	return 0;
}

static inline int freeze_kernel_threads(void)
{
	return 0;
}

static inline void thaw_processes(void)
{
}

static inline void lock_device_hotplug(void)
{
}

static inline void unlock_device_hotplug(void)
{
}

#endif /* _FUZZ_KERNEL_H */
