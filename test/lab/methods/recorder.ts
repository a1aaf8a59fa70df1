/**
 * trace-cmd or perf, recording beside a test. They are given a command of their own: it begins when everything is set up,
 * and its end is the end of the recording. A signal would find trace-cmd, or the recorders that are its children, in the
 * middle of something now and then, and a signal is no answer to the question whether they record already.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from '../../../lab/guest.js';
import type { Running } from '../../../lab/running.js';
import { settle } from '../../../lab/trace-in-guest.js';

/** Seconds in which a recorder must have begun. */
const PATIENCE = 120;
/** Turns of a second in which the kernel must have freed what programs that have ended had put into it. */
const SYMBOL_TURNS = 60;

/**
 * Waits until the kernel's symbols stay as they are: it frees BPF programs and trampolines some time behind their owner's
 * end. trace-cmd asks for their size and then reads them; when they change in between it ends without a file.
 */
export async function quietSymbols(guest: Guest): Promise<void> {
  for (let turn = 0, last = ''; turn < SYMBOL_TURNS; turn++) {
    const now = await guest.shell('cksum </proc/kallsyms');
    if (now === last) return;
    last = now;
    await sleep(1000);
  }
  throw new Error('the kernel’s symbols do not stay as they are');
}

/** A recorder that records. */
export class Recorder {
  private readonly guest: Guest;
  private readonly running: Running;
  private readonly name: string;

  private constructor(guest: Guest, running: Running, name: string) {
    this.guest = guest;
    this.running = running;
    this.name = name;
  }

  /**
   * Returns once it records.
   * @param name no other recorder's of the guest
   * @param words its command line, without a command to run
   */
  static async start(guest: Guest, name: string, words: readonly string[]): Promise<Recorder> {
    const [on, over] = [`/tmp/${name}.on`, `/tmp/${name}.over`];
    await guest.shell(`rm -f ${on} ${over}`);
    const command = ['sh', '-c', `touch ${on}; until [ -e ${over} ]; do sleep 0.2; done`];
    const running = guest.start([...words, ...command]);
    const begun = async (): Promise<boolean> =>
      running.over || (await guest.shell(`ls ${on} 2>/dev/null || true`)) !== '';
    const answer = await settle(begun, Boolean, PATIENCE);
    if (answer && !running.over) return new Recorder(guest, running, name);
    running.kill('SIGKILL');
    throw new Error(`${words.join(' ')} did not record: ${(await running.wait()).stderr}`);
  }

  /** Ends it, when the kernel's symbols stay as they are. @throws what it said where it failed */
  async end(): Promise<void> {
    await quietSymbols(this.guest);
    await this.guest.shell(`touch /tmp/${this.name}.over`);
    const { code, stderr } = await this.running.wait();
    if (code !== 0) throw new Error(`${this.name} ended with code ${code}: ${stderr}`);
  }
}
