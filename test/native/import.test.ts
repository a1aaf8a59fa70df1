/** `rxstamp import` as a program: exit codes, streams, signals. Needs no privilege. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTrace } from '../lab/ndjson.js';
import { commandLine } from './trace.js';

interface Done {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], input?: string | Buffer): Done {
  const [program, ...words] = commandLine(['import', ...args]);
  const { status, stdout, stderr } = spawnSync(program, words, {
    ...(input === undefined ? {} : { input }),
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 1 << 28,
  });
  return { code: status, stdout, stderr };
}

const line = (index: number): string => {
  const micros = String(index % 1_000_000).padStart(6, '0');
  return `[${String(10 + Math.floor(index / 1_000_000)).padStart(5)}.${micros}] IRQ Number=31; Vector=38\n`;
};

describe('import', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rxs-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('prints what a file tells, and ends with 3 where a line was not understood', () => {
    const file = join(folder, 'dmesg');
    writeFileSync(file, `${line(1)}[   10.000002] usb 1-1: x\n${line(5)}`);
    expect(run([file, '--format', 'times'])).toMatchObject({
      code: 0,
      stdout: '10.000001000\n10.000005000\n',
    });
    writeFileSync(file, `${line(1)}IRQ Number=\n${line(5)}`);
    const { code, stdout, stderr } = run([file, '--format', 'ndjson']);
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^line 2: not understood: "IRQ Number="\n3 lines of dmesg: 2 used, 0 about other things, 1 not understood$/m,
    );
    const { meta, interrupts, losses, summary } = readTrace(stdout);
    expect(meta).toMatchObject({ method: 'import', clock: { name: 'local', offsetErrorNs: null } });
    expect(interrupts).toMatchObject([{ irq: 31, vector: 38, cpu: null, time: '10000001000' }, {}]);
    expect([losses, summary.lost]).toEqual([
      [expect.objectContaining({ cause: 'not_understood', count: 1 })],
      1,
    ]);
  });

  it('names files that cannot be read, or are nothing it knows', () => {
    const of = (args: readonly string[], input?: string): string => {
      const { code, stdout, stderr } = run(args, input);
      expect([code, stdout]).toEqual([2, '']);
      return stderr;
    };
    expect(of([join(folder, 'nothing')])).toMatch(/^RXS_IMPORT: reading .*nothing: ENOENT\. hint: /);
    expect(of([folder])).toMatch(/^RXS_IMPORT: reading .*: EISDIR \(a folder\)/);
    expect(of(['-'], '')).toMatch(/^RXS_IMPORT: reading standard input: it is empty/);
    expect(of(['-'], 'ab')).toMatch(/^RXS_IMPORT: .*no line in it is of dmesg, ftrace/);
    expect(of(['-'], 'root:x:0:0\n'.repeat(200_000))).toMatch(/^RXS_IMPORT: /);
    expect(of(['-', '--from', 'pcap'], line(1))).toMatch(/^RXS_IMPORT: /);
    expect(of(['-', '--interrupts'], '\n\r\r\n')).toMatch(/^RXS_IMPORT: /);
    const magic = join(folder, 'a.pcap');
    writeFileSync(magic, Buffer.from('d4c3b2a1020004000000000000000000000004000100000000', 'hex'));
    expect(of([magic, '--interrupts'])).toMatch(/^RXS_USAGE: .*a capture has packets only/);
    expect(of(['-', '--from', 'nonsense'])).toMatch(/^RXS_USAGE: /);
  });

  it('stops at --count, and when nobody reads on', () => {
    const input = Array.from({ length: 20_000 }, (_, index) => line(index)).join('');
    const some = run(['-', '-c', '3', '--format', 'times'], input);
    expect(some).toMatchObject({ code: 0, stdout: '10.000000000\n10.000001000\n10.000002000\n' });
    const file = join(folder, 'many');
    writeFileSync(file, input);
    const command = commandLine(['import', file, '--format', 'times']).join(' ');
    const head = spawnSync('bash', ['-c', `${command} | head -1; echo \${PIPESTATUS[0]}`], {
      encoding: 'utf8',
    });
    expect(head.stdout).toBe('10.000000000\n0\n');
  });

  it('reads a million lines from a pipe in memory that does not grow with them', async () => {
    const [program, ...words] = commandLine(['import', '-', '--format', 'times']);
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] });
    let lines = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) lines++;
    });
    child.stderr.resume();
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const memory = (): number => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
    };
    const total = 1_000_000;
    let early = 0;
    for (let from = 0; from < total; from += 10_000) {
      const batch = Array.from({ length: 10_000 }, (_, index) => line(from + index)).join('');
      if (!child.stdin.write(batch)) await new Promise((resolve) => child.stdin.once('drain', resolve));
      if (from === total / 5) early = memory();
    }
    const late = memory();
    child.stdin.end();
    expect(await ended).toBe(0);
    expect(lines).toBe(total);
    expect(late - early).toBeLessThan(60);
  });

  it('sums up when it is interrupted while it waits for more', async () => {
    const [program, ...words] = commandLine(['import', '-', '--format', 'ndjson']);
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.resume();
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    child.stdin.write(line(1) + line(2));
    while (!stdout.includes('"meta"')) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(readTrace(stdout).interrupts).toHaveLength(2);
  });
});
