import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { known, unknown } from '../base/answer.js';
import { resolveNic } from '../nic/resolve.js';
import type { KernelFiles } from '../sys/files.js';
import { savedFiles } from '../sys/saved-files.js';
import { examine, nicTexts, verdict } from './doctor.js';
import { doctorText } from './doctor-text.js';
import { YES, no } from './engine.js';
import type { NicTexts, StampFacts } from './finding.js';
import type { StageReport } from './hooks.js';

const MACHINE = readFileSync(new URL('../../test/kernels/6.18-virtio-net.txt', import.meta.url), 'utf8');
const AS_ROOT = '\n/sys/kernel/btf/vmlinux = x\n/proc/self/status = CapEff:\t000001ffffffffff\n';
const nothing = unknown('ethtool is not installed (apt-get install ethtool)');
const NO_STAMPS: StampFacts = {
  stamping: unknown('it does not'),
  clock: unknown('it has none'),
  leftover: undefined,
};
const TEXTS: NicTexts = { coalescing: nothing, offloads: nothing, link: nothing, stamps: NO_STAMPS };

function look(extra: string, texts: Partial<NicTexts> = {}) {
  const files = savedFiles(`${MACHINE}${AS_ROOT}${extra}`);
  return examine({ files, nic: resolveNic('eth0', files), texts: { ...TEXTS, ...texts } });
}
const problems = (files: KernelFiles) =>
  examine({ files, nic: undefined, texts: undefined }).filter(({ level }) => level === 'problem');
const one = (id: string, ...args: Parameters<typeof look>) =>
  look(...args).filter((finding) => finding.id === id);

const idleState = (n: number, name: string, latency: number, off: number) => {
  const path = `/sys/devices/system/cpu/cpu0/cpuidle/state${n}`;
  return `${path}/name = ${name}\n${path}/latency = ${latency}\n${path}/disable = ${off}\n`;
};

const way = (label: string, open: boolean) => ({
  label,
  answer: open ? YES : no('EPERM'),
  hooks: [{ kind: 'fentry', target: label, answer: open ? YES : no('EPERM') }] as const,
});
const stage = (name: StageReport['stage'], open: boolean): StageReport => ({
  stage: name,
  ways: [way(name, open)],
  best: open ? way(name, open) : undefined,
});

describe('the machine', () => {
  it('is in order with root, BTF and a quiet configuration', () => {
    expect(problems(savedFiles(`${MACHINE}${AS_ROOT}`))).toEqual([]);
  });

  it('lacks capabilities, named', () => {
    const [finding] = problems(
      savedFiles(`${MACHINE}/sys/kernel/btf/vmlinux = x\n/proc/self/status = CapEff:\t0000008000000000\n`),
    );
    expect(finding).toMatchObject({
      id: 'privileges',
      found: 'CAP_PERFMON missing',
      cure: 'run it with sudo',
    });
  });

  it('lacks type information', () => {
    const files = savedFiles(`${MACHINE}/proc/self/status = CapEff:\t000001ffffffffff\n`);
    expect(problems(files).map((finding) => finding.id)).toEqual(['btf']);
  });

  it('is locked down', () => {
    expect(
      one('lockdown', '/sys/kernel/security/lockdown = none integrity [confidentiality]\n'),
    ).toMatchObject([{ level: 'problem' }]);
    expect(
      one('lockdown', '/sys/kernel/security/lockdown = none [integrity] confidentiality\n'),
    ).toMatchObject([{ level: 'ok', found: 'integrity' }]);
  });

  it('sleeps deeply: the deepest state that is not switched off counts', () => {
    const extra =
      idleState(0, 'POLL', 0, 0) +
      idleState(1, 'C1', 2, 0) +
      idleState(2, 'C6', 133, 0) +
      idleState(3, 'C8', 600, 1);
    expect(one('idle', extra)[0]).toMatchObject({ level: 'note', found: 'deepest C6, up to 133 µs to wake' });
  });

  it('polls busily, with an undo that restores the value', () => {
    const [finding] = one('busy-poll', '/proc/sys/net/core/busy_read = 50\n');
    expect(finding).toMatchObject({
      cure: 'sysctl -w net.core.busy_read=0',
      undo: 'sysctl -w net.core.busy_read=50',
    });
  });

  it('runs irqbalance, or threaded interrupts, or interpreted programs', () => {
    expect(one('irqbalance', '/proc/812/comm = irqbalance\n')[0]?.level).toBe('note');
    expect(one('threaded-irqs', '/proc/cmdline = quiet threadirqs\n')[0]?.level).toBe('note');
    expect(one('threaded-irqs', '/proc/cmdline = quiet\n')).toEqual([]);
    expect(one('jit', '/proc/sys/net/core/bpf_jit_enable = 0\n')[0]?.level).toBe('note');
    expect(
      one('clocksource', '/sys/devices/system/clocksource/clocksource0/current_clocksource = hpet\n')[0],
    ).toMatchObject({
      level: 'note',
      undo: expect.stringContaining('echo hpet'),
    });
  });
});

