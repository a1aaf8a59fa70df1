/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Reads, once and on request, what the kernel knows about interrupts and does not print: which CPU
 * and vector an IRQ has now, which functions handle it, and which NAPI instances an interface has.
 * The programs hang on nothing: user space runs them with BPF_PROG_TEST_RUN, which raw tracepoint
 * programs allow since 5.10 (1b4d60ec162f "bpf: Enable BPF_PROG_TEST_RUN for raw_tracepoint"), with
 * its two numbers as the arguments of the tracepoint. They change nothing.
 *
 * An irq_desc and a net_device are found by their folder in sysfs: user space opens
 * /sys/kernel/irq/N or /sys/class/net/X, and the open file leads to the kobject inside the object
 * (ecb3f394c5db "genirq: Expose interrupt information through sysfs", 4.9). That needs no symbol of
 * a data object, which a kernel without CONFIG_KALLSYMS_ALL does not give, and it sees the same
 * network namespace as the caller.
 *
 * Nothing is locked: every pointer is read with bpf_probe_read_kernel, which survives a pointer
 * that went stale, and a stale row is corrected by the reader's next run.
 *
 * Functions are named by bpf_snprintf (7b15523a989b, 5.13); before that user space looks their
 * addresses up in /proc/kallsyms.
 */
#include "lib/kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "inspect.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct irqaction___inspect {
	void *handler;
	void *dev_id;
	struct irqaction___inspect *next;
	void *thread_fn;
	unsigned int flags;
	const char *name;
};

struct irq_domain {
	const char *name;
};

struct irq_data___inspect {
	unsigned int irq;
	struct irq_domain *domain;
	struct irq_data___inspect *parent_data;
	void *chip_data;
};

/* arch/x86/kernel/apic/vector.c */
struct apic_chip_data {
	unsigned int vector;
	unsigned int cpu;
};

struct kobject {
	const char *name;
};

struct irq_desc___inspect {
	struct irq_data___inspect irq_data;
	void *handle_irq;
	struct irqaction___inspect *action;
	struct kobject kobj;
};

struct kernfs_node {
	void *priv;
};

struct inode {
	void *i_private;
};

struct file {
	struct inode *f_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	struct files_struct *files;
};

struct device {
	struct kobject kobj;
};

struct net_device___inspect {
	struct device dev;
	struct list_head napi_list;
	int ifindex;
	unsigned int num_rx_queues;
	struct netdev_rx_queue *_rx;
};

/* 2a502ff0c4e4 "net: Add queue and napi association" (6.8): set by the drivers that tell. */
struct netdev_rx_queue {
	void *napi;
};

struct napi_struct___inspect {
	struct list_head dev_list;
	void *poll;
	unsigned int napi_id;
	int irq;
	void *thread;
};

#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rx_irq_row);
} irq_row SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RX_NAPI_ROWS);
	__type(key, u32);
	__type(value, struct rx_napi_row);
} napi_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rx_napi_head);
} napi_head SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RX_QUEUE_ROWS);
	__type(key, u32);
	__type(value, u64);
} queue_rows SEC(".maps");

/* The helper's number as the kernel's BTF has it: absent before 5.13. */
enum bpf_func_id___inspect { BPF_FUNC_snprintf___inspect = 165 };

static __always_inline u64 symbol(char *to, void *address)
{
	to[0] = 0;
	if (address &&
	    bpf_core_enum_value_exists(enum bpf_func_id___inspect, BPF_FUNC_snprintf___inspect))
		BPF_SNPRINTF(to, RX_NAME_BYTES, "%ps", address);
	return (u64)address;
}

static __always_inline void read_action(struct rx_action_row *row,
					struct irqaction___inspect *action)
{
	const char *name = BPF_CORE_READ(action, name);

	row->dev_id = (u64)BPF_CORE_READ(action, dev_id);
	row->flags = BPF_CORE_READ(action, flags);
	row->handler_address = symbol(row->handler, BPF_CORE_READ(action, handler));
	row->thread_address = symbol(row->thread, BPF_CORE_READ(action, thread_fn));
	bpf_probe_read_kernel_str(row->name, RX_NAME_BYTES, name);
}

/* The kobject whose sysfs folder the caller has open as `fd`. */
static __always_inline void *kobject_of(u32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = NULL;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	if (!file)
		return NULL;
	struct kernfs_node *node = BPF_CORE_READ(file, f_inode, i_private);

	return BPF_CORE_READ(node, priv);
}

/* CPU and vector, from the innermost interrupt domain: the others (MSI, remapping) stand above it.
 */
