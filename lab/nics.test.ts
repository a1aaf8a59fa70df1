import { describe, expect, it } from 'vitest';
import { RxError } from '../src/base/errors.js';
import { parseNic } from './nics.js';

function refusal(text: string, cpus: number): RxError {
  try {
    parseNic(text, cpus);
  } catch (error) {
    if (error instanceof RxError) return error;
  }
  throw new Error(`${text} was taken`);
}

describe('parseNic', () => {
  it('takes as many queues as the NIC and the CPUs allow', () => {
    expect(parseNic('igb', 2).queues).toBe(2);
    expect(parseNic('igb', 16).queues).toBe(8);
    expect(parseNic('e1000e', 4).queues).toBe(1);
    expect(parseNic('vmxnet3', 4).queues).toBe(4);
    expect(parseNic('igb,queues=1', 2).queues).toBe(1);
  });

  it('gives virtio one queue unless more are asked for, and those a tap', () => {
    expect(parseNic('virtio', 4)).toMatchObject({ queues: 1, by: 'socket' });
    expect(parseNic('virtio,queues=4', 4)).toMatchObject({ queues: 4, by: 'tap' });
    expect(parseNic('igb,queues=4', 4)).toMatchObject({ queues: 4, by: 'socket' });
  });

  it("knows a NIC by QEMU's and the driver's name too", () => {
    expect(parseNic('virtio-net-pci', 2).model.name).toBe('virtio');
    expect(parseNic('virtio_net', 2).model.name).toBe('virtio');
  });

  it.each([
    ['rtl8139', 2, /no such NIC/, /igb, e1000e/],
    ['e1000e,queues=2', 2, /1 queue/, /igb/],
    ['igb,queues=4', 2, /as many CPUs/, /--cpus 4/],
    ['igb,queues=0', 2, /1-8 queues/, /./],
    ['vmxnet3,queues=1', 2, /as many queues as CPUs/, /--cpus 1/],
    ['igb,speed=9', 2, /speed=9/, /queues=2/],
  ])('refuses %s with %i CPUs and names the cure', (text, cpus, why, cure) => {
    const error = refusal(text, cpus);
    expect(error.code).toBe('RXS_LAB_NO_NIC');
    expect(error.message).toMatch(why);
    expect(error.hint).toMatch(cure);
  });
});
