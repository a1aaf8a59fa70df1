// SPDX-License-Identifier: MIT
/* Prints one record of every kind as the kernel side lays it out; src/method/ebpf/decode.test.ts
 * knows the values. */
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>
#include "rxstamp.h"

#define BASE 0x1ffffff00ULL

static void emit(const void *record, unsigned size)
{
	fwrite(record, 1, size, stdout);
}

static struct rx_packet packet(unsigned flags, unsigned size, unsigned index)
{
	struct rx_packet record = {
	    .kind = RX_PACKET,
	    .flags = flags,
	    .size = size,
	    .len = 0xfedcba98,
	    .driver = BASE + 0x123456789ULL, /* over the border of the low half */
	    .skb = 0xffff8881deadbe00ULL,
	    .hash = 0x89abcdef,
	    .protocol = 0xdd86, /* 0x86dd in network order */
	    .vlan = 0xe02a,
	    .napi_id = 0x2001,
	    .queue = 8,
	    .caplen = 47,
	    .index = index,
	    .hardware = 0xdeadbeefdeadbeefULL, /* nobody may look at it without its flag */
	};

	for (int i = 0; i < RX_HEADER_BYTES; i++)
		record.header[i] = i + 1;
	return record;
}

static struct rx_poll poll(unsigned flags, unsigned cause_flags)
{
	return (struct rx_poll){
	    .kind = RX_POLL,
	    .flags = flags,
	    .size = sizeof(struct rx_poll),
	    .packets = 2,
	    .end = BASE + 9000,
	    .start = BASE + 4000,
	    .softirq = BASE + 3000,
	    .previous_end = BASE - 500,
	    .empty = BASE - 700,
	    .cause = {.entry = BASE - 16,
		      .claim = BASE + 100,
		      .isr = BASE + 200,
		      .raise = BASE + 1000,
		      .irq = 4095,
		      .vector = 0xfe,
		      .cpu = 511,
		      .again = 3,
		      .flags = cause_flags},
	    .work = -1,
	    .budget = 64,
	    .previous_work = -64,
	    .napi_id = 0x2001,
	    .ifindex = 7,
	    .cpu = 65535,
	    .context = RX_CONTEXT_IRQ_THREAD,
	    .spare = 0xff,
	    .pid = 4194304,
	    .lost = 5,
	    .irq = 77,
	    .seen = 9,
	};
}

int main(void)
{
	struct rx_packet record = packet(RX_PACKET_OPENED, sizeof(struct rx_packet), 2);

	emit(&record, record.size);
	record = packet(RX_PACKET_OPENED | RX_PACKET_FRAGS, sizeof(struct rx_packet), 9);
	emit(&record, record.size);

	struct rx_poll caused = poll(RX_POLL_CAUSED | RX_POLL_STARTED | RX_POLL_AMBIGUOUS,
				     RX_CAUSE_VALID | RX_CAUSE_MISSED);

	emit(&caused, caused.size);
	record = packet(RX_PACKET_OPENED, sizeof(struct rx_packet), 255);
	emit(&record, record.size);
	emit(&record, record.size);

	struct rx_poll polled = poll(0, RX_CAUSE_VALID | RX_CAUSE_MISSED);

	polled.start = polled.softirq = polled.previous_end = polled.empty = 0;
	polled.context = RX_CONTEXT_SOFTIRQ;
	emit(&polled, polled.size);

	struct rx_poll late = poll(RX_POLL_CAUSED, RX_CAUSE_VALID);

	late.packets = 0;
	late.softirq = late.cause.isr - 1;
	emit(&late, late.size);

	struct rx_stage stage = {.kind = RX_STAGE,
				 .stage = 6,
				 .size = sizeof(stage),
				 .cpu = 300,
				 .time = BASE + 5,
				 .skb = 0xffff8881deadbe00ULL};

	emit(&stage, stage.size);

	struct rx_irq irq = {.kind = RX_IRQ,
			     .size = sizeof(irq),
			     .irq = 38,
			     .entry = 0,
			     .claim = 0,
			     .isr = BASE + 10,
			     .exit = BASE + 0x200000000ULL,
			     .vector = 0x25,
			     .cpu = 3,
			     .scheduled = 0x2001};

	emit(&irq, irq.size);
	record = packet(0, offsetof(struct rx_packet, header) + RX_SHORT_HEADER_BYTES, 0);
	record.caplen = RX_SHORT_HEADER_BYTES;
	emit(&record, record.size);
	record = packet(RX_PACKET_HARDWARE, sizeof(struct rx_packet), 0);
	record.hardware = 0x18ea92f0123456f8ULL;
	emit(&record, record.size);
	return 0;
}
