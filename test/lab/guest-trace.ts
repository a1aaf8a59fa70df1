/** A trace in a guest, and frames by phases: the source port of a frame says in which phase it was sent. */
import { ADDRESSES, SINK_PORT, sequencePayload, udpFrame } from '../../lab/frames.js';
import type { Guest } from '../../lab/guest.js';
import type { Pacing, Sent } from '../../lab/inject.js';
import type { Running } from '../../lab/running.js';
import { type Entrance, sendCounted, settle, startTrace } from '../../lab/trace-in-guest.js';
import { HOOKED_STAGES } from '../../src/stages.js';
import { type NoteLine, type PacketLine, type TraceLines, readTrace } from './ndjson.js';

const FLOWS = 8;
/** Ports per phase; the flows of a phase take turns. */
const PORTS = 100;
const FIRST_PORT = 2000;
/** Packets that a poll takes at most: NAPI_POLL_WEIGHT is 64. */
const ONE_POLL = 60;

/** `count` frames of a phase, over `flows` flows, to the first NIC unless another address is given. */
export function phaseFrames(
  phase: number,
  count: number,
  flows = FLOWS,
  targetMac: string = ADDRESSES.guestMac,
): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    udpFrame({
      sourcePort: FIRST_PORT + phase * PORTS + (index % flows),
      port: SINK_PORT,
      payload: sequencePayload(index),
      targetMac,
    }),
  );
}

/** Runs a shell command in the guest; throws with what it said. */
export async function sh(guest: Guest, command: string): Promise<string> {
  const { code, stdout, stderr } = await guest.run(['sh', '-c', command]);
  if (code !== 0) throw new Error(`${command}: exit ${code}: ${stderr}`);
  return stdout.trim();
}

/** Shell text that waits for an interface's carrier, and fails when there is none for long. */
export const carrierOf = (iface: string): string =>
  `n=0; until [ "$(cat /sys/class/net/${iface}/carrier 2>/dev/null)" = 1 ]; do n=$((n+1)); [ $n -lt 400 ] || exit 1; sleep 0.05; done`;

/**
 * Waits until interrupts go to this CPU: the kernel moves one when it comes the next time, so the first one may still be
 * on the old CPU, with all the packets that wait for it. The igb driver raises each of its queues' every two seconds.
 */
export async function interruptsMoved(guest: Guest, irqs: readonly number[], cpu: number): Promise<void> {
  for (const irq of irqs) {
    const moved = async (): Promise<boolean> =>
      (await sh(guest, `cat /proc/irq/${irq}/effective_affinity_list`)) === String(cpu);
    if (!(await settle(moved, (yes) => yes))) throw new Error(`IRQ ${irq} does not move to CPU ${cpu}`);
  }
}

/** Receive and transmit interrupts of an interface to one CPU; returns when those that packets raise are there. */
export async function moveInterrupts(guest: Guest, cpu: number, iface = 'eth0'): Promise<void> {
  const lines = `grep -E ' ${iface}(-|$)' /proc/interrupts | cut -d: -f1`;
  const moved = await sh(
    guest,
    `for irq in $(${lines}); do echo ${cpu} >/proc/irq/$irq/smp_affinity_list && echo $irq; done`,
  );
  if (moved === '') throw new Error(`${iface} has no interrupts to move`);
  await interruptsMoved(guest, await receiveIrqs(guest, iface), cpu);
}

/** Receive interrupts of an interface as /proc/interrupts names them, by queue. */
export async function receiveIrqs(guest: Guest, name = 'eth0'): Promise<number[]> {
  const text = await sh(guest, 'cat /proc/interrupts');
  return [...text.matchAll(new RegExp(`^\\s*(\\d+):.*${name}-(?:rx|TxRx)-\\d+$`, 'gm'))].map((match) =>
    Number(match[1]),
  );
}

/** How often each of these interrupts has come since the guest booted, on all of its CPUs together. */
export async function interruptCounts(guest: Guest, irqs: readonly number[]): Promise<number[]> {
  const [head = '', ...lines] = (await guest.shell('cat /proc/interrupts')).split('\n');
  const cpus = head.trim().split(/\s+/).length;
  return irqs.map((irq) => {
    const columns =
      lines
        .find((line) => Number.parseInt(line, 10) === irq)
        ?.trim()
        .split(/\s+/) ?? [];
    return columns.slice(1, 1 + cpus).reduce((sum, count) => sum + Number(count), 0);
  });
}

