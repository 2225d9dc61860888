import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { RouteFamily } from '../context.js';

/** Where the page's files lie, in the sources as in what is built from them. */
const FOLDER = fileURLToPath(new URL('../../console/', import.meta.url));

const PAGE = 'index.html';

/**
 * The console in the browser. Each file that is there at the start gets a route of its own, so that no request names a
 * path of the disk. Nothing is kept by browsers: files of a package all bear the same date, by which a new version of one
 * could not be told from the old.
 */
export const consoleRoutes: RouteFamily = (api) => {
  void api.register(fastifyStatic, {
    root: FOLDER,
    prefix: '/console/',
    wildcard: false,
    index: false,
    globIgnore: [PAGE],
    dotfiles: 'ignore',
    cacheControl: false,
    etag: false,
    lastModified: false,
  });
  api.route({
    method: 'GET',
    url: '/',
    config: { gate: { page: true } },
    schema: { hide: true },
    handler: (_request, reply) => reply.sendFile(PAGE),
  });
};
