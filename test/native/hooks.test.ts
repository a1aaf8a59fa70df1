/** Needs CAP_BPF and CAP_PERFMON: trial programs on the real kernel. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { examine, nicTexts, verdict } from '../../src/feature/doctor.js';
import { hookProbe, hookReport } from '../../src/feature/hooks.js';
import { hostHooks } from '../../src/feature/host-hooks.js';
import { listNics } from '../../src/nic/resolve.js';
import { HOST } from '../../src/sys/files.js';
import { runProgram } from '../../src/sys/programs.js';
import { heldUpMs } from './held.js';

describe('hooks of this kernel', () => {
  it('are all answered with yes or no within 300 ms, and the trials leave nothing open', () => {
    const open = readdirSync('/proc/self/fd').length;
    const took: number[] = [];
    const ask = (): ReturnType<typeof hookReport> => {
      const started = performance.now() - heldUpMs(process.pid);
      const door = hostHooks();
      const report = hookReport(hookProbe(door));
      door.close();
      took.push(performance.now() - heldUpMs(process.pid) - started);
      return report;
    };
    const report = ask();
    // Waiting for a CPU is the machine's; what else others do can only make it longer: the shortest says what it takes.
    for (let i = 0; i < 9 && Math.min(...took) >= 300; i++) ask();
    expect(Math.min(...took)).toBeLessThan(300);
    expect(readdirSync('/proc/self/fd').length).toBe(open);
    const answers = report.flatMap((stage) =>
      stage.ways.flatMap((way) => way.hooks.map((hook) => hook.answer)),
    );
    for (const answer of answers) {
      expect(answer.possible, answer.reason).not.toBe('unknown');
      if (answer.possible === 'no') expect(answer.reason).not.toBe('');
    }
    // The tracepoint of the handler is in every kernel.
    expect(report.find((stage) => stage.stage === 'isr')?.best).toBeDefined();
  });

  it('refuse what is not there and what cannot be hooked', () => {
    const door = hostHooks();
    const probe = hookProbe(door);
    expect(probe({ kind: 'fentry', target: 'do_IRQ', program: '' }).possible).toBe('no');
    expect(probe({ kind: 'tp_btf', target: 'rxstamp_none', program: '' }).possible).toBe('no');
    door.close();
  });

  it('make a verdict for every interface', async () => {
    const door = hostHooks();
    const report = hookReport(hookProbe(door));
    door.close();
    for (const nic of listNics()) {
      const findings = examine({ files: HOST, nic, texts: await nicTexts(nic, runProgram) });
      const { works, sentence } = verdict(report, findings, nic);
      const stopped = findings.some((finding) => finding.level === 'problem');
      expect(works, `${nic.name}: ${sentence}`).toBe(!stopped);
      for (const one of findings.filter(({ level }) => level === 'note'))
        expect(one.effect, one.id).toBeTruthy();
    }
  });
});
