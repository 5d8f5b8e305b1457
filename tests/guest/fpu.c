// SPDX-License-Identifier: GPL-2.0
/*
 * Threads which keep distinct values in the floating point and vector
 * registers while they sleep, compute, or wait, and compare them afterwards.
 */
#include "work.h"

#include <asm/prctl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#ifndef __x86_64__
#error "this program knows the registers of x86-64 only"
#endif

#define STATE_MAX	(32 * 64 + 8 * 8)

/*
 * What to do while the registers are loaded: a system call, or a loop.  The
 * assembly relies on the first three members.
 */
struct act {
	const void *in;		/* what to load */
	void *out;		/* where to store */
	long loops;
	long nr;		/* of the system call; negative: loop */
	long arg[3];
};

/* A set of registers. */
struct unit {
	const char *name;
	size_t size;
	long (*hold)(const struct act *act);
	bool (*have)(void);
};

enum mode { MODE_SLEEP, MODE_LOOP, MODE_BLOCK, MODES };

static const char * const mode_names[MODES] = { "sleep", "loop", "block" };

struct job {
	pthread_t thread;
	const struct unit *unit;
	enum mode mode;
	u64 number;
	u64 rounds;
	bool started;
};

static u64 loops = 400000, pause_ms = 10, copies = 1;
static bool stopping;
static int gate;		/* eventfd: opens when it is time to stop */
static __thread u64 tls_value;

static const struct work_opt opts[] = {
	{ "copies", "N", "threads of each kind", .num = &copies, .max = 256 },
	{ "loops", "N", "turns of the loop with registers loaded",
	  .num = &loops, .max = 1ULL << 40 },
	{ "sleep", "MS", "length of the sleeps", .num = &pause_ms,
	  .max = 60000 },
	{ }
};

/*
 * Between load and store nothing but HOLD runs, so what is stored is what the
 * kernel kept.  The base register is loaded anew: a system call spoils it.
 */
#define BASE_IN		"mov (%%rbx), %%rcx\n\t"
#define BASE_OUT	"mov 8(%%rbx), %%rcx\n\t"
#define HOLD \
	"test %%rax, %%rax\n\t" \
	"js 1f\n\t" \
	"syscall\n\t" \
	"jmp 2f\n" \
	"1:\tmov 16(%%rbx), %%rcx\n" \
	"3:\tdec %%rcx\n\t" \
	"jnz 3b\n" \
	"2:\n\t"

#define HOLD_OUT	"=a" (ret)
#define HOLD_IN		"a" (act->nr), "b" (act), "D" (act->arg[0]), \
			"S" (act->arg[1]), "d" (act->arg[2])
#define CLOBBERS	"rcx", "r11", "memory", "cc"
#define XMM_CLOBBERS	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", \
			"xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
			"xmm12", "xmm13", "xmm14", "xmm15"
#define X87_CLOBBERS	"st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", \
			"st(6)", "st(7)"

/* Repeats up to END with \i replaced: for each register. */
#define FOR_8		".irp i,0,1,2,3,4,5,6,7\n\t"
#define FOR_8_DOWN	".irp i,7,6,5,4,3,2,1,0\n\t"
#define FOR_16		".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
#define FOR_16_TO_31	".irp i,16,17,18,19,20,21,22,23," \
			"24,25,26,27,28,29,30,31\n\t"
#define END		"\n\t.endr\n\t"

/* 64-bit integers go through the 80-bit registers unchanged. */
static long hold_x87(const struct act *act)
{
	long ret;

	__asm__ volatile("fninit\n\t"
			 BASE_IN
			 FOR_8_DOWN "fildll \\i*8(%%rcx)" END
			 HOLD
			 BASE_OUT
			 FOR_8 "fistpll \\i*8(%%rcx)" END
			 "fninit"
			 : HOLD_OUT : HOLD_IN : CLOBBERS, X87_CLOBBERS);
	return ret;
}

