/**
 * Every method of the registry in turn, in one process of the guest: starting one takes seconds there. Says what it finds
 * as lines of JSON, and asks for traffic by the same way. `main.js TASK`; `main.js hold TASK`: starts all and waits.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { METHODS } from '../../../../src/method/index.js';
import type { Method, MethodRequest } from '../../../../src/method/method.js';
import type { MethodName } from '../../../../src/method/names.js';
import { kernelObjects, leftBehind } from './left.js';
import { Machine, monotonic, sleep, tell } from './machine.js';
import type { KilledResult, MethodResult, PacketsHeard, Task, Traffic, Tried } from './results.js';
import { type PacketListener, type Reader, hearInterrupts, hearPackets } from './sessions.js';

const MARK = 'held: ';
const TINY = '64KiB';
const HOLD_MS = 600_000;

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function tried<Result>(attempt: () => Promise<Result>): Promise<Tried<Result>> {
  try {
    return await attempt();
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

async function loadAll(): Promise<Method[]> {
  const loaders = Object.values(METHODS);
  return Promise.all(loaders.map((load) => load()));
}

/** What some methods need before they listen to these lines, and what takes it away again. */
const PREPARE: Readonly<Partial<Record<MethodName, (task: Task, irqs: readonly number[]) => () => void>>> = {
  printk: ({ module }, irqs) => {
    const busybox = (...args: string[]): void => {
      const { status, stderr } = spawnSync('/run/rxlab/busybox', args, { encoding: 'utf8' });
      if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
    };
    busybox('insmod', module, `irq=${irqs.join(',')}`, 'detail=1');
    return () => busybox('rmmod', 'irq_printk');
  },
};

function impossible(method: Method, request: MethodRequest): string | undefined {
  const { possible, reason } = method.possible(request);
  return possible === 'no' ? reason : undefined;
}

/** The sessions of a method on interrupts. */
async function interrupts(method: Method, machine: Machine, task: Task): Promise<Partial<MethodResult>> {
  const filtered = machine.irqs[1];
  const both = { interrupts: true, until: 'isr', irq: machine.irqs.join(',') };
  const one = { ...both, irq: String(filtered), buffer: TINY };
  const prepared = async <Result>(irqs: readonly number[], run: () => Promise<Result>): Promise<Result> => {
    const undo = PREPARE[method.name]?.(task, irqs);
    try {
      return await run();
    } finally {
      undo?.();
    }
  };
  const first = await prepared(machine.irqs, async () => {
    const why = impossible(method, machine.request(both));
    if (why !== undefined) return { impossible: why };
    return {
      both: await tried(() => hearInterrupts(method, machine, machine.request(both), 'steady')),
    };
  });
  if (first.both === undefined) return first;
  const second = await prepared([filtered], () =>
    tried(() => hearInterrupts(method, machine, machine.request(one), 'sleeps')),
  );
  return { ...first, one: second };
}

/** The sessions on packets, all methods together. */
async function packets(
  methods: readonly Method[],
  machine: Machine,
): Promise<Map<Method, Partial<MethodResult>>> {
  const results = new Map<Method, Mutable<Partial<MethodResult>>>();
  const able: Method[] = [];
  const options = ({ tells, last }: Method): Record<string, string | boolean> => ({
    interrupts: false,
    until: tells === 'packets' ? last : 'driver',
  });
  for (const method of methods.filter(({ tells }) => tells !== 'interrupts')) {
    const why = impossible(method, machine.request(options(method)));
    results.set(method, { impossible: why });
    if (why === undefined) able.push(method);
  }
  const hear = async (
    key: 'packets' | 'flood',
    more: (method: Method) => Record<string, string>,
    traffic: Traffic,
    reader: Reader,
  ): Promise<void> => {
    const listeners: PacketListener[] = able.map((method) => ({
      method,
      request: machine.request(Object.assign(options(method), more(method))),
    }));
    const all = await tried(() => hearPackets(listeners, machine, traffic, reader));
    for (const [index, method] of able.entries()) {
      const heard = 'error' in all ? all : (all[index] as PacketsHeard | Error);
      (results.get(method) as Mutable<Partial<MethodResult>>)[key] =
        heard instanceof Error ? { error: words(heard) } : heard;
    }
  };
  await hear('packets', () => ({}), 'slow', 'steady');
  const oneQueue = ({ filters }: Method): Record<string, string> =>
    filters.queue === undefined ? {} : { queue: '1' };
  await hear('flood', (method) => ({ buffer: TINY, ...oneQueue(method) }), 'flood', 'sleeps');
  return results;
}

