/** What goes wrong is told in one line: code, what was done, why, and the cure. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODES, type ErrorCode } from '../../src/base/errors.js';
import { packageRoot } from '../../src/sys/package.js';
import { cannotTrace, ownNic, titled } from './needs.js';
import { commandLine } from './trace.js';

interface Told {
  readonly code: number | null;
  readonly stderr: string;
  readonly stdout: string;
}

/** Runs a trace that is meant to fail; `wrapper` comes before it on the command line. */
function tell(
  args: readonly string[],
  wrapper: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Told {
  const [program = '', ...words] = [...wrapper, ...commandLine(['trace', ...args, '--duration', '300ms'])];
  const done = spawnSync(program, words, {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, ...env },
  });
  return { code: done.status, stderr: done.stderr, stdout: done.stdout };
}

/** Checks the shape of the one line and gives it back. */
function lineOf(told: Told, code: ErrorCode): string {
  expect(told.stderr).toMatch(new RegExp(`^${code}: [^\\n]+\\. hint: [^\\n]+\\n$`));
  expect(told.stderr).not.toMatch(/undefined|NaN|\[object|    at /);
  expect(told.stdout).toBe('');
  expect(told.code).toBe(CODES[code]);
  return told.stderr.trimEnd();
}

const interrupts = readFileSync('/proc/interrupts', 'utf8');
/** An interrupt of something that is no NIC, where there is one. */
const stranger = /^ *(\d+):.*(?:ttyS0|rtc0|acpi|virtio\d+-req|nvme|ahci)/m.exec(interrupts)?.[1];

describe('a wrong command line', () => {
  it.each([
    ['an unknown interface', ['nosuch0'], 'RXS_NO_IFACE', /"nosuch0".*pick one of: .*lo/],
    ['an IRQ that does not exist', ['--irq', '4000'], 'RXS_NO_IRQ', /interrupt 4000: no such interrupt/],
    ['a queue out of range', ['lo', '--queue', '4096'], 'RXS_NO_QUEUE', /of lo: no receive queue 4096/],
    ['a CPU out of range', ['lo', '--cpu', '100000'], 'RXS_NO_CPU', /100000: this machine has CPUs 0 to/],
    ['a bad --buffer', ['lo', '--buffer', '1'], 'RXS_USAGE', /reading --buffer "1": out of range.*64KiB/],
    ['a bad --count', ['lo', '-c', 'x'], 'RXS_USAGE', /reading --count "x"/],
    ['a bad --format', ['lo', '--format', 'xml'], 'RXS_USAGE', /xml.*text, tree, times, ndjson, csv/],
    [
      'a bad --until',
      ['lo', '--until', 'nirq'],
      'RXS_USAGE',
      /nirq.*entry, isr, raise, softirq, poll, driver, stack/,
    ],
    ['an unknown option', ['lo', '--fast'], 'RXS_USAGE', /--fast/],
    ['two interfaces', ['lo', '-i', 'eth0'], 'RXS_USAGE', /lo, eth0: two different ones were given/],
    ['what is no filter', ['lo', 'eth0'], 'RXS_FILTER', /"eth0": libpcap: .*syntax error/],
  ] as const)('names %s and the cure', (_, args, code, words) => {
    expect(lineOf(tell(args), code)).toMatch(words);
  });

  it('names a bad --duration and the cure', () => {
    const [program, ...words] = commandLine(['trace', 'lo', '--duration', '5']);
    const { status, stderr, stdout } = spawnSync(program, words, { encoding: 'utf8' });
    expect(lineOf({ code: status, stderr, stdout }, 'RXS_USAGE')).toMatch(/--duration "5".*500ms/);
  });

  it.skipIf(stranger === undefined)('names an IRQ that is no NIC’s, and whose it is', () => {
    expect(lineOf(tell(['--irq', String(stranger)]), 'RXS_IRQ_NOT_NIC')).toMatch(/it belongs to /);
  });

  it.skipIf(ownNic === undefined)('names an interface together with an IRQ of another one', () => {
    const irq = String(ownNic?.irqs[0]);
    expect(lineOf(tell(['lo', '--irq', irq]), 'RXS_USAGE')).toContain(
      `IRQ ${irq} belongs to ${ownNic?.name}`,
    );
  });
});

describe('in a network namespace without a default route', () => {
  it.skipIf(cannotTrace !== undefined)('a word that is no interface is told in both readings', () => {
    const told = tell(['nosuch0'], ['unshare', '--net']);
    expect(lineOf(told, 'RXS_NO_IFACE')).toMatch(
      /"nosuch0": .*pick one of: .*; a filter expression .* default route/,
    );
    expect(lineOf(tell([], ['unshare', '--net']), 'RXS_NO_DEFAULT_ROUTE')).toContain('no interface named');
  });
});

describe('without libpcap', () => {
  it('a filter expression says what to install, and nothing else needs it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rxstamp-errors-'));
    for (const name of ['libpcap.so.0.8', 'libpcap.so.1']) writeFileSync(join(folder, name), 'no library');
    const env = { LD_LIBRARY_PATH: folder };
    expect(lineOf(tell(['lo', 'udp'], [], env), 'RXS_NO_LIBPCAP')).toMatch(/not installed.*libpcap0\.8/);
    expect(lineOf(tell(['nosuch0'], [], env), 'RXS_NO_IFACE')).toMatch(/"nosuch0".*pick one of: .*lo/);
    expect(tell(['lo', '-c', 'x'], [], env).stderr).toMatch(/^RXS_USAGE/);
    rmSync(folder, { recursive: true });
  });
});

