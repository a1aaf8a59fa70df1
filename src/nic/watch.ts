/**
 * What can change about an interface while it is traced, looked at in few cheap files, and the differences in words. An
 * interface is followed by its device: a driver that is bound again makes a new interface, with another number.
 */
import { HOST, type KernelFiles } from '../sys/files.js';
import { type InterfaceFacts, deviceIrqs, interfaceFacts, interfaceNames } from '../sys/interfaces.js';
import { parseCpuList } from '../sys/interrupts.js';

/** Which interface is meant, whatever it is called and numbered now. */
export interface Identity {
  readonly name: string;
  readonly ifindex: number;
  /** Resolved folder of its device; undefined for software interfaces. */
  readonly device: string | undefined;
  /** Port of the device, where it has several interfaces. */
  readonly port: string | undefined;
}

/** An interface as one look finds it. */
export interface SeenInterface {
  readonly name: string;
  readonly ifindex: number;
  readonly up: boolean;
  readonly rxQueues: number;
  /** Interrupts with a handler, and where each may go. */
  readonly irqs: readonly { readonly irq: number; readonly handlers: string; readonly affinity: string }[];
}

/** One look. An interface that is not there is undefined. */
export interface Look {
  readonly interfaces: readonly (SeenInterface | undefined)[];
  /** CPUs that are online, as the kernel prints the list. */
  readonly online: string;
}

/** What a change can be about; docs/ndjson.schema.json has the same list. */
export const CHANGE_KINDS = [
  'gone',
  'back',
  'renamed',
  'down',
  'up',
  'queues',
  'irqs',
  'affinity',
  'cpu-offline',
  'cpu-online',
] as const;

/** One of {@link CHANGE_KINDS}. */
export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** One change, in words and in data. */
export interface Change {
  readonly what: ChangeKind;
  readonly text: string;
  readonly interface?: string;
  readonly irq?: number;
  readonly cpus?: readonly number[];
}

const NET = '/sys/class/net';

/** Identity of the interface `name`; undefined when there is none. */
export function identityOf(name: string, files: KernelFiles = HOST): Identity | undefined {
  const facts = interfaceFacts(name, files);
  if (facts === undefined) return undefined;
  return { name, ifindex: facts.ifindex, device: facts.device, port: portOf(name, files) };
}

function portOf(name: string, files: KernelFiles): string | undefined {
  return files.text(`${NET}/${name}/dev_port`);
}

/** What the interface is called now. */
function nameNow(identity: Identity, last: string, files: KernelFiles): string | undefined {
  if (identity.device !== undefined) {
    const names = files.list(`${identity.device}/net`).filter((name) => files.has(`${NET}/${name}/ifindex`));
    return names.length > 1 ? names.find((name) => portOf(name, files) === identity.port) : names[0];
  }
  const same = (name: string): boolean =>
    Number(files.text(`${NET}/${name}/ifindex`) ?? '0') === identity.ifindex;
  if (same(last)) return last;
  // Renamed, or made anew under its name.
  return (
    interfaceNames(files).find(same) ??
    (files.has(`${NET}/${identity.name}/ifindex`) ? identity.name : undefined)
  );
}

const PLACE = /^(affinity_hint|effective_affinity(_list)?|node|smp_affinity(_list)?|spurious)$/;

function seenIrqs(facts: InterfaceFacts, files: KernelFiles): SeenInterface['irqs'] {
  return deviceIrqs(facts, files)
    .irqs.map((irq) => ({
      irq,
      // The kernel makes a folder per handler.
      handlers: files
        .list(`/proc/irq/${irq}`)
        .filter((entry) => !PLACE.test(entry))
        .join(', '),
      affinity: files.text(`/proc/irq/${irq}/smp_affinity_list`) ?? '',
    }))
    .filter(({ handlers }) => handlers !== '');
}