static long hold_sse(const struct act *act)
{
	long ret;

	__asm__ volatile(BASE_IN
			 FOR_16 "movdqu \\i*16(%%rcx), %%xmm\\i" END
			 HOLD
			 BASE_OUT
			 FOR_16 "movdqu %%xmm\\i, \\i*16(%%rcx)" END
			 : HOLD_OUT : HOLD_IN : CLOBBERS, XMM_CLOBBERS);
	return ret;
}

static long hold_avx(const struct act *act)
{
	long ret;

	__asm__ volatile(BASE_IN
			 FOR_16 "vmovdqu \\i*32(%%rcx), %%ymm\\i" END
			 HOLD
			 BASE_OUT
			 FOR_16 "vmovdqu %%ymm\\i, \\i*32(%%rcx)" END
			 "vzeroupper"
			 : HOLD_OUT : HOLD_IN : CLOBBERS, XMM_CLOBBERS);
	return ret;
}

/* The mask registers k0 to k7 follow the vector registers. */
static long hold_avx512(const struct act *act)
{
	long ret;

	__asm__ volatile(BASE_IN
			 FOR_16 "vmovdqu64 \\i*64(%%rcx), %%zmm\\i" END
			 FOR_16_TO_31 "vmovdqu64 \\i*64(%%rcx), %%zmm\\i" END
			 FOR_8 "kmovq 2048+\\i*8(%%rcx), %%k\\i" END
			 HOLD
			 BASE_OUT
			 FOR_16 "vmovdqu64 %%zmm\\i, \\i*64(%%rcx)" END
			 FOR_16_TO_31 "vmovdqu64 %%zmm\\i, \\i*64(%%rcx)" END
			 FOR_8 "kmovq %%k\\i, 2048+\\i*8(%%rcx)" END
			 "vzeroupper"
			 : HOLD_OUT : HOLD_IN : CLOBBERS, XMM_CLOBBERS);
	return ret;
}

/* The control words: rounding modes, exceptions all masked. */
static long hold_control(const struct act *act)
{
	long ret;

	__asm__ volatile(BASE_IN
			 "fldcw (%%rcx)\n\t"
			 "ldmxcsr 4(%%rcx)\n\t"
			 HOLD
			 BASE_OUT
			 "fnstcw (%%rcx)\n\t"
			 "stmxcsr 4(%%rcx)"
			 : HOLD_OUT : HOLD_IN : CLOBBERS);
	return ret;
}

static bool have_always(void)
{
	return true;
}

static bool have_avx(void)
{
	return __builtin_cpu_supports("avx");
}

/* kmovq is of AVX512BW. */
static bool have_avx512(void)
{
	return __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw");
}

static const struct unit units[] = {
	{ "x87", 64, hold_x87, have_always },
	{ "sse", 256, hold_sse, have_always },
	{ "avx", 512, hold_avx, have_avx },
	{ "avx512", 2048 + 64, hold_avx512, have_avx512 },
	{ "control", 8, hold_control, have_always },
};

static void fill_state(const struct job *j, u8 *in)
{
	u64 r = splitmix64(j->number << 32 | j->rounds);
	u16 cw = 0x037f | (r & 3) << 10;
	u32 mxcsr = 0x1f80 | ((r >> 2) & 3) << 13;

	pattern_fill(in, j->unit->size, r, 0);
	if (j->unit->hold != hold_control)
		return;
	memset(in, 0, j->unit->size);
	memcpy(in, &cw, sizeof(cw));
	memcpy(in + 4, &mxcsr, sizeof(mxcsr));
}

static void check_state(const struct job *j, const u8 *in, const u8 *out)
{
	size_t i;

	for (i = 0; i < j->unit->size; i++) {
		if (in[i] == out[i])
			continue;
		work_bad("%s/%s thread %llu round %llu: byte %zu: found 0x%02x, expected 0x%02x",
			 j->unit->name, mode_names[j->mode], j->number,
			 j->rounds, i, out[i], in[i]);
		return;
	}
}

/* The thread's own segment bases are registers, too. */
static void set_bases(const struct job *j)
{
	tls_value = splitmix64(j->number);
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, 0x10000 + j->number * 16))
		die_errno("cannot set the GS base");
}

