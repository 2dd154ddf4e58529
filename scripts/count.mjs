import { existsSync, readFileSync } from 'node:fs';

/**
 * Counts one vitest JSON report. A missing report, a file that could not be loaded and a skipped test are failures;
 * a report without any test is one too.
 */
export function countReport(name, path) {
  if (!existsSync(path)) return { name, passed: 0, failed: 1, notes: ['no report was written'] };
  const report = JSON.parse(readFileSync(path, 'utf8'));
  const notes = [];
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every(({ status }) => status !== 'failed'),
  );
  if (brokenFiles.length > 0) notes.push(`${brokenFiles.length} test files broke outside their tests`);
  const skipped = report.numPendingTests + report.numTodoTests;
  if (skipped > 0) notes.push(`${skipped} tests skipped`);
  const passed = report.numPassedTests;
  let failed = report.numFailedTests + brokenFiles.length + skipped;
  if (passed + failed === 0) notes.push('no test ran');
  if (failed === 0 && (passed === 0 || report.success !== true)) failed = 1;
  return { name, passed, failed, notes };
}
