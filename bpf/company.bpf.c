/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Company for `rxstamp compare`: what another tool's slow kprobe program does to the methods that
 * are compared. It reads the clock 400 times whenever a task is renamed, and keeps nothing. While
 * it runs, the kernel skips every other kprobe and perf-attached tracepoint program on that CPU
 * (bpf_prog_active in kernel/trace/bpf_trace.c, trace_call_bpf).
 */
#include "lib/kernel.h"
#include <bpf/bpf_helpers.h>

#define TURNS 400

SEC("kprobe/__set_task_comm")
int company(void *context)
{
	u64 last = 0;

	for (int i = 0; i < TURNS; i++)
		last = bpf_ktime_get_ns();
	return last == 0;
}

char LICENSE[] SEC("license")
= "Dual MIT/GPL";
