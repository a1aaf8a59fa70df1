import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { RxError } from '../../base/errors.js';
import { STAGE_NAMES } from '../../stages.js';
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
    .action(
      (first: string | undefined, rest: string[], raw: Record<string, string | boolean | undefined>) => {
        options = readOptions(first === undefined ? [] : [first, ...rest], raw, (name) =>
          ['eth0', 'eth1', 'ip'].includes(name),
        );
      },
    );
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
      expression: undefined,
      guessed: false,
      irqs: undefined,
      queue: undefined,
      cpus: undefined,
      count: undefined,
      durationNs: undefined,
      until: 'driver',
      slower: undefined,
      pids: undefined,
      waitNs: 1_000_000_000,
      clock: 'mono',
      format: 'text',
      interrupts: false,
      method: 'ebpf',
      hwTimestamps: false,
      ringBytes: undefined,
    });
  });

  it('are read with their units and lists', () => {
    const words = 'eth0 --irq 25,27-28 --queue 3 --cpu 0,2-3 -c 5 --duration 1.5s --until stack --clock tai';
    expect(read(...words.split(' '), '--format', 'csv', '--interrupts', '--buffer', '100KiB')).toEqual({
      interface: 'eth0',
      expression: undefined,
      guessed: false,
      irqs: [25, 27, 28],
      queue: 3,
      cpus: [0, 2, 3],
      count: 5,
      durationNs: 1_500_000_000,
      until: 'stack',
      slower: undefined,
      pids: undefined,
      waitNs: 1_000_000_000,
      clock: 'tai',
      format: 'csv',
      interrupts: true,
      method: 'ebpf',
      hwTimestamps: false,
      ringBytes: 128 * 1024,
    });
  });

  it('take a limit on the whole way, or on the way between two stages, which are then stamped', () => {
    expect(read('--slower-than', '50us')).toMatchObject({
      slower: { from: undefined, to: undefined, ns: 50_000 },
      until: 'driver',
    });
    expect(read('--slower-than', 'isr..stack=1.5ms')).toMatchObject({
      slower: { from: 'isr', to: 'stack', ns: 1_500_000 },
      until: 'stack',
    });
    expect(read('--slower-than', 'entry..isr=0ns', '--until', 'stack').until).toBe('stack');
    expect(refusal('--slower-than', 'isr..stack=1us', '--until', 'driver')).toBe(
      'RXS_USAGE: reading --slower-than with --until driver: it needs stage stack, which comes later. hint: leave --until out, or give --until stack',
    );
  });

  it.each([
    'isr..driver',
    'driver..isr=1us',
    'isr..isr=1us',
    'isr=1us',
    'isr..up=1us',
    'isr..driver..stack=1us',
    '=1us',
    '50',
    '',
  ])('refuse --slower-than %j and name the stages', (value) => {
    const text = refusal('--slower-than', value);
    expect(text).toMatch(/^RXS_USAGE: reading --slower-than /);
    expect(text).toContain(`FROM..TO=50us with stages of ${STAGE_NAMES.join(', ')}`);
  });

  it('take processes, whose reading is then stamped', () => {
    expect(read('--pid', '812,9')).toMatchObject({ pids: [812, 9], until: 'read' });
    expect(read('--pid', '812', '--until', 'drop', '--wait', '3s')).toMatchObject({
      until: 'drop',
      waitNs: 3_000_000_000,
    });
    expect(refusal('--pid', '812', '--until', 'socket')).toBe(
      'RXS_USAGE: reading --pid with --until socket: it needs stage read, which comes later. hint: leave --until out, or give --until read',
    );
    expect(refusal('--pid', '1', '--interrupts')).toMatch(/^RXS_USAGE: .*--pid chooses packets/);
  });

  it('refuse to choose packets where interrupts are shown', () => {
    expect(refusal('--slower-than', '1us', '--interrupts')).toMatch(
      /^RXS_USAGE: .*leave one of the two out$/,
    );
  });

  it('take the interface as argument, by -i, or by both if they agree', () => {
    expect(
      [read('eth0'), read('-i', 'eth0'), read('eth0', '-i', 'eth0')].map((one) => one.interface),
    ).toEqual(['eth0', 'eth0', 'eth0']);
    expect(refusal('eth0', '-i', 'eth1')).toMatch(
      /^RXS_USAGE: choosing an interface eth0, eth1: two different/,
    );
  });

  it('take a filter expression behind the interface, and none with --interrupts', () => {
    const words = (...list: string[]) => [read(...list).interface, read(...list).expression];
    expect(words('eth0', 'udp', 'port', '53', '-c', '5')).toEqual(['eth0', 'udp port 53']);
    expect(words('-i', 'eth0', 'ip', 'or', 'arp')).toEqual(['eth0', 'ip or arp']);
    expect(words('not', 'tcp')).toEqual([undefined, 'not tcp']);
    expect(refusal('eth0', 'udp', '--interrupts')).toMatch(
      /^RXS_USAGE: filtering with "udp": .*--interrupts shows interrupts\. hint: /,
    );
    expect(refusal('eth0', 'udp', '-F', '/dev/null')).toMatch(
      /^RXS_USAGE: .*"udp": there is one in -F as well/,
    );
    expect(words('eth0', '-F', '/dev/null')).toEqual(['eth0', undefined]);
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
    ['--wait', '0s'],
    ['--pid', 'nginx'],
    ['--buffer', '4X'],
    ['--buffer', '5constructor'],
  ])('refuse %s %j with a code and a cure', (option, value) => {
    expect(refusal(option, value)).toMatch(/^RXS_USAGE: .*\. hint: ./);
  });

  it.each([
    ['--format', 'xml'],
    ['--until', 'sockets'],
    ['--clock', 'utc'],
  ])('refuse %s %s and list what there is', (option, value) => {
    expect(refusal(option, value)).toMatch(/invalid\. Allowed choices are /);
  });
});
