/**
 * A NIC's receive timestamps: what it can stamp, what it is set to, and turning them on so that they are turned off
 * again exactly: at the end, or by the next run when this one was killed.
 */
import { type Answer, unknown } from '../base/answer.js';
import { RxError } from '../base/errors.js';
import { effectiveCapabilities } from '../sys/caps.js';
import {
  type ChangedInterface,
  interfacesHere,
  ofStateFile,
  sameInterface,
  stateFile,
} from '../sys/changed-interface.js';
import { HOST, type KernelFiles } from '../sys/files.js';
import {
  type HwtstampConfig,
  type TimestampInfo,
  readHwtstamp,
  timestampInfo,
  writeHwtstamp,
} from '../sys/hwtstamp.js';
import { networkNamespace } from '../sys/netns.js';
import { type ProcessId, lives, thisProcess } from '../sys/process.js';
import { StateFolder } from '../sys/state-folder.js';
import { FILTER_NONE, covers, filterFrames, filterName, widestFilter } from './rx-filters.js';

/** The NICs' settings, or a fake of them in tests. */
export interface StampDoor {
  /** The interfaces of this network namespace as they are now. */
  interfaces(): readonly ChangedInterface[];
  info(iface: string): Answer<TimestampInfo>;
  read(iface: string): Answer<HwtstampConfig>;
  write(iface: string, config: HwtstampConfig): Answer<HwtstampConfig>;
}

/** The NICs of this machine. */
const HOST_STAMPS: StampDoor = {
  interfaces: () => interfacesHere(),
  info: timestampInfo,
  read: readHwtstamp,
  write: writeHwtstamp,
};

/** What was changed, as it is kept until it is changed back. */
interface Change {
  readonly version: 1;
  readonly interface: ChangedInterface;
  readonly owner: ProcessId;
  readonly before: HwtstampConfig;
  readonly set: HwtstampConfig;
}

const same = (a: HwtstampConfig, b: HwtstampConfig): boolean =>
  a.flags === b.flags && a.txType === b.txType && a.rxFilter === b.rxFilter;

/** Undefined for what no run of this version has written. */
function parseChange(text: string): Change | undefined {
  try {
    const change: Partial<Change> | null = JSON.parse(text);
    const whole = change?.interface && change.owner && change.before && change.set;
    return change?.version === 1 && whole ? (change as Change) : undefined;
  } catch {
    return undefined;
  }
}

/** A change with its file, and what its interface is called now; undefined: it is gone. */
interface Noted {
  readonly file: string;
  readonly change: Change;
  readonly name: string | undefined;
}

/** Which frames a NIC can stamp, and does. */
export interface Stamping {
  /** Number of the filter that stamps the most; see rx-filters.ts. */
  readonly widest: number;
  /** N of /dev/ptpN. */
  readonly phc: number;
  readonly current: Answer<HwtstampConfig>;
}

/** What a NIC can stamp; why it stamps nothing that could be used. */
export function stampingOf(iface: string, door: StampDoor = HOST_STAMPS): Answer<Stamping> {
  const info = door.info(iface);
  if (!info.known) return info;
  const { receives, phc, filters } = info.value;
  if (!receives) return unknown('the NIC or its driver does not stamp received frames');
  const widest = widestFilter(filters);
  if (widest === undefined) return unknown('the driver offers no receive filter but none');
  if (phc === undefined)
    return unknown('the NIC has no clock that can be compared with ours (no /dev/ptp device)');
  return { known: true, value: { widest, phc, current: door.read(iface) } };
}

/** Called with one line for people about what was changed. */
export type Tell = (line: string) => void;

/** Turns receive timestamps on and off, and remembers what is still to be turned off. */
export class StampSwitch {
  private readonly door: StampDoor;
  private readonly folder: StateFolder;
  private readonly files: KernelFiles;

