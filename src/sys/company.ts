/** A slow kprobe program of somebody else, at work on some CPUs for a while. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readObject } from './package.js';
import { BpfObject } from './libbpf.js';

/** Company that is there. */
export interface Company {
  /** Resolves when every task of it has begun; false when one of them has not. */
  readonly ready: Promise<boolean>;
  /** Resolves when it has stopped, by itself or not. */
  readonly over: Promise<unknown>;
  /** Takes it away at once. */
  close(): void;
}

/** A slow program hung on a kernel function, nobody calling it yet. Errors: RXS_BPF_LOAD, RXS_BPF_ATTACH. */
export function hangSlowProgram(): { start(cpus: readonly number[], ms: number): Company; close(): void } {
  const object = BpfObject.open(readObject('company.bpf.o'), 'company.bpf.o');
  try {
    object.load();
    object.attach('company');
  } catch (error) {
    object.close();
    throw error;
  }
  return {
    start: (cpus, ms) => busy(cpus, ms),
    close: () => object.close(),
  };
}

function busy(cpus: readonly number[], ms: number): Company {
  const script = fileURLToPath(new URL('rename-loop.js', import.meta.url));
  const children = cpus.map((cpu) => {
    const child = spawn(process.execPath, [script, String(cpu), String(ms)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const over = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const ready = new Promise<boolean>((resolve) => {
      child.stdout.once('data', () => resolve(true));
      child.once('close', () => resolve(false));
    });
    return { child, over, ready };
  });
  return {
    ready: Promise.all(children.map(({ ready }) => ready)).then((all) => all.every(Boolean)),
    over: Promise.all(children.map(({ over }) => over)),
    close: () => children.forEach(({ child }) => child.kill('SIGKILL')),
  };
}
