/**
 * TCP sockets and the segments queued on them. Behind the queue there are no packets, only bytes: a segment was read
 * when the reader has passed its last byte. Sequence numbers are compared modulo 2^32.
 */

interface Segment {
  readonly id: number;
  /** Sequence number behind its last byte. */
  readonly end: number;
}

/** Distance from sequence number b to a, in [-2^31, 2^31). */
const distance = (a: number, b: number): number => (a - b) | 0;

/** Which segments wait on which socket. */
export class Streams {
  private readonly bySocket = new Map<number, Segment[]>();

  /** A segment was queued. */
  queue(sock: number, id: number, end: number): void {
    const segments = this.bySocket.get(sock);
    if (segments === undefined) {
      this.bySocket.set(sock, [{ id, end }]);
      return;
    }
    // Mostly in order, so from the back.
    let at = segments.length;
    while (at > 0 && distance((segments[at - 1] as Segment).end, end) > 0) at--;
    segments.splice(at, 0, { id, end });
  }

  /** Takes the segments that end at or before `copied`. */
  take(sock: number, copied: number): readonly number[] {
    const segments = this.bySocket.get(sock);
    if (segments === undefined) return [];
    let count = 0;
    while (count < segments.length && distance((segments[count] as Segment).end, copied) <= 0) count++;
    if (count === segments.length) this.bySocket.delete(sock);
    return segments.splice(0, count).map((segment) => segment.id);
  }

  /** Takes all of them: the socket is gone. */
  close(sock: number): readonly number[] {
    const segments = this.bySocket.get(sock) ?? [];
    this.bySocket.delete(sock);
    return segments.map((segment) => segment.id);
  }
}
