/** Which function of which driver answers an interrupt: what the question's patch would have been written into. */
import type { IrqDetail } from '../../sys/inspect.js';

/** A function that is called as handler(irq, dev_id). */
export interface Handler {
  /** `igb_msix_ring`, without its module. */
  readonly name: string;
  /** `igb`; undefined in the kernel image. */
  readonly module: string | undefined;
  /** It runs in the interrupt's thread and not in the hard interrupt. */
  readonly thread: boolean;
}

/** What stands in for the driver's function in the hard interrupt where that runs in a thread (kernel/irq/manage.c). */
const PRIMARY = 'irq_default_primary_handler';

/** `igb_msix_ring [igb]`, as the kernel prints symbols. */
export function splitSymbol(text: string): { readonly name: string; readonly module: string | undefined } {
  const [, name = text, module] = /^(\S+)(?: \[(.*)\])?$/.exec(text) ?? [];
  return { name, module };
}

/** The handlers of an interrupt; of a line that devices share only those whose action is named in `actions`. */
export function handlersOf(detail: IrqDetail, actions: readonly string[]): Handler[] {
  const own = detail.actions.filter(({ name }) => actions.includes(name));
  return (own.length > 0 ? own : detail.actions).map(({ handler, thread: second }) => {
    const thread = handler.startsWith(PRIMARY) && second !== undefined;
    const { name, module } = splitSymbol(thread ? second : handler);
    return { name, module, thread };
  });
}

/** Each function once. */
export function distinct(handlers: readonly Handler[]): Handler[] {
  return [...new Map(handlers.map((handler) => [handler.name, handler])).values()];
}
