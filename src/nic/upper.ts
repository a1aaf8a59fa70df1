/**
 * Interfaces on top of others (VLAN, bond, bridge, macvlan) have no interrupts: their packets arrive at the NICs below,
 * and the driver stage is the NIC's too. A trace of one therefore listens to those NICs, and shows of their packets what
 * is the upper interface's.
 */
import { HOST, type KernelFiles } from '../sys/files.js';
import { driverName } from '../sys/driver-name.js';
import { type InterfaceFacts, interfaceFacts } from '../sys/interfaces.js';
import type { Nic } from './nic.js';
import { resolveNic } from './resolve.js';

/** Where the packets of an upper interface arrive. */
export interface Below {
  /** NICs with interrupts below it. */
  readonly nics: readonly Nic[];
  /** Which of their packets are meant, in the language of filters; undefined: all. */
  readonly expression: string | undefined;
  /** Said before the first packet. */
  readonly text: string;
}

/** Asks what makes an interface, where sysfs does not say (macvlan): the name of its driver. */
export type AskKind = (name: string) => string | undefined;

/** What an upper interface takes of its lower one's packets. */
function share(facts: InterfaceFacts, kind: string | undefined, files: KernelFiles): Share {
  const { name } = facts;
  if (kind === 'vlan') {
    const id = /\bVID: (\d+)/.exec(files.text(`/proc/net/vlan/${name}`) ?? '')?.[1];
    if (id !== undefined) return { expression: `vlan ${id}`, words: `those of VLAN ${id}` };
  }
  if (kind === 'macvlan') {
    const mac = files.text(`/sys/class/net/${name}/address`);
    if (mac !== undefined)
      return { expression: `ether dst ${mac} or ether multicast`, words: `those to ${mac} or to a group` };
  }
  if (kind === 'bridge') return { words: 'also those that it passes on' };
  if (kind === 'bond') return { words: 'all of them' };
  return { words: `all of them, not only those of ${name}: which those are cannot be told there` };
}

interface Share {
  readonly expression?: string;
  readonly words: string;
}

interface Walk {
  readonly nics: Map<number, Nic>;
  /** Interfaces at the bottom that have no interrupts. */
  readonly without: Set<string>;
}

function descend(facts: InterfaceFacts, files: KernelFiles, walk: Walk): void {
  for (const name of facts.lower) {
    const lower = interfaceFacts(name, files);
    if (lower === undefined) continue;
    if (lower.lower.length > 0) {
      descend(lower, files, walk);
      continue;
    }
    const nic = resolveNic(name, files);
    if (nic.irqs.length > 0) walk.nics.set(nic.ifindex, nic);
    else walk.without.add(name);
  }
}

/** Shares from the upper interface down to the bottom, as long as there is one way down. */
function shares(facts: InterfaceFacts, files: KernelFiles, ask: AskKind): Share[] {
  const own = share(facts, facts.kind ?? ask(facts.name), files);
  const [only, ...others] = facts.lower;
  const lower = only === undefined || others.length > 0 ? undefined : interfaceFacts(only, files);
  if (lower === undefined || lower.lower.length === 0) return [own];
  // The outer tag is the lower interface's: asked for first.
  return [...shares(lower, files, ask), own];
}

/** The NICs below an interface, and what of their packets is its; undefined where none of them has interrupts. */
export function below(name: string, files: KernelFiles = HOST, ask: AskKind = driverName): Below | undefined {
  const facts = interfaceFacts(name, files);
  if (facts === undefined || facts.lower.length === 0) return undefined;
  const walk: Walk = { nics: new Map(), without: new Set() };
  descend(facts, files, walk);
  if (walk.nics.size === 0) return undefined;
  const nics = [...walk.nics.values()];
  const parts = shares(facts, files, ask);
  const expressions = parts.map(({ expression }) => expression).filter((one) => one !== undefined);
  const words = parts.at(-1)?.words ?? '';
  const unseen =
    walk.without.size === 0
      ? ''
      : `; what comes by ${[...walk.without].join(', ')} is not seen (no interrupts)`;
  return {
    nics,
    expression: expressions.length === 0 ? undefined : expressions.map((one) => `(${one})`).join(' and '),
    text:
      `${name} (${facts.kind ?? ask(name) ?? 'a stacked interface'}) has no interrupts: packets are stamped at ` +
      `${nics.map((nic) => nic.name).join(' and ')}, where they arrive; shown are ${words}${unseen}`,
  };
}
