/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The few kernel types that the programs read, by hand. preserve_access_index makes clang record
 * every field access as a CO-RE relocation, so only names and types matter here, not offsets; a
 * field that a kernel lacks must be asked for with bpf_core_field_exists first.
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed int __s32;
typedef signed long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#define NULL ((void *)0)

enum { BPF_MAP_TYPE_ARRAY = 2 };
enum { BPF_F_MMAPABLE = 1024 };

/* 5.17, f92c1e183604 "bpf: Add get_func_[arg|ret|arg_cnt] helpers": only whether it is there. */
enum bpf_func_id___rx { BPF_FUNC_get_func_ret___rx = 184 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

typedef struct {
	int counter;
} atomic_t;

struct refcount_struct {
	atomic_t refs;
};

typedef struct refcount_struct refcount_t;

struct sk_buff {
	struct net_device *dev;
	unsigned int len;
	unsigned int data_len;
	__u16 queue_mapping;
	__u32 hash;
	int skb_iif;
	refcount_t users;
	__be16 protocol;
	__u8 vlan_present : 1; /* until 6.1 */
	__be16 vlan_proto;
	__u16 vlan_tci;
	__u16 mac_header;
	unsigned char *head;
	unsigned int napi_id;
	unsigned char *data;
	char cb[48];
	unsigned int end; /* 64-bit kernels: an offset from head */
};

struct skb_shared_hwtstamps {
	s64 hwtstamp;
};

struct page {
	unsigned long flags;
};

/* Fragments until 6.8, and since (21d2e6737c97 "net: add netmem to skb_frag_t"). */
struct bio_vec {
	struct page *bv_page;
	unsigned int bv_len;
	unsigned int bv_offset;
};

struct skb_frag {
	unsigned long netmem;
	unsigned int len;
	unsigned int offset;
};

struct skb_shared_info {
	__u8 tx_flags;
	__u8 nr_frags;
	struct skb_frag frags[1];
	struct skb_shared_hwtstamps hwtstamps;
};

/* 6.0, 97dc7cd92ac6 "ptp: Support late timestamp determination" */
struct skb_shared_hwtstamps___late {
	void *netdev_data;
};

struct sock {
	struct {
		struct sk_buff *tail;
	} sk_backlog;
};

struct tcp_sock {
	u32 copied_seq;
	u32 rcv_nxt;
};

struct tcp_skb_cb {
	u32 end_seq;
};

struct napi_struct {
	unsigned long state;
	struct net_device *dev;
	unsigned int napi_id;
};

struct task_struct___rx {
	unsigned int __state;
	unsigned int flags;
	int pid;
	char comm[16];
	int softirq_disable_cnt; /* PREEMPT_RT only: the softirq part of the preempt count */
};

struct irqaction {
	struct task_struct___rx *thread;
	unsigned int irq;
};

struct irq_data {
	unsigned int irq;
};

struct irq_desc {
	struct irq_data irq_data;
};

/* 5.17, c504e5c2f964 "net: skb: introduce kfree_skb_reason()": only whether it is there. */
enum skb_drop_reason {
	SKB_DROP_REASON_MAX,
};

/* 6.2 to 6.14: aed6bf0c9b7b "x86/percpu: Move preempt_count next to current_task" put it into
 * pcpu_hot; 6.15 took it out again (46e8fff6d45f "x86/preempt: Move preempt count to percpu hot
 * section"). */
struct pcpu_hot {
	int preempt_count;
};

#pragma clang attribute pop
