/**
 * The shell text that measures one side in the guest. Prints lines of `word value`: loads as JSON of bench/load/loop.c,
 * CPU use of the tracer (all its processes, by cgroup) in microseconds, which under -icount are thousands of instructions.
 */
import type { CountedSide, GuestNumbers } from './sides.js';

/** How much of each load. */
export interface LoadSize {
  readonly rounds: number;
  readonly burst: number;
  readonly spins: number;
  /** Packets sent while the tracer's reader runs. */
  readonly live: number;
}

const IFACE = 'eth0';
const HEAD = `
b=/run/rxbench; out=$b/out; data=$b/data; cg=/sys/fs/cgroup/rxbench; loop=dist/bench/load/loop
fail() { echo "fail $*"; exit 1; }
packets() { cat /sys/class/net/${IFACE}/statistics/rx_packets; }
irqs() { sed -n 's/^ *[0-9]*: *\\([0-9]*\\).*${IFACE}-rx-0$/\\1/p' /proc/interrupts; }
`;

/** Settings of the guest's NIC, once: no throttling, room for all frames, segmentation by the kernel and not by QEMU. */
export const SETUP = `set -e
ethtool -C ${IFACE} rx-usecs 0 tx-usecs 0
ethtool -G ${IFACE} rx 4096 tx 4096
ethtool -K ${IFACE} tx-udp-segmentation off
# The transmit queue must not stop although nothing is cleaned up for a while.
echo max >/sys/class/net/${IFACE}/queues/tx-0/byte_queue_limits/limit_min
sleep 1
`;

/** Prints \`irq N\` and \`vector N\` of the receive interrupt, found by tracing the entry while frames come. */
export function findNumbers(kprobes: readonly string[]): string {
  return `${HEAD}
set -e
sed -n 's/^ *\\([0-9]*\\):.*${IFACE}-rx-0$/irq \\1/p' /proc/interrupts
cd /sys/kernel/tracing
${kprobes.map((kprobe) => `echo '${kprobe}' >>kprobe_events`).join('\n')}
echo 1 >events/rxbench/entry/enable
cd - >/dev/null
$loop ${IFACE} 50 1 64 >/dev/null
echo 0 >/sys/kernel/tracing/events/rxbench/entry/enable
sed -n 's/.*vector=\\([0-9]*\\).*/vector \\1/p' /sys/kernel/tracing/trace | sort | uniq -c | sort -n | tail -1 | sed 's/^ *[0-9]* //'
echo >/sys/kernel/tracing/trace
`;
}

function loads(size: LoadSize): string {
  return `
echo "single $($loop ${IFACE} ${size.rounds} 1 1)" || fail single
echo "burst $($loop ${IFACE} ${size.rounds} ${size.burst} 1)" || fail burst
echo "spin $($loop spin ${size.spins})" || fail spin
`;
}

/** The untraced loads. */
export function untracedScript(size: LoadSize): string {
  return `${HEAD}${loads(size)}`;
}

const READY = {
  // Text output comes in blocks, so many frames until the first one shows.
  output: `[ -s $out ] && grep -q '[0-9][0-9]' $out`,
  control: `[ -s $b/ready ]`,
  event: `[ "$(cat /sys/kernel/tracing/events/net/napi_gro_receive_entry/enable)$(cat /sys/kernel/tracing/events/rxbench/entry/enable)" != 00 ]`,
} as const;

/** Measures a side. \`live\`: also with its reader running. */
export function sideScript(side: CountedSide, numbers: GuestNumbers, size: LoadSize, live: boolean): string {
  const command = side.command(numbers);
  const control = side.ready === 'control';
  return `${HEAD}
export b out data t0
rm -rf $b; mkdir -p $b; mkdir $cg 2>/dev/null
usage() { sed -n 's/^usage_usec //p' $cg/cpu.stat; }
${control ? 'mkfifo $b/ctl $b/ack' : ''}
setsid env --default-signal=INT,QUIT sh -c 'echo $$ >$b/pid; echo $$ >'$cg'/cgroup.procs; exec ${command.replaceAll("'", `'\\''`)}' >$out 2>$b/err </dev/null &
job=$!
${control ? '( echo enable >$b/ctl; head -c 3 $b/ack >$b/ready ) &' : ''}
n=0
until ${READY[side.ready]}; do
  n=$((n+1)); [ $n -gt 150 ] && fail "never listened: $(tail -n 1 $b/err)"
  kill -0 $job 2>/dev/null || fail "ended early: $(tail -n 1 $b/err)"
  ${side.ready === 'output' ? `$loop ${IFACE} 30 1 64 >/dev/null; sleep 0.2` : 'sleep 0.2'}
done
sleep 0.5
pid=$(cat $b/pid)
echo "started $(usage)"
# Asleep: what is counted is the kernel's side alone.
kill -STOP -$pid; sleep 0.2
before=$(packets); irqs=$(irqs); t0=$(cut -d' ' -f1 /proc/uptime)
${loads(size)}
kill -CONT -$pid; sleep 1
${
  live
    ? `$loop ${IFACE} ${size.live} 1 64 >$b/live; sleep 1
u0=$(usage); sleep 1; u1=$(usage); echo "idle $((u1-u0))"
$loop ${IFACE} ${size.live} 1 64 >$b/live; sleep 1; u2=$(usage); echo "live $((u2-u1))"`
    : ''
}
after=$(packets); irqs=$(($(irqs)-irqs)); u3=$(usage)
kill -INT $pid
wait $job; echo "code $?"
u4=$(usage); echo "exit $((u4-u3))"
echo "sent $((after-before))"
echo "interrupts $irqs"
echo "listed $(${side.countRecord})"
tail -n 3 $b/err | sed 's/^/says /'
rmdir $cg
rm -rf $b
`;
}
