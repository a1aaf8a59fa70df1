import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { IOC, READ_LOST, RECORD, tracepointAttr } from './attr.js';

/** The same, by the compiler from the kernel's own header. PERF_FORMAT_LOST is newer than some headers. */
const PROGRAM = `
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
int main(void)
{
	struct perf_event_attr a;
	memset(&a, 0, sizeof(a));
	a.type = PERF_TYPE_TRACEPOINT;
	a.size = PERF_ATTR_SIZE_VER5;
	a.config = 225;
	a.sample_period = 1;
	a.sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_RAW | PERF_SAMPLE_IDENTIFIER;
	a.read_format = 1U << 4;
	a.disabled = 1;
	a.watermark = 1;
	a.sample_id_all = 1;
	a.use_clockid = 1;
	a.clockid = CLOCK_MONOTONIC;
	a.wakeup_watermark = 0xffffffff;
	for (int i = 0; i < PERF_ATTR_SIZE_VER5; i++)
		printf("%d ", ((unsigned char *)&a)[i]);
	printf("| %lu %lu %lu %lu %lu", (unsigned long)PERF_EVENT_IOC_ENABLE, (unsigned long)PERF_EVENT_IOC_DISABLE,
	       (unsigned long)PERF_EVENT_IOC_SET_OUTPUT, (unsigned long)PERF_EVENT_IOC_SET_FILTER, (unsigned long)PERF_EVENT_IOC_ID);
	printf(" | %d %d %d %d %d\\n", PERF_RECORD_LOST, PERF_RECORD_THROTTLE, PERF_RECORD_UNTHROTTLE, PERF_RECORD_SAMPLE,
	       PERF_RECORD_LOST_SAMPLES);
	return 0;
}
`;

const compiler = spawnSync('gcc', ['--version']).status === 0;

describe.skipIf(!compiler)('perf’s attributes', () => {
  it('are laid out as in linux/perf_event.h', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rxstamp-attr-'));
    try {
      writeFileSync(join(folder, 'attr.c'), PROGRAM);
      const built = spawnSync('gcc', ['-o', join(folder, 'attr'), join(folder, 'attr.c')], {
        encoding: 'utf8',
      });
      expect(built.stderr).toBe('');
      const said = spawnSync(join(folder, 'attr'), { encoding: 'utf8' }).stdout;
      const [attr, requests, records] = said.split('|').map((part) => part.trim().split(' ').map(Number));
      expect([...tracepointAttr(225, READ_LOST)]).toEqual(attr);
      expect([IOC.enable, IOC.disable, IOC.setOutput, IOC.setFilter, IOC.id]).toEqual(requests);
      expect(Object.values(RECORD)).toEqual(records);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
