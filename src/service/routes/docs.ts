import swaggerUi from '@fastify/swagger-ui';
import type { RouteFamily } from '../context.js';

const PREFIX = '/api/docs';

/** Hash of the style that the page's own script inserts; a test reports a change. */
const PAGE_STYLE = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='";

/** Route of the API reference as a page, from the service's own files, without any other host. */
export const docsRoutes: RouteFamily = (api) => {
  void api.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, gate: { page: true } };
    });
    await scope.register(swaggerUi, {
      routePrefix: PREFIX,
      transformStaticCSP: (policy) => policy.replace("style-src 'self'", `style-src 'self' ${PAGE_STYLE}`),
      theme: { title: 'mmdagent-audio-bridge: the API' },
      uiConfig: {
        layout: 'BaseLayout',
        docExpansion: 'list',
        defaultModelsExpandDepth: 0,
        tryItOutEnabled: false,
      },
    });
  });
};
