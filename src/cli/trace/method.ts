/** The way of listening that a trace was asked to use. */
import { RxError } from '../../base/errors.js';
import type { HardwareOptions } from '../../method/hardware.js';
import { METHODS } from '../../method/index.js';
import type { Method, MethodFilters, MethodRequest } from '../../method/method.js';
import { DEFAULT_METHOD } from '../../method/names.js';
import type { TraceSource } from '../../record/source.js';
import { stageIndex } from '../../stages.js';
import type { TraceOptions } from './options.js';
import type { Target } from './target.js';

/** What the options want filtered, by the words of {@link MethodFilters}. */
function wantedFilters(options: TraceOptions): (readonly [keyof MethodFilters, string])[] {
  const wanted: [keyof MethodFilters, string][] = [];
  if (options.irqs !== undefined) wanted.push(['irq', '--irq']);
  if (options.queue !== undefined) wanted.push(['queue', '--queue']);
  if (options.cpus !== undefined) wanted.push(['cpu', '--cpu']);
  if (options.expression !== undefined) wanted.push(['expression', 'a filter expression']);
  return wanted;
}

function usage(method: Method, subject: string, why: string, hint: string): RxError {
  return new RxError('RXS_USAGE', { doing: `tracing with --method ${method.name} and`, subject, why, hint });
}

/** @throws RxError RXS_USAGE where the method cannot tell what was asked for */
function check(method: Method, options: TraceOptions): void {
  if (options.interrupts && method.tells === 'packets')
    throw usage(method, '--interrupts', 'it sees packets only', 'leave --interrupts out');
  if (!options.interrupts && method.tells === 'interrupts')
    throw usage(method, 'packets', 'it sees interrupts only', 'add --interrupts');
  if (!options.interrupts && stageIndex(options.until) > stageIndex(method.last)) {
    const hint = `give --until ${method.last}, or use --method ${DEFAULT_METHOD}`;
    throw usage(method, `--until ${options.until}`, `the last stage that it stamps is ${method.last}`, hint);
  }
  for (const [filter, subject] of wantedFilters(options)) {
    if (method.filters[filter] !== undefined) continue;
    const can = Object.keys(method.filters).join(', ') || 'nothing';
    throw usage(method, subject, `it can filter by ${can} in the kernel`, `use --method ${DEFAULT_METHOD}`);
  }
}

/** What a method is to listen to for this trace. */
export function methodRequest(target: Target, hardware?: HardwareOptions): MethodRequest {
  const interfaces = target.nics.map(({ name, ifindex, driver }) => ({ name, ifindex, driver }));
  return { ...target.ebpf, hardware, interfaces };
}

/** Starts the method. Errors: RXS_NO_METHOD, RXS_USAGE, the method's own. */
export async function startMethod(
  options: TraceOptions,
  target: Target,
  hardware: HardwareOptions | undefined,
): Promise<TraceSource> {
  const method = await METHODS[options.method]();
  if (options.method !== DEFAULT_METHOD) {
    check(method, options);
    if (options.hwTimestamps && method.readsHardware !== true)
      throw usage(method, '--hw-timestamps', 'it does not read them', `use --method ${DEFAULT_METHOD}`);
    if (options.slower !== undefined && options.slower.from !== undefined)
      throw usage(
        method,
        '--slower-than',
        'its kernel side compares no times',
        `use --method ${DEFAULT_METHOD}`,
      );
    const request = methodRequest(target, options.hwTimestamps ? hardware : undefined);
    const { possible, reason } = method.possible(request);
    if (possible === 'no')
      throw new RxError('RXS_NO_METHOD', {
        doing: 'starting method',
        subject: method.name,
        why: reason,
        hint: '`rxstamp compare` says which methods work here',
      });
    return method.start(request);
  }
  return method.start(methodRequest(target, hardware));
}
