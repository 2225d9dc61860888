import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { RouteFamily } from '../context.js';

/** Folder of the page's files, in the sources and in the build. */
const FOLDER = fileURLToPath(new URL('../../console/', import.meta.url));

const PAGE = 'index.html';

/**
 * Routes of the browser console. Each file that exists at the start gets its own route, so that no request names a path
 * of the disk. Browsers must not cache them: files of a package all have the same date, so that a new version could not be
 * told from the old one.
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
