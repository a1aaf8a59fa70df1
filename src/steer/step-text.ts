/** Steps and tables in words. */
import { specText } from './flow-spec.js';
import { fieldsText } from './hash-fields.js';
import type { Step } from './plan.js';
import { ANY_LOCATION, actionText, decodeRule } from './rules.js';

/** A step in words, before it is done. */
export function stepText(step: Step): string {
  switch (step.kind) {
    case 'ntuple':
      return `n-tuple rules: ${step.before ? 'on' : 'off'} → ${step.after ? 'on' : 'off'}`;
    case 'rule': {
      const { location, spec, action } = decodeRule(Buffer.from(step.rule, 'hex'));
      const where = location === ANY_LOCATION ? 'where the driver likes' : `at location ${location}`;
      return `n-tuple rule ${where}: ${specText(spec)} → ${actionText(action)}`;
    }
    case 'fields':
      return `hash of ${typeName(step.flowType)}: ${fieldsText(step.before)} → ${fieldsText(step.after)}`;
    case 'table':
      return `RSS table: ${tableText(step.before)} → ${tableText(step.after)}`;
  }
}

function typeName(flowType: number): string {
  const names: Readonly<Record<number, string>> = {
    1: 'TCP/IPv4',
    2: 'UDP/IPv4',
    3: 'SCTP/IPv4',
    5: 'TCP/IPv6',
    6: 'UDP/IPv6',
    7: 'SCTP/IPv6',
  };
  return names[flowType] ?? `flow type ${flowType}`;
}

/** A step in words, when it has been undone. */
export function undoText(step: Step): string {
  switch (step.kind) {
    case 'ntuple':
      return stepText({ ...step, before: step.after, after: step.before });
    case 'rule':
      return `no more ${stepText(step)}`;
    case 'fields':
      return stepText({ ...step, before: step.after, after: step.before });
    case 'table':
      return stepText({ ...step, before: step.after, after: step.before });
  }
}

/** A table in short: how many entries each queue has. */
export function tableText(table: readonly number[]): string {
  const counts = new Map<number, number>();
  for (const queue of table) counts.set(queue, (counts.get(queue) ?? 0) + 1);
  const parts = [...counts].sort(([a], [b]) => a - b).map(([queue, count]) => `queue ${queue}: ${count}`);
  return `${parts.join(', ')} of ${table.length} entries`;
}