describe('the interface', () => {
  it('could not be asked without ethtool, and says how to get it', () => {
    expect(one('moderation', '')[0]).toMatchObject({
      level: 'unknown',
      found: expect.stringContaining('apt-get install'),
    });
  });

  it('moderates: the size of the effect and an undo with the old values', () => {
    const coalescing = known(
      'Coalesce parameters for eth0:\nAdaptive RX: on  TX: on\nrx-usecs: 50\nrx-frames: n/a\nrx-usecs-high: 84\n',
    );
    expect(one('moderation', '', { coalescing })[0]).toMatchObject({
      level: 'note',
      effect: expect.stringContaining('up to 84 µs'),
      cure: 'ethtool -C eth0 adaptive-rx off rx-usecs 0',
      undo: 'ethtool -C eth0 adaptive-rx on rx-usecs 50',
    });
    const none = known('Adaptive RX: off  TX: n/a\nrx-usecs: 0\nrx-frames: 1\n');
    expect(one('moderation', '', { coalescing: none })[0]?.level).toBe('ok');
    // virtio_net does not tell its upper end; the profiles of lib/dim end at 256.
    const dim = known('Adaptive RX: on  TX: n/a\nrx-usecs: 8\n');
    expect(one('moderation', '', { coalescing: dim })[0]?.effect).toContain('for up to 256 µs');
  });

  it('defers interrupts, polls in threads, steers to other CPUs', () => {
    const net = '/sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0';
    const [defer] = one('napi', `${net}/napi_defer_hard_irqs = 2\n${net}/gro_flush_timeout = 200000\n`);
    expect(defer?.effect).toMatch(/interrupt stays masked .* every 200000 ns/);
    expect(defer?.undo).toContain('echo 200000 >');
    expect(one('napi', `${net}/threaded = 1\n`)[0]).toMatchObject({
      level: 'note',
      undo: expect.stringContaining('echo 1'),
    });
    expect(one('steering', `${net}/queues/rx-0/rps_cpus = 00000000,00000003\n`)[0]?.level).toBe('note');
    expect(one('steering', '')[0]?.level).toBe('ok');
  });

  it('joins packets, carries XDP', () => {
    const offloads = known(
      'Features for eth0:\ngeneric-receive-offload: on\nlarge-receive-offload: on\nrx-gro-hw: off [fixed]\n',
    );
    const found = one('offloads', '', { offloads });
    expect(found.map((finding) => finding.level)).toEqual(['note', 'ok']);
    expect(found[0]?.cure).toBe('ethtool -K eth0 lro off');
    const link = known('[{"ifname":"eth0","xdp":{"mode":1,"prog":{"id":42,"name":"drop","tag":"aa"}}}]');
    expect(one('xdp', '', { link })[0]).toMatchObject({ level: 'note', found: 'program 42 attached' });
  });

  it('says which frames the NIC can stamp, how well its clock is known, and what turns it on', () => {
    expect(one('hardware-stamps', '')[0]).toMatchObject({
      level: 'ok',
      found: expect.stringMatching(/^none /),
    });
    const stamping = (widest: number, rxFilter: number) =>
      known({ widest, phc: 1, current: known({ flags: 0, txType: 0, rxFilter }) });
    const clock = known({ method: 'PTP_SYS_OFFSET_EXTENDED', error: 310, drift: -12.5 } as const);
    const told = (facts: Partial<StampFacts>) =>
      one('hardware-stamps', '', { stamps: { ...NO_STAMPS, clock, ...facts } })[0];
    expect(told({ stamping: stamping(12, 0) })).toMatchObject({
      found: 'PTPv2 event frames only, off now; clock /dev/ptp1 known to ±310 ns (PTP_SYS_OFFSET_EXTENDED)',
      effect: expect.stringMatching(/^ordinary packets get no stamp.*from none to ptpv2-event/),
    });
    expect(told({ stamping: stamping(1, 1) })).toMatchObject({
      found: expect.stringMatching(/^all frames, now at all; /),
      effect: 'every packet can be stamped at the wire',
    });
    expect(told({ stamping: stamping(1, 0), clock: unknown('/dev/ptp1 cannot be opened (EACCES)') })).toEqual(
      expect.objectContaining({
        found: 'all frames, off now; /dev/ptp1 cannot be opened (EACCES)',
        effect: 'every packet can be stamped at the wire',
      }),
    );
    const still = known({ method: 'PTP_SYS_OFFSET_EXTENDED', error: 310, drift: -1e6 } as const);
    expect(told({ stamping: stamping(1, 0), clock: still })).toMatchObject({
      level: 'note',
      found: expect.stringContaining('does not keep time: its rate differs from ours by -100.0 %'),
    });
    const left = { from: 'none', to: 'ptpv2-event' };
    expect(told({ stamping: stamping(12, 12), leftover: left })).toMatchObject({
      level: 'note',
      effect: expect.stringContaining('it was none'),
      cure: expect.stringContaining('rxstamp trace eth0'),
    });
  });

  it('is asked by three programs', async () => {
    const calls: string[] = [];
    await nicTexts(resolveNic('eth0', savedFiles(MACHINE)), (program, args) => {
      calls.push([program, ...args].join(' '));
      return Promise.resolve(known(''));
    });
    expect(calls).toEqual(['ethtool -c eth0', 'ethtool -k eth0', 'ip -json -details link show dev eth0']);
  });

  it('gives every note its effect', () => {
    const notes = look('').filter((finding) => finding.level === 'note' || finding.level === 'problem');
    for (const finding of notes) expect(finding.effect, finding.id).toBeTruthy();
  });
});

