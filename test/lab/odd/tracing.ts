/** A trace in a guest, and frames by phases: the source port of a frame says in which phase it was sent. */
import { ADDRESSES, SINK_PORT, sequencePayload, udpFrame } from '../../../lab/frames.js';
import type { Guest } from '../../../lab/guest.js';
import type { Running } from '../../../lab/running.js';
import { type NoteLine, type PacketLine, type TraceLines, readTrace } from '../ndjson.js';

const CLI = ['node', 'dist/src/cli/main.js'];
const FLOWS = 8;
/** Ports per phase; the flows of a phase take turns. */
const PORTS = 100;
const FIRST_PORT = 2000;

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

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A trace that is running. */
export class GuestTrace {
  private readonly guest: Guest;
  private readonly running: Running;

  private constructor(guest: Guest, running: Running) {
    this.guest = guest;
    this.running = running;
  }

  /** Starts it; returns once it records. */
  static async start(guest: Guest, ...args: string[]): Promise<GuestTrace> {
    const running = guest.start([...CLI, 'trace', ...args, '--format', 'ndjson']);
    for await (const line of running.lines()) {
      if (line.startsWith('{"type":"meta"')) return new GuestTrace(guest, running);
    }
    const { stderr } = await running.wait();
    throw new Error(`the trace ended before it began: ${stderr}`);
  }

  /** Sends frames and waits until the interface has counted them. */
  async send(frames: readonly Buffer[], pacing: { burst?: number; gapUs?: number } = {}): Promise<void> {
    await this.guest.injector.send(frames, { burst: 2, gapUs: 2000, ...pacing });
    await pause(400);
  }

  /** Ends it as Ctrl-C does. */
  async end(): Promise<Traced> {
    this.running.kill('SIGINT');
    const { code, stdout, stderr } = await this.running.wait();
    try {
      return new Traced(code, readTrace(stdout), stderr);
    } catch (error) {
      throw new Error(`${String(error)}; exit ${code}; ${stderr}`, { cause: error });
    }
  }
}

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

  /** Packets of a phase. */
  phase(phase: number): readonly PacketLine[] {
    const first = FIRST_PORT + phase * PORTS;
    return this.lines.packets.filter(({ flow }) => {
      const port = flow.sourcePort ?? 0;
      return flow.destinationPort === SINK_PORT && port >= first && port < first + PORTS;
    });
  }
}

/** Stages of each packet are in ladder order: the packets where they are not. */
export function outOfOrder(packets: readonly PacketLine[]): PacketLine[] {
  return packets.filter(({ stages }) => {
    const times = Object.values(stages);
    return times.some((time, index) => index > 0 && time < (times[index - 1] as number));
  });
}

/** Receive interrupts of an interface as /proc/interrupts names them, by queue. */
export async function receiveIrqs(guest: Guest, name = 'eth0'): Promise<number[]> {
  const text = await sh(guest, 'cat /proc/interrupts');
  return [...text.matchAll(new RegExp(`^\\s*(\\d+):.*${name}-(?:rx|TxRx)-\\d+$`, 'gm'))].map((match) =>
    Number(match[1]),
  );
}
