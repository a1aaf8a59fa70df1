import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { RxError } from '../../base/errors.js';
import { addSteer } from '../steer.js';
import { type RawSteer, type SteerOptions, readSteerOptions } from './options.js';

/** What `steer eth0` with these words is asked for: through the real command line, without running it. */
function read(words: readonly string[], command: readonly string[] = []): SteerOptions {
  const root = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  addSteer(root);
  let options: SteerOptions | undefined;
  root.commands[0]!.exitOverride().action((_: string, flow: readonly string[], raw: RawSteer) => {
    options = readSteerOptions(flow, command, raw);
  });
  root.parse(['node', 'rxstamp', 'steer', 'eth0', ...words]);
  return options!;
}

function refusal(words: readonly string[], command: readonly string[] = []): string {
  try {
    read(words, command);
  } catch (error) {
    return error instanceof RxError ? error.toLine() : String(error);
  }
  return 'nothing was thrown';
}

describe('the options of steer', () => {
  it('take the flow as one argument or as words', () => {
    const wish = {
      does: 'steer',
      flow: 'udp dst port 9999',
      queue: 1,
      ways: ['rule', 'slot', 'table'],
      verifyNs: 3e9,
      forThisRun: false,
      durationNs: undefined,
      command: [],
      dryRun: false,
    };
    expect(read(['udp dst port 9999', '--queue', '1'])).toEqual(wish);
    expect(read(['udp', 'dst', 'port', '9999', '--queue', '1'])).toEqual(wish);
    expect(read(['udp', '--queue', '0', '--by', 'table', '--verify', '0', '--dry-run'])).toMatchObject({
      ways: ['table'],
      verifyNs: 0,
      dryRun: true,
    });
    expect(read(['udp', '--queue', '0', '--for-this-run', '--duration', '2s'], ['sleep', '1'])).toMatchObject(
      {
        forThisRun: true,
        durationNs: 2e9,
        command: ['sleep', '1'],
      },
    );
  });

  it('are one job at a time', () => {
    expect(read(['--undo'])).toEqual({ does: 'undo', all: false });
    expect(read(['--undo', '--all'])).toEqual({ does: 'undo', all: true });
    expect(read(['--show'])).toEqual({ does: 'show' });
    expect(read(['--which', 'x', '--verify', '1s'])).toEqual({ does: 'which', flow: 'x', verifyNs: 1e9 });
  });

  it.each([
    [[], [], /no flow was given/],
    [['udp'], [], /no queue was given/],
    [['udp', '--queue', '0,1'], [], /more than one queue/],
    [['udp', '--queue', 'x'], [], /reading --queue/],
    [['udp', '--queue', '0', '--verify', '3'], [], /reading --verify "3"/],
    [['udp', '--queue', '0'], ['ls'], /a command without --for-this-run/],
    [['udp', '--queue', '0', '--duration', '1s'], [], /--duration without --for-this-run/],
    [['--undo', '--show'], [], /--undo and --show at once/],
    [['--all', 'udp', '--queue', '1'], [], /--all without --undo/],
    [['--undo', 'udp'], [], /--undo takes no flow/],
    [['--which', 'x', '--queue', '1'], [], /--which takes no flow, no queue/],
  ])('refuse %j %j', (words, command, expected) => {
    expect(refusal(words, command)).toMatch(/^RXS_USAGE: .*\. hint: ./);
    expect(refusal(words, command)).toMatch(expected);
  });
});
