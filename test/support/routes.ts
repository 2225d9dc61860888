import type { ServiceRig } from './service-rig.js';

/** One operation of the API as its document describes it. */
export interface Operation {
  readonly method: string;
  /** With its parameters still open: `/api/agents/{name}`. */
  readonly path: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: 'path' | 'query' | 'header';
    readonly schema: JsonSchema;
  }[];
  /** The schema of its JSON body, if it takes one. */
  readonly body: JsonSchema | undefined;
}

/** As much of a JSON schema as the API's document uses. */
export interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
}

/** What the document of the API says. */
export interface ApiDocument {
  readonly operations: readonly Operation[];
  readonly schemas: Readonly<Record<string, JsonSchema>>;
}

/** Routes that the document leaves out: pages, and itself. */
const PAGES = [
  '/',
  '/login',
  '/api/docs',
  '/api/openapi.json',
  '/console/main.js',
  '/console/none.js',
  '/api/none',
];

/** Reads the document. */
export async function readDocument(
  rig: ServiceRig,
  headers: Record<string, string> = {},
): Promise<ApiDocument> {
  const { text } = await rig.ask('GET', '/api/openapi.json', { headers });
  const { paths, components } = JSON.parse(text) as {
    paths: Record<string, Record<string, RawOperation>>;
    components: { schemas: Record<string, JsonSchema> };
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]): Operation => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content['application/json']?.schema,
    })),
  );
  return { operations, schemas: components.schemas };
}

/** Every route, documented or not, with a path that can be asked for. */
export async function everyRoute(
  rig: ServiceRig,
  headers: Record<string, string> = {},
): Promise<{ method: string; path: string }[]> {
  const { operations } = await readDocument(rig, headers);
  return [
    ...operations.map(({ method, path }) => ({
      method,
      path: path.replace('{name}', 'default').replace(/\{\w+\}/, 's1'),
    })),
    ...PAGES.map((path) => ({ method: 'GET', path })),
  ];
}

interface RawOperation {
  readonly parameters?: Operation['parameters'];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: JsonSchema }> };
}
