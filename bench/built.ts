type Package = typeof import('../middleware/index.ts')

/** The package as it is installed: the loader that runs these files adds to every closure what no user pays for. */
const built = (await import(new URL('../dist/esm/middleware/index.js', import.meta.url).href)) as Package

export const cacheMiddleware: Package['cacheMiddleware'] = built.cacheMiddleware
export const createCache: Package['createCache'] = built.createCache
export const withCache: Package['withCache'] = built.withCache
