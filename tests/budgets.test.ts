import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { workspacesOf } from './support/workspaces.js';

/** Clutter in the sources of all packages that may only become less. Whoever removes some lowers the number. */
const BUDGETS = { castsThroughNeverOrUnknown: 120, conditionalSpreads: 146 };

it.each(Object.entries(BUDGETS) as [keyof typeof BUDGETS, number][])('%s: at most %i', (kind, budget) => {
  const found = [...workspacesOf('packages'), ...workspacesOf('apps')].map(({ folder, manifest }) => {
    const files = readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' });
    const sources = files.filter((path) => path.endsWith('.ts'));
    const counts = sources.map((path) => counters[kind](readFileSync(join(folder, 'src', path), 'utf8')));
    return { name: manifest.name, count: counts.reduce((sum, count) => sum + count, 0) };
  });
  const total = found.reduce((sum, { count }) => sum + count, 0);
  expect(total, JSON.stringify(found)).toBeLessThanOrEqual(budget);
});

const counters: Record<keyof typeof BUDGETS, (text: string) => number> = {
  castsThroughNeverOrUnknown: (text) => text.match(/\bas (never|unknown as)\b/g)?.length ?? 0,
  conditionalSpreads: (text) => {
    let count = 0;
    const visit = (node: ts.Node): void => {
      if (ts.isSpreadAssignment(node) && mayBeEmpty(node.expression)) count++;
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest));
    return count;
  },
};

/** `(x && { … })` or `(x ? { … } : {})`: an option that is given as `key: x` where undefined is a fair value of it. */
function mayBeEmpty(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return mayBeEmpty(node.expression);
  if (ts.isBinaryExpression(node)) {
    return (
      node.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken &&
      ts.isObjectLiteralExpression(node.right)
    );
  }
  if (!ts.isConditionalExpression(node)) return false;
  const sides = [node.whenTrue, node.whenFalse].filter(ts.isObjectLiteralExpression);
  return sides.length === 2 && sides.some(({ properties }) => properties.length === 0);
}

it('sees both forms of a conditional spread, and no other', () => {
  const text = `const a = { ...(x && { x }), ...(y === undefined ? {} : { y }), ...z, ...(p ? { p } : { q }) };`;
  expect(counters.conditionalSpreads(text)).toBe(2);
});
