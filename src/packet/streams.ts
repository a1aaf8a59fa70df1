/**
 * TCP sockets and the segments queued on them. Behind the queue there are no packets, only bytes: a segment was read
 * when the reader has passed its last byte. Sequence numbers are compared modulo 2^32.
 */

/** A socket whose segments have all left is remembered for so long: what is read of it then is told to be late. */
const KEPT_NS = 60_000_000_000;

interface Segment {
  readonly id: number;
  /** Sequence number behind its last byte. */
  readonly end: number;
}

interface Socket {
  readonly segments: Segment[];
  /** When its last one was queued. */
  time: number;
}

/** Distance from sequence number b to a, in [-2^31, 2^31). */
const distance = (a: number, b: number): number => (a - b) | 0;

/** Which segments wait on which socket. */
export class Streams {
  private readonly bySocket = new Map<number, Socket>();

  /** A segment was queued at `time`. Told twice (tcp_data_queue, tcp_queue_rcv) is queued once. */
  queue(sock: number, id: number, end: number, time: number): void {
    const known = this.bySocket.get(sock);
    if (known === undefined) {
      this.bySocket.set(sock, { segments: [{ id, end }], time });
      return;
    }
    known.time = time;
    const { segments } = known;
    // Mostly in order, so from the back.
    let at = segments.length;
    while (at > 0 && distance((segments[at - 1] as Segment).end, end) > 0) at--;
    for (let same = at - 1; same >= 0 && (segments[same] as Segment).end === end; same--)
      if ((segments[same] as Segment).id === id) return;
    segments.splice(at, 0, { id, end });
  }

  /** Takes the segments that end at or before `copied`. */
  take(sock: number, copied: number): readonly number[] {
    const segments = this.bySocket.get(sock)?.segments;
    if (segments === undefined) return [];
    let count = 0;
    while (count < segments.length && distance((segments[count] as Segment).end, copied) <= 0) count++;
    if (count === segments.length) this.bySocket.delete(sock);
    return segments.splice(0, count).map((segment) => segment.id);
  }

  /** Takes all of them: the socket is gone. */
  close(sock: number): readonly number[] {
    const segments = this.bySocket.get(sock)?.segments ?? [];
    this.bySocket.delete(sock);
    return segments.map((segment) => segment.id);
  }

  /** Forgets sockets that were not seen to be closed, when nothing of them is `there` any more and has not been for long. */
  sweep(now: number, there: (id: number) => boolean): void {
    for (const [sock, { segments, time }] of this.bySocket) {
      if (time < now - KEPT_NS && !segments.some(({ id }) => there(id))) this.bySocket.delete(sock);
    }
  }

  /** Sockets that are remembered. */
  get size(): number {
    return this.bySocket.size;
  }
}
