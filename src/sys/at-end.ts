/**
 * What must be undone when this process ends, however it ends short of SIGKILL: at exit, and on the signals that would
 * end it where nobody else listens to them. After SIGKILL the next run finds what was left.
 */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const undoing = new Set<() => void>();

function undoAll(): void {
  for (const undo of undoing) {
    undoing.delete(undo);
    try {
      undo();
    } catch {
      // The others must be undone all the same; the next run finds what could not be.
    }
  }
}

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
  if (undoing.size === 0) listen(true);
  undoing.add(undo);
  return () => {
    if (undoing.delete(undo) && undoing.size === 0) listen(false);
  };
}
