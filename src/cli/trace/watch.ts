/** Follows a traced interface through what happens to it while it is traced, and says so. */
import { RxError } from '../../base/errors.js';
import type { Nic } from '../../nic/nic.js';
import { resolveNic } from '../../nic/resolve.js';
import { type Change, type Identity, type Look, changes, identityOf, look } from '../../nic/watch.js';
import type { Listened } from '../../record/source.js';
import { HOST, type KernelFiles } from '../../sys/files.js';
import { type LinkEvents, openLinkEvents } from '../../sys/link-events.js';
import { type Target, retarget } from './target.js';

/** How often to look when nothing says that something has changed: affinity and CPUs tell nobody. */
const LOOK_MS = 1000;
const AGAIN_MS = 20;

/**
 * Changes that need other interrupts or another interface to be listened to. Not `down`: when it comes up again it
 * mostly has the same interrupts, and they are known then from the first one on.
 */
const MOVED: readonly string[] = ['gone', 'back', 'up', 'queues', 'irqs'];

/** What the watcher sets and tells. */
export interface Followed {
  /** The interrupts and the interface to listen to from now on. */
  follow(target: Listened): void;
  /** The interfaces as they are now; those that are gone are left out. */
  nics(nics: readonly Nic[]): void;
  tell(change: Change): void;
}

/** One watcher per trace. */
export class Watcher {
  private readonly target: Target;
  private readonly followed: Followed;
  private readonly files: KernelFiles;
  private readonly links: LinkEvents | undefined;
  private readonly identities: readonly Identity[];
  private last: Look;
  private next = 0;

  /** `links` is undefined where the kernel does not tell: then it looks once a second. */
  constructor(
    target: Target,
    followed: Followed,
    files: KernelFiles = HOST,
    links: LinkEvents | undefined = openLinkEvents(),
  ) {
    this.target = target;
    this.followed = followed;
    this.files = files;
    this.links = links;
    this.identities = target.nics
      .map((nic) => identityOf(nic.name, files))
      .filter((identity) => identity !== undefined);
    this.last = look(this.identities, undefined, files);
  }

  /** Call often; costs a system call when there is nothing to do. @param now milliseconds of any steady clock */
  turn(now: number): void {
    if (!(this.links?.changed() ?? false) && now < this.next) return;
    this.next = now + LOOK_MS;
    const found = look(this.identities, this.last, this.files);
    const changed = changes(this.last, found, this.identities);
    if (changed.some(({ what }) => MOVED.includes(what)) && !this.resolve(found)) {
      // In the middle of it: what was listed is gone already. Looked at again soon, as if for the first time.
      this.next = now + AGAIN_MS;
      return;
    }
    this.last = found;
    for (const change of changed) this.followed.tell(change);
  }

  /** Listens to what is there now. @returns false when it changed meanwhile */
  private resolve(found: Look): boolean {
    const names = found.interfaces.map((seen) => seen?.name).filter((name) => name !== undefined);
    try {
      const nics = names.map((name) => resolveNic(name, this.files));
      this.followed.nics(nics);
      this.followed.follow(retarget(this.target, nics));
      return true;
    } catch (error) {
      if (!(error instanceof RxError)) throw error;
      if (error.code === 'RXS_NO_IFACE') return false;
      if (error.code !== 'RXS_NO_IRQ') throw error;
      // What was traced until now must not be lost for it.
      this.followed.tell({ what: 'irqs', text: `the trace goes on without: ${error.message}` });
      return true;
    }
  }

  close(): void {
    this.links?.close();
  }
}
