/** What a method tells of a packet after the driver stage, and of the TCP sockets that hold packets. */

/** What a {@link LaterRecord} says. */
export const LATER = {
  /** The packet reached `stage`. */
  stamp: 0,
  /** The same for the socket stage of TCP, on socket `sock`. */
  tcpSocket: 1,
  /** A task took `bytes` of it. */
  read: 2,
  /** Freed, with `reason`. */
  drop: 3,
  /** Being queued on its socket woke a thread. */
  woken: 4,
  /** GRO put its bytes into another packet: no later stage will be its own. */
  merged: 5,
  /** The same in the backlog of its TCP socket. */
  coalesced: 6,
  /** Freed after use. */
  consumed: 7,
  /** On its way out of the machine. */
  forwarded: 8,
  /** The method could not follow it any longer. */
  evicted: 9,
  /** Freed after use, by task `tid` or (0) not by one: a datagram's reader, where nothing tells more. */
  released: 12,
  /** Not about one packet: everything of `sock` before sequence number `copied` was read. */
  tcpRead: 10,
  /** Not about one packet: `sock` was closed, what it holds goes. */
  tcpClosed: 11,
} as const;

/**
 * One fact about a packet that is in the lanes, or soon will be. One object is used again for every record; which
 * fields hold something follows from `what`.
 */
export class LaterRecord {
  what: (typeof LATER)[keyof typeof LATER] = LATER.stamp;
  /** Index in the table of stages. */
  stage = 0;
  /** Nanoseconds from the session's base. */
  time = 0;
  /** Where it was stamped. */
  cpu = 0;
  /** Which packet: lane and place in it, modulo 2^{@link SEQUENCE_BITS}. */
  origin = 0;
  sequence = 0;
  /** Bits 6 to 37 of the packet's skb address, 0: not told. */
  check = 0;
  /** The mark of an interface that it came in by was on it: not one that was only being made at that address. */
  entered = false;
  /** Address of a socket, without its constant upper 16 bits. */
  sock = 0;
  copied = 0;
  /** 0: no task. */
  pid = 0;
  tid = 0;
  /** Name of thread `tid`. */
  name = '';
  bytes = 0;
  reason = 0;
  /** The packet that has its bytes now; -1: one that is not followed. */
  intoOrigin = -1;
  intoSequence = 0;

  /** One of its own. */
  copy(): LaterRecord {
    return Object.assign(new LaterRecord(), this);
  }
}

/** Bits of a packet's place in its lane that a record tells. */
export const SEQUENCE_BITS = 27;
