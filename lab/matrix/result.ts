/** What a cell of the matrix showed, and what of a trace it is made of. Plain data, all of it JSON. */
import type { StageName } from '../../src/stages.js';

/** A stage and how this kernel lets us reach it. */
export interface WayLine {
  readonly stage: StageName;
  readonly hook?: string;
  readonly reasons: readonly string[];
}

/** A packet line of `rxstamp trace --format ndjson`, as far as the matrix looks at it. */
export interface PacketFacts {
  readonly arrival: string;
  readonly how: string;
  readonly certain: boolean;
  /** Relative to the arrival, ns; null: nothing is known. */
  readonly notBefore: number | null;
  readonly notAfter: number;
  readonly length: number;
  readonly flow: { readonly sourcePort?: number; readonly destinationPort?: number };
  readonly stages: Readonly<Partial<Record<StageName, number>>>;
  /** How its way ended; only where the trace looks beyond the stack. */
  readonly fate?: string;
  readonly reader?: { readonly pid: number; readonly bytes: number };
}

/** A trace. */
export interface TraceFacts {
  readonly code: number;
  readonly stderr: string;
  readonly ways: readonly WayLine[];
  readonly packets: readonly PacketFacts[];
  readonly lost: number;
}

/** What was sent into a cell, and what others than rxstamp counted there. */
export interface Traffic {
  /** Lengths of the datagrams from the IP header on, per source port, in order. */
  readonly udp: ReadonlyMap<number, readonly number[]>;
  /** Frames of the TCP transfer, and its bytes. */
  readonly tcpFrames: number;
  readonly tcpBytes: number;
  /** What the receivers in the guest got. */
  readonly udpRead: number;
  readonly tcpRead: number;
  readonly tcpIntact: boolean;
  readonly readers: { readonly udp: number; readonly tcp: number };
  /** Frames that the interface counted meanwhile. */
  readonly counted: number;
}

/** Packets of one class. */
export interface ClassFacts {
  readonly count: number;
  readonly certain: number;
  /** Median of notAfter - notBefore, ns; null where no packet has both. */
  readonly width: number | null;
}

/** What a cell showed. */
export interface CellResult {
  readonly kernel: string;
  readonly nic: string;
  /** `uname -r`. */
  readonly release: string;
  readonly driver: string;
  /** What did not hold; empty: all did. */
  readonly failures: readonly string[];
  readonly udp: { readonly sent: number; readonly seen: number };
  readonly tcp: { readonly sent: number; readonly seen: number; readonly bytes: number };
  readonly packets: number;
  readonly ways: readonly WayLine[];
  /** How many packets carry a stamp of the stage. */
  readonly stamped: Readonly<Partial<Record<StageName, number>>>;
  readonly classes: Readonly<Record<string, ClassFacts>>;
  /** How the packets' ways ended; empty where the trace does not look that far. */
  readonly fates: Readonly<Record<string, number>>;
  /** From the guest's readiness on. */
  readonly seconds: number;
}
