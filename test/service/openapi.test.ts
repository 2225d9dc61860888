import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { ERRORS } from '../../src/base/errors.js';
import { describeInBrowser, shoot } from '../support/browser.js';
import { startBrowser } from '../support/chromium.js';
import { inProject } from '../support/paths.js';
import { type ServiceRig, startService } from '../support/service-rig.js';

let rig: ServiceRig;
afterEach(() => rig.close());

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: object }> }>;
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, { readonly properties?: Record<string, object> }> };
}

async function read(): Promise<{ document: Document; text: string }> {
  rig = await startService();
  const { text } = await rig.ask('GET', '/api/openapi.json');
  return { document: JSON.parse(text) as Document, text };
}

/** Pages, which are no part of the API. */
const PAGES = new Set(['/', '/login', '/api/openapi.json']);

describe('the document of the API', () => {
  it('holds every route that the sources name, by each of its methods', async () => {
    const { document } = await read();
    const folder = inProject('src/service/routes');
    const named = readdirSync(folder).flatMap((file) => {
      const source = readFileSync(`${folder}/${file}`, 'utf8');
      const routes = /(?:method: '(\w+)',\s+)?url: ['`]([^'`]+)['`]|^ {4}\['(\/[\w/]+)', '\w+'/gm;
      return [...source.matchAll(routes)].map(([, method, url, row]) => ({ method, url: (url ?? row)! }));
    });
    expect(named.length).toBeGreaterThan(20);
    const paths = Object.keys(document.paths);
    for (const { method, url } of named) {
      if (PAGES.has(url) || url === '') continue;
      const path = url.replaceAll(/:(\w+)/g, '{$1}');
      const known = path.includes('${')
        ? paths.some((one) => one.startsWith(path.split('${')[0]!))
        : paths.includes(path);
      if (path !== '${url}') expect([url, known]).toEqual([url, true]);
      if (method !== undefined && !path.includes('${'))
        expect(Object.keys(document.paths[path]!), url).toContain(method.toLowerCase());
    }
  });

  it('describes each operation: what it does, what it takes and what it answers, its problems too', async () => {
    const { document, text } = await read();
    const ids = new Set<string>();
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const name = `${method} ${path}`;
        expect(operation.summary, name).toMatch(/^[A-Z]/);
        expect(operation.tags, name).toHaveLength(1);
        expect(ids, name).not.toContain(operation.operationId);
        ids.add(operation.operationId!);
        expect(Object.keys(operation.responses), name).toContain('default');
        const [success] = Object.entries(operation.responses).filter(([status]) => /^[1-3]/.test(status));
        expect(success, name).toBeDefined();
        for (const parameter of path.matchAll(/\{(\w+)\}/g))
          expect(
            operation.parameters?.map((one) => one.name),
            name,
          ).toContain(parameter[1]);
        for (const { name: parameter, description } of operation.parameters ?? [])
          expect(description, `${name}: ${parameter}`).toBeTruthy();
        for (const { schema } of Object.values(operation.requestBody?.content ?? {}))
          expect(Object.keys(schema), name).not.toEqual([]);
      }
    }
    // Nothing in it leads nowhere.
    for (const [, schema] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
      expect(Object.keys(document.components.schemas)).toContain(schema);
    expect(
      Object.keys(document.paths['/api/agents/{name}/speeches']!['post']!.requestBody!.content),
    ).toContain('application/json');
  });

  it('names every code of an error, as the page of errors does', async () => {
    const { document } = await read();
    const problem = document.components.schemas['Problem']!.properties as { code: { enum: string[] } };
    const codes = Object.keys(ERRORS);
    expect(problem.code.enum).toEqual(codes);
    const readme = readFileSync(inProject('src/base/README.md'), 'utf8');
    for (const code of codes)
      expect(readme).toMatch(new RegExp(`^\\| \`${code}\` \\| [a-z-]+ \\| \\d{3} \\|`, 'm'));
  });
});

await describeInBrowser('the reference as a page', () => {
  it('shows every operation, and asks no other host for anything', async () => {
    const { document } = await read();
    const browser = await startBrowser();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    const errors: string[] = [];
    const hosts = new Set<string>();
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    page.on('request', (request) => hosts.add(new URL(request.url()).host));
    await page.goto(`http://localhost:${rig.port}/api/docs`);
    const count = Object.values(document.paths).flatMap((methods) => Object.keys(methods)).length;
    await page
      .locator('.opblock')
      .nth(count - 1)
      .waitFor();
    expect(await page.locator('.opblock').count()).toBe(count);
    await page.locator('.opblock-summary', { hasText: 'Speaks a text' }).first().click();
    await page.getByText('The body is the text, in UTF-8').waitFor();
    await shoot(page, 'api-docs');
    expect(errors).toEqual([]);
    expect([...hosts].filter((host) => host !== '' && host !== `localhost:${rig.port}`)).toEqual([]);
  });

  it('is for those who know the token', async () => {
    rig = await startService({ token: '0123456789abcdef-docs' });
    const page = await rig.ask('GET', '/api/docs/');
    expect([page.status, page.headers.location]).toEqual([303, '/login?next=%2Fapi%2Fdocs%2F']);
    for (const path of ['/api/docs/json', '/api/docs/static/swagger-ui-bundle.js'])
      expect((await rig.ask('GET', path)).status).not.toBe(200);
    const headers = { authorization: 'Bearer 0123456789abcdef-docs' };
    expect((await rig.ask('GET', '/api/docs/json', { headers })).status).toBe(200);
    const foreign = { ...headers, origin: 'https://evil.example' };
    expect((await rig.ask('GET', '/api/docs/json', { headers: foreign })).status).toBe(403);
  });
});