describe('the verdict', () => {
  const nic = resolveNic('eth0', savedFiles(MACHINE));

  it('names the earliest stage and why not an earlier one', () => {
    const { works, sentence } = verdict(
      [stage('entry', false), stage('isr', true), stage('driver', true)],
      [],
      nic,
    );
    expect(works).toBe(true);
    expect(sentence).toBe(
      'the earliest stamp here is isr (isr), because entry is out of reach: entry: EPERM',
    );
  });

  it('starts at the driver for an interface without interrupts', () => {
    const lo = resolveNic('lo', savedFiles(MACHINE));
    const { earliest, sentence } = verdict([stage('isr', true), stage('driver', true)], [], lo);
    expect(earliest?.stage).toBe('driver');
    expect(sentence).toContain('no device, so no interrupts');
  });

  it('is no without a hook on packets, and no with a problem', () => {
    expect(verdict([stage('isr', true), stage('driver', false)], [], nic).works).toBe(false);
    const problem = {
      id: 'btf',
      title: 'type information',
      group: 'machine',
      level: 'problem',
      found: 'none',
    } as const;
    expect(verdict([stage('driver', true)], [problem], nic)).toMatchObject({
      works: false,
      sentence: 'no trace is possible: type information: none',
    });
  });

  it('comes first in the text, which tells each reason once and keeps its width', () => {
    const stages = [stage('entry', false), stage('poll', false), stage('driver', true)];
    const text = doctorText(
      {
        schema: 'rxstamp.doctor/1',
        interface: 'eth0',
        verdict: verdict(stages, [], nic),
        stages,
        findings: look(''),
      },
      { width: 100, color: false, all: false },
    );
    expect(text[0]).toMatch(/^The earliest stamp here is driver/);
    expect(text.filter((line) => line.includes('as above'))).toHaveLength(1);
    expect(Math.max(...text.map((line) => line.length))).toBeLessThanOrEqual(100);
  });
});