describe.skipIf(cannotTrace !== undefined)(titled('without the privilege', cannotTrace), () => {
  it('a user is told which capabilities are missing', () => {
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    expect(lineOf(tell(['lo'], nobody), 'RXS_NO_PRIVILEGE')).toMatch(
      /lacks CAP_BPF and CAP_PERFMON\. hint: .*sudo/,
    );
  });

  it('root in a container is told which capabilities are missing', () => {
    const bounded = [
      'setpriv',
      '--bounding-set=-bpf,-perfmon,-sys_admin',
      '--inh-caps=-bpf,-perfmon,-sys_admin',
    ];
    expect(lineOf(tell(['lo'], bounded), 'RXS_NO_PRIVILEGE')).toContain('CAP_BPF and CAP_PERFMON');
    const half = ['setpriv', '--bounding-set=-perfmon,-sys_admin', '--inh-caps=-perfmon,-sys_admin'];
    expect(lineOf(tell(['lo'], half), 'RXS_NO_PRIVILEGE')).toMatch(/lacks CAP_PERFMON\./);
  });
});

describe.skipIf(cannotTrace !== undefined)(titled('a BPF object', cannotTrace), () => {
  const folder = mkdtempSync(join(tmpdir(), 'rxstamp-errors-'));
  const object = join(folder, 'rxstamp.bpf.o');
  let real: Buffer;
  beforeAll(() => {
    real = readFileSync(join(packageRoot, 'dist/bpf/rxstamp.bpf.o'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['is a text file', () => Buffer.from('this is no object file\n')],
    ['is cut off', () => real.subarray(0, 4000)],
    ['is cut off in its section table', () => real.subarray(0, real.length - 100)],
    ['is empty', () => Buffer.alloc(0)],
    ['is an ELF file of something else', () => readFileSync('/bin/true')],
  ] as const)('that %s is refused by name', (_, bytes) => {
    writeFileSync(object, bytes());
    const line = lineOf(tell(['lo'], [], { RXSTAMP_BPF_DIR: folder }), 'RXS_BAD_OBJECT');
    expect(line).toContain('rxstamp.bpf.o');
    expect(line).toMatch(/build it/);
  });

  it('that is missing is named with its path', () => {
    rmSync(object, { force: true });
    const line = lineOf(tell(['lo'], [], { RXSTAMP_BPF_DIR: folder }), 'RXS_BAD_OBJECT');
    expect(line).toContain(`${object}: the file is not there`);
  });
});

describe.skipIf(cannotTrace !== undefined)(titled('a kernel without type information', cannotTrace), () => {
  it.each([
    ['an empty file', 'mount --bind /dev/null /sys/kernel/btf/vmlinux'],
    ['nothing', 'mount -t tmpfs none /sys/kernel/btf'],
  ])('is named, with %s where it should be', (_, hide) => {
    const script = `${hide} && exec "$@"`;
    const line = lineOf(tell(['lo'], ['unshare', '-m', 'sh', '-c', script, 'sh']), 'RXS_NO_BTF');
    expect(line).toMatch(/CONFIG_DEBUG_INFO_BTF/);
  });
});

describe.skipIf(cannotTrace !== undefined)(titled('standard output', cannotTrace), () => {
  it('that is closed early ends the trace quietly', () => {
    const words = commandLine(['trace', 'lo', '--duration', '60s'])
      .map((word) => `'${word}'`)
      .join(' ');
    // Packets on lo until after the reader has gone, however late that is: the next write finds the pipe closed.
    const traffic = 'for i in {1..100}; do sleep 0.5; echo x >/dev/udp/127.0.0.1/9; done';
    const script = `(${traffic}) >/dev/null 2>&1 & ${words} | head -1; echo "code \${PIPESTATUS[0]}"; kill $!`;
    const started = performance.now();
    const done = spawnSync('bash', ['-c', script], { encoding: 'utf8', timeout: 100_000 });
    expect(done.stdout).toMatch(/^earliest stamp: [^\n]+\ncode 0\n$/);
    expect(done.stderr).toBe('');
    expect(performance.now() - started).toBeLessThan(40_000);
  });

  it('that is full is an error at once, however long the trace was to last', () => {
    const full = openSync('/dev/full', 'w');
    const [program, ...words] = commandLine(['trace', 'lo', '--duration', '60s']);
    const started = performance.now();
    const done = spawnSync(program, words, {
      encoding: 'utf8',
      stdio: ['ignore', full, 'pipe'],
      timeout: 100_000,
    });
    closeSync(full);
    expect(lineOf({ code: done.status, stderr: done.stderr, stdout: '' }, 'RXS_OUTPUT')).toContain('ENOSPC');
    expect(performance.now() - started).toBeLessThan(40_000);
  });
});
