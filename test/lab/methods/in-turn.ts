/** The host's side of the sessions in the guest: starts the script, sends what it asks for, gathers what it says. */
import { SINK_PORT, sequencePayload, spreadPort, udpFrame } from '../../../lab/frames.js';
import type { Guest } from '../../../lab/guest.js';
import { spread } from '../../../src/base/stats.js';
import {
  BUSY_FRAMES,
  FLOOD,
  FRAMES,
  GAP_US,
  SLOW_GAP_US,
  type KilledResult,
  type Line,
  type MethodResult,
  TRIES,
  type Task,
} from './in-guest/results.js';

const SCRIPT = 'dist/test/lab/methods/in-guest/main.js';
/** In the guest's network and nobody's: it is dropped behind the last stage that is looked at, without an answer. */
const NOBODY = '10.77.0.99';
/** Between two interrupts that must not be one; igb's dynamic limit is 70,000 a second. */
const BUSY_US = 200;
const BURST = 32;

/** How fast frames went out, ns. */
export interface Pace {
  /** Median from one frame to the next of queue 1, which every other one goes to. */
  readonly gap: number;
}

/** Everything that a kernel's run gave. */
export interface Conformance {
  readonly irqs: readonly [number, number];
  readonly methods: ReadonlyMap<string, MethodResult>;
  readonly killed: KilledResult;
  /** By number of the traffic. */
  readonly sent: readonly Pace[];
}

const frame = (flow: number, index: number): Buffer =>
  udpFrame({
    sourcePort: spreadPort(flow),
    port: SINK_PORT,
    target: NOBODY,
    payload: sequencePayload(index, 64),
  });

/** Sends what the script asks for. */
class Sender {
  irqs: readonly [number, number] = [0, 0];
  flows: readonly [readonly number[], readonly number[]] = [[], []];
  readonly sent: Pace[] = [];
  private readonly guest: Guest;

  constructor(guest: Guest) {
    this.guest = guest;
  }

  /** One of a queue's flows, in turn. */
  private of(queue: 0 | 1, index: number): Buffer {
    const flows = this.flows[queue];
    return frame(flows[index % flows.length] as number, index);
  }

  /** To both queues, one after the other. */
  private alternating(count: number): Buffer[] {
    return Array.from({ length: count }, (_, i) => this.of((i % 2) as 0 | 1, i >> 1));
  }

  async send({ traffic, flow = 0 }: Line & { type: 'send' }): Promise<void> {
    const { injector } = this.guest;
    const tries = (): Buffer[] => Array.from({ length: TRIES }, (_, index) => frame(flow, index));
    const [frames, pacing] = {
      flow: [tries, { gapUs: GAP_US }] as const,
      both: [() => this.alternating(FRAMES), { gapUs: GAP_US }] as const,
      slow: [() => this.alternating(FRAMES), { gapUs: SLOW_GAP_US }] as const,
      busy: [() => this.alternating(BUSY_FRAMES), { gapUs: BUSY_US }] as const,
      flood: [() => this.alternating(FLOOD), { burst: BURST, gapUs: BURST * BUSY_US }] as const,
    }[traffic];
    const { times } = await injector.send(frames(), pacing);
    const own = times.filter((_, i) => i % 2 === 1);
    const gaps = own.slice(1).map((time, i) => Number(time - (own[i] as bigint)));
    this.sent.push({ gap: spread(gaps).median });
  }
}

/** Runs all methods in the guest. @throws what the script said where it ended before its time */
export async function runInTurn(guest: Guest, module: string): Promise<Conformance> {
  const task: Task = { iface: 'eth0', module };
  const running = guest.start(['node', SCRIPT, JSON.stringify(task)]);
  const sender = new Sender(guest);
  const methods = new Map<string, MethodResult>();
  let killed: KilledResult | undefined;
  for await (const text of running.lines()) {
    const line = JSON.parse(text) as Line;
    if (line.type === 'send') await sender.send(line);
    else if (line.type === 'queues') Object.assign(sender, { irqs: line.irqs, flows: line.flows });
    else if (line.type === 'method') methods.set(line.result.method, line.result);
    else killed = line.result;
  }
  const { code, stderr } = await running.wait();
  if (code !== 0 || killed === undefined) throw new Error(`the script ended with code ${code}: ${stderr}`);
  return { irqs: sender.irqs, methods, killed, sent: sender.sent };
}
