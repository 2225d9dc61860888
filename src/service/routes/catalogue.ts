import { z } from 'zod';
import { commandCatalogue } from '../../agent/messages.js';
import type { RouteFamily } from '../context.js';
import { ProblemSchema } from '../problem.js';

const ArgumentSchema = z.object({
  name: z.string(),
  kind: z.string().describe('`alias`, `file`, `name`, `text`, `number`, `choice`, `position`, …'),
  hint: z.string(),
  rule: z.string().describe('What is accepted, as the end of `must be …`.'),
  optional: z.boolean(),
  choices: z.array(z.string()).optional(),
  fallback: z.string().optional().describe('Written when a later one is given and this one is not.'),
});

/** Catalogue of commands in the API. */
export const CatalogueSchema = z
  .object({
    commands: z.array(
      z.object({
        name: z.string(),
        head: z.string().describe('What the line begins with: `MOTION_ADD`, `MENU|ADD`, `__AV_START`.'),
        usage: z.string(),
        args: z.array(ArgumentSchema),
        answer: z.string().optional().describe('The head of the message that answers it.'),
        danger: z.string().optional().describe('Why it needs a permission.'),
        en: z.string(),
        ja: z.string(),
      }),
    ),
  })
  .meta({ id: 'Catalogue' });

type CatalogueJson = z.output<typeof CatalogueSchema>;

/** Route of the command catalogue, for programs that offer completions. */
export const catalogueRoutes: RouteFamily = (api) => {
  api.route({
    method: 'GET',
    url: '/api/catalogue',
    schema: {
      operationId: 'catalogue',
      summary: 'Every command of the avatar that is known, with its arguments and what it does',
      tags: ['agents'],
      response: { 200: CatalogueSchema, default: ProblemSchema },
    },
    handler: () => ({ commands: commandCatalogue as CatalogueJson['commands'] }),
  });
};
