/** A NIC in memory, with the refusals and the oddities of real drivers. */
import { type Answer, known, unknown } from '../../src/base/answer.js';
import type { Counter, Feature, NicSettings, Rss, RuleList } from '../../src/sys/nic-settings.js';
import type { FlowSpec } from '../../src/steer/flow-spec.js';
import { type SteerPlan, WAYS, type Way, planSteering } from '../../src/steer/plan.js';
import { MICROSOFT_KEY } from './rss-vectors.js';
import { ANY_LOCATION, locationOf } from '../../src/steer/rules.js';
import { FLOW_SPEC } from '../../src/sys/nic-settings.js';

/** The same rule for another location. */
export function atLocation(rule: Uint8Array, location: number): Uint8Array {
  const moved = rule.slice();
  new DataView(moved.buffer).setUint32(FLOW_SPEC.location, location, true);
  return moved;
}

/** What a fake NIC can do. */
export interface FakeAbilities {
  readonly rings?: number;
  /** Locations for rules; 0: it refuses rules. */
  readonly ruleLocations?: number;
  readonly picksLocation?: boolean;
  readonly ntuple?: Feature;
  readonly table?: readonly number[];
  readonly key?: Uint8Array;
  readonly fields?: ReadonlyMap<number, number>;
}

/** Thrown in the middle of a write, before or after it took effect: as if the process were killed there. */
export class Killed extends Error {}

/** Its settings are plain fields, to compare and to change behind rxstamp's back. */
export class FakeNic implements NicSettings {
  readonly rulesByLocation = new Map<number, Uint8Array>();
  readonly fieldsByType: Map<number, number>;
  table: readonly number[];
  ntupleOn: boolean;
  /** Writes until the process is killed; the fraction says whether that write took effect: .5 it did. */
  killAt = Number.POSITIVE_INFINITY;
  writes = 0;
  private readonly can: FakeAbilities;

  constructor(can: FakeAbilities) {
    this.can = can;
    this.table = can.table ?? [];
    this.ntupleOn = can.ntuple?.on ?? false;
    this.fieldsByType = new Map(can.fields);
  }

  /** All settings as one text. */
  snapshot(): string {
    const rules = [...this.rulesByLocation].map(([at, rule]) => [at, Buffer.from(rule).toString('hex')]);
    rules.sort(([a], [b]) => Number(a) - Number(b));
    const fields = [...this.fieldsByType].sort(([a], [b]) => a - b);
    return JSON.stringify({ rules, fields, table: this.table, ntuple: this.ntupleOn });
  }

  private write(change: () => void): void {
    this.writes++;
    if (this.writes === Math.ceil(this.killAt) && this.killAt % 1 === 0) throw new Killed();
    change();
    if (this.writes === Math.floor(this.killAt) && this.killAt % 1 !== 0) throw new Killed();
  }

  rings(): Answer<number> {
    return known(this.can.rings ?? 2);
  }

  rss(): Answer<Rss> {
    if (this.table.length === 0) return unknown('RSS table: the driver does not support it (EOPNOTSUPP)');
    return known({ table: this.table, key: this.can.key ?? new Uint8Array(), hashFunction: 1, transform: 0 });
  }

  setTable(table: readonly number[]): string | undefined {
    if (this.table.length === 0) return 'setting the RSS table: the driver does not support it (EOPNOTSUPP)';
    const rings = this.can.rings ?? 2;
    const { length } = this.table;
    const wanted = table.length > 0 ? table : Array.from({ length }, (_, i) => i % rings);
    this.write(() => {
      this.table = wanted;
    });
    return undefined;
  }

  hashFields(flowType: number): Answer<number> {
    const fields = this.fieldsByType.get(flowType);
    return fields === undefined
      ? unknown('hash fields: the driver does not support it (EOPNOTSUPP)')
      : known(fields);
  }

  setHashFields(flowType: number, fields: number): string | undefined {
    if (!this.fieldsByType.has(flowType)) return 'setting the hash fields: not supported';
    this.write(() => this.fieldsByType.set(flowType, fields));
    return undefined;
  }

  ntuple(): Answer<Feature> {
    return known({ on: this.ntupleOn, changeable: this.can.ntuple?.changeable ?? false });
  }

  setNtuple(on: boolean): string | undefined {
    if (!(this.can.ntuple?.changeable ?? false))
      return 'switching n-tuple rules on: the driver keeps it fixed';
    this.write(() => {
      this.ntupleOn = on;
      if (!on) this.rulesByLocation.clear();
    });
    return undefined;
  }

  rules(): Answer<RuleList> {
    const rules = [...this.rulesByLocation.values()];
    return known({
      size: this.can.ruleLocations ?? 0,
      picksLocation: this.can.picksLocation ?? false,
      rules,
    });
  }

  insertRule(rule: Uint8Array): Answer<number> {
    const locations = this.can.ruleLocations ?? 0;
    if (locations === 0 || !this.ntupleOn) {
      return unknown('inserting the n-tuple rule: the driver does not support it (EOPNOTSUPP)');
    }
    let location = locationOf(rule);
    if (location === ANY_LOCATION) {
      location = 0;
      while (this.rulesByLocation.has(location)) location++;
    }
    if (location >= locations)
      return unknown('inserting the n-tuple rule: no room for it in the NIC (ENOSPC)');
    this.write(() => this.rulesByLocation.set(location, atLocation(rule, location)));
    return known(location);
  }

  deleteRule(location: number): string | undefined {
    if (!this.rulesByLocation.has(location)) return `deleting the n-tuple rule at ${location}: ENOENT`;
    this.write(() => this.rulesByLocation.delete(location));
    return undefined;
  }

  statistics(): Answer<readonly Counter[]> {
    return unknown('the driver has no counters of its own');
  }
}

/** Its first half goes to queue 0, as igb spreads it. */
export const TABLE: readonly number[] = Array.from({ length: 8 }, (_, slot) => slot >> 2);
const FIELDS = new Map([
  [1, 0xf0],
  [2, 0x30],
]);

/** As igb in the lab: a table: TABLE, no key, rules refused. */
export const TABLE_ONLY: FakeAbilities = { table: TABLE, fields: FIELDS, ruleLocations: 0 };
/** As i40e or ixgbe: rules at places that the caller chooses, behind a switch that is off. */
export const RULES: FakeAbilities = {
  table: TABLE,
  key: MICROSOFT_KEY,
  fields: FIELDS,
  ruleLocations: 8,
  ntuple: { on: false, changeable: true },
};
/** As virtio-net with RSS: table and key, no rules. */
export const KEY: FakeAbilities = { table: TABLE, key: MICROSOFT_KEY, fields: FIELDS };

/** What would be tried on such a NIC. */
export function planFor(
  nic: FakeNic,
  flow: FlowSpec,
  queue = 1,
  ways: readonly Way[] = WAYS,
  flowHash: Answer<number> = unknown('its packets were not watched'),
): SteerPlan {
  const facts = {
    rxQueues: 2,
    rings: nic.rings(),
    ntuple: nic.ntuple(),
    rules: nic.rules(),
    rss: nic.rss(),
    fields: (type: number) => nic.hashFields(type),
    flowHash,
  };
  return planSteering(flow, queue, facts, ways);
}
