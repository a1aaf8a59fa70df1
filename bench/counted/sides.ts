/**
 * What is compared: rxstamp and its peers recording the same stages of the same packets. Each peer at its cheapest: the
 * kernel filters interrupts and softirqs for it, tracepoints that only our packets reach have no filter, buffers hold all.
 */

/** Which stages a side records. */
export type Level = 'entry' | 'arrival' | 'stack' | 'read';

/** Numbers of the guest that filters need. */
export interface GuestNumbers {
  /** Receive interrupt of eth0. */
  readonly irq: number;
  /** Its vector. */
  readonly vector: number;
}

/** How to tell that a tracer listens. */
export type Ready = 'output' | 'control' | 'event';

/** One tracer at one level. */
export interface CountedSide {
  readonly name: string;
  readonly level: Level;
  /** Program that the machine must have. */
  readonly needs: string;
  /** Shell command; writes what it records to $data or to standard output (which is $out). */
  readonly command: (numbers: GuestNumbers) => string;
  readonly ready: Ready;
  /** True when the reader does its work at the end, not while packets come. */
  readonly defers: boolean;
  /** What its record is counted in. */
  readonly counts: 'packets' | 'interrupts';
  /** Shell command that prints how many of these the record has, from $data and $out,
   * since $t0 (seconds of CLOCK_MONOTONIC). */
  readonly countRecord: string;
}

/** All levels, cheapest first. */
export const LEVELS: readonly Level[] = ['entry', 'arrival', 'stack', 'read'];
const UNTIL = { entry: 'entry', arrival: 'driver', stack: 'stack', read: 'read' } as const;

/** What perf and trace-cmd use for the stages that have no tracepoint: the interrupt's entry, then the way of a datagram. */
export const KPROBES: readonly string[] = [
  'p:rxbench/entry __common_interrupt vector=%si:u32',
  'p:rxbench/ip ip_rcv_core skb=%di:u64',
  'p:rxbench/transport udp_rcv skb=%di:u64',
  'p:rxbench/socket __udp_enqueue_schedule_skb skb=%si:u64',
  // Not "read": to perf that is the raw event 0xead.
  'p:rxbench/taken skb_consume_udp skb=%si:u64',
];

interface Event {
  readonly name: string;
  readonly filter: (numbers: GuestNumbers) => string;
}

const none = (): string => '';
const ENTRY: Event = { name: 'rxbench:entry', filter: ({ vector }) => `vector==${vector}` };
const ARRIVAL: readonly Event[] = [
  ENTRY,
  { name: 'irq:irq_handler_entry', filter: ({ irq }) => `irq==${irq}` },
  { name: 'irq:softirq_raise', filter: () => 'vec==3' },
  { name: 'irq:softirq_entry', filter: () => 'vec==3' },
  { name: 'net:napi_gro_receive_entry', filter: none },
  { name: 'napi:napi_poll', filter: none },
];
const STACK: readonly Event[] = [...ARRIVAL, { name: 'net:netif_receive_skb', filter: none }];
const EVENTS: Readonly<Record<Level, readonly Event[]>> = {
  entry: [ENTRY],
  arrival: ARRIVAL,
  stack: STACK,
  read: [
    ...STACK,
    ...['ip', 'transport', 'socket', 'taken'].map((stage) => ({ name: `rxbench:${stage}`, filter: none })),
  ],
};

const counted = (level: Level): string => (level === 'entry' ? 'entry' : 'napi_gro_receive_entry');

function rxstamp(level: Level, more = ''): CountedSide {
  const words = `${more}--until ${UNTIL[level]}`;
  return {
    name: `rxstamp ${words}`,
    level,
    needs: 'node',
    command: () => `node dist/src/cli/main.js trace eth0 ${words} --format times --buffer 64MiB`,
    ready: 'output',
    defers: false,
    counts: more === '' ? 'packets' : 'interrupts',
    countRecord: `awk -v t=$t0 '$1 > t' $out | wc -l`,
  };
}

function perf(level: Level): CountedSide {
  const events = (numbers: GuestNumbers): string =>
    EVENTS[level]
      .map(
        ({ name, filter }) => `-e ${name}${filter(numbers) === '' ? '' : ` --filter '${filter(numbers)}'`}`,
      )
      .join(' ');
  return {
    name: 'perf record',
    level,
    needs: 'perf',
    command: (numbers) =>
      `perf record ${events(numbers)} -a -m 16384 -N -B -D -1 --control fifo:$b/ctl,$b/ack -o $data`,
    ready: 'control',
    defers: true,
    counts: level === 'entry' ? 'interrupts' : 'packets',
    countRecord: `perf script -i $data -F event 2>/dev/null | grep -c ${counted(level)}`,
  };
}

