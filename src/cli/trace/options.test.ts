import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { RxError } from '../../base/errors.js';
import { addTrace } from '../trace.js';
import { type TraceOptions, readOptions, ringBytes } from './options.js';

/** What `trace` with these words is asked for: through the real command line, without running it. */
function read(...words: string[]): TraceOptions {
  const root = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  addTrace(root);
  const command = root.commands[0]!;
  let options: TraceOptions | undefined;
  command
    .exitOverride()
    .action((name: string | undefined, raw: Record<string, string | boolean | undefined>) => {
      options = readOptions(name, raw);
    });
  root.parse(['node', 'rxstamp', 'trace', ...words]);
  return options!;
}

function refusal(...words: string[]): string {
  try {
    read(...words);
  } catch (error) {
    return error instanceof RxError ? error.toLine() : String(error);
  }
  return 'nothing was thrown';
}

describe('the options of trace', () => {
  it('default to every packet of the default route, up to the driver stage, as text', () => {
    expect(read()).toEqual({
      interface: undefined,
      irqs: undefined,
      queue: undefined,
      cpus: undefined,
      count: undefined,
      durationNs: undefined,
      until: 'driver',
      clock: 'mono',
      format: 'text',
      interrupts: false,
      ringBytes: undefined,
    });
  });

  it('are read with their units and lists', () => {
    const words = 'eth0 --irq 25,27-28 --queue 3 --cpu 0,2-3 -c 5 --duration 1.5s --until stack --clock tai';
    expect(read(...words.split(' '), '--format', 'csv', '--interrupts', '--buffer', '100KiB')).toEqual({
      interface: 'eth0',
      irqs: [25, 27, 28],
      queue: 3,
      cpus: [0, 2, 3],
      count: 5,
      durationNs: 1_500_000_000,
      until: 'stack',
      clock: 'tai',
      format: 'csv',
      interrupts: true,
      ringBytes: 128 * 1024,
    });
  });

  it('take the interface as argument, by -i, or by both if they agree', () => {
    expect(
      [read('eth0'), read('-i', 'eth0'), read('eth0', '-i', 'eth0')].map((one) => one.interface),
    ).toEqual(['eth0', 'eth0', 'eth0']);
    expect(refusal('eth0', '-i', 'eth1')).toMatch(
      /^RXS_USAGE: choosing an interface eth0, eth1: two different/,
    );
  });

  it('round the ring up to a power of two, within its limits', () => {
    expect(['64KiB', '65KiB', '1MiB', '1000kB', '1GiB'].map(ringBytes)).toEqual([
      65_536, 131_072, 1_048_576, 1_048_576, 1_073_741_824,
    ]);
    for (const size of ['0', '1', '65535', '63KiB', '1.1GiB', '5G']) {
      expect(refusal('--buffer', size)).toBe(
        `RXS_USAGE: reading --buffer "${size}": out of range. hint: give a size per CPU from 64KiB to 1GiB`,
      );
    }
  });

  it.each([
    ['--irq', ''],
    ['--irq', 'eth0'],
    ['--queue', '0,1'],
    ['--queue', '-1'],
    ['--cpu', '1-'],
    ['--count', '0'],
    ['--duration', '5'],
    ['--duration', '0s'],
    ['--duration', '-1s'],
    ['--buffer', '4X'],
    ['--buffer', '5constructor'],
  ])('refuse %s %j with a code and a cure', (option, value) => {
    expect(refusal(option, value)).toMatch(/^RXS_USAGE: .*\. hint: ./);
  });

  it.each([
    ['--format', 'xml'],
    ['--until', 'socket'],
    ['--clock', 'utc'],
  ])('refuse %s %s and list what there is', (option, value) => {
    expect(refusal(option, value)).toMatch(/invalid\. Allowed choices are /);
  });
});
