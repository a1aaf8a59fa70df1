/**
 * The steerings of one interface, oldest first, as they are kept under /run until they are undone. The newest is
 * undone first, because an older one's "before" lies below a newer one's.
 */
import { RxError } from '../base/errors.js';
import { type ChangedInterface, sameInterface, stateFile } from '../sys/changed-interface.js';
import { type ProcessId, lives } from '../sys/process.js';
import type { StateFolder } from '../sys/state-folder.js';
import type { Step, Way } from './plan.js';

/** One steering. */
export interface Steering {
  /** The flow as it was asked for. */
  readonly flow: string;
  readonly queue: number;
  way: Way;
  /** ISO 8601. */
  readonly at: string;
  readonly owner: ProcessId;
  /** `held`: its process undoes it when it ends, or whoever finds that it died; `kept`: until --undo. */
  phase: 'held' | 'kept';
  /** Its process has ended in order, but a newer steering lies on top. */
  ended: boolean;
  readonly steps: Step[];
}

interface Document {
  readonly version: 1;
  readonly interface: ChangedInterface;
  readonly steerings: Steering[];
}

/** Reads and writes the steerings of an interface. */
export class SteerState {
  readonly steerings: Steering[];
  readonly file: string;
  private readonly folder: StateFolder;
  private readonly about: ChangedInterface;

  private constructor(folder: StateFolder, about: ChangedInterface, steerings: Steering[]) {
    this.folder = folder;
    this.about = about;
    this.steerings = steerings;
    this.file = stateFile(about);
  }

  /** @throws RxError RXS_STATE when the file cannot be read or is none of ours */
  static load(folder: StateFolder, about: ChangedInterface): SteerState {
    const text = folder.read(stateFile(about));
    if (text === undefined) return new SteerState(folder, about, []);
    let document: Document | undefined;
    try {
      document = JSON.parse(text) as Document;
    } catch {
      // Told below, as for any other text that is not ours.
    }
    if (document?.version !== 1 || !Array.isArray(document.steerings)) {
      throw new RxError('RXS_STATE', {
        doing: 'reading what was changed,',
        subject: `${folder.path}/${stateFile(about)}`,
        why: 'it is not a file of this version of rxstamp',
        hint: 'look at it, put the NIC back with ethtool, and remove it',
      });
    }
    // The same number for another device: what was changed went with the old one.
    const same = sameInterface(document.interface, [about]) !== undefined;
    return new SteerState(folder, about, same ? document.steerings : []);
  }

  /** Writes the steerings as they are now. */
  save(): void {
    const document: Document = { version: 1, interface: this.about, steerings: this.steerings };
    this.folder.write(this.file, this.steerings.length === 0 ? undefined : `${JSON.stringify(document)}\n`);
  }

  /** The newest steering. */
  get top(): Steering | undefined {
    return this.steerings.at(-1);
  }
}

/** True when nobody will undo a steering that was to be undone. */
export function abandoned(steering: Steering): boolean {
  return steering.phase === 'held' && (steering.ended || !lives(steering.owner));
}