static void check_bases(const struct job *j)
{
	u64 gs = 0;

	if (syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) ||
	    gs != 0x10000 + j->number * 16)
		work_bad("thread %llu: GS base is 0x%llx", j->number, gs);
	if (tls_value != splitmix64(j->number))
		work_bad("thread %llu: thread-local variable is 0x%llx",
			 j->number, tls_value);
}

static void hold_once(struct job *j, struct act *act)
{
	u8 in[STATE_MAX] = { 0 }, out[STATE_MAX] = { 0 };
	/* Any other rounding mode must not leak into the rest of the thread. */
	u32 mxcsr = 0x1f80;
	u16 cw = 0x037f;
	long ret;

	fill_state(j, in);
	act->in = in;
	act->out = out;
	ret = j->unit->hold(act);
	__asm__ volatile("fldcw %0\n\tldmxcsr %1" : : "m" (cw), "m" (mxcsr));
	if (act->nr >= 0 && ret < 0 && ret != -EINTR)
		work_bad("%s/%s: system call failed: %s", j->unit->name,
			 mode_names[j->mode], strerror(-ret));
	check_state(j, in, out);
	check_bases(j);
	j->rounds++;
}

static void *do_job(void *arg)
{
	struct timespec t = to_timespec(pause_ms * NSEC_PER_MSEC);
	struct job *j = arg;
	u64 count;
	struct act acts[MODES] = {
		[MODE_SLEEP] = { .nr = SYS_nanosleep, .arg = { (long)&t } },
		[MODE_LOOP] = { .nr = -1, .loops = loops },
		[MODE_BLOCK] = { .nr = SYS_read,
				 .arg = { gate, (long)&count, 8 } },
	};

	set_bases(j);
	__atomic_store_n(&j->started, true, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&stopping, __ATOMIC_SEQ_CST)) {
		hold_once(j, &acts[j->mode]);
		if (j->mode == MODE_LOOP)
			sleep_ms(pause_ms);
	}
	return NULL;
}

/* Makes the jobs, for all units there are, in all modes; returns how many. */
static u64 start_jobs(struct job *jobs)
{
	u64 n = 0, i;
	int err;

	for (i = 0; i < ARRAY_SIZE(units) * MODES * copies; i++) {
		const struct unit *u = &units[i % ARRAY_SIZE(units)];

		if (!u->have())
			continue;
		jobs[n].unit = u;
		jobs[n].mode = i / ARRAY_SIZE(units) % MODES;
		jobs[n].number = n;
		err = pthread_create(&jobs[n].thread, NULL, do_job, &jobs[n]);
		if (err)
			die("cannot start a thread: %s", strerror(err));
		while (!__atomic_load_n(&jobs[n].started, __ATOMIC_SEQ_CST))
			sleep_ms(1);
		n++;
	}
	return n;
}

static u64 stop_jobs(struct job *jobs, u64 n)
{
	u64 rounds = 0, open = n, i;

	__atomic_store_n(&stopping, true, __ATOMIC_SEQ_CST);
	if (write(gate, &open, sizeof(open)) != sizeof(open))
		die_errno("cannot write to the eventfd");
	for (i = 0; i < n; i++) {
		pthread_join(jobs[i].thread, NULL);
		rounds += jobs[i].rounds;
		if (!jobs[i].rounds)
			work_bad("%s/%s did nothing", jobs[i].unit->name,
				 mode_names[jobs[i].mode]);
	}
	return rounds;
}

int main(int argc, char **argv)
{
	struct job *jobs;
	u64 n, rounds;

	work_init("fpu");
	work_options(argc, argv, "fpu run [options]",
		     "Keeps values in x87, SSE, AVX and AVX-512 registers.",
		     opts);
	gate = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
	if (gate < 0)
		die_errno("cannot make an eventfd");
	if (!loops || !copies)
		die("--loops and --copies must not be 0");
	jobs = xmalloc(ARRAY_SIZE(units) * MODES * copies * sizeof(*jobs));
	n = start_jobs(jobs);
	work_ready();
	while (!work_wait(10000))
		;
	rounds = stop_jobs(jobs, n);
	return work_verdict("threads=%llu rounds=%llu avx=%d avx512=%d", n,
			    rounds, have_avx(), have_avx512());
}
