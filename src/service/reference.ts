import type { jsonSchemaTransformObject } from 'fastify-type-provider-zod';

type Reference = ReturnType<typeof jsonSchemaTransformObject>;

interface Operation {
  requestBody?: { content: Record<string, { schema: object }> };
  'x-json-body'?: { $ref: string };
}

/** Adds JSON bodies to the API reference for routes whose body is either raw data or JSON. */
export function withJsonBodies(reference: Reference): Reference {
  const paths = (reference.paths ?? {}) as Record<string, Record<string, Operation>>;
  for (const path of Object.values(paths)) {
    for (const operation of Object.values(path)) {
      const schema = operation['x-json-body'];
      if (schema === undefined || !operation.requestBody) continue;
      operation.requestBody.content['application/json'] = { schema };
      delete operation['x-json-body'];
    }
  }
  return reference;
}
