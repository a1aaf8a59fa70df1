import { describe, expect, it } from 'vitest';
import { savedFiles } from './saved-files.js';
import { cpuMask, lostInStats } from './trace-instance.js';
import { findOwn, probesIn } from './trace-leftovers.js';
import { missedInProfile } from './trace-probes.js';
import { Tracefs, errorFor, findTracefs } from './tracefs.js';

describe('findTracefs', () => {
  const mounts = (...lines: string[]): string | undefined =>
    findTracefs(savedFiles(`/proc/self/mounts:\n${lines.map((line) => `\t${line}`).join('\n')}`));

  it('prefers the usual place', () => {
    const old = 'tracefs /sys/kernel/debug/tracing tracefs rw 0 0';
    expect(mounts(old)).toBe('/sys/kernel/debug/tracing');
    expect(mounts(old, 'none /sys/kernel/tracing tracefs rw,relatime 0 0')).toBe('/sys/kernel/tracing');
    expect(mounts('t /my\\040place tracefs rw 0 0')).toBe('/my place');
    expect(mounts('proc /proc proc rw 0 0')).toBeUndefined();
  });
});

/** As Linux 6.18 prints it. */
const LOG = `[25218.038744] event filter parse error: error: Invalid value (did you forget quotes)?
  Command: irq>=
                 ^
[25220.100000] trace_kprobe: error: Invalid probed address or symbol
  Command: p:a/b nowhere
                 ^
`;

describe('errorFor', () => {
  it('finds the last entry about a command', () => {
    expect(errorFor(LOG, 'irq>=')).toBe('event filter parse error: Invalid value (did you forget quotes)');
    expect(errorFor(LOG, 'p:a/b nowhere\n')).toBe('trace_kprobe: Invalid probed address or symbol');
    const again = `${LOG}[25221.000000] trace_kprobe: error: Event is not unique.\n  Command: p:a/b nowhere\n   ^\n`;
    expect(errorFor(again, 'p:a/b nowhere')).toBe('trace_kprobe: Event is not unique');
  });

  it('does not take others’ errors for its own', () => {
    expect(errorFor(LOG, 'irq==1')).toBeUndefined();
    expect(errorFor('', 'irq==1')).toBeUndefined();
  });
});

describe('texts of tracefs', () => {
  it('writes CPU masks in groups of 32', () => {
    expect(cpuMask([0])).toBe('1');
    expect(cpuMask([1, 3])).toBe('a');
    expect(cpuMask([31])).toBe('80000000');
    expect(cpuMask([0, 32])).toBe('1,00000001');
    expect(cpuMask([70])).toBe('40,00000000,00000000');
  });

  it('reads what a CPU’s buffer lost', () => {
    const stats = 'entries: 1\noverrun: 20\ncommit overrun: 3\nbytes: 32\ndropped events: 4\nread events: 9';
    expect(lostInStats(stats)).toEqual({ overwritten: 20, refused: 7 });
    expect(lostInStats('')).toEqual({ overwritten: 0, refused: 0 });
  });

  it('finds its own probes and no others', () => {
    const text = `p:kprobes/other do_exit
p:rxstamp_1_2_0/rxstamp_1_2_0_flow handle_edge_irq irq=+44($arg1):u32
f:rxstamp_1_2_1/rxstamp_1_2_1_entry __common_interrupt vector=vector
r8:xrxstamp_1_2_1/e do_exit`;
    expect(probesIn(text)).toEqual(['rxstamp_1_2_0/rxstamp_1_2_0_flow', 'rxstamp_1_2_1/rxstamp_1_2_1_entry']);
  });

  it('reads what a probe has missed, by its whole name', () => {
    const profile =
      '  e_flow                    12               3\n  xe_flow                    12               5\n';
    expect(missedInProfile(profile, 'e_flow')).toBe(3);
    expect(missedInProfile(profile, 'flow')).toBe(0);
  });
});

describe('findOwn', () => {
  it('says of a folder that cannot be read which one, and why', () => {
    expect(() => findOwn(new Tracefs('/nowhere'))).toThrow(
      expect.objectContaining({
        code: 'RXS_TRACEFS',
        message: expect.stringContaining('reading /nowhere/instances: ') as string,
      }),
    );
  });
});
