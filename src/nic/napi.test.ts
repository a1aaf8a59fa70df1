import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { IrqDetail, NapiDetail } from '../sys/inspect.js';
import { savedFiles } from '../sys/saved-files.js';
import { type Looker, irqRates, reportIrqs } from './irq-report.js';
import { irqsText } from './irq-table.js';
import { type IrqEvidence, napiOfIrq } from './napi.js';
import { resolveNic } from './resolve.js';

const irq = (number: number, argument: bigint, role: IrqEvidence['role'], queue?: number): IrqEvidence => ({
  role,
  queue,
  detail: {
    irq: number,
    vector: 0x26,
    cpu: 1,
    flow: 'handle_edge_irq',
    actions: [{ name: 'n', handler: 'h', thread: undefined, argument }],
  },
});
const napi = (id: number, address: bigint, more: Partial<NapiDetail> = {}): NapiDetail => ({
  id,
  irq: undefined,
  threaded: false,
  poll: 'p',
  address,
  before: [],
  queues: [],
  ...more,
});
const DEVICE = 0xd000n;

const counted = (count: number) =>
  savedFiles(`/proc/interrupts:
	           CPU0
	 38:         ${count}   PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0
`);

describe('the NAPI instance of an interrupt', () => {
  it('is the one whose driver told the IRQ, before any other evidence', () => {
    const one = irq(25, 0x1000n, 'rx', 0);
    const found = napiOfIrq(one, [one], [napi(1, 0x1010n), napi(2, 0x9000n, { irq: 25 })], DEVICE);
    expect(found).toMatchObject({ napi: { id: 2 }, ground: 'napi-irq' });
  });

  it("lies inside the handler's argument, not inside the next one", () => {
    const first = irq(25, 0x1000n, 'rx', 0);
    const second = irq(26, 0x1400n, 'rx', 1);
    const napis = [napi(2, 0x1440n), napi(1, 0x1040n)];
    expect(napiOfIrq(first, [first, second], napis, DEVICE)).toMatchObject({
      napi: { id: 1 },
      ground: 'embedded',
    });
    expect(napiOfIrq(second, [first, second], napis, DEVICE)).toMatchObject({ napi: { id: 2 } });
    expect(napiOfIrq(first, [first, second], [napi(2, 0x1440n)], DEVICE)).toBeUndefined();
  });

  it('is not taken from beyond the size of a queue structure', () => {
    const one = irq(25, 0x1000n, 'rx', 0);
    expect(napiOfIrq(one, [one], [napi(1, 0x2000n)], DEVICE)).toBeUndefined();
  });

  it("is in the structure that points back to the handler's argument, the nearest one (virtio)", () => {
    const one = irq(38, 0xf000n, 'rx', 0);
    const near = napi(2, 0x5000n, { before: [1n, 0xf000n] });
    const far = napi(1, 0x4000n, { before: [0xf000n, 1n] });
    expect(napiOfIrq(one, [one], [far, near], DEVICE)).toMatchObject({
      napi: { id: 2 },
      ground: 'points-back',
    });
  });

  it('is the only receiving one where the argument is the interface (e1000e), for its receive vector', () => {
    const napis = [napi(0, 0x10000n), napi(7, 0x20000n)];
    const receive = irq(24, DEVICE, 'rx', 0);
    expect(napiOfIrq(receive, [receive], napis, DEVICE)).toMatchObject({ napi: { id: 7 }, ground: 'only' });
    const transmit = irq(25, DEVICE, 'tx');
    expect(napiOfIrq(transmit, [transmit], napis, DEVICE)).toBeUndefined();
  });

  it('is tied to the queue by the driver, as the last evidence', () => {
    const one = irq(30, 0xaaaa0000n, 'rxtx', 3);
    expect(napiOfIrq(one, [one], [napi(9, 0x1n, { queues: [3] })], DEVICE)).toMatchObject({
      ground: 'queue',
    });
  });

  it('is none for link and mailbox interrupts', () => {
    const one = irq(24, 0x1000n, 'other');
    expect(napiOfIrq(one, [one], [napi(1, 0x1040n)], DEVICE)).toBeUndefined();
  });
});

describe('the document', () => {
  const files = savedFiles(
    readFileSync(new URL('../../test/kernels/6.18-virtio-net.txt', import.meta.url), 'utf8'),
  );
  const nic = resolveNic('eth0', files);
  const details: Record<number, IrqDetail> = { 38: irq(38, 0xf000n, 'rx').detail };
  const looker: Looker = {
    irq: (number) => details[number],
    napis: () => ({
      device: DEVICE,
      napis: [napi(257, 0x5000n, { before: [0xf000n], poll: 'virtnet_poll' })],
    }),
    close: () => undefined,
  };

  it('never holds a guess or an address: what is not known is null with the reason', () => {
    const document = reportIrqs([nic], { why: 'needs CAP_BPF: run as root' }, new Map(), null, files);
    const receive = document.interfaces[0]?.irqs[1];
    expect(receive).toMatchObject({
      irq: 38,
      queue: 0,
      vector: null,
      handlers: null,
      napi: null,
      rate: null,
    });
    expect(receive?.unknown['napi']).toBe('needs CAP_BPF: run as root');
    expect(receive?.unknown['vector']).toContain('debugfs');
    expect(() => JSON.stringify(document)).not.toThrow();
  });

  it('joins what the kernel told, and explains the grounds it used', () => {
    const document = reportIrqs([nic], { looker }, new Map([[38, 12.5]]), 1, files);
    expect(document.interfaces[0]?.irqs[1]).toMatchObject({
      vector: 0x26,
      vectorCpu: 1,
      flow: 'handle_edge_irq',
      napi: { id: 257, ground: 'points-back' },
      rate: 12.5,
      unknown: {},
    });
    expect(Object.keys(document.grounds)).toEqual(['points-back']);
  });

  it('becomes a table; reasons go to the notes, each once', () => {
    const document = reportIrqs([nic], { looker }, new Map([[38, 12.5]]), 1, files);
    const { data, notes } = irqsText(document);
    expect(data[0]).toBe(
      'eth0 virtio_net 0000:00:03.0 · ifindex 4 · 1 receive queue · PCI-MSIX-0000:00:03.0',
    );
    const row = data.find((line) => line.includes('virtio2-input.0'));
    expect(row).toMatch(/^ 38 +0 +rx +virtio2-input\.0 +0x26 +1 +0-1 +edge +h +257 +\d+ +13$/);
    expect(notes.filter((note) => note.includes('no sysfs folder'))).toHaveLength(2);
    const lo = irqsText(reportIrqs([resolveNic('lo', files)], { looker }, new Map(), null, files));
    expect(lo.data).toEqual(['lo is a software interface: no device, so no interrupts']);
  });

  it('counts per second between two looks', () => {
    const [one] = nic.irqs.slice(1, 2);
    const before = one === undefined ? [] : [{ ...nic, irqs: [{ ...one, count: 100 }] }];
    expect(irqRates(before, 2, counted(150)).get(38)).toBe(25);
    expect(irqRates(before, 2, savedFiles('/proc/interrupts = CPU0')).size).toBe(0);
  });
});
