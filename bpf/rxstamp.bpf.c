// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The receive ladder. One object, one file per stage group; the reader switches on the programs
 * that a command needs.
 *
 * House rules: the first thing a program does is read the clock; what is left out is decided after.
 * Only fentry, fexit and tp_btf programs, but for kprobe.bpf.h: kprobe and perf-attached tracepoint
 * programs share one busy flag per CPU with every other tool's, and lose hits to it.
 */
#include "lib/kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "rxstamp.h"
#include "lib/state.h"
#include "lib/context.h"
#include "lib/track.h"
#include "irq.bpf.h"
#include "thread.bpf.h"
#include "schedule.bpf.h"
#include "poll.bpf.h"
#include "filter.bpf.h"
#include "packet.bpf.h"
#include "stack.bpf.h"
#include "socket.bpf.h"
#include "end.bpf.h"
#include "kprobe.bpf.h"

char LICENSE[] SEC("license")
= "Dual MIT/GPL";