/** Looks at the interfaces. `before` only makes it cheaper. */
export function look(identities: readonly Identity[], before?: Look, files: KernelFiles = HOST): Look {
  const interfaces = identities.map((identity, index) => {
    const name = nameNow(identity, before?.interfaces[index]?.name ?? identity.name, files);
    const facts = name === undefined ? undefined : interfaceFacts(name, files);
    if (facts === undefined) return undefined;
    const { ifindex, up, rxQueues } = facts;
    return { name: facts.name, ifindex, up, rxQueues, irqs: seenIrqs(facts, files) };
  });
  return { interfaces, online: files.text('/sys/devices/system/cpu/online') ?? '' };
}

const numbers = (seen: SeenInterface): string => seen.irqs.map(({ irq }) => irq).join(', ') || 'none';

function interfaceChanges(before: SeenInterface, after: SeenInterface): Change[] {
  const found: Change[] = [];
  const add = (what: ChangeKind, text: string, more: Partial<Change> = {}): void =>
    void found.push({ what, text, interface: after.name, ...more });
  if (before.name !== after.name) add('renamed', `${before.name} is called ${after.name} now`);
  if (before.up !== after.up)
    add(after.up ? 'up' : 'down', `${after.name} ${after.up ? 'was brought up' : 'was brought down'}`);
  if (before.rxQueues !== after.rxQueues)
    add('queues', `${after.name} has ${after.rxQueues} receive queues now (was ${before.rxQueues})`);
  const handled = (seen: SeenInterface): string =>
    JSON.stringify(seen.irqs.map(({ irq, handlers }) => [irq, handlers]));
  // A name carries the interface's, and an interface that is down has none: both were said.
  if (before.up === after.up && before.name === after.name && handled(before) !== handled(after))
    add('irqs', `interrupts of ${after.name} are ${numbers(after)} now (were ${numbers(before)})`);
  for (const irq of after.irqs) {
    const old = before.irqs.find((one) => one.irq === irq.irq && one.handlers === irq.handlers);
    if (old === undefined || old.affinity === irq.affinity) continue;
    const text = `IRQ ${irq.irq} (${irq.handlers}) may go to CPU ${irq.affinity} now (was ${old.affinity})`;
    add('affinity', text, { irq: irq.irq, cpus: parseCpuList(irq.affinity) });
  }
  return found;
}

function cpuChanges(before: string, after: string): Change[] {
  const [was, is] = [parseCpuList(before), parseCpuList(after)];
  const change = (what: ChangeKind, cpus: readonly number[], word: string): Change[] =>
    cpus.length === 0
      ? []
      : [{ what, cpus, text: `CPU ${cpus.join(', ')} ${cpus.length > 1 ? 'are' : 'is'} ${word} now` }];
  return [
    ...change(
      'cpu-offline',
      was.filter((cpu) => !is.includes(cpu)),
      'offline',
    ),
    ...change(
      'cpu-online',
      is.filter((cpu) => !was.includes(cpu)),
      'online',
    ),
  ];
}

/** What has changed between two looks at the same interfaces, in words. Empty: nothing. */
export function changes(before: Look, after: Look, identities: readonly Identity[]): Change[] {
  const found = identities.flatMap((identity, index): Change[] => {
    const [was, is] = [before.interfaces[index], after.interfaces[index]];
    if (was === undefined && is === undefined) return [];
    if (is === undefined) {
      const name = was?.name ?? identity.name;
      const why = identity.device === undefined ? 'was removed' : 'has lost its driver, or was removed';
      return [{ what: 'gone', text: `${name} ${why}, or is in another network namespace`, interface: name }];
    }
    if (was === undefined || was.ifindex !== is.ifindex) {
      const text = `${is.name} is there again, as interface number ${is.ifindex}, ${is.up ? 'up' : 'down'}; packets that came before this was noticed are not in the trace`;
      return [{ what: 'back', text, interface: is.name }];
    }
    return interfaceChanges(was, is);
  });
  return [...found, ...cpuChanges(before.online, after.online)];
}
