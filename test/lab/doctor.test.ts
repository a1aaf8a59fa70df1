/**
 * `irqs` and `doctor` on full kernels. irqs against bpftrace, which sees the same interrupts happen; doctor by its own
 * advice: what it notes goes away with its cure and comes back with its undo.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADDRESSES } from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import { sendCounted, settle } from '../../lab/trace-in-guest.js';
import type { DoctorDocument } from '../../src/feature/doctor.js';
import type { NamedFinding } from '../../src/feature/finding.js';
import type { IrqReport, IrqsDocument } from '../../src/nic/irq-report.js';
import { carrierOf, interruptCount, phaseFrames } from './guest-trace.js';

const CLI = ['node', 'dist/src/cli/main.js'];
const IFACES = ['eth0', 'eth1'] as const;
const FRAMES = 200;

/** The interrupts of each interface. */
async function irqs(guest: Guest): Promise<ReadonlyMap<string, readonly IrqReport[]>> {
  const { code, stdout, stderr } = await guest.run([...CLI, 'irqs', '--interval', '0', '--json']);
  expect(code, stderr).toBe(0);
  const document: IrqsDocument = JSON.parse(stdout);
  return new Map(document.interfaces.map((one) => [one.name, one.irqs]));
}

async function doctor(guest: Guest): Promise<{ readonly code: number; readonly document: DoctorDocument }> {
  const { code, stdout } = await guest.run([...CLI, 'doctor', 'eth0', '--json']);
  return { code, document: JSON.parse(stdout) };
}

/** What doctor notes, by name. */
const notesOf = ({ findings }: DoctorDocument): Map<string, NamedFinding> =>
  new Map(findings.filter(({ level }) => level === 'note').map((one) => [one.id, one]));

/**
 * Prints "v IRQ vector CPU" for every interrupt of `irqs`, and "n IRQ NAPI-ID" when its handler schedules. Only of
 * these: each line that is printed causes interrupts of the guest's file system.
 */
function witnessScript(numbers: readonly number[]): string {
  const wanted = numbers.map((irq) => `args->irq == ${irq}`).join(' || ');
  return `
kprobe:__common_interrupt { @vector[cpu] = arg1; }
tracepoint:irq:irq_handler_entry /${wanted}/ {
  @irq[cpu] = args->irq; printf("v %d %d %d\\n", args->irq, @vector[cpu] & 255, cpu);
}
tracepoint:irq:irq_handler_exit { delete(@irq[cpu]); }
kprobe:napi_schedule_prep /@irq[cpu]/ { printf("n %d %d\\n", @irq[cpu], ((struct napi_struct *)arg0)->napi_id); }
BEGIN { printf("ready\\n"); }`;
}

/** Interrupts of both NICs of a guest, as irqs tells them and as bpftrace sees them at work. */
class Witnessed {
  told: ReadonlyMap<string, readonly IrqReport[]> = new Map();
  seen = '';

  async look(guest: Guest): Promise<void> {
    await guest.shell(`ip link set eth1 up; ${carrierOf('eth1')}`);
    const numbers = [...(await irqs(guest)).values()].flatMap((list) => list.map(({ irq }) => irq));
    const witness = guest.start(['bpftrace', '-B', 'line', '-e', witnessScript(numbers)]);
    for await (const line of witness.lines()) if (line === 'ready') break;
    // bpftrace says ready before its probes are attached; irqs takes longer than attaching them.
    this.told = await irqs(guest);
    const before = await interruptCount(guest, numbers);
    const frames = phaseFrames(0, FRAMES);
    const other = phaseFrames(1, FRAMES, 8, ADDRESSES.secondMac);
    await Promise.all([
      sendCounted(guest, frames, { gapUs: 4000 }),
      sendCounted(guest, other, { gapUs: 4000 }, { injector: guest.secondInjector, iface: 'eth1' }),
    ]);
    // bpftrace prints seconds behind the events, and forgets what it has not printed when it is told to end.
    const came = (await interruptCount(guest, numbers)) - before;
    await settle(
      async () => witness.soFar.stdout.match(/^v /gm)?.length ?? 0,
      (lines) => lines >= came,
    );
    witness.kill('SIGINT');
    this.seen = (await witness.wait()).stdout;
  }

  /** That what irqs told of an interface is what was seen. */
  expectTrue(iface: string): void {
    const { seen } = this;
    const all = this.told.get(iface) ?? [];
    const receiving = all.filter((irq) => irq.role === 'rx' || irq.role === 'rxtx');
    const used = receiving.filter((irq) => seen.includes(`v ${irq.irq} `));
    expect(used.length, seen).toBeGreaterThan(0);
    for (const irq of used) {
      const places = [...seen.matchAll(new RegExp(`^v ${irq.irq} (\\d+) (\\d+)$`, 'gm'))];
      const last = places.at(-1);
      expect([irq.vector, irq.vectorCpu], `IRQ ${irq.irq}`).toEqual([Number(last?.[1]), Number(last?.[2])]);
      const napis = [...seen.matchAll(new RegExp(`^n ${irq.irq} (\\d+)$`, 'gm'))].map((match) =>
        Number(match[1]),
      );
      // A vector for both directions may also schedule a transmit instance, which has no id.
      expect(
        napis.filter((id) => id !== 0).every((id) => id === irq.napi?.id),
        `IRQ ${irq.irq}`,
      ).toBe(true);
      expect(napis, `IRQ ${irq.irq}`).toContain(irq.napi?.id);
    }
  }
}

