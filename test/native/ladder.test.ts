/** The way of a packet to its reader through a veth pair of our own, as far as this kernel lets it be seen. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Undo } from '../../bench/lib/undo.js';
import { Veth } from '../../bench/native/veth.js';
import { arpFrame } from '../../lab/frames.js';
import { packageRoot } from '../../src/sys/package.js';
import { compile } from '../support/compile.js';
import { cannotTrace, titled } from './needs.js';
import { type Line, RunningTrace, linesOf } from './trace.js';

const TARGET = '198.18.0.2';
const BYTES = 1024 * 1024;

interface Ended extends Line {
  readonly fate: string;
  readonly dropReason?: string | null;
  readonly reader?: {
    readonly pid: number;
    readonly tid: number;
    readonly name: string;
    readonly bytes: number | null;
  };
  readonly flow: { readonly destinationPort?: number; readonly family?: string };
}

describe.skipIf(cannotTrace !== undefined)(titled('the way to the reader', cannotTrace), () => {
  const undo = new Undo();
  let link: Veth;
  let reader = '';
  let sender = '';

  beforeAll(async () => {
    link = await Veth.create(undo, compile('bench/load/flood.c'), 0);
    reader = compile('test/support/reader.c', ['-pthread']);
    sender = link.namespace.replace(/rx$/, 'tx');
    neverRepeat();
  });
  afterAll(() => undo.all());

  /**
   * Has TCP send nothing twice: nothing is lost here, but an acknowledgement that comes late, when a core was busy, lets
   * tcp_send_loss_probe() send the last segment again after two ticks, and the timer whatever is out after 0.2 s.
   */
  function neverRepeat(): void {
    const run = (...words: string[]): void =>
      expect(spawnSync('ip', words, { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    const route = [
      '198.18.0.0/24',
      'dev',
      link.name.replace(/r$/, 's'),
      'src',
      '198.18.0.1',
      'rto_min',
      '60s',
    ];
    run('netns', 'exec', sender, 'sysctl', '-qw', 'net.ipv4.tcp_early_retrans=0');
    run('-n', sender, 'route', 'replace', ...route);
  }

  /** Starts the reader in the receiving namespace; its output when it has ended. */
  async function read(
    ...words: readonly (string | number)[]
  ): Promise<{ pid: number; said: Promise<string> }> {
    const args = ['netns', 'exec', link.namespace, reader, ...words.map(String)];
    const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: string[] = [];
    const said = new Promise<string>((resolve) => child.once('close', () => resolve(lines.join('\n'))));
    await new Promise<void>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        lines.push(line);
        if (line === 'ready') resolve();
      });
    });
    return { pid: child.pid ?? 0, said };
  }

  function send(script: string): void {
    const done = spawnSync('ip', ['netns', 'exec', sender, process.execPath, '-e', script], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect([done.status, done.stderr]).toEqual([0, '']);
  }

  const datagrams = (port: number, count: number): void =>
    send(`const s = require('node:dgram').createSocket('udp4');
      let left = ${count};
      const next = () => left-- > 0 ? s.send('rxlab 00000001', ${port}, '${TARGET}', () => setTimeout(next, 2)) : s.close();
      next();`);

  async function trace(
    use: () => Promise<void>,
  ): Promise<{ ways: Map<string, string | undefined>; packets: Ended[]; code: number | null }> {
    const running = await new RunningTrace(
      // Long enough for a reader that is held up; what nobody reads is told at the end of the trace all the same.
      [link.name, '--format', 'ndjson', '--until', 'drop', '--wait', '60s'],
      link.namespace,
    ).ready();
    await use();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { stdout, code } = await running.interrupt();
    const [meta, ...lines] = linesOf(stdout) as unknown as [
      { ways: { stage: string; hook?: string }[] },
      ...Ended[],
    ];
    const ways = new Map(meta.ways.map(({ stage, hook }) => [stage, hook]));
    return { ways, packets: lines.filter((line) => line.type === 'packet'), code };
  }

  it('ends with the kernel’s reason for what nobody listens to', async () => {
    const { packets, code } = await trace(async () => datagrams(9990, 40));
    const ours = packets.filter((packet) => packet.flow.destinationPort === 9990);
    expect(code).toBe(0);
    expect(ours.map(({ fate, dropReason }) => [fate, dropReason])).toEqual(
      Array.from({ length: 40 }, () => ['dropped', 'NO_SOCKET']),
    );
    for (const { stages } of ours) expect(stages['drop']).toBeGreaterThan(stages['stack'] as number);
  });

  it('follows every byte of a TCP transfer to the thread that read it', async () => {
    let said = '';
    const { ways, packets, code } = await trace(async () => {
      const running = await read('tcp', 9991, 16_384, 0);
      send(`const s = require('node:net').connect(9991, '${TARGET}', () => s.end(Buffer.alloc(${BYTES})));`);
      said = await running.said;
    });
    const [, tid, bytes] = /(\d+) reader-0 total (\d+) \d+/.exec(said) ?? [];
    expect([code, Number(bytes)]).toEqual([0, BYTES]);
    expect(ways.get('read')).toContain('tcp_rcv_space_adjust');
    const ours = packets.filter((packet) => packet.flow.destinationPort === 9991);
    const readers = ours.filter((packet) => packet.reader !== undefined);
    expect(readers.reduce((sum, packet) => sum + (packet.reader?.bytes ?? 0), 0)).toBe(BYTES);
    expect(new Set(readers.map((packet) => packet.reader?.tid))).toEqual(new Set([Number(tid)]));
    expect(new Set(readers.map((packet) => packet.reader?.name))).toEqual(new Set(['reader-0']));
    expect(readers.filter(({ stages }) => !(stages['socket']! < stages['read']!))).toEqual([]);
    expect(ours.filter((packet) => packet.reader === undefined && packet.fate !== 'kernel')).toEqual([]);
  });

  it('gives ARP to the kernel', async () => {
    const { packets, code } = await trace(async () => {
      const device = link.name.replace(/r$/, 's');
      const program = join(packageRoot, 'dist/test/support/send-frames.js');
      // The neighbours of the pair are static: no request comes by itself.
      const done = spawnSync('ip', ['netns', 'exec', sender, process.execPath, program, device], {
        input: Array.from({ length: 5 }, () => arpFrame().toString('hex')).join('\n'),
        encoding: 'utf8',
      });
      expect(done.stderr).toBe('');
    });
    const arp = packets.filter((packet) => packet.flow.family === 'ARP');
    expect(code).toBe(0);
    expect(arp.map(({ fate }) => fate)).toEqual(Array.from({ length: 5 }, () => 'kernel'));
  });

  it('gives a datagram to its reader where functions can be hooked', async () => {
    let said = '';
    const { ways, packets } = await trace(async () => {
      const running = await read('udp', 9992, 1, 30);
      datagrams(9992, 30);
      said = await running.said;
    });
    const tids = [...said.matchAll(/^(\d+) reader-0 1 14$/gm)].map(([, tid]) => Number(tid));
    expect(tids.length).toBe(30);
    const ours = packets.filter((packet) => packet.flow.destinationPort === 9992);
    expect(ours.length).toBe(30);
    if (ways.get('read')?.includes('skb_consume_udp')) {
      expect(ours.map((packet) => packet.reader?.tid)).toEqual(tids);
      expect(new Set(ours.map((packet) => packet.reader?.bytes))).toEqual(new Set([14]));
    } else {
      // Who reads cannot be seen then: what is said must not be wrong.
      expect(ways.get('ip')).toBeUndefined();
      for (const { fate, reader: by } of ours) {
        expect(['open', 'read']).toContain(fate);
        if (fate === 'read') expect(by?.tid).toBe(tids[0]);
      }
    }
  });
});