  constructor(door: StampDoor = HOST_STAMPS, folder = new StateFolder('hw-timestamps'), files = HOST) {
    this.door = door;
    this.folder = folder;
    this.files = files;
  }

  /** What is noted for this network namespace. @throws RxError RXS_STATE where a note cannot be read */
  private changes(): readonly Noted[] {
    const { readable, strange } = this.notes();
    const [file] = strange;
    if (file === undefined) return readable;
    throw new RxError('RXS_STATE', {
      doing: 'reading what was changed,',
      subject: `${this.folder.path}/${file}`,
      why: 'it is not a file of this version of rxstamp',
      hint: 'look at it, put the NIC back with hwstamp_ctl, and remove it',
    });
  }

  private notes(): { readonly readable: readonly Noted[]; readonly strange: readonly string[] } {
    const readable: Noted[] = [];
    const strange: string[] = [];
    const names = this.folder.names();
    const netns = names.length > 0 ? networkNamespace() : 0;
    for (const file of names) {
      if ((ofStateFile(file)?.netns ?? netns) !== netns) continue;
      const text = this.folder.read(file);
      if (text === undefined) continue;
      const change = parseChange(text);
      if (change === undefined) strange.push(file);
      else readable.push({ file, change, name: this.nameOf(change.interface) });
    }
    return { readable, strange };
  }

  private nameOf(noted: ChangedInterface): string | undefined {
    return sameInterface(noted, this.door.interfaces())?.name;
  }

  /** Interfaces of this network namespace that a killed run has left changed, with the words for it. */
  leftovers(): readonly { readonly iface: string; readonly from: string; readonly to: string }[] {
    return this.notes().readable.flatMap(({ change, name }) =>
      name === undefined || lives(change.owner, this.files)
        ? []
        : [{ iface: name, from: filterName(change.before.rxFilter), to: filterName(change.set.rxFilter) }],
    );
  }

  /** Puts back what killed runs have left. @throws RxError RXS_STATE, RXS_NO_PRIVILEGE */
  async recover(tell: Tell): Promise<void> {
    const left = ({ change }: Noted): boolean => !lives(change.owner, this.files);
    const { readable, strange } = this.notes();
    if (strange.length === 0 && !readable.some(left)) return;
    await this.folder.locked(() => {
      for (const noted of this.notes().readable)
        if (left(noted)) this.putBack(noted, ' (left by a run that was killed)', tell);
      this.changes();
    });
  }

  /**
   * Puts a setting back, unless somebody has changed it since: then it is theirs. What cannot be put back stays noted,
   * for the next run.
   */
  private putBack({ file, change, name }: Noted, why: string, tell: Tell): void {
    const { before, set } = change;
    const forget = (): void => this.folder.write(file, undefined);
    // A new interface begins with none.
    if (name === undefined) return forget();
    const now = this.door.read(name);
    const was = filterName(before.rxFilter);
    const failed = (reason: string): void =>
      tell(
        `${name}: receive timestamps cannot be put back to ${was} now: ${reason}; the next trace tries again`,
      );
    if (!now.known) return failed(now.why);
    // Killed between the note and the change: nothing was changed.
    if (same(now.value, before) && !same(before, set)) return forget();
    if (!same(now.value, set)) {
      tell(
        `${name}: receive timestamps are at ${filterName(now.value.rxFilter)} now, set by another program: left as they are`,
      );
      return forget();
    }
    const done = this.door.write(name, before);
    if (!done.known && done.why === 'EPERM') throw noPrivilege(name);
    if (!done.known) return failed(done.why);
    tell(
      `${name}: receive timestamps put back from ${filterName(set.rxFilter)} to ${filterName(done.value.rxFilter)}${why}`,
    );
    forget();
  }

