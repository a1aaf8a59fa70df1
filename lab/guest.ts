/**
 * A guest: boots, runs commands, takes frames, and goes. One guest at a time on a machine; it dies with this process.
 *
 * cast: QEMU (a child under setpriv, so that the kernel ends it with us) · the agent in the guest (control socket) ·
 * the exchange folder (scripts in, output out) · the injector (frame socket) · the lock (one guest per cache).
 */
import type { ChildProcess } from 'node:child_process';
import {
  type FSWatcher,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RxError } from '../src/base/errors.js';
import { packageRoot } from '../src/sys/package.js';
import { cached, runFolder } from './cache.js';
import { type Qemu, ensureBusybox, ensureKernel, ensureQemu } from './fetch.js';
import { commandScript } from './guest-scripts.js';
import { type CommandOptions, type GuestOptions, baseEnv } from './guest-options.js';
import { setupScript } from './guest-setup.js';
import { ensureInitramfs } from './initramfs.js';
import { Injector } from './inject.js';
import { DEFAULT_KERNEL } from './kernels.js';
import { lastWords } from './last-words.js';
import { takeTurn } from './lock.js';
import { DEFAULT_NIC, type NicSpec, parseNic } from './nics.js';
import { type Say, quiet, since, toStderr } from './progress.js';
import { launch } from './programs.js';
import { qemuArguments } from './qemu.js';
import { type Finished, Running } from './running.js';
import { TapWire, noTap, tapNamespace } from './tap.js';
import { connectWhenOpen } from './unix-socket.js';
import { SocketWire } from './wire.js';

const GONE_MS = 5000;
/** Seconds that a guest has to be ready, which takes 5 where nothing else runs; and when it was started once more. */
const BOOT_S = 60;
const LAST_BOOT_S = 120;

/** A running guest. */
export class Guest {
  readonly kernel: string;
  /** `uname -r` inside. */
  release = '';
  readonly nic: NicSpec | undefined;
  readonly cpus: number;
  /** Console log, exchange files, QEMU's log. */
  readonly folder: string;
  /** QEMU's trace, when asked for. */
  readonly traceLog: string;
  readonly #options: GuestOptions;
  readonly #say: Say;
  readonly #commands = new Map<number, Running>();
  #nextId = 1;
  #qemu: ChildProcess | undefined;
  #control: Socket | undefined;
  #injector: Injector | undefined;
  #secondInjector: Injector | undefined;
  readonly #second: NicSpec | undefined;
  #watcher: FSWatcher | undefined;
  #sockets = '';
  #release: () => void = () => undefined;
  #end: string | undefined;
  #lifeTimer: NodeJS.Timeout | undefined;
  #ready: (release: string | undefined) => void = () => undefined;
  #failed: (error: RxError) => void = () => undefined;

  constructor(options: GuestOptions) {
    this.#options = options;
    this.#say = options.say ?? quiet;
    this.kernel = options.kernel ?? DEFAULT_KERNEL;
    this.cpus = options.icount ? 1 : (options.cpus ?? 2);
    const wish = options.nic === undefined ? DEFAULT_NIC : options.nic;
    const text =
      typeof wish === 'string' || wish === null
        ? wish
        : `${wish.model}${wish.queues === undefined ? '' : `,queues=${wish.queues}`}`;
    this.nic = text === null ? undefined : parseNic(text, this.cpus);
    this.#second = options.second === undefined ? undefined : parseNic(options.second, this.cpus);
    this.folder = runFolder(`${this.kernel}-${this.nic?.model.name ?? 'no-nic'}`);
    this.traceLog = join(this.folder, 'trace.log');
  }

