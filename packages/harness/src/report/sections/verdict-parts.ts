import type { TaskGroup } from '../../results/tables.js';
import { bulletList } from '../html-parts.js';
import { type Markup, markup } from '../markup.js';
import { groupVerdicts } from '../verdicts/group-verdict.js';
import type { ReportContext } from './context.js';

/** What a table says, in sentences below it. */
export function verdictParts(group: TaskGroup, context: ReportContext): Markup[] {
  return groupVerdicts(group, context.source).flatMap(({ about, sentences }) => [
    ...(about === '' ? [] : [markup`<p class="about">At ${about}:</p>`]),
    bulletList(sentences),
  ]);
}
