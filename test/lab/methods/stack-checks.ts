/**
 * `rxstamp stack` against perf's call graph of the same function, on real interrupts: the same functions in the same
 * order.
 */
import { beforeAll, expect, it } from 'vitest';
import { ADDRESSES, udpFlows } from '../../../lab/frames.js';
import type { Guest } from '../../../lab/guest.js';
import type { StackDocument } from '../../../src/chain/document.js';

const CLI = ['node', 'dist/src/cli/main.js'];
const TRACEFS = '/sys/kernel/tracing';
const COUNT = 40;

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

/** Sends frames to a NIC of the guest until the command has ended. */
async function under<Result>(guest: Guest, index: number, command: Promise<Result>): Promise<Result> {
  const state = { over: false };
  const ended = command.finally(() => {
    state.over = true;
  });
  ended.catch(() => undefined);
  const [injector, targetMac] =
    index === 0 ? [guest.injector, ADDRESSES.guestMac] : [guest.secondInjector, ADDRESSES.secondMac];
  while (!state.over) {
    await injector.send(udpFlows({ count: 10, flows: 8, targetMac }), { burst: 1, gapUs: 10_000 });
    await pause(50);
  }
  return ended;
}

/**
 * Names of the frames of `perf script`, one list per event. Where perf has not read a module's symbols yet, it says
 * [unknown] of an address that it names in the events behind: then that name counts.
 */
function perfChains(text: string): string[][] {
  const frames = (event: string): string[][] =>
    [...event.matchAll(/^\s+([0-9a-f]+) (\S+?)(?:\+0x[0-9a-f]+)? \(/gm)].map((match) => match.slice(1));
  const names = new Map<string, string>();
  for (const [address = '', name = ''] of frames(text)) if (name !== '[unknown]') names.set(address, name);
  return text
    .split(/\n\s*\n/)
    .map((event) => frames(event).map(([address = '', name = '']) => names.get(address) ?? name))
    .filter((chain) => chain.length > 0);
}

/** Functions that share an address have several names; perf and rxstamp may take different ones. */
async function aliases(guest: Guest): Promise<(name: string) => string> {
  const text = await guest.shell("grep -E ' [tT] asm_call_' /proc/kallsyms || true");
  const first = new Map<string, string>();
  const names = new Map<string, string>();
  for (const [, address = '', name = ''] of text.matchAll(/^(\S+) \S (\S+)$/gm)) {
    if (!first.has(address)) first.set(address, name);
    names.set(name, first.get(address) as string);
  }
  return (name) => names.get(name) ?? name;
}

/** Checks of `stack` on eth0 and eth1 of a guest that was booted before; `handlers` are the functions of their drivers. */
export function stackChecks(guest: Guest, kernel: string, handlers: readonly string[]): void {
  const documents: StackDocument[] = [];
  let same: (name: string) => string;

  beforeAll(async () => {
    await guest.shell('ip link set eth1 up');
    same = await aliases(guest);
    for (const index of [0, 1]) {
      const options = ['--json', '--wait', '60s', '--count', String(COUNT)];
      const done = await under(guest, index, guest.run([...CLI, 'stack', `eth${index}`, ...options]));
      if (done.code !== 0) throw new Error(done.stderr);
      documents.push(JSON.parse(done.stdout) as StackDocument);
    }
  });

  it('finds the driver’s own function', async () => {
    expect(documents.map(({ handler }) => handler.name)).toEqual(handlers);
    expect(documents.map(({ frames }) => frames[0]?.function)).toEqual(handlers);
    for (const [index, { frames }] of documents.entries()) {
      const symbol = await guest.shell(`grep -w '[tT] ${handlers[index]}' /proc/kallsyms`);
      expect(frames[0]?.origin).toBe(/\[(\S+)\]$/.exec(symbol.trim())?.[1] ?? 'vmlinux');
    }
  });

  it('ends where the CPU enters', () => {
    for (const { frames, entered } of documents) {
      expect(entered).toBe(true);
      expect(frames.at(-1)?.function).toBe('asm_common_interrupt');
    }
  });

  it.each([0, 1])('has the functions of perf’s call graph, in its order (NIC %i)', async (index) => {
    const { handler, frames, measured } = documents[index] as StackDocument;
    const filter = measured?.irqs.map((irq) => `irq==${irq}`).join('||');
    const event = `rxlab/isr${index}`;
    await guest.shell(`echo 'p:${event} ${handler.name} irq=%di:u32' >> ${TRACEFS}/kprobe_events`);
    const file = `/tmp/perf${index}`;
    const record = `perf record -q -g -a -e ${event.replace('/', ':')} --filter '${filter}' -o ${file} -- sleep 6`;
    await under(guest, index, guest.shell(record));
    const text = await guest.shell(`perf script -i ${file}`);
    await guest.shell(`echo '-:${event}' >> ${TRACEFS}/kprobe_events`);
    const expected = frames.map((frame) => same(frame.function)).join(' ← ');
    const seen = perfChains(text).map((chain) => {
      const entry = chain.indexOf('asm_common_interrupt');
      return chain
        .slice(0, entry + 1)
        .map(same)
        .join(' ← ');
    });
    expect(seen.length).toBeGreaterThan(10);
    // 5.10 steps onto the interrupt's stack only when it is not on it already: both ways are real ones.
    const step = / ← asm_call_\w+/;
    const plain = (chain: string): string => chain.replace(step, '');
    expect(seen.map(plain)).toEqual(seen.map(() => plain(expected)));
    if (kernel !== '5.10') expect(seen).toContain(expected);
  });

  it('tells what can be hooked as the kernel’s own lists do', async () => {
    const traceable = await guest.shell(`cat ${TRACEFS}/available_filter_functions`);
    const functions = new Set([...traceable.matchAll(/^\S+/gm)].map((match) => match[0]));
    for (const { frames } of documents) {
      for (const { function: name, kprobe, fentry, origin } of frames) {
        expect([name, kprobe.possible]).toEqual([name, functions.has(name)]);
        // Modules have no BTF before 5.11.
        const typed = kernel !== '5.10' || origin === 'vmlinux';
        expect([name, fentry.possible]).toEqual([name, functions.has(name) && typed]);
        if (!kprobe.possible) expect(kprobe.reason).toMatch(/noinstr|entry code/);
      }
    }
  });

  it('times every function that can be hooked, later from the entry inwards', () => {
    for (const { frames, before, measured } of documents) {
      expect(measured).toMatchObject({ interrupts: COUNT, earliest: 'irq_enter_rcu' });
      expect(measured?.hookNs).toBeGreaterThan(0);
      const inwards = [...before, ...[...frames].reverse()].filter(
        (one) => one.fentry.possible || one.kprobe.possible,
      );
      expect(inwards.map(({ after }) => after?.interrupts)).toEqual(inwards.map(() => COUNT));
      const medians = inwards.map(({ after }) => after?.medianNs ?? Number.NaN);
      expect(medians).toEqual([...medians].sort((a, b) => a - b));
      expect(medians[0]).toBe(0);
      const tracepoint = measured?.tracepoint?.medianNs ?? Number.NaN;
      expect(tracepoint).toBeLessThan(medians.at(-1) as number);
      expect(tracepoint).toBeGreaterThan(medians.at(-2) as number);
    }
  });

  it('leaves nothing behind', async () => {
    const programs = await guest.shell(
      'bpftool prog list | grep -cE "stack_|time_|publish|fentry_0" || true',
    );
    expect(programs.trim()).toBe('0');
  });
}
