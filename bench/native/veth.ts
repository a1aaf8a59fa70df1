/**
 * The flooded link: a veth pair between two network namespaces of our own. The receiving end has neither NAPI nor GRO,
 * so every packet goes netif_rx → backlog → stack on the sender's CPU: what a tracer adds shows up in the sender's
 * packet rate. Static neighbours, no IPv6: nothing but the flood is on it.
 */
import { readFileSync } from 'node:fs';
import { RxError } from '../../src/base/errors.js';
import { mustRun, start, tryRun } from '../lib/run.js';
import type { Undo } from '../lib/undo.js';

const NAME = /^rxbench-(\d+)-(tx|rx)$/;
const PORT = 9999;
const SENDER = '198.18.0.1';
const RECEIVER = '198.18.0.2';

/** What the kernel counted on the receiving interface. */
export interface LinkCounts {
  readonly received: number;
  readonly dropped: number;
}

/** What one run of the flood did. */
export interface Flooded {
  readonly sent: number;
  readonly failed: number;
  readonly elapsedNs: number;
  /** The receiving interface's own count. */
  readonly received: number;
  /** Packets that the whole machine processed meanwhile and that were not the flood's: a measure of disturbance. */
  readonly foreign: number;
}

/** Packets that all CPUs took from their input queues so far, modulo 2^32 per CPU. */
function processed(): number[] {
  const lines = readFileSync('/proc/net/softnet_stat', 'utf8').trim().split('\n');
  return lines.map((line) => Number.parseInt(line.split(' ')[0] ?? '', 16));
}

/** A run of the flood. */
export interface FloodSize {
  readonly packets: number;
  readonly bytes: number;
  /** Microseconds between packets; as fast as the core can unless said. */
  readonly gapUs?: number;
}

const ip = (...args: string[]): string => mustRun('making the veth pair', 'ip', args);

/** Removes what a killed bench has left. */
function removeStale(): void {
  for (const line of tryRun('ip', ['netns', 'list']).stdout.split('\n')) {
    const name = line.split(' ')[0] ?? '';
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && tryRun('sh', ['-c', `kill -0 ${pid}`]).code !== 0)
      tryRun('ip', ['netns', 'del', name]);
  }
}

/** The link. */
export class Veth {
  /** Receiving interface. */
  readonly name: string;
  /** Namespace of the receiving interface: rxstamp must run there to find it. */
  readonly namespace: string;
  readonly #sender: string;
  readonly #program: string;
  readonly #cpu: number;
  readonly #undo: Undo;

  private constructor(undo: Undo, program: string, cpu: number) {
    this.#undo = undo;
    this.#program = program;
    this.#cpu = cpu;
    this.#sender = `rxbench-${process.pid}-tx`;
    this.namespace = `rxbench-${process.pid}-rx`;
    this.name = `rxb${process.pid}r`;
  }

  /**
   * Makes the pair and the socket that the packets end in.
   * @param program compiled bench/load/flood.c
   * @param cpu CPU that sends and receives
   * @throws RxError RXS_NO_PRIVILEGE, RXS_SYS
   */
  static async create(undo: Undo, program: string, cpu: number): Promise<Veth> {
    if (process.getuid?.() !== 0) {
      throw new RxError('RXS_NO_PRIVILEGE', {
        doing: 'making network namespaces',
        why: 'only root may',
        hint: 'run the bench as root',
      });
    }
    removeStale();
    const link = new Veth(undo, program, cpu);
    link.#build();
    await link.#hold();
    return link;
  }

  #build(): void {
    const peer = `rxb${process.pid}s`;
    for (const name of [this.#sender, this.namespace]) {
      ip('netns', 'add', name);
      this.#undo.add(() => void tryRun('ip', ['netns', 'del', name]));
      ip('netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1');
    }
    // A number that no other interface of any namespace has: programs that filter by it see ours alone.
    const index = String(1_000_000 + process.pid);
    ip(
      '-n',
      this.namespace,
      'link',
      'add',
      this.name,
      'index',
      index,
      'type',
      'veth',
      'peer',
      'name',
      peer,
      'netns',
      this.#sender,
    );
    ip('-n', this.#sender, 'addr', 'add', `${SENDER}/24`, 'dev', peer);
    ip('-n', this.namespace, 'addr', 'add', `${RECEIVER}/24`, 'dev', this.name);
    ip('-n', this.#sender, 'link', 'set', peer, 'up');
    ip('-n', this.namespace, 'link', 'set', this.name, 'up');
    const mac =
      /link\/ether (\S+)/.exec(ip('-n', this.namespace, '-o', 'link', 'show', this.name))?.[1] ?? '';
    ip('-n', this.#sender, 'neigh', 'replace', RECEIVER, 'lladdr', mac, 'dev', peer, 'nud', 'permanent');
    // The receiver answers (ICMP, TCP): neither may it ask who the sender is, or an ARP reply would come in.
    const theirs = /link\/ether (\S+)/.exec(ip('-n', this.#sender, '-o', 'link', 'show', peer))?.[1] ?? '';
    const back = ['replace', SENDER, 'lladdr', theirs, 'dev', this.name, 'nud', 'permanent'];
    ip('-n', this.namespace, 'neigh', ...back);
  }

  async #hold(): Promise<void> {
    const args = ['netns', 'exec', this.namespace, this.#program, 'hold', String(PORT)];
    const { child } = await start(this.#undo, 'ip', args, ['pipe', 'pipe', 'inherit']);
    await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
  }

  /** Counters of the receiving interface. */
  counts(): LinkCounts {
    const text = mustRun('reading counters', 'ip', [
      '-n',
      this.namespace,
      '-s',
      '-j',
      'link',
      'show',
      this.name,
    ]);
    const [link] = JSON.parse(text) as { stats64: { rx: { packets: number; dropped: number } } }[];
    return {
      received: link?.stats64.rx.packets ?? Number.NaN,
      dropped: link?.stats64.rx.dropped ?? Number.NaN,
    };
  }

  /** Starts a flood; `done` gives what it did. */
  async startFlood(size: FloodSize): Promise<{ readonly done: Promise<Flooded>; stop(): void }> {
    const before = this.counts().received;
    const softnet = processed();
    const words = [RECEIVER, PORT, size.packets, size.bytes, this.#cpu, size.gapUs ?? 0].map(String);
    const args = ['netns', 'exec', this.#sender, this.#program, ...words];
    const running = await start(this.#undo, 'ip', args, ['ignore', 'pipe', 'inherit']);
    let text = '';
    running.child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const counted = (): { received: number; foreign: number } => {
      const all = processed().reduce((sum, now, cpu) => sum + ((now - (softnet[cpu] ?? 0)) >>> 0), 0);
      const received = this.counts().received - before;
      return { received, foreign: all - received };
    };
    const finish = async (): Promise<Flooded> => {
      await running.ended;
      const said = text === '' ? { sent: Number.NaN, failed: 0, elapsedNs: Number.NaN } : JSON.parse(text);
      return { ...(said as Omit<Flooded, 'received' | 'foreign'>), ...counted() };
    };
    return { done: finish(), stop: () => void running.child.kill('SIGTERM') };
  }

  /** Sends a flood to its end. */
  async flood(size: FloodSize): Promise<Flooded> {
    return (await this.startFlood(size)).done;
  }
}
