/** The kernel's own trace events, through an instance; the assembler makes records of them. */
import type { StageWay } from '../../record/source.js';
import { mayBeOtherNamespaces } from '../../sys/netns.js';
import { taskName } from '../../sys/processes.js';
import type { TraceInstance } from '../../sys/trace-instance.js';
import { Assembler } from '../events/assembler.js';
import { EVENTS } from '../events/table.js';
import type { WantedEvent } from '../events/wanted.js';
import type { MethodRequest } from '../method.js';
import { InstanceSource } from '../tracefs/source.js';

/** A running ftrace session. Errors: RXS_TRACEFS. */
export class FtraceSource extends InstanceSource {
  readonly ways: readonly StageWay[];
  readonly programs: readonly string[];
  override readonly notes: readonly string[];
  protected readonly assembler: Assembler;
  private readonly names = new Map<number, string | undefined>();

  constructor(
    instance: TraceInstance,
    request: MethodRequest,
    events: readonly WantedEvent[],
    ways: readonly StageWay[],
    notes: readonly string[],
  ) {
    super('ftrace', instance);
    this.ways = ways;
    this.programs = events.map(({ name }) => name);
    this.notes = [...notes, ...namespaceNotes(request)];
    this.assembler = new Assembler(this, {
      ...request,
      names: new Map(request.interfaces.map(({ name, ifindex }) => [name, ifindex])),
      lastOfInterrupt: 'exit',
      taskName: (pid) => this.taskName(pid),
    });
    for (const { name, filter } of events) {
      const feed = EVENTS[name];
      if (feed === undefined) continue;
      this.listen(name.replace(':', '/'), filter, (cpu, time, fields) =>
        feed(this.assembler, cpu, time, fields),
      );
    }
  }

  private taskName(pid: number): string | undefined {
    if (!this.names.has(pid)) this.names.set(pid, taskName(pid));
    return this.names.get(pid);
  }

  /** Numbers of threads are used again. */
  protected override otherLosses(): void {
    this.names.clear();
  }
}

function namespaceNotes({ interrupts, interfaces }: MethodRequest): string[] {
  if (interrupts || !mayBeOtherNamespaces()) return [];
  const names = interfaces.map(({ name }) => name).join(', ');
  return [
    `trace events tell an interface by its name: packets of ${names} in other network namespaces would be seen too`,
  ];
}
