/** What must be there before anything is loaded. */
import { RxError } from '../../base/errors.js';
import type { Wanted } from '../../packet/selection.js';
import type { StageWay } from '../../record/source.js';
import type { StageName } from '../../stages.js';
import { effectiveCapabilities, missingForTracing } from '../../sys/caps.js';
import { inInitialPidNamespace, processOf } from '../../sys/processes.js';

/** Fails when the process may not load tracing programs. @throws RxError RXS_NO_PRIVILEGE naming the capabilities */
export function checkPrivileges(): void {
  const have = effectiveCapabilities();
  const missing = have === undefined ? [] : missingForTracing(have);
  if (missing.length === 0) return;
  throw new RxError('RXS_NO_PRIVILEGE', {
    doing: 'loading the tracing programs',
    why: `this process lacks ${missing.join(' and ')}`,
    hint: 'run it with sudo, or grant cap_bpf,cap_perfmon (or cap_sys_admin) to the node binary',
  });
}

/** Fails when a stage that a filter looks at is not stamped here: nothing would ever match. @throws RxError RXS_NO_HOOK */
export function checkStamped({ slower, pids }: Wanted, ways: readonly StageWay[]): void {
  const stamped = ways.filter((way) => way.hook !== undefined).map((way) => way.stage);
  const looked: readonly (readonly [StageName | undefined, string])[] = [
    [slower?.from, `name two of ${stamped.join(', ')}`],
    [slower?.to, `name two of ${stamped.join(', ')}`],
    [
      pids === undefined ? undefined : 'read',
      'trace without --pid; `rxstamp doctor` says what this kernel allows',
    ],
  ];
  for (const [stage, hint] of looked) {
    if (stage === undefined || stamped.includes(stage)) continue;
    const reasons = ways.find((way) => way.stage === stage)?.reasons ?? ['the interface has no interrupts'];
    throw new RxError('RXS_NO_HOOK', {
      doing: 'choosing packets by stage',
      subject: stage,
      why: `it is not stamped here: ${reasons.join('; ')}`,
      hint,
    });
  }
}

/** Drivers that hand packets over without their NAPI id (netif_receive_skb without GRO). */
const UNMARKED = ['vmxnet3'];

/**
 * Fails when packets are to be chosen by their interrupt or queue and nothing tells whose they are: the driver does not
 * mark them, and no hook sees a poll begin.
 * @throws RxError RXS_USAGE
 */
export function checkTold(
  irqOnly: boolean,
  drivers: readonly (string | undefined)[],
  programs: readonly string[],
): void {
  const driver = drivers.find((name) => UNMARKED.includes(name ?? ''));
  const tied = programs.some((name) => name.startsWith('napi_prep')) && !programs.includes('napi_poll_start');
  if (!irqOnly || driver === undefined || !tied) return;
  throw new RxError('RXS_USAGE', {
    doing: 'choosing packets by interrupt or queue of',
    subject: driver,
    why: 'it does not mark packets with their NAPI instance, and this kernel has no hook on the beginning of a poll',
    hint: 'leave --irq and --queue out: packets then name the interrupt of their poll',
  });
}

/** Fails when --pid names what can never be a reader's process. @throws RxError RXS_NO_PROCESS */
export function checkProcesses(
  pids: readonly number[] | undefined,
  process: (tid: number) => number | undefined = processOf,
  numbersAreTheKernels: () => boolean = inInitialPidNamespace,
): void {
  if (pids === undefined) return;
  const doing = 'choosing packets read by process';
  if (!numbersAreTheKernels()) {
    throw new RxError('RXS_NO_PROCESS', {
      doing,
      subject: pids.join(', '),
      why: 'the kernel tells process numbers of the initial PID namespace, and this is another one',
      hint: 'run rxstamp in the host, or in a container with --pid=host',
    });
  }
  for (const pid of pids) {
    const owner = process(pid);
    if (owner === pid) continue;
    throw new RxError('RXS_NO_PROCESS', {
      doing,
      subject: String(pid),
      why: owner === undefined ? 'there is none' : `that is a thread of process ${owner}`,
      hint: owner === undefined ? 'pgrep finds processes by name' : `give --pid ${owner}`,
    });
  }
}
