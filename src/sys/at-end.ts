/**
 * What must be undone when this process ends, however it ends short of SIGKILL: at exit, and on the signals that would
 * end it where nobody else listens to them. After SIGKILL the next run finds what was left.
 */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Things to be undone, the last one first: a probe cannot go before the instance that has it enabled. */
export class Undoing {
  private readonly undos: (() => void)[] = [];

  get empty(): boolean {
    return this.undos.length === 0;
  }

  add(undo: () => void): void {
    this.undos.push(undo);
  }

  /** @returns false where it was not there (any more) */
  delete(undo: () => void): boolean {
    const at = this.undos.indexOf(undo);
    if (at >= 0) this.undos.splice(at, 1);
    return at >= 0;
  }

  /** Undoes everything. What fails does not keep the others from it; the next run finds what could not be undone. */
  run(): void {
    for (let undo = this.undos.pop(); undo !== undefined; undo = this.undos.pop()) {
      try {
        undo();
      } catch {
        // There is nobody left to be told.
      }
    }
  }
}

const undoing = new Undoing();
const undoAll = (): void => undoing.run();

function onSignal(signal: NodeJS.Signals): void {
  // Somebody else ends the process in good order, and undoes on the way.
  if (process.listenerCount(signal) > 1) return;
  undoAll();
  listen(false);
  process.kill(process.pid, signal);
}

function listen(on: boolean): void {
  for (const signal of SIGNALS) {
    if (on) process.on(signal, onSignal);
    else process.off(signal, onSignal);
  }
  if (on) process.on('exit', undoAll);
  else process.off('exit', undoAll);
}

/** Has `undo` called at the process's end, unless the function that it returns was called before. */
export function atEnd(undo: () => void): () => void {
  if (undoing.empty) listen(true);
  undoing.add(undo);
  return () => {
    if (undoing.delete(undo) && undoing.empty) listen(false);
  };
}
