import { nodeModule } from '@palimpsest/base';

/** Said of a process of which only that it is there can be known. */
export const THERE = 'there';

/**
 * What tells a process from all others that had or will have its number: on Linux the moment it began, elsewhere, and for
 * processes that the system hides (`hidepid`), only that it is there. `undefined` when there is no such process.
 */
export function processStart(pid: number): string | undefined {
  const stat = process.platform === 'linux' ? statOf(pid) : undefined;
  if (stat === undefined) return isThere(pid) ? THERE : undefined;
  // The name of the program stands in parentheses and may hold anything; the 20th field after it is the start time.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A process that has ended and waits to be collected works no more.
  return fields[0] === 'Z' ? undefined : fields[19];
}

function statOf(pid: number): string | undefined {
  try {
    return nodeModule('node:fs').readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Processes of others cannot be signalled, but they are there.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
