/** /proc/interrupts and /proc/irq: what the kernel prints about interrupt lines (kernel/irq/proc.c). */
import { HOST, type KernelFiles } from './files.js';

/** One numbered line of /proc/interrupts. */
export interface InterruptLine {
  readonly irq: number;
  /** Counts in the order of {@link Interrupts.cpus}. */
  readonly counts: readonly number[];
  /** `PCI-MSIX-0000:00:03.0` (since 6.5), `PCI-MSI` (before), `IO-APIC`. */
  readonly chip: string;
  /** `edge` or `level`; undefined where the line does not say. */
  readonly trigger: 'edge' | 'level' | undefined;
  /** Handler names; several mean a shared line, none that nobody requested it. */
  readonly actions: readonly string[];
}

/** The parsed table. */
export interface Interrupts {
  /** CPUs online, which are the columns. */
  readonly cpus: readonly number[];
  readonly lines: ReadonlyMap<number, InterruptLine>;
}

const TRIGGERS: Readonly<Record<string, 'edge' | 'level'>> = {
  edge: 'edge',
  level: 'level',
  // x86 calls the flow of a level-triggered IO-APIC pin "fasteoi" (arch/x86/kernel/apic/io_apic.c).
  fasteoi: 'level',
};

/** Parses the text of /proc/interrupts; lines without a number (NMI, LOC, ...) are left out. */
export function parseInterrupts(text: string): Interrupts {
  const [head = '', ...rest] = text.split('\n');
  const cpus = [...head.matchAll(/CPU(\d+)/g)].map((match) => Number(match[1]));
  const lines = new Map<number, InterruptLine>();
  for (const row of rest) {
    const match = /^\s*(\d+):\s*(.*)$/.exec(row);
    if (match === null) continue;
    const irq = Number(match[1]);
    const words = (match[2] ?? '').split(/\s+/);
    const counts = words.slice(0, cpus.length).map(Number);
    const tail = (match[2] ?? '').replace(new RegExp(`^(?:\\d+\\s+){${cpus.length}}`), '');
    lines.set(irq, { irq, counts, ...parseTail(tail) });
  }
  return { cpus, lines };
}

/** `PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0` or `GICv3  27 Level     arch_timer`. */
function parseTail(tail: string): Pick<InterruptLine, 'chip' | 'trigger' | 'actions'> {
  const match = /^(\S+(?: \S+)*?)(?:\s+(\d+))?(?:-(\S+)|\s+(Level|Edge))?(?:\s{2,}(.*))?$/.exec(tail);
  if (match === null) return { chip: tail, trigger: undefined, actions: [] };
  const flow = (match[3] ?? match[4] ?? '').toLowerCase();
  const names = (match[5] ?? '').trim();
  return {
    chip: match[1] ?? '',
    trigger: TRIGGERS[flow],
    actions: names === '' ? [] : names.split(', '),
  };
}

/** Reads /proc/interrupts. */
export function readInterrupts(files: KernelFiles = HOST): Interrupts {
  return parseInterrupts(files.text('/proc/interrupts') ?? '');
}

/** Where an interrupt may go and goes: /proc/irq/N. CPU lists as the kernel prints them, `0-1,4`. */
export interface IrqPlace {
  readonly affinity: string | undefined;
  readonly effective: string | undefined;
  /** NUMA node of the device; undefined where the kernel prints -1 or nothing. */
  readonly node: number | undefined;
}

/** Reads the affinity of one interrupt. */
export function readIrqPlace(irq: number, files: KernelFiles = HOST): IrqPlace {
  const node = Number(files.text(`/proc/irq/${irq}/node`) ?? '-1');
  return {
    affinity: files.text(`/proc/irq/${irq}/smp_affinity_list`),
    effective: files.text(`/proc/irq/${irq}/effective_affinity_list`) || undefined,
    node: node >= 0 ? node : undefined,
  };
}

/** `0-2,4` as [0, 1, 2, 4]; an empty list for an empty text. */
export function parseCpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
    const [from, to] = part.split('-').map(Number);
    for (let cpu = from ?? 0; cpu <= (to ?? from ?? -1); cpu++) cpus.push(cpu);
  }
  return cpus;
}
