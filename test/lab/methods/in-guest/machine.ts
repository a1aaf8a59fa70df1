/** The guest's interface as the sessions see it: its interrupts, their counts, and traffic that is asked of the host. */
import { readFileSync, writeFileSync } from 'node:fs';
import koffi from 'koffi';
import { methodRequest } from '../../../../src/cli/trace/method.js';
import { readOptions } from '../../../../src/cli/trace/options.js';
import { resolveTarget } from '../../../../src/cli/trace/target.js';
import { resolveNic } from '../../../../src/nic/resolve.js';
import type { MethodRequest } from '../../../../src/method/method.js';
import { readInterrupts } from '../../../../src/sys/interrupts.js';
import { clockNow } from '../../../../src/sys/libc.js';
import { BUSY_FRAMES, FLOOD, FRAMES, type Line, TRIED_FLOWS, TRIES, type Traffic } from './results.js';

const FRAMES_OF: Readonly<Record<Traffic, number>> = {
  flow: TRIES,
  both: FRAMES,
  slow: FRAMES,
  busy: BUSY_FRAMES,
  flood: FLOOD,
};
const TURN_MS = 4;
const PATIENCE_NS = 30e9;
/** Packets of one UDP flow are not interrupts of other queues: the queue's line counts at least this many more. */
const CLEARLY = 2;

const syscall = koffi
  .load('libc.so.6')
  .func('long syscall(long number, int command, unsigned int flags, int cpu)');
const MEMBARRIER = 324;
const MEMBARRIER_CMD_GLOBAL = 1;

/**
 * Returns when everything that was running in the kernel with softirqs, interrupts or preemption off is over
 * (membarrier(2): synchronize_rcu): the poll whose packets the interface has counted already, and what was being written.
 */
function othersAreOver(): void {
  if (syscall(MEMBARRIER, MEMBARRIER_CMD_GLOBAL, 0, 0) !== 0)
    throw new Error(`membarrier: errno ${koffi.errno()}`);
}

/** Now, CLOCK_MONOTONIC ns. */
export const monotonic = (): number => Number(clockNow('mono'));

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Tells the host. */
export function tell(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** The kernel's counts of all lines, and when they were read: not before `from`, not after `to`. */
export interface Counted {
  readonly from: number;
  readonly to: number;
  readonly counts: ReadonlyMap<number, number>;
}

/** Reads /proc/interrupts. */
export function count(): Counted {
  const from = monotonic();
  const { lines } = readInterrupts();
  const counts = new Map([...lines].map(([irq, line]) => [irq, line.counts.reduce((a, b) => a + b, 0)]));
  return { from, to: monotonic(), counts };
}

/** An interface with two receive queues. */
export class Machine {
  readonly iface: string;
  /** Receive interrupts of queue 0 and 1. */
  readonly irqs: readonly [number, number];
  /** All lines of the interface. */
  readonly lines: readonly number[];
  private asked = 0;

  /** Queue 1's interrupt gets CPU 1 for itself, everything else CPU 0. */
  constructor(iface: string) {
    this.iface = iface;
    const { irqs } = resolveNic(iface);
    this.lines = irqs.map(({ irq }) => irq);
    const of = (queue: number): number => {
      const found = irqs.find((one) => one.role.startsWith('rx') && one.queue === queue);
      if (found === undefined) throw new Error(`${iface} has no interrupt of queue ${queue}`);
      return found.irq;
    };
    this.irqs = [of(0), of(1)];
    for (const irq of this.lines)
      writeFileSync(`/proc/irq/${irq}/smp_affinity_list`, irq === this.irqs[1] ? '1' : '0');
  }

  private received(): number {
    return Number(readFileSync(`/sys/class/net/${this.iface}/statistics/rx_packets`, 'utf8'));
  }

  /**
   * Has frames sent, and waits until all of them have come.
   * @param meanwhile called every few milliseconds
   * @returns its number
   */
  async traffic(traffic: Traffic, meanwhile: () => void = () => {}, flow?: number): Promise<number> {
    const wanted = FRAMES_OF[traffic];
    const number = this.asked++;
    const before = this.received();
    const until = monotonic() + PATIENCE_NS;
    tell({ type: 'send', traffic, ...(flow === undefined ? {} : { flow }) });
    for (let come = 0; come < wanted; come = this.received() - before) {
      if (monotonic() > until) throw new Error(`${come} of ${wanted} frames came`);
      meanwhile();
      await sleep(TURN_MS);
    }
    othersAreOver();
    const come = this.received() - before;
    if (come !== wanted) throw new Error(`${come} frames came instead of ${wanted}`);
    return number;
  }

  /** Learns which flows go to which queue, and tells the host. Its first interrupts move to their CPUs meanwhile. */
  async learnFlows(): Promise<void> {
    const flows: [number[], number[]] = [[], []];
    for (let flow = 0; flow < TRIED_FLOWS; flow++) {
      const before = count().counts;
      await this.traffic('flow', undefined, flow);
      const after = count().counts;
      const [first, second] = this.irqs.map((irq) => (after.get(irq) ?? 0) - (before.get(irq) ?? 0));
      const more = (first as number) - (second as number);
      if (Math.abs(more) >= CLEARLY) flows[more > 0 ? 0 : 1].push(flow);
    }
    tell({ type: 'queues', irqs: this.irqs, flows });
  }

  /** A request as `trace` makes it of these options. */
  request(options: Readonly<Record<string, string | boolean>>): MethodRequest {
    const raw = { clock: 'mono', format: 'text', ...options };
    return methodRequest(resolveTarget(readOptions([this.iface], raw)));
  }
}
