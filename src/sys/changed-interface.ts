/**
 * An interface that something was changed on, as it is noted until that is changed back: it is found again under any
 * name, and not mistaken for another one with its number.
 */
import { HOST, type KernelFiles } from './files.js';
import { deviceIrqs, interfaceFacts, interfaceNames } from './interfaces.js';
import { networkNamespace } from './netns.js';

/** A driver that is bound anew makes a new interface, and forgets what was set. */
export interface ChangedInterface {
  /** As it was called; it may be renamed at any time. */
  readonly name: string;
  readonly ifindex: number;
  /** Inode of its network namespace: `ifindex` means nothing without it. */
  readonly netns: number;
  /** Address of its device; undefined for software interfaces. */
  readonly bus: string | undefined;
}

/** The interfaces of this network namespace as they are now. */
export function interfacesHere(files: KernelFiles = HOST): readonly ChangedInterface[] {
  const netns = networkNamespace();
  return interfaceNames(files).flatMap((name) => {
    const facts = interfaceFacts(name, files);
    return facts === undefined
      ? []
      : [{ name, ifindex: facts.ifindex, netns, bus: deviceIrqs(facts, files).bus }];
  });
}

/** Name of the file in a StateFolder that is about an interface. */
export function stateFile({ netns, ifindex }: Pick<ChangedInterface, 'netns' | 'ifindex'>): string {
  return `${netns}-${ifindex}.json`;
}

/** What a name that {@link stateFile} gave is about; undefined for other names. */
export function ofStateFile(name: string): Pick<ChangedInterface, 'netns' | 'ifindex'> | undefined {
  const [, netns, ifindex] = /^(\d+)-(\d+)\.json$/.exec(name) ?? [];
  return netns === undefined ? undefined : { netns: Number(netns), ifindex: Number(ifindex) };
}

/** The interface that a note is about, as it is called now; undefined: it is gone, and what was set with it. */
export function sameInterface(
  noted: ChangedInterface,
  here: readonly ChangedInterface[],
): ChangedInterface | undefined {
  return here.find(
    ({ ifindex, netns, bus }) => ifindex === noted.ifindex && netns === noted.netns && bus === noted.bus,
  );
}
