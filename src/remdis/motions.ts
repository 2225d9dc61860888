import { z } from 'zod';
import { BridgeError } from '../base/errors.js';
import { readTextFile } from '../base/text-file.js';
import type { Agent } from '../agent/agent.js';

/** Number of slots of each kind: `expression0` to `expression9`. */
const SLOTS = 10;

const motionList = z.array(z.looseObject({ name: z.string(), motion: z.string() })).default([]);

/** Schema of the keys that the bridge reads from the avatar's `rabbitmq_config.json`. */
const configSchema = z.looseObject({
  host: z.string().default('localhost'),
  port: z.number().int().default(5672),
  user: z.string().default('guest'),
  pass: z.string().default('guest'),
  target_model_alias: z.string().default('0'),
  motion_expression_alias: z.string().default('expression'),
  motion_action_alias: z.string().default('action'),
  expression_list: motionList,
  action_list: motionList,
});

/** Content of the avatar's `rabbitmq_config.json`. */
export type RabbitMqConfig = z.output<typeof configSchema>;

/** Configuration without a file: a server on this machine, the usual model, no motions. */
export const NO_MOTIONS: RabbitMqConfig = configSchema.parse({});

/**
 * Reads a `rabbitmq_config.json`.
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, or CONFIG_INVALID that names the key
 */
export async function readRabbitMqConfig(path: string): Promise<RabbitMqConfig> {
  const text = await readTextFile(path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new BridgeError('CONFIG_INVALID', `'${path}' is not JSON: ${(error as Error).message}.`);
  }
  const result = configSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new BridgeError('CONFIG_INVALID', `'${path}': ${issue!.path.join('.') || 'it'}: ${issue!.message}.`);
}

/** Expression and action, as requested by Remdis. */
export interface ExpressionAndAction {
  readonly expression?: string | undefined;
  readonly action?: string | undefined;
}

/**
 * Turns expressions and actions into motion commands. It uses the alias slots of the avatar's own RabbitMQ
 * plugin: each motion takes a free slot, and running motions of the same kind are removed.
 */
export class Motions {
  readonly #config: RabbitMqConfig;
  /** Slots whose motion runs or is about to run. */
  readonly #running = new Set<string>();

  constructor(config: RabbitMqConfig) {
    this.#config = config;
  }

  /** Tracks motions that end by themselves. @returns a function that stops tracking */
  follow(agent: Agent): () => void {
    return agent.on('message', ({ type, args: [alias, motion] }) => {
      if (type === 'MOTION_EVENT_DELETE' && alias === this.#config.target_model_alias && motion !== undefined)
        this.#running.delete(motion);
    });
  }

  /** Alias of the model that moves. */
  get model(): string {
    return this.#config.target_model_alias;
  }

  /** Returns the commands for an expression and an action, and the names that the lists lack. */
  commands({ expression, action }: ExpressionAndAction): { commands: string[]; unknown: string[] } {
    const { expression_list, action_list, motion_expression_alias, motion_action_alias } = this.#config;
    const asked = [
      { name: expression, list: expression_list, kind: motion_expression_alias },
      { name: action, list: action_list, kind: motion_action_alias },
    ];
    const commands: string[] = [];
    const unknown: string[] = [];
    for (const { name, list, kind } of asked) {
      if (name === undefined || name === '') continue;
      const motion = list.find((entry) => entry.name === name)?.motion;
      if (motion === undefined) unknown.push(name);
      else commands.push(...this.#play(kind, motion));
    }
    return { commands, unknown };
  }

  #play(kind: string, file: string): string[] {
    const { target_model_alias: model } = this.#config;
    const slots = Array.from({ length: SLOTS }, (_, i) => `${kind}${i}`);
    const old = slots.filter((slot) => this.#running.has(slot));
    const slot = slots.find((slot) => !this.#running.has(slot)) ?? slots[0]!;
    for (const ended of old) this.#running.delete(ended);
    this.#running.add(slot);
    return [
      `MOTION_ADD|${model}|${slot}|${file}|PART|ONCE|ON|OFF`,
      ...old.filter((other) => other !== slot).map((other) => `MOTION_DELETE|${model}|${other}`),
    ];
  }
}
