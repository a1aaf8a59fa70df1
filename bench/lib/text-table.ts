/** Tables for people: first column to the left, numbers to the right. */

/** Lines of a table; the first row is the heading. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `3,000,000`. */
export function count(value: number): string {
  return Number.isNaN(value) ? '-' : Math.round(value).toLocaleString('en-US');
}

/** `87.3 %`. */
export function percent(ratio: number): string {
  return Number.isNaN(ratio) ? '-' : `${(ratio * 100).toFixed(1)} %`;
}
