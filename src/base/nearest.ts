/** How many single-character edits lie between two words. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swap));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The names, the one most like `wanted` first; ties keep their order. */
export function nearestFirst(wanted: string, names: readonly string[]): string[] {
  const distance = (name: string): number => editDistance(wanted.toLowerCase(), name.toLowerCase());
  return [...names].sort((a, b) => distance(a) - distance(b));
}