  /**
   * Sees to it that the NIC stamps all that it can.
   * @returns what undoes it; does nothing where nothing had to be changed
   * @throws RxError RXS_NO_HW_STAMPS, RXS_HW_IN_USE, RXS_NO_PRIVILEGE, RXS_STATE
   */
  async turnOn(iface: string, stamping: Stamping, tell: Tell): Promise<() => void> {
    if (!stamping.current.known) {
      throw cannot(
        iface,
        `${stamping.current.why}, so it could not be put back`,
        'set it yourself (hwstamp_ctl); stamps that are there are read without --hw-timestamps',
      );
    }
    const before = stamping.current.value;
    const frames = filterFrames(before.rxFilter);
    if (covers(before.rxFilter, stamping.widest)) {
      const owner = this.changes().find(({ name }) => name === iface)?.change.owner;
      const by =
        owner === undefined
          ? ''
          : lives(owner, this.files)
            ? `, by rxstamp with process number ${owner.pid}, which turns it off when it ends`
            : ', left by a run of rxstamp that was killed';
      tell(`${iface}: receive timestamps are on already (${frames}${by}): nothing changed`);
      return () => {};
    }
    if (before.rxFilter !== FILTER_NONE) {
      throw new RxError('RXS_HW_IN_USE', {
        doing: 'turning on receive timestamps of',
        subject: iface,
        why: `another program has them at ${filterName(before.rxFilter)} (${frames})`,
        hint: 'leave --hw-timestamps out: stamps that are there are read; or stop that program (ptp4l?) first',
      });
    }
    if (effectiveCapabilities(this.files)?.has('CAP_NET_ADMIN') === false) throw noPrivilege(iface);
    const undo = await this.folder.locked(() => {
      const now = this.door.read(iface);
      return now.known && same(now.value, before)
        ? this.change(iface, before, stamping.widest, tell)
        : undefined;
    });
    // Somebody was quicker: it is a new question.
    return undo ?? this.turnOn(iface, { ...stamping, current: this.door.read(iface) }, tell);
  }

  private change(iface: string, before: HwtstampConfig, filter: number, tell: Tell): () => void {
    const about = this.door.interfaces().find(({ name }) => name === iface);
    if (about === undefined) throw cannot(iface, 'it is gone', 'rxstamp irqs lists the interfaces');
    // One that cannot be read must not be written over.
    this.changes();
    const file = stateFile(about);
    const note = { version: 1, interface: about, owner: thisProcess(this.files), before } as const;
    const keep = (set: HwtstampConfig): Change => {
      this.folder.write(file, `${JSON.stringify({ ...note, set })}\n`);
      return { ...note, set };
    };
    const wish = { ...before, rxFilter: filter };
    keep(wish);
    const done = this.door.write(iface, wish);
    if (!done.known) {
      this.folder.write(file, undefined);
      if (done.why === 'EPERM') throw noPrivilege(iface);
      throw cannot(
        iface,
        `the driver refused ${filterName(filter)} (${done.why})`,
        'rxstamp doctor shows what it offers',
      );
    }
    const now = this.door.read(iface);
    const set = now.known ? now.value : done.value;
    let change: Change;
    try {
      change = keep(set);
    } catch (error) {
      // What is not noted as it is would later be taken for another program's.
      this.putBack({ file, change: { ...note, set }, name: iface }, ' (it could not be noted)', tell);
      throw error;
    }
    tell(
      `${iface}: receive timestamps changed from ${filterName(before.rxFilter)} to ${filterName(change.set.rxFilter)} for the time of this run`,
    );
    return () => this.putBack({ file, change, name: this.nameOf(about) }, '', tell);
  }
}

function noPrivilege(iface: string): RxError {
  return new RxError('RXS_NO_PRIVILEGE', {
    doing: 'changing receive timestamps of',
    subject: iface,
    why: 'this process lacks CAP_NET_ADMIN',
    hint: 'run it with sudo',
  });
}

function cannot(iface: string, why: string, hint: string): RxError {
  return new RxError('RXS_NO_HW_STAMPS', {
    doing: 'turning on receive timestamps of',
    subject: iface,
    why,
    hint,
  });
}
