/**
 * A tap for NICs with several queues, which QEMU's frame socket cannot feed: in a network namespace that QEMU alone
 * lives in, so that nothing of it is seen by this machine's own network, and that goes with QEMU, however it ends. Frames
 * go in through a packet socket of that namespace. Needs root.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import koffi from 'koffi';
import { RxError } from '../src/base/errors.js';
import { type Wire, cannotSend } from './wire.js';

/** Name of the tap in its namespace. */
export const TAP = 'rxtap0';

/** Frames the tap holds per queue: it drops what comes beyond, without a word to the sender. */
const TAP_ROOM = 65_536;
/** Most frames under way to QEMU: all of them on one queue still fit. */
const UNDER_WAY = 16_384;
/** How many frames go between two looks at the tap's counters. */
const LOOK_EVERY = 1024;
const LONGEST_FRAME = 65_550;
/** How often frames of the guest are fetched, ms. */
const FETCH_MS = 1;

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const ETH_P_ALL_BE = 0x0300;
const CLONE_NEWNET = 0x40000000;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const RECEIVE_ROOM = 16_777_216;

/** Words before a program that give it a namespace with the tap in it. The process keeps its number. */
export function tapNamespace(): string[] {
  const quiet = '/proc/sys/net/ipv6/conf/default/disable_ipv6';
  const script = [
    // No frame of the namespace's own: no router search, no multicast report.
    `{ [ ! -e ${quiet} ] || echo 1 >${quiet}; }`,
    `ip tuntap add dev ${TAP} mode tap multi_queue`,
    `ip link set ${TAP} txqueuelen ${TAP_ROOM} up`,
    'exec "$@"',
  ];
  return ['unshare', '--net', 'sh', '-c', script.join(' && '), 'sh'];
}

/** Why a tap cannot be made here; undefined when it can. */
export function noTap(): RxError | undefined {
  if (process.geteuid?.() === 0) return undefined;
  return new RxError('RXS_LAB', {
    doing: 'starting a guest with several virtio queues',
    why: 'they need a tap, and that needs root',
    hint: 'run it as root, or take virtio with one queue: --nic virtio',
  });
}

/** Runs `use` on this thread in the network namespace of a process. */
function inNamespaceOf<Result>(pid: number, libc: Libc, use: () => Result): Result {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  const there = openSync(`/proc/${pid}/ns/net`, 'r');
  try {
    if (libc.setns(there, CLONE_NEWNET) !== 0) throw cannotSend(`no way into QEMU's namespace: ${errno()}`);
    const done = attempt(use);
    if (libc.setns(home, CLONE_NEWNET) !== 0) throw cannotSend(`no way out of QEMU's namespace: ${errno()}`);
    if ('error' in done) throw done.error;
    return done.result;
  } finally {
    closeSync(there);
    closeSync(home);
  }
}

function attempt<Result>(use: () => Result): { readonly result: Result } | { readonly error: Error } {
  try {
    return { result: use() };
  } catch (error) {
    return { error: error as Error };
  }
}

const errno = (): string => `errno ${koffi.errno()}`;

type Libc = ReturnType<typeof bindLibc>;

function bindLibc() {
  const libc = koffi.load('libc.so.6');
  return {
    setns: libc.func('int setns(int fd, int nstype)') as (fd: number, type: number) => number,
    socket: libc.func('int socket(int domain, int type, int protocol)') as (...words: number[]) => number,
    bind: libc.func('int bind(int fd, const void *address, uint32_t length)') as (
      fd: number,
      address: Buffer,
      length: number,
    ) => number,
    setsockopt: libc.func(
      'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
    ) as (fd: number, level: number, name: number, value: Buffer, length: number) => number,
    indexOf: libc.func('unsigned int if_nametoindex(const char *name)') as (name: string) => number,
    send: libc.func('long send(int fd, const void *data, size_t length, int flags)') as (
      fd: number,
      data: Buffer,
      length: number,
      flags: number,
    ) => number,
    receive: libc.func('long recv(int fd, _Out_ void *data, size_t length, int flags)') as (
      fd: number,
      data: Buffer,
      length: number,
      flags: number,
    ) => number,
  };
}

