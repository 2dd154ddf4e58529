import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { countReport } from '../scripts/count.mjs';

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-count-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  readonly success?: boolean;
  readonly passed?: number;
  readonly failed?: number;
  readonly pending?: number;
  readonly todo?: number;
  readonly files?: readonly { status: string; assertionResults: readonly { status: string }[] }[];
}

function count(report: Report) {
  const path = join(folder, 'vitest.json');
  const { success = true, passed = 0, failed = 0, pending = 0, todo = 0, files = [] } = report;
  const json = {
    success,
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: pending,
    numTodoTests: todo,
    testResults: files,
  };
  writeFileSync(path, JSON.stringify(json));
  const { passed: counted, failed: wrong } = countReport('package', path);
  return [counted, wrong];
}

describe('countReport', () => {
  it('counts the tests of a report', () => {
    expect(count({ passed: 12 })).toEqual([12, 0]);
    expect(count({ success: false, passed: 3, failed: 2 })).toEqual([3, 2]);
  });

  it('takes a missing report, a report without tests and an unsuccessful run for failures', () => {
    expect(countReport('package', join(folder, 'none.json'))).toMatchObject({ passed: 0, failed: 1 });
    expect(count({})).toEqual([0, 1]);
    expect(count({ success: false, passed: 4 })).toEqual([4, 1]);
  });

  it('takes skipped tests and files that could not be loaded for failures', () => {
    expect(count({ passed: 4, pending: 1, todo: 1 })).toEqual([4, 2]);
    const broken = { status: 'failed', assertionResults: [{ status: 'passed' }] };
    const failing = { status: 'failed', assertionResults: [{ status: 'failed' }] };
    expect(count({ success: false, passed: 4, failed: 1, files: [broken, failing] })).toEqual([4, 2]);
  });
});
