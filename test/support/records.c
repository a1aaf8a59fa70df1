// SPDX-License-Identifier: MIT
/* Prints one record of every kind as the kernel side lays it out; src/method/ebpf/decode.test.ts
 * knows the values. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
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
	    .queue = 8,
	    .caplen = 47,
	    .index = index,
	    .hardware = 0xdeadbeefdeadbeefULL, /* nobody may look at it without its flag */
	};

	for (int i = 0; i < RX_LONG_HEADER_BYTES; i++)
		record.header[i] = i + 1;
	return record;
}

static struct rx_poll poll(unsigned flags, unsigned cause_flags)
{
	return (struct rx_poll){
	    .kind = RX_POLL,
	    .flags = flags,
	    .size = sizeof(struct rx_poll),
	    .context = RX_CONTEXT_IRQ_THREAD,
	    .spare = {0xff, 0xff, 0xff},
	    .end = BASE + 9000,
	    .begun = {.start = BASE + 4000,
		      .softirq = BASE + 3000,
		      .previous_end = BASE - 500,
		      .empty = BASE - 700,
		      .previous_work = -64,
		      .seen = 9,
		      .packets = 2,
		      .pid = 4194304,
		      .cause = {.entry = BASE - 16,
				.isr = BASE + 200,
				.raise = BASE + 1000,
				.irq = 4095,
				.seat = 0xfe | 511 << 16,
				.again = 3,
				.flags = cause_flags}},
	    .work = -1,
	    .budget = 64,
	    .napi_id = 0x2001,
	    .irq = 77,
	};
}

int main(void)
{
	struct rx_packet record = packet(RX_PACKET_OPENED, sizeof(struct rx_packet), 2);

	emit(&record, record.size);
	record = packet(RX_PACKET_OPENED | RX_PACKET_FRAGS, sizeof(struct rx_packet), 9);
	emit(&record, record.size);

	struct rx_poll caused = poll(RX_POLL_CAUSED | RX_POLL_AMBIGUOUS,
				     RX_CAUSE_VALID | RX_CAUSE_MISSED);

	emit(&caused, caused.size);
	record = packet(RX_PACKET_OPENED, sizeof(struct rx_packet), 255);
	emit(&record, record.size);
	emit(&record, record.size);

	struct rx_poll polled = poll(0, RX_CAUSE_VALID | RX_CAUSE_MISSED);

	polled.begun.start = polled.begun.softirq = 0;
	polled.begun.previous_end = polled.begun.empty = 0;
	polled.context = RX_CONTEXT_SOFTIRQ;
	emit(&polled, polled.size);

	struct rx_poll late = poll(RX_POLL_CAUSED, RX_CAUSE_VALID);

	late.begun.packets = 0;
	late.begun.softirq = late.begun.cause.isr - 1;
	emit(&late, late.size);

	for (int what = RX_LATER_STACK; what <= RX_LATER_RELEASED; what++) {
		union {
			struct rx_stage stage;
			struct rx_queued queued;
			struct rx_read read;
			struct rx_drop drop;
			struct rx_woken woken;
			struct rx_merged merged;
		} later = {.stage = {.kind = RX_STAGE,
				     .what = what,
				     .sequence = 0x7654321,
				     .time = BASE + what,
				     .origin = 1023,
				     .flags = what == RX_LATER_DROP ? RX_LATER_ENTERED : 0,
				     .check = 0xfe2077ab}};
		unsigned size = sizeof(later.stage);

		if (what == RX_LATER_TCP_SOCKET) {
			size = sizeof(later.queued);
			later.queued.sock = 0xffff888111111180ULL;
		} else if (what == RX_LATER_READ || what == RX_LATER_RELEASED) {
			size = sizeof(later.read);
			later.read.pid = 70;
			later.read.tid = 71;
			later.read.bytes = 1400;
			memcpy(later.read.name, "reader", 7);
		} else if (what == RX_LATER_DROP) {
			size = sizeof(later.drop);
			later.drop.reason = 0x30007;
		} else if (what == RX_LATER_WOKEN) {
			size = sizeof(later.woken);
			later.woken.tid = 72;
			memcpy(later.woken.name, "sixteen bytes...", 16);
		} else if (what == RX_LATER_MERGED || what == RX_LATER_COALESCED) {
			size = sizeof(later.merged);
			later.merged.into_sequence = 0x7654320;
			later.merged.into_origin = what == RX_LATER_MERGED ? 1022 : 0xffff;
		}
		later.stage.size = size;
		emit(&later, size);
	}

	struct rx_stream stream = {.kind = RX_STREAM,
				   .what = RX_STREAM_READ,
				   .size = sizeof(stream),
				   .copied = 0xfffffff0,
				   .time = BASE + 50,
				   .sock = 0xffff888111111180ULL,
				   .pid = 70,
				   .tid = 71,
				   .name = "reader"};

	emit(&stream, stream.size);
	stream.what = RX_STREAM_CLOSED;
	emit(&stream, stream.size);

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