/** What the tap has passed on to QEMU, and what it dropped. */
interface TapCounters {
  readonly delivered: number;
  readonly dropped: number;
}

/** Reads the transmit side of an interface in the text of /proc/PID/net/dev. */
export function transmitCounters(text: string, name: string): TapCounters | undefined {
  const line = text.split('\n').find((one) => one.trim().startsWith(`${name}:`));
  // name: eight receive columns, then bytes packets errs drop …
  const columns = line?.split(':')[1]?.trim().split(/\s+/).map(Number);
  if (columns === undefined) return undefined;
  return { delivered: columns[9] ?? 0, dropped: columns[11] ?? 0 };
}

/** A packet socket on the tap of a QEMU that runs under {@link tapNamespace}. */
export class TapWire implements Wire {
  onFrame: ((frame: Buffer) => void) | undefined;
  readonly #pid: number;
  readonly #libc: Libc;
  readonly #socket: number;
  readonly #timer: NodeJS.Timeout;
  readonly #room = Buffer.alloc(LONGEST_FRAME);
  #sent = 0;
  #closed = false;

  /** Opens it; throws RXS_LAB. */
  constructor(pid: number) {
    this.#pid = pid;
    const libc = bindLibc();
    this.#libc = libc;
    this.#socket = inNamespaceOf(pid, libc, () => {
      const socket = libc.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0);
      if (socket < 0) throw cannotSend(`no packet socket: ${errno()}`);
      const room = Buffer.alloc(4);
      room.writeInt32LE(RECEIVE_ROOM);
      libc.setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, room, room.length);
      const address = Buffer.alloc(20);
      address.writeUInt16LE(AF_PACKET, 0);
      address.writeUInt16LE(ETH_P_ALL_BE, 2);
      address.writeInt32LE(libc.indexOf(TAP), 4);
      if (libc.bind(socket, address, address.length) === 0) return socket;
      const why = errno();
      closeSync(socket);
      throw cannotSend(`no packet socket on ${TAP}: ${why}`);
    });
    this.#sent = this.#counters().delivered;
    this.#timer = setInterval(() => this.#fetch(), FETCH_MS);
    this.#timer.unref();
  }

  async hand(frames: readonly Buffer[]): Promise<bigint> {
    for (const frame of frames) {
      if (this.#closed) throw cannotSend('the guest was shut down');
      const sent = this.#libc.send(this.#socket, frame, frame.length, 0);
      if (sent !== frame.length) throw cannotSend(`${TAP} did not take a frame: ${errno()}`);
      this.#sent++;
      if (this.#sent % LOOK_EVERY === 0) await this.#waitForRoom();
    }
    return process.hrtime.bigint();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    closeSync(this.#socket);
  }

  #counters(): TapCounters {
    const counters = transmitCounters(readFileSync(`/proc/${this.#pid}/net/dev`, 'utf8'), TAP);
    if (counters === undefined) throw cannotSend(`${TAP} is gone`);
    return counters;
  }

  async #waitForRoom(): Promise<void> {
    for (;;) {
      if (this.#closed) throw cannotSend('the guest was shut down');
      const { delivered, dropped } = this.#counters();
      if (dropped > 0) throw cannotSend(`${TAP} has dropped ${dropped} frames`);
      if (this.#sent - delivered <= UNDER_WAY) return;
      await setTimeout(1);
    }
  }

  #fetch(): void {
    while (!this.#closed) {
      const length = this.#libc.receive(this.#socket, this.#room, this.#room.length, 0);
      if (length <= 0) return;
      this.onFrame?.(Buffer.from(this.#room.subarray(0, length)));
    }
  }
}
