import { describe, expect, it } from 'vitest';
import { RxError } from '../base/errors.js';
import { EventFields, parseEventFormat } from './tracefs-format.js';

const COMMON = `format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

`;

/** As Linux 6.18 prints it. */
const NAPI_POLL = `name: napi_poll
ID: 2291
${COMMON}\tfield:struct napi_struct * napi;\toffset:8;\tsize:8;\tsigned:0;
\tfield:__data_loc char[] dev_name;\toffset:16;\tsize:4;\tsigned:0;
\tfield:int work;\toffset:20;\tsize:4;\tsigned:1;
\tfield:int budget;\toffset:24;\tsize:4;\tsigned:1;

print fmt: "napi poll on napi struct %p for device %s work %d budget %d", REC->napi, __get_str(dev_name)
`;

function napiPoll(): DataView {
  const view = new DataView(new ArrayBuffer(48));
  const at = 8; // behind something else
  view.setUint16(at, 2291, true);
  view.setInt32(at + 4, -1, true);
  view.setBigUint64(at + 8, 0xffff_8881_0203_0405n, true);
  view.setUint32(at + 16, (5 << 16) | 28, true);
  view.setInt32(at + 20, -3, true);
  view.setInt32(at + 24, 64, true);
  new Uint8Array(view.buffer).set(Buffer.from('eth0\0'), at + 28);
  return view;
}

describe('parseEventFormat', () => {
  it('reads name, number, fields and the shortest length', () => {
    const format = parseEventFormat(NAPI_POLL);
    expect(format).toMatchObject({ name: 'napi_poll', id: 2291, size: 28 });
    expect([...format.fields.keys()]).toEqual([
      'common_type',
      'common_flags',
      'common_preempt_count',
      'common_pid',
      'napi',
      'dev_name',
      'work',
      'budget',
    ]);
    expect(format.fields.get('dev_name')).toEqual({
      name: 'dev_name',
      offset: 16,
      size: 4,
      signed: false,
      kind: 'data_loc',
    });
  });

  it('tells what is no format file', () => {
    expect(() => parseEventFormat('name: x\n')).toThrow(RxError);
  });
});

describe('EventFields', () => {
  const fields = new EventFields(parseEventFormat(NAPI_POLL));

  it('reads numbers with their signs, addresses as keys, and texts by their place', () => {
    expect(fields.at(napiPoll(), 8, 33)).toBe(true);
    expect(fields.pid).toBe(-1);
    expect(fields.number('work')).toBe(-3);
    expect(fields.number('budget')).toBe(64);
    expect(fields.address('napi')).toBe(0x8881_0203_0405);
    expect(fields.text('dev_name')).toBe('eth0');
  });

  it('says what the event does not have', () => {
    fields.at(napiPoll(), 8, 33);
    expect(fields.has('irq')).toBe(false);
    expect(fields.number('irq')).toBe(0);
    expect(fields.address('work')).toBe(0);
    expect(fields.text('work')).toBe('');
  });

  it('refuses a record that is shorter than the format, and a text outside of its record', () => {
    expect(fields.at(napiPoll(), 8, 27)).toBe(false);
    expect(fields.at(napiPoll(), 24, 33)).toBe(false);
    expect(fields.at(napiPoll(), 8, 30)).toBe(true);
    expect(fields.text('dev_name')).toBe('');
  });

  it('reads fixed arrays of characters and places relative to their word (__rel_loc of probes on 5.17 and newer)', () => {
    const format = parseEventFormat(`name: x
ID: 7
${COMMON}\tfield:char comm[4];\toffset:8;\tsize:4;\tsigned:0;
\tfield:__rel_loc char[] name;\toffset:12;\tsize:4;\tsigned:0;
\tfield:u8 pad[2];\toffset:16;\tsize:2;\tsigned:0;
`);
    const view = new DataView(new ArrayBuffer(24));
    new Uint8Array(view.buffer).set(Buffer.from('bash'), 8);
    view.setUint32(12, (3 << 16) | 2, true);
    new Uint8Array(view.buffer).set(Buffer.from('rx\0'), 18);
    const own = new EventFields(format);
    expect(own.at(view, 0, 21)).toBe(true);
    expect(own.text('comm')).toBe('bash');
    expect(own.text('name')).toBe('rx');
  });
});