function traceCmd(level: Level): CountedSide {
  const events = (numbers: GuestNumbers): string =>
    EVENTS[level]
      .map(({ name, filter }) => `-e ${name}${filter(numbers) === '' ? '' : ` -f '${filter(numbers)}'`}`)
      .join(' ');
  return {
    name: 'trace-cmd record',
    level,
    needs: 'trace-cmd',
    command: (numbers) => `trace-cmd record ${events(numbers)} -b 65536 -o $data`,
    ready: 'event',
    defers: true,
    counts: level === 'entry' ? 'interrupts' : 'packets',
    countRecord: `trace-cmd report -i $data 2>/dev/null | grep -c '${counted(level)}:'`,
  };
}

const line = (word: string): string => `{ printf("${word} %llu\\n", nsecs); }`;

/** One line per event, as one writes it first. */
function bpftraceLines(level: Level, { irq, vector }: GuestNumbers): string {
  const entry = `kprobe:__common_interrupt /arg1 == ${vector}/ ${line('entry')}`;
  const arrival = [
    entry,
    `tracepoint:irq:irq_handler_entry /args->irq == ${irq}/ ${line('isr')}`,
    `tracepoint:irq:softirq_raise /args->vec == 3/ ${line('raise')}`,
    `tracepoint:irq:softirq_entry /args->vec == 3/ ${line('softirq')}`,
    `tracepoint:net:napi_gro_receive_entry ${line('napi_gro_receive_entry')}`,
    `tracepoint:napi:napi_poll ${line('poll')}`,
  ];
  const stack = [...arrival, `tracepoint:net:netif_receive_skb ${line('stack')}`];
  const read = [
    ...stack,
    `kprobe:ip_rcv_core ${line('ip')}`,
    `kprobe:udp_rcv ${line('transport')}`,
    `kprobe:__udp_enqueue_schedule_skb ${line('socket')}`,
    `kprobe:skb_consume_udp { printf("read %d %s %llu\\n", tid, comm, nsecs); }`,
  ];
  return { entry: [entry], arrival, stack, read }[level].join(' ');
}

/** The later stages kept by skb, one line when it is read. */
const READ_JOINED = [
  'tracepoint:net:netif_receive_skb { @stack[(uint64)args->skbaddr] = nsecs; }',
  'kprobe:ip_rcv_core { @ip[arg0] = nsecs; }',
  'kprobe:udp_rcv { @transport[arg0] = nsecs; }',
  'kprobe:__udp_enqueue_schedule_skb { @socket[arg1] = nsecs; }',
  'kprobe:skb_consume_udp { printf("read %llu %llu %llu %llu %d %s %llu\\n", @stack[arg1], @ip[arg1], @transport[arg1], @socket[arg1], tid, comm, nsecs); delete(@stack[arg1]); delete(@ip[arg1]); delete(@transport[arg1]); delete(@socket[arg1]); }',
];

/** The times kept in variables, one line per packet: fewer lines, more map work. */
function bpftraceJoined(level: Level, { irq, vector }: GuestNumbers): string {
  const rungs = [
    `kprobe:__common_interrupt /arg1 == ${vector}/ { @entry = nsecs; }`,
    `tracepoint:irq:irq_handler_entry /args->irq == ${irq}/ { @isr = nsecs; }`,
    `tracepoint:irq:softirq_raise /args->vec == 3/ { @raise = nsecs; }`,
    `tracepoint:irq:softirq_entry /args->vec == 3/ { @softirq = nsecs; }`,
  ];
  const packet =
    'tracepoint:net:napi_gro_receive_entry { printf("napi_gro_receive_entry %llu %llu %llu %llu %llu\\n", @entry, @isr, @raise, @softirq, nsecs); }';
  const poll = `tracepoint:napi:napi_poll ${line('poll')}`;
  const stack = level === 'stack' ? [`tracepoint:net:netif_receive_skb ${line('stack')}`] : [];
  return [...rungs, packet, poll, ...stack, ...(level === 'read' ? READ_JOINED : [])].join(' ');
}

function bpftrace(
  name: string,
  level: Level,
  program: (level: Level, numbers: GuestNumbers) => string,
): CountedSide {
  return {
    name,
    level,
    needs: 'bpftrace',
    command: (numbers) => `env BPFTRACE_PERF_RB_PAGES=8192 bpftrace -B full -e '${program(level, numbers)}'`,
    ready: 'output',
    defers: false,
    counts: level === 'entry' ? 'interrupts' : 'packets',
    countRecord: `awk -v t=$t0 '$1 == "${counted(level)}" && $NF > t * 1e9' $out | wc -l`,
  };
}

function sidesOf(level: Level): CountedSide[] {
  const sides = [
    // Interrupts alone are what the peers record at this level.
    ...(level === 'entry' ? [rxstamp(level, '--interrupts ')] : []),
    rxstamp(level),
    perf(level),
    traceCmd(level),
    bpftrace('bpftrace, line per event', level, bpftraceLines),
  ];
  // With one event per packet both are the same.
  if (level !== 'entry') sides.push(bpftrace('bpftrace, line per packet', level, bpftraceJoined));
  return sides;
}

/** All sides, by level. */
export const SIDES: readonly CountedSide[] = LEVELS.flatMap(sidesOf);
