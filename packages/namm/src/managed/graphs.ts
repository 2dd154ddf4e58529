import type { Transformer, TransformerParameters } from '@palimpsest/backbone';
import {
  type Compiled,
  disposeTree,
  type Engine,
  isOnDevice,
  type NDArray,
  type ToDevice,
  type ToHost,
  type tf,
} from '@palimpsest/tensor-core';
import type { CachePolicy, PolicyState } from '../policy/policy.js';
import {
  type LayerParameters,
  ManagedFunctions,
  type ReadResult,
  type StepResult,
  type Waiting,
} from './functions.js';
import { createHostReader, type HostReader } from './host/host-reader.js';
import type { ManagedState } from './state.js';

/** What `absorb` is given. */
export interface AbsorbInput {
  readonly carried: readonly { readonly state?: PolicyState }[];
  /** Of tokens, oldest first. */
  readonly waiting: readonly Waiting[];
  readonly position: tf.Tensor;
  /** Positions of every layer, for their number of slots. */
  readonly slots: readonly tf.Tensor[];
}

/** What `gather` is given. */
export interface GatherInput {
  readonly state: ManagedState;
  readonly policies: readonly { readonly state?: PolicyState }[];
  readonly slots: readonly tf.Tensor[];
}

type Parameters = TransformerParameters;

/** The compiled forms of one managed model, shared by all texts that are read by it. */
export class ManagedGraphs {
  readonly functions: ManagedFunctions;
  readonly start: Compiled<[Parameters, tf.Tensor, tf.Tensor | undefined], ReadResult>;
  readonly startAll: Compiled<[Parameters, tf.Tensor, tf.Tensor | undefined], ReadResult>;
  readonly extend: Compiled<[Parameters, tf.Tensor, tf.Tensor | undefined, ManagedState], ReadResult>;
  readonly extendAll: Compiled<[Parameters, tf.Tensor, tf.Tensor | undefined, ManagedState], ReadResult>;
  readonly step: Compiled<[Parameters, tf.Tensor, ManagedState], StepResult>;
  readonly absorb: Compiled<[AbsorbInput], readonly { readonly state?: PolicyState }[]>;
  readonly score: Compiled<
    [ManagedState, LayerParameters],
    { readonly scores: readonly tf.Tensor[]; readonly policies: readonly { readonly state?: PolicyState }[] }
  >;
  readonly gather: Compiled<[GatherInput], ManagedState>;
  /** Adds as many slots as the second argument has elements, or takes them away. */
  readonly makeRoom: Compiled<[ManagedState, tf.Tensor], ManagedState>;
  readonly takeRoom: Compiled<[ManagedState, tf.Tensor], ManagedState>;
  #params: ToDevice<Parameters>;
  #host: Promise<HostReader | undefined> | undefined;
  readonly #ownsParams: boolean;
  /** Texts that use these forms, and whoever compiled them. */
  users = 1;

  constructor(
    readonly engine: Engine,
    readonly model: Transformer,
    readonly policy: CachePolicy,
    params: ToHost<Parameters> | ToDevice<Parameters>,
    freeze = true,
  ) {
    const functions = new ManagedFunctions(model, policy);
    this.functions = functions;
    this.#ownsParams = !isOnDevice(params);
    this.#params = (this.#ownsParams ? engine.put(params) : params) as ToDevice<Parameters>;
    const name = (form: string) => `${model.name}.${policy.name}.${form}`;
    const start = (all: boolean) =>
      engine.compile(
        (tree: Parameters, tokens: tf.Tensor, mask: tf.Tensor | undefined) =>
          functions.read(tree, tokens, undefined, mask, all),
        { name: name('start') },
      );
    const extend = (all: boolean) =>
      engine.compile(
        (tree: Parameters, tokens: tf.Tensor, mask: tf.Tensor | undefined, state: ManagedState) =>
          functions.read(tree, tokens, state, mask, all),
        { name: name('extend'), donate: [3] },
      );
    [this.start, this.startAll] = [start(false), start(true)];
    [this.extend, this.extendAll] = [extend(false), extend(true)];
    this.step = engine.compile(
      (tree: Parameters, token: tf.Tensor, state: ManagedState) => functions.step(tree, token, state),
      { name: name('step'), donate: [2], freeze: freeze ? [0] : [] },
    );
    this.absorb = engine.compile(
      ({ carried, waiting, position, slots }: AbsorbInput) =>
        functions
          .absorb(
            carried.map(({ state }) => state),
            waiting,
            position,
            slots.map(({ shape }) => shape[2]!),
          )
          .map((state) => (state ? { state } : {})),
      { name: name('absorb') },
    );
    this.score = engine.compile(
      (state: ManagedState, parameters: LayerParameters) => {
        // Arrays end with the newest entry when they are looked through.
        const { scores, policies } = functions.score(state, parameters, true);
        return { scores, policies: policies.map((carried) => (carried ? { state: carried } : {})) };
      },
      { name: name('score') },
    );
    this.gather = engine.compile(
      ({ state, policies, slots }: GatherInput) =>
        functions.gather(
          state,
          policies.map((carried) => carried.state),
          slots,
        ),
      { name: name('gather'), donate: [0] },
    );
    const resize = (sign: 1 | -1) =>
      engine.compile((state: ManagedState, count: tf.Tensor) => functions.resize(state, sign * count.size), {
        name: name(sign > 0 ? 'makeRoom' : 'takeRoom'),
        donate: [0],
      });
    [this.makeRoom, this.takeRoom] = [resize(1), resize(-1)];
  }

  get params(): ToDevice<Parameters> {
    return this.#params;
  }

  /** What reads single tokens on the processor, if anything does; made when it is first asked for. */
  get host(): Promise<HostReader | undefined> {
    this.#host ??= createHostReader(this);
    return this.#host;
  }

  /** Layers that are looked after. */
  get managed(): readonly number[] {
    return this.functions.managed;
  }

  /** What a policy's scores read for every layer, on the engine; the caller's to dispose of. */
  parametersOf(policy: CachePolicy): ToDevice<LayerParameters> {
    const { layers, keyValueHeads: heads } = this.model.options;
    return this.engine.put(
      Array.from(
        { length: layers },
        (_, layer): Record<string, NDArray> => policy.parameters?.({ layer, heads }) ?? {},
      ),
    ) as ToDevice<LayerParameters>;
  }

  /** One user less; the last one takes the compiled forms along. */
  async release(): Promise<void> {
    this.users -= 1;
    if (this.users === 0) await this.#dispose();
  }

  async #dispose(): Promise<void> {
    const { start, startAll, extend, extendAll, step, absorb, score, gather, makeRoom, takeRoom } = this;
    await Promise.all(
      [start, startAll, extend, extendAll, step, absorb, score, gather, makeRoom, takeRoom].map((form) =>
        form.dispose(),
      ),
    );
    if (this.#ownsParams) disposeTree(this.#params);
  }
}
