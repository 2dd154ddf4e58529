import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SafeTensor, writeSafetensors } from '@palimpsest/base';
import { afterAll, describe, expect, it } from 'vitest';
import { CmaEs } from '../../src/evolution/cma-es/cma-es.js';
import { loadPolicy, policyMetadata, policyTensors } from '../../src/evolution/policy-file.js';
import { evolveVerb } from '../../src/evolution/verb.js';
import { evolutionConfig, parameterCount } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'namm-damage-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = evolutionConfig({ nFft: 8, hopLength: 4, updateInterval: 16, maxTokensPerForward: 8 });
const size = parameterCount(config);
const statistics = [{ mean: new Float32Array(5).fill(0.1), variance: new Float32Array(5).fill(2), count: 8 }];
const policy = { config, parameters: new Float32Array(size).fill(0.5), statistics };

type Damage = (tensor: SafeTensor) => SafeTensor;
const firstAs =
  (value: number): Damage =>
  (tensor) => ({
    ...tensor,
    data: tensor.dtype === 'F64' ? Float64Array.of(value) : Float32Array.of(value, ...rest(tensor)),
  });
const rest = ({ data }: SafeTensor): number[] => Array.from(data, Number).slice(1);
const withoutFirst: Damage = (tensor) => ({
  ...tensor,
  shape: [tensor.data.length - 1],
  data: Float32Array.from(rest(tensor)),
});

it('a policy comes back as it was written', async () => {
  const path = join(folder, 'whole.safetensors');
  await writeSafetensors(path, policyTensors(policy), policyMetadata(policy));
  expect(await loadPolicy(path)).toEqual(policy);
});

it.each<[string, Damage, RegExp]>([
  ['parameters', withoutFirst, /has \d+ parameters, but \d+ are there\.$/],
  ['parameters', firstAs(Number.NaN), /a parameter is no finite number\.$/],
  ['parameters', firstAs(Number.POSITIVE_INFINITY), /a parameter is no finite number\.$/],
  ['output_mean', firstAs(Number.NaN), /have a mean that is no finite number/],
  ['output_var', firstAs(-1), /have a variance of -1/],
  ['output_num', firstAs(Number.NaN), /are of NaN values/],
])('a policy file whose %s are damaged is refused with its name (%#)', async (name, damage, sentence) => {
  const path = join(folder, 'damaged.safetensors');
  const tensors = policyTensors(policy);
  await writeSafetensors(path, { ...tensors, [name]: damage(tensors[name]!) }, policyMetadata(policy));
  await expect(loadPolicy(path)).rejects.toThrow(sentence);
  await expect(loadPolicy(path)).rejects.toThrow(path);
});

it('parameters of every layer come as several scorers, and as no part of one', async () => {
  const perLayer = { ...policy, config: { ...config, paramSharing: 'perLayer' as const } };
  const path = join(folder, 'layers.safetensors');
  const write = (count: number) =>
    writeSafetensors(
      path,
      policyTensors({ ...perLayer, parameters: new Float32Array(count) }),
      policyMetadata(perLayer),
    );
  await write(3 * size);
  expect((await loadPolicy(path)).parameters).toHaveLength(3 * size);
  await write(3 * size - 1);
  await expect(loadPolicy(path)).rejects.toThrow(/parameters or a multiple, but \d+ are there\.$/);
});

describe('a saved search', () => {
  const options = { paramSize: 6, popSize: 4, seed: 1 };
  const searched = (covariance: 'full' | 'diagonal') => {
    const search = new CmaEs({ ...options, covariance });
    search.tell(search.ask().map((member) => -(member[0]! ** 2)));
    return search.state();
  };
  const damaged = (values: Float64Array, at: number, value: number) =>
    values.map((entry, i) => (i === at ? value : entry));

  it.each(['mean', 'covariance', 'pathC', 'pathSigma', 'bestMember'] as const)(
    'is refused when its %s has a number that nobody can go on with',
    (name) => {
      const state = searched('full');
      expect(() => new CmaEs({ ...options, covariance: 'full' }, state)).not.toThrow();
      for (const value of [Number.NaN, 1e300]) {
        const torn = { ...state, [name]: damaged(state[name], 0, value) };
        expect(() => new CmaEs({ ...options, covariance: 'full' }, torn)).toThrow(
          /^The saved search is damaged: its .* is out of range\.$/,
        );
      }
    },
  );

  it.each([
    ['full', 7],
    ['diagonal', 1],
  ] as const)('is refused when a variance of its %s covariance is not above 0', (covariance, at) => {
    const state = searched(covariance);
    const torn = { ...state, covariance: damaged(state.covariance, at, -1) };
    expect(() => new CmaEs({ ...options, covariance }, torn)).toThrow(/variance of -1, which is above 0/);
  });
});

it.each([
  ['no tasks', { tasks: [] }],
  ['more members than memory holds', { popSize: 1e9 }],
  ['prompts as long as a library', { promptTokens: 1e9 }],
  ['more candidates than memory holds', { evalCandidateSamples: 1e9 }],
])('an evolution with %s is refused before anything is allocated', (_, options) => {
  expect(evolveVerb.schema.safeParse(options).success).toBe(false);
});
