/**
 * Fragments that wait for each other. They go up to the IP layer one by one; the last one to arrive comes out of it as the
 * whole datagram. Which belong together is in their headers: addresses, protocol, identification.
 */

/** Longer than the kernel waits for the rest of a datagram (ipfrag_time, 30 s). */
const WAIT_NS = 60_000_000_000;

/** Fragments by datagram. */
export class Reassembly {
  private readonly waiting = new Map<string, { readonly ids: number[]; readonly time: number }>();

  /** A fragment came. */
  add(datagram: string, id: number, time: number): void {
    const known = this.waiting.get(datagram);
    if (known === undefined) this.waiting.set(datagram, { ids: [id], time });
    else known.ids.push(id);
  }

  /** The datagram is whole: all its fragments. */
  take(datagram: string): readonly number[] {
    const ids = this.waiting.get(datagram)?.ids ?? [];
    this.waiting.delete(datagram);
    return ids;
  }

  /** Forgets datagrams that were never whole. */
  sweep(now: number): void {
    for (const [datagram, { time }] of this.waiting) {
      if (time < now - WAIT_NS) this.waiting.delete(datagram);
    }
  }
}
