/** What `rxstamp lab` does: one guest, one command, perhaps frames, the command's exit code. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedKernel } from './fetch.js';
import type { Guest } from './guest.js';
import type { GuestOptions } from './guest-options.js';
import { type InjectSpec, framesOf } from './inject-spec.js';
import { DEFAULT_KERNEL, KERNELS } from './kernels.js';
import { DEFAULT_NIC, NICS, range } from './nics.js';
import { toStderr } from './progress.js';
import type { Running } from './running.js';
import { startSink } from './sink.js';
import { withGuest } from './with-guest.js';

/** One call of `rxstamp lab`. */
export interface LabCommand {
  readonly guest: GuestOptions;
  readonly argv: readonly string[];
  readonly inject: InjectSpec | undefined;
  /** Seconds the command may take. */
  readonly timeout: number;
}

/** Exit code when the time is over, as timeout(1) has it. */
const TIMED_OUT = 124;
/** A command that prints nothing gets its frames after this time, seconds. */
const SILENT_START = 30;
/** Code of a process ended by SIGINT. */
const INTERRUPTED = 130;

/** The kernels and NICs, for `rxstamp lab --list`. */
export function labTable(): string {
  const kernels = KERNELS.map(({ name, suites }) => {
    const here = cachedKernel(name);
    const mark = name === DEFAULT_KERNEL ? ' (default)' : '';
    const state = here === undefined ? `not fetched, from ${suites.join(' or ')}` : `cached, ${here.release}`;
    return `  ${name.padEnd(8)} ${state}${mark}`;
  });
  const nics = NICS.map(({ name, about, maxQueues }) => {
    const mark = name === DEFAULT_NIC ? ' (default)' : '';
    return `  ${name.padEnd(8)} ${range(maxQueues).padEnd(10)} ${about}${mark}`;
  });
  return ['kernels', ...kernels, 'NICs', ...nics, ''].join('\n');
}

/** Watches output for a line with `text` in it; `heard` resolves with the first. npx talks before its program does. */
class Listener {
  readonly heard: Promise<void>;
  #tell: () => void = () => undefined;
  readonly #rests = new Map<string, string>();
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.heard = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  hear(stream: string, chunk: Buffer): void {
    const lines = `${this.#rests.get(stream) ?? ''}${chunk.toString()}`.split('\n');
    this.#rests.set(stream, lines.pop() ?? '');
    if (lines.some((line) => line.includes(this.#text) && !line.startsWith('npm '))) this.#tell();
  }
}

/** Sends the frames once the command listens, until all are out or the command ends. */
async function feed(guest: Guest, spec: InjectSpec, listener: Listener, stop: AbortSignal): Promise<void> {
  const { start } = spec;
  const seconds = 'seconds' in start ? start.seconds : SILENT_START;
  const time = sleep(seconds * 1000, undefined, { signal: stop }).catch(() => undefined);
  await Promise.race('seconds' in start ? [time] : [time, listener.heard]);
  if (stop.aborted) {
    toStderr(`lab: the command ended before the first of ${spec.count} frames was due`);
    return;
  }
  const sent = await guest.injector.send(framesOf(spec), {
    gapUs: spec.gapUs,
    burst: spec.burst,
    signal: stop,
  });
  const span = Number((sent.times.at(-1) ?? 0n) - (sent.times[0] ?? 0n)) / 1e9;
  toStderr(`lab: sent ${sent.count} of ${spec.count} ${spec.kind} frames in ${span.toFixed(3)} s`);
}

/** The first interrupt goes to the command, the second ends all. */
function forwardInterrupts(guest: Guest, command: Running): () => void {
  let count = 0;
  const onInterrupt = (): void => {
    count++;
    if (count === 1) command.kill('SIGINT');
    else {
      guest.kill();
      process.exit(INTERRUPTED);
    }
  };
  process.on('SIGINT', onInterrupt);
  return () => void process.off('SIGINT', onInterrupt);
}

/** Boots, runs the command with its output passed on live, returns its exit code. Throws RXS_LAB*. */
export function runInLab(wish: LabCommand): Promise<number> {
  const options: GuestOptions = {
    ...wish.guest,
    lifeTime: wish.timeout + 60,
    interrupts: 'caller',
    say: toStderr,
  };
  return withGuest(options, async (guest) => {
    const { inject } = wish;
    if (inject?.kind.startsWith('udp')) await startSink(guest, { port: inject.port });
    const start = inject?.start;
    const listener = new Listener(start !== undefined && 'text' in start ? start.text : '');
    const command = guest.start(wish.argv, {
      cwd: process.cwd(),
      onStdout: (chunk) => {
        process.stdout.write(chunk);
        listener.hear('stdout', chunk);
      },
      onStderr: (chunk) => {
        process.stderr.write(chunk);
        listener.hear('stderr', chunk);
      },
    });
    const restore = forwardInterrupts(guest, command);
    const stop = new AbortController();
    const feeding = inject === undefined ? undefined : feed(guest, inject, listener, stop.signal);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      command.kill('SIGKILL');
    }, wish.timeout * 1000);
    try {
      const { code } = await command.wait();
      if (late) toStderr(`lab: ended the command after ${wish.timeout} s`);
      return late ? TIMED_OUT : code;
    } finally {
      clearTimeout(timer);
      stop.abort();
      await feeding;
      restore();
      if (wish.guest.trace?.length) toStderr(`lab: QEMU's trace is in ${guest.traceLog}`);
    }
  });
}
