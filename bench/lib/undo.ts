/**
 * What a bench has started or changed, undone in reverse order whatever happens: return, exception, signals alike.
 * Only SIGKILL can leave something behind: a network namespace, which the next run removes.
 */
const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const SIGNAL_EXIT = 130;

/** A stack of undos. */
export class Undo {
  readonly #actions: (() => void)[] = [];

  /** Registers an undo; call it right behind the change. Returns a function that does it now and forgets it. */
  add(action: () => void): () => void {
    this.#actions.push(action);
    return () => {
      const at = this.#actions.indexOf(action);
      if (at < 0) return;
      this.#actions.splice(at, 1);
      action();
    };
  }

  /** Undoes everything; an undo that fails does not keep the others from running. */
  all(): void {
    for (let action = this.#actions.pop(); action !== undefined; action = this.#actions.pop()) {
      try {
        action();
      } catch (error) {
        process.stderr.write(
          `bench: cleaning up: ${error instanceof Error ? error.message : String(error)}\n`,
        );
      }
    }
  }
}

/** Runs `use` with a fresh stack and undoes it afterwards. */
export async function withUndo<Result>(use: (undo: Undo) => Promise<Result>): Promise<Result> {
  const undo = new Undo();
  const onSignal = (): void => {
    undo.all();
    process.exit(SIGNAL_EXIT);
  };
  for (const name of END_SIGNALS) process.on(name, onSignal);
  try {
    return await use(undo);
  } finally {
    undo.all();
    for (const name of END_SIGNALS) process.off(name, onSignal);
  }
}
