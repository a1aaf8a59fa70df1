import { describe, expect, it } from 'vitest';
import { parseDeb822, parseSourcesList, sourceFor, stanzaFor } from './apt-sources.js';

const LIST = `# mirror
deb [arch=amd64 signed-by=/keys/debian.gpg] http://mirror.example/debian bookworm main contrib
deb http://mirror.example/security bookworm-security main # inline
deb-src http://mirror.example/debian bookworm main
deb https://vendor.example/apt stable main
`;

const DEB822 = `Types: deb
# a comment inside
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: trixie
Components: main

Types: deb-src
URIs: http://src.example/debian
Suites: trixie
Components: main
`;

describe('sources', () => {
  it('reads one-line style with options and comments', () => {
    const sources = parseSourcesList(LIST);
    expect(sources.map((source) => source.suites[0])).toEqual(['bookworm', 'bookworm-security', 'stable']);
    expect(sources[0]).toMatchObject({ signedBy: '/keys/debian.gpg', components: ['main', 'contrib'] });
  });

  it('reads deb822 style, without what is off or source code, with an inline key', () => {
    const sources = parseDeb822(DEB822);
    expect(sources).toHaveLength(1);
    expect(sources[0]?.suites).toEqual(['trixie', 'trixie-updates']);
    expect(sources[0]?.signedBy).toContain('\n abc\n');
  });
});

describe('sourceFor', () => {
  const sources = parseSourcesList(LIST);

  it("asks the machine's main mirror for suites it does not list", () => {
    expect(sourceFor('bookworm-backports', sources, 'bookworm')?.uris).toEqual([
      'http://mirror.example/debian',
    ]);
    expect(sourceFor('trixie-backports', sources, 'bookworm')?.uris).toEqual([
      'http://mirror.example/debian',
    ]);
  });

  it('asks the security mirror for security suites', () => {
    expect(sourceFor('bullseye-security', sources, 'bookworm')?.uris).toEqual([
      'http://mirror.example/security',
    ]);
  });

  it('finds nothing where no source carries Debian', () => {
    const vendor = parseSourcesList('deb http://vendor.example/x nodistro main\n');
    expect(sourceFor('bookworm', vendor, 'bookworm')).toBeUndefined();
    expect(sourceFor('bookworm-security', vendor, 'bookworm')).toBeUndefined();
  });

  it('writes a stanza that keeps the key as it was', () => {
    const [source] = parseDeb822(DEB822);
    const text = stanzaFor('trixie-backports', source ?? { uris: [], suites: [], components: [] });
    expect(parseDeb822(text)[0]).toMatchObject({ suites: ['trixie-backports'], signedBy: source?.signedBy });
  });
});
