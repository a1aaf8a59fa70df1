/** A title that says why its tests are skipped. */
export const titled = (title: string, why: string | undefined): string =>
  why === undefined ? title : `${title} (skipped: ${why})`;
