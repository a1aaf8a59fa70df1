import { describe, expect, it } from 'vitest';
import { parseLogRecord } from '../../sys/kernel-log.js';
import { localClockOffset, parseClockPair } from '../../sys/local-clock.js';
import { parseInterruptLine } from './line.js';

describe('the line', () => {
  it('tells line and vector, and with detail CPU and time', () => {
    expect(parseInterruptLine('IRQ Number=31; Vector=38')).toEqual({
      irq: 31,
      vector: 38,
      cpu: -1,
      time: undefined,
    });
    expect(parseInterruptLine('IRQ Number=32; Vector=0x26; CPU=1; Time=9223372036854775807\n')).toEqual({
      irq: 32,
      vector: 38,
      cpu: 1,
      time: 9223372036854775807n,
    });
    expect(parseInterruptLine('kernel: [  12.000001] IRQ Number=0; Vector=0')).toMatchObject({
      irq: 0,
      vector: 0,
    });
  });

  it('is nothing else', () => {
    for (const damaged of [
      'IRQ Number=; Vector=38',
      'IRQ Number=31; Vector=38; CPU=1',
      'IRQ Number=31; Vector=38; CPU=1; Time=12x',
      'IRQ Number=31; Vector=',
      'IRQ Number=-1; Vector=38',
      'IRQ number 31',
    ])
      expect(parseInterruptLine(damaged), damaged).toBeUndefined();
  });
});

describe('a record of the log', () => {
  it('has a number, a time, sometimes a CPU, and a text without its dictionary', () => {
    expect(parseLogRecord('7,1046,6870893,-;IRQ Number=32; Vector=38\n')).toEqual({
      sequence: 1046,
      micros: 6870893,
      cpu: -1,
      text: 'IRQ Number=32; Vector=38',
    });
    expect(parseLogRecord('4,2,1,-,caller=C3;x\n SUBSYSTEM=net\n')).toMatchObject({ cpu: 3, text: 'x' });
    expect(parseLogRecord('4,2,1,c,caller=T812;x')).toMatchObject({ cpu: -1 });
    expect(parseLogRecord('4,2;x')).toBeUndefined();
  });
});

describe('local_clock', () => {
  const text = (ktime: string, cpu: string): string =>
    `Sched Debug Version: v0.11, 6.12\nktime                 : ${ktime}\nsched_clk     : 7705.895407\ncpu_clk    : ${cpu}\njiffies : 4294894170\n`;

  it('is told beside CLOCK_MONOTONIC', () => {
    expect(parseClockPair(text('7662.615480', '7686.298942'))).toEqual({
      mono: 7_662_615_480n,
      local: 7_686_298_942n,
    });
    expect(parseClockPair('ktime : 1.5')).toBeUndefined();
  });

  it('is off by what the readings differ, and by the least delay of the second reading', () => {
    const texts = ['10.000000', '20.000100', '30.000050', '40.000000', '50.000000'].map((ktime, i) =>
      text(ktime, `${i + 1}2.000000`),
    );
    expect(localClockOffset(() => texts.shift() ?? '')).toEqual({ offset: -1_999_900n, error: 100 });
  });

  it('is unknown where nothing tells', () => {
    expect(
      localClockOffset(() => {
        throw new Error('ENOENT');
      }),
    ).toBeUndefined();
    expect(localClockOffset(() => 'nothing')).toBeUndefined();
  });
});
