import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeKernel } from '../../test/support/kernel-files.js';
import { forcedThreads, runInThreads, threadedIrqs } from './irq-threads.js';

function files(content: Readonly<Record<string, string>>) {
  const kernel = new FakeKernel(content);
  onTestFinished(() => kernel.close());
  return kernel.files;
}

const THREADS = {
  'proc/9/comm': 'irq/9-acpi',
  'proc/77/comm': 'irq/31-eth0-rx-',
  'proc/78/comm': 'ksoftirqd/0',
  'proc/80/comm': 'irqbalance',
  'proc/self/comm': 'irq/55-not-a-pid',
  'proc/cmdline': 'console=ttyS0 quiet',
};

describe('interrupts in threads', () => {
  it('are the ones that have a thread', () => {
    expect(threadedIrqs(files(THREADS))).toEqual(new Set([9, 31]));
    expect(runInThreads([30, 31], files(THREADS))).toBe(true);
    expect(runInThreads([30, 55], files(THREADS))).toBe(false);
    expect(runInThreads([], files(THREADS))).toBe(false);
  });

  it('are all of them on PREEMPT_RT and with threadirqs, even where threads cannot be seen', () => {
    expect(forcedThreads(files({ 'sys/kernel/realtime': '1' }))).toBe(true);
    const neither = { 'sys/kernel/realtime': '0', 'proc/cmdline': 'nothreadirqs x=threadirqs' };
    expect(forcedThreads(files(neither))).toBe(false);
    const forced = files({ 'proc/cmdline': 'quiet threadirqs' });
    expect(runInThreads([5], forced)).toBe(true);
    expect(runInThreads([], forced)).toBe(false);
  });
});
