// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints a line for every interrupt of some lines, as a printk in the kernel's own code would:
 *
 *	IRQ Number=25; Vector=36
 *
 * without building a kernel. Two places are probed, because neither knows both numbers:
 * the entry, __common_interrupt, is called with the vector and has not looked up the line;
 * the flow handler that it calls is given the line. The clock is read at the first of them,
 * the line is printed at the second.
 *
 * In older kernels (5.10) the entry is inlined into code that must not be probed. There the
 * clock is read at the flow handler, and the vector is the one that the line is set to.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <asm/hw_irq.h>

#define MOST_LINES 32

static unsigned int irq[MOST_LINES];
static unsigned int irqs;
module_param_array(irq, uint, &irqs, 0444);
MODULE_PARM_DESC(
    irq, "interrupt lines to print, as in /proc/interrupts: irq=25,26 (there is no default)");

static bool detail;
module_param(detail, bool, 0644);
MODULE_PARM_DESC(detail, "also print the CPU and the time of entry, CLOCK_MONOTONIC in ns");

static unsigned int limit = 10000;
module_param(limit, uint, 0644);
MODULE_PARM_DESC(limit,
		 "lines per second and CPU; what comes beyond is counted in skipped (0: no limit)");

/* What a CPU knows between the two probes. Touched on that CPU with interrupts off. */
struct state {
	u64 time;
	u32 vector;
	u64 second;
	unsigned int lines;
	unsigned long skipped;
};
static DEFINE_PER_CPU(struct state, states);
static bool at_entry;

static bool wanted(unsigned int number)
{
	unsigned int i;

	for (i = 0; i < irqs; i++)
		if (irq[i] == number)
			return true;
	return false;
}

/* __common_interrupt(struct pt_regs *regs, u32 vector) */
static int entered(struct kprobe *probe, struct pt_regs *regs)
{
	struct state *mine = this_cpu_ptr(&states);

	mine->time = ktime_get_mono_fast_ns();
	mine->vector = regs_get_kernel_argument(regs, 1);
	return 0;
}

static bool too_many(struct state *mine)
{
	/* 2^30 ns: a second, nearly, without a division. */
	u64 second = mine->time >> 30;

	if (second != mine->second) {
		mine->second = second;
		mine->lines = 0;
	}
	return limit != 0 && ++mine->lines > limit;
}

/* handle_edge_irq(struct irq_desc *desc), handle_fasteoi_irq(struct irq_desc *desc) */
static int handled(struct kprobe *probe, struct pt_regs *regs)
{
	struct state *mine = this_cpu_ptr(&states);
	struct irq_desc *desc = (struct irq_desc *)regs_get_kernel_argument(regs, 0);
	struct irq_data *data = irq_desc_get_irq_data(desc);
	u32 vector = mine->vector;

	/*
	 * Not every call comes from __common_interrupt: posted MSIs and interrupts that are sent
	 * again have no vector of their own (0), and must not get that of another one.
	 */
	mine->vector = 0;
	if (!wanted(data->irq))
		return 0;
	if (!at_entry || vector == 0)
		mine->time = ktime_get_mono_fast_ns();
	if (!at_entry) {
		struct irq_cfg *config = irqd_cfg(data);

		vector = config ? config->vector : 0;
	}
	if (too_many(mine)) {
		mine->skipped++;
		return 0;
	}
	/*
	 * KERN_DEBUG: a console that shows the line writes it here and now, with interrupts
	 * off, which takes 3.5 ms at 115,200 baud. printk takes no lock that this CPU can hold
	 * already: its locks are held with interrupts off, and they were on a moment ago.
	 */
	if (detail)
		printk(KERN_DEBUG "IRQ Number=%d; Vector=%d; CPU=%d; Time=%llu\n", data->irq,
		       vector, smp_processor_id(), mine->time);
	else
		printk(KERN_DEBUG "IRQ Number=%d; Vector=%d\n", data->irq, vector);
	return 0;
}

static struct kprobe entry = {.symbol_name = "__common_interrupt", .pre_handler = entered};
static struct kprobe edge = {.symbol_name = "handle_edge_irq", .pre_handler = handled};
static struct kprobe fasteoi = {.symbol_name = "handle_fasteoi_irq", .pre_handler = handled};

static int get_skipped(char *text, const struct kernel_param *param)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) sum += READ_ONCE(per_cpu_ptr(&states, cpu)->skipped);
	return sprintf(text, "%lu\n", sum);
}

static int get_missed(char *text, const struct kernel_param *param)
{
	return sprintf(text, "%lu\n", edge.nmissed + fasteoi.nmissed);
}

static int get_place(char *text, const struct kernel_param *param)
{
	return sprintf(text, "%s\n", at_entry ? "__common_interrupt" : "flow handler");
}

static const struct kernel_param_ops skipped_ops = {.get = get_skipped};
static const struct kernel_param_ops missed_ops = {.get = get_missed};
static const struct kernel_param_ops place_ops = {.get = get_place};
module_param_cb(skipped, &skipped_ops, NULL, 0444);
MODULE_PARM_DESC(skipped,
		 "read only: interrupts of the lines that were not printed because of limit");
module_param_cb(missed, &missed_ops, NULL, 0444);
MODULE_PARM_DESC(missed,
		 "read only: interrupts, of any line, that came while another probe's handler ran");
module_param_cb(place, &place_ops, NULL, 0444);
MODULE_PARM_DESC(place, "read only: where the clock is read");

static int __init irq_printk_init(void)
{
	int error;

	/* Every line printed wakes the log daemon, which writes to a disk, which interrupts: all
	 * lines would never end. */
	if (irqs == 0) {
		pr_err("irq_printk: which lines? insmod irq_printk.ko irq=25,26\n");
		return -EINVAL;
	}
	error = register_kprobe(&entry);
	at_entry = error == 0;
	if (!at_entry)
		pr_info("irq_printk: no probe on __common_interrupt (%d): the time is the flow "
			"handler's\n",
			error);
	error = register_kprobe(&edge);
	if (error)
		goto no_edge;
	error = register_kprobe(&fasteoi);
	if (error)
		goto no_fasteoi;
	return 0;

no_fasteoi:
	unregister_kprobe(&edge);
no_edge:
	if (at_entry)
		unregister_kprobe(&entry);
	pr_err("irq_printk: no probe on the flow handlers (%d)\n", error);
	return error;
}

static void __exit irq_printk_exit(void)
{
	unregister_kprobe(&fasteoi);
	unregister_kprobe(&edge);
	if (at_entry)
		unregister_kprobe(&entry);
}

module_init(irq_printk_init);
module_exit(irq_printk_exit);
MODULE_DESCRIPTION("Prints the number and the vector of interrupts at their entry");
MODULE_LICENSE("GPL");
