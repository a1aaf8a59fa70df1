/**
 * `irqs` and `doctor` on full kernels. irqs against bpftrace, which sees the same interrupts happen; doctor by its own
 * advice: what it notes goes away with its cure and comes back with its undo.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { udpFlows } from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import type { DoctorDocument } from '../../src/feature/doctor.js';
import type { NamedFinding } from '../../src/feature/finding.js';
import type { IrqReport, IrqsDocument } from '../../src/nic/irq-report.js';

const CLI = ['node', 'dist/src/cli/main.js'];

async function irqs(guest: Guest): Promise<readonly IrqReport[]> {
  const { code, stdout, stderr } = await guest.run([...CLI, 'irqs', 'eth0', '--interval', '0', '--json']);
  expect(code, stderr).toBe(0);
  const document: IrqsDocument = JSON.parse(stdout);
  return document.interfaces[0]?.irqs ?? [];
}

async function doctor(guest: Guest): Promise<{ readonly code: number; readonly document: DoctorDocument }> {
  const { code, stdout } = await guest.run([...CLI, 'doctor', 'eth0', '--json']);
  return { code, document: JSON.parse(stdout) };
}

async function finding(guest: Guest, id: string): Promise<NamedFinding | undefined> {
  const { document } = await doctor(guest);
  return document.findings.find((one) => one.id === id && one.level === 'note');
}

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

describe.each([
  { kernel: '6.12', nic: 'igb,queues=2' },
  { kernel: '6.12', nic: 'e1000e' },
  { kernel: '6.1', nic: 'vmxnet3,queues=2' },
  { kernel: '6.1', nic: 'virtio' },
])('irqs on $kernel with $nic', ({ kernel, nic }) => {
  const guest = new Guest({ kernel, nic, cpus: 2 });
  beforeAll(() => guest.boot());
  afterAll(() => guest.close());

  it('names the vector, the CPU and the NAPI instance that bpftrace sees at work', async () => {
    const numbers = (await irqs(guest)).map((irq) => irq.irq);
    const witness = guest.start(['bpftrace', '-B', 'line', '-e', witnessScript(numbers)]);
    for await (const line of witness.lines()) if (line === 'ready') break;
    // bpftrace says ready before its probes are attached; irqs takes longer than attaching them.
    const told = await irqs(guest);
    await guest.injector.send(udpFlows({ count: 200, flows: 8 }), { gapUs: 5000 });
    await guest.shell('sleep 1');
    witness.kill('SIGINT');
    const seen = (await witness.wait()).stdout;
    const receiving = told.filter((irq) => irq.role === 'rx' || irq.role === 'rxtx');
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
  });
});

describe('irqs on 5.10, where functions must be named by kallsyms', () => {
  const guest = new Guest({ kernel: '5.10', nic: 'igb,queues=2', cpus: 2 });
  beforeAll(() => guest.boot());
  afterAll(() => guest.close());

  it('names handlers and NAPI instances', async () => {
    const receiving = (await irqs(guest)).filter((irq) => irq.role === 'rx');
    expect(receiving.map((irq) => irq.handlers?.[0]?.handler)).toEqual([
      'igb_msix_ring [igb]',
      'igb_msix_ring [igb]',
    ]);
    expect(new Set(receiving.map((irq) => irq.napi?.id)).size).toBe(2);
    for (const irq of receiving)
      expect(irq.napi).toMatchObject({ ground: 'embedded', poll: 'igb_poll [igb]' });
  });
});

describe('doctor on 6.12 with igb', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'igb,queues=2', cpus: 2 });
  beforeAll(() => guest.boot());
  afterAll(() => guest.close());

  it('finds that everything works, by fentry', async () => {
    const { code, document } = await doctor(guest);
    expect(code).toBe(0);
    expect(document.verdict).toMatchObject({ works: true, earliest: { stage: 'entry' } });
  });

  const net = '/sys/class/net/eth0';
  it.each([
    ['moderation', 'true'],
    ['napi', `echo 1 > ${net}/threaded`],
    ['napi', `echo 2 > ${net}/napi_defer_hard_irqs; echo 200000 > ${net}/gro_flush_timeout`],
    ['steering', `echo 3 > ${net}/queues/rx-1/rps_cpus`],
    ['busy-poll', 'sysctl -w net.core.busy_read=50'],
    ['bpf-stats', 'sysctl -w kernel.bpf_stats_enabled=1'],
    ['clocksource', 'echo acpi_pm > /sys/devices/system/clocksource/clocksource0/current_clocksource'],
  ])('notes %s after `%s`; the cure removes it and the undo brings it back', async (id, change) => {
    await guest.shell(change);
    const noted = await finding(guest, id);
    expect(noted, 'noted').toMatchObject({ cure: expect.any(String), undo: expect.any(String) });
    const advice = (text: string | undefined): string => (text ?? '').replace(/ {1,3}\(.*\)$/, '');
    await guest.shell(advice(noted?.cure));
    expect(await finding(guest, id), 'cured').toBeUndefined();
    await guest.shell(advice(noted?.undo));
    expect(await finding(guest, id), 'undone').toEqual(noted);
    await guest.shell(advice(noted?.cure));
  });

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
    await guest.shell('ip link set eth0 up');
  });
});
