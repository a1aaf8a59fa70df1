/** Reads the machine's apt sources, so that the lab asks the mirror this machine already trusts and reaches. */

/** One source: `deb URI SUITE… COMPONENT…` with its options. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Value of Signed-By: a path, or an inline key with its line breaks. */
  readonly signedBy?: string;
}

const words = (text: string | undefined): string[] => (text ?? '').split(/\s+/).filter((word) => word !== '');

/** Parses a one-line-style sources.list. */
export function parseSourcesList(text: string): AptSource[] {
  const found: AptSource[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*/, '').trim();
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(line);
    if (match === null) continue;
    const [, options, uri = '', suite = '', components] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options ?? '')?.[1];
    found.push({
      uris: [uri],
      suites: [suite],
      components: words(components),
      ...(signedBy === undefined ? {} : { signedBy }),
    });
  }
  return found;
}

/** Parses a deb822-style *.sources file. */
export function parseDeb822(text: string): AptSource[] {
  const found: AptSource[] = [];
  for (const stanza of text.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    let last = '';
    for (const line of stanza.split('\n')) {
      if (line.startsWith('#')) continue;
      if (/^\s/.test(line)) fields.set(last, `${fields.get(last) ?? ''}\n${line}`);
      const field = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
      if (field === null) continue;
      last = (field[1] ?? '').toLowerCase();
      fields.set(last, field[2] ?? '');
    }
    if (!words(fields.get('types')).includes('deb')) continue;
    if (/^(no|false|0)$/i.test(fields.get('enabled') ?? 'yes')) continue;
    const signedBy = fields.get('signed-by');
    found.push({
      uris: words(fields.get('uris')),
      suites: words(fields.get('suites')),
      components: words(fields.get('components')),
      ...(signedBy === undefined || signedBy.trim() === '' ? {} : { signedBy }),
    });
  }
  return found;
}

const isSecurity = (suite: string): boolean => /(-security|\/updates)$/.test(suite);
/** Names by which Debian's archive can be listed instead of a codename. */
const ALIASES = ['oldstable', 'stable', 'testing', 'unstable', 'sid'];

/**
 * The source to ask for a suite: one that lists it, else for a security suite the machine's security source, else the
 * machine's main source (the one that carries its own release). Undefined when the machine has none.
 * @param codename the machine's own release, VERSION_CODENAME of os-release
 */
export function sourceFor(
  suite: string,
  sources: readonly AptSource[],
  codename: string,
): AptSource | undefined {
  const withMain = sources.filter((source) => source.components.includes('main') && source.uris.length > 0);
  const listing = withMain.find((source) => source.suites.includes(suite));
  if (listing !== undefined) return listing;
  if (isSecurity(suite)) return withMain.find((source) => source.suites.some(isSecurity));
  const lists = (names: readonly string[]): AptSource | undefined =>
    withMain.find((source) => source.suites.some((name) => names.includes(name)));
  return lists([codename]) ?? lists(ALIASES);
}

/** The stanza that asks `source` for one suite, in deb822 style. */
export function stanzaFor(suite: string, source: AptSource): string {
  const signed = source.signedBy === undefined ? '' : `Signed-By: ${source.signedBy}\n`;
  return `Types: deb\nURIs: ${source.uris.join(' ')}\nSuites: ${suite}\nComponents: main\nArchitectures: amd64\n${signed}`;
}