/** The same, of all of them together. */
export async function interruptCount(guest: Guest, irqs: readonly number[]): Promise<number> {
  return (await interruptCounts(guest, irqs)).reduce((sum, count) => sum + count, 0);
}

/** A trace that is running. */
export class GuestTrace {
  readonly running: Running;
  private readonly guest: Guest;

  private constructor(guest: Guest, running: Running) {
    this.guest = guest;
    this.running = running;
  }

  /** Starts it; returns once it records. */
  static async start(guest: Guest, ...words: string[]): Promise<GuestTrace> {
    return new GuestTrace(guest, await startTrace(guest, words));
  }

  /** Sends frames, two at a time every 2 ms unless said, and waits until the interface has counted them. */
  send(frames: readonly Buffer[], pacing: Pacing = {}, way: Entrance = {}): Promise<Sent> {
    return sendCounted(this.guest, frames, { burst: 2, gapUs: 2000, ...pacing }, way);
  }

  /** The same in parts that one poll has room for: however late a poll is, its packets are of its interrupt. */
  async sendInParts(frames: readonly Buffer[], pacing: Pacing = {}): Promise<void> {
    for (let at = 0; at < frames.length; at += ONE_POLL)
      await this.send(frames.slice(at, at + ONE_POLL), pacing);
  }

  /** Waits until it has said on standard error that something has changed, `times` times since `from`. */
  async says(what: RegExp, times = 1, from = 0): Promise<void> {
    const said = (): number => this.said.slice(from).match(new RegExp(what, 'g'))?.length ?? 0;
    const count = await settle(
      async () => said(),
      (so) => so >= times,
    );
    if (count < times) throw new Error(`the trace said ${what} ${count} times: ${this.said.slice(from)}`);
  }

  /** Waits until it has printed so many of these. */
  async prints(what: RegExp, count: number): Promise<void> {
    await settle(
      async () => this.printed.match(what)?.length ?? 0,
      (so) => so >= count,
    );
  }

  /** What it has printed. */
  get printed(): string {
    return this.running.soFar.stdout;
  }

  /** What it has said on standard error. */
  get said(): string {
    return this.running.soFar.stderr;
  }

  /** Ends it, as Ctrl-C does unless another signal is named. */
  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<Traced> {
    this.running.kill(signal);
    const { code, stdout, stderr } = await this.running.wait();
    try {
      return new Traced(code, readTrace(stdout), stderr);
    } catch (error) {
      throw new Error(`${String(error)}; exit ${code}; ${stderr}`, { cause: error });
    }
  }
}

/** How a trace ended, as far as losses go. */
export interface Account {
  readonly code: number;
  readonly lost: number;
  readonly losses: TraceLines['losses'];
}

/** The account of a trace that lost nothing. */
export const NOTHING_LOST: Account = { code: 0, lost: 0, losses: [] };

/** What a trace gave. */
export class Traced {
  readonly code: number;
  readonly lines: TraceLines;
  readonly stderr: string;

  constructor(code: number, lines: TraceLines, stderr: string) {
    this.code = code;
    this.lines = lines;
    this.stderr = stderr;
  }

  get notes(): readonly NoteLine[] {
    return this.lines.notes;
  }

  /** To be compared with {@link NOTHING_LOST}: a failure then shows what was lost. */
  get account(): Account {
    return { code: this.code, lost: this.lines.summary.lost, losses: this.lines.losses };
  }

  /** Packets of a phase. */
  phase(phase: number): readonly PacketLine[] {
    const first = FIRST_PORT + phase * PORTS;
    return this.lines.packets.filter(({ flow }) => {
      const port = flow.sourcePort ?? 0;
      return flow.destinationPort === SINK_PORT && port >= first && port < first + PORTS;
    });
  }
}

/** Packets that have a stage stamped before one that comes earlier in the ladder. The NIC's own stamp has an error. */
export function outOfOrder(packets: readonly PacketLine[]): PacketLine[] {
  return packets.filter(({ stages }) => {
    const times = HOOKED_STAGES.flatMap(({ name }) => stages[name] ?? []);
    return times.some((time, index) => index > 0 && time < (times[index - 1] as number));
  });
}