static __always_inline void read_vector(struct rx_irq_row *row, struct irq_desc___inspect *desc)
{
	struct irq_data___inspect *data = (void *)desc + bpf_core_field_offset(desc->irq_data);

	row->vector = 0;
	row->cpu = 0;
	for (u32 i = 0; i < RX_DOMAINS; i++) {
		char name[8] = {};

		bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(data, domain, name));
		if (name[0] == 'V' && name[1] == 'E' && name[2] == 'C' && name[3] == 'T' &&
		    name[4] == 'O') {
			struct apic_chip_data *apic = BPF_CORE_READ(data, chip_data);

			row->vector = BPF_CORE_READ(apic, vector);
			row->cpu = BPF_CORE_READ(apic, cpu);
			return;
		}
		data = BPF_CORE_READ(data, parent_data);
		if (!data)
			return;
	}
}

/* Fills irq_row with one interrupt. */
SEC("raw_tp")
int read_irq(u64 *arguments)
{
	u32 fd = arguments[0], irq = arguments[1];
	u32 key = 0;
	struct rx_irq_row *row = bpf_map_lookup_elem(&irq_row, &key);
	struct irq_desc___inspect *desc = NULL;
	void *kobject = kobject_of(fd);

	if (!row || !kobject)
		return 1;
	desc = kobject - bpf_core_field_offset(desc->kobj);
	if (BPF_CORE_READ(desc, irq_data.irq) != irq)
		return 1;
	row->irq = irq;
	row->actions = 0;
	row->flow_address = symbol(row->flow, BPF_CORE_READ(desc, handle_irq));
	read_vector(row, desc);
	struct irqaction___inspect *action = BPF_CORE_READ(desc, action);

	for (u32 i = 0; i < RX_ACTIONS; i++) {
		if (!action)
			break;
		read_action(&row->action[i], action);
		row->actions = i + 1;
		action = BPF_CORE_READ(action, next);
	}
	return 0;
}

/* A global function: the verifier checks it once and not once per turn of the loop that calls it.
 */
__noinline int read_napi(u64 address, u32 index)
{
	struct napi_struct___inspect *napi = (void *)address;
	u32 key = index;
	struct rx_napi_row *row = bpf_map_lookup_elem(&napi_rows, &key);

	if (!row)
		return 0;
	row->address = address;
	row->id = BPF_CORE_READ(napi, napi_id);
	/* 26793bfb5d60 "net: Add NAPI IRQ support" (6.8); few drivers set it. */
	row->irq = bpf_core_field_exists(napi->irq) ? BPF_CORE_READ(napi, irq) : -1;
	row->threaded = bpf_core_field_exists(napi->thread) && BPF_CORE_READ(napi, thread) ? 1 : 0;
	bpf_probe_read_kernel(row->before, sizeof(row->before),
			      (void *)(address - sizeof(row->before)));
	row->poll_address = symbol(row->poll, BPF_CORE_READ(napi, poll));
	return 0;
}

/* Writes the address of the NAPI instance that receive queue `index` names, 0 where it names none.
 */
__noinline int read_queue(u64 queues, u32 index)
{
	struct netdev_rx_queue *queue = NULL;
	u32 key = index;
	u64 *row = bpf_map_lookup_elem(&queue_rows, &key);

	if (!row)
		return 0;
	*row = 0;
	if (!queues || !bpf_core_field_exists(queue->napi))
		return 0;
	queue = (void *)(queues + (u64)index * bpf_core_type_size(struct netdev_rx_queue));
	*row = (u64)BPF_CORE_READ(queue, napi);
	return 0;
}

static __always_inline struct list_head *next_of(struct list_head *at)
{
	return BPF_CORE_READ(at, next);
}

/* Fills napi_rows and queue_rows with those of one interface. */
SEC("raw_tp")
int read_napis(u64 *arguments)
{
	u32 fd = arguments[0], ifindex = arguments[1], key = 0;
	struct rx_napi_head *found = bpf_map_lookup_elem(&napi_head, &key);
	struct net_device___inspect *dev = NULL;
	void *kobject = kobject_of(fd);

	if (!found || !kobject)
		return 1;
	dev = kobject - bpf_core_field_offset(dev->dev.kobj);
	if (BPF_CORE_READ(dev, ifindex) != ifindex)
		return 1;
	found->device = (u64)dev;
	found->napis = 0;
	found->queues = 0;
	u64 queues = (u64)BPF_CORE_READ(dev, _rx);
	u32 count = BPF_CORE_READ(dev, num_rx_queues);

	for (u32 i = 0; i < RX_QUEUE_ROWS; i++) {
		if (i >= count)
			break;
		read_queue(queues, i);
		found->queues = i + 1;
	}
	u64 head = (u64)dev + bpf_core_field_offset(dev->napi_list);
	struct list_head *at = (void *)head;

	for (u32 i = 0; i < RX_NAPI_ROWS; i++) {
		struct napi_struct___inspect *napi = NULL;

		at = next_of(at);
		if (!at || (u64)at == head)
			return 0;
		read_napi((u64)at - bpf_core_field_offset(napi->dev_list), i);
		found->napis = i + 1;
	}
	return 0;
}

char LICENSE[] SEC("license")
= "Dual MIT/GPL";
