/**
 * A NIC's receive timestamps: what it can stamp, what it is set to, and turning them on so that they are turned off
 * again exactly: at the end, or by the next run when this one was killed.
 */
import { type Answer, unknown } from '../base/answer.js';
import { RxError } from '../base/errors.js';
import { effectiveCapabilities } from '../sys/caps.js';
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
  info(iface: string): Answer<TimestampInfo>;
  read(iface: string): Answer<HwtstampConfig>;
  write(iface: string, config: HwtstampConfig): Answer<HwtstampConfig>;
}

/** The NICs of this machine. */
export const HOST_STAMPS: StampDoor = { info: timestampInfo, read: readHwtstamp, write: writeHwtstamp };

/** What was changed, as it is kept until it is changed back. */
interface Change {
  readonly iface: string;
  /** Network namespace of `iface`. */
  readonly netns: number;
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
    return change?.iface && change.owner && change.before && change.set ? (change as Change) : undefined;
  } catch {
    return undefined;
  }
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

  private changes(): { readonly file: string; readonly change: Change }[] {
    const netns = networkNamespace();
    return this.folder.names().flatMap((file) => {
      const text = this.folder.read(file);
      if (text === undefined) return [];
      const change = parseChange(text);
      return change?.netns === netns ? [{ file, change }] : [];
    });
  }

  /** Interfaces of this network namespace that a killed run has left changed, with the words for it. */
  leftovers(): readonly { readonly iface: string; readonly from: string; readonly to: string }[] {
    return this.changes()
      .filter(({ change }) => !lives(change.owner, this.files))
      .map(({ change }) => ({
        iface: change.iface,
        from: filterName(change.before.rxFilter),
        to: filterName(change.set.rxFilter),
      }));
  }

  /** Puts back what killed runs have left. @throws RxError RXS_STATE, RXS_NO_PRIVILEGE */
  async recover(tell: Tell): Promise<void> {
    if (this.leftovers().length === 0) return;
    await this.folder.locked(() => {
      for (const { file, change } of this.changes()) {
        if (!lives(change.owner, this.files))
          this.putBack(change, file, ' (left by a run that was killed)', tell);
      }
    });
  }

  /** Puts a setting back, unless somebody has changed it since: then it is theirs. */
  private putBack(change: Change, file: string, why: string, tell: Tell): void {
    const { iface, before, set } = change;
    const now = this.door.read(iface);
    const was = filterName(before.rxFilter);
    // Killed between the note and the change: nothing was changed.
    if (now.known && same(now.value, before) && !same(before, set)) {
      this.folder.write(file, undefined);
      return;
    }
    if (!now.known) tell(`${iface}: receive timestamps cannot be put back to ${was}: ${now.why}`);
    else if (!same(now.value, set)) {
      tell(
        `${iface}: receive timestamps are at ${filterName(now.value.rxFilter)} now, set by another program: left as they are`,
      );
    } else {
      const done = this.door.write(iface, before);
      if (!done.known && done.why === 'EPERM') throw noPrivilege(iface);
      if (!done.known) tell(`${iface}: receive timestamps cannot be put back to ${was}: ${done.why}`);
      else
        tell(
          `${iface}: receive timestamps put back from ${filterName(set.rxFilter)} to ${filterName(done.value.rxFilter)}${why}`,
        );
    }
    this.folder.write(file, undefined);
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
      const owner = this.changes().find(({ change }) => change.iface === iface)?.change.owner;
      const by =
        owner === undefined
          ? ''
          : `, by rxstamp with process number ${owner.pid}, which turns it off when it ends`;
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
    const netns = networkNamespace();
    const file = `${iface}-${netns}.json`;
    const note = { iface, netns, owner: thisProcess(this.files), before };
    const wish = { ...before, rxFilter: filter };
    const keep = (set: HwtstampConfig): Change => {
      this.folder.write(file, `${JSON.stringify({ ...note, set })}\n`);
      return { ...note, set };
    };
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
    const change = keep(now.known ? now.value : done.value);
    tell(
      `${iface}: receive timestamps changed from ${filterName(before.rxFilter)} to ${filterName(change.set.rxFilter)} for the time of this run`,
    );
    return () => this.putBack(change, file, '', tell);
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
