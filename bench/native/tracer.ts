/** What every tracer in the comparison can do: be started until it really listens, be stopped, and say what it saw. */
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Started, start, tryRun, waitFor } from '../lib/run.js';
import type { Undo } from '../lib/undo.js';
import type { Veth } from './veth.js';

/** Payload of the packets that only find out whether a tracer listens yet: never counted. */
export const PROBE_BYTES = 18;
/** Payload of the packets that count. */
export const FLOOD_BYTES = 64;
/** skb->len of those at netif_rx: the Ethernet header is pulled, IP (20) and UDP (8) are not. */
export const FLOOD_SKB_BYTES = FLOOD_BYTES + 28;

/** What tracers work with. */
export interface Setting {
  readonly undo: Undo;
  readonly link: Veth;
  /** Folder in memory for output, so that no disk slows anyone. */
  readonly folder: string;
  /** CPUs for tracers, as taskset takes them: all but the flood's, for everyone alike. */
  readonly cpus: string;
}

/** What a tracer saw. */
export interface Seen {
  /** Packets of the flood in its output. */
  readonly seen: number;
  /** What it says itself about losses. */
  readonly says: string;
  readonly exitCode: number;
  /** Bytes of output. */
  readonly bytes: number;
}

/** A tracer that listens. */
export interface Listening {
  readonly pid: number;
  /** Ends it and counts its output. */
  stop(): Promise<Seen>;
}

/** A tracer in the comparison. */
export interface Tracer {
  readonly name: string;
  /** The command as a user would type it. */
  readonly command: string;
  /** Program that must be installed. */
  readonly needs: string;
  /** Part of the packets of a round that it gets: a tracer that slows the flood tenfold needs fewer for a stable rate. */
  readonly share: number;
  listen(setting: Setting): Promise<Listening>;
}

/** Starts `argv` on the tracers' CPUs with its output in `file`. */
export async function startOnFile(setting: Setting, argv: readonly string[], file: string): Promise<Started> {
  const fd = openSync(join(setting.folder, file), 'w');
  const [program = '', ...args] = setting.cpus === '' ? argv : ['taskset', '-c', setting.cpus, ...argv];
  const started = await start(setting.undo, program, args, ['ignore', fd, 'pipe']);
  closeSync(fd);
  return started;
}

/** Bytes in a file of the setting's folder. */
export function outputSize(setting: Setting, file: string): number {
  const path = join(setting.folder, file);
  return existsSync(path) ? statSync(path).size : 0;
}

/** Lines in a file, by a program: they are millions. */
export function countLines(setting: Setting, file: string, pattern = ''): number {
  return Number(tryRun('grep', ['-c', pattern, join(setting.folder, file)]).stdout);
}

/** The text of a small output file. */
export function outputText(setting: Setting, file: string): string {
  return readFileSync(join(setting.folder, file), 'utf8');
}

/** Sends probes until `shown`, then waits until the output rests. Ends early when the tracer has died. */
export async function probeUntil(
  setting: Setting,
  tracer: Started,
  file: string,
  shown: () => boolean,
  burst: number,
): Promise<void> {
  const alive = (): boolean => tracer.child.exitCode === null && tracer.child.signalCode === null;
  for (const end = performance.now() + 30_000; !shown() && alive() && performance.now() < end; ) {
    await setting.link.flood({ packets: burst, bytes: PROBE_BYTES });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  if (!alive() || !shown()) {
    throw new Error(`it never listened: ${tracer.words().trim().split('\n').at(-1) ?? ''}`);
  }
  let size = -1;
  await waitFor('the output to rest', () => size === (size = outputSize(setting, file)), {
    seconds: 10,
    everyMs: 200,
  });
}

/** Waits until the output has not grown for a while: the tracer has written what it has. */
export async function rest(setting: Setting, file: string, seconds: number): Promise<void> {
  let size = -1;
  let still = 0;
  const quiet = (): boolean => {
    const now = outputSize(setting, file);
    still = now === size ? still + 1 : 0;
    size = now;
    return still >= 3;
  };
  await waitFor('the tracer to write what it has', quiet, { seconds, everyMs: 100 });
}