describe('6.12 with igb and e1000e', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'igb,queues=2', second: 'e1000e', cpus: 2 });
  beforeAll(() => guest.boot());
  afterAll(() => guest.close());

  describe('irqs', () => {
    const witnessed = new Witnessed();
    beforeAll(() => witnessed.look(guest));
    it.each(IFACES)(
      'names the vector, the CPU and the NAPI instance that bpftrace sees at work: %s',
      (iface) => witnessed.expectTrue(iface),
    );
  });

  describe('doctor', () => {
    const net = '/sys/class/net/eth0';
    /** What brings each note about. The changes of a row are made together, and cured together. */
    const changes = [
      [
        ['moderation', 'true'],
        ['napi', `echo 1 > ${net}/threaded`],
        ['steering', `echo 3 > ${net}/queues/rx-1/rps_cpus`],
        ['busy-poll', 'sysctl -w net.core.busy_read=50'],
        ['bpf-stats', 'sysctl -w kernel.bpf_stats_enabled=1'],
        ['clocksource', 'echo acpi_pm > /sys/devices/system/clocksource/clocksource0/current_clocksource'],
      ],
      [['napi', `echo 2 > ${net}/napi_defer_hard_irqs; echo 200000 > ${net}/gro_flush_timeout`]],
    ] as const;
    const advice = (text: string | undefined): string => (text ?? '').replace(/ {1,3}\(.*\)$/, '');
    let first: Awaited<ReturnType<typeof doctor>>;
    /** What was noted of each row: after its changes, after the cures, after the undos. */
    const noted: [
      ReadonlyMap<string, NamedFinding>,
      ReadonlyMap<string, NamedFinding>,
      ReadonlyMap<string, NamedFinding>,
    ][] = [];

    beforeAll(async () => {
      first = await doctor(guest);
      for (const row of changes) {
        for (const [, change] of row) await guest.shell(change);
        const before = notesOf((await doctor(guest)).document);
        const all = (what: 'cure' | 'undo'): Promise<string> =>
          guest.shell(['set -e', ...row.map(([id]) => advice(before.get(id)?.[what]))].join('\n'));
        await all('cure');
        const cured = notesOf((await doctor(guest)).document);
        await all('undo');
        noted.push([before, cured, notesOf((await doctor(guest)).document)]);
        await all('cure');
      }
    });

    it('finds that everything works, by fentry', () => {
      expect(first.code).toBe(0);
      expect(first.document.verdict).toMatchObject({ works: true, earliest: { stage: 'entry' } });
      // The guest has no more to note than this before anything is changed.
      const ids = changes.flat().map(([id]) => id);
      expect([...notesOf(first.document).keys()].filter((id) => (ids as string[]).includes(id))).toEqual([
        'moderation',
      ]);
    });

    it.each(changes.flatMap((row, index) => row.map(([id, change]) => [id, change, index] as const)))(
      'notes %s after `%s`; the cure removes it and the undo brings it back',
      (id, _change, index) => {
        const [before, cured, undone] = noted[index] as (typeof noted)[number];
        expect(before.get(id), 'noted').toMatchObject({ cure: expect.any(String), undo: expect.any(String) });
        expect(cured.get(id), 'cured').toBeUndefined();
        expect(undone.get(id), 'undone').toEqual(before.get(id));
      },
    );

    it('fails without capabilities, naming them, and still says what it can', async () => {
      const line = `setpriv --reuid=65534 --clear-groups --bounding-set=-all ${CLI.join(' ')} doctor eth0 --json`;
      const { code, stdout } = await guest.run(['sh', '-c', line]);
      expect(code).toBe(1);
      const document: DoctorDocument = JSON.parse(stdout);
      expect(document.verdict.sentence).toContain('CAP_BPF and CAP_PERFMON');
      expect(document.stages[0]?.ways[0]?.answer.possible).toBe('unknown');
      // ethtool -c needs no privilege.
      expect(document.findings.find((one) => one.id === 'moderation')?.level).not.toBe('unknown');
    });

    it('calls an interface that is down a problem', async () => {
      await guest.shell('ip link set eth0 down');
      const { code, document } = await doctor(guest);
      expect(code).toBe(1);
      expect(document.verdict.sentence).toBe('no trace is possible: interface: down');
    });
  });
});

describe('irqs on 6.1 with vmxnet3 and virtio', () => {
  const guest = new Guest({ kernel: '6.1', nic: 'vmxnet3,queues=2', second: 'virtio', cpus: 2 });
  const witnessed = new Witnessed();
  beforeAll(() => guest.boot());
  beforeAll(() => witnessed.look(guest));
  afterAll(() => guest.close());

  it.each(IFACES)('names the vector, the CPU and the NAPI instance that bpftrace sees at work: %s', (iface) =>
    witnessed.expectTrue(iface),
  );
});

describe('irqs on 5.10, where functions must be named by kallsyms', () => {
  const guest = new Guest({ kernel: '5.10', nic: 'igb,queues=2', cpus: 2 });
  beforeAll(() => guest.boot());
  afterAll(() => guest.close());

  it('names handlers and NAPI instances', async () => {
    const all = (await irqs(guest)).get('eth0') ?? [];
    const receiving = all.filter((irq) => irq.role === 'rx');
    expect(receiving.map((irq) => irq.handlers?.[0]?.handler)).toEqual([
      'igb_msix_ring [igb]',
      'igb_msix_ring [igb]',
    ]);
    expect(new Set(receiving.map((irq) => irq.napi?.id)).size).toBe(2);
    for (const irq of receiving)
      expect(irq.napi).toMatchObject({ ground: 'embedded', poll: 'igb_poll [igb]' });
  });
});
