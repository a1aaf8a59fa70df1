/** The command line of `steer`, read and checked. */
import { RxError } from '../../base/errors.js';
import { parseDuration, parseNumberList } from '../../base/units.js';
import { WAYS, type Way } from '../../steer/plan.js';

/** What a `steer` command is to do. */
export type SteerOptions =
  | { readonly does: 'show' }
  | { readonly does: 'undo'; readonly all: boolean }
  | { readonly does: 'which'; readonly flow: string; readonly verifyNs: number | undefined }
  | ({ readonly does: 'steer' } & SteerWish);

/** A steering as asked for. */
export interface SteerWish {
  readonly flow: string;
  readonly queue: number;
  /** In the order in which they are tried. */
  readonly ways: readonly Way[];
  /** How long to count; 0: not at all. */
  readonly verifyNs: number;
  readonly forThisRun: boolean;
  readonly durationNs: number | undefined;
  /** The command that the steering is for. */
  readonly command: readonly string[];
  readonly dryRun: boolean;
}

/** Options as commander gives them. */
export interface RawSteer {
  readonly queue?: string;
  readonly by: string;
  readonly verify?: string;
  readonly forThisRun?: true;
  readonly duration?: string;
  readonly dryRun?: true;
  readonly undo?: true;
  readonly all?: true;
  readonly show?: true;
  readonly which?: string;
}

/** How long to count, unless said. */
export const DEFAULT_VERIFY_NS = 3e9;

function usage(doing: string, why: string, hint: string): RxError {
  return new RxError('RXS_USAGE', { doing, why, hint });
}

function time(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  return /^0+$/.test(text) ? 0 : parseDuration(text, option);
}

/**
 * @param words the flow, as one argument or several
 * @param command what stands behind `--`
 * @throws RxError RXS_USAGE
 */
export function readSteerOptions(
  words: readonly string[],
  command: readonly string[],
  raw: RawSteer,
): SteerOptions {
  const doing = 'reading the command line of steer';
  const verifyNs = time(raw.verify, '--verify');
  const actions = [raw.undo && '--undo', raw.show && '--show', raw.which !== undefined && '--which'].filter(
    (one) => typeof one === 'string',
  );
  if (actions.length > 1) throw usage(doing, `${actions.join(' and ')} at once`, 'give one of them');
  if (raw.all && !raw.undo) throw usage(doing, '--all without --undo', 'rxstamp steer IFACE --undo --all');
  const [action] = actions;
  if (action !== undefined) {
    if (words.length > 0 || command.length > 0 || raw.queue !== undefined) {
      throw usage(doing, `${action} takes no flow, no queue and no command`, `rxstamp steer IFACE ${action}`);
    }
    if (raw.which !== undefined) return { does: 'which', flow: raw.which, verifyNs };
    return raw.show ? { does: 'show' } : { does: 'undo', all: raw.all === true };
  }
  const form = "write it like rxstamp steer eth0 'udp dst port 9999' --queue 1";
  if (words.length === 0) throw usage(doing, 'no flow was given', form);
  const queues = raw.queue === undefined ? [] : parseNumberList(raw.queue, '--queue');
  const [queue] = queues;
  if (queue === undefined || queues.length > 1) {
    throw usage(doing, queue === undefined ? 'no queue was given' : 'more than one queue', form);
  }
  if (command.length > 0 && !raw.forThisRun) {
    throw usage(
      doing,
      'a command without --for-this-run',
      'add --for-this-run: the steering ends with the command',
    );
  }
  const durationNs = time(raw.duration, '--duration');
  if (durationNs !== undefined && !raw.forThisRun) {
    throw usage(
      doing,
      '--duration without --for-this-run',
      'add --for-this-run, or use --verify to count longer',
    );
  }
  return {
    does: 'steer',
    flow: words.join(' '),
    queue,
    ways: raw.by === 'auto' ? WAYS : WAYS.filter((way) => way === raw.by),
    verifyNs: verifyNs ?? DEFAULT_VERIFY_NS,
    forThisRun: raw.forThisRun === true,
    durationNs,
    command,
    dryRun: raw.dryRun === true,
  };
}