  /** The sender of frames. Throws RXS_LAB in a guest without a NIC. */
  get injector(): Injector {
    if (this.#injector !== undefined) return this.#injector;
    throw this.#error('sending frames', 'this guest has no NIC', 'start it with a NIC');
  }

  /** The same for the second NIC. */
  get secondInjector(): Injector {
    if (this.#secondInjector !== undefined) return this.#secondInjector;
    throw this.#error('sending frames', 'this guest has no second NIC', 'start it with one');
  }

  /** Folder on the host that the guest sees as /run/rxlab/x. */
  get exchange(): string {
    return join(this.folder, 'exchange');
  }

  /** Boots until user space is ready. Throws RXS_LAB*, RXS_NEEDS_PROGRAM. */
  async boot(): Promise<void> {
    const from = performance.now();
    const refusal = this.nic?.by === 'tap' ? noTap() : undefined;
    if (refusal !== undefined) throw refusal;
    const kernel = await ensureKernel(this.kernel, this.#say);
    const qemu = await ensureQemu(this.#say);
    const busybox = await ensureBusybox(this.#say);
    const drivers = [this.nic, this.#second].flatMap((nic) => nic?.model.modules ?? []);
    const modules = [...new Set([...drivers, ...(this.#options.modules ?? [])])];
    const initramfs = await ensureInitramfs(kernel, modules, busybox);
    if (this.#options.turn === undefined) {
      this.#release = (await takeTurn(`guest ${this.kernel}`, this.#say)).release;
    }
    mkdirSync(this.exchange, { recursive: true });
    // Paths of unix sockets are short; the cache's may not be.
    this.#sockets = mkdtempSync(join(tmpdir(), 'rxlab-'));
    const keepTmp = [packageRoot, process.cwd(), cached()].some((path) => path.startsWith('/tmp/'));
    if (keepTmp) writeFileSync(join(this.exchange, 'keep-tmp'), '');
    writeFileSync(join(this.exchange, 'setup'), setupScript(this.nic, packageRoot));
    const args = qemuArguments({
      kernel: kernel.vmlinuz,
      initramfs,
      cpus: this.cpus,
      memory: this.#options.memory ?? 2048,
      nic: this.nic,
      frameSocket: join(this.#sockets, 'frames'),
      second: this.#second && { nic: this.#second, frameSocket: join(this.#sockets, 'frames2') },
      controlSocket: join(this.#sockets, 'control'),
      exchange: this.exchange,
      consoleLog: join(this.folder, 'console.log'),
      icount: this.#options.icount ?? false,
      trace: this.#options.trace ?? [],
      traceLog: this.traceLog,
      append: this.#options.append ?? '',
      data: qemu.data,
    });
    const started = performance.now();
    const first = this.#options.bootTimeout ?? BOOT_S;
    const last = Math.max(first, LAST_BOOT_S);
    let release = await this.#powerOn(qemu, args, first);
    if (release === undefined) {
      // A boot of 5.10 hung once. Nothing but the kernel has run by then: a second start hides nothing.
      (this.#options.say ?? toStderr)(`lab: ${this.#late(first).message}; started once more`);
      await this.#powerOff();
      release = await this.#powerOn(qemu, args, last);
    }
    if (release === undefined) throw this.#late(last);
    this.release = release;
    this.#lifeTimer = setTimeout(
      () => this.#break(`it lived longer than ${this.#options.lifeTime ?? 900} s`),
      (this.#options.lifeTime ?? 900) * 1000,
    );
    this.#say(
      `lab: Linux ${this.release}, ${this.cpus} CPU${this.cpus > 1 ? 's' : ''}, ${this.#nicWords()}: ready ${since(started)} after power-on (${since(from)} in all)`,
    );
  }

  /** Starts a command; several may run at the same time. */
  start(argv: readonly string[], options: CommandOptions = {}): Running {
    if (this.#end !== undefined) throw this.#error('starting a command', this.#end);
    const id = this.#nextId++;
    const env = { ...baseEnv(), ...options.env };
    const at = (suffix: string): string => join(this.exchange, `${id}.${suffix}`);
    writeFileSync(at('sh'), commandScript(id, argv, options.cwd ?? packageRoot, env));
    for (const suffix of ['out', 'err']) writeFileSync(at(suffix), '');
    const command = new Running(id, { out: at('out'), err: at('err') }, (line) => this.#tell(line), {
      stdout: options.onStdout,
      stderr: options.onStderr,
    });
    this.#commands.set(id, command);
    this.#tell(`run ${id}`);
    return command;
  }

  /** Runs a command to its end. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<Finished> {
    return this.start(argv, options).wait();
  }

  /** Runs a line of shell that must succeed; returns its standard output. */
  async shell(line: string, options: CommandOptions = {}): Promise<string> {
    const done = await this.run(['sh', '-c', line], options);
    if (done.code === 0) return done.stdout;
    throw this.#error(`running "${line}" in the guest`, `code ${done.code}: ${done.stderr.trim()}`);
  }

  /** Ends the guest: asks it to power off, then insists. Safe to call twice. */
  async close(): Promise<void> {
    this.#end ??= 'the guest was shut down';
    clearTimeout(this.#lifeTimer);
    const qemu = this.#qemu;
    if (qemu !== undefined && qemu.exitCode === null && qemu.signalCode === null) {
      const gone = new Promise<void>((resolve) => qemu.once('exit', () => resolve()));
      this.#tell('stop');
      const stages = [
        setTimeout(() => qemu.kill('SIGTERM'), GONE_MS),
        setTimeout(() => qemu.kill('SIGKILL'), 2 * GONE_MS),
      ];
      await gone;
      for (const stage of stages) clearTimeout(stage);
    }
    this.#clean();
  }

  /** Ends the guest at once, for signal handlers. */
  kill(): void {
    this.#end ??= 'the guest was killed';
    this.#qemu?.kill('SIGKILL');
    this.#clean();
  }

  #nicWords(): string {
    if (this.nic === undefined) return 'no NIC';
    return `${this.nic.model.name} with ${this.nic.queues} queue${this.nic.queues > 1 ? 's' : ''}`;
  }

  /** Starts QEMU; gives the kernel's release once user space is ready, undefined when it is not within `limit` seconds. */
  async #powerOn(qemu: Qemu, args: readonly string[], limit: number): Promise<string | undefined> {
    if (this.#end !== undefined) throw this.#error('booting the guest', this.#end);
    const ready = new Promise<string | undefined>((resolve, reject) => {
      this.#ready = resolve;
      this.#failed = reject;
    });
    ready.catch(() => undefined);
    this.#start(qemu, args);
    await this.#connect();
    const timer = setTimeout(() => this.#ready(undefined), limit * 1000);
    return ready.finally(() => clearTimeout(timer));
  }

  #late(limit: number): RxError {
    return this.#error('booting the guest', `not ready after ${limit} s`);
  }

  /** Takes the power away, to start again. */
  async #powerOff(): Promise<void> {
    const qemu = this.#qemu;
    this.#qemu = undefined;
    const gone = new Promise((resolve) => qemu?.once('exit', resolve));
    qemu?.kill('SIGKILL');
    await gone;
    this.#disconnect();
  }

  #start({ program, libraries }: Qemu, args: readonly string[]): void {
    const log = openSync(join(this.folder, 'qemu.log'), 'w');
    const env = { ...process.env, ...(libraries.length > 0 ? { LD_LIBRARY_PATH: libraries.join(':') } : {}) };
    const place = this.nic?.by === 'tap' ? tapNamespace() : [];
    // The kernel ends QEMU when this process goes, even by SIGKILL.
    const child = launch(
      'setpriv',
      ['--pdeathsig', 'KILL', ...place, program, ...args],
      { stdio: ['ignore', log, log], env, detached: true },
      (error) => this.#failed(error),
    );
    closeSync(log);
    writeFileSync(join(this.folder, 'qemu.args'), `${[program, ...args].join('\n')}\n`);
    child.once('exit', (code, signal) => {
      if (this.#qemu === child) this.#break(`QEMU ended (${signal ?? `code ${code}`})`);
    });
    this.#qemu = child;
    this.#watcher = watch(this.exchange, (_event, name) => {
      this.#commands.get(Number.parseInt(name ?? '', 10))?.drain();
    });
  }

  async #connect(): Promise<void> {
    const check = (): void => {
      if (this.#end !== undefined) throw this.#error('booting the guest', this.#end);
    };
    const socket = await connectWhenOpen(join(this.#sockets, 'control'), check);
    let rest = '';
    socket.on('data', (chunk: Buffer) => {
      const lines = `${rest}${chunk.toString()}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#hear(line);
    });
    socket.on('error', () => undefined);
    this.#control = socket;
    if (this.nic === undefined) return;
    const wire =
      this.nic.by === 'tap'
        ? new TapWire(this.#qemu?.pid ?? 0)
        : new SocketWire(await connectWhenOpen(join(this.#sockets, 'frames'), check));
    this.#injector = new Injector(wire);
    if (this.#second === undefined) return;
    this.#secondInjector = new Injector(
      new SocketWire(await connectWhenOpen(join(this.#sockets, 'frames2'), check)),
    );
  }

  #hear(line: string): void {
    const [verb, first = '', second] = line.trim().split(' ');
    if (verb === 'ready') this.#ready(first);
    if (verb === 'exit') {
      this.#commands.get(Number(first))?.ended(Number(second));
      this.#commands.delete(Number(first));
    }
  }

  #tell(line: string): void {
    if (this.#control?.writable) this.#control.write(`${line}\n`);
  }

  /** The guest has ended by itself: everyone who waits must hear of it. */
  #break(why: string): void {
    this.#end ??= why;
    this.#qemu?.kill('SIGKILL');
    const error = this.#error('running the guest', this.#end);
    this.#failed(error);
    for (const command of this.#commands.values()) command.broken(error);
    this.#commands.clear();
  }

  #disconnect(): void {
    this.#watcher?.close();
    this.#injector?.close();
    this.#secondInjector?.close();
    this.#control?.destroy();
  }

  #clean(): void {
    this.#disconnect();
    if (this.#sockets !== '') rmSync(this.#sockets, { recursive: true, force: true });
    this.#release();
  }

  #error(doing: string, why: string, hint?: string): RxError {
    const last = ['console.log', 'qemu.log']
      .map((name) => join(this.folder, name))
      .filter(existsSync)
      .map((file) => lastWords(readFileSync(file, 'latin1')))
      .findLast((words) => words !== '');
    return new RxError('RXS_LAB', {
      doing,
      why: last === undefined ? why : `${why}; last words: ${last}`,
      hint: hint ?? `look at ${join(this.folder, 'console.log')}`,
    });
  }
}