/** Methods that a run holds when it is killed: those that need nothing prepared. */
function held(methods: readonly Method[], machine: Machine): (readonly [Method, MethodRequest])[] {
  const options = { irq: machine.irqs.join(','), until: 'isr', interrupts: true };
  return methods
    .filter(({ name }) => PREPARE[name] === undefined)
    .map((method) => {
      const request =
        method.tells === 'packets'
          ? machine.request({ interrupts: false, until: method.last })
          : machine.request(options);
      return [method, request] as const;
    })
    .filter(([method, request]) => impossible(method, request) === undefined);
}

/** Starts all methods, says so, and waits to be killed. */
async function hold(task: Task): Promise<void> {
  const machine = new Machine(task.iface);
  const started: string[] = [];
  for (const [method, request] of held(await loadAll(), machine)) {
    await method.start(request);
    started.push(method.name);
  }
  process.stdout.write(`${MARK}${started.join(' ')}\n`);
  await sleep(HOLD_MS);
}

/** Has a process start all methods and kills it. @returns what it had started */
async function killOne(task: Task): Promise<{ pid: number; methods: string[] }> {
  const child = spawn(process.execPath, [process.argv[1] as string, 'hold', JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith(MARK)) continue;
    child.kill('SIGKILL');
    await gone;
    return { pid: child.pid as number, methods: line.slice(MARK.length).split(' ') };
  }
  throw new Error('the run that was to be killed ended before');
}

async function main(task: Task): Promise<void> {
  const machine = new Machine(task.iface);
  const methods = await loadAll();
  const untouched = kernelObjects();
  const began = monotonic();
  const [killed] = await Promise.all([killOne(task), machine.learnFlows()]);
  process.stderr.write(`started all and was killed: ${(monotonic() - began) / 1e9} s\n`);
  const own = (objects: readonly string[]): string[] =>
    objects.filter((one) => one.includes(`rxstamp_${killed.pid}_`));
  // What a process holds goes a moment after it, so only names are looked at.
  let left = own([...kernelObjects()]);
  const result: Mutable<KilledResult> = { methods: killed.methods, left, cleaner: undefined, after: [] };
  const results = new Map<Method, Mutable<MethodResult>>();
  for (const method of methods) {
    const { name, tells } = method;
    const from = monotonic();
    const found = tells === 'packets' ? {} : await interrupts(method, machine, task);
    const seconds = (monotonic() - from) / 1e9;
    results.set(method, { method: name, seconds, impossible: undefined, ...found });
    if (left.length > 0) {
      left = own([...kernelObjects()]);
      if (left.length === 0) result.cleaner = name;
    }
  }
  const from = monotonic();
  for (const [method, found] of await packets(methods, machine)) {
    const before = results.get(method) as Mutable<MethodResult>;
    results.set(method, { ...before, ...found, impossible: before.impossible ?? found.impossible });
  }
  process.stderr.write(`packets: ${(monotonic() - from) / 1e9} s\n`);
  for (const one of results.values()) tell({ type: 'method', result: one });
  tell({ type: 'killed', result: { ...result, after: await leftBehind(untouched) } });
}

const [first = '{}', second = '{}'] = process.argv.slice(2);
await (first === 'hold' ? hold(JSON.parse(second) as Task) : main(JSON.parse(first) as Task));
