/** The table of output formats of a trace. */
import { csvFormat } from './csv.js';
import type { FormatMaker } from './format.js';
import { ndjsonFormat } from './ndjson.js';
import { textFormat } from './text.js';
import { timesFormat } from './times.js';
import { treeFormat } from './tree.js';

/** Format by the word on the command line. */
export const FORMATS = {
  text: textFormat,
  tree: treeFormat,
  times: timesFormat,
  ndjson: ndjsonFormat,
  csv: csvFormat,
} as const satisfies Record<string, FormatMaker>;

/** Name of a format. */
export type FormatName = keyof typeof FORMATS;
