/** The fields of one kernel event, for the assembler's table. */
import type { EventFields } from '../../sys/tracefs-format.js';
import type { Fields } from '../events/table.js';

/** Reads what {@link EventFields} stands on; a field that the event does not have is 0. */
export class TableFields implements Fields {
  readonly fields: EventFields;

  constructor(fields: EventFields) {
    this.fields = fields;
  }

  number(name: string): number {
    return this.fields.has(name) ? this.fields.number(name) : 0;
  }

  address(name: string): number {
    return this.fields.has(name) ? this.fields.address(name) : 0;
  }

  text(name: string): string {
    return this.fields.text(name);
  }

  get pid(): number {
    return this.fields.number('common_pid');
  }
}
