import { describe, expect, it } from 'vitest';
import { compareText } from './text.js';
import type { CompareReport, MethodReport } from './report.js';
import { bestMethod, isMeasured, verdictOf } from './verdict.js';

const NEEDS = { privileges: 'root', kernel: '', since: '5.10' };

function method(name: MethodReport['method'], change: Partial<MethodReport> = {}): MethodReport {
  return {
    method: name,
    sentence: '',
    stage: 'entry',
    hook: `hook of ${name}`,
    filters: {},
    needs: NEEDS,
    loss: '',
    notes: [],
    ...change,
  };
}

const seen = (
  median: number,
  missing = 0,
  lost: Record<string, number> = {},
): NonNullable<MethodReport['together']> => ({
  matched: 500 - missing,
  missing,
  extra: 0,
  later: { median, p99: median * 2, of: 500 },
  lost,
});

const cost = (median: number, noise: number): NonNullable<MethodReport['cost']> => ({
  perInterrupt: { median, min: median, max: median },
  rounds: 3,
  noise,
  lost: {},
});

function found(
  methods: readonly MethodReport[],
  change: Partial<CompareReport> = {},
): Omit<CompareReport, 'verdict'> {
  return {
    tool: 'rxstamp',
    document: 'compare',
    version: '0',
    kernel: '6.12',
    started: '',
    target: 'eth0 igb: IRQ 25',
    cpus: 2,
    interrupts: { reference: 'ebpf', seen: 500 },
    methods,
    packets: [],
    coarse: false,
    ...change,
  };
}

describe('the verdict', () => {
  const ebpf = method('ebpf', { together: seen(10), company: { interrupts: 500, seen: 500, lost: {} } });
  const kprobe = method('ebpf-kprobe', {
    together: seen(0),
    company: { interrupts: 500, seen: 60, lost: {} },
    filters: { irq: 'a table' },
  });
  const ftrace = method('ftrace', { together: seen(900), cost: cost(2000, 500) });
  const missing = method('perf', { together: seen(5, 3), cost: cost(100, 500) });

  it('takes the earliest of those that see everything, in company too', () => {
    const all = [ebpf, kprobe, ftrace, missing];
    expect(bestMethod(all)).toBe('ebpf');
    expect(bestMethod([kprobe, missing])).toBeUndefined();
    expect(verdictOf(found(all))[0]).toBe(
      'Use ebpf: it saw each of 500 interrupts, and only ebpf-kprobe, perf stamp earlier, and miss interrupts, here or beside other tools (entry: hook of ebpf).',
    );
  });

  it('takes no kprobe on trust where it was not tried in company', () => {
    const all = [method('ebpf', { together: seen(10) }), method('ebpf-kprobe', { together: seen(0) })];
    expect(bestMethod(all)).toBe('ebpf');
  });

  it('says what was lost in company, and whether anything counted it', () => {
    const text = verdictOf(found([ebpf, kprobe, ftrace])).join(' ');
    expect(text).toContain('ebpf still saw every interrupt');
    expect(text).toContain('ebpf-kprobe lost 440 of 500 (88 %) and nothing counted them');
    const counting = method('ebpf-kprobe', {
      together: seen(0),
      company: { interrupts: 500, seen: 60, lost: { probe_missed: 440 } },
    });
    expect(verdictOf(found([counting])).join(' ')).toContain('and counted 440');
  });

  it('prints no cost that was not measured', () => {
    expect([isMeasured(cost(2000, 500)), isMeasured(cost(100, 500)), isMeasured(cost(-100, 50))]).toEqual([
      true,
      false,
      false,
    ]);
    const text = verdictOf(found([ftrace, missing])).join(' ');
    expect(text).toContain('ftrace 2.0 µs');
    expect(text).toContain('The cost of perf was not measurable');
    expect(compareText({ ...found([ftrace, missing]), verdict: [] }).join('\n')).toMatch(/< 500 ns/);
  });

  it('says that nothing came', () => {
    expect(verdictOf(found([method('ebpf')]))[0]).toContain('No interrupt came');
    const none = { afterDriver: undefined, afterInterrupt: undefined, packets: 0, matched: 0, lost: {} };
    const packets = [{ method: 'ebpf' as const, stage: 'driver', hook: '', ...none }];
    expect(verdictOf(found([], { packets }))[0]).toContain('No packet came');
  });

  it('says how late a packet socket is', () => {
    const spread = { median: 5000, min: 1000, max: 9000, p99: 8900 };
    const packets = [
      {
        method: 'af_packet' as const,
        stage: 'stack',
        hook: '',
        packets: 9,
        matched: 9,
        lost: {},
        afterDriver: spread,
        afterInterrupt: { ...spread, median: 15_000 },
      },
    ];
    expect(verdictOf(found([ebpf], { packets })).at(-1)).toBe(
      "What tcpdump shows is 5.0 µs behind the driver's hand-over, and 15.0 µs behind the interrupt that brought it (medians).",
    );
  });
});

describe('the table', () => {
  it('names every method with its hook, and why another is not there', () => {
    const impossible = method('fprobe', { impossible: 'this kernel has no fprobes' });
    const lines = compareText({
      ...found([method('ebpf', { together: seen(10) }), impossible]),
      verdict: ['Use it.'],
    });
    expect(lines[0]).toBe('eth0 igb: IRQ 25 · Linux 6.12 · 2 CPUs');
    expect(lines).toContain('ebpf: hook of ebpf');
    expect(lines).toContain('no fprobe: this kernel has no fprobes');
    expect(lines.at(-1)).toBe('Use it.');
  });
});
