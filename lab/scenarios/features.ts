/** What a guest may or may not be able to do, each found out by asking the guest, never by its version. */
import type { Guest } from '../guest.js';

/** One feature: what it is in words, and a shell line that succeeds where it is there. */
interface Feature {
  readonly words: string;
  readonly probe: string;
}

const traceable = (name: string): string =>
  `grep -q '^${name}\\b' /sys/kernel/tracing/available_filter_functions`;

/** All features scenarios can ask for. */
export const FEATURES = {
  btf: { words: 'kernel BTF', probe: 'test -e /sys/kernel/btf/vmlinux' },
  tracefs: { words: 'tracefs', probe: 'test -e /sys/kernel/tracing/trace_pipe' },
  vectorEntry: { words: 'a traceable __common_interrupt', probe: traceable('__common_interrupt') },
  napiPoll: { words: 'a traceable __napi_poll', probe: traceable('__napi_poll') },
  threadedNapi: { words: 'threaded NAPI', probe: 'test -e /sys/class/net/eth0/threaded' },
  rxstamp: { words: 'a built rxstamp', probe: 'node dist/src/cli/main.js --version' },
} as const satisfies Readonly<Record<string, Feature>>;

/** Name of a feature. */
export type FeatureName = keyof typeof FEATURES;

/** Why a guest cannot serve, in words; undefined when it has all of the features. */
export async function lacking(guest: Guest, features: readonly FeatureName[]): Promise<string | undefined> {
  for (const name of features) {
    const { words, probe } = FEATURES[name];
    if ((await guest.run(['sh', '-c', probe])).code !== 0) return `needs ${words}`;
  }
  return undefined;
}
