/**
 * Traffic of our own: a veth pair, its far end in a network namespace of its own, and UDP from there. The namespace
 * bears the name of this process; what a killed run has left is taken away by the next one, or by `rxstamp cleanup`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RxError } from '../base/errors.js';
import { newOwnerName, ownerOf, ownerState } from './owner-name.js';
import { runProgram } from './programs.js';

const NAMESPACES = '/run/netns';
/** RFC 2544's range for measurements: in nobody's routes. */
const NEAR = '198.18.17.1';
const FAR = '198.18.17.2';
const PORT = 9;
const PER_SECOND = 5000;

/** A load that runs. */
export interface Load {
  /** The interface that it comes in by. */
  readonly name: string;
  readonly perSecond: number;
  close(): Promise<void>;
}

async function ip(...words: string[]): Promise<void> {
  const answer = await runProgram('ip', words);
  if (answer.known) return;
  throw new RxError('RXS_SYS', {
    doing: 'making traffic:',
    subject: `ip ${words.join(' ')}`,
    why: answer.why,
    hint: 'run it as root, or leave --load out and let the traffic come in',
  });
}

/** A network namespace that bears rxstamp's name. */
export interface LoadNamespace {
  readonly name: string;
  readonly pid: number;
  readonly state: ReturnType<typeof ownerState>;
}

/** All of them. */
export function findLoads(
  names: readonly string[] = existsSync(NAMESPACES) ? readdirSync(NAMESPACES) : [],
): readonly LoadNamespace[] {
  return names.flatMap((name) => {
    const owner = ownerOf(name);
    return owner === undefined ? [] : [{ name, pid: owner.pid, state: ownerState(owner) }];
  });
}

/** Takes away what killed runs have left. The pair goes with the namespace of its far end. */
export async function removeAbandonedLoads(): Promise<
  readonly { readonly load: LoadNamespace; readonly why: string | undefined }[]
> {
  const gone = findLoads().filter(({ state }) => state === 'gone');
  const removed = [];
  for (const load of gone) {
    const answer = await runProgram('ip', ['netns', 'delete', load.name]);
    removed.push({ load, why: answer.known ? undefined : answer.why });
  }
  return removed;
}

/**
 * Sets up the pair and begins to send.
 * @param milliseconds how long to send at most
 * @throws RxError RXS_SYS
 */
export async function startLoad(milliseconds: number, say: (line: string) => void): Promise<Load> {
  await removeAbandonedLoads();
  const space = newOwnerName();
  const name = `rxs${process.pid}`;
  let sender: ChildProcess | undefined;
  const close = async (): Promise<void> => {
    sender?.kill('SIGKILL');
    // The pair goes with the namespace of its far end.
    const deleted = await runProgram('ip', ['netns', 'delete', space]);
    if (deleted.known) say(`undone: ${name} and network namespace ${space} are gone`);
    await runProgram('ip', ['link', 'delete', name]);
  };
  try {
    say(`made for this run: veth ${name} (${NEAR}/30), its peer in network namespace ${space}`);
    await ip('netns', 'add', space);
    await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'far', 'netns', space);
    await ip('address', 'add', `${NEAR}/30`, 'dev', name);
    await ip('link', 'set', name, 'up');
    await ip('-n', space, 'address', 'add', `${FAR}/30`, 'dev', 'far');
    await ip('-n', space, 'link', 'set', 'far', 'up');
  } catch (error) {
    await close();
    throw error;
  }
  const script = fileURLToPath(new URL('udp-load.js', import.meta.url));
  const words = [script, NEAR, String(PORT), String(PER_SECOND), String(milliseconds)];
  sender = spawn('ip', ['netns', 'exec', space, process.execPath, ...words], { stdio: 'ignore' });
  return { name, perSecond: PER_SECOND, close };
}
