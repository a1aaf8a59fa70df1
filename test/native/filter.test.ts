/** Filter expressions in the kernel: what libpcap itself says, and what tcpdump beside us captures. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Undo } from '../../bench/lib/undo.js';
import { Veth } from '../../bench/native/veth.js';
import { convert } from '../../src/filter/convert.js';
import { readClassic } from '../../src/filter/classic.js';
import { SLOT_ROOM } from '../../src/method/ebpf/slot.js';
import { PcapFilter } from '../../src/sys/libpcap.js';
import { pageVariables } from '../../src/sys/page-variables.js';
import { packageRoot } from '../../src/sys/package.js';
import { compile } from '../support/compile.js';
import { KernelRun } from '../support/filter-run.js';
import { EXPRESSIONS, frameOf, framesInPcap, jumboFrames, trafficFrames } from '../support/filter-traffic.js';
import { expressions, packets } from '../support/filters.js';
import { cannotTrace, titled } from './needs.js';
import { RunningTrace, linesOf } from './trace.js';

const RUNS = process.env['RXSTAMP_LONG'] === '1' ? 3000 : 150;
const ROOM = { window: 1536, instructions: SLOT_ROOM };
const ETHERNET = { link: 'ethernet', device: undefined, live: false } as const;

describe.skipIf(cannotTrace !== undefined)(titled('a filter in the kernel', cannotTrace), () => {
  it(`is taken by the verifier and says what bpf_filter() says: ${RUNS} expressions × 50 packets`, () => {
    let pairs = 0;
    let yes = 0;
    fc.assert(
      fc.property(expressions, fc.array(packets, { minLength: 50, maxLength: 50 }), (expression, list) => {
        const filter = PcapFilter.compile(expression, ETHERNET);
        if (typeof filter === 'string') return;
        const converted = convert(readClassic(filter.instructions()), ROOM);
        const kernel = new KernelRun(converted);
        try {
          for (const { bytes, length } of list) {
            const wanted = filter.matches(bytes, length);
            const caplen = Math.min(bytes.length, converted.reach);
            expect(kernel.matches({ bytes, caplen, length })).toBe(wanted);
            pairs++;
            if (wanted) yes++;
          }
        } finally {
          kernel.close();
          filter.close();
        }
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    process.stderr.write(`${pairs} verdicts equal, ${yes} of them yes\n`);
    expect(pairs).toBeGreaterThan(RUNS * 30);
    expect(yes / pairs).toBeGreaterThan(0.1);
    expect(yes / pairs).toBeLessThan(0.9);
  });

  describe('between the ends of a veth pair', () => {
    const undo = new Undo();
    let link: Veth;
    let folder = '';
    const frames = trafficFrames();

    beforeAll(async () => {
      link = await Veth.create(undo, compile('bench/load/flood.c'), 0);
      folder = mkdtempSync(join(tmpdir(), 'rxstamp-filter-'));
      undo.add(() => rmSync(folder, { recursive: true, force: true }));
    });
    afterAll(() => undo.all());

    /** Sends frames through the pair. */
    function send(list: readonly Buffer[]): void {
      const device = link.name.replace(/r$/, 's');
      const tx = link.namespace.replace(/rx$/, 'tx');
      const sender = join(packageRoot, 'dist/test/support/send-frames.js');
      const done = spawnSync('ip', ['netns', 'exec', tx, process.execPath, sender, device], {
        input: list.map((frame) => frame.toString('hex')).join('\n'),
        encoding: 'utf8',
      });
      expect(done.stderr).toBe('');
    }

    const inside = (...words: string[]): ChildProcess => {
      const child = spawn('ip', ['netns', 'exec', link.namespace, ...words], { stdio: 'pipe' });
      undo.add(() => child.kill('SIGKILL'));
      return child;
    };

    /** Filtered traces of what `act` sends, all in one process. */
    async function watched(list: readonly string[], act: () => Promise<void>): Promise<Seen[]> {
      const watcher = join(packageRoot, 'dist/test/support/filter-watch.js');
      const child = inside(process.execPath, watcher, link.name, ...list);
      let said = '';
      child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const over = ended(child);
      await heard(child, 'stdout', 'ready');
      await act();
      child.kill('SIGINT');
      expect(await over).toBe('');
      return JSON.parse(said.slice('ready\n'.length)) as Seen[];
    }

    it(`lets through what tcpdump captures with the same expression: ${EXPRESSIONS.length} expressions × ${frames.length} frames`, {
      timeout: 240_000,
    }, async () => {
      const file = (index: number): string => join(folder, `${index}.pcap`);
      const options = ['-i', link.name, '-Q', 'in', '-s', '2048', '-B', '2048', '--immediate-mode'];
      const captures = EXPRESSIONS.map((expression, index) =>
        inside('tcpdump', ...options, '-w', file(index), expression),
      );
      const told = captures.map((child) => ended(child));
      await Promise.all(captures.map((child) => heard(child, 'stderr', 'listening on')));
      const seen = await watched(EXPRESSIONS, async () => {
        send(frames);
        await Promise.all(captures.map((child) => readEmpty(child)));
      });
      for (const child of captures) child.kill('SIGINT');
      for (const [index, { expression, lengths, records, lost }] of seen.entries()) {
        expect(await told[index], expression).toContain('\n0 packets dropped by kernel');
        const captured = framesInPcap(readFileSync(file(index)));
        const traced = lengths.map((length) => frameOf(length + 14)).sort((a, b) => a - b);
        expect(traced, expression).toEqual(captured);
        // Neither all nor nothing, and not a byte of the ring for the others.
        expect(captured.length, expression).toBeGreaterThan(0);
        expect(captured.length, expression).toBeLessThan(frames.length);
        expect([records, lost], expression).toEqual([captured.length, 0]);
      }
      expect(seen.map(({ expression }) => expression)).toEqual(EXPRESSIONS);
    });

    it('takes every packet for an inbound one', { timeout: 120_000 }, async () => {
      // No tcpdump beside it: libpcap's check in user space, for what came before its filter, lacks the direction.
      const list = ['inbound', 'outbound', 'inbound and udp port 53', 'udp port 53'];
      const seen = await watched(list, async () => send(frames));
      const [all, none, both, port] = seen.map(({ lengths }) => lengths);
      expect([all?.length, none?.length]).toEqual([frames.length, 0]);
      expect(both).toEqual(port);
      expect(port?.length).toBeGreaterThan(10);
    });

    it('reads what lies in pages, or says that it could not', { timeout: 120_000 }, async () => {
      const jumbo = jumboFrames();
      const [tx, sender] = [link.namespace.replace(/rx$/, 'tx'), link.name.replace(/r$/, 's')];
      for (const words of [`-n ${link.namespace} link set ${link.name}`, `-n ${tx} link set ${sender}`])
        expect(spawnSync('ip', [...words.split(' '), 'mtu', '9000']).status).toBe(0);
      const words = [link.name, 'udp', 'dst', 'port', '53', '--format', 'ndjson', '--until', 'stack'];
      const trace = await new RunningTrace(words, link.namespace).ready();
      send(jumbo);
      const { code, stdout } = await trace.interrupt();
      const half = jumbo.length / 2;
      const [shown, stopped] =
        pageVariables() === undefined
          ? [0, { expression: 0, unreadable: jumbo.length }]
          : [half, { expression: half, unreadable: 0 }];
      expect(code).toBe(0);
      expect(linesOf(stdout).at(-1)).toMatchObject({ packets: shown, stopped, seen: jumbo.length, lost: 0 });
    });

    it('begins at the IP header where there is no link layer', { timeout: 120_000 }, async () => {
      const name = `rxt${process.pid}`;
      const tun = inside(process.execPath, join(packageRoot, 'dist/test/support/tun.js'), name);
      await heard(tun, 'stdout', 'ready');
      const up = ['-n', link.namespace, 'link', 'set', name, 'up'];
      expect(spawnSync('ip', up).status).toBe(0);
      const ipPackets = frames.filter((frame) => [0x0800, 0x86dd].includes(frame.readUInt16BE(12)));
      let all = 0;
      const counted = async (...expression: string[]): Promise<number> => {
        const trace = await new RunningTrace(
          [name, ...expression, '--format', 'ndjson'],
          link.namespace,
        ).ready();
        const taken = heard(tun, 'stdout', `received ${(all += ipPackets.length)}\n`);
        for (const packet of ipPackets) tun.stdin?.write(`${packet.subarray(14).toString('hex')}\n`);
        await taken;
        const { code, stdout } = await trace.interrupt();
        expect(code).toBe(0);
        return linesOf(stdout).filter((line) => line.type === 'packet').length;
      };
      const those = (wanted: (frame: Buffer) => boolean): number => ipPackets.filter(wanted).length;
      expect(await counted()).toBe(ipPackets.length);
      expect(await counted('ip6')).toBe(those((frame) => frame.readUInt16BE(12) === 0x86dd));
      expect(await counted('greater', '600')).toBe(those((frame) => frame.length - 14 >= 600));
      expect(await counted('ip[8]', '=', '1')).toBe(those((frame) => frame[14] === 0x45 && frame[22] === 1));
      tun.stdin?.end();
    });

    it('costs nothing at later stages either', { timeout: 120_000 }, async () => {
      const words = [link.name, 'udp port 53', '--format', 'ndjson', '--until', 'stack'];
      const trace = await new RunningTrace(words, link.namespace).ready();
      send(frames);
      const { stdout } = await trace.interrupt();
      const summary = linesOf(stdout).at(-1) as unknown as {
        packets: number;
        records: number;
        unmatchedStages: number;
      };
      expect(summary.packets).toBeGreaterThan(10);
      // One record at the driver, one at the stack, and none of the others.
      expect(summary).toMatchObject({ records: 2 * summary.packets });
    });

    it('is all words behind the interface, and stands in the meta line', { timeout: 120_000 }, async () => {
      const words = [link.name, 'udp', 'port', '53', '--format', 'ndjson'];
      const trace = await new RunningTrace(words, link.namespace).ready();
      send(frames);
      const { code, stdout } = await trace.interrupt();
      const [meta, ...lines] = linesOf(stdout);
      expect(code).toBe(0);
      expect((meta as unknown as { filter: unknown }).filter).toMatchObject({ expression: 'udp port 53' });
      const flows = lines.flatMap((line) => (line.type === 'packet' ? [line.flow] : []));
      expect(flows.length).toBeGreaterThan(10);
      expect(lines.at(-1)).toMatchObject({
        packets: flows.length,
        seen: frames.length,
        stopped: { expression: frames.length - flows.length },
      });
      // A tagged packet's ports are behind its tag, which is part of the header here.
      for (const { sourcePort, destinationPort } of flows)
        expect([sourcePort, destinationPort]).toContain(53);
    });
  });
});

