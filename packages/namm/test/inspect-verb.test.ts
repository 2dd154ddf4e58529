import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CharacterTokenizer, type MechanismVerbContext } from '@palimpsest/lm';
import { afterAll, describe, expect, it } from 'vitest';
import { namedPolicy } from '../src/card-policies.js';
import { savePolicy } from '../src/evolution/policy-file.js';
import { inspectVerb } from '../src/inspect/verb.js';
import { livelyTransformer, smallNamm } from './support/models.js';

const folder = mkdtempSync(join(tmpdir(), 'namm-inspect-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LETTERS = Array.from({ length: 97 }, (_, i) => String.fromCharCode(161 + i)).join('');

/** The verb on a small model, with what a command line would have given. */
async function inspect(given: Record<string, unknown>): Promise<{ printed: string; page: string }> {
  const { model, params } = livelyTransformer();
  const out = join(folder, 'page.html');
  let printed = '';
  const context: MechanismVerbContext = {
    output: {
      ...{
        json: false,
        quiet: false,
        width: Number.POSITIVE_INFINITY,
        write: () => {},
        emit: () => {},
        note: () => {},
      },
      print: (text) => {
        printed += text;
      },
    },
    signal: new AbortController().signal,
    given: new Set(Object.keys(given)),
    open: async (path) => ({ folder: path, model, params, tokenizer: CharacterTokenizer.fromText(LETTERS) }),
    draw: async (inspection) => JSON.stringify(inspection.data),
  };
  await inspectVerb.run(inspectVerb.schema.parse({ model: 'small', out, ...given }), context, []);
  return { printed, page: readFileSync(out, 'utf8') };
}

describe('a policy named on the command line', () => {
  it('has its budget and its interval', async () => {
    const { policy, schedule } = await namedPolicy('h2o', { budget: 5, updateInterval: 16 });
    expect(policy.name).toBe('h2o');
    expect(policy.retention).toMatchObject({ kind: 'budget', budget: { size: 5 } });
    expect(schedule).toEqual({ updateInterval: 16 });
    expect((await namedPolicy('h2o', { budget: 5 })).schedule).toEqual({});
  });

  it('that is evolved comes from its file', async () => {
    const { config, vector } = smallNamm();
    const policyFile = join(folder, 'policy.safetensors');
    await savePolicy(policyFile, { config, parameters: vector, statistics: undefined });
    const own = await namedPolicy('namm', { policyFile });
    expect(own.schedule).toEqual({ updateInterval: 16, maxTokensPerForward: 8 });
    const capped = await namedPolicy('namm', { policyFile, budget: 3, updateInterval: 8 });
    expect(capped.schedule).toEqual({ updateInterval: 8 });
    expect(capped.policy.retention).toMatchObject({ rule: { cacheSize: 3 } });
  });

  it('has updates that adapt, of a hand-made policy and of an evolved one', async () => {
    const { schedule } = await namedPolicy('h2o', { budget: 5, tailShare: 0.5 });
    expect(schedule).toEqual({ adaptive: { tailShare: 0.5, least: 128, hopLength: 16 } });
    const { config, vector } = smallNamm({ adaptive: { tailShare: 2, least: 12 } });
    const policyFile = join(folder, 'adaptive.safetensors');
    await savePolicy(policyFile, { config, parameters: vector, statistics: undefined });
    const own = await namedPolicy('namm', { policyFile });
    expect(own.schedule.adaptive).toEqual({ tailShare: 2, least: 12, hopLength: 4 });
    const fixed = await namedPolicy('namm', { policyFile, updateInterval: 16 });
    expect(fixed.schedule).toEqual({ updateInterval: 16 });
    const other = await namedPolicy('namm', { policyFile, tailShare: 1 });
    expect(other.schedule.adaptive).toEqual({ tailShare: 1, least: 32, hopLength: 4 });
  });

  it.each([
    ['h2o', { budget: 4, updateInterval: 16, tailShare: 1 }, /give updateInterval or tailShare, not both/],
    ['namm', {}, /needs --policy-file/],
    ['h2o', {}, /'h2o' needs --budget/],
    ['h2o', { budget: 4, policyFile: 'x' }, /--policy-file belongs to the policy 'namm'/],
    ['full', {}, /'full' forgets nothing/],
    ['full', { budget: 4 }, /'full' forgets nothing/],
    ['none', {}, /There is no eviction policy 'none'; the policies are full, random/],
    ['none', { budget: 4 }, /There is no eviction policy 'none'/],
  ])('%s with %j is refused in a sentence that helps', async (name, options, message) => {
    await expect(namedPolicy(name, options)).rejects.toThrow(message);
  });
});

describe('inspect namm', () => {
  it('tells what a head keeps', async () => {
    const { printed, page } = await inspect({
      ...{ memory: 'h2o', budget: 5, updateInterval: 16 },
      text: LETTERS.slice(0, 40),
    });
    expect(printed).toContain('2 updates in 40 tokens');
    expect(printed).toContain('a head keeps 5.0 tokens on average, 5 to 5');
    expect(JSON.parse(page).heads.map(({ kept }: { kept: number[] }) => kept)).toEqual(
      new Array(4).fill([5, 5]),
    );
  });

  it.each([{ textPath: 'stories' }, { from: 3 }, { characters: 9 }])(
    'ignores nothing beside --text: %j',
    async (more) => {
      const given = { memory: 'h2o', budget: 5, updateInterval: 16, text: LETTERS, ...more };
      await expect(inspect(given)).rejects.toThrow('--text is read as it is');
    },
  );

  it('says when updates come that adapt', async () => {
    const given = { memory: 'h2o', budget: 5, tailShare: 1, text: LETTERS.repeat(2) };
    const { printed } = await inspect(given);
    expect(printed).toContain('1 updates in 194 tokens');
    await expect(inspect({ ...given, text: LETTERS })).rejects.toThrow(
      'Nothing is forgotten before 128 tokens',
    );
  });

  it('refuses the full cache', async () => {
    await expect(inspect({ memory: 'full', text: LETTERS })).rejects.toThrow("'full' forgets nothing");
  });
});