interface Seen {
  readonly expression: string;
  readonly lengths: readonly number[];
  readonly records: number;
  readonly lost: number;
}

/** Waits until a child says something. */
function heard(child: ChildProcess, stream: 'stdout' | 'stderr', text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let all = '';
    child[stream]?.on('data', (chunk: Buffer) => {
      all += chunk.toString();
      if (all.includes(text)) resolve();
    });
    child.once('close', () => reject(new Error(`"${text}" was not said, but: ${all}`)));
  });
}

/**
 * Waits until a tcpdump has read all that the kernel has for it, which SIGINT does not: it says how far it is when it
 * gets SIGUSR1.
 */
async function readEmpty(tcpdump: ChildProcess): Promise<void> {
  for (;;) {
    const told = nextCounts(tcpdump);
    tcpdump.kill('SIGUSR1');
    const [captured, received] = await told;
    if (captured === received) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What a tcpdump counts the next time: packets captured, and received by its filter. */
function nextCounts(tcpdump: ChildProcess): Promise<readonly [string | undefined, string | undefined]> {
  return new Promise((resolve, reject) => {
    let all = '';
    const gone = (): void => reject(new Error(`tcpdump has ended: ${all}`));
    const listen = (chunk: Buffer): void => {
      all += chunk.toString();
      const counts = /(\d+) packets? captured, (\d+) packets? received by filter, .*\n/.exec(all);
      if (counts === null) return;
      tcpdump.stderr?.off('data', listen);
      tcpdump.off('close', gone);
      resolve([counts[1], counts[2]]);
    };
    tcpdump.stderr?.on('data', listen);
    tcpdump.once('close', gone);
  });
}

/** Waits for a child's end; gives its standard error. */
function ended(child: ChildProcess): Promise<string> {
  let all = '';
  child.stderr?.on('data', (chunk: Buffer) => (all += chunk.toString()));
  return new Promise((resolve) => child.once('close', () => resolve(all)));
}
